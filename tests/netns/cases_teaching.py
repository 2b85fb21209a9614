# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of run.py about what the kernel is taught and what not: pairs by name, endpoints by protocol, other tenants of
an address, unlearning, allowances and pauses. Registered by being imported."""

import time

import bed as beds
import wire
from bed import CLIENT, CLIENT2, EXEMPT
from run import BELOW, LISTED, UNLISTED, families, need, own, policy, until

LEARNT = ("endpoints4", "endpoints6", "pairs4", "pairs6")


def hello(t, address, name, source=None, port=443):
    """A ClientHello from one of the clients: how the connection ended."""
    got = t.bed.send(address, port, wire.client_hello(name).hex(), "--linger", "0.05", "--source",
                     (source or CLIENT)[t.family], wait=2)
    return got["ended"]


def passes(t, address, name, source=None):
    got = t.bed.curl(address, 443, name, source=(source or CLIENT)[t.family])
    need(got["code"] == 200, f"{name} from {(source or CLIENT)[t.family]} at {address}: {got['why']}")


def taught(t, address):
    return t.kernel.elements(*LEARNT, address=address)


def sets_of(t, address, seconds=1.0):
    """Names of the sets that hold it, once it is there."""
    until(lambda: taught(t, address), seconds)
    return sorted({e["set"].rstrip("46") for e in taught(t, address)})


def shape(t, address):
    """[(set, source or None, protocol, port)] of what was taught about the address."""
    until(lambda: taught(t, address), 1)
    return sorted((e["set"].rstrip("46"), e["src"] or "", str(e["proto"]), e["port"]) for e in taught(t, address))


@own("teach/name-is-a-pair", 1, 2)
def name_is_a_pair(t, queues):
    """Another client, another port and another address stay as they were."""
    t.daemon = t.make(policy(queues=queues)).start()
    for family in families(t):
        address = t.fresh()
        need(hello(t, address, LISTED) == "reset", "a listed name was not blocked")
        got = shape(t, address)
        need(len(got) == 1 and got[0][0] == "pairs" and got[0][1] == CLIENT[family] and got[0][3] == 443, f"taught {got}")
        queued = t.kernel.queued()
        need(hello(t, address, BELOW) == "refused", "the pair does not hold")
        need(t.kernel.queued() == queued, "the pair asked the daemon")
        need(hello(t, address, LISTED, port=8443) == "reset", "another port was not judged for itself")
        need(hello(t, address, LISTED, CLIENT2) == "reset", "another client was not judged for itself")
        need(t.kernel.queued() > queued, "another client was not judged at all")


@own("teach/protocol-is-an-endpoint", 1, 2)
def protocol_is_an_endpoint(t, queues):
    """For every client, at this port only."""
    t.daemon = t.make(policy(queues=queues)).start()
    for family in families(t):
        address = t.fresh()
        need(t.bed.send(address, 3333, "stratum-v1")["ended"] == "reset", "a Stratum login was not blocked")
        got = shape(t, address)
        need(len(got) == 1 and got[0][0] == "endpoints" and got[0][3] == 3333, f"taught {got}")
        queued = t.kernel.queued()
        again = t.bed.send(address, 3333, "00", "--source", CLIENT2[family], wait=1)
        need(again["ended"] == "refused", f"another client at the endpoint: {again['ended']}")
        need(t.kernel.queued() == queued, "the endpoint asked the daemon")
        passes(t, address, UNLISTED)


@own("tenants/unlisted-first", "one-client", "two-clients")
def unlisted_first(t, clients):
    """Who shares an address with a blocked name and was seen there is never taught away, over two workers."""
    t.daemon = t.make(policy(queues=2)).start()
    other = CLIENT if clients == "one-client" else CLIENT2
    for family in families(t):
        address = t.fresh()
        passes(t, address, UNLISTED)
        for _ in range(4):      # other ports of the client, so both workers are asked
            need(hello(t, address, LISTED, other) == "reset", "the listed name was not blocked")
            passes(t, address, UNLISTED)
            passes(t, address, UNLISTED, other)
        need(not taught(t, address), f"taught {shape(t, address)}")


@own("tenants/blocked-first/one-client")
def blocked_first_alone(t):
    """The client's own pair hides its later names until it ends; from the first unlisted one on there is none any more."""
    text = policy(queues=2).replace("  reset: true", "  reset: true\n  timeout: {pair: 2s}")
    t.daemon = t.make(text).start()
    for family in families(t):
        address = t.fresh()
        need(hello(t, address, LISTED) == "reset", "the listed name was not blocked")
        need(until(lambda: not taught(t, address), 4), "the pair does not end")
        for _ in range(3):
            passes(t, address, UNLISTED)
            need(hello(t, address, LISTED) == "reset", "the listed name was not blocked afterwards")
        need(not taught(t, address), "it was taught again")


