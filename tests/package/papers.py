#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is written beside the program: man pages without a warning, one for each verb and with each of its options; completions that know
the verbs and options in bash, zsh and fish; units that systemd calls tight; policies that are good."""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import help as helps

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMPLETIONS = os.path.join(ROOT, "contrib", "completions")
EXPOSURE_MAX = 2.0
# fish writes into it.
HOME = tempfile.TemporaryDirectory(prefix="minewall-home.")
skipped = 0


def skip(why):
    global skipped
    skipped += 1
    print(f"skipped: {why}")


def run(*command, env=None):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)


def options(binary, verb):
    """Those at the beginning of a line of its help, and in its first lines' brackets."""
    text = run(binary, verb, "--help").stdout
    return set(re.findall(r"(?:^|[\[ |])(--[a-z][a-z-]+)", re.sub(r"(?m)^Example.*$", "", text)))


def pages(binary, folder, known):
    files = sorted(glob.glob(os.path.join(folder, "*.[158]")))
    wanted = {"minewall.8", "minewall.yaml.5", *(f"minewall-{v}.1" for v in known)}
    missing = wanted ^ {os.path.basename(f) for f in files}
    helps.expect("a page for each verb", [f"missing, or too much: {missing}"] if missing else [])
    for verb in known:
        with open(os.path.join(folder, f"minewall-{verb}.1"), encoding="utf-8") as f:
            page = f.read()
        problems = [f"{o} is not in it" for o in options(binary, verb) if o not in page]
        problems += [f"no section {s}" for s in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "SEE ALSO") if f".Sh {s}" not in page]
        helps.expect(f"minewall-{verb}(1)", problems)
    if not shutil.which("mandoc"):
        return skip("no mandoc: pages are not linted")
    for file in files:
        done = run("mandoc", "-T", "lint", "-W", "warning", file)
        helps.expect(os.path.basename(file) + ", linted", (done.stdout + done.stderr).splitlines())
    return None


def complete(shell, binary, words):
    """What the shell would offer for the last word."""
    env = dict(os.environ, PATH=os.path.dirname(os.path.abspath(binary)) + ":" + os.environ.get("PATH", ""), HOME=HOME.name)
    line = " ".join(words)
    if shell == "bash":
        script = (f'source {COMPLETIONS}/minewall.bash; COMP_WORDS=({" ".join(repr(w) for w in words)}); COMP_CWORD={len(words) - 1}; '
                  '_minewall; printf "%s\\n" "${COMPREPLY[@]}"')
        return run("bash", "--norc", "-c", script, env=env).stdout.split()
    if shell == "zsh":
        # compadd is what the shell's editor gives the words to
        script = (f'compadd() {{ print -l -- "$@" }}; _files() {{ print FILES }}; source {COMPLETIONS}/_minewall; '
                  f'words=({" ".join(repr(w) for w in words)}); CURRENT={len(words)}; _minewall')
        return [w for w in run("zsh", "-f", "-c", script, env=env).stdout.split() if w != "--" and w.startswith(words[-1])]
    done = run("fish", "--no-config", "-c", f"source {COMPLETIONS}/minewall.fish; complete -C '{line}'", env=env)
    return [w.split("\t")[0] for w in done.stdout.splitlines()]


def completions(binary, known):
    for shell in ("bash", "zsh", "fish"):
        if not shutil.which(shell):
            skip(f"no {shell}: its completion is not tried")
            continue
        problems = []
        offered = complete(shell, binary, ["minewall", ""])
        problems += [f"the verb {v} is not offered: {offered}" for v in known if v not in offered]
        if "log" not in complete(shell, binary, ["minewall", "lo"]):
            problems.append("lo does not become log")
        for verb in known:
            got = set(complete(shell, binary, ["minewall", verb, "--"]))
            lost = {o for o in options(binary, verb) if o not in got}
            if lost or "--help" not in got:
                problems.append(f"{verb}: {sorted(lost)} not offered, but {sorted(got)}")
        if "update" not in complete(shell, binary, ["minewall", "lists", "u"]):
            problems.append("lists u does not become update")
        helps.expect(f"completion in {shell}", problems)


