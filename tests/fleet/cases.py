# SPDX-License-Identifier: GPL-2.0-or-later
"""What is promised of gateways that learn from each other, each a function that harms or uses a real broker and looks at kernels and
broker, not at minewall's own words (but for the reason of a refusal). A case gets the fleet of fleet.py."""

import base64
import contextlib
import json
import os
import struct
import time

import fleetbed as beds
import mqtt
from fleetbed import POOL_PORT, need, until

CASES = []


def case(name, quick=False):
    def keep(function):
        CASES.append((name, function, quick))
        return function
    return keep


@contextlib.contextmanager
def unharmed(f, gateway, seconds):
    """Meanwhile steady traffic runs through it; afterwards none of it was lost, what it had learnt itself is refused, what is allowed
    passes, and it still learns."""
    own, allowed, fresh = f.site.fresh(), f"198.19.251.{f.number() % 200 + 1}", f.site.fresh()
    need(gateway.mine(own)[1] == 0 and until(lambda: gateway.has(own, POOL_PORT)), "it does not even learn by itself")
    load = gateway.load(seconds)
    yield own
    ended, received, _ = gateway.mine(own, wait=1)
    need(ended == "refused" and not received, f"its own endpoint is not refused any more: {ended}")
    ended, received, _ = gateway.mine(allowed)
    need(received > 0, f"what its policy allows was harmed: {ended}")
    ended, received, _ = gateway.mine(fresh)
    need(not received and until(lambda: gateway.has(fresh, POOL_PORT)), f"it does not learn by itself any more: {ended}")
    out = json.loads(load.communicate(timeout=60 + seconds)[0])
    need(len(out["good"]) > 20 and not out["bad"], f"{len(out['bad'])} of {len(out['good'])} connections were lost: {out['bad'][:2]}")
    f.note(f"{len(out['good'])} connections, 0 lost")


def confirmed(f, *names, address=None, port=POOL_PORT, **how):
    """An endpoint that these fake gateways sign."""
    address = address or f.site.fresh()
    for name in names:
        f.say(name, address, port, **how)
    return address


@case("latency", quick=True)
def latency(f):
    """Endpoint seen by two is in the third's kernel: measured from the second one's message, as it comes to the broker's namespace (a
    subscriber of our own has it later than the kernel), to the element, as the third's kernel tells it."""
    first, second, third = f.gateways
    rows, whole = [], []
    tap = f.site.tap()
    dialects = ("stratum-v1", "cryptonote", "eth-proxy")
    n = f.endpoints
    third.watching()
    for i in range(n):
        a, b = (first, second) if i % 2 else (second, first)
        address = f.site.fresh(6 if i % 4 == 3 else 4)
        need(not a.mine(address, dialect=dialects[i % 3])[1], "the first one's device reached the pool")
        need(f.said(mqtt.topic(a.name, address, POOL_PORT)), f"{a.name} did not tell of {address}")
        if i < 3:
            need(not third.has(address, POOL_PORT), "one gateway's word is enough")
        ended, received, sent = b.mine(address, dialect=dialects[i % 3])
        need(not received, f"the second one's device reached the pool: {ended}")
        told = f.said(mqtt.topic(b.name, address, POOL_PORT))
        need(told and told.expiry and 0 < told.expiry <= 3600, f"{b.name} did not tell of {address}, or for ever")
        there = third.seen_ns(address, POOL_PORT)
        need(there, f"{address} is not in the third's kernel after 10 s")
        came = f.site.came_ns(tap, b, sent)
        rows += [(there - came) / 1e6] if came and came < there else []
        whole.append((there - sent) / 1e6)
        if i < 5:
            ended, received, _ = third.mine(address, wait=1)
            need(ended == "refused" and not received, f"the third's device is not refused: {ended}")
    need(not [m for m in f.heard if m.topic.startswith(f"minewall/{mqtt.SITE}/{third.name}/endpoint/")], "what came from the fleet was told again")
    need(len(rows) * 4 >= n * 3, f"{len(rows)} of {n} messages were seen on their way to the broker")
    need(beds.percentile(whole, 50 if f.quick else 99) < 1000, f"it took {max(whole):.0f} ms")
    for what, values in (("second gateway's message at the broker to the third's kernel", rows), ("second device's login to the third's kernel", whole)):
        f.figure(f"{what}, {n} endpoints", f"p50 {beds.percentile(values, 50):.1f} ms, p99 {beds.percentile(values, 99):.1f} ms, longest {max(values):.1f} ms")


