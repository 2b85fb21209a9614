#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Gateways that learn from each other, for real: three of them in network namespaces with real devices behind them, a real mosquitto
with TLS and an ACL, and fake gateways that sign by another library than minewall's. Prints a line for each case, and the figures.

    fleet.py [--quick] [--only TEXT]... [--figures FILE] [build/minewall]"""

import argparse
import collections
import json
import os
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases
import fleetbed as beds
import mqtt
from fleetbed import Failed, need, until

FAKES = ("fake1", "fake2", "fake3")


class Fleet:
    """What a case works with."""

    def __init__(self, site, binary, quick, endpoints, skew):
        self.site, self.binary, self.quick, self.endpoints, self.skew = site, binary, quick, endpoints, skew
        self.gateways, self.signers = site.gateways, site.signers
        self.clients = {}
        self.heard = collections.deque(maxlen=200000)
        self.latest = {}
        self.statuses = {}
        self.lock = threading.Condition()
        self.notes, self.figures = [], []
        self.count = 0
        self.ended = False

    def start(self):
        self.broker = self.site.broker(acl=cases.BRIDGE_ACL, bridges=8884)
        self.broker.forget = self.forget
        self.broker.start()
        self.reconnect()
        for gateway in self.gateways:
            gateway.start(self.binary)
        threading.Thread(target=self.listen, daemon=True).start()
        for gateway in self.gateways:
            need(until(lambda gateway=gateway: self.online(gateway)), f"{gateway.name} does not say that it is there: {gateway.daemon.said()[-300:]}")

    def forget(self):
        path = os.path.join(self.broker.folder, "mosquitto.db")
        if os.path.exists(path):
            os.unlink(path)

    def reconnect(self):
        """All our own connections anew: the broker was another one before."""
        for client in self.clients.values():
            client.close(False)
        self.clients = {}
        self.evil = self.site.connect("evil")
        with self.lock:
            self.independent = self.site.subscriber()

    def listen(self):
        while not self.ended:
            with self.lock:
                client = self.independent
            try:
                client.poll(0.1)
            except mqtt.Refused:
                time.sleep(0.05)
                continue
            with self.lock:
                while client.messages:
                    message = client.messages.popleft()
                    self.heard.append(message)
                    if message.topic.endswith("/status"):
                        self.statuses[message.topic.split("/")[2]] = message
                    elif message.payload:
                        self.latest[message.topic] = message
                self.lock.notify_all()

    def online(self, gateway):
        """What it said last of itself; None: nothing."""
        message = self.statuses.get(gateway.name)
        return json.loads(message.payload)["online"] if message and message.payload else None

    def said(self, topic, seconds=10):
        """The message of that topic, as the independent subscriber got it; None: none came."""
        end = time.monotonic() + seconds * beds.beds.SLOW
        with self.lock:
            while topic not in self.latest and time.monotonic() < end:
                self.lock.wait(0.1)
            return self.latest.get(topic)

    def fake(self, name):
        if name not in self.clients or self.clients[name].ended:
            self.clients[name] = self.site.connect(name)
        return self.clients[name]

    def say(self, name, address, port, **how):
        client = self.fake(name)
        client.publish(*mqtt.statement(self.signers[name], address, port, **how))
        need(client.settle(), f"the broker does not take {name}'s word")

    def pass_by(self, gateway, believed=True):
        """Until all that was said before has been judged there: what is said now is behind it."""
        if not believed:
            time.sleep(2)
            return
        address = self.site.fresh()
        for name in ("fake1", "fake2"):
            self.say(name, address, 9)
        need(until(lambda: gateway.has(address, 9), 20), "it does not listen any more")

    def number(self):
        self.count += 1
        return self.count

    def note(self, text):
        self.notes.append(text)

    def figure(self, what, value):
        self.figures.append((what, value))


def run(fleet, name, function):
    fleet.notes = []
    begin = time.monotonic()
    try:
        function(fleet)
        result = "ok"
    except (Failed, beds.beds.BedError, mqtt.Refused, RuntimeError) as why:
        result = f"FAIL: {why}"
    text = "; ".join(fleet.notes)
    print(f"{'ok' if result == 'ok' else 'FAIL'} fleet/{name} ({time.monotonic() - begin:.1f} s){': ' + text if text else ''}"
          f"{'' if result == 'ok' else ' -- ' + result[6:]}", flush=True)
    return result == "ok"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="those of `make check`")
    parser.add_argument("--only", action="append", help="cases whose name holds this")
    parser.add_argument("--endpoints", type=int, help="for the latency")
    parser.add_argument("--figures", help="writes them there, too, as a table")
    parser.add_argument("binary", nargs="?", default=os.path.join(beds.beds.ROOT, "build", "minewall"))
    options = parser.parse_args()
    why = beds.usable()
    if why:
        print(f"skipped: {why}")
        return 0
    binary = os.path.abspath(options.binary)
    skew = next((p for p in (os.path.join(f, "tests/faults/skew.so") for f in (os.path.dirname(binary), os.path.join(beds.beds.ROOT, "build")))
                 if os.path.exists(p)), None)
    counts, failed = {True: 0, False: 0}, 0
    with beds.Site(3, FAKES, skew) as site:
        fleet = Fleet(site, binary, options.quick, options.endpoints or (8 if options.quick else 100), skew)
        try:
            fleet.start()
            for name, function, quick in cases.CASES:
                if (options.quick and not quick) or (options.only and not any(text in name for text in options.only)):
                    continue
                counts[run(fleet, name, function)] += 1
        except (Failed, beds.beds.BedError, RuntimeError) as error:
            print(f"FAIL fleet: {error}")
            failed = 1
        fleet.ended = True
    if fleet.figures:
        table = "| what | measured |\n|---|---|\n" + "".join(f"| {what} | {value} |\n" for what, value in fleet.figures)
        print(table, end="")
        if options.figures:
            with open(options.figures, "w", encoding="utf-8") as f:
                f.write(table)
    failed += counts[False]
    print(f"fleet: {counts[True]} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
