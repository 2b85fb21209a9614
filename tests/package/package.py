#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make check-package`: the Debian package from its build to its purge, in a clean Debian with systemd, each step said. A client and a
server in namespaces beside it make the traffic; afterwards no file, user, table or mark is left that was not there before."""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time

import guest as guests
from guest import ROOT, beds

BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
NEXT = "0.1.0+next"
EXPOSURE_MAX = 2.0
# Longer than an upgrade takes.
LOAD_S = 15


class Steps:
    def __init__(self):
        self.held = self.broken = 0

    def step(self, title):
        print(f"\n== {title}", flush=True)

    def holds(self, condition, text):
        self.held += bool(condition)
        self.broken += not condition
        print(f"  {'ok  ' if condition else 'FAIL'} {text}", flush=True)

    def quote(self, text, limit=12):
        for line in text.rstrip().splitlines()[:limit]:
            print("  | " + line, flush=True)


def build(steps):
    steps.step("make deb")
    if "--keep" in sys.argv:    # the package of last time
        return glob.glob(os.path.join(BUILD, "deb", "minewall_*.deb"))[0]
    begin = time.monotonic()
    done = subprocess.run(["make", "--no-print-directory", "-C", ROOT, "deb"], capture_output=True, text=True, check=False)
    steps.quote(done.stdout + done.stderr)
    packages = [p for p in glob.glob(os.path.join(BUILD, "deb", "minewall_*.deb"))]
    steps.holds(done.returncode == 0 and len(packages) == 1, f"dpkg-buildpackage -us -uc -b: {time.monotonic() - begin:.0f} s, units run with it")
    return packages[0]


def lintian(steps):
    steps.step("lintian, systemd-analyze security")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", *glob.glob(os.path.join(BUILD, "deb", "*.changes"))],
                          capture_output=True, text=True, check=False)
    steps.quote("\n".join(line for line in done.stdout.splitlines() if not line.startswith("N:")))
    errors = [line for line in done.stdout.splitlines() if line.startswith("E:")]
    steps.holds(done.returncode == 0 and not errors, f"lintian: exit {done.returncode}, {len(errors)} errors")
    unit = os.path.join(ROOT, "contrib", "systemd", "minewall.service")
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", unit], capture_output=True, text=True, check=False)
    found = re.search(r"Overall exposure level.*?: ([0-9.]+)", done.stdout)
    steps.holds(found and float(found[1]) <= EXPOSURE_MAX, f"systemd-analyze security: exposure {found and found[1]}, at most {EXPOSURE_MAX}")


def with_version(package, version, folder):
    """The same package under another version."""
    place = os.path.join(folder, "repack")
    shutil.rmtree(place, ignore_errors=True)
    beds.command("dpkg-deb", "-R", package, place, timeout=60)
    control = os.path.join(place, "DEBIAN", "control")
    with open(control, encoding="utf-8") as f:
        text = f.read()
    with open(control, "w", encoding="utf-8") as f:
        f.write(re.sub(r"(?m)^Version: .*$", f"Version: {version}", text))
    out = os.path.join(folder, f"minewall_{version}.deb")
    beds.command("dpkg-deb", "--root-owner-group", "-b", place, out, timeout=60)
    return out


def fetch(steps, guest, packages):
    """The guest has no way out: what apt would download is put beside it."""
    steps.step("a clean Debian")
    for i, package in enumerate(packages):
        shutil.copy(package, os.path.join(guest.root, "opt", f"minewall-{i}.deb"))
    guest.chroot("apt-get", "-qq", "update")
    guest.chroot("apt-get", "-qq", "-y", "install", "--download-only", "--no-install-recommends", "/opt/minewall-0.deb")
    steps.holds(not os.path.exists(os.path.join(guest.root, "usr/sbin/minewall")), "packages are fetched, nothing is installed")


def install(steps, guest):
    steps.step("apt-get install ./minewall.deb")
    done = guest.run("apt-get", "-q", "-y", "install", "--no-install-recommends", "/opt/minewall-0.deb", check=False)
    steps.quote(done.stdout[-800:] if done.returncode else "\n".join(done.stdout.splitlines()[-4:]))
    steps.holds(done.returncode == 0, f"exit {done.returncode} {done.stderr[-300:] if done.returncode else ''}")
    steps.holds("minewall:" in guest.read("/etc/passwd"), "the system user minewall is there")


def active(guest):
    return guest.run("systemctl", "is-active", "minewall", check=False).stdout.strip()


def service(steps, guest):
    steps.step("the service")
    # An honest wait: Type= decides when systemctl start returns, the queue may be bound a moment later.
    for _ in range(50):
        status = guest.run("minewall", "status", "--json", check=False)
        if status.returncode == 0:
            break
        time.sleep(0.1)
    steps.holds(active(guest) == "active", f"minewall.service is {active(guest)}")
    if status.returncode:
        steps.quote(guest.shell("journalctl -n 30 --no-pager -u minewall -o cat; minewall status", check=False).stdout, 40)
    steps.holds(status.returncode == 0, f"minewall status: exit {status.returncode} {status.stderr.strip()}")
    steps.holds(status.returncode == 0 and json.loads(status.stdout).get("mode") == "monitor", "as installed it only watches: mode monitor")
    user = guest.shell("ps -o user= -C minewall | sort -u", check=False).stdout.split() or \
        guest.shell("stat -c %U /proc/$(systemctl show -P MainPID minewall)").stdout.split()
    steps.holds(user == ["minewall"], f"it runs as {' '.join(user)}")
    pid = guest.run("systemctl", "show", "-P", "MainPID", "minewall").stdout.strip()
    caps = guest.shell(f"grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/{pid}/status").stdout.split()
    steps.holds(caps[3] == "1" and caps[5] == "2", f"effective capabilities {caps[1]}, no_new_privs {caps[3]}, seccomp {caps[5]}")
    timer = guest.run("systemctl", "is-active", "minewall-lists.timer", check=False).stdout.strip()
    steps.holds(timer == "active", f"minewall-lists.timer is {timer}")
    done = guest.run("systemctl", "start", "minewall-lists.service", check=False)
    steps.holds(done.returncode == 0, f"minewall-lists.service runs: exit {done.returncode} {done.stderr.strip()}")
    samples = guest.shell("for f in /usr/share/doc/minewall/examples/policies/*.yaml; do minewall check -c $f >/dev/null || echo $f; done", check=False)
    steps.holds(not samples.stdout.strip(), f"its sample policies are good {samples.stdout.strip()} {samples.stderr.strip()}")
    owner = guest.run("stat", "-c", "%U %a", "/var/lib/minewall", "/var/log/minewall", "/run/minewall").stdout.split()
    steps.holds(owner[::2] == ["minewall"] * 3, f"its folders are its own: {' '.join(owner)}")


def enforce(guest):
    guest.shell("sed -i 's/^mode: monitor/mode: enforce/' /etc/minewall/policy.yaml && systemctl reload minewall")
    time.sleep(0.3)


def refused(bed, what, place):
    """(a listed name over TLS, a bare pool's login): True if the client was cut off and the server read nothing."""
    if what == "name":
        got = bed.curl(place, 443, "bohemianpool.com")
        return got["rc"] != 0 and not bed.log.bytes(place, 443), f"TLS to a listed name: {got['why']}"
    got = bed.send(place, 14433, "cryptonote", "--linger", "0.1")
    return got["ended"] in ("reset", "refused") and not bed.log.bytes(place, 14433), f"Stratum login to a bare address: {got['ended']}"


def passes(bed):
    got = bed.curl(bed.fresh(4), 443, "www.example.org")
    return got["code"] == 200, f"an ordinary site: {got['code']} {got['why']}"


def traffic(steps, bed, guest):
    steps.step("traffic: monitor, then enforce")
    place = bed.fresh(4)
    bed.send(place, 14433, "cryptonote", "--linger", "0.1")
    time.sleep(0.3)
    steps.holds(bed.log.bytes(place, 14433), "monitor: the login reaches the pool")
    log = guest.run("minewall", "log", check=False).stdout
    steps.holds(f"{place}:14433" in log and "allowed" in log, "and minewall log tells of it")
    enforce(guest)
    for family in (4, 6):
        for what in ("name", "pool"):
            held, text = refused(bed, what, bed.fresh(family))
            steps.holds(held, f"enforce, IPv{family}: {text}")
    steps.holds(*passes(bed))
    log = guest.run("minewall", "log").stdout
    steps.quote(log, 8)
    steps.holds(log.count("blocked") >= 4, f"minewall log: {log.count('blocked')} lines say blocked")


def rotate(steps, bed, guest):
    steps.step("logrotate")
    done = guest.run("logrotate", "-f", "/etc/logrotate.d/minewall", check=False)
    steps.holds(done.returncode == 0 and not done.stderr.strip(), f"logrotate -f: exit {done.returncode} {done.stderr.strip()}")
    place = bed.fresh(4)
    refused(bed, "pool", place)
    time.sleep(0.5)
    old, new = guest.read("/var/log/minewall/eve.json.1"), guest.shell("cat /var/log/minewall/eve.json", check=False).stdout
    steps.holds(place in new and place not in old, "events go into the new file, the old one is eve.json.1")


def wrong_policy(steps, guest):
    steps.step("a wrong policy")
    guest.shell("cp /etc/minewall/policy.yaml /tmp/good.yaml && echo 'nonsense: 1' >> /etc/minewall/policy.yaml")
    done = guest.run("systemctl", "reload", "minewall", check=False)
    steps.holds(done.returncode != 0 and active(guest) == "active", "a reload is refused, the daemon goes on with the good one")
    done = guest.run("systemctl", "restart", "minewall", check=False)
    said = guest.shell("journalctl -n 20 --no-pager -u minewall -o cat", check=False).stdout
    line = next((x for x in said.splitlines() if "policy.yaml:" in x), "")
    steps.holds(done.returncode != 0 and line, f"a start is refused before anything is touched: {line.strip()}")
    guest.shell("cp /tmp/good.yaml /etc/minewall/policy.yaml && rm /tmp/good.yaml && systemctl reset-failed minewall && systemctl start minewall")
    steps.holds(active(guest) == "active", "with the good policy it is back")


def main_pid(guest):
    return guest.run("systemctl", "show", "-P", "MainPID", "minewall").stdout.strip()


def restarts(guest):
    return int(guest.run("systemctl", "show", "-P", "NRestarts", "minewall").stdout)


def confinement(guest, pid):
    """What the unit and the daemon itself have taken from a process; two that were started alike have the same."""
    wanted = r"^(Uid|Gid|Groups|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp|Seccomp_filters):"
    own = guest.shell(f'test "$(readlink /proc/{pid}/ns/mnt)" = "$(readlink /proc/1/ns/mnt)"', check=False).returncode
    return guest.shell(f"grep -E '{wanted}' /proc/{pid}/status; grep -c . /proc/{pid}/mountinfo; cat /proc/{pid}/cgroup").stdout + f"own mounts: {own}"


def under_traffic(bed, action):
    """(what `action` returned, connections that went well, those that were lost, the longest in seconds, those to a listed name that passed)"""
    loads = bed.load(bed.fresh(4), LOAD_S, clients=6), bed.load(bed.fresh(4), LOAD_S, clients=4, host="bohemianpool.com")
    time.sleep(0.5)
    done = action()
    running = loads[0].poll() is None
    steady, listed = (json.loads(p.communicate(timeout=LOAD_S + 30)[0]) for p in loads)
    if not running:
        raise beds.BedError(f"it took longer than the traffic of {LOAD_S} s")
    return done, len(steady["good"]), len(steady["bad"]), max(end - begin for begin, end in steady["good"]), len(listed["good"])


def upgrade(steps, bed, guest):
    steps.step(f"upgrade to {NEXT}, under traffic")
    pid, place, restarted = main_pid(guest), bed.fresh(4), restarts(guest)
    refused(bed, "pool", place)
    before = confinement(guest, pid)
    done, good, bad, longest, passed = under_traffic(bed, lambda: guest.run(
        "apt-get", "-q", "-y", "install", "-o", "Dpkg::Options::=--force-confold", "/opt/minewall-1.deb", check=False))
    version = guest.run("dpkg-query", "-W", "-f", "${Version}", "minewall").stdout
    steps.holds(done.returncode == 0 and version == NEXT, f"exit {done.returncode}, version {version}")
    now, status = main_pid(guest), json.loads(guest.run("minewall", "status", "--json").stdout)
    steps.holds(active(guest) == "active" and now not in (pid, "0") and str(status["pid"]) == now,
                f"the service is {active(guest)}, process {now} in the place of {pid}")
    if now == pid:
        steps.quote(done.stdout + guest.shell("journalctl -n 30 --no-pager -u minewall -o cat", check=False).stdout, 60)
    exe = guest.run("readlink", f"/proc/{now}/exe").stdout.strip()
    again = restarts(guest) - restarted
    steps.holds(exe == "/usr/sbin/minewall" and not again, f"it is {exe}, systemd has restarted it {again} times")
    after = confinement(guest, now)
    steps.holds(after == before, "it is confined like the one before" if after == before else f"confined\n{before}\nand then\n{after}")
    steps.holds(good > 100 and not bad and longest < 0.9, f"{good} connections, {bad} lost, the longest took {longest:.2f} s")
    steps.holds(not passed, f"connections to a listed name that passed meanwhile: {passed}")
    steps.holds(place in guest.run("minewall", "blocked").stdout, "what was learnt is still blocked")
    steps.holds("mode: enforce" in guest.read("/etc/minewall/policy.yaml"), "the edited policy is as it was")
    held, text = refused(bed, "pool", bed.fresh(4))
    steps.holds(held, text)
    guest.shell(f"kill -9 {now}")
    steps.holds(back(guest, now), f"killed, it is restarted: {active(guest)}, process {main_pid(guest)}")
    by_hand(steps, guest)
    _, good, bad, longest, passed = under_traffic(bed, lambda: guest.run("systemctl", "restart", "minewall"))
    print(f"  ... beside it, a restart: {good} connections, {bad} lost, the longest took {longest:.2f} s, {passed} to a listed name passed", flush=True)
    log = guest.shell("journalctl --no-pager -u minewall -o cat | grep -i 'notification message\\|not our child'", check=False).stdout
    steps.holds(not log, f"systemd complains of nothing {log}")


def by_hand(steps, guest):
    """Root's own `run --takeover`, from outside of the unit: systemd follows, since the process before says so."""
    pid = main_pid(guest)
    # in a unit of its own, as an admin's shell is: what we enter the guest with has not its view of control groups
    done = guest.run("systemd-run", "--quiet", "--wait", "--pipe", "minewall", "run", "--takeover", "--background", check=False)
    for _ in range(50):
        if main_pid(guest) != pid:
            break
        time.sleep(0.1)
    now = str(json.loads(guest.run("minewall", "status", "--json").stdout)["pid"])
    steps.holds(done.returncode == 0 and main_pid(guest) == now != pid and active(guest) == "active",
                f"run --takeover by root: exit {done.returncode} {done.stderr.strip()}, process {now} after {pid}, systemd's is {main_pid(guest)}")


def upgrade_anew(steps, guest):
    steps.step("an upgrade that cannot take over: other queues in the policy")
    guest.shell("sed -i 's/^queues: .*/queues: {first: 40, count: 2, length: 4096}/' /etc/minewall/policy.yaml")
    pid = main_pid(guest)
    done = guest.run("dpkg", "--force-confold", "-i", "/opt/minewall-1.deb", check=False)
    steps.holds(done.returncode == 0 and back(guest, pid), f"exit {done.returncode}, started anew: {active(guest)}, process {main_pid(guest)} after {pid}")
    queues = [q["number"] for q in json.loads(guest.run("minewall", "status", "--json").stdout)["queues"]]
    said = guest.shell("journalctl --no-pager -u minewall -o cat | grep 'needs a restart'", check=False).stdout.strip()
    steps.holds(queues == [40, 41] and said, f"queues {queues}; it said: {said}")


def back(guest, pid):
    for _ in range(100):
        if active(guest) == "active" and main_pid(guest) not in (pid, "0") and guest.run("minewall", "status", check=False).returncode == 0:
            return True
        time.sleep(0.1)
    return False


def foreign(bed):
    """What others have in the kernel, without counters."""
    rules = bed.gateway.run("nft", "-s", "list", "ruleset").stdout
    return re.sub(r"packets \d+ bytes \d+", "", re.sub(r"(?s)table inet minewall \{.*?\n\}\n", "", rules))


def purge(steps, bed, guest, before, rules):
    steps.step("purge")
    done = guest.run("apt-get", "-q", "-y", "purge", "--autoremove", "minewall", check=False)
    steps.holds(done.returncode == 0, f"exit {done.returncode} {done.stderr[-300:] if done.returncode else ''}")
    after = guests.inventory(guest)
    rest = guests.differences(before, after)
    steps.quote("\n".join(rest), 30)
    steps.holds(not rest, f"files before {len(before)}, after {len(after)}, differences {len(rest)}")
    left = guest.shell("ls -d /run/minewall /etc/minewall /var/lib/minewall /var/log/minewall 2>/dev/null; getent passwd minewall; "
                       "systemctl list-units --all --no-legend 'minewall*'", check=False).stdout.strip()
    steps.holds(not left, f"nothing of ours elsewhere {left}")
    tables = bed.kernel.tables()
    steps.holds(not any("inet minewall" in t for t in tables), "our table is gone")
    marked = [f for v in (4, 6) for f in bed.kernel.flows(v) if f["state"]]
    steps.holds(not marked, f"flows that carry our bits: {len(marked)}")
    steps.holds(foreign(bed) == rules, "the tables of others are as they were")
    got = bed.send(bed.fresh(4), 14433, "cryptonote", "--linger", "0.1")
    steps.holds(got["ended"] not in ("reset", "refused"), "traffic goes on without it")


def main():
    steps = Steps()
    why = guests.usable()
    if why:
        print(f"skipped: {why}\npackage: 0 passed, 0 failed, 1 skipped")
        return 0
    begin = time.monotonic()
    package = build(steps)
    lintian(steps)
    there = guests.base()
    with beds.Bed() as bed, guests.Guest(bed) as guest:
        packages = [package, with_version(package, NEXT, bed.tmp)]
        fetch(steps, guest, packages)
        steps.holds(True, f"debootstrap {guests.SUITE}: {'kept from last time' if there else 'made'}")
        steps.holds(True, f"systemd is up after {guest.boot():.1f} s, as process 1 of the container")
        before, rules = guests.inventory(guest), foreign(bed)
        install(steps, guest)
        service(steps, guest)
        traffic(steps, bed, guest)
        rotate(steps, bed, guest)
        wrong_policy(steps, guest)
        upgrade(steps, bed, guest)
        upgrade_anew(steps, guest)
        purge(steps, bed, guest, before, rules)
    print(f"\npackage: {steps.held} passed, {steps.broken} failed   ({time.monotonic() - begin:.0f} s)")
    return 1 if steps.broken else 0


if __name__ == "__main__":
    sys.exit(main())
