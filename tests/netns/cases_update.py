# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of `lists update` against a web server that misbehaves (webserver.py). What counts is what lies on disk afterwards, byte for
byte, the exit status, the one line said, who fetched it, and what the running daemon then does on the wire."""

import base64
import glob
import hashlib
import json
import os
import pwd
import re
import select
import signal
import subprocess
import time

import bed as beds
from bed import SERVER
from run import need, own, until

HTTP, TLS, WRONG_NAME, EXPIRED, UNKNOWN_CA = 18000, 18443, 18444, 18445, 18446
GOOD = b"# a list\n" + b"".join(b"0.0.0.0 pool%d.fetched.example\n" % i for i in range(200))
BETTER = GOOD + b"0.0.0.0 new.fetched.example\n"
NEW_NAME = "new.fetched.example"
HTML = b"\r\n<!DOCTYPE html><html><head><title>Log in</title></head>\npool.page.example\n</html>\n"

POLICY = """\
version: 1
mode: enforce
queues: {{first: 10, count: 1}}
lists:
{lists}
state: {state}
control: control.sock
log: {{file: eve.json}}
"""


def make_certs(folder):
    """A CA of our own, and what it and others have signed."""
    def path(name):
        return os.path.join(folder, name)

    def sign(name, san, ca, *dates):
        beds.command("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                     "-keyout", path(name + ".key"), "-out", path(name + ".csr"))
        with open(path("ext"), "w", encoding="ascii") as f:
            f.write(f"subjectAltName={san}\n")
        beds.command("openssl", "x509", "-req", "-in", path(name + ".csr"), "-CA", path(ca + ".pem"), "-CAkey", path(ca + ".key"),
                     "-set_serial", str(len(os.listdir(folder))), "-extfile", path("ext"), *dates, "-out", path(name + ".pem"))

    for ca in ("ca", "other-ca"):
        beds.command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={ca}",
                     "-days", "9", "-keyout", path(ca + ".key"), "-out", path(ca + ".pem"))
    sign("good", f"IP:{SERVER[4]}", "ca", "-days", "9")
    sign("wrong-name", "DNS:other.example", "ca", "-days", "9")
    sign("expired", f"IP:{SERVER[4]}", "ca", "-days", "0")
    sign("unknown-ca", f"IP:{SERVER[4]}", "other-ca", "-days", "9")
    os.chmod(path("ca.pem"), 0o600)  # the child that fetches may not be able to read it


class Web:
    """The misbehaving server, and a policy folder beside it."""

    def __init__(self, bed):
        self.folder = os.path.join(bed.tmp, "web")
        os.makedirs(self.folder)
        make_certs(self.folder)
        names = ((TLS, "good"), (WRONG_NAME, "wrong-name"), (EXPIRED, "expired"), (UNKNOWN_CA, "unknown-ca"))
        words = [f"{port}:{self.folder}/{name}.pem:{self.folder}/{name}.key" for port, name in names]
        process = bed.server.start(*beds.PYTHON, os.path.join(beds.HERE, "webserver.py"), self.folder, HTTP, *words,
                                   stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        readable, _, _ = select.select([process.stdout], [], [], 10)
        if not readable or process.stdout.readline() != b"ready\n":
            raise beds.BedError("the web server does not start")

    def publish(self, name, body=None, mode="ok"):
        with open(os.path.join(self.folder, name + ".mode"), "w", encoding="ascii") as f:
            f.write(mode)
        if body is not None:
            with open(os.path.join(self.folder, name), "wb") as f:
                f.write(body)

    def requests(self, name):
        try:
            with open(os.path.join(self.folder, "requests.jsonl"), encoding="utf-8") as f:
                return [r for r in map(json.loads, f) if r["path"].split("/")[-1] == name]
        except FileNotFoundError:
            return []


def web_of(t):
    if not hasattr(t.bed, "web"):
        t.bed.web = Web(t.bed)
    return t.bed.web


class Lists:
    """A policy with fetched lists. Its `lists update` runs in the gateway."""

    def __init__(self, t, *entries, where=None, more=""):
        self.t, self.web = t, web_of(t)
        t.number += 1
        self.name = f"list{t.number}"
        self.url = where or f"https://{SERVER[4]}:{TLS}/{self.name}"
        lines = entries or (f'{{name: {self.name}, url: "{self.url}", ca: {self.web.folder}/ca.pem{more}}}',)
        self.state = os.path.join(t.bed.tmp, f"state{t.number}")
        self.daemon = t.make(POLICY.format(lists="\n".join("  - " + line for line in lines), state=self.state))
        self.path = self.file(self.name)

    def file(self, name):
        return os.path.join(self.state, "lists", name + ".txt")

    def argv(self, *options):
        return (self.t.binary, "lists", "update", "-c", self.daemon.policy, *options)

    def update(self, *options, env=None):
        return self.t.bed.gateway.run(*self.argv("--timeout", "3s", *options), check=False, timeout=30, env=env)

    def good(self, body=GOOD, mode="ok"):
        """The first copy."""
        self.web.publish(self.name, body, mode)
        done = self.update()
        says(done, 0, f"{self.name}: 200 entries used, 0 skipped")
        self.holds(body)
        return self

    def holds(self, body, name=None):
        with open(self.file(name or self.name), "rb") as f:
            lies = f.read()
        need(lies == body, f"on disk lie {len(lies)} bytes, not the {len(body)} expected")
        left = [p for p in glob.glob(os.path.join(self.state, "lists", "*")) if not p.endswith((".txt", ".txt.meta"))]
        need(not left, f"left behind: {left}")


def says(done, code, text, out=None):
    said = (done.stderr if code else done.stdout).strip()
    need(done.returncode == code, f"exit {done.returncode}, not {code}: {done.stdout} {done.stderr}")
    need(re.search(text, said), f"it does not say {text!r}: {said[:300]}")
    need(code == 0 or len(said.splitlines()) == 1, f"not one line: {said[:300]}")


# -- what is taken ------------------------------------------------------------------------------

@own("update/first")
def first(t):
    lists = Lists(t)
    lists.web.publish(lists.name, GOOD)
    done = lists.daemon.verb("check")
    need(done.returncode == 4 and f"lists update {lists.name}" in done.stderr, f"check without a copy: {done.returncode} {done.stderr}")
    lists.good()
    stat = os.stat(lists.path)
    need((stat.st_mode & 0o7777, stat.st_uid) == (0o644, 0), f"mode {stat.st_mode:o} of uid {stat.st_uid}")
    need(lists.daemon.verb("check").returncode == 0, "check is not content")
    asked = lists.web.requests(lists.name)
    need(len(asked) == 1 and not {"cookie", "authorization", "referer"} & set(asked[0]["headers"]), f"asked {asked}")


@own("update/not-modified", "etag", "modified")
def not_modified(t, mode):
    lists = Lists(t).good(mode=mode)
    os.utime(lists.path + ".meta")
    time.sleep(1.1)
    before = os.stat(lists.path)
    says(lists.update(), 0, "unchanged")
    lists.holds(GOOD)
    header = "if-none-match" if mode == "etag" else "if-modified-since"
    need(header in lists.web.requests(lists.name)[-1]["headers"], "the second request was unconditional")
    after = os.stat(lists.path)
    need(after.st_mtime > before.st_mtime and after.st_ino == before.st_ino, "the copy's age was not set back, or it was written anew")
    says(lists.update("--force"), 0, "unchanged")
    need(header not in lists.web.requests(lists.name)[-1]["headers"], "--force was conditional")
    lists.web.publish(lists.name, BETTER, "etag")
    says(lists.update(), 0, "201 entries")
    lists.holds(BETTER)


@own("update/edited-by-hand")
def edited(t):
    lists = Lists(t).good(mode="etag")
    with open(lists.path, "ab") as f:
        f.write(b"0.0.0.0 www.innocent.example\n")
    says(lists.update(), 0, "200 entries")
    need("if-none-match" not in lists.web.requests(lists.name)[-1]["headers"], "an ETag was sent for another text")
    lists.holds(GOOD)


@own("update/ways", "gzip", "once", "up", "odd-etag", "big-line")
def ways(t, mode):
    """Answers that are unusual and right."""
    body = GOOD + (b"x" * (10 << 20) + b"\n" if mode == "big-line" else b"")
    lists = Lists(t, where=f"http://{SERVER[4]}:{HTTP}/list{t.number + 1}" if mode == "up" else None)
    lists.web.publish(lists.name, body, "ok" if mode == "big-line" else mode)
    done = lists.update()
    need(done.returncode == 0 and "200 entries used" in done.stdout, f"{done.returncode} {done.stdout} {done.stderr}")
    lists.holds(body)
    need(("its url is http" in done.stderr) == (mode == "up"), f"about http: {done.stderr}")
    need("\x1b" not in open(lists.path + ".meta", encoding="utf-8").read(), "a control byte was remembered")
    says(lists.update(), 0, "unchanged") if mode != "up" else None


@own("update/no-proxy")
def no_proxy(t):
    lists = Lists(t)
    lists.web.publish(lists.name, GOOD)
    env = dict(os.environ, https_proxy="http://127.0.0.1:9/", ALL_PROXY="http://127.0.0.1:9/", SSL_CERT_FILE="/dev/null")
    says(lists.update(env=env), 0, "200 entries")


# -- what is refused ----------------------------------------------------------------------------

BAD = {  # label -> body, mode, the line
    "404": (GOOD, "404", "HTTP 404"),
    "500-with-a-list": (BETTER, "500", "HTTP 500"),
    "304-unasked": (GOOD, "304-unasked", "HTTP 304"),
    "206": (BETTER, "206", "HTTP 206"),
    "redirect-loop": (BETTER, "loop", "over 5 redirects"),
    "redirect-nowhere": (BETTER, "nowhere", "leads nowhere"),
    "redirect-to-http": (BETTER, "to-http", "leads away from https"),
    "redirect-to-file": (BETTER, "to-file", "leads away from https"),
    "endless": (None, "endless", "too large, expected at most"),
    "gzip-bomb": (None, "bomb", "too large, expected at most"),
    "gzip-broken": (BETTER, "broken-gzip", "."),
    "slow-drip": (BETTER, "drip", "did not come within 3 s"),
    "hang": (BETTER, "hang", "did not come within 3 s"),
    "truncated": (BETTER, "too-short", "."),
    "length-too-small": (BETTER, "too-long", "no usable entry|shrunk"),
    "reset": (BETTER, "reset", "."),
    "no-http": (BETTER, "no-http", "."),
    "no-answer": (BETTER, "nothing", "."),
    "big-header": (BETTER, "big-header", "."),
    "html": (HTML, "ok", "web page"),
    "empty": (b"", "ok", "empty"),
    "blank": (b"\xef\xbb\xbf \r\n\n\t\n", "ok", "empty"),
    "comments-only": (b"# nothing any more\n" * 9, "ok", "no usable entry"),
    "shrunk": (b"\n".join(GOOD.splitlines()[:60]) + b"\n", "ok", "shrunk from 200 usable entries to 59, max_shrink is 50%"),
    "binary": (b"pool.binary.example\n\x00\x01\x02" + GOOD, "ok", "binary"),
    "elf": (b"\x7fELF" + bytes(4000), "ok", "binary"),
    "no-names": (b"this is no list at all\nreally not\n" * 50, "ok", "no usable entry .100 skipped"),
    "one-10-MB-line": (b"a" * (10 << 20), "ok", "no usable entry"),
    "json": (b'{"error": "quota exceeded"}\n', "ok", "no usable entry"),
}


def refused(t, lists, text):
    # Without the modification time of the last good copy a refusal might count as fresh.
    before = os.stat(lists.path)
    # The last --timeout counts; what never ends must be told by its size even on a slow machine.
    patience = ("--timeout", "25s") if "too large" in text else ()
    says(lists.update(*patience), 1, f"{lists.name}: .*({text}).*; the copy of 20.* stays")
    lists.holds(GOOD)
    need(os.stat(lists.path).st_mtime_ns == before.st_mtime_ns, "the refused update made the copy look fresh")
    shown = lists.daemon.json("lists")[0]
    need(shown["update"]["failures"] == 1 and re.search(text, shown["update"]["result"]), f"lists shows {shown}")
    lists.web.publish(lists.name, BETTER)
    says(lists.update(), 0, "201 entries")
    lists.holds(BETTER)


@own("update/refused", *BAD)
def bad(t, label):
    body, mode, text = BAD[label]
    lists = Lists(t).good()
    lists.web.publish(lists.name, body, mode)
    refused(t, lists, text)


@own("update/refused-away-and-back")
def away_and_back(t):
    lists = Lists(t, where=f"http://{SERVER[4]}:{HTTP}/list{t.number + 1}")
    lists.web.publish(lists.name, GOOD, "away-and-back")
    done = lists.update()
    need(done.returncode == 1 and "leads away from https; there is no copy of it yet" in done.stderr, f"{done.returncode} {done.stderr}")
    need(not os.path.exists(lists.path), "something was kept")


@own("update/refused-tls", "wrong-name", "expired", "unknown-ca", "no-tls", "closed", "no-dns")
def bad_tls(t, what):
    url = {"wrong-name": f"https://{SERVER[4]}:{WRONG_NAME}/x", "expired": f"https://{SERVER[4]}:{EXPIRED}/x",
           "unknown-ca": f"https://{SERVER[4]}:{UNKNOWN_CA}/x", "no-tls": f"https://{SERVER[4]}:{HTTP}/x",
           "closed": f"https://{SERVER[4]}:9/x", "no-dns": "https://nowhere.invalid/x"}[what]
    text = {"wrong-name": "name|match", "expired": "expired", "unknown-ca": "certificate", "no-tls": ".", "closed": "connect",
            "no-dns": "resolve"}[what]
    lists = Lists(t).good()
    lists.web.publish("x", BETTER)
    with open(lists.daemon.policy, encoding="utf-8") as f:
        right = f.read()
    lists.daemon.write("policy.yaml", right.replace(lists.url, url))
    says(lists.update(), 1, f"(?i){text}.*; the copy of")
    lists.holds(GOOD)
    need(not lists.web.requests("x"), "a request was sent to a server that did not prove itself")


@own("update/system-ca")
def system_ca(t):
    """Without `ca` only the system's certificates count; ours is none of them."""
    lists = Lists(t)
    lists.web.publish(lists.name, GOOD)
    with open(lists.daemon.policy, encoding="utf-8") as f:
        text = re.sub(", ca: [^}]*", "", f.read())
    lists.daemon.write("policy.yaml", text)
    says(lists.update(), 1, "certificate.*; there is no copy of it yet")
    need(not os.path.exists(lists.path), "something was kept")


