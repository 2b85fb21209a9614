# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of `rules:`: whom a rule is about, where to and when, and that the kernel is taught no more than it says."""

import time

import wire
from bed import CLIENT, CLIENT2
from cases_edges import with_puppet
from cases_restart import Talk, reload
from run import LISTED, UNLISTED, families, need, own, policy, until

LEARNT = ("endpoints4", "endpoints6", "pairs4", "pairs6")


def fate(t, address, name, source):
    """What became of an HTTPS request: "ok", or how it failed."""
    got = t.bed.curl(address, 443, name, source=source[t.family])
    return "ok" if got["code"] == 200 else got["why"] or got["code"]


def stratum(t, address, source):
    return t.bed.send(address, 3333, "stratum-v1", "--source", source[t.family], "--linger", "0.05", wait=1)["ended"]


def hosts(source):
    return f'["{source[4]}", "{source[6]}"]'


@own("rules/from")
def by_host(t):
    more = f"""groups: {{miners: {hosts(CLIENT2)}}}
rules:
- {{name: legal, from: [miners], to: {{names: [{LISTED}], detectors: [tls, stratum]}}, action: allow}}
- {{name: lab, from: [miners], to: {{detectors: [stratum]}}, action: monitor}}"""
    t.daemon = t.make(policy(more=more)).start()
    for family in families(t):
        address = t.fresh()
        need(fate(t, address, LISTED, CLIENT) != "ok", "the rule lets everybody")
        need(fate(t, address, LISTED, CLIENT2) == "ok", "its host is not let")
        address = t.fresh()
        need(stratum(t, address, CLIENT) == "reset", "mining of another host was not reset")
        until(lambda: t.kernel.elements(*LEARNT, address=address), 1)
        sets = {e["set"].rstrip("46") for e in t.kernel.elements(*LEARNT, address=address)}
        need(sets == {"pairs"}, f"{sets} were taught, where another host is only watched")
        need(stratum(t, address, CLIENT2) != "reset", "the host that is only watched was reset")
        need([e for e in t.daemon.events(address, 3333) if e["mining"].get("rule") == "rules.lab"], "no event names rules.lab")


@own("rules/mac-and-interface")
def by_link(t):
    more = f"""rules:
- {{name: mac, from: ["{t.bed.client_mac()}"], to: {{names: [mac.unlisted.example]}}, action: block}}
- {{name: lan, from: ["if:g0"], to: {{names: [lan.unlisted.example]}}, action: block}}
- {{name: other, from: ["if:nowhere0"], to: {{names: ["{UNLISTED}"]}}, action: block}}"""
    t.daemon = t.make(policy(more=more)).start()
    for family in families(t):
        need(fate(t, t.fresh(), "mac.unlisted.example", CLIENT) != "ok", "the rule by link address did not block")
        need(fate(t, t.fresh(), "lan.unlisted.example", CLIENT) != "ok", "the rule by interface did not block")
        need(fate(t, t.fresh(), UNLISTED, CLIENT) == "ok", "a rule of another interface blocked")


@own("rules/reload-asks-the-link")
def reload_by_link(t):
    """Connection tracking knows no interface: a flow that a rule allows by its own is not cut, one that it does not allow is."""
    t.daemon = t.make(policy()).start()
    talk, spared, other = Talk(t), {}, {}
    try:
        for family in families(t):
            t.number += 1
            spared[family], other[family] = t.fresh(), t.fresh()
            talk.open(spared[family], wire.http_get(UNLISTED))
            talk.open(other[family], wire.http_get(UNLISTED))
        all_of = [f'"{a}"' for a in (*spared.values(), *other.values())]
        more = f"""rules:
- {{name: lab, from: ["if:g0"], to: {{addresses: [{", ".join(all_of[:len(spared)])}]}}, action: allow}}
- {{name: elsewhere, from: ["if:nowhere0"], to: {{addresses: [{", ".join(all_of[len(spared):])}]}}, action: allow}}"""
        reload(t, policy(more=more).replace("\n  addresses: [", f"\n  addresses: [{', '.join(all_of)}, ", 1))
        for family in families(t):
            need(talk.ended(other[family], 5) == ("reset", "reset"), f"IPv{family}: {talk.ends.get(other[family])} at the server")
            need(talk.ended(spared[family], 0.3)[0] is None, f"IPv{family}: the connection that a rule allows has ended")
    finally:
        talk.close()


