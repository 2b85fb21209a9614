# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of a device in quarantine: what it reaches, by which of its addresses, for how long, and who may put it there."""

import time

import cases_dns
from bed import CLIENT2, GATEWAY_IN, PORTS
from cases_incidents import alerts, attempt, client_mac, incidents, make
from run import LISTED, need, own, until

OPEN = PORTS["http"][0]


def reaches(t, address, port=OPEN):
    return t.bed.send(address, port, "474554", wait=1.0)["ended"] not in ("reset", "refused", "unreachable") and \
        until(lambda: t.log.bytes(address, port), 1)


def with_servers(t, mode="manual", time_="1h", more=""):
    """A policy that allows one server of each family, and another one by a port alone."""
    t.family = 4
    t.allowed = {4: t.fresh()}
    t.by_port = t.fresh()
    t.family = 6
    t.allowed[6] = t.fresh()
    names = ", ".join(f'"{a}"' for a in (*t.allowed.values(), f"{t.by_port}:8080"))
    return make(t, f"quarantine: {{mode: {mode}, time: {time_}, addresses: [{names}]}}\n{more}").start()


def must_be_kept(t):
    for family in (4, 6):
        t.family = family
        need(reaches(t, t.allowed[family]), f"IPv{family}: the allowed server is out of reach")
        other = t.fresh()
        need(not reaches(t, other), f"IPv{family}: another server is reached")
        need(not t.log.packets(other, OPEN), f"IPv{family}: a packet came to another server")
    need(reaches(t, t.by_port, 8080) and not reaches(t, t.by_port, OPEN), "an allowed port is not allowed alone")


@own("quarantine/keeps")
def keeps(t):
    t.daemon = with_servers(t)
    attempt(t)
    t.family = 4
    need(reaches(t, t.fresh()), "nothing is reached before")
    open_flow = t.fresh()
    asked = time.time()
    done = t.daemon.verb("incidents", "quarantine", "1")
    answered = time.time()
    need(done.returncode == 0, f"quarantine: {done.stderr}")
    must_be_kept(t)
    need(not reaches(t, open_flow), "it reaches more")
    t.family = 4
    need(t.bed.client.run("ping", "-c1", "-W1", t.fresh(), check=False).returncode != 0, "ICMP passes")
    # Another address of the same device: its MAC gives it away.
    got = t.bed.send(t.fresh(), OPEN, "474554", "--source", CLIENT2[4], wait=1.0)
    need(got["ended"] in ("reset", "refused", "timeout") and not got.get("received"), f"its second address saw {got}")
    need(t.daemon.json("status")["kernel"]["quarantined"] > 0, "nothing is counted")
    shown = t.daemon.json("status")["quarantine"]
    need(len(shown) == 1 and shown[0]["mac"] == client_mac(t), f"status says {shown}")
    ends = incidents(t, "show", "1")["quarantine_until_s"] - 3600
    need(asked - 2 <= ends <= answered + 2, "the incident does not say how long")
    began = time.monotonic()
    need(t.daemon.verb("incidents", "quarantine", "1", "--for", "3s").returncode == 0, "a second quarantine failed")
    t.family = 4
    need(not reaches(t, t.fresh()) or time.monotonic() - began >= 3, "a shorter time lets it go at once")
    need(until(lambda: reaches(t, t.fresh()), 10), "it does not end")
    need(time.monotonic() - began >= 2.9, "it ended too early")
    need(until(lambda: not t.daemon.json("status")["quarantine"], 12), "the daemon still has it")


@own("quarantine/release-and-reload")
def release(t):
    t.daemon = with_servers(t)
    attempt(t)
    need(t.daemon.verb("incidents", "quarantine", client_mac(t)).returncode == 0, "quarantine failed")
    need(t.daemon.verb("reload").returncode == 0, "the reload failed")
    must_be_kept(t)
    t.family = 4
    need(t.daemon.verb("incidents", "release", "1").returncode == 0, "release failed")
    need(reaches(t, t.fresh()), "it is not released")
    need(t.daemon.verb("incidents", "release", "1").returncode == 1, "a second release has not exit code 1")


def opened(t):
    """{address: (timeout, seconds left)} of what is open by name."""
    return {e["elem"]["val"]: (e["elem"]["timeout"], e["elem"]["expires"]) for o in t.kernel.table()
            if o.get("set", {}).get("name") in ("quarantine_open4", "quarantine_open6") for e in o["set"].get("elem", ())}


def asks(t, name, server, *options, where=None):
    got = cases_dns.dig(t, server, name, *options, kind=cases_dns.kind_of(t), where=where)
    need(got["status"] == "NOERROR", f"{name}: {got['status']}")


def fetches(t, address, name):
    return t.bed.curl(address, 80, name, "http", timeout=2)["code"] == 200


