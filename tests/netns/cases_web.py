# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of the web: Stratum in WebSockets and in bodies, requests for work, HTTP/2 in the clear. The server takes all of them,
so what is missing in its log is what the gateway kept back."""

import json
import shutil
import subprocess
import tempfile
import time
import urllib.parse

import wire
from bed import CLIENT, CLIENT2
from run import ALLOWED, LISTED, UNLISTED, Skipped, TooSlow, every, need, ordinary, own, policy, until

PORT = 8090
LOGIN = wire.STRATUM["cryptonote"].strip()
CHAT = b'{"type":"message","text":"hello"}'
GETWORK = b'{"method": "getblocktemplate", "params": [], "id":0}'


def literal(address):
    """A Host that names nobody: it leaves no harmless name at the address."""
    return f"[{address}]:{PORT}" if ":" in address else f"{address}:{PORT}"


def whole(payload):
    return [wire.websocket_frame(payload)]


def fragments(payload):
    pieces = [payload[i:i + 7] for i in range(0, len(payload), 7)]
    frames = [wire.websocket_frame(p, 0 if i else 1, i + 1 == len(pieces)) for i, p in enumerate(pieces)]
    frames.insert(3, wire.websocket_frame(b"ping", 9))
    return frames


def deflated(payload):
    first, second = wire.websocket_deflate(CHAT, payload)
    cut = len(second) // 2
    return [wire.websocket_frame(first, 1, deflated=True), wire.websocket_frame(second[:cut], 1, False, True),
            wire.websocket_frame(second[cut:], 0, True)]


def unmasked(payload):
    return [wire.websocket_frame(payload, 2, masked=False)]


def send(t, address, parts, mode="parts", **more):
    """The parts as segments of their own, or byte by byte. A part that crosses the server's answer is reset with a sequence number that
    the client has left behind (RFC 5961 3.2), and once more, rightly, when it is sent again: the client waits for that."""
    data, cuts, at = b"".join(parts), [], 0
    for part in parts[:-1]:
        at += len(part)
        cuts.append(at)
    how = ("--mode", "bytes") if mode == "bytes" else ("--mode", "cuts", "--cuts", ",".join(map(str, cuts)), "--delay-ms", "15")
    how = how if cuts or mode == "bytes" else ()
    return data, t.bed.send(address, PORT, data.hex(), *how, "--linger", "0.8" if t.enforce else "0.2", wait=1.5, **more)


def must_die(t, address, complete, got, taught):
    """Blocked by protocol; in monitor mode only logged."""
    if not t.enforce:
        need(until(lambda: complete in t.log.bytes(address, PORT)), "monitor mode: the server did not get the bytes")
        need(not t.kernel.elements(address=address), "monitor mode taught the kernel")
        t.must_be_logged(address, PORT, "allowed", "protocol")
        return
    need(got["ended"] == "reset", f"the client saw {got['ended']}, no reset")
    time.sleep(0.05)
    need(complete not in t.log.bytes(address, PORT), "the server got all bytes")
    t.must_be_logged(address, PORT, "blocked", "protocol")
    sets = {e["set"].rstrip("46") for e in t.kernel.elements("endpoints4", "endpoints6", "pairs4", "pairs6", address=address)}
    need(sets == taught, f"taught sets {sorted(sets)}, not {sorted(taught)}")


FORMS = {f"{form.__name__}/{mode}": (form, mode) for form in (whole, fragments, deflated, unmasked) for mode in ("parts", "bytes")}


@every(FORMS, "websocket-login")
def websocket_login(t, form, mode):
    address = t.fresh()
    data, got = send(t, address, [wire.websocket_upgrade(UNLISTED), *form(LOGIN)], mode)
    # an unlisted Host was seen there: others may live behind that address, so nothing is taught
    must_die(t, address, data, got, set())
    event = t.daemon.events(address, PORT)[0]
    need(event["app_proto"] == "http" and event["mining"]["carrier"] == "websocket", f"the event says {event}")


@ordinary("websocket-harmless")
def websocket_harmless(t):
    """A chat passes, and after a few messages the kernel asks no more."""
    address = t.fresh()
    parts = [wire.websocket_upgrade(UNLISTED), *(wire.websocket_frame(CHAT) for _ in range(8))]
    before = t.kernel.queued()
    data, got = send(t, address, parts)
    need(got["ended"] in ("done", "timeout"), f"the client saw {got['ended']}")
    need(until(lambda: t.log.bytes(address, PORT) == data), "the server did not get all")
    flows = t.kernel.flows(t.family, address, PORT)
    need([f["state"] for f in flows] == [3], f"the flow's state is {[f['state'] for f in flows]}, not PASS")
    queued = t.kernel.queued() - before
    need(queued <= 6, f"{queued} packets were queued")
    need(not t.daemon.events(address), "an event about an innocent connection")


@ordinary("websocket-node")
def websocket_node(t):
    """A real client: Node's, with its own masks and heads."""
    if not shutil.which("node"):
        raise Skipped("no node here")
    script = """
        const [url, text] = process.argv.slice(1);
        const w = new WebSocket(url);
        let said = 'nothing';
        w.onopen = () => w.send(text);
        w.onmessage = e => { said = e.data; w.close(); };
        w.onerror = () => {};
        w.onclose = () => { console.log(said); process.exit(0); };
        setTimeout(() => { console.log(said + ', no end'); process.exit(0); }, 6000);
    """
    for text, harmless in ((CHAT, True), (LOGIN, False)):
        address = t.fresh()
        host = f"[{address}]" if t.family == 6 else address
        done = t.bed.client.run("node", "--experimental-websocket", "--no-warnings", "-e", script, f"ws://{host}:{PORT}/",
                                text.decode(), check=False, timeout=20)
        if "WebSocket is not defined" in done.stderr:
            raise Skipped("this node has no WebSocket")
        passes = harmless or not t.enforce
        need(done.stdout.strip() == ("ok" if passes else "nothing"), f"the client heard {done.stdout!r} {done.stderr[-200:]!r}")
        if not harmless:
            t.must_be_logged(address, PORT, "allowed" if passes else "blocked", "protocol")


