# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of what an admin has to be able to trust: that `explain` says what the wire shows, that rules act in their order and let go
when they are taken away, and that reloads disturb nobody and never judge by half a policy."""

import json
import time

import cases_dns
import cases_quic
import wire
from bed import CLIENT, CLIENT2, EXEMPT, GATEWAY_OUT, SERVER
from cases_restart import Talk, reload, taught
from cases_rules import fate, hosts, in_minutes, stratum
from run import ALLOWED, BLOCKED_ADDRESS, FROM_LIST, LISTED, UNLISTED, families, need, own, policy, until

WATCHED, LATER, SPARE, PORTED = ("watched.unlisted.example", "later.unlisted.example", "spare.unlisted.example", "ported.unlisted.example")


def told(t, what, source, *more):
    return json.loads(t.daemon.verb("explain", "--json", "--from", source[t.family], *more, what).stdout)["action"]


@own("explain/agrees-with-the-wire")
def agrees(t):
    """What explain says of a name or an address and a host is what becomes of the connection."""
    more = f"""categories: {{spare: off}}
rules:
- {{name: legal, from: {hosts(CLIENT2)}, to: {{names: [{LISTED}]}}, action: allow}}
- {{name: off, from: {hosts(CLIENT2)}, to: {{lists: [spare]}}, action: block}}
- {{name: strict, from: {hosts(CLIENT2)}, to: {{ports: [8443]}}, action: block}}
- {{name: watch, from: ["{t.bed.client_mac()}"], to: {{names: [{WATCHED}]}}, action: monitor}}
- {{name: port, to: {{names: [{PORTED}], ports: [8443]}}, action: block}}
- {{name: later, when: {{hours: [{in_minutes(10, 60)}]}}, to: {{names: [{LATER}]}}, action: block}}
- {{name: free, to: {{addresses: ["100.65.250.7", "2001:db8:65:0:ba::7"], ports: [443]}}, action: allow}}"""
    text = policy(more=more).replace("lists:\n", "lists:\n  - {name: spare, file: spare.txt, format: plain, category: spare}\n")
    t.daemon = t.make(text, files=[("spare.txt", f"{SPARE}\n")]).start()
    for family in families(t):
        free, blocked, plain = BLOCKED_ADDRESS[family].format(7), BLOCKED_ADDRESS[family].format(8), t.fresh()
        for source, name, port, address, expected in (
                (CLIENT, LISTED, 443, None, "blocked"), (CLIENT2, LISTED, 443, None, "allowed"),
                (CLIENT, f"eu.{LISTED}", 443, None, "blocked"), (CLIENT, ALLOWED, 443, None, "allowed"),
                (CLIENT, FROM_LIST, 443, None, "blocked"), (CLIENT2, FROM_LIST, 443, None, "blocked"),
                (CLIENT, SPARE, 443, None, "not blocked"), (CLIENT2, SPARE, 443, None, "blocked"),
                (CLIENT2, LISTED, 8443, None, "allowed"), (CLIENT2, UNLISTED, 8443, None, "blocked"),
                (CLIENT, PORTED, 8443, None, "blocked"), (CLIENT, PORTED, 443, None, "not blocked"),
                (CLIENT, WATCHED, 443, None, "logged, not blocked"), (CLIENT, LATER, 443, None, "not blocked"),
                (CLIENT, UNLISTED, 443, None, "not blocked"),
                (CLIENT, UNLISTED, 443, free, "allowed"), (CLIENT, UNLISTED, 8443, free, "blocked"),
                (CLIENT, UNLISTED, 443, blocked, "blocked"), (CLIENT, UNLISTED, 443, plain, "not blocked")):
            bracketed = f"[{address}]" if family == 6 else address
            what = f"{bracketed}:{port}" if address else f"{name}:{port}"
            said = told(t, what, source)
            got = t.bed.curl(address or t.fresh(), port, name, source=source[family])
            need(said == expected, f"explain {what} --from {source[family]}: {said}, not {expected}")
            need((got["code"] == 200) == (said != "blocked"), f"{what} of {source[family]}: {said}, but {got}")
        at = time.strftime("%Y-%m-%d %H:%M", time.localtime(time.time() + 1800))
        need(told(t, LATER, CLIENT, "--at", at) == "blocked", "at a time within its hours a rule does not speak")


@own("rules/order")
def order(t):
    """A rule about ports waits for one about names above it; bytes that are no name are its, and it teaches the kernel nothing."""
    more = f"""rules:
