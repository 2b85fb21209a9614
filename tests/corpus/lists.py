#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Real lists in every format: what `minewall check` uses and skips of each, by reason, against a second, slow and plain count that is
written here from the formats' definitions; and, as information, which popular harmless names the coin lists would block."""

import argparse
import base64
import binascii
import ipaddress
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter

CORPUS = "../shared/corpus/lists/"
LINE_MAX = 4096
SINKS = {"0.0.0.0", "127.0.0.1", "::", "::1", "::0", "0:0:0:0:0:0:0:0", "0:0:0:0:0:0:0:1"}
LOCAL = {"localhost", "localhost.localdomain", "localhost4", "localhost4.localdomain4", "localhost6", "localhost6.localdomain6",
         "local", "broadcasthost"}
RESERVED = [ipaddress.ip_network(n) for n in ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
                                              "192.168.0.0/16", "224.0.0.0/3")]
GLOBAL6 = [ipaddress.ip_network("2000::/3"), ipaddress.ip_network("64:ff9b::/96")]


def text_of(raw):
    return raw.decode("latin-1")


def is_local(name):
    return name.lower() in LOCAL or name.lower().startswith("ip6-")


# ---- one name, one address ----

def name_problem(name):
    """None if it is a host name to block."""
    if any(ord(c) >= 0x80 for c in name):
        below = name.startswith("*.")
        try:
            name = name[2 * below:].encode("latin-1").decode("utf-8").encode("idna").decode()
        except UnicodeError:
            return "unicode"
    elif name.startswith("*."):
        name = name[2:]
    if name.endswith("."):
        name = name[:-1]
    shape = "pattern" if "*" in name else "path" if "/" in name else "name"
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        return shape
    if len(name) > 253:
        return "long"
    labels = name.split(".")
    if any(not 1 <= len(label) <= 63 for label in labels):
        return shape
    if labels[-1].isdigit():
        return "address"
    if len(labels) == 1 or (len(labels) == 2 and len(labels[1]) == 2 and labels[0].lower() in ("ac", "co", "com", "edu", "gov", "net", "org")):
        return "wide"
    return None


def judge_networks(networks):
    if any(n.prefixlen < (8 if n.version == 4 else 16) for n in networks):
        return "wide"
    for n in networks:
        if n.version == 4 and any(n.overlaps(r) for r in RESERVED):
            return "local"
        if n.version == 6 and not any(n.subnet_of(g) for g in GLOBAL6):
            return "local"
    return "address used"


def plain_ip(text):
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    if ip.version == 6 and "%" in text:
        return None
    return ip.ipv4_mapped or ip if ip.version == 6 else ip


def address(text):
    """None if it is no address at all; "address used", or why not."""
    m = re.fullmatch(r"(.+)/(\d+)", text)
    ip = plain_ip(m[1] if m else text)
    if ip and m:
        if int(m[2]) > ip.max_prefixlen:
            return None
        return judge_networks([ipaddress.ip_network((ip, int(m[2])), strict=False)])
    if ip:
        return judge_networks([ipaddress.ip_network(ip)])
    m = re.fullmatch(r"\[(.+)\](?::(\d+))?", text) or re.fullmatch(r"([\d.]+):(\d+)", text)
    ip = plain_ip(m[1]) if m else None
    if ip:
        return judge_networks([ipaddress.ip_network(ip)]) if m[2] is None or 0 < int(m[2]) < 65536 else None
    first, dash, last = text.partition("-")
    first, last = plain_ip(first.strip()), plain_ip(last.strip())
    if dash and first and last and first.version == last.version and first <= last:
        return judge_networks(list(ipaddress.summarize_address_range(first, last)))
    return None


def entry(word):
    """What a name or address is counted as."""
    if word[0] not in "*." and name_problem(word) is None and not any(ord(c) >= 0x80 for c in word):
        return "name used"
    if word[0] not in "*.":
        found = address(word)
        if found:
            return found
        if re.fullmatch(r"[0-9a-fA-F.:/\[\]-]+", word) and (":" in word or re.match(r"[0-9.]+($|[/:\[\]-])", word)):
            return "address"
    return name(word)


