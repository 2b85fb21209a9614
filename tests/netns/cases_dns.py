# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of DNS: a client that asks an outside server, a client that asks dnsmasq in the gateway, and the gateway itself.
What the server was asked for is in its own log; what a name was taught to stand for shows in later connections."""

import ipaddress
import json
import os
import shutil
import subprocess

import bed as beds
import wire
from bed import CLIENT, CLIENT2, GATEWAY_IN
from run import LISTED, UNLISTED, Skipped, families, need, own, policy, until

# The bed's servers listen on every address' TCP port 53, so this one is led to another.
UPSTREAM = {4: "100.65.253.53", 6: "2001:db8:65::fd53"}
TCP_PORT = 5353
PORT_RULES = """
table inet bed_dns {
	chain pre {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 100.65.253.53 tcp dport 53 dnat ip to 100.65.253.53:5353
		ip6 daddr 2001:db8:65::fd53 tcp dport 53 dnat ip6 to [2001:db8:65::fd53]:5353
	}
}
"""
HARMLESS = "www.harmless.example"
TELLTALE = "donate.v2.xmrig.com"
FAST_MS = 200


def ready(t):
    """Starts the outside server with the first case that wants it."""
    if not shutil.which("dig") or not shutil.which("dnsmasq"):
        raise Skipped("no dig or no dnsmasq here")
    if not getattr(t.bed, "upstream", None):
        t.bed.upstream = os.path.join(t.bed.tmp, "upstream.jsonl")
        t.bed.server.nft(PORT_RULES)
        process = t.bed.server.start(*beds.PYTHON, os.path.join(beds.HERE, "resolver.py"), "serve", t.bed.upstream, TCP_PORT,
                                     *UPSTREAM.values(), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        need(process.stdout.readline() == b"ready\n", "the outside DNS server does not start")
        t.bed.gateway.run("nft", "insert", "rule", "inet", "bed_firewall", "input", "meta", "l4proto", "{", "tcp,", "udp", "}",
                          "th", "dport", "53", "accept")
        open(t.bed.upstream, "w", encoding="utf-8").close()


def start(t, text=None, **options):
    ready(t)
    t.daemon = t.make(text or policy(**options)).start()


def dnsmasq(t, *options):
    """The gateway's own resolver."""
    t.bed.gateway.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=",
                        *(f"--server={a}" for a in UPSTREAM.values()), "--cache-size=1000", "--all-servers", *options,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    for _ in range(50):
        if dig(t, GATEWAY_IN[4], "ready.harmless.example", wait=1)["status"] == "NOERROR":
            return
    need(False, "dnsmasq does not answer")


def dig(t, server, name, *options, kind="A", where=None, source=None, wait=2):
    """{"status": NOERROR ... or None for no answer, "ms", "answers": addresses, "text"}"""
    if not where and not source:     # towards the gateway's IPv6 address the kernel would take another one
        source = CLIENT[6 if ":" in server else 4]
    done = (where or t.bed.client).run("dig", f"@{server}", name, kind, "+tries=1", f"+time={wait}", "+noall", "+comments", "+answer", "+stats",
                                       *(("-b", source) if source else ()), *options, check=False, timeout=wait + 10)
    status = done.stdout.split("status: ")[1].split(",")[0] if "status: " in done.stdout else None
    answers = [line.split()[-1] for line in done.stdout.splitlines() if line and line[0] != ";"]
    # dig's own measure: a busy machine takes longer to start a program
    ms = int(done.stdout.split("Query time: ")[1].split()[0]) if "Query time: " in done.stdout else 0
    return {"status": status, "ms": ms, "answers": answers, "text": done.stdout}


def asked(t, name):
    """How often the outside server was asked for it."""
    with open(t.bed.upstream, encoding="utf-8") as f:
        return sum(json.loads(line)["name"].lower() == name.lower() for line in f)


