# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of gateways that learn from each other: one minewall, a real broker with TLS, and other gateways that are only their signed words."""

import ctypes
import ipaddress
import json
import os
import re
import shutil
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
        if hasattr(t, "fleet"):     # of the case before
            t.fleet.broker.kill()
        self.t = t
        t.fleet = self
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
        key = os.path.join(folder, "gw.key")        # which only root may read
        shutil.copyfile(self.authority.path("all.key"), key)
        os.chmod(key, 0o600)
        self.fleet = FLEET.format(address=SERVER[4], ca=self.authority.path("ca.pem"), certificate=self.authority.certificate("gw"),
                                  key=key, more=more)
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
        need(until(lambda: self.status().get("synced"), 10), f"it does not come to the broker: {self.status()} {self.daemon.said()[-300:]}")
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
        need(until(lambda: site.status().get("hints") == (1 if family == 4 else 3), 8), f"the first hint did not come: {site.status()}")
        need(not taught(t, address), "one hint taught the kernel")
        site.say("p2", address)
        found = until(lambda: endpoints(t, address), 8)
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
    need(until(lambda: not [a for a in t.kernel.elements("endpoints4", "endpoints6") if a["port"] == PORT], 8), "a revoked key blocks")


def refusals(site, t):
    """Reason -> what says it: each a word that must not count."""
    now = int(time.time())
    p1, stranger = site.peers["p1"], mqtt.Signer("stranger")
    forged = mqtt.Signer("p1")      # of that name, by another key
    return {
        "unknown-gateway": lambda: mqtt.statement(stranger, fresh(t, 4), PORT),
        "signature": lambda: mqtt.statement(forged, fresh(t, 4), PORT),
        "malformed": lambda: mqtt.statement(p1, fresh(t, 4), PORT, more=1),
        "evidence": lambda: mqtt.statement(p1, fresh(t, 4), PORT, evidence="name"),
        "expired": lambda: mqtt.statement(p1, fresh(t, 4), PORT, issued=now - 100, life=40),
        "future": lambda: mqtt.statement(p1, fresh(t, 4), PORT, issued=now + 600),
        "lifetime": lambda: mqtt.statement(p1, fresh(t, 4), PORT, life=86401),
        "reserved": lambda: mqtt.statement(p1, "192.168.1.1", PORT),
    }


@own("fleet/refused")
def refused(t):
    """A word that is forged, replayed, too old, too new, too long, of an address that nobody may share, or one too many, has no effect, and its
    reason is counted and told."""
    site = Site(t, more="rate: 1\n  hints: 100\nmetrics: {listen: 127.0.0.1:9977}").start()
    c = site.connect("p1")
    other = site.connect("stranger")
    for reason, word in refusals(site, t).items():
        where, payload, expiry = word()
        (other if reason == "unknown-gateway" else c).publish(where, payload, expiry)
        need(until(lambda r=reason: site.refused(r) == 1, 8), f"{reason} is not counted: {site.status().get('refused')}")
    # said, withdrawn, and said again by somebody who kept it
    where, payload, expiry = mqtt.statement(site.peers["p1"], fresh(t, 4), PORT)
    c.publish(where, payload, expiry)
    c.withdraw(where)
    c.publish(where, payload, expiry)
    need(until(lambda: site.refused("replayed") == 1, 8), f"a replayed word is not refused: {site.status()}")
    # its bucket holds ten minutes' worth, of which one is gone; a forged word takes nothing
    for _ in range(12):
        where, payload, expiry = mqtt.statement(site.peers["p1"], fresh(t, 4), PORT)
        c.publish(where, payload, expiry)
    need(until(lambda: site.refused("rate") == 3, 8), f"rate: {site.status().get('refused')}")
    log = site.log()
    need({"signature", "replayed", "rate", "future"} <= {e["result"] for e in log}, f"the log says {log}")
    need(site.status()["accepted"] == 10 and not site.status()["confirmed"], f"accepted: {site.status()}")
    need(not t.kernel.elements("endpoints4", "endpoints6"), "something was taught")
    text = site.daemon.verb("fleet").stdout
    need("p1" in text and "replayed 1" in text, f"fleet status: {text}")
    figures = t.bed.gateway.run("curl", "-qsS", "http://127.0.0.1:9977/metrics").stdout.splitlines()
    wanted = {"minewall_fleet_connected 1", "minewall_fleet_confirmed 0", "minewall_fleet_accepted_total 10", "minewall_fleet_hints 9",
              'minewall_fleet_refused_total{reason="rate"} 3', 'minewall_fleet_refused_total{reason="revoked"} 0'}
    need(wanted <= set(figures), f"figures: {[f for f in figures if f.startswith('minewall_fleet')]}")
    need("fleet: connected, 0 gateways there, 9 hints" in site.daemon.verb("status").stdout, "status says nothing of the fleet")