@own("tenants/blocked-first/two-clients")
def blocked_first(t):
    """The first unlisted name from anybody ends what a name has taught."""
    t.daemon = t.make(policy(queues=2)).start()
    for family in families(t):
        address = t.fresh()
        need(hello(t, address, LISTED) == "reset", "the listed name was not blocked")
        need(sets_of(t, address) == ["pairs"], "no pair was taught")
        passes(t, address, UNLISTED, CLIENT2)
        need(until(lambda: not taught(t, address), 1), "the pair was not unlearnt")
        passes(t, address, UNLISTED)
        need(hello(t, address, LISTED) == "reset", "the listed name was not blocked afterwards")
        need(not taught(t, address), "it was taught again")
        passes(t, address, UNLISTED)


@own("tenants/blocked-first-by-http")
def blocked_first_http(t):
    t.daemon = t.make(policy()).start()
    for family in families(t):
        address = t.fresh()
        need(t.bed.send(address, 80, wire.http_get(LISTED).hex())["ended"] == "reset", "the listed name was not blocked")
        need(sets_of(t, address) == ["pairs"], "no pair was taught")
        got = t.bed.curl(address, 80, UNLISTED, "http", source=CLIENT2[family])
        need(got["code"] == 200, f"another client: {got['why']}")
        need(until(lambda: not taught(t, address), 1), "the pair was not unlearnt")
        got = t.bed.curl(address, 80, UNLISTED, "http")
        need(got["code"] == 200, f"the same client: {got['why']}")


@own("tenants/protocol-is-never-unlearnt")
def protocol_stays(t):
    """A client chooses its names: an unlisted one cannot free an endpoint where mining was spoken."""
    t.daemon = t.make(policy(queues=2)).start()
    for family in families(t):
        address = t.fresh()
        passes(t, address, UNLISTED, CLIENT2)
        need(t.bed.send(address, 443, "stratum-v1")["ended"] == "reset", "a Stratum login was not blocked")
        need(sets_of(t, address) == ["endpoints"], f"taught {sets_of(t, address)}")
        need(hello(t, address, UNLISTED, CLIENT2) == "refused", "an unlisted name got through to the endpoint")
        need(hello(t, address, UNLISTED, CLIENT2, port=8443) == "done", "another port suffers, too")
        need(sets_of(t, address) == ["endpoints"], "the endpoint was unlearnt")


@own("teach/shared-range")
def shared_range(t):
    """In the policy's shared ranges a name ends only its own flow; the protocol is still learnt."""
    t.daemon = t.make(policy(more='shared: ["100.65.0.0/17", "2001:db8:65::/64"]')).start()
    for family in families(t):
        address = t.fresh()
        for _ in range(2):
            need(hello(t, address, LISTED) == "reset", "the listed name was not blocked")
        need(not taught(t, address), f"a name taught {shape(t, address)}")
        need(t.bed.send(address, 3333, "cryptonote")["ended"] == "reset", "a Stratum login was not blocked")
        need(sets_of(t, address) == ["endpoints"], f"the protocol taught {sets_of(t, address)}")


SCOPES = {"flow": ([], []), "pair": (["pairs"], ["pairs"]), "endpoint": (["endpoints"], ["endpoints"])}


@own("teach/scope", *SCOPES)
def scope(t, word):
    """`scope:` of the policy instead of what the evidence would teach."""
    text = policy().replace("  reset: true", f"  reset: true\n  scope: {word}")
    t.daemon = t.make(text + f"detect: {{stratum: {{action: block, scope: {word}}}}}\n").start()
    for family in families(t):
        by_name, by_protocol = t.fresh(), t.fresh()
        need(hello(t, by_name, LISTED) == "reset", "the listed name was not blocked")
        need(t.bed.send(by_protocol, 3333, "stratum-v1")["ended"] == "reset", "a Stratum login was not blocked")
        for address, wanted in zip((by_name, by_protocol), SCOPES[word]):
            got = sets_of(t, address, 1 if wanted else 0.2)
            need(got == wanted, f"IPv{family}: taught {got}, not {wanted}")


