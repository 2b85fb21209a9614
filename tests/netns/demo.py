#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make demo`: the main job before your eyes. The real daemon in a gateway, real clients and servers around it,
all in namespaces that are gone afterwards; ends with 0 only if everything that it shows really held."""

import json
import os
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bed as beds
import wire
from bed import CLIENT, ROOT

SAMPLE = os.path.join(ROOT, "contrib", "policies", "minewall.yaml")
UNLISTED = "www.example.org"
COLOURS = {"bold": "1", "green": "32", "red": "31", "dim": "2"}


class Show:
    """The screen, and the count of what held. Colours on a terminal only."""

    def __init__(self):
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.held = self.broken = 0

    def paint(self, colour, text):
        return f"\033[{COLOURS[colour]}m{text}\033[0m" if self.colour else text

    def step(self, title, says):
        print(f"\n{self.paint('bold', title)}\n  {self.paint('dim', says)}", flush=True)

    def holds(self, condition, text):
        if condition:
            self.held += 1
        else:
            self.broken += 1
        mark = self.paint("green", "ok  ") if condition else self.paint("red", "FAIL")
        print(f"  {mark} {text}", flush=True)

    def quote(self, text, limit=16):
        lines = text.rstrip().splitlines()
        for line in lines[:limit]:
            print("  | " + line)
        if len(lines) > limit:
            print(f"  | ... {len(lines) - limit} more lines")
        sys.stdout.flush()


def with_key(text, key, value):
    """The policy with this top-level key set, whether the sample names it or not."""
    line = f"{key}: {value}"
    changed, n = re.subn(rf"(?m)^{key}:.*$", lambda _: line, text)
    return changed if n else text.rstrip("\n") + f"\n{line}\n"


def demo_policy(folder):
    """The sample as it is shipped, changed in as few lines as the demo needs; returns the text and those lines."""
    with open(SAMPLE, encoding="utf-8") as f:
        sample = f.read()
    text = with_key(sample, "mode", "enforce")
    text = with_key(text, "control", f"{folder}/control.sock")
    text = with_key(text, "log", f"{{file: {folder}/eve.json}}")
    # The sample names its lists from its own folder; the demo's policy stands elsewhere.
    lists = os.path.join(ROOT, "contrib", "lists")
    text = re.sub(r"(?<=[ \[])\.\./lists/(?=[\w.-])", lambda m: lists + "/", text)
    before = set(sample.splitlines())
    return text, [line for line in text.splitlines() if line not in before]


def listed_name():
    """The first name with "pool" in it in the lists that are shipped, so that nothing here needs to know one."""
    folder = os.path.join(ROOT, "contrib", "lists")
    for file in sorted(os.listdir(folder)):
        with open(os.path.join(folder, file), encoding="utf-8") as f:
            for line in f:
                words = line.split("#")[0].split()
                if words and re.fullmatch(r"[a-z0-9.-]*pool[a-z0-9-]*\.[a-z0-9.-]+", words[-1]):
                    return words[-1]
    raise beds.BedError(f"no pool's name in {folder}")


def plain(why):
    """openssl names the error by its number."""
    found = re.search(r"errno=(\d+)", why)
    return os.strerror(int(found[1])) if found else why


def nothing(bed, address, port):
    """What the server's program and its wire have of a connection: must be nothing."""
    time.sleep(0.05)
    read, wired = len(bed.log.bytes(address, port)), len(bed.log.packets(address, port))
    return read == 0 and wired == 0, f"the server received {read} bytes, {wired} packets with payload on its wire"


def unlisted(show, bed, places):
    show.step("1. An ordinary site stays what it is",
              "an unlisted name over TLS 1.3 and HTTP: the page arrives, and only the first packet was looked at")
    for family in (4, 6):
        for scheme, port in (("https", 443), ("http", 80)):
            before = bed.kernel.queued()
            got = bed.curl(places["unlisted"][family], port, UNLISTED, scheme)
            queued = bed.kernel.queued() - before
            show.holds(got["code"] == 200, f"IPv{family} curl {scheme}://{UNLISTED}/ says {got['code']} {got['why']}")
            show.holds(queued == 1, f"IPv{family} packets that the daemon had to see: {queued}")


def listed(show, bed, places, name):
    show.step("2. A listed pool name dies in its first packet",
              f"curl and openssl ask for {name}; the connection is reset before the server reads a byte of the ClientHello")
    for family in (4, 6):
        address = places["listed"][family]
        got = bed.curl(address, 443, name)
        show.holds(got["rc"] != 0 and "reset" in got["why"].lower(),
                   f"IPv{family} curl https://{name}/ saw: {got['why']} ({got['ms']:.0f} ms)")
        show.holds(*nothing(bed, address, 443))
        address = places["listed2"][family]
        got = bed.openssl(address, 443, name)
        show.holds(not got["shaken"], f"IPv{family} openssl s_client -tls1_3 saw: {plain(got['why'])}")
        show.holds(*nothing(bed, address, 443))
        got = bed.curl(address, 80, name, "http")
        show.holds(got["rc"] != 0 and "reset" in got["why"].lower(), f"IPv{family} curl http://{name}/ saw: {got['why']}")
        show.holds(*nothing(bed, address, 80))