@case("one-and-own-traffic", quick=True)
def one_and_own(f):
    """One gateway's word and a name of our own traffic are enough; the word alone is not."""
    g = f.gateways[2]
    address, other = f.site.fresh(), f.site.fresh()
    for one in (address, other):
        f.say("fake1", one, 443)
    need(g.client.run("curl", "-qsk", "--noproxy", "*", "--max-time", "2", "-o", "/dev/null", "--resolve", f"pool.listed.example:443:{address}",
                      "https://pool.listed.example/", check=False).returncode, "the listed name was let through")
    need(until(lambda: g.has(address, 443), 5), "a word and a name of our own traffic do not confirm it")
    need(not g.has(other, 443), "the word alone does")


@case("privacy", quick=True)
def privacy(f):
    """Nothing of the inside was ever said to the broker: not by those of all cases before this one."""
    inside = ["198.18.1.", "2001:db8:1:", "bed/1.0", "4AAAA", "ababab"]
    for g in f.gateways:
        inside += [g.client.run("cat", "/sys/class/net/c0/address").stdout.strip()]
        inside += [e["mining"]["login_hash"] for e in g.daemon.events() if e["mining"].get("login_hash")]
    real = [m for m in f.heard if m.topic.split("/")[2] in {g.name for g in f.gateways}]
    need(len(real) > 10, "too little was said")
    for message in real:
        text = message.topic + " " + message.payload.decode(errors="replace")
        need(not any(word in text for word in inside), f"it says too much: {text}")
        need(len(message.payload) <= 512, f"it is longer than agreed: {text}")
    f.note(f"{len(real)} messages")


def forgeries(f, address):
    """What a broker, or who has its rights, can say without the keys: (topic, payload)."""
    a, b = f.signers["fake1"], f.signers["fake2"]
    good, body, _ = mqtt.statement(a, address, POOL_PORT)
    other = f.site.fresh()
    now = int(time.time())
    yield "another gateway's name", mqtt.topic("fake2", address, POOL_PORT), body
    yield "another address", mqtt.topic("fake1", other, POOL_PORT), body
    yield "another port", mqtt.topic("fake1", address, 443), body
    yield "another protocol", mqtt.topic("fake1", address, POOL_PORT, "udp"), body
    for key, value in (("expires", now + 7200), ("issued", now + 1), ("dialect", "x"), ("evidence", "name"), ("v", 2), ("sig", "AA"), ("sig", 7), ("more", 1)):
        yield f"{key} changed", good, mqtt.statement(a, address, POOL_PORT, **{key: value})[1] if key not in ("issued", "expires", "dialect", "evidence") else \
            json.dumps({**json.loads(body), key: value}).encode()
    yield "evidence that is none", good, mqtt.statement(a, address, POOL_PORT, evidence="name")[1]
    flipped = bytearray(base64.b64decode(json.loads(body)["sig"]))
    flipped[5] ^= 1
    yield "one bit of the signature", good, json.dumps({**json.loads(body), "sig": base64.b64encode(flipped).decode()}).encode()
    stranger = mqtt.Signer("fake2")
    yield "another key", mqtt.topic("fake2", address, POOL_PORT), mqtt.statement(stranger, address, POOL_PORT)[1]
    nobody = mqtt.Signer("nobody")
    yield "an unknown gateway", *mqtt.statement(nobody, address, POOL_PORT)[:2]
    yield "another site's words", mqtt.topic("fake2", address, POOL_PORT), mqtt.statement(b, address, POOL_PORT, site="other")[1]
    for bad in (b"", b"{", b"[]", b"null", b"\xff" * 300, b"{" * 400, b'{"v":1}', body + b" " * 600, body[:-1], os.urandom(64 * 1024), body.replace(b"1", b"\0", 1)):
        yield "no payload of ours", mqtt.topic("fake2", f.site.fresh(), POOL_PORT), bad
    for where in ("endpoint/tcp/999.1.1.1/3333", "endpoint/tcp/198.19.1.1/0", "endpoint/tcp/198.19.1.1/70000", "endpoint/sctp/198.19.1.1/3333",
                  "endpoint/tcp/198.019.1.1/3333", f"endpoint/tcp/{address}/03333", f"endpoint/tcp/::ffff:{address}/3333", f"endpoint/tcp/{address}/3333/x", "endpoint",
                  "endpoint/tcp/" + "1" * 400 + "/3333"):
        yield "no topic of ours", f"minewall/{mqtt.SITE}/fake2/{where}", body