- {{name: legal, from: {hosts(CLIENT2)}, to: {{names: [{LISTED}]}}, action: allow}}
- {{name: port, to: {{ports: [8443]}}, action: block}}"""
    t.daemon = t.make(policy(more=more)).start()
    for family in families(t):
        address = t.fresh()
        need(t.bed.curl(address, 8443, LISTED, source=CLIENT2[family])["code"] == 200, "the first rule does not hold")
        need(t.bed.curl(address, 8443, UNLISTED, source=CLIENT2[family])["code"] != 200, "the second rule does not hold")
        junk = b"\x01unknown bytes of no protocol\x02" * 2
        for data in (wire.client_hello(UNLISTED), junk):
            got = t.bed.send(address, 8443, data.hex(), "--linger", "0.05", "--source", CLIENT2[family], wait=1)
            need(got["ended"] == "reset", f"it was {got['ended']}")
            need(data not in t.log.bytes(address, 8443), "its server got the bytes")
        need(not taught(t, address), f"what the first rule may spare was taught: {taught(t, address)}")
        need(t.bed.curl(address, 8443, LISTED, source=CLIENT2[family])["code"] == 200, "the first rule holds no more")
        need(t.bed.curl(address, 8443, LISTED)["code"] != 200, "another host is let")
        need({e["set"].rstrip("46") for e in taught(t, address)} <= {"pairs"}, f"everybody is kept from it: {taught(t, address)}")
        need({e["mining"].get("rule") for e in t.daemon.events(address, 8443)} == {"rules.port"}, "the events name another rule")


@own("rules/taken-away")
def taken_away(t):
    """What a rule taught goes with it; what others taught stays."""
    more = f"rules: [{{name: mine, from: {hosts(CLIENT2)}, to: {{names: [{UNLISTED}]}}, action: block, timeout: 1h}}]"
    t.daemon = t.make(policy(more=more)).start()
    mine, other = {}, {}
    for family in families(t):
        mine[family], other[family] = t.fresh(), t.fresh()
        need(fate(t, mine[family], UNLISTED, CLIENT2) != "ok", "the rule did not block")
        need(stratum(t, other[family], CLIENT) == "reset", "mining was not reset")
        pairs = until(lambda: taught(t, mine[family]), 1)
        need([(e["set"], e["src"]) for e in pairs] == [(f"pairs{family}", CLIENT2[family])] and pairs[0]["expires"] > 3500, f"taught {pairs}")
        need(fate(t, mine[family], UNLISTED, CLIENT) == "ok", "the rule's finding is held against another host")
        need(until(lambda: taught(t, other[family]), 1), "mining taught nothing")
    reload(t, policy())
    for family in families(t):
        need(until(lambda: not taught(t, mine[family]), 1), f"still taught: {taught(t, mine[family])}")
        need(fate(t, mine[family], UNLISTED, CLIENT2) == "ok", "it is still blocked")
        need(taught(t, other[family]), "what a detector taught is gone, too")


@own("rules/quic")
def quic(t):
    """A rule of one detector alone: the name dies over QUIC and lives over TLS."""
    more = f"rules: [{{name: noquic, to: {{names: [{UNLISTED}], detectors: [quic]}}, action: block}}]"
    t.daemon = t.make(policy(more=more)).start()
    for family in families(t):
        address, datagram = t.fresh(), cases_quic.initial(t, UNLISTED, cid=41 + family)
        need(cases_quic.send(t, address, datagram) == ["refused"], "QUIC to the name passes")
        need(not cases_quic.reached(t, address, datagram), "the server got the hello")
        need(fate(t, address, UNLISTED, CLIENT) == "ok", "TLS to the name, too, is blocked")


@own("rules/dns")
def dns(t):
    """Who may use a name may ask for it, through the gateway's resolver and its cache, too; nobody else may."""
    gateway = ", ".join(f'"{a}"' for a in GATEWAY_OUT.values())
    more = f"rules: [{{name: legal, from: [miners, {gateway}], to: {{names: [{LISTED}]}}, action: allow}}]\ngroups: {{miners: {hosts(CLIENT2)}}}"
    cases_dns.start(t, policy(more=more))
    cases_dns.dnsmasq(t)
    for family in families(t):
        for server in (cases_dns.UPSTREAM[family], cases_dns.GATEWAY_IN[family]):
            name = cases_dns.fresh_name(t, LISTED)
            cases_dns.must_die(t, server, name, False, source=CLIENT[family])
            need(not cases_dns.asked(t, name), "the outside server was asked for it")
            got = cases_dns.dig(t, server, name, kind=cases_dns.kind_of(t), source=CLIENT2[family])
            need(got["status"] == "NOERROR" and got["answers"], f"the rule's host gets {got['status']} from {server}")
            cases_dns.must_die(t, server, name, False, source=CLIENT[family])