def name(word):
    bare = word[1:] if len(word) > 1 and word[0] == "." else word
    problem = name_problem(bare)
    if problem in ("name", "path", "pattern"):
        problem = "pattern" if "*" in word else "path" if "/" in word else "name"
    return problem or "name used"


# ---- the formats: each yields what it counts ----

def host_or_port(word):
    m = re.fullmatch(r"([^:]+):(\d+)", word)
    return "port" if m and name_problem(m[1]) is None else entry(word)


def plain(lines):
    for line in lines:
        if not line or line[0] in "!#;" or line.startswith("//"):
            continue
        words = re.split(r"[ \t\r\f\v]+", re.sub(r"[ \t\r\f\v][#;].*", "", line))
        if len(words) > 2 or (len(words) == 2 and not re.fullmatch("[0-9]+", words[1])):
            yield "syntax"
            continue
        url = re.fullmatch(r"(.*?)://([^/?#]*)(.*)", words[0])
        if not url:
            yield host_or_port(words[0])
        elif url[3] not in ("", "/"):
            yield "path"
        else:
            host = url[2].rpartition("@")[2]
            yield address(host) or (host_or_port(host) if host else "name")


def wildcard(lines):
    for line in lines:
        if line and line[0] not in "!#;":
            yield entry(line[2:] if line.startswith("*.") else line)


def hosts(lines):
    for line in lines:
        if not line or line[0] in "!#;":
            continue
        words = re.split(r"[ \t\r\f\v]+", re.sub(r"[ \t\r\f\v]#.*", "", line))
        if len(words) < 2 or not plain_ip(words[0]):
            yield "syntax"
        elif words[0] not in SINKS:
            yield "local" if is_local(words[1]) else "redirect"
        else:
            for word in words[1:]:
                if not is_local(word):
                    yield name(word)


KEPT = {"third-party", "3p", "strict3p", "strict-third-party", "important", "match-case", "badfilter"}
COSMETIC = r"##|#@#|#\?#|#\$#|#%#|#@\?#|#@\$#|#@%#|#\$\?#|#@\$\?#|\$\$|\$@\$"


def split_rule(line):
    exception = line.startswith("@@")
    rest = line[2 * exception:]
    at = [m.start() for m in re.finditer(r"\$(?=[A-Za-z0-9~_])", rest)]
    cut = (at[-1] if rest.startswith("/") else at[0]) if at else len(rest)
    options = [o.strip() for o in rest[cut + 1:].split(",")] if rest[cut + 1:] else []
    return exception, rest[:cut], [o for o in options]


def options_kept(exception, options):
    for option in options:
        key, _, value = option.partition("=")
        low = key.strip().lower()
        if low in KEPT and key == option or low == "reason" or (option.startswith("_") and not value):
            continue
        if not exception and (low in ("document", "doc", "all") and key == option or
                              low == "dnsrewrite" and value.strip().lower() in ("nxdomain", "refused", "0.0.0.0", "::")):
            continue
        return False
    return True


def adblock_host(exception, pattern, options):
    """(host, None) or (None, reason)."""
    anchored = pattern.startswith("||")
    host = pattern[2:] if anchored else pattern
    if re.fullmatch(r"/.*/", pattern, re.S):
        return None, "regex"
    if not host:
        return None, "syntax" if anchored else "option"
    if anchored:
        host = re.sub(r"(\^\||\^\*|/\*|\^|\||/)$", "", host)
    if not host:
        return None, "syntax"
    if re.search(r"[/?=&^|,;%\0]", host):
        return None, "path"
    if "*" in host:
        if not anchored:
            return None, "path"
        if "*" in host[1:] or not host.startswith("*.") and host[0] == "*":
            return None, "pattern"
    if not anchored and not plain_ip(host) and not (re.fullmatch(r"[A-Za-z0-9](.*[A-Za-z0-9])?", host) and
                                                    all(ord(c) < 0x80 for c in host) and name_problem(host) is None):
        return None, "path"
    return host, None