@own("quarantine/names", "resolver", "outside")
def names(t, how):
    """`outside`: a resolver behind the gateway, which is among the addresses."""
    cases_dns.ready(t)
    outside = cases_dns.UPSTREAM if how == "outside" else {}
    addresses = ", ".join(f'"{a}"' for a in outside.values())
    t.daemon = make(t, f'quarantine: {{mode: manual, addresses: [{addresses}], names: [updates.example, "*.cdn.example", {LISTED}]}}\n').start()
    if not outside:
        cases_dns.dnsmasq(t)
    attempt(t)
    kept = {family: outside.get(family, GATEWAY_IN[family]) for family in (4, 6)}
    before = {}
    for t.family in (4, 6):
        before[t.family] = t.fresh()
        asks(t, cases_dns.fresh_name(t, "updates.example", before[t.family]), kept[t.family])
    need(not opened(t), "an answer before the quarantine opened something")
    need(t.daemon.verb("incidents", "quarantine", "1").returncode == 0, "quarantine failed")
    good = {}
    for t.family in (4, 6):
        server = kept[t.family]
        need(not fetches(t, before[t.family], "updates.example"), "what it asked for before is open")
        for options in ((), ("+tcp",)):
            good[t.family], other = t.fresh(), t.fresh()
            name = cases_dns.fresh_name(t, "updates.example", good[t.family])
            need(not fetches(t, good[t.family], name), "it is open before it is asked for")
            asks(t, name, server, *options)
            need(fetches(t, good[t.family], name), f"IPv{t.family} {options}: the named server is out of reach")
            timeout, left = opened(t)[good[t.family]]
            need(timeout == 60 and 50 <= left <= 60, f"a TTL of a minute became {timeout} s, {left} left")
            asks(t, cases_dns.fresh_name(t, "harmless.example", other), server, *options)
            need(not fetches(t, other, "harmless.example"), "another name's server is reached")
            need(not t.log.packets(other, 80), "a packet came to another name's server")
        blocked = t.fresh()
        got = cases_dns.dig(t, server, cases_dns.fresh_name(t, LISTED, blocked), kind=cases_dns.kind_of(t), wait=1)
        need(got["status"] is None and blocked not in opened(t), "a blocked name was opened")
        got = t.bed.curl(good[t.family], 80, LISTED, "http", timeout=2)
        need(got["code"] != 200, "what is open is not judged any more")
    must_close(t, good, kept)


def must_close(t, good, kept):
    """What is open goes with a reload, comes back with the next answer, and goes with the release."""
    need(len(opened(t)) == 4, f"{opened(t)}")
    need(t.daemon.verb("reload").returncode == 0 and not opened(t), "a reload leaves it open")
    for t.family in (4, 6):
        name = cases_dns.fresh_name(t, "a.cdn.example", good[t.family])
        need(not fetches(t, good[t.family], name), "it is reached after a reload")
        asks(t, name, kept[t.family])
        need(fetches(t, good[t.family], name), "it is not opened again after a reload")
    need(len(opened(t)) == 2, f"{opened(t)}")
    need(t.daemon.verb("incidents", "release", "1").returncode == 0 and not opened(t), "the release leaves it open")


@own("quarantine/restart")
def restart(t):
    t.daemon = with_servers(t)
    attempt(t)
    need(t.daemon.verb("incidents", "quarantine", "1").returncode == 0, "quarantine failed")
    need(until(lambda: incidents(t, "show", "1").get("quarantine_until_s")), "the incident does not say so")
    need(t.daemon.stop() == 0, "the daemon did not end well")
    t.family = 4
    need(reaches(t, t.fresh()), "it lasts without the daemon")
    t.daemon.start()
    need(until(lambda: t.daemon.json("status")["quarantine"], 3), "a restart forgot it")
    must_be_kept(t)


@own("quarantine/auto")
def auto(t):
    t.daemon = with_servers(t, "auto")
    attempt(t)
    t.family = 4
    need(reaches(t, t.fresh()), "it came before the alert")
    attempt(t)
    need(until(lambda: t.daemon.json("status")["quarantine"]), "the alert did not bring it")
    need(until(lambda: len(alerts(t)) == 1), "not told")
    must_be_kept(t)


@own("quarantine/off", "default", "monitor")
def off(t, how):
    """Off unless the policy says so, and monitor drops nothing."""
    if how == "default":
        t.daemon = make(t).start()
        attempt(t)
    else:
        t.daemon = make(t, "quarantine: {mode: auto}", mode="monitor", attempts=1).start()
        t.family = 4
        t.bed.send(t.fresh(), 3333, "cryptonote", wait=0.5)
    need(until(lambda: incidents(t)), "no incident")
    done = t.daemon.verb("incidents", "quarantine", "1")
    need(done.returncode == 1 and "off" in done.stderr, f"exit {done.returncode}: {done.stderr}")
    need("quarantine" not in str([o["chain"]["name"] for o in t.kernel.table() if "chain" in o]), "there is a chain for it")
    t.family = 4
    need(reaches(t, t.fresh()), "it reaches nothing")