@own("fleet/local-word-wins")
def local_word(t):
    """What this gateway allows is not taught, whoever says so, nor what stands behind a shared address; nor is anything in monitor mode, and status
    says what would be."""
    address, plain, many = fresh(t, 4), fresh(t, 4), fresh(t, 4)
    site = Site(t, mode="monitor").start()
    allowed = site.policy().replace('addresses: ["100.65.251.0/24"', f'addresses: ["{address}", "100.65.251.0/24"', 1) + f'shared: ["{many}/32"]\n'
    reload(t, allowed)
    for name in ("p1", "p2"):
        for where in (address, plain, many):
            site.say(name, where)
    need(until(lambda: site.refused("local-allow") and site.refused("policy") and site.status()["watched"] == 1, 8), f"{site.status()}")
    need("1 endpoints would be blocked" in site.daemon.verb("fleet").stdout, "status does not say what would be blocked")
    need(not taught(t, plain) and not taught(t, address), "monitor mode teaches")
    reload(t, allowed.replace("mode: monitor", "mode: enforce"))
    need(until(lambda: endpoints(t, plain), 8), "enforce teaches nothing")
    need(not taught(t, address), "an allowed address is taught")
    need(not taught(t, many), "an address of `shared` is taught")
    reload(t, allowed.replace("mode: monitor", "mode: enforce").replace(f"{many}/32", "192.0.2.0/24"))
    need(until(lambda: endpoints(t, many), 8), "an address that is shared no more is not taught")
    reload(t, allowed.replace("mode: monitor", "mode: enforce"))
    need(until(lambda: not taught(t, many), 8) and endpoints(t, plain), "an address that is shared now is not let go of")
    need(t.bed.curl(address, 443, "www.unlisted.example")["code"] == 200, "an allowed address is blocked")
    done = site.daemon.verb("allow", plain, "--for", "1h")
    need(done.returncode == 0 and until(lambda: not taught(t, plain), 8), "an allowance does not let go of it")


@own("fleet/own-traffic-confirms")
def confirms(t):
    """One hint is enough where a client of ours asks for a listed name there."""
    site = Site(t).start()
    address = fresh(t, 4)
    site.say("p1", address, port=443)
    need(until(lambda: site.status().get("hints") == 1, 8), "the hint did not come")
    need(not taught(t, address), "one hint taught the kernel")
    need(t.bed.curl(address, 443, LISTED)["code"] != 200, "a listed name is not blocked")
    need(until(lambda: endpoints(t, address), 8), f"the hint is not confirmed: {site.status()}")
    row = next(r for r in site.daemon.json("blocked") if r["address"] == address and not r.get("host"))
    need(row["why"]["mining"].get("fleet") == ["p1", "+own"], f"its reason is {row}")
    need("p1, own traffic" in site.daemon.verb("blocked").stdout, "blocked does not say so")