@own("websocket-chromium")
def websocket_chromium(t):
    """What web miners run in: a browser, which compresses its messages."""
    if not shutil.which("chromium"):
        raise Skipped("no chromium here")
    page = """<script>
        const w = new WebSocket("ws://%s:%d/deflate");
        let n = 0;
        w.onopen = () => w.send(JSON.stringify({type: "hello"}));
        w.onmessage = () => { if (++n == 1) w.send(decodeURIComponent("%s")); };
        </script>"""
    t.daemon = t.make(policy())
    t.daemon.start()
    for text in (CHAT, LOGIN):
        address = t.fresh()
        html = page % (address, PORT, urllib.parse.quote(text.decode()))
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            browser = t.bed.client.start(
                "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={folder}",
                "--no-proxy-server", "--disable-web-security", "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
                "--remote-debugging-port=0", "data:text/html," + urllib.parse.quote(html), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            done = until(lambda at=address, n=len(frames_of(t, address)): t.daemon.events(at) or len(frames_of(t, at)) > n + 1, 25)
            browser.terminate()
            browser.wait(10)
        if not t.log.bytes(address, PORT):
            raise TooSlow("the browser did not start within 25 s")
        need(done, f"the server got {frames_of(t, address)} and nothing more")
        frames = [f for f in frames_of(t, address) if f & 15 < 8]
        need(all(f & 0x40 for f in frames), "the browser did not compress")
        if text == LOGIN:
            need(len(frames) == 1, "the server got the login")
            t.must_be_logged(address, PORT, "blocked", "protocol")
        else:
            need(not t.daemon.events(address), "an event about an innocent connection")


def frames_of(t, address):
    """The first byte of each whole frame that the server got behind the Upgrade, in the short form."""
    rest, firsts = t.log.bytes(address, PORT).partition(b"\r\n\r\n")[2], []
    while len(rest) > 6:
        size, head = rest[1] & 127, 6
        if size == 126:
            size, head = int.from_bytes(rest[2:4], "big"), 8
        if len(rest) < head + size:
            break
        firsts.append(rest[0])
        rest = rest[head + size:]
    return firsts


def post(host, body, *fields, chunked=False):
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    head = "\r\n".join(["POST /json_rpc HTTP/1.1", f"Host: {host}", "User-Agent: bed/1.0", framing, *fields, "", ""]).encode()
    if chunked:
        body = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 9]), body[i:i + 9]) for i in range(0, len(body), 9)) + b"0\r\n\r\n"
    return head, body


BODIES = {"together": (False, "together"), "behind": (False, "parts"), "bytes": (False, "bytes"), "chunked": (True, "parts"),
          "chunked-bytes": (True, "bytes")}


@every(BODIES, "body-login")
def body_login(t, chunked, mode):
    """Stratum at a body's start is Stratum, whoever carries it."""
    address = t.fresh()
    parts = post(UNLISTED, LOGIN, chunked=chunked)
    data, got = send(t, address, [b"".join(parts)] if mode == "together" else parts, mode)
    must_die(t, address, data, got, {"pairs"} if mode == "together" else set())


