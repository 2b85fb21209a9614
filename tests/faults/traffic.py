#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Steady traffic of a client: short and long connections that nobody must notice, and a miner that tries all the time, at pools
that nobody knows and at one that the kernel has learnt. Counts what became of each; judges nothing. Ends at SIGTERM.

usage: traffic.py HTTP-PORT POOL-PORT KNOWN4 KNOWN6 FIRST-FRESH
Prints `going`, and at its end one JSON object: {"short": [[begin, end, what], ...], "long": [...], "fresh": [...], "known": [...]},
on the monotonic clock that all processes share. what: ok, reset, refused, stalled (no end within 15 s), or passed: a pool answered."""

import asyncio
import ipaddress
import json
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "netns"))
import wire

PATIENCE_S = 15.0
MINER_PATIENCE_S = 1.0
PAUSE_S = 0.04
LONG_EVERY_S = 0.1
RANGES = (ipaddress.ip_network("100.65.0.0/16"), ipaddress.ip_network("2001:db8:65::/64"))
ALLOWED = ("100.65.0.80", "2001:db8:65::80")
REQUEST = wire.http_get("www.unlisted.example")
LOGIN = wire.STRATUM["stratum-v1"]


class Stream:
    """A TCP connection whose end is told apart: reset, refused, closed or silence."""

    async def open(self, address, port):
        self.sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(self.sock, (address, port))

    async def ask(self, data, until):
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.sock, data)
        got = b""
        while until not in got:
            more = await loop.sock_recv(self.sock, 4096)
            if not more:
                return False
            got += more
        return True


async def attempt(work, patience, good):
    """What became of it."""
    try:
        return good if await asyncio.wait_for(work, patience) else "closed"
    except ConnectionRefusedError:
        return "refused"
    except ConnectionError:
        return "reset"
    except (TimeoutError, asyncio.TimeoutError, OSError):
        return "stalled"


class Traffic:
    def __init__(self, http, pool, known, fresh):
        self.http, self.pool, self.known, self.fresh = http, pool, known, fresh
        self.over = asyncio.Event()
        self.results = {"short": [], "long": [], "fresh": [], "known": []}

    async def once(self, kind, address, port, data, until, patience, good):
        stream, begin = Stream(), time.monotonic()

        async def work():
            await stream.open(address, port)
            return await stream.ask(data, until)

        what = await attempt(work(), patience, good)
        self.results[kind].append([begin, time.monotonic(), what])
        stream.sock.close()

    async def short(self, address):
        while not self.over.is_set():
            await self.once("short", address, self.http, REQUEST, b"hello", PATIENCE_S, "ok")
            await asyncio.sleep(PAUSE_S)

    async def long(self, address):
        """One connection for as long as it holds; each of its questions counts."""
        while not self.over.is_set():
            stream = Stream()
            what = await attempt(self.opened(stream, address), PATIENCE_S, "ok")
            while what == "ok" and not self.over.is_set():
                begin = time.monotonic()
                what = await attempt(stream.ask(REQUEST, b"hello"), PATIENCE_S, "ok")
                self.results["long"].append([begin, time.monotonic(), what])
                await asyncio.sleep(LONG_EVERY_S)
            stream.sock.close()

    async def opened(self, stream, address):
        await stream.open(address, self.http)
        return True

    async def miner(self, family):
        """Each pool is a new one, so that nothing but a look at the bytes can stop it."""
        while not self.over.is_set():
            self.fresh += 1
            await self.once("fresh", str(RANGES[family][self.fresh]), self.pool, LOGIN, b"\n", MINER_PATIENCE_S, "passed")
            await asyncio.sleep(PAUSE_S)

    async def stubborn(self, address):
        while not self.over.is_set():
            await self.once("known", address, self.pool, LOGIN, b"\n", MINER_PATIENCE_S, "passed")
            await asyncio.sleep(PAUSE_S)

    async def run(self):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.over.set)
        tasks = [asyncio.create_task(self.short(ALLOWED[n % 2])) for n in range(6)]
        tasks += [asyncio.create_task(self.long(address)) for address in ALLOWED]
        tasks += [asyncio.create_task(self.miner(family)) for family in (0, 1)]
        tasks += [asyncio.create_task(self.stubborn(address)) for address in self.known]
        print("going", flush=True)
        await asyncio.gather(*tasks)
        print(json.dumps(self.results), flush=True)


def main():
    http, pool, known4, known6, fresh = sys.argv[1:6]
    asyncio.run(Traffic(int(http), int(pool), (known4, known6), int(fresh)).run())


if __name__ == "__main__":
    main()