@own("fleet/teaches")
def teaches(t):
    """What protocol evidence taught here goes out, signed; nothing else does, and nothing of the inside. Let go of here, it is taken back there."""
    site = Site(t).start()
    listener = site.connect("p2")
    listener.subscribe("minewall/bed/#")
    key = mqtt.base64.b64decode(site.line.split()[1])
    addresses = {family: fresh(t, family) for family in (4, 6)}
    for address in addresses.values():
        need(t.bed.send(address, PORT, "cryptonote")["ended"] == "reset", "mining was not reset")
    t.bed.curl(fresh(t, 4), 443, LISTED)                        # a name's evidence stays at home
    t.bed.send(t.fresh(), PORT, "cryptonote")                   # an address of 100.64/10 does
    topics = {mqtt.topic("gw", a, PORT): a for a in addresses.values()}
    found = listener.until(lambda: {m.topic: m for m in listener.messages if m.topic in topics}.keys() == topics.keys() and
                           {m.topic: m for m in listener.messages if m.topic in topics}, 5)
    need(found, f"not published: {[m.topic for m in listener.messages]} {site.status()}")
    for where, m in found.items():
        said = json.loads(m.payload)
        text = f"minewall-fleet-1\nbed\ngw\ntcp\n{topics[where]}\n{PORT}\n{said['evidence']}\n{said['dialect']}\n{said['issued']}\n{said['expires']}\n".encode()
        sig = mqtt.base64.b64decode(said["sig"])
        need(mqtt.Signer.SODIUM.crypto_sign_verify_detached(sig, text, mqtt.ctypes.c_ulonglong(len(text)), key) == 0, "its signature is wrong")
        need(said["dialect"] == "cryptonote" and m.expiry and 3500 < m.expiry <= 3600 and said["expires"] - said["issued"] <= 3600, f"{said} {m}")
    need(until(lambda: site.status()["own"] == {"endpoints": 2, "published": 2, "refused": 0}, 8), f"own: {site.status()['own']}")
    everything = b"\n".join(m.topic.encode() + b" " + m.payload for m in listener.messages)
    inside = [*CLIENT.values(), *GATEWAY_IN.values(), t.bed.client_mac(), LISTED, "100.65.", "198.18.", "agent", "login", "wallet"]
    inside += [e["mining"].get("login_hash") for e in site.daemon.events() if e["mining"].get("login_hash")]
    need(not [word for word in inside if word.encode() in everything], f"of the inside was published: {everything}")
    need(site.daemon.verb("unblock", addresses[4]).returncode == 0, "unblock")
    gone = mqtt.topic("gw", addresses[4], PORT)
    need(listener.until(lambda: any(m.topic == gone and not m.payload for m in listener.messages), 8), "it is not taken back at the broker")
    # a process that begins anew republishes nothing that the broker has
    before = len([m for m in listener.messages if m.topic in topics])
    site.daemon.stop()
    need(listener.until(lambda: any(m.topic.endswith("gw/status") and b"false" in m.payload for m in listener.messages), 8), "no goodbye")
    site.start()
    need(until(lambda: site.status()["own"]["published"] == 1, 10), f"own after a restart: {site.status()['own']}")
    listener.poll(0.2)
    need(len([m for m in listener.messages if m.topic in topics]) == before, "it was published once more")


def workers(t):
    """The fleet's processes: the one that waits, and its child."""
    found = {}
    for pid in t.bed.gateway.pids():
        try:
            with open(f"/proc/{pid}/stat") as f:
                head, rest = f.read().rsplit(")", 1)
        except OSError:
            continue
        if head.endswith("(mw-fleet"):
            found[pid] = int(rest.split()[1])
    return [pid for pid, parent in found.items() if parent in found]


@own("fleet/broker-and-process-lost")
def lost(t):
    """Neither a broker that is killed nor the process that speaks to it changes what is blocked; both come back, and revocation still finds it."""
    site = Site(t).start()
    address = fresh(t, 4)
    for name in ("p1", "p2"):
        site.say(name, address)
    need(until(lambda: endpoints(t, address), 8), "not taught")
    site.broker.kill()
    need(until(lambda: site.status().get("connected") is False, 10), f"still connected: {site.status()}")
    need(endpoints(t, address), "the broker's death let go of it")
    worker = workers(t)
    need(len(worker) == 1, f"processes: {worker}")
    with open(f"/proc/{worker[0]}/status") as f:
        state = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    need(state["NoNewPrivs"] == "1" and int(state["CapEff"], 16) == int(state["CapPrm"], 16) == 0 and state["Uid"].split()[0] == str(beds.DAEMON_USER[0]),
         f"its rights: {state}")
    with open(f"/proc/{worker[0]}/maps") as f:
        need("libmosquitto" in f.read(), "it has no libmosquitto")
    for pid in t.bed.gateway.pids():
        if pid not in workers(t):
            with open(f"/proc/{pid}/maps") as f:
                need("libmosquitto" not in f.read(), f"process {pid} maps libmosquitto")
    os.kill(worker[0], signal.SIGKILL)
    need(until(lambda: workers(t) not in ([], worker), 10), "the process does not come back")
    need(endpoints(t, address), "its process's death let go of it")
    site.daemon.write("gateways.txt", site.keys(gone=["p1"]))       # while there is no broker
    reload(t, site.policy())
    need(until(lambda: not endpoints(t, address), 8), "a key that is gone blocks")
    site.daemon.write("gateways.txt", site.keys())
    reload(t, site.policy())
    site.broker.start()
    need(until(lambda: site.status().get("connected"), 15), f"it does not come back: {site.status()}")
    for name in ("p1", "p2"):
        site.say(name, address)
    need(until(lambda: endpoints(t, address), 10), "not taught any more")