@case("forged", quick=True)
def forged(f):
    """A hostile broker, or who has its rights, can forge nothing: no endpoint is taught, and the helper lives on."""
    g = f.gateways[2]
    helper = g.helper()
    with unharmed(f, g, 2):
        address = f.site.fresh()
        f.say("fake3", address, POOL_PORT)      # one good word: any forged second one would confirm it
        before, n = g.endpoints(), 0
        for _, where, payload in forgeries(f, address):
            for retain in (True, False):
                f.evil.publish(where, payload, 3600, retain)
                n += 1
        need(f.evil.settle(), "the broker does not take them")
        good = confirmed(f, "fake1", "fake2")   # behind all of them in the queue
        need(until(lambda: g.has(good, POOL_PORT)), "what is right is not taken any more")
        extra = {a for a, _ in g.endpoints() - before} - {good}
        need(not extra, f"forged words were believed: {extra}")
    need(g.helper() == helper, "the helper died of it")
    f.note(f"{n} forged messages")
    for _, where, _ in forgeries(f, address):
        f.evil.withdraw(where)


@case("not-ours-to-share", quick=True)
def reserved(f):
    """Signed by two, and yet never taught: inside addresses, this gateway's own, the broker, and what its own policy allows."""
    g = f.gateways[2]
    addresses = [("192.168.1.9", 3333), ("10.0.0.1", 3333), ("172.16.5.5", 443), ("127.0.0.1", 3333), ("169.254.1.1", 3333), ("224.0.0.1", 3333), ("0.0.0.0", 3333),
                 ("100.64.1.1", 3333), ("fe80::1", 3333), ("fd00::1", 3333), ("::1", 3333), ("198.18.1.1", 3333),
                 (beds.BROKER, 8883), ("203.0.113.26", 3333), ("198.19.251.77", 3333)]
    before = g.endpoints()
    for address, port in addresses:
        confirmed(f, "fake1", "fake2", address=address, port=port)
    good = confirmed(f, "fake1", "fake2")
    need(until(lambda: g.has(good, POOL_PORT)), "what is right is not taken")
    extra = g.endpoints() - before - {(good, POOL_PORT)}
    need(not extra, f"taught: {extra}")
    need(g.mine("198.19.251.77")[1] > 0, "what the policy allows is refused")
    for address, port in addresses:
        for name in ("fake1", "fake2"):
            f.fake(name).withdraw(mqtt.topic(name, address, port))


@case("withdrawn-and-replayed", quick=True)
def replayed(f):
    """Withdrawn is withdrawn, whoever says the old words again; the gateway itself may say new ones."""
    g = f.gateways[2]
    address = f.site.fresh()
    where, old, left = mqtt.statement(f.signers["fake1"], address, POOL_PORT, issued=time.time() - 5)
    f.fake("fake1").publish(where, old, left)
    f.say("fake2", address, POOL_PORT)
    need(until(lambda: g.has(address, POOL_PORT)), "it is not taught")
    f.fake("fake1").withdraw(where)
    need(until(lambda: not g.has(address, POOL_PORT)), "it is still taught after one of two took it back")
    for retain in (True, False):
        f.evil.publish(where, old, 3600, retain)
    older = mqtt.statement(f.signers["fake1"], address, POOL_PORT, issued=time.time() - 60)
    f.evil.publish(older[0], older[1], 3600)
    f.evil.settle()
    f.pass_by(g)
    need(not g.has(address, POOL_PORT), "old words were believed once more")
    f.say("fake1", address, POOL_PORT)
    need(until(lambda: g.has(address, POOL_PORT)), "its new words are not believed")