@ordinary("body-harmless")
def body_harmless(t):
    """JSON of web applications, forms and files pass, on one connection."""
    address = t.fresh()
    bodies = (CHAT, b"a=b&c=" + LOGIN, bytes(5000), b'{"log":' + json.dumps(LOGIN.decode()).encode() + b"}", b"[]")
    data, got = send(t, address, [b"".join(post(UNLISTED, body)) for body in bodies])
    need(got["ended"] in ("done", "timeout"), f"the client saw {got['ended']}")
    need(until(lambda: t.log.bytes(address, PORT) == data), "the server did not get all")
    need(not t.daemon.events(address), "an event about an innocent connection")


@ordinary("getwork-monitored")
def getwork_monitored(t):
    """By default a request for work is told, and passes."""
    address = t.fresh()
    head, body = post(UNLISTED, GETWORK, "X-Mining-Extensions: longpoll midstate")
    data, got = send(t, address, [head, body])
    need(got["ended"] in ("done", "timeout"), f"the client saw {got['ended']}")
    need(until(lambda: t.log.bytes(address, PORT) == data), "the server did not get all")
    need(not t.kernel.elements(address=address), "the kernel was taught")
    t.must_be_logged(address, PORT, "allowed", "protocol")
    event = t.daemon.events(address, PORT)[0]
    need(event["mining"]["rule"] == "detect.getwork", f"the rule is {event['mining']['rule']}")
    need(event["mining"]["agent"] == "bed/1.0", "the event lacks the agent")


@own("getwork-blocked")
def getwork_blocked(t):
    """`detect: {getwork: block}` drops it; an allowed Host may go on asking."""
    t.daemon = t.make(policy(more="detect: {getwork: block}"))
    t.daemon.start()
    for t.family in (4, 6):
        t.enforce = True
        address = t.fresh()
        data, got = send(t, address, [b"".join(post(literal(address), GETWORK, "X-Mining-Extensions: y"))])
        must_die(t, address, data, got, {"pairs"})
        address = t.fresh()
        data, got = send(t, address, [b"".join(post(ALLOWED, GETWORK, "X-Mining-Extensions: y"))])
        need(until(lambda at=address, sent=data: t.log.bytes(at, PORT) == sent), "an allowed Host was kept back")
    t.family = 4


H2 = {"prior": ("--http2-prior-knowledge",), "upgrade": ("--http2",)}


@every(H2, "h2c-curl")
def h2c_curl(t, option):
    for name in (UNLISTED, LISTED):
        address = t.fresh()
        got = t.bed.curl(address, PORT, name, "http", extra=(option,))
        if name == UNLISTED or not t.enforce:
            need(got["code"] == 200, f"{name}: {got['code']} {got['why']}")
        else:
            need(got["rc"] and got["code"] == 0, f"{name}: exit {got['rc']}, {got['code']}")
        if name == LISTED:
            t.must_be_logged(address, PORT, "blocked" if t.enforce else "allowed", "name")
        else:
            need(not t.daemon.events(address), "an event about an innocent connection")


@every({"parts": ("parts",), "bytes": ("bytes",)}, "h2c-second-request")
def h2c_second(t, mode):
    """Each request of a connection names its own host."""
    address = t.fresh()
    data, got = send(t, address, [wire.H2_PREFACE + wire.h2_request(UNLISTED), wire.h2_request(LISTED, 3)], mode)
    if not t.enforce:
        need(until(lambda: t.log.bytes(address, PORT) == data), "monitor mode: the server did not get the bytes")
        t.must_be_logged(address, PORT, "allowed", "name")
        return
    need(got["ended"] == "reset", f"the client saw {got['ended']}, no reset")
    time.sleep(0.05)
    need(data not in t.log.bytes(address, PORT), "the server got all bytes")
    t.must_be_logged(address, PORT, "blocked", "name")


@ordinary("websocket-spares-neighbours")
def neighbours(t):
    """Where nobody was seen but the miner, only its own way to the address is closed; a Host seen later opens it again."""
    address = t.fresh()
    head = wire.websocket_upgrade(UNLISTED).replace(b"Host: " + UNLISTED.encode() + b"\r\n", b"")
    data, got = send(t, address, [head, *whole(LOGIN)])
    must_die(t, address, data, got, {"pairs"})
    if not t.enforce:
        return
    pairs = t.kernel.elements("pairs4", "pairs6", address=address)
    need([p["src"] for p in pairs] == [CLIENT[t.family]], f"taught: {pairs}")
    need(not t.kernel.elements("endpoints4", "endpoints6", address=address), "everybody lost the address")
    got = t.bed.curl(address, PORT, UNLISTED, "http", source=CLIENT2[t.family])
    need(got["code"] == 200, f"another host was kept out: {got['why']}")
    need(until(lambda: not t.kernel.elements("pairs4", "pairs6", address=address)), "a neighbour was seen, and the pair stays")