def adblock(lines):
    disabled = set()
    for line in lines:
        if "badfilter" in line and len(line) <= LINE_MAX:
            exception, pattern, options = split_rule(line)
            if options_kept(exception, options) and any(o.lower() == "badfilter" for o in options):
                disabled.add((exception, pattern, tuple(sorted(o for o in options if o.lower() != "badfilter"))))
    for line in lines:
        if not line or re.match(r"#$|##?$|##[# \t]", line):
            continue
        if line.startswith("[$") or re.match(COSMETIC, line) or (line[0] != "#" and re.search(COSMETIC, line)):
            yield "cosmetic"
            continue
        if line[0] in "!#[":
            continue
        if re.match(r"[0-9a-fA-F.:]+[ \t]+[^ \t#]", line) and plain_ip(line.split()[0]):
            yield from hosts([line])
            continue
        exception, pattern, options = split_rule(line)
        host, reason = adblock_host(exception, pattern, options)
        if reason:
            yield reason
        elif not options_kept(exception, options):
            yield "option"
        elif any(o.lower() == "badfilter" for o in options) or (exception, pattern, tuple(sorted(options))) in disabled:
            yield "disabled"
        else:
            found = (address(host) or "port") if ":" in host else entry(host)
            yield "exception used" if exception and found.endswith(" used") else found


def dnsmasq(lines):
    for line in lines:
        line = re.sub(r"(^|[ \t])#.*", "", line).strip()
        m = re.fullmatch(r"(address|server|local)\s*=\s*/([^/].*)/([^/]*)", line, re.I)
        if not line:
            continue
        if not m:
            yield "directive"
            continue
        for word in m[2].split("/"):
            if m[3] not in ("", "#") and m[3] not in SINKS:
                yield "redirect"
            elif word == "#":
                yield "wide"
            else:
                found = name(word)
                yield "exception used" if m[3] == "#" and m[1].lower() != "address" and found == "name used" else found


def unbound(lines):
    refusing = {"always_nxdomain", "always_nodata", "always_null", "always_refuse", "always_deny", "refuse", "deny", "static", "inform_deny"}
    for line in lines:
        line = re.sub(r"(^|[ \t])#.*", "", line).strip()
        key, _, value = line.partition(":")
        words = [a or b or c for a, b, c in re.findall(r'"([^"]*)"|\'([^\']*)\'|(\S+)', value)]
        if not line or not words and line.endswith(":"):
            continue
        if key == "local-zone" and len(words) == 2 and words[1] in refusing:
            yield name(words[0])
        elif key == "local-zone" and len(words) == 2 and words[1] in ("redirect", "inform_redirect"):
            continue
        else:
            yield "directive"


def rpz(lines):
    owner, depth = "", 0
    for line in lines:
        line = re.sub(r";.*", "", line).rstrip()
        inside = depth > 0
        depth += line.count("(") - line.count(")")
        words = line.split()
        if inside or not words or words[0] in ("$TTL", "$ORIGIN"):
            continue
        if not line[0].isspace():
            owner = words.pop(0)
        words = [w for w in words if not re.fullmatch(r"\d\w*|IN", w)]
        if owner in ("@", "") or words[0] in ("SOA", "NS"):
            continue
        bare = owner[:-1] if owner.endswith(".") and owner != "." else owner
        if words[0] == "CNAME" and words[1] in (".", "*.", "rpz-drop."):
            yield "wide" if bare == "*" else name(bare)
        elif words[0] == "CNAME" and words[1] == "rpz-passthru.":
            yield "exception used"
        else:
            yield "redirect"


def ipset(lines):
    for line in lines:
        words = line.split()
        if words and words[0] == "add":
            yield address(words[2]) or "address"


def nftables(lines):
    for block in re.findall(r"elements\s*=\s*\{([^}]*)\}", " ".join(lines)):
        for element in block.split(","):
            if element.strip():
                yield address(element.split()[0]) or "address"


def p2p(lines):
    for line in lines:
        if line and line[0] not in "#":
            yield address(line.rpartition(":")[2]) or "syntax"


def suricata(lines):
    for line in filter(None, lines):
        try:
            value = text_of(base64.b64decode(line.partition(",")[0], validate=True))
        except binascii.Error:
            yield "syntax"
            continue
        yield host_or_port(value)