def descriptors(pids):
    return [len(os.listdir(f"/proc/{pid}/fd")) for pid in pids]


@own("fleet/reloads")
def reloads(t):
    """Of many reloads nothing stays open, in no process, whether files have changed or not."""
    site = Site(t).start()
    pids = t.bed.gateway.pids()
    for n in range(3):      # the first may open what stays
        reload(t, site.policy())
    need(until(lambda: site.status().get("synced"), 10), f"{site.status()}")
    before = descriptors(pids)
    for n in range(20):
        site.daemon.write("gateways.txt", site.keys(gone=["p3"] if n % 2 else ()))
        reload(t, site.policy())
    need(until(lambda: site.status().get("synced") and site.status()["known"] == 2, 10), f"{site.status()}")
    need(until(lambda: descriptors(pids) == before, 8), f"open files: {before} before, {descriptors(pids)} after")


def flood(server, megabytes):
    """A broker's hello, then one message that does not end; how many megabytes were taken."""
    conn = server.accept()[0]
    with conn:
        conn.settimeout(10 * beds.SLOW)
        conn.recv(65536)
        conn.sendall(b"\x20\x03\0\0\0")       # CONNACK
        conn.sendall(bytes((0x30,)) + mqtt.number(250_000_000) + mqtt.text("minewall/bed/p1/status"))
        for n in range(megabytes):
            try:
                conn.sendall(bytes(1 << 20))
            except OSError:
                return n
    return megabytes


@own("fleet/hostile-broker")
def hostile(t):
    """A broker whose message is longer than all that there is to say does not take this machine's memory, and loses the connection."""
    with open(t.binary, "rb") as f:
        if re.search(rb"__[at]san_init", f.read()):
            raise Skipped("a sanitizer takes memory without bounds")
    site = Site(t, start=False)
    plain = site.policy().replace(f"mqtts://{SERVER[4]}:8883", "mqtt://127.0.0.1:18883")
    server = inside(t.bed.gateway, lambda: mqtt.socket.create_server(("127.0.0.1", 18883)))
    with server:
        server.settimeout(10 * beds.SLOW)
        site.daemon.write("policy.yaml", plain)
        site.daemon.start()
        took = flood(server, 200)
        need(took < 100, f"it took {took} MB of one message")
        server.accept()[0].close()      # it is there, and tries again
    worker = workers(t)
    with open(f"/proc/{worker[0]}/status") as f:
        peak = int(next(line for line in f if line.startswith("VmHWM")).split()[1])
    need(peak < 100_000 or beds.SLOW > 1, f"it took {peak} KB")


@own("fleet/restart")
def restart(t):
    """What the fleet taught survives a restart as what we learnt does, and is not ours to publish; without a broker, too. Unblocked, it stays so."""
    site = Site(t).start()
    address = fresh(t, 4)
    for name in ("p1", "p2"):
        site.say(name, address)
    need(until(lambda: endpoints(t, address), 8), "not taught")
    site.daemon.stop()
    site.broker.kill()
    site.daemon.start()
    need(until(lambda: endpoints(t, address), 8), "a restart forgot it")
    row = next(r for r in site.daemon.json("blocked") if r["address"] == address)
    need(sorted(row["why"]["mining"]["fleet"]) == ["p1", "p2"], f"its reason: {row}")
    site.broker.start()
    need(until(lambda: site.status().get("synced"), 15), f"no broker: {site.status()}")
    need(site.status()["own"]["endpoints"] == 0 and endpoints(t, address), f"{site.status()}")
    need(site.daemon.verb("unblock", address).returncode == 0, "unblock")
    reload(t, site.policy())
    need(until(lambda: site.status().get("synced") and site.status()["hints"] == 2, 8), f"{site.status()}")
    time.sleep(0.3)
    need(not endpoints(t, address), "what the operator let go of is back")


