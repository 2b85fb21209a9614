# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of QUIC: real Initial packets from an ordinary UDP socket to a server that answers every datagram, and a browser
that speaks HTTP/3. The server's own log tells what reached it."""

import json
import os
import shutil
import subprocess
import tempfile
import time

import bed as beds
from bed import STATES
from run import LISTED, UNLISTED, Failed, Skipped, every, need, ordinary, own, policy, until

PORT = 4433
V1, V2, DRAFT29 = "1", "0x6b3343cf", "0xff00001d"
LARGE = 1500  # bytes that make a hello need two datagrams


def initial(t, name, cid=1, version=V1, pad=0, part=(0, 9999), number=0):
    tool = os.path.join(os.path.dirname(t.binary), "tests", "netns", "quic_initial")
    if not os.path.exists(tool):
        raise Skipped("build/tests/netns/quic_initial is not built: make netns-tools")
    return subprocess.run([tool, version, str(cid), name, str(pad), str(part[0]), str(part[1]), str(number)],
                          check=True, capture_output=True, text=True).stdout.strip()


def send(t, address, *datagrams, port=PORT):
    """Each datagram is hex, (hex, TTL) or as udp_client.py has it; what came back of each."""
    sends = [d if isinstance(d, dict) else {"hex": d, "wait": 0.5} if isinstance(d, str) else
             {"hex": d[0], "ttl": d[1], "wait": 0.05} for d in datagrams]
    done = t.bed.client.run(*beds.PYTHON, os.path.join(beds.HERE, "udp_client.py"),
                            text_in=json.dumps({"to": [address, port], "sends": sends}))
    return [one["answer"] for one in json.loads(done.stdout)]


def reached(t, address, datagram):
    return bytes.fromhex(datagram) in [bytes.fromhex(e["hex"]) for e in t.log.read()
                                       if e["kind"] == "udp" and e["local"] == t.log.key(address, PORT)]


def must_die(t, address, answers, last, taught=("pairs",)):
    """The last datagram completed the evidence: it never arrives, and the client is told."""
    if not t.enforce:
        need(answers[-1] == "data", f"monitor mode: the client saw {answers}")
        need(not t.kernel.elements(address=address), "monitor mode taught the kernel")
        return t.must_be_logged(address, PORT, "allowed", "name")
    need(answers[-1] == "refused", f"the client saw {answers}, no ICMP message at the end")
    time.sleep(0.05)
    need(not reached(t, address, last), "the server got the datagram that completes the evidence")
    until(lambda: t.kernel.elements(address=address), 1 if taught else 0.1)
    sets = {e["set"].rstrip("46") for e in t.kernel.elements("endpoints4", "endpoints6", "pairs4", "pairs6", address=address)}
    need(sets == set(taught), f"taught sets {sorted(sets)}, not {taught}")
    return t.must_be_logged(address, PORT, "blocked", "name")


@every({"v1": (V1, "1"), "v2": (V2, "2"), "draft-29": (DRAFT29, "draft-29")}, "quic-listed")
def listed(t, version, word):
    address, datagram = t.fresh(), initial(t, LISTED, version=version)
    must_die(t, address, send(t, address, datagram), datagram)
    event = t.daemon.events(address, PORT)[0]
    need(event["app_proto"] == "quic" and event["proto"] == "UDP", f"the event says {event['proto']} {event['app_proto']}")
    need(event["quic"]["sni"] == LISTED and event["quic"]["version"] == word, f"the event says {event['quic']}")
    need(event["quic"]["ja4"].startswith("q13d0105h3_"), f"the event's JA4 is {event['quic']['ja4']}")


@ordinary("quic-second-dies-in-kernel", modes=("enforce",))
def second(t):
    address, datagram = t.fresh(), initial(t, LISTED)
    send(t, address, datagram)
    need(until(lambda: t.kernel.elements("pairs4", "pairs6", address=address)), "no pair was taught")
    queued = t.kernel.queued()
    need(send(t, address, initial(t, LISTED, cid=2)) == ["refused"], "the second flow was not refused")
    need(t.kernel.queued() == queued, "the second flow queued packets")
    need(not t.log.packets(address, PORT), "a datagram was on the server's wire")
    got = t.bed.curl(address, 443, UNLISTED)
    need(got["code"] == 200, f"the browser's way back to TCP: {got['why']}")


