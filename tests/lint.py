#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules of the house that a compiler does not know: who may include whom, who may print, allocate or execute.
Reads the sources only; each finding is `FILE:LINE: text`, and any finding makes it exit 1."""

import os
import re
import subprocess
import sys

FOLDERS = ("inspect", "policy", "nfq", "nft", "daemon", "cli")

# folder -> folders whose headers it may include, its own aside
ARROWS = {
    "inspect": (),
    "policy": ("inspect",),
    "nfq": ("inspect",),
    "nft": (),
    "daemon": ("nfq", "inspect", "policy", "nft"),
    "cli": ("daemon", "nfq", "inspect", "policy", "nft"),
}
# policy judges facts; how they are found is none of its business.
ONLY_HEADER = {("policy", "inspect"): "inspect/inspect.h"}

# system header (prefix) -> folders that may see it
LIBRARIES = {
    "yaml.h": ("policy",),
    "idn2.h": ("policy",),
    "libnetfilter_queue/": ("nfq",),
    "libnftnl/": ("nft",),
    "libmnl/": ("nfq", "nft", "daemon"),
    "linux/netfilter": ("nfq", "nft"),
    "linux/netlink": ("nfq", "nft", "daemon"),
    "linux/nfnetlink": ("nfq", "nft"),
    "pcap": ("cli",),
    "jansson.h": ("daemon", "cli"),
    "zlib.h": ("inspect", "daemon", "cli"),
    "zstd.h": ("cli",),
    "seccomp.h": ("daemon",),
    "curl/": ("cli",),
    "microhttpd.h": ("daemon",),
    "net-snmp/": ("daemon",),
    "mosquitto.h": ("daemon",),
    "mqtt_protocol.h": ("daemon",),
    "sodium.h": ("daemon",),
    "nettle/": ("inspect", "policy", "nfq", "daemon", "cli"),
}

TOP = {"Makefile", "README.md", "LICENSE", ".gitignore", ".ci", ".clang-tidy", *FOLDERS, "tests", "contrib"}
TESTS = {"unit", "fuzz", "netns", "corpus", "bench", "evasion", "faults", "fleet", "policy-errors", "package"}

EXECUTES = r"\b(system|popen|execv|execve|execvp|execvpe|execl|execlp|execle|execveat|fexecve|posix_spawnp?|wordexp)\s*\("
# The admin's own hook, in the reporter's process, which judges nothing.
EXECUTORS = {"daemon/hook.c": "execve"}
PRINTS = (r"\b(printf|fprintf|vprintf|vfprintf|dprintf|vdprintf|puts|fputs|putchar|putc|fputc|perror|syslog|vsyslog|"
          r"err|errx|warn|warnx|verr|verrx|vwarn|vwarnx|psignal|error)\s*\(")
EXITS = r"\b(exit|_exit|_Exit|quick_exit|abort|assert|pthread_exit)\s*\("
ALLOCATES = r"\b(malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf|aligned_alloc|alloca|mmap)\s*\("
IMPURE = (r"\b(time|clock|clock_gettime|gettimeofday|rand|random|getrandom|getenv|fopen|open|openat|read|write|socket|"
          r"send|recv|sendto|recvfrom|ioctl)\s*\(")
FOREIGN_NAME = r"^(?![\s#/*}])(?:[\w\s*]*?[\s*])?((?:nfq|nft|nftnl|mnl|nfct|yaml)_\w+)\s*\("
FOREIGN_TYPE = r"^\s*(?:typedef\s+)?(?:struct|enum|union)\s+((?:nfq|nft|nftnl|mnl|nfct|yaml)_\w+)\s*\{"
FOREIGN_MACRO = r"^\s*#\s*define\s+((?:nfq|nft|nftnl|mnl|nfct|yaml|NFQ|NFT|NFTNL|MNL|NFCT|YAML)_\w+)"
TYPEDEF = r"^\s*typedef\s+(struct|union)\b"
# As a command of a script or a unit file; package names in an argument list are none.
TOOLS = r"(?:^|[;&|`(=]|\bexec|\bsudo|\bthen|\bdo|\belse)\s*(?:/usr)?(?:/local)?(?:/s?bin/)?(nft|ip6?tables(?:-\w+)*|ebtables|conntrack)\s+[-\w]"
# Paths of one machine; written in halves, or this line would find itself.
OUTSIDE = "|".join([r"(?<![\w.-])/wo" + r"rk/", r"/ho" + r"me/\w", r"(?<![\w.])/ro" + r"ot/", r"\.\./sha" + r"red(?!/corpus\b|/bench/stockvm\.sh)",
                    r"\.\./\.\./\.\./\.\."])
# The corpus and the emulated kernel are looked for beside the repository, and only these say so.
OUTSIDE_CORPUS = "../sha" + "red/"
CORPUS_SPEAKERS = ("Makefile", "README.md", "tests/")

NO_SPDX = ("LICENSE", ".gitignore", "contrib/debian/changelog", "contrib/debian/copyright", "contrib/debian/source/format")
NO_SPDX_SUFFIX = (".md", ".pcap", ".pcapng", ".bin", ".json", ".jsonl", ".tsv", ".hex", ".in", ".out", ".svg", ".png")
NO_SPDX_FOLDER = ("tests/policy-errors/", "tests/corpus/fuzz/")  # broken on purpose, to the byte


class Findings:
    def __init__(self, root):
        self.root = root
        self.n = 0

    def add(self, path, line, text):
        self.n += 1
        print(f"{path}:{line}: {text}")


def files(root):
    """Tracked files and new ones that git would take; all files where there is no git."""
    done = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
    if done.returncode == 0 and done.stdout:
        return sorted(p for p in set(done.stdout.splitlines()) if os.path.isfile(os.path.join(root, p)))
    found = []
    for base, dirs, names in os.walk(root):
        dirs[:] = [d for d in dirs if d not in (".git", "build")]
        found += [os.path.relpath(os.path.join(base, n), root) for n in names]
    return sorted(found)


def strip(source, strings):
    """C source without comments (and, if `strings`, without the insides of literals), every line kept."""
    out = []

    def blank(match):
        text = match.group(0)
        if text.startswith("/"):
            return re.sub(r"[^\n]", " ", text)
        return text[0] + re.sub(r"[^\n]", " ", text[1:-1]) + text[-1] if strings else text

    out = re.sub(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, source, flags=re.S)
    return out.splitlines()


def each(lines, pattern):
    for number, line in enumerate(lines, 1):
        for match in re.finditer(pattern, line):
            yield number, match


def check_includes(path, folder, lines, findings):
    for number, match in each(lines, r"^\s*#\s*include\s*([<\"])([^>\"]+)[>\"]"):
        kind, name = match.groups()
        if kind == "<":
            for prefix, allowed in LIBRARIES.items():
                if name.startswith(prefix) and folder not in allowed:
                    findings.add(path, number, f"<{name}> is for {' and '.join(allowed)} only")
            continue
        target = name.split("/")[0]
        if "/" not in name or target not in FOLDERS:
            findings.add(path, number, f'"{name}": includes are written from the root, as "folder/file.h"')
        elif target != folder and target not in ARROWS[folder]:
            findings.add(path, number, f"{folder} must not include {target}: the arrows go the other way")
        elif name != ONLY_HEADER.get((folder, target), name):
            findings.add(path, number, f"{folder} may know only {ONLY_HEADER[folder, target]} of {target}")


def check_c(path, source, findings):
    folder = path.split("/")[0]
    code = strip(source, True)
    check_includes(path, folder, strip(source, False), findings)
    rules = [(EXECUTES, "executes a program: the kernel is spoken to by netlink only"),
             (FOREIGN_NAME, "begins like a library's own name"), (FOREIGN_TYPE, "begins like a library's own name"),
             (FOREIGN_MACRO, "begins like a library's own name"), (TYPEDEF, "no struct typedefs")]
    if folder not in ("daemon", "cli"):
        rules += [(PRINTS, "only daemon/ and cli/ print"), (EXITS, "only daemon/ and cli/ end the process")]
    if folder == "inspect":
        rules += [(ALLOCATES, "inspect/ allocates nothing"), (IMPURE, "inspect/ is pure: no clock, file, socket or chance")]
    for pattern, why in rules:
        for number, match in each(code, pattern):
            if pattern == EXECUTES and EXECUTORS.get(path) == match.group(1):
                continue
            if not re.match(r"\s*_?static_assert", match.group(0), re.I):
                findings.add(path, number, f"{match.group(match.lastindex or 0).strip()}: {why}")


def check_text(path, text, findings):
    lines = text.splitlines()
    if path not in NO_SPDX and not path.endswith(NO_SPDX_SUFFIX) and (path.endswith(".py") or not path.startswith(NO_SPDX_FOLDER)):
        if not any("SPDX-License-Identifier: GPL-2.0-or-later" in line for line in lines[:3]):
            findings.add(path, 1, "no SPDX line (GPL-2.0-or-later) in the first three lines")
    for number, match in each(lines, OUTSIDE):
        findings.add(path, number, f"{match.group(0)}: names a path outside the repository")
    if not path.startswith(CORPUS_SPEAKERS):
        for number, _ in each(lines, re.escape(OUTSIDE_CORPUS) + "(?:corpus|bench)"):
            findings.add(path, number, f"{OUTSIDE_CORPUS} is named in {', '.join(CORPUS_SPEAKERS)} only")
    if path.startswith("contrib/") and not path.endswith(".md"):
        for number, match in each(lines, TOOLS):
            if not lines[number - 1].lstrip().startswith("#"):
                findings.add(path, number, f"{match.group(1)}: nothing that is shipped executes it")


def check_places(paths, findings):
    for name in sorted({p.split("/")[0] for p in paths} - TOP):
        findings.add(name, 1, "not one of the fixed top-level entries")
    for path in paths:
        if path.endswith((".pyc", ".o", ".d", ".so", ".a", ".orig", ".rej")):
            findings.add(path, 1, "made by a tool: belongs in no commit")
    for name in sorted({p.split("/")[1] for p in paths if p.startswith("tests/") and p.count("/") > 1} - TESTS):
        findings.add("tests/" + name, 1, "not one of the folders of tests/")


def run(*words):
    return subprocess.run(words, capture_output=True, text=True).stdout


def check_hardening(path, findings):
    """The flags of the Makefile as they are seen in what came out."""
    shape, symbols, where = run("readelf", "-Wlhdn", path), run("nm", "-D", "--undefined-only", path), os.path.relpath(path)
    code = run("objdump", "-d", "--no-show-raw-insn", path) if "X86-64" in shape else ""
    stack = [line for line in shape.splitlines() if "GNU_STACK" in line]
    for there, what in (("DYN (Position-Independent" in shape or "Type: DYN" in shape, "is not position independent (-fPIE, -pie)"),
                        ("GNU_RELRO" in shape, "has no read-only relocations (-z relro)"),
                        (re.search(r"BIND_NOW|Flags:.*\bNOW\b", shape), "binds its functions late (-z now)"),
                        (stack and "E" not in stack[0].split()[-2], "has a stack that is executable"),
                        ("__stack_chk_fail" in symbols, "has no canaries (-fstack-protector-strong)"),
                        (re.search(r"__(memcpy|snprintf|vsnprintf)_chk", symbols), "is not fortified (-D_FORTIFY_SOURCE)"),
                        (not code or re.search(r"\bor\w?\s+\$0x0,(0x\w+)?\(%rsp\)", code),
                         "takes large stacks in one step (-fstack-clash-protection)"),
                        (not code or code.count("endbr64") > 100, "marks no targets of jumps (-fcf-protection)")):
        if not there:
            findings.add(where, 1, what)


def check_binary(root, findings):
    """What was linked tells, too: a macro or a function pointer can hide a name from the sources' reader."""
    path = os.path.join(root, os.environ.get("BUILD", "build"), "minewall")
    if not os.path.exists(path):
        return
    check_hardening(path, findings)
    done = subprocess.run(["nm", "-D", "--undefined-only", path], capture_output=True, text=True)
    for symbol in sorted({line.split()[-1].split("@")[0] for line in done.stdout.splitlines() if line.strip()}):
        if symbol not in EXECUTORS.values() and re.fullmatch(EXECUTES.replace(r"\s*\(", "").replace(r"\b", ""), symbol):
            findings.add(os.path.relpath(path, root), 1, f"is linked with {symbol}(): something executes a program")


def main():
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), ".."))
    findings = Findings(root)
    paths = files(root)
    check_places(paths, findings)
    for path in paths:
        with open(os.path.join(root, path), "rb") as f:
            data = f.read()
        if b"\0" in data[:4096]:
            continue
        text = data.decode("utf-8", errors="replace")
        check_text(path, text, findings)
        if path.startswith(tuple(folder + "/" for folder in FOLDERS)) and path.endswith((".c", ".h")):
            check_c(path, text, findings)
    check_binary(root, findings)
    print(f"lint: {len(paths)} files, {findings.n} findings")
    return 1 if findings.n else 0


if __name__ == "__main__":
    sys.exit(main())
