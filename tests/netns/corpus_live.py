#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays flows of captures through the real daemon in the bed and compares what became of each with the line that
`minewall replay` gives for the very same packets. The kernel's word and the wire's come first, the event second.

usage: corpus_live.py [-v] [--only PATTERN] [--minewall PROGRAM] [--corpus FOLDER]"""

import argparse
import collections
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bed as beds
import capture
import player
import wire

PACKETS_MAX = 160       # of each flow; what comes behind is left out on both sides
SPREAD = (("TLS", 20), ("HTTP", 20), ("QUIC", 12), ("other TCP", 12), ("other UDP", 8))    # of the captures, each IP version
PLAY_SECONDS = 60

POLICY = """\
version: 1
mode: enforce
queues: {{first: 10, count: 2, length: 4096}}
block: {{names: [{names}], scope: flow}}
detect: {{stratum: {{action: block, scope: flow}}, tls: {{action: block, scope: flow}}, http: {{action: block, scope: flow}},
  quic: {{action: block, scope: flow}}}}
control: control.sock
log: {{file: eve.json}}
"""

# No kernel at either end knows these connections: it would answer them with resets.
DEAF = """
table inet bed_deaf {
	chain in {
		type filter hook prerouting priority -400; policy accept;
		ip saddr 100.65.0.0/16 drop
		ip daddr 100.65.0.0/16 drop
		ip6 saddr 2001:db8:65::/64 drop
		ip6 daddr 2001:db8:65::/64 drop
	}
}
"""


class Unit:
    """All packets of one 5-tuple of a capture, before and after they got addresses of the bed."""

    def __init__(self, path, line, packets):
        self.path, self.line = path, line
        self.packets = packets[:PACKETS_MAX]
        self.v6 = ":" in line["src_ip"]
        self.mining = False     # of a capture in which somebody mines
        self.key = (line["proto"], line["src_port"], line["dest_port"])

    def kind(self):
        """The rule of the spread: what replay saw in it."""
        kinds = {name["kind"] for name in self.line["names"]}
        if self.line["verdict"]["action"] == "drop":
            return "mining"
        if "tls_sni" in kinds or self.line["app_proto"] == "tls":
            return "TLS"
        if self.line["app_proto"] == "quic":
            return "QUIC"
        return "HTTP" if kinds else f"other {self.line['proto']}"

    def is_up(self, packet):
        return capture.text(packet.src) == self.line["src_ip"] and \
            (packet.part and not packet.first() or self.line["src_ip"] != self.line["dest_ip"]
             or packet.ports()[0] == self.line["src_port"])

    def digest(self):
        """The same for flows that differ in nothing but addresses, ports and link."""
        h = hashlib.sha256(f"{self.line['proto']} {self.v6}".encode())
        for p in self.packets:
            body = bytearray(p.transport())
            if p.first():
                body[0:4] = b""
                body[p.sum_at() - p.l4 - 4:p.sum_at() - p.l4 - 2] = b"\1" if p.sum_is_right() else b"\0"
            h.update(b"%d %d %r " % (self.is_up(p), len(body), p.part) + bytes(body))
        return h.digest()

    def unfinished(self, up):
        """Captured on the sending host before the card had made the sums: most payloads of this side have wrong ones."""
        own = [p for p in self.packets if self.is_up(p) == up and not p.part]
        rights = [p.sum_is_right() for p in [p for p in own if p.payload()] or own]
        return rights.count(False) > rights.count(True)

    def acknowledged(self):
        """The packets, with acknowledgements that a peer would give where those of a made capture are void: connection
        tracking refuses a SYN-ACK that does not answer the SYN."""
        syns = {p.sequence()[0] for p in self.packets if p.flags() & (wire.SYN | wire.ACK) == wire.SYN}
        answers = [p.sequence()[1] for p in self.packets if p.flags() & (wire.SYN | wire.ACK) == wire.SYN | wire.ACK]
        if not syns or not answers or any((a - 1) & 0xFFFFFFFF in syns for a in answers):
            return self.packets
        ends, out = {}, []
        for p in self.packets:
            up = self.is_up(p)
            if p.flags() & wire.ACK and (not up) in ends:
                p = p.acknowledging(ends[not up])
            if p.first() and not p.flags() & wire.RST:
                size = p.payload() + bool(p.flags() & wire.SYN) + bool(p.flags() & wire.FIN)
                end = p.sequence()[0] + size & 0xFFFFFFFF
                if p.flags() & wire.SYN or up not in ends or (end - ends[up]) & 0xFFFFFFFF < 1 << 31:
                    ends[up] = end
            out.append(p)
        return out

    def move(self, server):
        """Rewrites everything to client and `server` of the bed, and numbers the connections."""
        family = 6 if self.v6 else 4
        self.client, self.server = (capture.ipaddress.ip_address(a).packed for a in (beds.CLIENT[family], server))
        finish = {up: self.unfinished(up) for up in (True, False)}
        last = {p.datagram() + (p.part[0],): i for i, p in enumerate(self.packets) if p.part}
        self.sends, part, closed = [], 0, False
        for i, p in enumerate(self.acknowledged()):
            up, flags = self.is_up(p), p.flags()
            if closed and flags & (wire.SYN | wire.ACK | wire.RST | wire.FIN) == wire.SYN:
                part, closed = part + 1, False
            closed = closed or bool(flags & (wire.FIN | wire.RST))
            ends = (self.client, self.server) if up else (self.server, self.client)
            complete = not p.part or last[p.datagram() + (p.part[0],)] == i
            self.sends.append(player.Sent(p.moved(*ends, finish[up]), up, part, complete))
        self.parts = part + 1
        self.key = (self.line["proto"], beds.CLIENT[family], self.line["src_port"], server, self.line["dest_port"])

    def name(self):
        return f"{self.path} {self.line['src_ip']}:{self.line['src_port']}>{self.line['dest_ip']}:{self.line['dest_port']}"


def key_of(line):
    return line["proto"], line["src_ip"], line.get("src_port"), line["dest_ip"], line["dest_port"]


def replay(program, folder, files, policy=None):
    """All lines for these captures, by capture."""
    lines = collections.defaultdict(list)
    for at in range(0, len(files), 400):
        done = subprocess.run([program, "replay", "--flows", "--json", *(["-c", policy] if policy else []),
                               *files[at:at + 400]], cwd=folder, capture_output=True, timeout=120)
        for text in done.stdout.splitlines():
            line = json.loads(text)
            lines[line["pcap_filename"]].append(line)
    return lines


def units_of(folder, path, lines):
    """What of a capture can be played: 5-tuples whose packets are all whole."""
    packets = capture.read(os.path.join(folder, path))
    if None in packets:
        return []
    units = []
    for (proto, ends), own in capture.conversations(packets).items():
        fit = [l for l in lines if l["proto"] == ("TCP" if proto == capture.TCP else "UDP")
               and {(l["src_ip"], l["src_port"]), (l["dest_ip"], l["dest_port"])} == set(ends)]
        playable = fit and len(ends) == 2 and fit[0]["dest_port"] and fit[0]["src_port"] and \
            len({(l["src_ip"], l["src_port"]) for l in fit}) == 1 and max(len(p.data) for p in own) < 60000
        if playable:
            worst = next((l for l in fit if l["verdict"]["action"] == "drop"), fit[0])
            units.append(Unit(path, worst, own))
    return units


def choose(samples, captures):
    """Every different flow of our samples, all mining and all evasion of the captures, and a spread of the others."""
    seen, chosen, counts = set(), [], collections.Counter()

    def take(unit):
        digest = unit.digest()
        if digest in seen:
            return False
        seen.add(digest)
        chosen.append(unit)
        return True

    for unit in samples:
        take(unit)
    for unit in captures:
        if unit.kind() == "mining" or unit.mining or unit.path.startswith("derived/"):
            take(unit)
    room = dict(SPREAD)
    for unit in sorted(captures, key=lambda u: hashlib.sha256(u.name().encode()).digest()):
        group = (unit.kind(), unit.v6)
        if counts[group] < room.get(unit.kind(), 0):
            counts[group] += take(unit)
    return chosen


def from_samples(program, folder):
    make = os.path.join(beds.ROOT, "tests", "corpus", "make_samples.py")
    tool = os.path.join(os.path.dirname(program), "tests", "netns", "quic_initial")
    subprocess.run([sys.executable, make, folder, *([tool] if os.path.exists(tool) else [])], check=True, timeout=60,
                   stdout=subprocess.DEVNULL)
    files = sorted(f for f in os.listdir(folder) if f.endswith(".pcap"))
    lines = replay(program, folder, files)
    return [u for f in files for u in units_of(folder, f, lines[f])]


def from_captures(program, corpus):
    """What of the corpus is looked at: mining, derived, IPv6, and every fifth of the other captures."""
    folder = os.path.join(corpus, "pcap")
    if not os.path.isdir(folder):
        print("the shared corpus is not there: our own samples only")
        return []
    with open(os.path.join(corpus, "MANIFEST.tsv"), encoding="utf-8") as f:
        rows = [row.split("\t") for row in f.read().splitlines()[1:]]
    files, mining = [row[0] for row in rows], {row[0] for row in rows if row[5]}
    lines = replay(program, folder, files)
    wanted = [f for f in files if f.startswith("derived/") or f in mining or any(":" in l["src_ip"] for l in lines[f])
              or hashlib.sha256(f.encode()).digest()[0] % 5 == 0]
    small = [f for f in wanted if os.path.getsize(os.path.join(folder, f)) < 1 << 20]
    units = [u for f in small for u in units_of(folder, f, lines[f])]
    for unit in units:
        unit.mining = unit.path in mining
    return units


def listed_names(units):
    """Every second name that any of the flows asks for, by rule and not by looks."""
    names = {n["name"].lower().rstrip(".").rsplit(":", 1)[0] for u in units for n in u.line["names"]}
    fit = sorted(n for n in names if re.fullmatch(r"(?=.*[a-z])[a-z0-9-]+(\.[a-z0-9-]+)+", n) and len(n) < 200)
    return fit[::2]


# -- what became of a connection ------------------------------------------------------------------

def expected(line):
    mining = line.get("mining", {})
    drop = line["verdict"]["action"] == "drop"
    return {"action": line["verdict"]["action"],
            "reason": "contradiction" if line["verdict"].get("reason") == "contradiction" else None,
            **{k: mining.get(k) if drop else None for k in ("evidence", "dialect", "method", "agent", "list", "entry", "rule")}}


def observed(play, part, event):
    """The same of the live flow: the action as the wire tells it, the rest as the event does."""
    mining = event.get("mining", {}) if event else {}
    return {"action": "drop" if part in play.resets else "accept", "reason": mining.get("reason"),
            **{k: mining.get(k) for k in ("evidence", "dialect", "method", "agent", "list", "entry", "rule")}}


def event_names(event):
    return [v for kind, key in (("tls", "sni"), ("quic", "sni"), ("http", "hostname")) for v in [event.get(kind, {}).get(key)] if v]


def mine_of(play, part):
    return [s for s in play.sends if s.part == part]


def witnesses(unit, play, part, line, event, flow):
    """What contradicts itself among wire, kernel and event; a list of texts."""
    faults = []
    lost = [s for s in mine_of(play, part) if s.packet.payload() and s.last and s.tried and not s.arrived]
    dropped = part in play.resets
    if dropped and not lost:
        faults.append("reset, but every payload arrived")
    if bool(event) != dropped:
        faults.append(f"{'an' if event else 'no'} event, but the wire says {'drop' if dropped else 'accept'}")
    # The kernel forgets an entry whose very first packet is refused; then the daemon refuses by its own memory.
    marks = ["blocked"] + ["older"] * (not any(s.packet.flags() & wire.SYN for s in mine_of(play, part)))
    if part == unit.parts - 1 and flow and (beds.STATES[flow["state"]] in marks if dropped else flow["state"] == 4) != dropped:
        faults.append(f"the connmark says {beds.STATES[flow['state']]}")
    if event:
        told = [n["name"] for n in line["names"]]
        faults += [f"the event's name {n!r} is not in replay's line" for n in event_names(event) if n not in told]
    return faults


def differences(unit, play, part, line, event, flow):
    want, got = expected(line), observed(play, part, event)
    return [f"{k}: live {got[k]!r}, replay {want[k]!r}" for k in want if want[k] != got[k]] + \
        witnesses(unit, play, part, line, event, flow)


def right_but_lost(play):
    """A client's payload, of no reset connection, that did not arrive though its sum was right and it was no piece of a
    datagram. What connection tracking holds for invalid on the way back, the bed's own firewall drops before our rules."""
    return [s for s in play.sends if s.part not in play.resets and s.tried and s.up and s.packet.payload()
            and not s.packet.part and not s.arrived and s.packet.sum_is_right()]