@own("update/min-entries")
def min_entries(t):
    lists = Lists(t, more=", min_entries: 300")
    lists.web.publish(lists.name, GOOD)
    says(lists.update(), 1, "200 usable entries, min_entries is 300")
    need(not os.path.exists(lists.path), "something was kept")
    says(lists.update("--force"), 0, "200 entries")


@own("update/shrunk", "0%", "100%", "50%")
def shrunk(t, most):
    lists = Lists(t, more=f", max_shrink: {most}").good()
    small = b"\n".join(GOOD.splitlines()[:101 if most == "50%" else 200 if most == "0%" else 9]) + b"\n"
    lists.web.publish(lists.name, small)
    if most == "0%":
        refused(t, lists, "from 200 usable entries to 199, max_shrink is 0%")
        lists.web.publish(lists.name, small)
        says(lists.update("--force"), 0, "199 entries")
    else:
        says(lists.update(), 0, "(100|8) entries")
    lists.holds(small)


@own("update/shrunk-without-memory")
def shrunk_without_meta(t):
    """The copy itself is counted where nothing is remembered of it."""
    lists = Lists(t).good()
    os.unlink(lists.path + ".meta")
    lists.web.publish(lists.name, b"0.0.0.0 one.example\n")
    says(lists.update(), 1, "shrunk from 200 usable entries to 1")
    with open(lists.path + ".meta", "wb") as f:
        f.write(b'{"size": "x", "url": 5, "etag": "\xff')
    says(lists.update(), 1, "shrunk from 200 usable entries to 1")
    lists.holds(GOOD)