@own("rules/to-address")
def by_address(t):
    t.family = 4
    address, other = t.fresh(), t.fresh()
    more = f"""rules:
- {{name: node, to: {{addresses: [{address}, {other}], ports: [8443]}}, action: block}}"""
    t.daemon = t.make(policy(more=more)).start()
    got = t.bed.curl(address, 8443, UNLISTED)
    need(got["code"] != 200, "an address of a rule was reached")
    need(not t.log.bytes(address, 8443), "its server got bytes")
    need(t.bed.curl(address, 443, UNLISTED)["code"] == 200, "another port of it was not reached")


def in_minutes(offset, length=1):
    """A window of local time that begins `offset` minutes from now."""
    start = time.localtime(time.time() + offset * 60)
    end = time.localtime(time.time() + (offset + length) * 60)
    return f'"{start.tm_hour:02d}:{start.tm_min:02d}-{end.tm_hour:02d}:{end.tm_min:02d}"'


@own("rules/hours-begin")
@with_puppet
def hours_begin(t, puppet):
    """A flow that was accepted is cut when the hours of a rule begin, and what is taught then ends with them."""
    t.family = 4
    second = time.localtime().tm_sec
    if not 20 <= second <= 48:      # so that the next minute is 12 to 40 s away
        time.sleep((20 - second) % 60)
    more = f"""rules:
- {{name: closing, when: {{hours: [{in_minutes(1)}]}}, to: {{names: ["{UNLISTED}"]}}, action: block, timeout: 1h}}"""
    t.daemon = t.make(policy(more=more)).start()
    address = t.fresh()
    before = fate(t, address, UNLISTED, CLIENT)
    need(before == "ok", f"before its hours the rule blocked: {before}")
    puppet.open("flow", address, 80)
    puppet.send("flow", f"GET / HTTP/1.1\r\nHost: {UNLISTED}\r\n\r\n".encode())
    need(not puppet.read("flow", 1, 2)["ended"], "the flow did not begin")
    time.sleep(60 - time.localtime().tm_sec)
    need(until(lambda: [f for f in t.kernel.flows(4, address, 80) if f["state"] == 4], 14), "the open flow was not cut in time")
    need(fate(t, t.fresh(), UNLISTED, CLIENT) != "ok", "within its hours the rule does not block")
    pairs = until(lambda: t.kernel.elements("pairs4"), 2)
    need(pairs and all(e["expires"] <= 61 for e in pairs), f"taught for longer than the hours last: {pairs}")


@own("reload/confirm", "kept", "forgotten")
def confirm(t, what):
    """A policy on trial: it goes by itself unless it is confirmed."""
    t.family = 4
    t.daemon = t.make(policy()).start()
    t.daemon.write("policy.yaml", policy(more=f"rules: [{{name: trial, to: {{names: ['{UNLISTED}']}}, action: block}}]"))
    first = t.daemon.json("status")["generation"]
    done = t.daemon.verb("reload", "--confirm", "2")
    need(done.returncode == 0 and "--keep" in done.stdout, f"reload --confirm: {done.returncode} {done.stdout} {done.stderr}")
    need(t.daemon.json("status")["generation"] == first + 1, "the generation did not change")
    address = t.fresh()
    need(fate(t, address, UNLISTED, CLIENT) != "ok", "the policy on trial does not hold")
    need([e for e in t.daemon.events(address) if e["mining"]["generation"] == first + 1], "its event has another generation")
    if what == "kept":
        need(t.daemon.verb("reload", "--keep").returncode == 0, "reload --keep failed")
        need(t.daemon.verb("reload", "--keep").returncode != 0, "a second --keep had something to keep")
    time.sleep(2.6)
    need((fate(t, t.fresh(), UNLISTED, CLIENT) == "ok") == (what == "forgotten"), "the wrong policy holds after the trial")
    need(("rolled_back" in t.daemon.verb("log").stdout) == (what == "forgotten"), "the log does not say which")