def is_dns(lines):
    return len(lines) == 1 and lines[0]["app_proto"] == "dns"


def dns_differences(play, line, events):
    """A DNS message is dropped alone, without a reset, and told once a minute for each client and name: who of several flows
    that ask for one name is told of depends on their order."""
    lost = [s for s in play.sends if s.tried and s.last and s.packet.payload() and not s.packet.part and not s.arrived]
    got, want = "drop" if lost else "accept", line["verdict"]["action"]
    names = {n["name"].lower() for n in line["names"]}
    faults = [f"live {got}, replay {want}"] if got != want else []
    faults += [f"an event, but the wire says {got}"] if events and got != "drop" else []
    return faults + [f"the event's name {e['dns']['rrname']!r} is not in replay's line" for e in events
                     if e["dns"]["rrname"].lower() not in names]


class Check:
    def __init__(self, bed, program, verbose):
        self.bed, self.program, self.verbose = bed, program, verbose
        self.passed = self.failed = self.decoyed = self.reused = 0

    def live(self, policy, units, title):
        """Plays all units under this policy: (plays, events by key, conntrack entries by key, invalid packets)."""
        daemon = beds.Daemon(self.bed, self.program, policy, title)
        daemon.start()
        one = player.Player(self.bed)
        try:
            plays = [player.Play(u.sends, u.client, u.server) for u in units]
            if not one.run(plays, PLAY_SECONDS):
                raise beds.BedError(f"not played within {PLAY_SECONDS} s")
            time.sleep(0.5)
            events = collections.defaultdict(list)
            for event in daemon.events():
                events[key_of(event)].append(event)
            flows = {(f["proto"].upper(), f["src"], f["sport"], f["dst"], f["dport"]): f
                     for v in (4, 6) for f in self.bed.kernel.flows(v)}
            return plays, events, flows, self.bed.kernel.counter("minewall", "invalid")
        finally:
            one.close()
            daemon.stop()
            self.bed.gateway.run("conntrack", "-F", check=False)

    def lines(self, folder, name, sends):
        """What replay says of these packets, by 5-tuple."""
        with open(os.path.join(folder, name), "wb") as f:
            f.write(wire.pcap_file([s.packet.data for s in sends]))
        found = collections.defaultdict(list)
        for line in replay(self.program, folder, [name], "policy.yaml")[name]:
            found[key_of(line)].append(line)
        return found

    def compare(self, title, policy, units):
        """Plays and judges all; returns how many sound payloads did not arrive."""
        for unit in units:
            unit.move(self.bed.fresh(6 if unit.v6 else 4))
        plays, events, flows, invalid = self.live(policy, units, title)
        folder = os.path.join(self.bed.tmp, title)
        lines = self.lines(folder, "played.pcap", [s for u in units for s in u.sends])
        sound = self.lines(folder, "sound.pcap", [s for u in units for s in u.sends if s.packet.sum_is_right()])
        lost = 0
        for unit, play in zip(units, plays):
            lost += 0 if is_dns(lines[unit.key]) else len(right_but_lost(play))
            self.judge(title, unit, play, lines[unit.key], sound[unit.key], events[unit.key], flows.get(unit.key))
        if lost > invalid:
            self.failed += 1
            print(f"FAIL {title}: {lost} sound payloads did not arrive, but our rules refused only {invalid}")
        return lost

    def judge(self, title, unit, play, lines, sound, events, flow):
        """One verdict a connection. A wrong sum is a decoy only to the kernel: a capture may come from a sending host, so
        replay has to use it. There live must be what replay says without it."""
        if len(lines) != unit.parts:
            return self.fail(title, unit, [f"{len(lines)} lines of replay for {unit.parts} connections"])
        if is_dns(lines):
            faults = dns_differences(play, lines[0], events)
            if faults:
                self.fail(title, unit, faults)
            self.passed += not faults
            return
        watched = [e for e in events if e["alert"]["action"] == "allowed"]     # what a detector only reports
        events = [e for e in events if e["alert"]["action"] == "blocked"]
        reported = [line for line in lines if line["verdict"]["action"] == "accept" and "mining" in line]
        if len(watched) != len(reported):
            return self.fail(title, unit, [f"{len(watched)} events of what is only reported, replay has {len(reported)}"])
        for part, line in enumerate(lines):
            if part and part - 1 in play.resets and part in play.resets and not events:
                self.reused += 1    # by design: a blocked 5-tuple stays blocked for a while, whoever takes it again
                continue
            event = events.pop(0) if events and part in play.resets else None
            faults = differences(unit, play, part, line, event, flow)
            if faults and len(sound) == unit.parts and not all(s.packet.sum_is_right() for s in unit.sends):
                faults = differences(unit, play, part, sound[part], event, flow)
                self.decoyed += not faults
            if faults:
                self.fail(title, unit, faults)
            else:
                self.passed += 1
        if events:
            self.fail(title, unit, [f"{len(events)} events more than connections that were reset"])
        if self.verbose and right_but_lost(play):
            print(f"# {title} {unit.name()}: {len(right_but_lost(play))} payloads did not arrive: "
                  f"{[play.sends.index(s) for s in right_but_lost(play)]}")

    def fail(self, title, unit, faults):
        self.failed += 1
        print(f"FAIL {title} {unit.name()}: {'; '.join(faults)}", flush=True)