@case("revoked", quick=True)
def revoked(f):
    """A revoked key's hints die at once, and so do those of one that is gone; own knowledge does not."""
    g = f.gateways[2]
    both, own = confirmed(f, "fake3", "fake2"), f.site.fresh()
    g.mine(own)
    for name in ("fake2", "fake3"):
        f.say(name, own, POOL_PORT)
    need(until(lambda: g.has(both, POOL_PORT) and g.has(own, POOL_PORT)), "it is not taught")
    lines = [s.line(" revoked" if s.name == "fake3" else "") for s in f.signers.values()]
    g.write_keys(lines)
    begin = time.monotonic()
    g.reload()
    need(until(lambda: not g.has(both, POOL_PORT), 5), "a revoked key's word is still believed")
    f.note(f"gone {1000 * (time.monotonic() - begin):.0f} ms after the reload began")
    need(g.has(own, POOL_PORT), "what own traffic taught went with it")
    again = confirmed(f, "fake3", "fake2")
    f.pass_by(g)
    need(not g.has(again, POOL_PORT), "a revoked key signs on")
    g.write_keys()
    g.reload()
    need(until(lambda: g.has(both, POOL_PORT) and g.has(again, POOL_PORT)), "it is not believed again after the key is good again")


@case("times", quick=True)
def times(f):
    """Clocks of others: what is of the future, over, or would last longer than a day is refused; two minutes are forgiven."""
    g = f.gateways[2]
    now = time.time()
    refused = {how: confirmed(f, "fake1", "fake2", issued=now + ahead, life=life)
               for how, ahead, life in (("of the future", 3600, 3600), ("over", -7200, 3600), ("longer than a day", 0, 30 * 86400), ("backwards", 0, -5),
                                        ("of the year 2106", 2 ** 31, 3600), ("before the epoch", -now - 99, 86000))}
    good = [confirmed(f, "fake1", "fake2", issued=now + ahead) for ahead in (-100, 0, 100)]
    need(until(lambda: all(g.has(a, POOL_PORT) for a in good)), "clocks that are nearly right are refused")
    for how, address in refused.items():
        need(not g.has(address, POOL_PORT), f"a word that is {how} is believed")
    short = confirmed(f, "fake1", "fake2", life=3)
    need(until(lambda: g.has(short, POOL_PORT), 2.5) and until(lambda: not g.has(short, POOL_PORT), 5), "it outlives its signers' words")


@case("own-clock-wrong")
def own_clock(f):
    """A gateway whose own clock is wrong: it blocks what it sees itself, believes nobody, and does once the clock is right; a jump of a
    day takes away nothing of its own."""
    g = f.gateways[2]
    path = os.path.join(f.site.tmp, "skew")
    need(f.skew, "skew.so is not built: make faults-tools")

    def skew(seconds):
        with open(path, "r+b" if os.path.exists(path) else "wb") as out:
            out.write(struct.pack("=q", seconds))

    skew(-1800)
    g.daemon.stop()
    g.start(f.binary, more=(f"LD_PRELOAD={f.skew}", f"SKEW_FILE={path}"))
    need(until(lambda: f.online(g)), "it does not connect")
    with unharmed(f, g, 8) as own:
        need(until(lambda: f.said(mqtt.topic(g.name, own, POOL_PORT))), "it does not tell what it learnt")
        address = confirmed(f, "fake1", "fake2")
        f.pass_by(g, believed=False)
        need(not g.has(address, POOL_PORT), "words of the future were believed")
        skew(0)
        need(until(lambda: g.has(address, POOL_PORT), 15), "nothing is believed after the clock was set")
        skew(86400)
        time.sleep(2)
        need(g.has(own, POOL_PORT), "a jump of the clock takes away what it learnt itself")
        skew(0)
        need(until(lambda: g.has(address, POOL_PORT), 15), "nothing is believed after the jump back")
    g.daemon.stop()
    g.start(f.binary)
    need(until(lambda: f.online(g)), "it does not connect")


@case("broker-killed", quick=True)
def killed(f):
    """The broker dies and comes back without its memory: what was learnt stays, own blocking goes on, and what was learnt meanwhile is
    told afterwards."""
    g = f.gateways[0]
    taught = confirmed(f, "fake1", "fake2")
    need(until(lambda: g.has(taught, POOL_PORT)), "it is not taught")
    with unharmed(f, g, 3 if f.quick else 8):
        f.broker.kill()
        meanwhile = f.site.fresh()
        need(not g.mine(meanwhile)[1] and until(lambda: g.has(meanwhile, POOL_PORT)), "without a broker it does not learn by itself")
        need(g.mine(taught, wait=1)[0] == "refused", "what the fleet taught went with the broker")
        need(g.daemon.verb("status", timeout=5).returncode == 0, "its verbs hang")
        f.broker.forget()
        f.broker.start()
        f.reconnect()
        begin = time.monotonic()
        need(f.said(mqtt.topic(g.name, meanwhile, POOL_PORT), 60), "what it learnt meanwhile is not told within a minute")
        f.note(f"told {time.monotonic() - begin:.1f} s after the broker was back")
    need(g.has(taught, POOL_PORT), "what the fleet taught went when the broker came back")
    new = confirmed(f, "fake1", "fake2")
    need(until(lambda: all(one.has(new, POOL_PORT) for one in f.gateways), 60), f"they do not learn from each other any more: {[one.has(new, POOL_PORT) for one in f.gateways]} {[one.daemon.verb('fleet').stdout for one in f.gateways]} {f.broker.log()[-3000:]}")


