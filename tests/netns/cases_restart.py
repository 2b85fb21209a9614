# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of run.py about everything that changes under running traffic: reload, restart, reboot, other programs that
flush our table. Registered by being imported."""

import json
import os
import select
import shutil
import signal
import subprocess
import time

import bed as beds
import wire
from bed import CLIENT, STATES
from run import BLOCKED_ADDRESS, FROM_LIST, LISTED, UNLISTED, Skipped, families, need, own, policy, until

TALK_PORT = 9400
LEARNT = ("endpoints4", "endpoints6", "pairs4", "pairs6")
SECOND = "second.unlisted.example"


class Talk:
    """Connections through the gateway that talk all the time; `server` sees their ends, too."""

    def __init__(self, t):
        self.t = t
        self.clients = {}
        self.ends = {}
        self.server = self.start(t.bed.server, "server", TALK_PORT)
        need(self.line(self.server, 5) == "ready", "the talking server does not start")

    @staticmethod
    def start(namespace, *argv):
        return namespace.start(*beds.PYTHON, os.path.join(beds.HERE, "talker.py"), *argv, stdout=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, bufsize=0)

    @staticmethod
    def line(process, seconds):
        """The next line, unbuffered so that select sees the one behind it."""
        readable, _, _ = select.select([process.stdout], [], [], max(0.0, seconds))
        return process.stdout.readline().decode().strip() if readable else None

    def open(self, address, data):
        client = self.clients[address] = self.start(self.t.bed.client, "client", address, TALK_PORT, data.hex(),
                                                    CLIENT[6 if ":" in address else 4])
        need(self.line(client, 5) == "open", f"no connection to {address}")

    def ended(self, address, seconds):
        """How the client and the server saw its end within this time; None: it goes on."""
        deadline = time.monotonic() + seconds
        said = self.line(self.clients[address], seconds)
        while address not in self.ends and said:
            line = self.line(self.server, deadline - time.monotonic() + 0.5)
            if not line:
                break
            end = json.loads(line)
            self.ends[end["at"]] = end["ended"]
        return json.loads(said)["ended"] if said else None, self.ends.get(address)

    def gaps_ms(self):
        """Stops the clients; the longest silence that each has heard of its server. None of them may have ended before."""
        for process in self.clients.values():
            process.terminate()
        ends = [json.loads(self.line(process, 3) or "{}") for process in self.clients.values()]
        need(all(end.get("ended") == "stopped" for end in ends), f"open connections ended: {ends}")
        return [end["silence_ms"] for end in ends]

    def close(self):
        for process in (*self.clients.values(), self.server):
            process.kill()
            process.wait(5)
            process.stdout.close()


def taught(t, address):
    return t.kernel.elements(*LEARNT, address=address)


def teach(t, address=None):
    """An endpoint that the kernel holds from now on."""
    address = address or t.fresh()
    need(t.bed.send(address, 3333, "stratum-v1")["ended"] == "reset", "a Stratum login was not blocked")
    need(until(lambda: taught(t, address), 1), "nothing was taught")
    return address


def reload(t, text):
    t.daemon.write("policy.yaml", text)
    done = t.daemon.verb("reload")
    need(done.returncode == 0, f"reload: exit {done.returncode}: {done.stderr.strip()}")


def with_name(name):
    return policy().replace(f"names: [{LISTED},", f"names: [{LISTED}, {name},")


@own("reload/cuts-open-flows", "by-name", "by-address", "by-list", "two-workers")
def reload_cuts(t, by):
    """Accepted before, blocked now: both sides are reset within 5 s; what is not meant goes on."""
    t.daemon = t.make(policy(queues=2 if by == "two-workers" else 1)).start()
    talk = Talk(t)
    try:
        meant, other = {}, {}
        for family in families(t):
            t.number += 1
            meant[family], other[family] = t.fresh(), t.fresh()
            talk.open(meant[family], wire.http_get(SECOND))
            talk.open(other[family], wire.http_get(UNLISTED))
        if by == "by-address":
            listed = ", ".join(f'"{a}"' for a in meant.values())
            reload(t, policy().replace("  addresses: [", f"  addresses: [{listed}, ", 1))
        elif by == "by-list":
            t.daemon.write("miners.txt", f"0.0.0.0 {SECOND}\n")
            reload(t, policy())
        else:
            reload(t, with_name(SECOND) if by == "by-name" else with_name(SECOND).replace("count: 1", "count: 2"))
        for family in families(t):
            need(talk.ended(meant[family], 5) == ("reset", "reset"), f"IPv{family}: {talk.ends.get(meant[family])} at the server")
        for family in families(t):
            need(talk.ended(other[family], 0.3)[0] is None, f"IPv{family}: an innocent connection ended")
    finally:
        talk.close()


@own("teach/ends-open-flows", 1, 2)
def teach_ends(t, queues):
    """A flow that was let go is ended when its endpoint is taught, though the kernel does not look it up any more; another's goes on."""
    t.daemon = t.make(policy(queues=queues)).start()
    talk = Talk(t)
    try:
        for family in families(t):
            meant, other = t.fresh(), t.fresh()
            for address in (meant, other):
                talk.open(address, wire.client_hello(UNLISTED))
                need(until(lambda a=address: any(STATES[f["state"]] == "pass" for f in t.kernel.flows(family, a, TALK_PORT)), 2),
                     f"IPv{family}: the flow is not let go")
            need(t.bed.send(meant, TALK_PORT, "stratum-v1")["ended"] == "reset", "a Stratum login was not blocked")
            need(talk.ended(meant, 3 * beds.SLOW) == ("reset", "reset"), f"IPv{family}: {talk.ends.get(meant)} at the server")
            need(talk.ended(other, 0.3)[0] is None, f"IPv{family}: an innocent connection ended")
    finally:
        talk.close()