# -- signatures ---------------------------------------------------------------------------------

class Key:
    """An Ed25519 key as minisign and signify use it; the signing is openssl's."""

    def __init__(self, folder, number):
        self.pem = os.path.join(folder, f"key{number}.pem")
        self.scratch = os.path.join(folder, f"key{number}.in")
        beds.command("openssl", "genpkey", "-algorithm", "ed25519", "-out", self.pem)
        self.id = bytes([number] * 8)
        argv = ["openssl", "pkey", "-in", self.pem, "-pubout", "-outform", "DER"]
        der = subprocess.run(argv, capture_output=True, check=True).stdout
        self.public = base64.b64encode(b"Ed" + self.id + der[-32:]).decode()

    def raw(self, data):
        with open(self.scratch, "wb") as f:
            f.write(data)
        argv = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.pem, "-in", self.scratch]
        return subprocess.run(argv, capture_output=True, check=True).stdout

    def signify(self, data):
        return b"untrusted comment: verify with key.pub\n" + base64.b64encode(b"Ed" + self.id + self.raw(data)) + b"\n"

    def minisign(self, data, when=1700000000, hashed=True, claim=None):
        signature = self.raw(hashlib.blake2b(data).digest() if hashed else data)
        comment = f"timestamp:{when}\tfile:list.txt".encode()
        both = self.raw(signature + comment)
        return b"\n".join([b"untrusted comment: signature from minisign secret key",
                           base64.b64encode((b"ED" if hashed else b"Ed") + self.id + signature),
                           b"trusted comment: " + (claim or comment), base64.b64encode(both), b""])


