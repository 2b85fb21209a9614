#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a newcomer types: each verb's help fits a screen and has one example, a mistyped verb leads to the near one, and the
program's bare name says three things to do next. Takes the verbs from the program itself: a new one is tested from its first day."""

import os
import re
import subprocess
import sys

COLUMNS, LINES = 80, 24

failed = passed = 0


def expect(what, problems):
    global failed, passed
    for problem in problems:
        print(f"FAIL {what}: {problem}")
    failed += bool(problems)
    passed += not problems


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def verbs(binary):
    """The table as `minewall --help` prints it."""
    return re.findall(r"^  ([a-z][a-z-]*) {2,}\S", run(binary, "--help").stdout, re.M)


def screen(text):
    lines = text.splitlines()
    found = [f"line {n} has {len(line)} columns, more than {COLUMNS}: {line}" for n, line in enumerate(lines, 1) if len(line) > COLUMNS]
    return found + ([f"{len(lines)} lines, more than {LINES}"] if len(lines) > LINES else [])


def check_help(binary, verb):
    done = run(binary, verb, "--help")
    lines, problems = done.stdout.splitlines(), screen(done.stdout)
    examples = [line for line in lines if line.startswith("Example")]
    if done.returncode or done.stderr:
        problems.append(f"exit {done.returncode}, {done.stderr!r}")
    if not done.stdout.startswith(f"minewall {verb}"):
        problems.append("does not begin with how it is called: `minewall %s ...`" % verb)
    if len(examples) != 1 or not examples[0].startswith(f"Example: minewall {verb}"):
        problems.append(f"wants one line `Example: minewall {verb} ...`, has {examples}")
    for option in set(re.findall(r"\[?(--[a-z][a-z-]+)", examples[0] if examples else "")):
        if option not in done.stdout.replace(examples[0], ""):
            problems.append(f"its example has {option}, which it does not explain")
    if run(binary, "help", verb).stdout != done.stdout:
        problems.append(f"`minewall help {verb}` says something else")
    expect(f"{verb} --help", problems)


def check_near(binary, verb, known):
    """Each neighbouring pair of letters swapped, and each letter left out."""
    typed = {verb[:i] + verb[i + 1] + verb[i] + verb[i + 2:] for i in range(len(verb) - 1)}
    typed |= {verb[:i] + verb[i + 1:] for i in range(len(verb)) if len(verb) > 3}
    problems = []
    for word in sorted(typed - set(known)):
        done = run(binary, word)
        meant = re.search(r"did you mean `minewall ([a-z-]+)`", done.stderr)
        if done.returncode != 2 or not meant or meant.group(1) not in known or len(done.stderr.splitlines()) != 1:
            problems.append(f"'{word}': exit {done.returncode}, {done.stderr!r}")
    expect(f"{verb}, mistyped", problems)


def check_alone(binary, known):
    """Three stations: no policy, a policy, a daemon. Folders of its own hide those of the machine."""
    binary = os.path.abspath(binary)
    hide = "mount -t tmpfs t /run && mkdir -p /run/minewall && mkdir -p /etc/minewall 2>/dev/null; mount -t tmpfs t /etc/minewall && "
    stations = {"no policy": "true", "a policy": "touch /etc/minewall/policy.yaml",
                "a daemon": "touch /etc/minewall/policy.yaml /run/minewall/control.sock"}
    made = not os.path.isdir("/etc/minewall")
    texts = set()
    for name, make in stations.items():
        if os.geteuid():
            done = run(binary)
        else:
            done = run("unshare", "-m", "sh", "-c", f"{hide}{make} && exec {binary}")
        named = re.findall(r"^  minewall ([a-z-]+) ", done.stderr, re.M)
        problems = screen(done.stderr)
        if done.returncode != 2 or done.stdout or len(named) != 3 or not set(named) <= set(known):
            problems.append(f"exit {done.returncode}, names {named}: {done.stderr!r}")
        texts.add(done.stderr)
        expect(f"minewall alone, {name}", problems)
    if made and os.path.isdir("/etc/minewall"):
        os.rmdir("/etc/minewall")
    if not os.geteuid():
        expect("minewall alone says what fits", [] if len(texts) == 3 else ["the same at different stations"])


# What is typed at three in the morning, and a word of the one line that it gets; exit code 2.
WRONG = (
    (("-c", "policy.yaml", "status"), "behind it"), (("status", "--jsn"), "'--jsn'"), (("run", "extra"), "too many"),
    (("run", "--background"), "--takeover"), (("run", "--tap"), "missing"), (("check", "-c"), "no file after"),
    (("unblock",), "ADDRESS|NAME is missing"), (("allow", "x.example"), "--for 1h"), (("allow", "x.example", "--for", "0h5"), "--for 1h"),
    (("allow", "x.example", "--for", "-c"), "missing after '--for'"), (("pause", "10"), "10m"), (("reload", "--confirm", "-c", "p.yaml"), "missing after '--confirm'"),
    (("reload", "--confirm", "never"), "'never'"), (("reload", "--keep", "--confirm", "5m"), "first --confirm 5m"),
    (("explain",), "missing"), (("explain", "x.example", "--at", "25:00"), "22:30"), (("log", "--since", "banana"), "yesterday"),
    (("log", "--format", "xml"), "ecs or syslog"), (("log", "--follow", "--until", "02:00"), "leave out"), (("incidents", "show"), "number of an incident"), (("lists", "export"), "suricata"),
    (("lists", "frob"), "export"), (("replay",), "FILE is missing"), (("help", "frob"), "frob"),
)


def check_wrong(binary):
    for words, says in WRONG:
        done = run(binary, *words)
        good = done.returncode == 2 and not done.stdout and len(done.stderr.splitlines()) == 1 and says in done.stderr
        expect(" ".join(words), [] if good else [f"exit {done.returncode}, {done.stdout[:200]!r} {done.stderr!r}"])


def main():
    binary = sys.argv[1]
    known = verbs(binary)
    expect("minewall --help", screen(run(binary, "--help").stdout) + ([] if len(known) > 10 else [f"only {len(known)} verbs"]))
    for verb in known:
        check_help(binary, verb)
        check_near(binary, verb, known)
    done = run(binary, "frobnicate")
    expect("a word that is near nothing", [] if done.returncode == 2 and "did you mean" not in done.stderr else [done.stderr])
    check_alone(binary, known)
    check_wrong(binary)
    print(f"help: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