DNAT = """
table inet bed_dnat {
	chain pre {
		type nat hook prerouting priority dstnat - 5; policy accept;
		meta l4proto tcp ip daddr 192.0.2.99 dnat ip to %s
		meta l4proto tcp ip6 daddr 2001:db8:99::1 dnat ip6 to %s
	}
}
"""
BEHIND = {4: "192.0.2.99", 6: "2001:db8:99::1"}


@own("teach/ends-flows-behind-dnat", "taught", "policy", "name")
def teach_ends_dnat(t, by):
    """A flow that the gateway leads elsewhere is ended by what the address behind it is, not by the one that the client asked for; and
    by its name, where its source stays the client's."""
    t.bed.set_masquerade(by != "name")
    t.daemon = t.make(policy()).start()
    t.bed.gateway.run("nft", "delete", "table", "inet", "bed_dnat", check=False)
    behind = {}
    for family in families(t):
        behind[family] = t.fresh()
    t.bed.gateway.nft(DNAT % (behind.get(4, "192.0.2.98"), behind.get(6, "2001:db8:99::2")))
    talk = Talk(t)
    try:
        for family in families(t):
            talk.open(BEHIND[family], wire.client_hello(UNLISTED))
            need(until(lambda f=family: any(STATES[x["state"]] == "pass" for x in t.kernel.flows(f, BEHIND[f], TALK_PORT)), 2),
                 f"IPv{family}: the flow is not let go")
        if by == "policy":
            now = ", ".join(f'"{address}"' for address in behind.values())
            reload(t, policy().replace('addresses: ["100.65.250', f'addresses: [{now}, "100.65.250'))
        if by == "name":
            reload(t, with_name(UNLISTED))
        for family in families(t):
            if by == "taught":
                need(t.bed.send(behind[family], TALK_PORT, "stratum-v1")["ended"] == "reset", "a Stratum login was not blocked")
            need(until(lambda f=family: all(STATES[x["state"]] == "blocked" for x in t.kernel.flows(f, BEHIND[f], TALK_PORT)), 2),
                 f"IPv{family}: {[x['text'] for x in t.kernel.flows(family, BEHIND[family], TALK_PORT)]}")
            need(talk.ended(BEHIND[family], 3 * beds.SLOW)[0] == "reset", f"IPv{family}: the client is not told")
    finally:
        talk.close()
        t.bed.gateway.run("nft", "delete", "table", "inet", "bed_dnat", check=False)
        t.bed.set_masquerade(True)