SIGNED = {  # label -> signature of BETTER by (key, other key), or None for none; the line of a refusal
    "minisign": (lambda k, o: k.minisign(BETTER), None),
    "minisign-legacy": (lambda k, o: k.minisign(BETTER, hashed=False), None),
    "signify": (lambda k, o: k.signify(BETTER), None),
    "crlf": (lambda k, o: k.minisign(BETTER).replace(b"\n", b"\r\n"), None),
    "of-other-bytes": (lambda k, o: k.minisign(BETTER + b"\n"), "its signature is wrong"),
    "legacy-of-other-bytes": (lambda k, o: k.signify(GOOD), "its signature is wrong"),
    "other-key": (lambda k, o: o.minisign(BETTER), "its signature was made with another key"),
    "other-key-same-id": (lambda k, o: type("K", (), {"id": k.id, "raw": o.raw, "m": Key.minisign})().m(BETTER), "its signature is wrong"),
    "comment-changed": (lambda k, o: k.minisign(BETTER, claim=b"timestamp:1900000000\tfile:list.txt"), "its signature is wrong"),
    "older": (lambda k, o: k.minisign(BETTER, when=1600000000), "older than that of the copy"),
    "missing": (lambda k, o: None, "its signature: the server says HTTP 404"),
    "empty": (lambda k, o: b"", "none of minisign or signify"),
    "page": (lambda k, o: HTML, "none of minisign or signify"),
    "garbage": (lambda k, o: b"untrusted comment: x\n" + b"A" * 100 + b"\n", "none of minisign or signify"),
    "huge": (lambda k, o: k.signify(BETTER) + b"\n" * 100000, "its signature: it is too large"),
    "binary": (lambda k, o: bytes(range(256)), "none of minisign or signify"),
}