@case("broker-stalls")
def stalls(f):
    """A broker that holds its connections and answers nothing, and then a network that swallows everything."""
    g = f.gateways[0]
    taught = confirmed(f, "fake1", "fake2")
    need(until(lambda: g.has(taught, POOL_PORT)), "it is not taught")
    with unharmed(f, g, 14):
        f.broker.stall()
        begin = time.monotonic()
        while time.monotonic() - begin < 5:
            need(not g.mine(f.site.fresh())[1], "a miner passes while the broker is silent")
            done = g.daemon.verb("status", timeout=5)
            need(done.returncode == 0, "its verbs hang with the broker")
        g.reload()
        f.broker.go_on()
        f.site.outside.nft("table inet bed_hole { chain in { type filter hook prerouting priority raw; tcp dport 8883 drop; }; }")
        try:
            meanwhile = f.site.fresh()
            need(not g.mine(meanwhile)[1], "a miner passes while the network is gone")
            time.sleep(5)
        finally:
            f.site.outside.run("nft", "delete", "table", "inet", "bed_hole")
        need(f.said(mqtt.topic(g.name, meanwhile, POOL_PORT), 60), "what it learnt meanwhile is not told within a minute")
        need(g.has(taught, POOL_PORT), "what the fleet taught went with the network")