@own("teach/life-as-the-policy-says")
def lives(t):
    """Elements end by themselves; what comes then is judged anew and taught anew."""
    text = policy().replace("  reset: true", "  reset: true\n  timeout: {endpoint: 3s, pair: 2s}")
    t.daemon = t.make(text).start()
    for family in families(t):
        pair, endpoint = t.fresh(), t.fresh()
        hello(t, pair, LISTED)
        t.bed.send(endpoint, 3333, "stratum-v1")
        lives = [(e["timeout"], e["expires"]) for a in (pair, endpoint) for e in taught(t, a)]
        need([a for a, _ in lives] == [2, 3], f"lives of {lives}, not 2 and 3 s")
        need(until(lambda: not taught(t, pair) and not taught(t, endpoint), 5), "they do not end")
        queued = t.kernel.queued()
        need(hello(t, pair, LISTED) == "reset" and t.kernel.queued() > queued, "the next one was not judged")
        need(sets_of(t, pair) == ["pairs"], "the next one was not taught")


@own("allow-for", "name", "address", "host", "reload-keeps-it")
def allow_for(t, what):
    """Unblocks and allows at once, until it is over."""
    t.daemon = t.make(policy()).start()
    seconds = int(3 * beds.SLOW)
    for family in families(t):
        address = t.fresh()
        need(hello(t, address, LISTED) == "reset", "the listed name was not blocked")
        need(sets_of(t, address) == ["pairs"], "nothing was taught")
        target = {"address": address, "host": CLIENT[family]}.get(what, LISTED)
        done = t.daemon.verb("allow", target, "--for", f"{seconds}s")
        begin = time.monotonic()
        need(done.returncode == 0, f"allow: exit {done.returncode}: {done.stderr.strip()}")
        need(not taught(t, address), f"it is still taught: {shape(t, address)}")
        if what == "reload-keeps-it":
            need(t.daemon.verb("reload").returncode == 0, "reload failed")
        passes(t, address, LISTED)
        need(t.bed.send(t.fresh(), 3333, "stratum-v1")["ended"] == ("done" if what == "host" else "reset") or what == "host",
             "it allows more than it says")
        time.sleep(max(0.0, begin + seconds + 1.2 - time.monotonic()))
        need(hello(t, address, LISTED) == "reset", "it is still allowed after its time")


@own("allow-for/wrong", "nothing", "no-duration", "not-running")
def allow_wrong(t, what):
    t.daemon = t.make(policy())
    if what != "not-running":
        t.daemon.start()
    words = {"nothing": (), "no-duration": (LISTED,), "not-running": (LISTED, "--for", "1h")}[what]
    done = t.daemon.verb("allow", *words)
    need(done.returncode == (3 if what == "not-running" else 2), f"exit {done.returncode}: {done.stderr.strip()}")
    need(done.stderr.strip(), "it says nothing")


@own("pause", "ends-by-itself", "off")
def pause(t, how):
    """Nothing is judged or blocked meanwhile; what was learnt is back afterwards."""
    t.daemon = t.make(policy()).start()
    addresses = {}
    for family in families(t):
        addresses[family] = t.fresh()
        need(t.bed.send(addresses[family], 3333, "stratum-v1")["ended"] == "reset", "a Stratum login was not blocked")
        need(sets_of(t, addresses[family]) == ["endpoints"], "no endpoint was taught")
    done = t.daemon.verb("pause", "3s" if how == "ends-by-itself" else "1h")
    begin = time.monotonic()
    need(done.returncode == 0, f"pause: exit {done.returncode}: {done.stderr.strip()}")
    for family in families(t):
        need(t.bed.send(addresses[family], 3333, "stratum-v1", "--linger", "0.05")["ended"] == "done", "the endpoint is blocked")
        passes(t, t.fresh(), LISTED)
    need(t.daemon.verb("status").returncode == 0, "status during a pause")
    if how == "off":
        need(t.daemon.verb("pause", "off").returncode == 0, "pause off failed")
    else:
        time.sleep(max(0.0, begin + 4.2 - time.monotonic()))
    for family in families(t):
        queued = t.kernel.queued()
        ended = t.bed.send(addresses[family], 3333, "stratum-v1", wait=1)["ended"]
        need(ended == "refused" and t.kernel.queued() == queued, f"the endpoint after the pause: {ended}")
        need(hello(t, t.fresh(), LISTED) == "reset", "names are not judged after the pause")


