#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Stratum client that is told where to log in, one after the other: a line "ADDRESS PORT DIALECT WAIT" each, and a line back "ENDED
RECEIVED NANOSECONDS": reset, refused, timeout or closed, how many bytes the pool answered, and when the login left (the monotonic
clock). Another process for each would cost more than what is measured. It knows Stratum only as the lines of wire.py."""

import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "netns"))
import wire


def attempt(address, port, dialect, wait):
    received, sent = 0, 0
    try:
        with socket.create_connection((address, port), wait) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sent = time.monotonic_ns()
            s.sendall(wire.STRATUM[dialect])
            while True:
                data = s.recv(4096)
                received += len(data)
                if not data or received:
                    return "closed", received, sent
    except ConnectionRefusedError:
        return "refused", received, sent
    except (ConnectionResetError, BrokenPipeError):
        return "reset", received, sent
    except TimeoutError:
        return "timeout", received, sent
    except OSError:
        return "unreachable", received, sent


def main():
    for line in sys.stdin:
        address, port, dialect, wait = line.split()
        print(*attempt(address, int(port), dialect, float(wait)), flush=True)


if __name__ == "__main__":
    main()