@own("reload/broken-policy-changes-nothing")
def reload_broken(t):
    t.daemon = t.make(policy()).start()
    address = teach(t)
    handle = t.kernel.handle()
    t.daemon.write("policy.yaml", policy().replace("mode: enforce", "mode: perhaps"))
    done = t.daemon.verb("reload")
    need(done.returncode == 4 and "policy.yaml:2:" in done.stderr, f"exit {done.returncode}: {done.stdout}{done.stderr}")
    t.daemon.write("policy.yaml", policy())
    need(t.kernel.handle() == handle and taught(t, address), "the table has changed")
    for family in families(t):
        need(t.bed.send(t.fresh(), 3333, "stratum-v1")["ended"] == "reset", "the old policy no longer blocks")


@own("reload/new-names-count", "policy", "list")
def reload_names(t, where):
    t.daemon = t.make(policy()).start()
    for family in families(t):
        need(t.bed.curl(t.fresh(), 443, SECOND)["code"] == 200, "an unlisted name was blocked before")
    if where == "list":
        t.daemon.write("miners.txt", f"0.0.0.0 {SECOND}\n")
        reload(t, policy())
    else:
        reload(t, with_name(SECOND))
    for family in families(t):
        got = t.bed.send(t.fresh(), 443, wire.client_hello(SECOND).hex())
        need(got["ended"] == "reset", f"a name that is listed now: {got['ended']}")


@own("reload/lets-go", "name", "list", "address-allowed", "host-exempt", "monitor")
def reload_lets_go(t, what):
    """What the new policy does not want is no longer blocked; what another rule taught is."""
    t.daemon = t.make(policy()).start()
    name = FROM_LIST if what == "list" else LISTED
    by_name, by_protocol = {}, {}
    for family in families(t):
        by_name[family], by_protocol[family] = t.fresh(), teach(t)
        need(t.bed.send(by_name[family], 443, wire.client_hello(name).hex())["ended"] == "reset", "the name was not blocked")
        need(until(lambda: taught(t, by_name[family]), 1), "no pair was taught")
    addresses = ", ".join(f'"{a}"' for a in (*by_name.values(), *by_protocol.values()))
    changed = {"name": policy().replace(f"names: [{LISTED}, ", "names: ["), "list": policy(),
               "address-allowed": policy().replace('  addresses: ["100.65.251', f'  addresses: [{addresses}, "100.65.251'),
               "host-exempt": policy().replace("hosts: [", f'hosts: [{CLIENT[4]}, "{CLIENT[6]}", '),
               "monitor": policy(mode="monitor")}[what]
    if what == "list":
        t.daemon.write("miners.txt", "0.0.0.0 somebody.else.example\n")
    reload(t, changed)
    for family in families(t):
        need(until(lambda: not taught(t, by_name[family]), 1), f"IPv{family}: the pair is still taught")
        got = t.bed.curl(by_name[family], 443, name)
        need(got["code"] == 200, f"IPv{family}: the name after the reload: {got['why']}")
        kept = bool(taught(t, by_protocol[family]))
        need(kept == (what in ("name", "list")) or what == "host-exempt",
             f"IPv{family}: the endpoint is {'still' if kept else 'no longer'} taught")


@own("reload/under-load", 1, 2)
def reload_under_load(t, queues):
    """Nobody notices a reload."""
    t.daemon = t.make(policy(queues=queues)).start()
    load = t.bed.load(t.fresh(), 3, clients=8)
    time.sleep(0.5)
    for n in range(6):
        reload(t, policy(queues=queues).replace(f"names: [{LISTED},", f"names: [{LISTED}, r{n}.example,"))
        time.sleep(0.2)
    result = json.loads(load.communicate(timeout=20)[0])
    need(len(result["good"]) > 100, f"only {len(result['good'])} connections")
    need(not result["bad"], f"{len(result['bad'])} connections failed: {result['bad'][:2]}")


DAMAGE = {
    "flush-ruleset": "flush ruleset",
    "delete-table": "delete table inet minewall",
    "flush-table": "flush table inet minewall",
    "delete-rule": None,
    "flush-sets": "flush set inet minewall endpoints4\nflush set inet minewall endpoints6\n",
}


def one_rule(t):
    """A command that deletes a rule in the middle of the table."""
    rules = [o["rule"] for o in t.kernel.table() if "rule" in o and o["rule"]["chain"] == "original"]
    return f"delete rule inet minewall original handle {rules[-1]['handle']}"


