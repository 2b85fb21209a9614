#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tricks that need no hand-made packets: a list of scripts for the kernel's own sockets, played all at once. It decides nothing;
what reached the server is the server's to say.

Script: {"dst", "dport", "steps": [STEP, ...], "wait_ms": N, "kind": "tcp|mptcp|udp", "sport": N}
STEP: {"hex": bytes, "ttl": N} | {"sleep_ms": N} | {"await": bytes received, at most 2 s} | {"shut": true}
    | {"ask": [address, port], "hex": datagram}: ends the script unless an answer comes within a second | {"run": [command]}
Answer: {"ended": "reset|closed|refused|timeout|unanswered|done", "sent", "received"}"""

import json
import select
import socket
import subprocess
import sys
import threading
import time

KINDS = {"tcp": (socket.SOCK_STREAM, 0), "mptcp": (socket.SOCK_STREAM, 262), "udp": (socket.SOCK_DGRAM, 0)}


class Ended(Exception):
    pass


class Talk:
    def __init__(self, script):
        self.script = script
        self.family = socket.AF_INET6 if ":" in script["dst"] else socket.AF_INET
        self.sock = None
        self.sent, self.received = 0, b""

    def open(self):
        kind, proto = KINDS[self.script.get("kind", "tcp")]
        self.sock = socket.socket(self.family, kind, proto)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if kind == socket.SOCK_STREAM:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if "sport" in self.script:
            self.sock.bind(("", self.script["sport"]))
        self.sock.settimeout(2)
        self.sock.connect((self.script["dst"], self.script["dport"]))

    def ask(self, where, question):
        with socket.socket(self.family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            sock.connect(tuple(where))
            sock.send(question)
            try:
                sock.recv(4096)
            except OSError as error:
                raise Ended("unanswered") from error

    def listen(self, seconds, wanted=None):
        deadline = time.monotonic() + seconds
        while wanted is None or len(self.received) < wanted:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                return
            data = self.sock.recv(65536)
            if not data and self.sock.type == socket.SOCK_STREAM:
                raise Ended("closed")
            self.received += data

    def step(self, step):
        if "ask" in step:
            return self.ask(step["ask"], bytes.fromhex(step["hex"]))
        if "run" in step:
            return subprocess.run(step["run"], check=True, stdout=subprocess.DEVNULL)
        if not self.sock:
            self.open()
        if "sleep_ms" in step:
            return self.listen(step["sleep_ms"] / 1000)
        if "await" in step:
            return self.listen(2, step["await"])
        if "shut" in step:
            return self.sock.shutdown(socket.SHUT_WR)
        if "ttl" in step:
            level, name = ((socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if self.family == socket.AF_INET6
                           else (socket.IPPROTO_IP, socket.IP_TTL))
            self.sock.setsockopt(level, name, step["ttl"])
        data = bytes.fromhex(step["hex"])
        self.sock.settimeout(5)
        self.sock.sendall(data)
        self.sent += len(data)

    def play(self):
        ended = "done"
        try:
            for step in self.script["steps"]:
                self.step(step)
            self.listen(self.script.get("wait_ms", 500) / 1000)
        except Ended as why:
            ended = str(why)
        except ConnectionRefusedError:
            ended = "refused"
        except (ConnectionResetError, BrokenPipeError):
            ended = "reset"
        except (OSError, subprocess.SubprocessError):
            ended = "timeout"
        if self.sock:
            self.sock.close()
        return {"ended": ended, "sent": self.sent, "received": self.received.hex()}


def main():
    scripts = json.load(sys.stdin)
    answers = [None] * len(scripts)

    def one(n):
        answers[n] = Talk(scripts[n]).play()

    threads = [threading.Thread(target=one, args=(n,)) for n in range(len(scripts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