@own("update/signed", *SIGNED)
def signed(t, label):
    make, text = SIGNED[label]
    web = web_of(t)
    key, other = Key(t.bed.tmp, 1), Key(t.bed.tmp, 2)
    lists = Lists(t, more=f", public_key: {key.public}")
    web.publish(lists.name + ".minisig", key.minisign(GOOD))
    lists.good(mode="etag")
    signature = make(key, other)
    web.publish(lists.name, BETTER, "etag")
    web.publish(lists.name + ".minisig", signature or b"", "404" if signature is None else "ok")
    if text:
        says(lists.update(), 1, f"{text}.*; the copy of")
        says(lists.update("--force"), 1, f"{text}.*; the copy of")
        lists.holds(GOOD)
    else:
        says(lists.update(), 0, "201 entries")
        lists.holds(BETTER)


@own("update/signed-from-now-on")
def signed_later(t):
    """A copy that came unsigned is not taken for signed because the server says that it has not changed."""
    key = Key(t.bed.tmp, 1)
    lists = Lists(t).good(mode="etag")
    with open(lists.daemon.policy, encoding="utf-8") as f:
        text = f.read().replace("ca.pem}", f"ca.pem, public_key: {key.public}, signature: \"{lists.url}.sig\"}}")
    lists.daemon.write("policy.yaml", text)
    lists.web.publish(lists.name + ".sig", key.signify(BETTER))
    says(lists.update(), 1, "its signature is wrong")
    lists.web.publish(lists.name + ".sig", key.signify(GOOD))
    says(lists.update(), 0, "unchanged")
    lists.holds(GOOD)


# -- how it is done -----------------------------------------------------------------------------

def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return {k: v.strip() for k, _, v in (line.partition(":") for line in f)}


@own("update/unprivileged", "nobody", "daemon")
def unprivileged(t, user):
    lists = Lists(t).good()
    lists.web.publish(lists.name, BETTER, "drip")
    process = t.bed.gateway.start(*lists.argv("--timeout", "3s", "--user", user), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True)
    wanted = pwd.getpwnam(user).pw_uid
    address = f"{int.from_bytes(bytes(map(int, SERVER[4].split('.'))), 'little'):08X}:{TLS:04X}"

    def owner():
        rows = t.bed.gateway.run("cat", "/proc/net/tcp").stdout.splitlines()[1:]
        return [int(r.split()[7]) for r in rows if r.split()[2] == address and r.split()[3] == "01"]
    found = until(owner)
    need(found == [wanted], f"the connection belongs to uid {found}, not {wanted}")
    children = [p for p in t.bed.gateway.pids() if status_of(p)["PPid"] == str(process.pid)]
    need(len(children) == 1, f"{len(children)} children")
    status = status_of(children[0])
    need(status["Uid"].split() == [str(wanted)] * 4 and status["Gid"].split()[0] != "0" and not status["Groups"], f"it is {status}")
    need(int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapAmb"], 16) == 0 and status["NoNewPrivs"] == "1",
         f"it may do {status}")
    with open(f"/proc/{children[0]}/limits", encoding="ascii") as f:
        limits = dict(re.findall(r"^(Max [\w ]+?) {2,}(\S+)", f.read(), re.M))
    need(limits["Max file size"] == limits["Max core file size"] == "0" and limits["Max address space"] != "unlimited", f"limits {limits}")
    links = [os.readlink(p) for p in glob.glob(f"/proc/{children[0]}/fd/*")]
    need(not [p for p in links if p.startswith("/") and not p.startswith("/dev/")], f"it has open {links}")
    out, err = process.communicate(timeout=10)
    need(process.returncode == 1 and "within 3 s" in err, f"{process.returncode} {out} {err}")
    lists.holds(GOOD)