@ordinary("quic-unlisted")
def unlisted(t):
    address, first, before = t.fresh(), initial(t, UNLISTED), t.kernel.queued()
    need(send(t, address, first, *["41" * 100] * 5) == ["data"] * 6, "not every datagram was answered")
    queued = t.kernel.queued() - before
    need(queued == 1, f"an ordinary QUIC flow queued {queued} packets, not 1")
    flows = t.kernel.flows(t.family, address, PORT)
    need([STATES[f["state"]] for f in flows] == ["pass"], f"the flow's state is {[f['state'] for f in flows]}")
    need(not t.daemon.events(address), "an event about an innocent flow")


@ordinary("quic-tenants")
def tenants(t):
    """Where QUIC has named an unlisted neighbour, a listed name kills its own flow alone."""
    address, listed = t.fresh(), initial(t, LISTED, cid=2)
    need(send(t, address, initial(t, UNLISTED)) == ["data"], "the unlisted name was not answered")
    must_die(t, address, send(t, address, listed), listed, taught=())


def parts(t, name, cut=700, **more):
    return [initial(t, name, pad=LARGE, part=(0, cut), **more), initial(t, name, pad=LARGE, part=(cut, 9999), number=1, **more)]


@every({"in-order": (0, 1), "reversed": (1, 0)}, "quic-split")
def split(t, *order):
    """The server answers the first part at once, as real ones acknowledge it: that must not end the watch."""
    address = t.fresh()
    datagrams = [parts(t, LISTED)[i] for i in order]
    answers = send(t, address, *datagrams)
    need(answers[0] == "data", f"the first part got {answers[0]}")
    must_die(t, address, answers, datagrams[1])
    address = t.fresh()
    need(send(t, address, *[parts(t, UNLISTED)[i] for i in order]) == ["data", "data"], "an unlisted name in two parts")
    need(not t.daemon.events(address), "an event about an innocent flow")


@ordinary("quic-super-packet")
def super_packet(t):
    """A sender's kernel hands several datagrams down as one packet: both parts come to the queue at once."""
    address, datagrams = t.fresh(), parts(t, LISTED)
    need({len(d) for d in datagrams} == {2400}, "the two parts are not of one length")
    answers = send(t, address, {"hex": "".join(datagrams), "segment": 1200, "wait": 0.5})
    must_die(t, address, answers, datagrams[1])
    address = t.fresh()
    need(send(t, address, {"hex": "".join(parts(t, UNLISTED)), "segment": 1200, "wait": 0.5}) == ["data"], "an unlisted name")


@ordinary("quic-decoy-other-id")
def decoy_other(t):
    address, true = t.fresh(), initial(t, LISTED, cid=2)
    # an unlisted name was seen there, too: so the kernel learns nothing of the address
    must_die(t, address, send(t, address, (initial(t, UNLISTED), 2), true), true, taught=())


@ordinary("quic-decoy-other-id-split")
def decoy_split(t):
    """The server acknowledges the true hello's first part, after a decoy had the flow judged clean."""
    address, true = t.fresh(), parts(t, LISTED, cid=2)
    answers = send(t, address, (initial(t, UNLISTED), 2), *true)
    need(answers[1] == "data", f"the first part got {answers[1]}")
    must_die(t, address, answers, true[1], taught=())


@ordinary("quic-decoy-same-id", modes=("enforce",))
def decoy_same(t):
    """Bytes that contradict those of the decoy: one of the two is a lie."""
    address, true = t.fresh(), initial(t, LISTED)
    answers = send(t, address, (initial(t, UNLISTED), 2), true)
    need(answers[-1] == "refused", f"the client saw {answers}")
    need(not reached(t, address, true), "the server got the hello")
    taught = t.kernel.elements("pairs4", "pairs6", "endpoints4", "endpoints6", address=address)
    need(not taught, f"a contradiction taught the kernel {taught}")
    events = until(lambda: t.daemon.events(address, PORT))
    need([e["mining"].get("reason") for e in events] == ["contradiction"], f"the log says {events}")


@every({"v1": (V1,), "v2": (V2,)}, "quic-second-connection")
def second_connection(t, version):
    """The server has answered a harmless connection, and the flow is let go; then another one begins on it."""
    address, true = t.fresh(), initial(t, LISTED, cid=2, version=version)
    answers = send(t, address, initial(t, UNLISTED), "41" * 100, true)
    need(answers[:2] == ["data", "data"], f"the harmless connection: {answers}")
    must_die(t, address, answers, true, taught=())