def fresh_name(t, below, address=None):
    """A name that nobody has asked for; with an address it stands for that."""
    t.number += 1
    if address is None:
        return f"n{t.number}.{below}"
    packed = ipaddress.ip_address(address).packed.hex()
    return f"{'a' if len(packed) == 8 else 'q'}{packed}.n{t.number}.{below}"


def kind_of(t):
    return "A" if t.family == 4 else "AAAA"


def refused_policy(**options):
    return policy(more="detect: {dns: {answer: refused}}", **options)


def of_name(t, name):
    return [e for e in t.daemon.events() if e.get("dns", {}).get("rrname", "").lower() == name.lower()]


def must_die(t, server, name, refused, *options, **more):
    got = dig(t, server, name, *options, kind=kind_of(t), wait=1, **more)
    if refused and "+tcp" not in options:
        need(got["status"] == "REFUSED", f"{name}: {got['status']}, not REFUSED")
        need(got["ms"] < FAST_MS, f"REFUSED after {got['ms']} ms")
    else:
        need(got["status"] is None, f"{name} was answered: {got['status']} {got['answers']}")


def must_live(t, server, *options, **more):
    name = fresh_name(t, "harmless.example")
    got = dig(t, server, name, *options, kind=kind_of(t), **more)
    need(got["status"] == "NOERROR" and got["answers"], f"a harmless name got {got['status']} {got['text'][:200]}")


@own("dns/forward", "drop", "refused")
def forward(t, how):
    start(t, refused_policy() if how == "refused" else policy())
    for family in families(t):
        server = UPSTREAM[family]
        for options in ((), ("+tcp",)):
            must_live(t, server, *options)
            name = fresh_name(t, LISTED)
            must_die(t, server, name, how == "refused", *options)
            need(not asked(t, name), f"the server was asked for it {options}")
            must_live(t, server, *options)
            events = until(lambda: of_name(t, name))
            need(len(events) == 1, f"{len(events)} events about {name}")
            event = events[0]
            need(event["app_proto"] == "dns" and event["alert"]["action"] == "blocked" and event["src_ip"] == CLIENT[family] and
                 event["dest_ip"] == server and event["dest_port"] == 53 and event["mining"]["evidence"] == "name", f"{event}")
    need(not t.kernel.elements("endpoints4", "endpoints6", "pairs4", "pairs6"), "a query taught the kernel")


@own("dns/resolver", "drop", "refused")
def resolver(t, how):
    """The client asks dnsmasq in the gateway: nothing of it crosses forward."""
    start(t, refused_policy() if how == "refused" else policy())
    dnsmasq(t)
    for family in families(t):
        server = GATEWAY_IN[family]
        for options in ((), ("+tcp",)):
            must_live(t, server, *options)
            name = fresh_name(t, LISTED)
            must_die(t, server, name, how == "refused", *options)
            must_live(t, server, *options)
            need(not asked(t, name), f"the outside server was asked for it {options}")
            events = until(lambda: of_name(t, name))
            need(len(events) == 1 and events[0]["src_ip"] == CLIENT[family], f"events about {name}: {events}")


@own("dns/alias", "forward", "resolver")
def alias(t, where):
    """Only the alias' target is listed: the answer is stopped. TCP, too."""
    start(t)
    if where == "resolver":
        dnsmasq(t)
    for family in families(t):
        server = UPSTREAM[family] if where == "forward" else GATEWAY_IN[family]
        for options in ((), ("+tcp",)):
            t.number += 1
            name = f"cname-x{t.number}-y.harmless.example"
            must_die(t, server, name, False, *options)
            need(asked(t, name), "the question was stopped, not the answer")
            events = until(lambda: of_name(t, f"x{t.number}.{LISTED}"))
            # dnsmasq asks both of its servers
            need(len(events) in ((1,) if where == "forward" else (1, 2)), f"{len(events)} events")
            must_live(t, server, *options)


@own("dns/alias-refused")
def alias_refused(t):
    start(t, refused_policy())
    for family in families(t):
        t.number += 1
        must_die(t, UPSTREAM[family], f"cname-x{t.number}-y.harmless.example", True)
        must_live(t, UPSTREAM[family])