@case("flood", quick=True)
def flood(f):
    """A gateway with a good key that lies as fast as it can: it teaches nothing alone, costs a bounded memory, and hides nobody else."""
    g = f.gateways[2]
    n = 3000 if f.quick else 30000
    liar = f.fake("fake3")
    before = g.endpoints()
    helper = g.helper()
    with unharmed(f, g, 3 if f.quick else 12):
        began = time.monotonic()
        for i in range(n):
            address = str(beds.POOLS[4][32768 + i % 30000])
            liar.publish(*mqtt.statement(f.signers["fake3"], address, 1024 + i // 30000))
            if i == n // 2:
                heard = confirmed(f, "fake1", "fake2")
                said = time.monotonic()
            if i > n // 2 and not i % 500 and g.has(heard, POOL_PORT):
                said = min(said, time.monotonic())
            liar.poll()
        need(liar.settle(60), "the broker does not take the flood")
        f.note(f"{n} in {time.monotonic() - began:.1f} s")
        need(until(lambda: g.has(heard, POOL_PORT), 20), "an honest word drowned in it")
        extra = {a for a, _ in g.endpoints() - before} - {heard}
        need(len(extra) <= 1, f"a liar alone taught {len(extra)} endpoints")      # one is what unharmed() learns
    need(g.helper() == helper, "the helper died of it")
    with open(f"/proc/{helper}/status") as rows:
        high = next(int(row.split()[1]) for row in rows if row.startswith("VmHWM"))
    need(high < 65536, f"its helper took {high} KiB")
    f.figure(f"helper's memory after a flood of {n} signed lies", f"{high / 1024:.1f} MiB at most")
    for i in range(n):
        liar.withdraw(mqtt.topic("fake3", str(beds.POOLS[4][32768 + i % 30000]), 1024 + i // 30000))
        liar.poll()
    liar.settle(60)


@case("last-will", quick=True)
def last_will(f):
    """A gateway that dies is said to be gone by the broker; one that comes back learns what it missed."""
    g = f.gateways[2]
    taught = confirmed(f, "fake1", "fake2")
    need(until(lambda: g.has(taught, POOL_PORT)), "it is not taught")
    for pid in g.gateway.pids():
        if pid != g.watch.process.pid if g.watch else True:
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline", "rb") as line:
                    if b"minewall" in line.read():
                        os.kill(pid, 9)
    g.daemon.process.wait(10)
    need(until(lambda: f.online(g) is False), "nobody is told that it is gone")
    missed = confirmed(f, "fake1", "fake2")
    need(g.mine(taught, wait=1)[0] == "refused", "the kernel forgot with the process")
    begin = time.monotonic()
    g.start(f.binary)
    need(until(lambda: g.has(missed, POOL_PORT), 20), "it does not learn what it missed")
    f.figure("a gateway's start until it knows what it missed", f"{time.monotonic() - begin:.1f} s")
    need(g.has(taught, POOL_PORT), "it forgot what it knew before")
    need(until(lambda: f.online(g)), "it is not said to be back")


BRIDGE = """connection split
address {address}:8884
bridge_cafile {ca}
bridge_certfile {certificate}
bridge_keyfile {key}
bridge_protocol_version mqttv50
cleansession false
clientid bridge
restart_timeout 1
notifications false
topic minewall/bed/# both 1
"""
BRIDGE_ACL = "pattern write minewall/bed/%u/#\npattern read minewall/bed/#\nuser bridge\ntopic readwrite minewall/bed/#\nuser evil\ntopic readwrite minewall/bed/#\n"


@case("split-brain")
def split_brain(f):
    """Two bridged brokers, the bridge cut and healed: each side goes on by itself, nobody loses what it knew, and afterwards both know
    the same. What was taken back on one side stays so there; mosquitto 2.0.11 keeps nothing for an MQTT 5 bridge while that is cut, so on the
    other side it ends with its signer's word."""
    first, _, third = f.gateways
    site = f.site
    more = BRIDGE.format(address=beds.BROKER, ca=site.authority.path("ca.pem"), certificate=site.authority.certificate("bridge"), key=site.authority.path("all.key"))
    other = site.broker("second", beds.SECOND, more=more, acl=BRIDGE_ACL).start()
    third.daemon.stop()
    third.start(f.binary, broker=beds.SECOND)
    far = site.connect("fake2", beds.SECOND)
    try:
        need(until(lambda: f.online(third)), "the third is not seen across the bridge")
        shared, back = site.fresh(), site.fresh()

        def say_both(address, **how):
            f.say("fake1", address, POOL_PORT, **how)
            far.publish(*mqtt.statement(f.signers["fake2"], address, POOL_PORT, **how))
            far.settle()

        say_both(shared)
        say_both(back, life=30)
        need(until(lambda: all(g.has(a, POOL_PORT) for g in (first, third) for a in (shared, back)), 20), "they do not learn across the bridge")
        with unharmed(f, first, 12), unharmed(f, third, 12):
            site.outside.nft("table inet bed_cut { chain out { type filter hook output priority 0; tcp dport 8884 reject with tcp reset; }; }")
            far.publish(*mqtt.statement(f.signers["fake2"], site.fresh(), 9))      # what the bridge cannot say tells it that it is cut
            need(until(lambda: "local.bridge disconnected" in other.log()), "the bridge does not notice that it was cut")
            meanwhile = site.fresh()
            say_both(meanwhile)
            f.fake("fake1").withdraw(mqtt.topic("fake1", back, POOL_PORT))
            f.fake("fake1").settle()
            need(until(lambda: not first.has(back, POOL_PORT)), "taken back on its own side, it is still believed there")
            time.sleep(1)
            need(not first.has(meanwhile, POOL_PORT) and not third.has(meanwhile, POOL_PORT), "one word on each side was enough: the bridge was not cut")
            need(first.has(shared, POOL_PORT) and third.has(shared, POOL_PORT) and third.has(back, POOL_PORT), "the cut took away what was known")
            site.outside.run("nft", "delete", "table", "inet", "bed_cut")
            need(until(lambda: first.has(meanwhile, POOL_PORT) and third.has(meanwhile, POOL_PORT), 30), "healed, they do not know the same")
        need(not first.has(back, POOL_PORT), "what was taken back is believed again where it was")
        need(until(lambda: not third.has(back, POOL_PORT), 35) and not first.has(back, POOL_PORT), "what was taken back meanwhile outlives its signer's word")
        need(first.has(shared, POOL_PORT) and third.has(shared, POOL_PORT), "healing took away what was known")
    finally:
        site.outside.run("nft", "delete", "table", "inet", "bed_cut", check=False)
        far.close()
        third.daemon.stop()
        third.start(f.binary)
        other.stop()
        need(until(lambda: f.online(third)), "it does not connect again")
