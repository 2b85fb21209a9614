#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Mixed traffic of a household, with ever new names, addresses and ports: TLS, HTTP, DNS, QUIC, and every tenth of each kind for a
listed name. Counts how each ended; a listed one that is answered has passed. Ends after SECONDS with one JSON object.

usage: mix.py SECONDS GATEWAY QUIC-PAYLOAD-FILE..."""

import json
import os
import random
import socket
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "netns"))
import resolver
import wire

LISTED = "pool.listed.example"
PATIENCE_S = 10.0


def name(listed):
    return f"n{random.randrange(1 << 30):x}." + (LISTED if listed else "unlisted.example")


def address(listed):
    """IPv4 or IPv6, of some thousands. Listed names have addresses of their own, as a pair that is refused is refused for all names."""
    n = random.randrange(4096) + 4096 * listed
    return f"100.65.{128 + n // 256}.{n % 256}" if n & 1 else f"2001:db8:65::e:{n:x}"


def connect(to, port):
    return socket.create_connection((to, port), timeout=PATIENCE_S)


def tls(listed):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with connect(address(listed), random.choice((443, 8443))) as raw, context.wrap_socket(raw, server_hostname=name(listed)) as sock:
        sock.sendall(wire.http_get("x"))
        return bool(sock.recv(100))


def http(listed):
    with connect(address(listed), random.choice((80, 8080, 8088))) as sock:
        sock.sendall(wire.http_get(name(listed)))
        return bool(sock.recv(100))


def dns(gateway):
    def ask(listed):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.3 if listed else 1.0)
            for _ in range(1 if listed else 5):
                sock.sendto(resolver.query(name(listed), ident=random.randrange(1 << 16)), (gateway, 53))
                try:
                    return bool(sock.recv(2000))
                except TimeoutError:
                    pass
        raise TimeoutError
    return ask


def quic(payloads):
    def ask(listed):
        to = address(listed)
        with socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.3 if listed else 1.0)
            for _ in range(1 if listed else 5):
                sock.sendto(payloads[1 if listed else 0], (to, 4433))
                try:
                    return bool(sock.recv(2000))
                except TimeoutError:
                    pass
        raise TimeoutError
    return ask


def work(kind, one, pause, end, counts, lock):
    n = 0
    while time.monotonic() < end:
        n += 1
        listed = n % 10 == 0
        try:
            what = "ok" if one(listed) else "closed"
        except TimeoutError:
            what = "silence"
        except OSError:
            what = "ended"
        with lock:
            key = f"{kind} {'listed' if listed else 'allowed'} {what}"
            counts[key] = counts.get(key, 0) + 1
        time.sleep(pause)


def main():
    end = time.monotonic() + float(sys.argv[1])
    payloads = [open(path, "rb").read() for path in sys.argv[3:5]]
    counts, lock = {}, threading.Lock()
    kinds = [("tls", tls, 0.15), ("http", http, 0.1), ("dns", dns(sys.argv[2]), 0.1)]
    kinds += [("quic", quic(payloads), 0.1)] if len(payloads) == 2 else []
    threads = [threading.Thread(target=work, args=(*kind, end, counts, lock)) for kind in kinds for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    main()