@own("dns/cached-answer")
def cached(t):
    """What dnsmasq has in its cache since before the policy does not get out of it."""
    start(t, policy(mode="monitor"))
    dnsmasq(t)
    name = "cname-cached-y.harmless.example"
    t.family = 4
    got = dig(t, GATEWAY_IN[4], name)
    need(got["status"] == "NOERROR", f"monitor mode: {got['status']}")
    t.daemon.write("policy.yaml", policy())
    need(t.daemon.verb("reload").returncode == 0, "reload failed")
    before = asked(t, name)
    must_die(t, GATEWAY_IN[4], name, False)
    need(asked(t, name) == before, "it was not in the cache")


@own("dns/case-and-edns")
def case_and_edns(t):
    start(t, refused_policy())
    for family in families(t):
        for name in ("PoOl.LiSted.ExamPle", "x." + LISTED.upper()):
            got = dig(t, UPSTREAM[family], name, "+question")
            need(got["status"] == "REFUSED" and f";{name}." in got["text"], f"not the question as it was sent: {got['text']}")
            need("EDE: 15" in got["text"], "the answer does not say why")
        got = dig(t, UPSTREAM[family], LISTED, "+noedns")
        need(got["status"] == "REFUSED" and "EDNS" not in got["text"], "EDNS in the answer to a query without it")


@own("dns/monitor")
def monitor(t):
    start(t, policy(mode="monitor"))
    for family in families(t):
        name = fresh_name(t, LISTED)
        for options in ((), ("+tcp",), ()):
            got = dig(t, UPSTREAM[family], name, *options, kind=kind_of(t))
            need(got["status"] == "NOERROR" and got["answers"], f"monitor mode: {got['status']}")
        events = until(lambda: of_name(t, name))
        need([e["alert"]["action"] for e in events] == ["allowed"], f"{len(events)} events in a minute, not 1")


def ask(t, server, count, *names):
    done = t.bed.client.run(*beds.PYTHON, os.path.join(beds.HERE, "resolver.py"), "ask", server, count, *names, timeout=60)
    return json.loads(done.stdout)


@own("dns/one-socket", "queries", "junk-first")
def one_socket(t, how):
    """A resolver asks everything from one port: its flow is never blocked, and never let go, either."""
    start(t, policy(queues=2))
    for family in families(t):
        junk = ("!00112233445566778899",) if how == "junk-first" else ()
        if junk:
            got = ask(t, UPSTREAM[family], 4, *junk, "a.harmless.example", junk[0], fresh_name(t, LISTED))
            need(got["!00112233"] == 1 and got["a.harmless.example"] == 1 and sum(got.values()) == 2, f"answers: {got}")
            continue
        listed, other = fresh_name(t, LISTED), "b.harmless.example"
        got = ask(t, UPSTREAM[family], 60, "a.harmless.example", listed, other)
        need(got == {"a.harmless.example": 20, listed: 0, other: 20}, f"answers: {got}")
        need(not asked(t, listed), "the server was asked for it")
        need(len(until(lambda: of_name(t, listed))) == 1, "not one event for 20 queries")


@own("dns/own-traffic", "drop", "refused")
def own_traffic(t, how):
    start(t, refused_policy() if how == "refused" else policy())
    for family in families(t):
        name = fresh_name(t, LISTED)
        must_die(t, UPSTREAM[family], name, how == "refused", where=t.bed.gateway)
        need(not asked(t, name), "the server was asked for it")
        must_live(t, UPSTREAM[family], where=t.bed.gateway)
        must_live(t, UPSTREAM[family], "+tcp", where=t.bed.gateway)


