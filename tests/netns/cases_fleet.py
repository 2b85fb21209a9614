# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of gateways that learn from each other: one minewall, a real broker with TLS, and other gateways that are only their signed words."""

import ctypes
import ipaddress
import json
import os
import signal
import sys
import time

import bed as beds
import wire
from bed import CLIENT, GATEWAY_IN, SERVER
from cases_restart import reload, taught
from run import LISTED, Skipped, need, own, policy, until

sys.path.insert(0, os.path.join(beds.HERE, "..", "fleet"))
import broker as brokers  # noqa: E402
import mqtt  # noqa: E402

POOLS = {4: "198.51.100.0/24", 6: "2001:db8:66::/64"}
PORT = 3333
FLEET = """fleet:
  broker: mqtts://{address}:8883
  ca: {ca}
  certificate: {certificate}
  key: {key}
  site: bed
  gateway: gw
  keys: gateways.txt
  {more}
"""


class Site:
    """The broker in the server's namespace, the other gateways' keys, and a daemon of the policy."""

    def __init__(self, t, peers=("p1", "p2", "p3"), more="", mode="enforce", start=True):
        if not brokers.Broker.usable() or not mqtt.Signer.SODIUM:
            raise Skipped("needs mosquitto and libsodium")
        self.t = t
        self.peers = {name: mqtt.Signer(name) for name in peers}
        t.number += 1
        folder = os.path.join(t.bed.tmp, f"fleet{t.number}")
        self.authority = brokers.Authority(os.path.join(folder, "ca"))
        self.broker = brokers.Broker(os.path.join(folder, "broker"), self.authority, SERVER[4], run=t.bed.server.argv())
        if start:
            self.broker.start()
        for family, network in POOLS.items():
            t.bed.server.run("ip", f"-{family}", "route", "replace", "local", network, "dev", "lo")
            t.bed.gateway.run("ip", f"-{family}", "route", "replace", network, "via", SERVER[family])
        self.fleet = FLEET.format(address=SERVER[4], ca=self.authority.path("ca.pem"), certificate=self.authority.certificate("gw"),
                                  key=self.authority.path("all.key"), more=more)
        self.mode = mode
        self.daemon = t.daemon = t.make(self.policy(), files=[("gateways.txt", self.keys())])
        made = self.daemon.verb("fleet", "keys", "--new")
        need(made.returncode == 0 and made.stdout.startswith("gw "), f"fleet keys --new: {made.stdout}{made.stderr}")
        self.line = made.stdout

    def policy(self, more="", mode=None):
        return policy(mode=mode or self.mode, more="state: learnt\n" + self.fleet + more)

    def keys(self, revoked=(), gone=()):
        return "".join(s.line(" revoked" if n in revoked else "") for n, s in self.peers.items() if n not in gone)

    def start(self):
        self.daemon.start()
        need(until(lambda: self.status().get("synced"), 5), f"it does not come to the broker: {self.status()} {self.daemon.said()[-300:]}")
        return self

    def status(self):
        done = self.daemon.verb("fleet", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def log(self):
        return json.loads(self.daemon.verb("fleet", "--json", "log").stdout)

    def connect(self, name):
        """A gateway that is only a connection, from within the broker's namespace."""
        return inside(self.t.bed.server, lambda: mqtt.Client(SERVER[4], 8883, f"minewall-{name}", self.authority.context(name)))

    def say(self, name, address, port=PORT, client=None, **more):
        """One signed word of a gateway, and the broker's answer to it."""
        c = client or self.connect(name)
        where, payload, expiry = mqtt.statement(self.peers[name], address, port, **more)
        c.publish(where, payload, expiry)
        need(c.settle(), "the broker does not answer")
        if not client:
            c.close()
        return where, payload

    def refused(self, reason):
        return self.status().get("refused", {}).get(reason, 0)


def inside(namespace, work):
    """Does it in another network namespace: what is opened there stays there."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{namespace.name}") as there:
        need(libc.setns(there.fileno(), 0) == 0, "no way into the namespace")
        try:
            return work()
        finally:
            libc.setns(home.fileno(), 0)


def endpoints(t, address):
    return [e for e in taught(t, address) if e["set"].startswith("endpoints")]


def fresh(t, family, n=[0]):
    n[0] += 1
    return str(ipaddress.ip_network(POOLS[family])[n[0]])


@own("fleet/two-of-them")
def two(t):
    """One hint does nothing, the second blocks in the kernel, and a revoked key lets go at once."""
    site = Site(t).start()
    for family in (4, 6):
        address = fresh(t, family)
        site.say("p1", address)
        need(until(lambda: site.status().get("hints") == (1 if family == 4 else 3), 3), f"the first hint did not come: {site.status()}")
        need(not taught(t, address), "one hint taught the kernel")
        site.say("p2", address)
        found = until(lambda: endpoints(t, address), 3)
        need(len(found) == 1 and found[0]["proto"] == "tcp" and found[0]["port"] == PORT and 3500 < found[0]["expires"] <= 3600, f"taught {found}")
        got = t.bed.send(address, PORT, "stratum-v1", wait=1)
        need(got["ended"] in ("reset", "refused"), f"a client was {got['ended']}")
        need(not t.log.packets(address, PORT, payload=False), "a packet came to the server")
        row = next(r for r in site.daemon.json("blocked") if r["address"] == address)
        need(row["why"]["mining"]["evidence"] == "protocol" and sorted(row["why"]["mining"]["fleet"]) == ["p1", "p2"], f"blocked says {row}")
        event = until(lambda: site.daemon.events(address), 12)
        need(event and sorted(event[0]["mining"]["fleet"]) == ["p1", "p2"], f"the event of the try: {event}")
    site.daemon.write("gateways.txt", site.keys(revoked=["p2"]))
    reload(t, site.policy())
    need(until(lambda: not [a for a in t.kernel.elements("endpoints4", "endpoints6") if a["port"] == PORT], 2), "a revoked key blocks")