def prepare(bed):
    """No address translation, room for captured super-packets, and connections that stay visible after their end."""
    bed.set_masquerade(False)
    bed.set_gso(False)
    for namespace, device in ((bed.client, "c0"), (bed.gateway, "g0"), (bed.gateway, "g1"), (bed.server, "s0")):
        namespace.ip("link", "set", device, "mtu", "65000")
    for namespace in (bed.client, bed.server):
        namespace.nft(DEAF)
    bed.gateway.run("sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_close=120",
                    "net.netfilter.nf_conntrack_tcp_timeout_time_wait=120", "net.netfilter.nf_conntrack_udp_timeout=120")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minewall", default=os.path.join(beds.ROOT, "build", "minewall"))
    parser.add_argument("--corpus", default=os.path.join(beds.ROOT, "..", "shared", "corpus"))
    parser.add_argument("--only", default="", help="flows whose capture and ends hold this")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    why = beds.usable()
    if why:
        print(f"skipped: {why}")
        return 0
    program = os.path.abspath(options.minewall)
    with tempfile.TemporaryDirectory() as folder:
        units = choose(from_samples(program, folder), from_captures(program, options.corpus))
    units = [u for u in units if options.only in u.name()]
    kinds = collections.Counter((u.kind(), 6 if u.v6 else 4) for u in units)
    print(f"{len(units)} flows: " + ", ".join(f"{n} {kind} v{v}" for (kind, v), n in sorted(kinds.items())))
    with beds.Bed() as bed:
        prepare(bed)
        check = Check(bed, program, options.verbose)
        names = listed_names(units)
        for title, listed in (("protocol", []), ("names", names)):
            begin = time.monotonic()
            lost = check.compare(title, POLICY.format(names=", ".join(f'"{n}"' for n in listed)), units)
            print(f"{title}: {len(listed)} names listed, {lost} payloads out of the kernel's window, {time.monotonic() - begin:.0f} s")
        print(f"explained: {check.decoyed} decoys with a wrong sum, which only replay has to believe; {check.reused} "
              f"connections on the 5-tuple of one that was just blocked")
    print(f"corpus live: {check.passed} passed, {check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