@own("pause/allow-meanwhile")
def allow_in_pause(t):
    """An allowance made during a pause holds for what was put aside; unblock says why it cannot."""
    t.daemon = t.make(policy()).start()
    for family in families(t):
        address = t.fresh()
        need(hello(t, address, LISTED) == "reset" and sets_of(t, address) == ["pairs"], "the listed name taught no pair")
        need(t.daemon.verb("pause", "1h").returncode == 0, "pause failed")
        need("pause" in t.daemon.verb("unblock", address).stderr, "unblock does not speak of the pause")
        need(t.daemon.verb("allow", LISTED, "--for", "1h").returncode == 0, "allow during a pause failed")
        need(t.daemon.verb("pause", "off").returncode == 0, "pause off failed")
        need(not taught(t, address), f"what is allowed is taught again: {shape(t, address)}")
        passes(t, address, LISTED)
        need(t.daemon.verb("allow", LISTED, "--for", "0").returncode == 0, "the allowance cannot be taken back")


@own("explain/host-with-port")
def explain_port(t):
    """The event of a Host header with a port is explained by its name."""
    t.daemon = t.make(policy()).start()
    for family in families(t):
        t.bed.send(t.fresh(), 8080, ("GET / HTTP/1.1\r\nHost: %s:8080\r\n\r\n" % LISTED).encode().hex())
    events = until(lambda: t.daemon.events(), 3)
    done = t.daemon.verb("explain", "#" + events[-1]["mining"]["id"])
    need(done.returncode == 0 and "block.names" in done.stdout, f"exit {done.returncode}: {done.stdout}{done.stderr}")


@own("explain")
def explain(t):
    """0: it is blocked, 1: it is not; by which entry, and what was learnt."""
    t.daemon = t.make(policy()).start()
    for name, code, word in ((BELOW, 0, LISTED), (UNLISTED, 1, ""), ("good." + LISTED, 1, "allow")):
        done = t.daemon.verb("explain", name)
        need(done.returncode == code and word in done.stdout, f"explain {name}: exit {done.returncode}: {done.stdout}{done.stderr}")
    for family in families(t):
        address = t.fresh()
        need(t.daemon.verb("explain", address).returncode == 1, "an address that nobody knows is blocked")
        need(t.bed.send(address, 3333, "stratum-v1")["ended"] == "reset", "a Stratum login was not blocked")
        until(lambda: taught(t, address), 1)
        asked = f"[{address}]:3333" if family == 6 else f"{address}:3333"
        for target in (address, asked):
            done = t.daemon.verb("explain", target)
            need(done.returncode == 0 and "stratum" in done.stdout, f"explain {target}: exit {done.returncode}: {done.stdout}")
        event = until(lambda: t.daemon.events(address))[0]
        done = t.daemon.verb("explain", "#" + event["mining"]["id"])
        need(done.returncode == 0 and address in done.stdout, f"explain of the event: exit {done.returncode}: {done.stdout}")
        need("blocked" in done.stdout.splitlines()[1] and "by detect.stratum" in done.stdout, f"it is explained so: {done.stdout}")


@own("explain/what-is-allowed")
def explain_allowed(t):
    """An allowance says where it ends: a name does not allow Stratum in the clear, nor a device the gateway's resolver."""
    t.daemon = t.make(policy()).start()
    done = t.daemon.verb("explain", "good." + LISTED)
    need("in the clear: blocked (detect.stratum); it carries no name" in done.stdout, f"of an allowed name: {done.stdout}")
    done = t.daemon.verb("explain", LISTED, "--from", EXEMPT[4])
    need(done.returncode == 1 and "the query that leads outside is the gateway's own" in done.stdout, f"of a device: {done.stdout}")
    for what in ("two words", "192.0.2.7:x", "*.example.org"):
        done = t.daemon.verb("explain", what)
        need(done.returncode == 2 and "is neither a name nor an address" in done.stderr, f"of '{what}': {done.stdout}{done.stderr}")