@own("dns/loopback")
def loopback(t):
    """What stays on the gateway is nobody's business; what its resolver asks for is."""
    start(t)
    dnsmasq(t, f"--host-record=local.{LISTED},192.0.2.9")
    t.family = 4
    queued = t.kernel.queued()
    got = dig(t, "127.0.0.1", f"local.{LISTED}", where=t.bed.gateway)
    need(got["answers"] == ["192.0.2.9"], f"on loopback: {got['status']}")
    need(t.kernel.queued() == queued, "loopback was queued")
    name = fresh_name(t, LISTED)
    need(dig(t, "127.0.0.1", name, where=t.bed.gateway, wait=1)["status"] != "NOERROR", "a listed name was answered")
    need(not asked(t, name), "the outside server was asked for it")


@own("dns/interfaces")
def interfaces(t):
    """Only what leaves through g1 is outbound; the resolver's clients are on g0 and are asked all the same."""
    start(t, refused_policy().replace("hook: both", "hook: both\ninterfaces: {out: [g1]}"))
    dnsmasq(t)
    for family in families(t):
        for server in (UPSTREAM[family], GATEWAY_IN[family]):
            name = fresh_name(t, LISTED)
            must_die(t, server, name, True)
            need(not asked(t, name), "the outside server was asked for it")
            must_live(t, server)
            must_live(t, server, "+tcp")


@own("dns/forward-hook-alone")
def forward_alone(t):
    start(t, policy(hook="forward", more="detect: {dns: {answer: refused}}"))
    dnsmasq(t)
    for family in families(t):
        queued = t.kernel.queued()
        need(dig(t, GATEWAY_IN[family], fresh_name(t, LISTED), kind=kind_of(t))["status"] == "NOERROR", "the resolver does not answer")
        need(t.kernel.queued() == queued, "the resolver's traffic was queued")
        must_die(t, UPSTREAM[family], fresh_name(t, LISTED), True)
        must_live(t, UPSTREAM[family])


@own("dns/allowed")
def allowed(t):
    """An allowed name is allowed with the listed aliases that it has; an exempt host may ask for everything."""
    start(t, policy().replace("good.pool.listed.example", "cname-ok-y.harmless.example"))
    for family in families(t):
        got = dig(t, UPSTREAM[family], "cname-ok-y.harmless.example", kind=kind_of(t))
        need(got["status"] == "NOERROR", f"an allowed name with a listed alias: {got['status']}")
        got = dig(t, UPSTREAM[family], fresh_name(t, LISTED), kind=kind_of(t), source=beds.EXEMPT[family])
        need(got["status"] == "NOERROR", f"an exempt host: {got['status']}")


@own("dns/telltale")
def telltale(t):
    """A name that only a miner asks for: without any list, and the event says so."""
    start(t)
    for family in families(t):
        for name in (TELLTALE, "donate.ssl.xmrig.com", "donate.v3.xmrig.com"):
            must_die(t, UPSTREAM[family], name, False)
            need(not asked(t, name), "the server was asked for it")
            events = until(lambda: [e for e in of_name(t, name) if e["src_ip"] == CLIENT[family]])
            need(len(events) == 1 and events[0]["mining"].get("telltale") is True and events[0]["alert"]["severity"] == 1 and
                 "only a miner" in events[0]["alert"]["signature"], f"events: {events}")
        need(dig(t, UPSTREAM[family], "www.xmrig.com", kind=kind_of(t))["status"] == "NOERROR", "xmrig.com itself is stopped")


@own("dns/retries-are-counted")
def retries(t):
    start(t)
    name = fresh_name(t, LISTED)
    for _ in range(3):
        must_die(t, UPSTREAM[t.family], name, False)
    need(len(of_name(t, name)) == 1, "more than one event in a minute")


# -- what answers teach ---------------------------------------------------------------------------

def nameless(t, address, source=None, port=443):
    """A ClientHello without SNI: how the connection ended."""
    return t.bed.send(address, port, wire.client_hello(None).hex(), "--linger", "0.05", "--source", (source or CLIENT)[t.family],
                      wait=2)["ended"]


LEARN = 'detect: {dns: monitor}'