@own("check-diff")
def check_diff(t):
    """What a change would have done to what is in the log."""
    t.daemon = t.make(policy()).start()
    t.family = 4
    address, other = t.fresh(), t.fresh()
    fate(t, address, LISTED, CLIENT)
    stratum(t, other, CLIENT)
    until(lambda: len(t.daemon.events()) >= 2, 2)
    same = t.daemon.verb("check", "--diff")
    need(same.returncode == 0 and same.stdout.startswith("0 of 2 "), f"check --diff of the same policy: {same.stdout}{same.stderr}")
    more = f"rules: [{{name: lab, from: {hosts(CLIENT)}, to: {{detectors: [stratum]}}, action: monitor}}]"
    t.daemon.write("policy.yaml", policy(more=more))
    diff = t.daemon.verb("check", "--diff").stdout
    need("1 of 2 findings" in diff and "it would only be logged by rules.lab" in diff and f"{other}:3333" in diff, f"said {diff}")


@own("rules/silent")
def silent(t):
    """A rule with `reset: false` ends a connection without a word, and the server gets nothing of it."""
    more = f"rules: [{{name: quiet, to: {{names: ['{UNLISTED}']}}, action: block, reset: false}}]"
    t.daemon = t.make(policy(more=more)).start()
    for family in families(t):
        address = t.fresh()
        data = wire.client_hello(UNLISTED)
        got = t.bed.send(address, 443, data.hex(), "--linger", "0.05", wait=1)
        need(got["ended"] not in ("reset", "refused"), f"it was {got['ended']}")
        need(data not in t.log.bytes(address, 443), "the server got the hello")
        need(not t.kernel.elements(*LEARNT, address=address), "a silent rule taught the kernel to reset")
        need([e for e in t.daemon.events(address) if e["mining"].get("rule") == "rules.quiet"], "it is not in the log")


@own("hygiene", "block", "monitor")
def hygiene(t, action):
    """Services of the LAN asked of the internet: counted for each host, refused where the policy says so, inside left alone."""
    t.daemon = t.make(policy(more=f"hygiene: {{smb: {action}, rdp: {action}}}")).start()
    for family in families(t):
        for _ in range(3):
            ended = t.bed.send(t.fresh(), 445, "00", "--linger", "0.05", "--source", CLIENT[family], wait=1)["ended"]
            need(action == "monitor" or ended == "refused", f"SMB to the outside, IPv{family}: {ended}")
        need(t.bed.send(t.fresh(), 139, "00", "--linger", "0.05", "--source", CLIENT[family], wait=1), "the client is gone")
    tries = t.kernel.elements("tries4", "tries6", port=445)
    need(len(tries) == 2 and all(e["packets"] >= 3 for e in tries), f"counted: {tries}")
    need(not t.kernel.elements("tries4", "tries6", port=139), "a service that is off was counted")
    t.daemon.stop()
    events = [e for e in t.daemon.events(None, 445) if e["mining"].get("rule") == "hygiene.smb"]
    need(len(events) == 2 and all(e["mining"]["count"] >= 3 for e in events), f"events: {events}")
    need(all(e["alert"]["action"] == ("blocked" if action == "block" else "allowed") for e in events), "the wrong action is said")
    need("-> outside:445" in t.daemon.verb("log").stdout, "the listing does not show it")
    done = t.daemon.verb("explain", "#" + events[0]["mining"]["id"])
    need("by hygiene.smb" in done.stdout and done.returncode == (action == "monitor"), f"explained so: {done.stdout}{done.stderr}")
