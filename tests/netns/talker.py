#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Both ends of connections that stay open and talk all the time, so that a firewall that ends one is noticed at once.
Each prints a line when it is there and one JSON object when a connection ends; a client that is told to stop (SIGTERM), too.

usage: talker.py server PORT | talker.py client ADDRESS PORT FIRST-BYTES-AS-HEX SOURCE"""

import json
import signal
import socket
import sys
import threading
import time

EVERY_S = 0.1
LIFE_S = 60


def talk(sock, data):
    """Sends and reads until the other side or somebody between ends it."""
    got, ended, deadline = 0, "timeout", time.monotonic() + LIFE_S
    heard, silence = time.monotonic(), 0.0
    sock.settimeout(EVERY_S)
    try:
        sock.sendall(data)
        while time.monotonic() < deadline:
            try:
                more = sock.recv(4096)
                if not more:
                    ended = "closed"
                    break
                got += len(more)
                silence, heard = max(silence, time.monotonic() - heard), time.monotonic()
            except TimeoutError:
                pass
            sock.sendall(b"x")
            time.sleep(EVERY_S / 2)
    except ConnectionError:
        ended = "reset"
    except InterruptedError:
        ended = "stopped"
    return {"ended": ended, "received": got, "silence_ms": round(1000 * max(silence, time.monotonic() - heard))}


def stop(_signal, _frame):
    raise InterruptedError


def serve(port):
    def one(sock):
        print(json.dumps({"at": sock.getsockname()[0].removeprefix("::ffff:"), **talk(sock, b"hello\n")}), flush=True)

    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        print("ready", flush=True)
        while True:
            threading.Thread(target=one, args=(server.accept()[0],), daemon=True).start()


def main():
    if sys.argv[1] == "server":
        serve(int(sys.argv[2]))
    address, port, data, source = sys.argv[2:6]
    sock = socket.create_connection((address, int(port)), timeout=5, source_address=(source, 0))
    sock.sendall(bytes.fromhex(data))
    signal.signal(signal.SIGTERM, stop)
    print("open" if sock.recv(6) else "shut", flush=True)
    print(json.dumps(talk(sock, b"x")), flush=True)


if __name__ == "__main__":
    main()
