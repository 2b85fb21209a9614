# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of what encryption cannot hide: the lengths of a miner's session in real TLS, and those of Stratum V2's handshake."""

import json
import os
import subprocess

import bed as beds
from run import Skipped, families, need, own, policy, until

# What the client says and hears: (bytes said, bytes heard, seconds until the next).
LOGIN, SUBMIT, SHORT, JOB, REPLY = 600, 187, 65, 376, 488
MINER = [(LOGIN, REPLY, 0.2)] + [(SUBMIT, SHORT + JOB * (i % 3 == 1), 1.4) for i in range(10)]
# The same, but no two requests are alike, as when a person types.
CHAT = [(LOGIN, REPLY, 0.2)] + [(60 + i * 31, 80 + i * 47, 0.3) for i in range(10)]
NOISE = [(64, 234, 0.1), (54 + 61, 44, 0.1), (79 + 20, 300, 0.1), (62, 58, 0.1)]
NEARLY = [(64, 235, 0.1), (54 + 61, 44, 0.1), (79 + 20, 300, 0.1), (62, 58, 0.1)]


def play(t, steps, port, encrypted):
    """How many steps of the script the client got through, the packets queued for it, and its address."""
    address, text = t.fresh(), json.dumps(steps)
    script = (*beds.PYTHON, os.path.join(beds.HERE, "lengths.py"))
    pem = [os.path.join(t.bed.tmp, name) if encrypted else "-" for name in ("cert.pem", "key.pem")]
    server = t.bed.server.start(*script, "serve", address, port, text, *pem, stdout=subprocess.PIPE)
    try:
        need(server.stdout.readline() == b"ready\n", "the server does not start")
        before = t.kernel.queued()
        client = t.bed.client.start(*script, "talk", address, port, text, "tls" if encrypted else "-", stdout=subprocess.PIPE)
        done = int(client.communicate(timeout=40)[0])
        return done, t.kernel.queued() - before, address
    finally:
        server.kill()
        server.wait()


def found(t, address, port):
    return until(lambda: [e for e in t.daemon.events(address, port) if e["mining"].get("evidence") == "score"], 1)


@own("score/tls-miner", "report", "block")
def tls_miner(t, action):
    t.daemon = t.make(policy(more="score: {block: 75, report: off}" if action == "block" else "")).start()
    for family in (4,) if action == "report" else (6,):
        t.family = family
        done, _, address = play(t, MINER, 20001, True)
        events = found(t, address, 20001)
        need(events, "no finding by score")
        mining = events[0]["mining"]
        need(mining["score"] >= 60 and "submits" in mining["marks"] and "acks" in mining["marks"], f"found {mining}")
        need(events[0]["alert"]["action"] == ("blocked" if action == "block" else "allowed"), f"said {events[0]['alert']}")
        if action == "report":
            need(done == len(MINER), f"the reported flow ended after {done} steps")
            need(not t.kernel.elements("pairs4", "pairs6", address=address), "a report taught the kernel")
            continue
        need(done < len(MINER), "the flow went on to its end")
        need(until(lambda: t.kernel.elements("pairs4", "pairs6", address=address)), "the pair was not taught")


@own("score/stratum-v2", "v4", "v6")
def stratum_v2(t, version):
    t.family = int(version[1])
    t.daemon = t.make(policy()).start()
    done, _, address = play(t, NOISE, 34254, False)
    events = found(t, address, 34254)
    need(events and events[0]["mining"]["score"] == 100, f"found {events}")
    need(done == len(NOISE), "the reported flow did not go on")
    done, queued, address = play(t, NEARLY, 34254, False)
    need(done == len(NEARLY) and not found(t, address, 34254), "one byte more was taken for Stratum V2")
    need(queued <= 3, f"{queued} packets of a flow that is not were queued")


@own("score/harmless")
def harmless(t):
    t.family = 4
    t.daemon = t.make(policy(more="score: {block: 60}")).start()
    done, queued, address = play(t, CHAT, 5223, True)
    need(done == len(CHAT) and not found(t, address, 5223), f"a chat over TLS without SNI ended after {done} steps")
    need(queued <= 9, f"{queued} packets of it were queued")
    status = t.daemon.json("status")
    hosts = [h for h in status["blind_hosts"] if h.get("no_sni")]
    need(hosts and hosts[0]["host"].startswith("198.18."), f"blind spots: {status['blind_hosts']}")


@own("score/fingerprint")
def fingerprint(t):
    """OpenSSL 3.0 without a name says hello as XMRig's own builds do: a sign, and alone no finding."""
    version = beds.command("openssl", "version").stdout
    if not version.startswith("OpenSSL 3.0."):
        raise Skipped(f"needs OpenSSL 3.0, this is {version.split(' (')[0].strip()}")
    t.daemon = t.make(policy(more="score: {report: 25}")).start()
    for family in families(t):
        address = t.fresh()
        host = f"[{address}]" if family == 6 else address
        t.bed.client.run("openssl", "s_client", "-noservername", "-connect", f"{host}:443", check=False, text_in="")
        events = found(t, address, 443)
        need(events and events[0]["mining"]["marks"] == ["no_sni", "no_alpn", "fingerprint"], f"found {events}")
        need(events[0]["tls"]["ja4"] == "t13i310900_e8f1e7e78f70_1f22a2ca17c4", f"its JA4 is {events[0].get('tls')}")