@own("update/few-rights")
def few_rights(t):
    """With the capabilities that the systemd unit leaves, and no more."""
    with open(os.path.join(beds.ROOT, "contrib", "systemd", "minewall-lists.service"), encoding="ascii") as f:
        rights = re.search(r"^CapabilityBoundingSet=(.*)$", f.read(), re.M)[1].lower().split()
    lists = Lists(t)
    lists.web.publish(lists.name, GOOD, "drip")
    bounds = ",".join(["-all"] + ["+" + right.removeprefix("cap_") for right in rights])
    few = ("setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set={bounds}")
    done = t.bed.gateway.run(*few, *lists.argv("--timeout", "2s"), check=False)
    says(done, 1, "within 2 s")
    lists.web.publish(lists.name, GOOD)
    says(t.bed.gateway.run(*few, *lists.argv("--due"), check=False), 0, "200 entries")
    lists.holds(GOOD)


@own("update/links-lead-nowhere", "folder", "above", "file", "lock")
def links_lead_nowhere(t, what):
    """The daemon's user has its way in the folder of the lists; root, who writes there, is not led elsewhere by it."""
    lists = Lists(t).good()
    victim = os.path.join(t.bed.tmp, f"victim{t.number}")
    os.makedirs(os.path.join(victim, "lists"))
    folder = {"folder": os.path.dirname(lists.path), "above": lists.state}.get(what)
    if folder:
        os.rename(folder, folder + ".aside")
        os.symlink(victim, folder)
        os.lchown(folder, *beds.DAEMON_USER)
    else:
        path = lists.path if what == "file" else os.path.join(lists.state, "lists.lock")
        os.remove(path)
        os.symlink(os.path.join(victim, "file"), path)
        os.lchown(path, *beds.DAEMON_USER)
    lists.web.publish(lists.name, BETTER)
    done = lists.update()
    found = [os.path.join(base, name) for base, _, names in os.walk(victim) for name in names]
    need(not found, f"root wrote {found}")
    if what == "file":      # the link itself is replaced
        need(done.returncode == 0 and not os.path.islink(lists.path), f"exit {done.returncode}: {done.stderr}")
        lists.holds(BETTER)
    else:
        need(done.returncode == 5, f"exit {done.returncode}: {done.stdout}{done.stderr}")
        need(what == "lock" or "is not root's: remove it" in done.stderr, f"it says {done.stderr}")


@own("update/no-libcurl")
def no_libcurl(t):
    lists = Lists(t)
    lists.web.publish(lists.name, GOOD)
    known = beds.command("ldconfig", "-p").stdout
    library = os.path.realpath(re.search(r"libcurl\.so\.4 .*=> (\S+)", known)[1])
    done = t.bed.gateway.run("sh", "-c", 'mount --bind /dev/null "$0" && exec "$@"', library, *lists.argv(), check=False)
    says(done, 5, "libcurl is not installed .*copy the lists by other means")
    done = t.bed.gateway.run("sh", "-c", 'mount --bind /dev/null "$0" && exec "$@"', library, t.binary, "check", "-c",
                             lists.daemon.policy, check=False)
    need(done.returncode == 4 and "lists update" in done.stderr, f"another verb needs libcurl: {done}")


@own("update/no-such-user")
def no_such_user(t):
    lists = Lists(t)
    lists.web.publish(lists.name, GOOD)
    for user in ("root", "nobody-at-all"):
        says(lists.update("--user", user), 5, "no unprivileged user")
    need(not lists.web.requests(lists.name), "it was fetched")


@own("update/not-root")
def not_root(t):
    lists = Lists(t).good()
    lists.web.publish(lists.name, BETTER)
    user = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    done = t.bed.gateway.run(*user, *lists.argv(), check=False)
    says(done, 5, "lists.lock: Permission denied; try as root")
    lists.holds(GOOD)