READERS = [("hosts", hosts), ("Adblock", adblock), ("AdGuard", adblock), ("uBO", adblock), ("dnsmasq", dnsmasq), ("unbound", unbound), ("BIND RPZ", rpz),
           ("ipset save", ipset), ("nftables", nftables), ("P2P", p2p), ("Suricata dataset", suricata), ("wildcard", wildcard), ("Squid", wildcard)]


def count(raw, reader):
    if raw.startswith(b"\xef\xbb\xbf"):
        raw = raw[3:]
    lines = text_of(raw).split("\n")
    found = Counter()
    short = []
    for line in lines:
        if len(line) > LINE_MAX and reader is not nftables:
            found["long"] += line[0] not in "#!;"
        else:
            short.append(line.rstrip(" \t\r\f\v") if reader is rpz else line.strip(" \t\r\f\v"))
    found.update(reader(short))
    return +found


def as_counter(listed):
    found = Counter(listed["reasons"])
    for key, what in (("names", "name used"), ("addresses", "address used"), ("exceptions", "exception used")):
        found[what] += listed[key]
    return +found


def check(minewall, folder, path):
    """The list as the program counts it: a Counter, or the message that it refuses it with."""
    policy = os.path.join(folder, "p.yaml")
    with open(policy, "w", encoding="utf-8") as f:
        f.write(f"version: 1\nlists: [{{name: l, file: '{os.path.abspath(path)}'}}]\n")
    done = subprocess.run([minewall, "check", "--json", "-c", policy], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return as_counter(json.loads(done.stdout)["lists"][0])
    m = re.search(r"no usable entry \((\d+) skipped\)", done.stderr)
    return int(m[1]) if m else done.stderr.strip()


def manifest():
    with open(CORPUS + "MANIFEST.tsv", encoding="utf-8") as f:
        next(f)
        for line in f:
            columns = line.rstrip("\n").split("\t")
            yield columns[0], columns[1]


def one_list(minewall, folder, path, kind):
    """None if both counts are equal."""
    with open(CORPUS + path, "rb") as f:
        raw = f.read()
    got = check(minewall, folder, CORPUS + path)
    if "gzip" in kind:
        return None if "packed" in str(got) else f"expected to be refused as packed, is {got}"
    wanted = count(raw, next((reader for word, reader in READERS if word in kind), plain))
    if isinstance(got, Counter):
        return None if got == wanted else f"{dict(got)}, counted here {dict(wanted)}"
    used = sum(n for what, n in wanted.items() if what.endswith(" used"))
    return None if not used and got == sum(wanted.values()) else f"{got}, counted here {dict(wanted)}"


def popular():
    """Information, no test: popular names that lists of coins and pools block; exchanges and a database tool among them."""
    with open(CORPUS + "benign/umbrella-x-coinlists.tsv", encoding="utf-8") as f:
        names = sorted({line.rstrip("\n").split("\t")[1] for line in f if not line.startswith("list\t")})
    for path in ("nocoin/hosts.txt", "coinblocker-2018/list.txt", "anudeep/CoinMiner.txt", "blocklistproject/crypto.txt", "maltrail/crypto_mining.txt"):
        with open(CORPUS + path, "rb") as f:
            words = {line.split()[-1].lower() for line in text_of(f.read()).split("\n") if line.strip() and line[0] != "#"}
        hit = [n for n in names if any(n.split(".", i)[-1] in words for i in range(n.count(".") + 1))]
        print(f"   {path} blocks {len(hit)} of {len(names)} popular names that some coin list has{': ' if hit else ''}{', '.join(hit[:3])}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minewall", default="build/minewall")
    args = parser.parse_args()
    if not os.access(CORPUS + "MANIFEST.tsv", os.R_OK):
        print(f"skipped: no {CORPUS} beside the tree")
        return 0
    failed = passed = 0
    with tempfile.TemporaryDirectory() as folder:
        for path, kind in manifest():
            if not os.path.exists(CORPUS + path):
                continue
            wrong = one_list(args.minewall, folder, path, kind)
            print(f"ok {path}" if not wrong else f"FAIL {path}: {wrong}")
            failed += bool(wrong)
            passed += not wrong
    popular()
    print(f"lists: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
