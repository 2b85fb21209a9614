#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Both sides of a talk whose bytes mean nothing: only their numbers are those of a miner and its pool, in real TLS or bare.

usage: lengths.py serve ADDRESS PORT SCRIPT CERTIFICATE KEY | talk ADDRESS PORT SCRIPT tls|-   (SCRIPT: JSON, [[said, heard, pause]...])
The talker prints how many steps it got through."""

import json
import os
import socket
import ssl
import sys
import time


def take(sock, count):
    while count > 0:
        got = sock.recv(count)
        if not got:
            raise ConnectionResetError
        count -= len(got)


def serve(address, port, script, certificate, key):
    six = ":" in address
    listener = socket.create_server(("::" if six else "0.0.0.0", port), family=socket.AF_INET6 if six else socket.AF_INET)
    print("ready", flush=True)
    while True:
        sock, _ = listener.accept()
        try:
            if certificate != "-":
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate, key)
                sock = context.wrap_socket(sock, server_side=True)
            for said, heard, _ in script:
                take(sock, said)
                sock.sendall(os.urandom(heard))
        except OSError:
            pass
        sock.close()


def talk(address, port, script, encrypted):
    sock = socket.create_connection((address, port), 3)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    done = 0
    try:
        if encrypted:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            sock = context.wrap_socket(sock)
        for said, heard, pause in script:
            sock.sendall(os.urandom(said))
            take(sock, heard)
            done += 1
            time.sleep(pause)
    except OSError:
        pass
    print(done, flush=True)


side, host, number, steps, *more = sys.argv[1:]
if side == "serve":
    serve(host, int(number), json.loads(steps), *more)
else:
    talk(host, int(number), json.loads(steps), more[0] == "tls")