def generation_policy(odd):
    """Two policies that block the same name, each by another entry, and a host of its own for each besides."""
    text = policy(queues=2, more="rules: [" + (f"{{name: odd, to: {{names: [{LISTED}]}}, action: block, scope: flow}}, " if odd else "") +
                  f"{{name: side, to: {{names: [{'odd' if odd else 'even'}.unlisted.example]}}, action: block, scope: flow}}]")
    return text.replace(f"names: [{LISTED}, ", "names: [" if odd else f"names: [{LISTED}, ").replace("reset: true", "reset: true\n  scope: flow")


@own("reload/steady-stream")
def steady_stream(t):
    """Twenty reloads from one policy to another: new and old connections go on without a stall, what both policies block never passes,
    and each event is of one whole policy."""
    t.family = 4
    t.daemon = t.make(generation_policy(False)).start()
    talk, address, bad = Talk(t), t.fresh(), t.fresh()
    held = [t.fresh() for _ in range(4)]
    try:
        for one in held:
            talk.open(one, wire.http_get(UNLISTED))
        steady = t.bed.load(address, 9, clients=6)
        listed = t.bed.load(bad, 9, clients=4, host=LISTED)
        time.sleep(0.4)
        first = t.daemon.json("status")["generation"]
        for n in range(20):
            reload(t, generation_policy(n % 2 == 0))
            time.sleep(0.2)
        need(t.daemon.json("status")["generation"] == first + 20, "not every reload was one")
        steady, listed = (json.loads(p.communicate(timeout=30)[0]) for p in (steady, listed))
        need(len(steady["good"]) > 100 and not steady["bad"], f"{len(steady['good'])} good, bad: {steady['bad'][:3]}")
        slow = max(end - begin for begin, end in steady["good"])
        need(slow < 0.9, f"one of the connections stalled for {slow:.2f} s")   # a lost packet costs a second
        need(len(listed["bad"]) > 50 and not listed["good"], f"blocked by both policies, but {len(listed['good'])} passed")
        gaps = talk.gaps_ms()
        events = t.daemon.events(bad)
        of = {(e["mining"]["generation"] - first) % 2: set() for e in events}
        for e in events:
            of[(e["mining"]["generation"] - first) % 2].add(e["mining"]["rule"])
        need(of == {0: {"block.names"}, 1: {"rules.odd"}}, f"events by half a policy: {of}")
    finally:
        talk.close()
    need(len(gaps) == 4 and max(gaps) < 900, f"open connections were silent for {gaps} ms")


def on_wire(t, address, port):
    return [e for e in t.log.read() if e["kind"] == "wire" and e["local"] == t.log.key(address, port)]


@own("hygiene/whom-it-leaves-alone")
def hygiene_spares(t):
    """UDP is refused as TCP is; exempt hosts and the LAN's own networks are left alone, and so is all once a reload takes it away."""
    services = ((445, False), (139, False), (3389, False), (137, True), (138, True), (3389, True))

    def knock(address, port, udp, source=CLIENT):
        if udp:
            cases_quic.send(t, address, "01" * 50, port=port)
        else:
            t.bed.send(address, port, "00", "--linger", "0.05", "--source", source[t.family], wait=1)
        return bool(until(lambda: on_wire(t, address, port), 0.2))

    t.daemon = t.make(policy(more="hygiene: {smb: block, netbios: block, rdp: block}")).start()
    for family, network, inside in ((4, "192.168.77.0/24", "192.168.77.7"), (6, "fd77::/64", "fd77::7")):
        t.family = family
        for port, udp in services:
            need(not knock(t.fresh(), port, udp), f"port {port} was reached (UDP: {udp})")
        t.bed.gateway.ip(f"-{family}", "route", "replace", network, "via", SERVER[family])
        need(knock(inside, 445, False), "a private address was not reached")
        need(knock(t.fresh(), 445, False, EXEMPT), "an exempt host was refused")
    counted = {(e["src"], e["proto"], e["port"]) for e in t.kernel.elements("tries4", "tries6")}
    need(len(counted) == 12 and {c[0] for c in counted} == set(CLIENT.values()), f"counted: {counted}")
    reload(t, policy(mode="monitor", more="hygiene: {smb: block}"))
    for family in families(t):
        need(knock(t.fresh(), 445, False), "mode monitor refuses")
        need(knock(t.fresh(), 137, True), "switched off, it still refuses")
    t.daemon.stop()
    rules = {(e["mining"]["rule"], e["alert"]["action"]) for e in t.daemon.events()}
    need({("hygiene.smb", "blocked"), ("hygiene.netbios", "blocked"), ("hygiene.rdp", "blocked")} <= rules, f"events: {rules}")