def bare_pool(show, bed, places):
    show.step("3. A pool without a name is known by what it is told",
              "a Stratum login to a bare address on an odd port; no list knows it, the protocol gives it away")
    for family, dialect in ((4, "cryptonote"), (6, "stratum-v1")):
        address = places["pool"][family]
        first = wire.STRATUM[dialect][:60].decode()
        got = bed.send(address, 14433, dialect, "--linger", "0.1")
        show.holds(got["ended"] == "reset" and got["ms"] < 50,
                   f"IPv{family} the client sent {first}... and saw: {got['ended']} after {got['ms']:.1f} ms")
        show.holds(*nothing(bed, address, 14433))


def second_attempt(show, bed, places):
    show.step("4. The next attempt dies in the kernel alone",
              "the same pool again: refused at the first packet; the queue's counter stands still, the element's moves")
    for family, dialect in ((4, "cryptonote"), (6, "stratum-v1")):
        address = places["pool"][family]
        queued, hits = bed.kernel.queued(), packets(bed, address)
        got = bed.send(address, 14433, dialect, "--linger", "0.1")
        show.holds(got["ended"] == "refused", f"IPv{family} the client saw: {got['ended']} after {got['connect_ms']:.1f} ms")
        now = bed.kernel.queued()
        show.holds(now == queued, f"IPv{family} packets in the queue so far: {queued} before, {now} after")
        after = packets(bed, address)
        show.holds(after > hits, f"IPv{family} packets counted at the element {address}: {hits} before, {after} after")


def packets(bed, address):
    return sum(e["packets"] or 0 for e in bed.kernel.elements("endpoints4", "endpoints6", address=address))


def admin(show, bed, daemon, places):
    show.step("5. What the admin sees", "minewall log: who tried what; minewall blocked: what the kernel holds now")
    print("  $ minewall log")
    done = daemon.verb("log")
    show.quote(done.stdout or done.stderr)
    events = daemon.events()
    for family in (4, 6):
        for what, port in (("listed", 443), ("pool", 14433)):
            mine = [e for e in events if e["dest_ip"] == places[what][family] and e["dest_port"] == port]
            show.holds(mine and all(e["src_ip"] == CLIENT[family] for e in mine),
                       f"IPv{family} the log names the device {CLIENT[family]} for the {what} address")
        quiet = [e for e in events if e["dest_ip"] == places["unlisted"][family]]
        show.holds(not quiet, f"IPv{family} the log says nothing about the ordinary site")
    print("  $ minewall blocked")
    done = daemon.verb("blocked")
    show.quote(done.stdout or done.stderr)
    for family in (4, 6):
        show.holds(places["pool"][family] in done.stdout, f"IPv{family} the pool's address is among the blocked")


def leave(show, bed, daemon):
    show.step("6. It leaves without a trace", "minewall stop: the table is gone, and our bits of every flow's mark, too")
    bed.gateway.run("nft", "delete", "table", "inet", "bed_leaks", check=False)
    done = daemon.verb("stop")
    show.holds(done.returncode == 0, f"minewall stop: exit {done.returncode} {done.stderr.strip()}")
    show.holds("inet minewall" not in bed.kernel.tables(), "tables left: " + ", ".join(bed.kernel.tables()))
    marked = [f for v in (4, 6) for f in bed.kernel.flows(v) if f["state"]]
    show.holds(not marked, f"flows that carry our bits: {len(marked)}")


def play(show, bed, binary):
    name = listed_name()
    daemon = beds.Daemon(bed, binary, "")
    text, changed = demo_policy(daemon.folder)
    daemon.write("policy.yaml", text)
    print("Three namespaces, no way out: client -- gateway -- server. The gateway masquerades and has a firewall of its own.")
    print("The policy is contrib/policies/minewall.yaml, but for these lines:")
    show.quote("\n".join(changed))
    places = {what: {family: bed.fresh(family) for family in (4, 6)} for what in ("unlisted", "listed", "listed2", "pool")}
    daemon.start()
    unlisted(show, bed, places)
    listed(show, bed, places, name)
    bare_pool(show, bed, places)
    second_attempt(show, bed, places)
    admin(show, bed, daemon, places)
    leave(show, bed, daemon)


def main():
    binary = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build", "minewall")
    why = beds.usable()
    if why:
        print(f"demo: {why}", file=sys.stderr)
        return 5
    show = Show()
    begin = time.monotonic()
    try:
        with beds.Bed() as bed:
            play(show, bed, binary)
    except beds.Interrupted:
        print("\ndemo: interrupted; everything is cleaned up", file=sys.stderr)
        raise
    except (beds.BedError, OSError, ValueError, json.JSONDecodeError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - begin
    if show.broken:
        print(f"\n{show.paint('red', f'{show.broken} of {show.held + show.broken} things did not hold')}")
        return 1
    print(f"\n{show.paint('green', f'All {show.held} things held')} ({seconds:.0f} s). Nothing of this is left on the machine.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
