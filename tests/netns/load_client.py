#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""N clients that each open an HTTP connection, read the page and begin again, for a bounded time. Prints as one
JSON object when each connection began and ended well, on the monotonic clock that all processes share.

{"good": [[begin, end], ...], "bad": [[begin, end, why], ...]}"""

import argparse
import json
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wire


def fetch(address, port, request, timeout):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        sock.connect((address, port))
        sock.sendall(request)
        answer = b""
        while b"hello" not in answer:
            data = sock.recv(4096)
            if not data:
                raise OSError("closed early")
            answer += data


def client(options, good, bad):
    request = wire.http_get(options.host)
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        try:
            fetch(options.address, options.port, request, options.timeout)
            good.append([begin, time.monotonic()])
        except OSError as error:
            bad.append([begin, time.monotonic(), str(error)])
        time.sleep(options.pause)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--host", default="www.unlisted.example")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--timeout", type=float, default=1.0)
    parser.add_argument("--pause", type=float, default=0.1)
    options = parser.parse_args()
    good, bad = [], []
    threads = [threading.Thread(target=client, args=(options, good, bad)) for _ in range(options.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"good": sorted(good), "bad": sorted(bad)}))


if __name__ == "__main__":
    main()