@own("fleet/takeover")
def takeover(t):
    """A new program takes the place of the old one, and its fleet that of the other: nothing is let go of, nobody is thrown out."""
    site = Site(t).start()
    address, later = fresh(t, 4), fresh(t, 4)
    for name in ("p1", "p2"):
        site.say(name, address)
    need(until(lambda: endpoints(t, address), 8), "not taught")
    before = workers(t)
    done = t.bed.gateway.run("sh", "-c", 'mount --bind "$0" /var/lib && exec "$@"', site.daemon.state, site.daemon.binary, "run", "--takeover", "--background",
                             "-c", site.daemon.policy, check=False, timeout=20)
    need(done.returncode == 0, f"takeover: {done.stderr}")
    need(endpoints(t, address), "a takeover let go of it")
    need(until(lambda: len(workers(t)) == 1 and workers(t) != before, 10), f"processes: {workers(t)}")
    need(until(lambda: site.status().get("synced"), 8), f"{site.status()}")
    for name in ("p1", "p2"):
        site.say(name, later)
    need(until(lambda: endpoints(t, later), 8), "the new one learns nothing")
    need(site.status()["losses"] == 0, f"two of one name: {site.status()}")
    need(t.bed.gateway.run(site.daemon.binary, "stop", "-c", site.daemon.policy).returncode == 0, "stop")


@own("fleet/without-a-broker")
def without(t):
    """No broker at the start: it starts all the same, judges and blocks, and says so once."""
    site = Site(t, start=False)
    site.daemon.start()
    need(t.bed.send(fresh(t, 4), PORT, "cryptonote")["ended"] == "reset", "mining was not reset")
    need(until(lambda: "is not there" in site.daemon.said(), 10), f"nothing is said: {site.daemon.said()}")
    time.sleep(2)
    need(site.daemon.said().count("is not there") == 1, "it is said again and again")
    site.broker.start()
    need(until(lambda: site.status()["own"]["published"] == 1, 15), f"{site.status()}")


@own("fleet/sample-broker")
def sample(t):
    """The broker as contrib/fleet sets it up: each gateway writes below its own name and nowhere else, and who has no certificate is not let in."""
    site = Site(t, start=False)
    contrib = os.path.join(beds.ROOT, "contrib", "fleet")
    folder, ca = site.broker.folder, site.authority
    with open(os.path.join(contrib, "mosquitto.conf")) as f:
        conf = f.read()
    for there, here in (("/etc/mosquitto/fleet/ca.pem", ca.path("ca.pem")), ("/etc/mosquitto/fleet/broker.pem", ca.certificate("broker", (SERVER[4],))),
                        ("/etc/mosquitto/fleet/broker.key", ca.path("all.key")), ("/etc/mosquitto/fleet/acl", f"{folder}/acl"),
                        ("/var/lib/mosquitto/", folder + "/"), ("listener 8883", f"listener 8883 {SERVER[4]}")):
        need(there in conf, f"the sample names no {there}")
        conf = conf.replace(there, here)
    with open(os.path.join(contrib, "acl")) as f, open(f"{folder}/acl", "w") as to:
        to.write(f.read().replace("HOME", "bed"))
    with open(f"{folder}/conf", "w") as f:
        f.write(conf + f"log_dest file {folder}/log\n")
    site.broker.start()
    site.start()
    c = site.connect("p1")
    c.publish(mqtt.topic("p1", fresh(t, 4), PORT), b"x")
    c.publish(mqtt.topic("p2", fresh(t, 4), PORT), b"x")
    c.publish("minewall/other/p1/status", b"x")
    other = inside(t.bed.server, lambda: mqtt.Client(SERVER[4], 8883, "minewall-p1", ca.context("p2")))   # the name of another's session
    need(c.settle() and dict(c.codes) == {0: 1, 0x87: 2}, f"answers: {dict(c.codes)}")
    c.publish(mqtt.topic("p1", fresh(t, 4), PORT), b"")
    need(c.settle() and not c.ended, "who names another's session ends his connection")
    other.close()
    need(until(lambda: site.refused("malformed") == 1, 8), f"{site.status()}")
    try:
        tls = mqtt.ssl.SSLContext(mqtt.ssl.PROTOCOL_TLS_CLIENT)
        tls.load_verify_locations(ca.path("ca.pem"))
        inside(t.bed.server, lambda: mqtt.Client(SERVER[4], 8883, "nobody", tls, timeout=3))
    except (mqtt.Refused, OSError):
        return
    need(False, "a client without a certificate is let in")
