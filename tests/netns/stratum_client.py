#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A TCP client that speaks first: sends the given bytes whole, byte by byte or in cuts, and says as one
JSON object how it ended. It knows Stratum only as the lines of wire.py; it can send any bytes (--hex).

{"connected", "error", "connect_ms", "sent", "received", "ended": "reset|closed|refused|timeout|unreachable", "ms"}
`ms` is the time from the last write that the kernel took to the end."""

import argparse
import errno
import json
import os
import select
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wire


def pieces(data, mode, cuts):
    if mode == "bytes":
        return [data[i:i + 1] for i in range(len(data))]
    borders = [0, *cuts, len(data)]
    return [data[a:b] for a, b in zip(borders, borders[1:]) if b > a]


def talk(sock, parts, delay, wait, linger):
    """Sends the parts and reads until something ends it. `linger`: once all is sent and something was heard, seconds without either
    before closing: on a busy machine a reset may follow late on the last part."""
    sent, received, last = 0, b"", time.monotonic()
    ended = None
    queue = list(parts)
    deadline = time.monotonic() + wait + delay * len(parts)
    heard = None
    try:
        while time.monotonic() < deadline:
            if queue:
                last = time.monotonic()
                sent += sock.send(queue[0])
                queue.pop(0)
            pause = delay if queue else min(0.05, max(0.0, deadline - time.monotonic()))
            readable, _, _ = select.select([sock], [], [], pause)
            if readable:
                data = sock.recv(65536)
                if not data:
                    ended = "closed"
                    break
                received += data
                heard = time.monotonic()
            if not queue and heard and linger is not None and time.monotonic() - max(heard, last) >= linger:
                ended = "done"
                break
    except (ConnectionResetError, BrokenPipeError):
        ended = "reset"
    return sent, received, ended or "timeout", (time.monotonic() - last) * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--dialect", choices=sorted(wire.STRATUM), default="stratum-v1")
    parser.add_argument("--hex", help="send these bytes instead")
    parser.add_argument("--mode", choices=("whole", "bytes", "cuts"), default="whole")
    parser.add_argument("--cuts", type=lambda t: [int(n) for n in t.split(",")], default=[])
    parser.add_argument("--delay-ms", type=float, default=1.0, help="between the pieces")
    parser.add_argument("--hold-ms", type=float, default=0.0, help="between connecting and sending")
    parser.add_argument("--wait", type=float, default=3.0, help="seconds to wait for an end")
    parser.add_argument("--linger", type=float, help="after an answer, stay this many seconds and leave")
    parser.add_argument("--source", help="local address")
    parser.add_argument("--mark", type=lambda t: int(t, 0), help="of the socket's packets, as a VPN sets it")
    options = parser.parse_args()

    data = bytes.fromhex(options.hex) if options.hex is not None else wire.STRATUM[options.dialect]
    family = socket.AF_INET6 if ":" in options.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.settimeout(options.wait)
    if options.mark is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, options.mark)
    if options.source:
        sock.bind((options.source, 0))
    result = {"connected": False, "error": None, "connect_ms": None, "sent": 0, "received": "", "ended": None, "ms": None}
    begin = time.monotonic()
    try:
        sock.connect((options.address, options.port))
        result["connected"] = True
    except socket.timeout:
        result["ended"] = "timeout"
    except OSError as error:
        result["ended"] = {errno.ECONNREFUSED: "refused", errno.ECONNRESET: "reset"}.get(error.errno, "unreachable")
        result["error"] = str(error)
    result["connect_ms"] = (time.monotonic() - begin) * 1000
    if result["connected"]:
        result["source"] = list(sock.getsockname()[:2])
        time.sleep(options.hold_ms / 1000)
        parts = pieces(data, options.mode, options.cuts)
        sent, received, ended, ms = talk(sock, parts, options.delay_ms / 1000, options.wait, options.linger)
        if ended == "timeout":
            # Else this kernel goes on retransmitting for minutes, into whatever is tested next.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        result.update(sent=sent, received=received.decode("latin-1"), ended=ended, ms=ms)
    sock.close()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
