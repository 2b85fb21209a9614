# SPDX-License-Identifier: GPL-2.0-or-later
"""A web server that publishes lists, and misbehaves as the file NAME.mode beside each says. It speaks HTTP by hand, since a
library would keep it from lying. Every request is a JSON line in requests.jsonl.

usage: webserver.py FOLDER PORT[:CERT:KEY]..."""

import gzip
import hashlib
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
import zlib

BOMB_MIB = 400
DATE = "Mon, 02 Nov 2026 10:00:00 GMT"


class Request:
    def __init__(self, folder, sock, tls, head):
        lines = head.decode("latin-1").split("\r\n")
        self.folder = folder
        self.sock = sock
        self.host = sock.getsockname()[0]
        self.tls = tls
        self.path = lines[0].split(" ")[1]
        self.name = os.path.basename(self.path)
        self.headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}

    def file(self, name):
        try:
            with open(os.path.join(self.folder, name), "rb") as f:
                return f.read()
        except OSError:
            return None

    def send(self, *parts):
        self.sock.sendall(b"".join(p if isinstance(p, bytes) else p.encode() for p in parts))

    def answer(self, body, *headers, status="200 OK", length=None):
        length = len(body) if length is None else length
        self.send("\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {length}", "Connection: close", *headers, "", ""]), body)


def ok(r, body, *validators):
    r.answer(body, "Content-Type: text/plain", *validators)


def etag(r, body):
    tag = '"' + hashlib.sha1(body).hexdigest() + '"'
    if r.headers.get("if-none-match") == tag:
        r.answer(b"", f"ETag: {tag}", status="304 Not Modified")
    else:
        ok(r, body, f"ETag: {tag}")


def modified(r, body):
    if r.headers.get("if-modified-since") == DATE:
        r.send("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n")
    else:
        ok(r, body, f"Last-Modified: {DATE}")


def redirect(to):
    return lambda r, body: r.answer(b"moved", "Location: " + to.format(host=r.host, path=r.path, name=r.name), status="302 Found")


def away_and_back(r, body):
    """http, then https, then http again: the last step must not be taken."""
    if r.tls:
        redirect("http://{host}:18000{path}")(r, body)
    else:
        redirect("https://{host}:18443{path}")(r, body)


def endless(r, body):
    r.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    block = b"".join(b"0.0.0.0 a%d.endless.example\n" % i for i in range(40000))
    while True:
        r.send(block)


def drip(r, body):
    r.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n")
    for i in range(len(body)):
        r.send(body[i:i + 1])
        time.sleep(0.1)


def bomb(r, body):
    packer, block = zlib.compressobj(1, zlib.DEFLATED, 31), b"0.0.0.0 bomb.example\n" * 49932
    r.answer(b"".join(packer.compress(block) for _ in range(BOMB_MIB)) + packer.flush(), "Content-Encoding: gzip")


def squeezed(r, body):
    r.answer(gzip.compress(body) if "gzip" in r.headers.get("accept-encoding", "") else body, "Content-Encoding: gzip")


def broken_gzip(r, body):
    blob = gzip.compress(body)
    r.answer(blob[:len(blob) // 2], "Content-Encoding: gzip")


def reset(r, body):
    r.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n", body[:len(body) // 2])
    time.sleep(0.1)
    r.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang(r, body):
    time.sleep(60)


MODES = {
    "ok": ok,
    "etag": etag,
    "modified": modified,
    "404": lambda r, body: r.answer(b"not here\n", status="404 Not Found"),
    "500": lambda r, body: r.answer(body, status="500 Oops"),
    "304-unasked": lambda r, body: r.answer(b"", status="304 Not Modified"),
    "206": lambda r, body: r.answer(body[:9], status="206 Partial Content"),
    "loop": redirect("{path}"),
    "nowhere": lambda r, body: r.answer(b"", status="302 Found"),
    "to-http": redirect("http://{host}:18000{path}"),
    "to-file": redirect("file:///etc/hostname"),
    "once": lambda r, body: ok(r, body) if r.path.startswith("/moved/") else redirect("/moved/{name}")(r, body),
    "up": lambda r, body: ok(r, body) if r.tls else redirect("https://{host}:18443{path}")(r, body),
    "away-and-back": away_and_back,
    "endless": endless,
    "drip": drip,
    "hang": hang,
    "too-short": lambda r, body: r.answer(body, length=len(body) + 900),
    "too-long": lambda r, body: r.answer(body, length=9),
    "bomb": bomb,
    "gzip": squeezed,
    "broken-gzip": broken_gzip,
    "reset": reset,
    "no-http": lambda r, body: r.send(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "nothing": lambda r, body: None,
    "big-header": lambda r, body: r.send("HTTP/1.1 200 OK\r\nX: ", b"y" * (1 << 20), "\r\n\r\n", body),
    "odd-etag": lambda r, body: ok(r, body, "ETag: \"\x1b[31m\x01\"", "ETag: " + "e" * 5000),
}


def serve(folder, sock, tls):
    try:
        if tls:
            sock = tls.wrap_socket(sock, server_side=True)
        head = b""
        while b"\r\n\r\n" not in head:
            got = sock.recv(4096)
            if not got:
                return
            head += got
        r = Request(folder, sock, tls, head.split(b"\r\n\r\n")[0])
        with open(os.path.join(folder, "requests.jsonl"), "a", encoding="utf-8") as f:
            f.write(json.dumps({"path": r.path, "tls": bool(tls), "headers": r.headers, "peer": sock.getpeername()[1]}) + "\n")
        mode = (r.file(r.name + ".mode") or b"ok").decode().strip()
        body = r.file(r.name)
        if body is None and mode == "ok":
            mode = "404"
        MODES[mode](r, body or b"")
    except (OSError, ValueError, IndexError):
        pass
    finally:
        sock.close()


def listen(folder, word):
    port, _, rest = word.partition(":")
    tls = None
    if rest:
        cert, key = rest.split(":")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(cert, key)
    listener = socket.create_server(("", int(port)), backlog=16)

    def accept():
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=serve, args=(folder, sock, tls), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def main():
    for word in sys.argv[2:]:
        listen(sys.argv[1], word)
    print("ready", flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