@own("update/killed")
def killed(t):
    lists = Lists(t).good()
    lists.web.publish(lists.name, BETTER, "drip")
    process = t.bed.gateway.start(*lists.argv(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    children = until(lambda: [p for p in t.bed.gateway.pids() if status_of(p)["PPid"] == str(process.pid)])
    until(lambda: len(lists.web.requests(lists.name)) == 2)
    says(lists.update(), 1, "another update is running")
    process.send_signal(signal.SIGKILL)
    process.wait(5)
    need(until(lambda: not os.path.exists(f"/proc/{children[0]}")), "the child outlived its parent")
    lists.holds(GOOD)
    with open(lists.path + ".new", "wb") as f:
        f.write(b"half of")
    lists.web.publish(lists.name, BETTER)
    says(lists.update(), 0, "201 entries")
    lists.holds(BETTER)


@own("update/several")
def several(t):
    web = web_of(t)
    names = [f"many{t.number}{x}" for x in "abc"]
    entries = [f'{{name: {n}, url: "https://{SERVER[4]}:{TLS}/{n}", ca: {web.folder}/ca.pem}}' for n in names]
    lists = Lists(t, *entries, "{name: own, file: miners.txt}")
    for name in names:
        web.publish(name, GOOD)
    says(lists.update(), 0, r"\A(.*200 entries used, 0 skipped\n?){3}\Z")
    for name, mode in zip(names, ("ok", "500", "ok")):
        web.publish(name, BETTER, mode)
    done = lists.update()
    says(done, 6, f"{names[1]}: the server says HTTP 500")
    need(done.stdout.count("201 entries") == 2, f"it said {done.stdout}")
    for name, body in zip(names, (BETTER, GOOD, BETTER)):
        lists.holds(body, name)
    web.publish(names[1], BETTER)
    says(lists.update(names[1]), 0, rf"\A{names[1]}: 201 entries[^\n]*\Z")
    says(lists.update("own"), 2, "list 'own' has no url")
    says(lists.update("nonesuch"), 2, "no list 'nonesuch'")
    shown = {one["name"]: one for one in lists.daemon.json("lists")}
    need([shown[n]["in_others"] for n in names] == [201] * 3, f"overlap {shown}")
    need(shown["own"]["in_others"] == 0 and "update" not in shown["own"] and shown["own"]["max_age_s"] is None, f"own {shown['own']}")


@own("update/due")
def due(t):
    lists = Lists(t, more=", refresh: 1h").good()
    lists.web.publish(lists.name, BETTER)
    done = lists.update("--due", "--jitter", "1s")
    need((done.returncode, done.stdout, done.stderr) == (0, "", ""), f"{done}")
    lists.holds(GOOD)
    # Nine tenths of an hour later a timer that is a little early takes it.
    meta = json.load(open(lists.path + ".meta", encoding="utf-8"))
    past = int(time.time()) - 3300
    os.utime(lists.path, (past, past))
    with open(lists.path + ".meta", "w", encoding="utf-8") as f:
        json.dump(dict(meta, mtime_s=past, mtime_ns=0), f)
    says(lists.update("--due"), 0, "201 entries")
    lists.holds(BETTER)


@own("update/file-in-the-way")
def in_the_way(t):
    lists = Lists(t).good()
    os.unlink(lists.path)
    os.mkdir(lists.path)
    lists.web.publish(lists.name, BETTER)
    says(lists.update(), 5, "cannot be written: Is a directory")
    os.rmdir(lists.path)
    says(lists.update(), 0, "201 entries")
    lists.holds(BETTER)


@own("update/disk-full")
def disk_full(t):
    lists = Lists(t).good()
    small = os.path.join(lists.state, "lists")
    beds.command("mount", "-t", "tmpfs", "-o", "size=48k", "small", small)
    try:
        lists.web.publish(lists.name, GOOD)
        says(lists.update(), 0, "200 entries")
        with open(os.path.join(small, "fill.txt"), "wb") as f:
            try:
                f.write(b"x" * 65536)
            except OSError:
                pass
        lists.web.publish(lists.name, BETTER * 20)
        says(lists.update(), 5, "cannot be written: No space left")
        lists.holds(GOOD)
    finally:
        beds.command("umount", "-l", small, check=False)


# -- with a daemon ------------------------------------------------------------------------------

@own("update/daemon-takes-it")
def daemon_takes(t):
    lists = Lists(t).good()
    t.daemon = lists.daemon.start()
    address = t.fresh()
    got = t.bed.curl(address, 443, NEW_NAME)
    need(got["code"] == 200, f"before: {got['why']}")
    lists.web.publish(lists.name, BETTER)
    says(lists.update(), 0, "201 entries used, 0 skipped\nthe daemon has taken them: 201 names")
    address = t.fresh()
    got = t.bed.curl(address, 443, NEW_NAME)
    need(got["rc"] and "reset" in got["why"].lower(), f"after: exit {got['rc']}, {got['why']}")
    need(not t.log.bytes(address, 443), "the server got bytes")
    need(until(lambda: t.kernel.elements("pairs4", address=address, port=443)), "the kernel was not taught")
    events = until(lambda: t.daemon.events(address, 443))
    need(len(events) == 1 and events[0]["mining"]["list"] == lists.name and events[0]["mining"]["line"] == 202, f"events {events}")
    handle, reloads = t.kernel.handle(), t.daemon.said().count("lists_reloaded")
    says(lists.update(), 0, r"\A[^\n]*unchanged\Z")
    need((t.kernel.handle(), t.daemon.said().count("lists_reloaded")) == (handle, reloads), "an unchanged list made the daemon reload")
    lists.web.publish(lists.name, HTML)
    says(lists.update(), 1, "web page")
    shown = t.daemon.json("lists")[0]
    need((shown["used"], shown["skipped"], shown["loaded"], shown["old"]) == (201, 0, True, False), f"lists shows {shown}")
    # The connection from before the update has been cut, too: its name was remembered.
    hits = sum(e["mining"]["count"] for e in t.daemon.events())
    need(shown["hits"] == hits == 2, f"{shown['hits']} hits of {hits}")
    text = t.daemon.verb("lists").stdout
    need(re.search(rf"^{lists.name} +- +auto +0m +201 +0 +0 +2$", text, re.M) and "web page" in text, f"the listing is {text}")


@own("update/daemon-refuses")
def daemon_refuses(t):
    """A timer must not bring into force what somebody has only begun to write, nor what is on trial: the list is there, the daemon keeps
    what it has, and this is said."""
    lists = Lists(t).good()
    t.daemon = lists.daemon.start()
    lists.web.publish(lists.name, BETTER)
    with open(lists.daemon.policy, encoding="utf-8") as f:
        text = f.read()
    lists.daemon.write("policy.yaml", text.replace("mode: enforce", "mode: monitor"))
    says(lists.update(), 6, "did not take them: the policy was changed since it was read; `minewall reload`")
    lists.holds(BETTER)
    status = lists.daemon.json("status")
    need((status["names"], status["mode"]) == (200, "enforce"), "the daemon took it all the same")
    done = lists.update("--due")
    need((done.returncode, done.stdout) == (6, "") and "did not take" in done.stderr, f"the next update does not say it again: {done}")
    says(lists.daemon.verb("reload", "--confirm", "60s"), 0, "201")
    done = lists.update("--due")
    need((done.returncode, done.stdout + done.stderr) == (0, ""), f"the daemon has taken it, and yet: {done}")
    lists.web.publish(lists.name, GOOD)
    says(lists.update(), 6, "did not take them: a policy waits to be confirmed")
    need(lists.daemon.json("status")["confirm_s"] > 0, "the update confirmed the policy")
    says(lists.daemon.verb("reload", "--keep"), 0, "")
    lists.daemon.write("policy.yaml", text + "oh no\n")
    lists.web.publish(lists.name, BETTER)
    says(lists.update(), 4, "policy.yaml:9:1")
    lists.daemon.write("policy.yaml", text)
    says(lists.daemon.verb("reload"), 0, "200 names")
    says(lists.update(), 0, "201 entries used, 0 skipped\nthe daemon has taken them: 201 names")


@own("update/age-alarm")
def age_alarm(t):
    lists = Lists(t, more=", max_age: 2d").good()
    past = time.time() - 5 * 86400
    os.utime(lists.path, (past, past))
    t.daemon = lists.daemon.start()
    need(until(lambda: "list_old" in t.daemon.said(), 15), "no alarm")
    log = os.path.join(t.daemon.folder, "eve.json")
    need(until(lambda: "list_old" in open(log, encoding="utf-8").read(), 3), "it is not in the log")  # a moment after it was said
    with open(log, encoding="utf-8") as f:
        notes = [e for e in map(json.loads, f) if e["event_type"] == "minewall"]
    need([n["minewall"]["event"] for n in notes] == ["list_old"] and lists.name in notes[0]["minewall"]["detail"], f"notes {notes}")
    need(f"list {lists.name} is 5d old, max_age is 2d" in t.daemon.verb("status").stdout, "status says nothing")
    need("OLD: nothing fresh for 5d, max_age is 2d" in t.daemon.verb("lists").stdout, "lists says nothing")
    says(lists.update(), 0, "unchanged")
    need(not t.daemon.json("status")["lists_old"] and "OLD" not in t.daemon.verb("lists").stdout, "the alarm stays")