@ordinary("quic-version-negotiation")
def negotiation(t):
    """The server answers a version that it does not know; then comes the true one."""
    address, true = t.fresh(), initial(t, LISTED)
    answers = send(t, address, initial(t, UNLISTED, version="0x1a2a3a4a"), true)
    need(answers[0] == "data", f"the first datagram got {answers[0]}")
    must_die(t, address, answers, true)


@ordinary("quic-junk-first")
def junk_first(t):
    address, true = t.fresh(), initial(t, LISTED)
    must_die(t, address, send(t, address, ("1122334455" * 20, 2), true), true)


# -- a browser ------------------------------------------------------------------------------------

CADDYFILE = """\
{{
	admin off
	auto_https disable_redirects
	skip_install_trust
	storage file_system {folder}
	log default {{
		output file {folder}/caddy.log
	}}
}}
https://{unlisted}:{port}, https://{listed}:{port} {{
	bind {address}
	tls {folder}/cert.pem {folder}/key.pem
	log
	respond "over {{http.request.proto}} it came"
}}
"""
CHROMIUM_SECONDS = 20


def browse(t, folder, address, name, *more):
    profile = tempfile.mkdtemp(dir=folder)
    argv = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
            f"--user-data-dir={profile}", f"--host-resolver-rules=MAP {name} {address}",
            f"--ignore-certificate-errors-spki-list={spki(folder)}", "--timeout=6000", *more,
            "--dump-dom", f"https://{name}:{PORT + 10}/"]
    done = t.bed.client.run("timeout", "-k", "1", CHROMIUM_SECONDS, *argv, check=False, timeout=CHROMIUM_SECONDS + 5)
    return done.stdout


def spki(folder):
    """Chromium trusts a certificate that it is told the key of; --ignore-certificate-errors is not enough for QUIC."""
    done = subprocess.run(f"openssl x509 -in {folder}/cert.pem -pubkey -noout | openssl pkey -pubin -outform der | "
                          "openssl dgst -sha256 -binary | openssl enc -base64", shell=True, check=True, capture_output=True,
                          text=True)
    return done.stdout.strip()


def serve(t, folder, address):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    f"/CN={UNLISTED}", "-addext", f"subjectAltName=DNS:{UNLISTED},DNS:{LISTED}", "-days", "2",
                    "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"], check=True, capture_output=True)
    with open(f"{folder}/Caddyfile", "w", encoding="utf-8") as f:
        f.write(CADDYFILE.format(folder=folder, port=PORT + 10, address=address, listed=LISTED, unlisted=UNLISTED))
    caddy = t.bed.server.start("env", f"HOME={folder}", "caddy", "run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile",
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    up = until(lambda: t.bed.send(address, PORT + 10, "00", wait=0.2)["ended"] not in ("refused",), 10)
    if not up:
        raise Failed("caddy does not start")
    return caddy


@own("quic-chromium-h3")
def chromium(t):
    for program in ("chromium", "caddy"):
        if not shutil.which(program):
            raise Skipped(f"no {program} here")
    t.family = 4
    t.daemon = t.make(policy())
    t.daemon.start()
    address = t.fresh()
    with tempfile.TemporaryDirectory(dir=t.bed.tmp) as folder:
        caddy = serve(t, folder, address)
        try:
            dom = browse(t, folder, address, UNLISTED, "--enable-quic", f"--origin-to-force-quic-on={UNLISTED}:{PORT + 10}")
            need("over HTTP/3.0 it came" in dom, f"the page over HTTP/3: {dom[:200]!r}")
            dom = browse(t, folder, address, LISTED, "--enable-quic", f"--origin-to-force-quic-on={LISTED}:{PORT + 10}")
            need("it came" not in dom, "a listed name's page came over HTTP/3")
            dom = browse(t, folder, address, LISTED, "--disable-quic")
            need("it came" not in dom, "a listed name's page came over TCP")
            with open(f"{folder}/caddy.log", encoding="utf-8") as f:
                served = [json.loads(line)["request"] for line in f if '"request"' in line]
        finally:
            caddy.kill()
            caddy.wait()
    need([(r["host"].split(":")[0], r["proto"]) for r in served][:1] == [(UNLISTED, "HTTP/3.0")], f"caddy served {served}")
    need(LISTED not in str(served), "caddy served the listed name")
    protos = {(e["proto"], e["app_proto"]) for e in t.daemon.events(address)}
    need(protos >= {("UDP", "quic"), ("TCP", "tls")}, f"the log has {protos}")