def readme(binary, known):
    """Its policies are good (a list that they name may be missing: a verb that asks the daemon reads the settings alone), and what it has
    one type are verbs and options that there are."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        text = f.read()
    blocks = re.findall(r"(?ms)^```yaml\n(.*?)^```", text)
    problems = [] if len(blocks) > 5 else [f"only {len(blocks)} policies"]
    with tempfile.TemporaryDirectory(prefix="minewall-readme.") as folder:
        file = os.path.join(folder, "policy.yaml")
        for block in blocks:
            with open(file, "w", encoding="utf-8") as f:
                f.write(block + ("" if "control:" in block else f"control: {folder}/none.sock\n"))
            done = run(binary, "status", "-c", file)
            problems += [] if done.returncode == 3 else [f"{done.stderr.strip()} in\n{block}"]
    typed = re.findall(r"(?m)^    (minewall .*?)(?:\s{2,}#.*)?$", text) + re.findall(r"`(minewall [^`]*)`", text)
    for command in typed:
        words = command.split()
        if len(words) < 2 or not re.fullmatch("[a-z]+", words[1]) or words[1] == "help":
            continue
        if words[1] not in known:
            problems.append(f"{command}: there is no verb {words[1]}")
            continue
        texts = run(binary, words[1], "--help").stdout + (run(binary, *words[1:3], "--help").stdout if words[1] == "lists" else "")
        problems += [f"{command}: its help knows no {o}" for o in re.findall(r"(?<=\s)--[a-z-]+", command) if o not in texts]
    helps.expect("README", problems + ([] if len(typed) > 30 else [f"only {len(typed)} commands"]))


def control():
    """The Debian package is built with what `contrib/install-deps` names, and knows the packages of the libraries that are loaded only when
    they are needed: no tool looks for those."""
    with open(os.path.join(ROOT, "contrib", "debian", "control"), encoding="utf-8") as f:
        source, binary = (re.sub(r"\n ", " ", part) for part in f.read().split("\n\n", 1))
    def packages(text, *fields):
        found = ",".join(re.search(rf"(?m)^{field}: (.*)$", text)[1] for field in fields)
        return {re.sub(r"\s*[(<].*", "", word.strip()) for word in found.split(",")}

    with open(os.path.join(ROOT, "contrib", "install-deps"), encoding="utf-8") as f:
        needs = set(re.findall(r"(?m)^\tp \S+\s+(\S+)", f.read()))
    problems = [f"Build-Depends lacks {p}" for p in sorted(needs - packages(source, "Build-Depends"))]
    loaded = set()
    for file in glob.glob(os.path.join(ROOT, "daemon", "*.c")) + glob.glob(os.path.join(ROOT, "cli", "*.c")):
        with open(file, encoding="utf-8") as f:
            loaded |= {m for m in re.findall(r'dlopen\("lib([\w.-]+?\.so\.[\d.]+)"', f.read())}
    known = packages(binary, "Depends", "Recommends", "Suggests")
    # Debian's name is the library's with its number; two have another name, and libpcap.so.1 is what others call libpcap.so.0.8.
    names = {name: "lib" + name.replace(".so.", "").replace("netsnmp", "snmp") for name in loaded - {"pcap.so.1"}}
    problems += [f"lib{name} is loaded, and {package} is neither in Depends nor Recommends nor Suggests" for name, package in sorted(names.items())
                 if package not in known]
    helps.expect("contrib/debian/control", problems + ([] if len(names) > 4 else [f"only {sorted(names)} are loaded"]))


def unit():
    if not shutil.which("systemd-analyze"):
        return skip("no systemd-analyze")
    done = run("systemd-analyze", "security", "--offline=yes", os.path.join(ROOT, "contrib", "systemd", "minewall.service"))
    found = re.search(r"Overall exposure level.*?: ([0-9.]+)", done.stdout)
    if not found:
        return skip("this systemd-analyze reads no unit files")
    helps.expect("exposure of minewall.service", [] if float(found[1]) <= EXPOSURE_MAX else [f"{found[1]}, more than {EXPOSURE_MAX}"])
    return None


# What each sample is for: (file, what `explain` is asked, a word of its first lines). All with `mode: enforce`.
PROMISES = (
    ("home.yaml", ("bohemianpool.com", "--from", "192.168.1.20"), "blocked"),
    ("home.yaml", ("www.example.org", "--from", "if:br-guest"), "not blocked"),
    ("school.yaml", ("exchange.example", "--from", "10.20.1.5", "--at", "2026-11-25 10:00"), "blocked"),
    ("school.yaml", ("exchange.example", "--from", "10.20.1.5", "--at", "2026-11-25 18:00"), "not blocked"),
    ("school.yaml", ("exchange.example", "--from", "10.20.1.5", "--at", "2026-11-28 10:00"), "not blocked"),
    ("school.yaml", ("exchange.example", "--from", "10.30.1.5", "--at", "2026-11-25 10:00"), "not blocked"),
    ("school.yaml", ("bohemianpool.com", "--from", "10.20.1.5", "--at", "2026-11-28 10:00"), "blocked"),
    ("office.yaml", ("pool.mycompany.example", "--from", "192.168.10.50"), "allowed"),
    ("office.yaml", ("198.51.100.20:3333", "--from", "192.168.10.50"), "allowed"),
    ("office.yaml", ("198.51.100.20:3333", "--from", "192.168.10.51"), "not blocked"),
    ("office.yaml", ("bohemianpool.com", "--from", "192.168.10.50"), "blocked"),
    ("hosting.yaml", ("bohemianpool.com", "--from", "203.0.113.70"), "allowed"),
    ("hosting.yaml", ("bohemianpool.com", "--from", "203.0.113.80"), "blocked"),
    ("mirror.yaml", ("bohemianpool.com",), "blocked"),
)


def policies(binary):
    folder = os.path.join(ROOT, "contrib", "policies")
    for file in sorted(glob.glob(os.path.join(folder, "*.yaml"))):
        done = run(binary, "check", "-c", file)
        name = os.path.basename(file)
        problems = [] if done.returncode == 0 else [done.stdout + done.stderr]
        with open(file, encoding="utf-8") as f:
            text = f.read()
        if not re.search(r"(?m)^mode: monitor\b", text):
            problems.append("a sample begins with mode: monitor")
        text = re.sub(r"(?m)^mode: monitor.*$", "mode: enforce", text).replace("../lists/", os.path.join(ROOT, "contrib", "lists") + "/")
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write(text)
            f.flush()
            for _, question, answer in (p for p in PROMISES if p[0] == name):
                done = run(binary, "explain", "-c", f.name, *question)
                first = done.stdout.splitlines()[0] if done.stdout else ""
                if not first.endswith(": " + answer) and not (answer == "blocked" and re.search(r": blocked\b", first)):
                    problems.append(f"{' '.join(question)}: {first or done.stderr}, not {answer}")
        if name != "minewall.yaml" and not any(p[0] == name for p in PROMISES):
            problems.append("no promise of it is tried")
        helps.expect(os.path.relpath(file, ROOT), problems)


def main():
    binary, folder = sys.argv[1], sys.argv[2]
    known = helps.verbs(binary)
    pages(binary, folder, known)
    completions(binary, known)
    readme(binary, known)
    control()
    unit()
    policies(binary)
    print(f"papers: {helps.passed} passed, {helps.failed} failed, {skipped} skipped")
    return 1 if helps.failed else 0


if __name__ == "__main__":
    sys.exit(main())