def owned(t):
    """The daemon, if its kernel lets nobody else change the table."""
    t.daemon = t.make(policy()).start()
    if "flags owner" not in t.bed.gateway.run("nft", "list", "table", "inet", "minewall").stdout:
        raise Skipped("this kernel has no owned tables that outlive their owner (Linux 6.9)")


@own("owned-table-cannot-be-harmed", *DAMAGE)
def unharmed(t, how):
    """Nobody else can change it; `flush ruleset` passes over it."""
    owned(t)
    addresses = {family: teach(t) for family in families(t)}
    before = t.kernel.handle()
    done = t.bed.gateway.run("nft", "-f", "-", text_in=DAMAGE[how] or one_rule(t), check=False)
    try:
        if how == "flush-ruleset":
            need(done.returncode == 0, "nft cannot even flush the other tables")
        else:
            need(done.returncode and "not permitted" in done.stderr, f"nft did it: {done.stderr.strip()}")
        need(t.kernel.handle() == before and all(taught(t, a) for a in addresses.values()), "the table has changed")
        need("another program" not in t.daemon.said(), "the daemon made it again for nothing")
    finally:
        if how == "flush-ruleset":
            t.bed.gateway.nft(beds.FIREWALL)
            t.bed.set_masquerade(True)
    for family in families(t):
        need(t.bed.send(addresses[family], 3333, "stratum-v1", wait=1)["ended"] == "refused", "the endpoint is not refused")
        need(t.bed.send(t.fresh(), 3333, "stratum-v1")["ended"] == "reset", "a new login is not blocked")


@own("owned-table-after-a-crash", "restart-at-once", "stop", "nft", "flush-ruleset")
def orphaned(t, how):
    """It goes on without its owner, and then anybody may take it: the next daemon, `minewall stop`, or the admin's nft."""
    owned(t)
    address = teach(t)
    t.daemon.process.kill()
    t.daemon.process.wait(5)
    # as text: an nft older than the kernel writes broken JSON for a flag that it does not know
    need(address in t.bed.gateway.run("nft", "list", "table", "inet", "minewall").stdout, "the endpoint went with the daemon")
    if how == "restart-at-once":
        t.daemon.start()
        need(taught(t, address), "the next daemon did not adopt the endpoint")
        done = t.bed.gateway.run("nft", "delete", "table", "inet", "minewall", check=False)
        need(done.returncode, "the next daemon does not own the table")
        return
    if how == "stop":
        done = t.daemon.verb("stop")
        need(done.returncode == 0, f"stop: exit {done.returncode}: {done.stderr}")
    else:
        t.bed.gateway.nft(DAMAGE["delete-table" if how == "nft" else how])
    need("inet minewall" not in t.kernel.tables(), "the table is still there")
    if how == "flush-ruleset":
        t.bed.gateway.nft(beds.FIREWALL)
        t.bed.set_masquerade(True)