@own("dns/learnt", "forward", "resolver", "other-family", "tcp")
def learnt(t, how):
    """TLS without SNI to an address that this client was told for a listed name is judged by it."""
    start(t, policy(queues=2, more=LEARN))
    if how == "resolver":
        dnsmasq(t)
    for family in families(t):
        asks = 10 - family if how == "other-family" else family
        server = GATEWAY_IN[asks] if how == "resolver" else UPSTREAM[asks]
        address, harmless = t.fresh(), t.fresh()
        name = fresh_name(t, LISTED, address)
        need(nameless(t, address) == "done", "TLS without SNI does not pass before")
        for about in (name, fresh_name(t, "harmless.example", harmless)):
            got = dig(t, server, about, *(("+tcp",) if how == "tcp" else ()), kind=kind_of(t))
            need(got["status"] == "NOERROR", f"detect.dns monitor: {got['status']}")
        if how != "other-family":       # there the client is known by its link address, and both have the same
            need(nameless(t, address, CLIENT2) == "done", "another client is judged by it")
        need(nameless(t, harmless) == "done", "TLS without SNI to a harmless name's address was stopped")
        need(nameless(t, address) == "reset", "TLS without SNI to the listed name's address passes")
        events = until(lambda: t.daemon.events(address, 443))
        need(len(events) == 1 and events[0]["dns"]["rrname"].lower() == name and events[0]["app_proto"] == "tls", f"{events}")


@own("dns/learnt-and-shared")
def learnt_shared(t):
    """The client has asked for a harmless name at the same address: it may mean that."""
    start(t, policy(more=LEARN))
    for family in families(t):
        for order in (0, 1):
            address = t.fresh()
            names = [fresh_name(t, LISTED, address), fresh_name(t, "harmless.example", address)]
            for name in names[::-1] if order else names:
                dig(t, UPSTREAM[family], name, kind=kind_of(t))
            need(nameless(t, address) == "done", "an ambiguous address was judged")


@own("dns/tenants", "forward", "resolver")
def tenants(t, how):
    """Blocked name first, harmless name second, one client, one address: its DNS answer frees it before it knocks."""
    start(t, policy(queues=2))
    if how == "resolver":
        dnsmasq(t)
    for family in families(t):
        server = UPSTREAM[family] if how == "forward" else GATEWAY_IN[family]
        address = t.fresh()
        got = t.bed.send(address, 443, wire.client_hello(LISTED).hex(), "--linger", "0.05", wait=2)
        need(got["ended"] == "reset", "the listed name was not blocked")
        need(until(lambda: t.kernel.elements("pairs4", "pairs6", address=address)), "no pair was taught")
        need(dig(t, server, fresh_name(t, "harmless.example", address), kind=kind_of(t))["status"] == "NOERROR", "no answer")
        need(not t.kernel.elements("pairs4", "pairs6", address=address), "the answer came before the pair went")
        got = t.bed.curl(address, 443, UNLISTED)
        need(got["code"] == 200, f"the neighbour: {got['why']}")
        got = t.bed.send(address, 443, wire.client_hello(LISTED).hex(), "--linger", "0.05", wait=2)
        need(got["ended"] == "reset", "the listed name was not blocked afterwards")
        need(not t.kernel.elements("pairs4", "pairs6", address=address), "it was taught again")


@own("dns/other-protocols-on-its-port")
def other_protocols(t):
    """Stratum on UDP's or TCP's port 53 is no DNS; what is unknown there ends in the kernel as elsewhere."""
    start(t)
    for family in families(t):
        address = t.fresh()
        need(t.bed.send(address, 53, "stratum-v1")["ended"] == "reset", "Stratum on port 53 passes")
        address, before = t.fresh(), t.kernel.queued()
        got = t.bed.send(address, 53, ("x" * 40).encode().hex(), "--linger", "0.1", wait=0.5)
        need(got["ended"] in ("done", "timeout"), f"unknown bytes: {got['ended']}")
        need(t.kernel.queued() - before <= 2, f"{t.kernel.queued() - before} packets were queued")
