#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A proxy of the bed: SOCKS 4, 4a, 5 and HTTP CONNECT on one port. It runs in the server namespace and leads every tunnel to
the address at which it was itself called, at the port that was asked for, so nothing ever leaves the bed.

CONNECT wants a Proxy-Authorization with --password and answers 407 until it comes; SOCKS 5 then wants a sign-on."""

import argparse
import asyncio
import ctypes
import signal
import struct


async def socks5(reader, writer, password):
    methods = await reader.readexactly((await reader.readexactly(1))[0])
    wanted = 2 if password else 0
    writer.write(bytes([5, wanted if wanted in methods else 0xFF]))
    if wanted not in methods:
        return None
    if password:
        for skipped in (1, None, None):
            await reader.readexactly(skipped or (await reader.readexactly(1))[0])
        writer.write(b"\x01\x00")
    _, command, _, kind = await reader.readexactly(4)
    await reader.readexactly({1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0])
    port = struct.unpack("!H", await reader.readexactly(2))[0]
    return (port, b"\x05\x00\x00\x01" + bytes(6)) if command == 1 else None


async def socks4(reader, _writer, _password):
    command, port, address = struct.unpack("!BH4s", await reader.readexactly(7))
    await reader.readuntil(b"\0")
    if address[:3] == b"\0\0\0":
        await reader.readuntil(b"\0")
    return (port, b"\0\x5a" + bytes(6)) if command == 1 else None


async def connect(reader, writer, password, head=b""):
    while True:
        head += await reader.readuntil(b"\r\n\r\n")
        if not password or b"proxy-authorization:" in head.lower():
            break
        head = b""
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"bed\"\r\n"
                     b"Content-Length: 0\r\n\r\n")
    target = head.split()[1]
    return int(target.rsplit(b":", 1)[1]), b"HTTP/1.1 200 Connection established\r\n\r\n"


async def pump(reader, writer):
    try:
        while True:
            data = await reader.read(65536)
            if not data:
                break
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


async def serve(reader, writer, password):
    try:
        first = await reader.readexactly(1)
        known = {b"\x05": socks5, b"\x04": socks4}.get(first)
        asked = await (known(reader, writer, password) if known else connect(reader, writer, password, first))
        if asked:
            port, answer = asked
            inner = await asyncio.open_connection(writer.get_extra_info("sockname")[0], port)
            writer.write(answer)
            await asyncio.gather(pump(reader, inner[1]), pump(inner[0], writer))
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        pass
    writer.close()


async def run(options):
    for port, password in ((options.port, False), (options.password, True)):
        for host in ("0.0.0.0", "::"):
            await asyncio.start_server(lambda r, w, p=password: serve(r, w, p), host, port)
    print("ready", flush=True)
    await asyncio.Event().wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--password", type=int, required=True, help="the port that wants a sign-on")
    options = parser.parse_args()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: never outlive the bed
    asyncio.run(run(options))


if __name__ == "__main__":
    main()