@own("owned-by-another-program")
def another_owner(t):
    """A table of our name that lives and belongs to somebody else: not touched, and said."""
    other = t.bed.gateway.start("nft", "-i", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    try:
        other.stdin.write("add table inet minewall { flags owner; }\n")
        other.stdin.flush()
        need(until(lambda: "inet minewall" in t.kernel.tables(), 2), "nft made no table")
        t.daemon = t.make(policy())
        done = t.daemon.verb("run")
        need(done.returncode == 5 and "belongs to another process" in done.stderr, f"exit {done.returncode}: {done.stderr.strip()}")
        need("inet minewall" in t.kernel.tables(), "the other program's table is gone")
    finally:
        other.kill()
        other.wait(5)
        t.bed.gateway.run("nft", "delete", "table", "inet", "minewall", check=False)


@own("damaged-table-comes-back", *DAMAGE)
def damaged(t, how):
    """Within a second, with all that was learnt; and the gap is said. Where others can change it: in older kernels, or by policy."""
    t.daemon = t.make(policy() + "own_table: false\n").start()
    addresses = {family: teach(t) for family in families(t)}
    rules = sum("rule" in o for o in t.kernel.table())
    done = t.bed.gateway.run("nft", "-f", "-", text_in=DAMAGE[how] or one_rule(t))
    need(done.returncode == 0, "nft failed")
    begin = time.monotonic()
    try:
        need(until(lambda: sum("rule" in o for o in t.kernel.table() or ()) == rules
                   and all(taught(t, a) for a in addresses.values()), 3), "it is not whole again")
        took = time.monotonic() - begin
        need(took < 1.0 * beds.SLOW, f"it took {took:.2f} s")
    finally:
        if how == "flush-ruleset":
            t.bed.gateway.nft(beds.FIREWALL)
            t.bed.set_masquerade(True)
    for family in families(t):
        ended = t.bed.send(addresses[family], 3333, "stratum-v1", wait=1)["ended"]
        need(ended == "refused", f"IPv{family}: the endpoint afterwards: {ended}")
        need(t.bed.send(t.fresh(), 3333, "stratum-v1")["ended"] == "reset", "a new login is not blocked")
        need(t.bed.curl(t.fresh(), 443, UNLISTED)["code"] == 200, "ordinary traffic does not pass")
    need("another program" in t.daemon.said(), "the daemon does not say that there was a gap")


@own("full-set", "endpoint", "pair")
def full_set(t, how):
    """What does not fit is not taught, which is said; verdicts are given all the same, and what fits is taught."""
    t.daemon = t.make(policy() + "memory: {endpoints: 3}\n").start()
    for family in families(t):
        addresses = [t.fresh() for _ in range(5)]
        for address in addresses * 2:
            data = "stratum-v1" if how == "endpoint" else wire.client_hello(LISTED).hex()
            ended = t.bed.send(address, 3333, data, wait=1)["ended"]
            need(ended in ("reset", "refused"), f"IPv{family}: {address} ended as {ended}")
            t.server_got_nothing(address, 3333)
        inside = [a for a in addresses if taught(t, a)]
        need(len(inside) == 3, f"IPv{family}: {len(inside)} elements are in a set of three")
    need(until(lambda: "set_full" in json.dumps(t.daemon.json("log")), 2), "no event says that the set is full")
    need(t.daemon.json("status")["not_taught"] > 0, "status does not count it")


@own("full-counting-set")
def full_tries(t):
    """Attempts that cannot be counted any more are refused all the same."""
    t.daemon = t.make(policy() + "memory: {endpoints: 1}\n").start()
    for family in families(t):
        address = teach(t)
        for where in (t.bed.client, t.bed.gateway) * 2:
            ended = t.bed.send(address, 3333, "stratum-v1", wait=1, where=where)["ended"]
            need(ended == "refused", f"IPv{family}: the attempt ended as {ended}")
        tries = t.kernel.elements(f"tries{family}")
        need(len(tries) == 1, f"IPv{family}: {len(tries)} hosts are in a set of one")


@own("killed-and-restarted")
def restarted(t):
    """The kernel's sets go on without a daemon and are taken over by the next."""
    t.daemon = t.make(policy()).start()
    addresses = {family: teach(t) for family in families(t)}
    before = {a: taught(t, a)[0]["expires"] for a in addresses.values()}
    t.daemon.process.kill()
    t.daemon.process.wait(5)
    for address in addresses.values():
        need(t.bed.send(address, 3333, "00", wait=1)["ended"] == "refused", "the endpoint without a daemon")
    t.daemon.start()
    for t.family, address in addresses.items():
        queued = t.kernel.queued()
        need(t.bed.send(address, 3333, "00", wait=1)["ended"] == "refused", "the endpoint after the restart")
        need(t.kernel.queued() == queued, "it was judged anew")
        need(0 < taught(t, address)[0]["expires"] <= before[address], f"its life is {taught(t, address)[0]['expires']} s")
        need(address in t.daemon.verb("blocked").stdout, "`blocked` does not show it")
        need(t.daemon.verb("unblock", address).returncode == 0, "unblock failed")
        need(not taught(t, address), "it is still taught")


@own("survives-a-reboot", "endpoints-and-pairs", "expired", "wanted-no-more")
def survives(t, what):
    """`stop` leaves nothing in the kernel; the next start gives back what is still alive and wanted."""
    short = "  timeout: {endpoint: 3s, pair: 3s}\n" if what == "expired" else ""
    text = policy().replace("  reset: true\n", "  reset: true\n" + short)
    t.daemon = t.make(text).start()
    endpoint, pair, before = {}, {}, {}
    for family in families(t):
        endpoint[family], pair[family] = teach(t), t.fresh()
        t.bed.send(pair[family], 443, wire.client_hello(LISTED).hex())
        need(until(lambda: taught(t, pair[family]), 1), "no pair was taught")
        before[family] = [taught(t, a)[0]["expires"] for a in (endpoint[family], pair[family])]
    need(t.daemon.verb("stop").returncode == 0, "stop failed")
    need(until(lambda: t.daemon.process.poll() is not None, 5), "the daemon still runs")
    need("inet minewall" not in t.kernel.tables(), "the table is still there")
    time.sleep(4 if what == "expired" else 2)
    if what == "wanted-no-more":
        t.daemon.write("policy.yaml", text.replace(f"names: [{LISTED}, ", "names: ["))
    t.daemon.start()
    for family in families(t):
        now = [[e["expires"] for e in taught(t, a)] for a in (endpoint[family], pair[family])]
        if what == "expired":
            need(now == [[], []], f"IPv{family}: dead elements are back: {now}")
            continue
        need(now[0] and before[family][0] - 8 <= now[0][0] <= before[family][0] - 1, f"IPv{family}: lives {before[family]}, then {now}")
        need(bool(now[1]) == (what != "wanted-no-more"), f"IPv{family}: the pair: {now[1]}")
        need(t.bed.send(endpoint[family], 3333, "00", wait=1)["ended"] == "refused", "the endpoint is not refused")
        row = next(r for r in t.daemon.json("blocked") if r["address"] == endpoint[family])
        need("stratum" in json.dumps(row), f"`blocked` has lost the reason: {row}")


@own("start-ends-open-flows")
def start_ends(t):
    """Connections to blocked addresses that are older than the daemon end with its start; others go on."""
    t.daemon = t.make(policy())
    talk = Talk(t)
    try:
        meant, other = {}, {}
        for family in families(t):
            t.number += 1
            meant[family], other[family] = BLOCKED_ADDRESS[family].format(t.number), t.fresh()
            talk.open(meant[family], b"any bytes\n")
            talk.open(other[family], b"any bytes\n")
        t.daemon.start()
        for family in families(t):
            need(talk.ended(meant[family], 5) == ("reset", "reset"), f"IPv{family}: it goes on")
            need(talk.ended(other[family], 0.3)[0] is None, f"IPv{family}: an innocent connection ended")
    finally:
        talk.close()


@own("untracked")
def untracked(t):
    """Traffic that the admin takes out of conntrack cannot be judged: it passes, and `status` says how much."""
    t.bed.gateway.nft("table inet bed_notrack {\nchain pre {\ntype filter hook prerouting priority raw\n"
                      f"tcp dport {TALK_PORT} notrack\ntcp sport {TALK_PORT} notrack\n}}\n"
                      "chain let {\ntype filter hook forward priority -1\n}\n}\n"
                      "insert rule inet bed_firewall forward ct state untracked accept\n")
    talk = None
    try:
        t.bed.set_masquerade(False)
        t.daemon = t.make(policy()).start()
        talk = Talk(t)
        for family in families(t):
            address = t.fresh()
            talk.open(address, wire.STRATUM["stratum-v1"])
            need(talk.ended(address, 0.5)[0] is None, "an untracked connection ended")
        need((t.kernel.counter("minewall", "untracked") or 0) > 0, "the kernel counted nothing")
        said = t.daemon.verb("status").stdout
        need("without connection tracking" in said, f"`status` does not say it: {said}")
    finally:
        if talk:
            talk.close()
        t.bed.gateway.nft("delete table inet bed_notrack\ndelete table inet bed_firewall\n" + beds.FIREWALL.split("# Two users")[0])
        t.bed.set_masquerade(True)


@own("undecided-is-counted")
def undecided(t):
    """Flows that were let go are counted by their reason."""
    t.daemon = t.make(policy()).start()
    for family in families(t):
        t.bed.send(t.fresh(), 443, wire.client_hello(UNLISTED).hex(), "--linger", "0.05")
        t.bed.send(t.fresh(), 9000, b"nothing known, twice\n".hex() * 2, "--mode", "cuts", "--cuts", "21", "--delay-ms", "50", "--linger", "0.05")
        t.bed.send(t.fresh(), 443, "160301000501000001ff", "--linger", "0.05", wait=0.5)
    reasons = t.daemon.json("status")["reasons"]
    need([reasons.get(r) for r in ("clean", "unknown", "malformed")] == [2, 2, 2], f"reasons: {reasons}")


@own("queue-losses-are-shown")
def losses(t):
    """A reader that does not read, behind a short queue: what the kernel dropped is in the status afterwards."""
    t.daemon = t.make(policy(fail="closed").replace("length: 4096", "length: 16")).start()
    load = t.bed.load(t.fresh(), 1.5)
    time.sleep(0.3)
    os.kill(t.daemon.process.pid, signal.SIGSTOP)
    time.sleep(0.8)
    os.kill(t.daemon.process.pid, signal.SIGCONT)
    load.communicate(timeout=20)
    queue = until(lambda: next((q for q in t.daemon.json("status")["queues"] if q["lost_full"] or q["lost_unread"]), None), 3)
    need(queue, f"no loss is shown: {t.daemon.json('status')['queues']}")
    need(f"{queue['lost_full'] + queue['lost_unread']} lost" in t.daemon.verb("status").stdout, "the text does not say it")


@own("asks-nobody")
def asks_nobody(t):
    """No name is resolved and no suspect is probed: the daemon opens no connection and sends no datagram."""
    if not shutil.which("strace"):
        raise Skipped("no strace here")
    trace = os.path.join(t.bed.tmp, "asked")
    t.daemon = t.make(policy())
    t.daemon.start(wrap=("strace", "-f", "-qq", "-e", "trace=socket,connect,sendto,sendmsg", "-s", "0", "-o", trace))
    for family in families(t):
        teach(t)
        t.bed.curl(t.fresh(), 443, LISTED)
    reload(t, with_name(SECOND))
    need(t.daemon.verb("stop").returncode == 0, "stop failed")
    until(lambda: t.daemon.process.poll() is not None, 5)
    with open(trace, encoding="utf-8", errors="replace") as f:
        calls = f.read().splitlines()
    need(any("AF_NETLINK" in call for call in calls), "strace saw nothing")
    # what REFUSED would be sent by is opened before the privileges go, whatever the policy says
    asked = [c for c in calls if "AF_INET" in c and "SOCK_RAW" not in c]
    need(not asked, f"it opened {asked[:2]}")


@own("udp-to-a-blocked-address")
def udp_blocked(t):
    """Refused at once, by an ICMP error; no datagram arrives."""
    t.daemon = t.make(policy()).start()
    for family in families(t):
        t.number += 1
        address = BLOCKED_ADDRESS[family].format(t.number)
        done = t.bed.client.run(*beds.PYTHON, "-c", UDP_TRIES, address)
        need(done.stdout.strip() == "refused refused", f"IPv{family}: {done.stdout.strip()!r}")
        t.server_got_nothing(address, 5300)
        need(until(lambda: t.daemon.events(address, 5300)), "no event")


UDP_TRIES = """
import socket, sys
out = []
for _ in range(2):
    s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(2)
    s.connect((sys.argv[1], 5300))
    try:
        s.send(b"hello")
        out.append("answer" if s.recv(100) else "")
    except ConnectionRefusedError:
        out.append("refused")
    except TimeoutError:
        out.append("silence")
print(*out)
"""


@own("flowtable")
def flowtable(t):
    """Offloaded flows are seen by no forward chain: said at the start and by `status`."""
    table = ("table inet bed_offload {\nflowtable fast {\nhook ingress priority 0\ndevices = { g0, g1 }\n}\n"
             "chain forward {\ntype filter hook forward priority -2\nct state established flow add @fast\n}\n}\n")
    if t.bed.gateway.run("nft", "-f", "-", text_in=table, check=False).returncode:
        raise Skipped("this kernel has no flowtable")
    try:
        t.daemon = t.make(policy()).start()
        need("blind" in t.daemon.said(), f"`run` does not warn: {t.daemon.said()}")
        need("blind: flowtable" in t.daemon.verb("status").stdout, f"`status` says {t.daemon.verb('status').stdout}")
    finally:
        t.bed.gateway.run("nft", "delete", "table", "inet", "bed_offload")
