# SPDX-License-Identifier: GPL-2.0-or-later
"""A clean Debian with systemd as its first process, in a container whose network is the gateway of the test bed. The root folder is
made once by debootstrap and kept in build/package; a guest writes into a layer above it that is gone afterwards."""

import os
import re
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "netns"))
import bed as beds

SUITE = "bookworm"
MIRROR = os.environ.get("DEBIAN_MIRROR")    # None: debootstrap knows one
CACHE = os.path.join(ROOT, "build", "package")
BASE = os.path.join(CACHE, "root")
PACKAGES = "systemd,systemd-sysv,dbus,ca-certificates,logrotate,iproute2"
BOOT_S = 90


def usable():
    """None, or why no guest can be had here."""
    for program in ("debootstrap", "systemd-nspawn", "nsenter", "dpkg-deb"):
        if not shutil.which(program):
            return f"needs the program {program} (contrib/install-deps --large)"
    return beds.usable()


def base():
    """The clean root; some minutes the first time. Returns whether it was there."""
    if os.path.exists(os.path.join(BASE, "etc", "debian_version")) and not os.path.exists(BASE + ".new"):
        return True
    shutil.rmtree(BASE, ignore_errors=True)
    shutil.rmtree(BASE + ".new", ignore_errors=True)
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "debootstrap.log"), "w", encoding="utf-8") as log:
        done = subprocess.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, BASE + ".new", *filter(None, [MIRROR])],
                              stdout=log, stderr=log, check=False)
    if done.returncode:
        raise beds.BedError(f"debootstrap failed, see {log.name}")
    os.rename(BASE + ".new", BASE)
    return False


class Guest:
    """`with Guest(bed) as guest:` boots it in the bed's gateway."""

    def __init__(self, bed):
        self.bed = bed
        self.place = os.path.join(bed.tmp, "guest")
        self.root = os.path.join(self.place, "root")
        self.process = self.leader = None
        self.mounts = []

    def __enter__(self):
        try:
            self.mount()
        except BaseException:
            self.__exit__()
            raise
        return self

    def mount(self):
        os.makedirs(self.place)
        beds.command("mount", "-t", "tmpfs", "-o", "size=1g", "guest", self.place)
        self.mounts.append(self.place)
        for name in ("up", "work", "root"):
            os.mkdir(os.path.join(self.place, name))
        beds.command("mount", "-t", "overlay", "guest", "-o",
                     f"lowerdir={BASE},upperdir={self.place}/up,workdir={self.place}/work", self.root)
        self.mounts.append(self.root)

    def chroot(self, *argv, timeout=600, check=True):
        """In the folder, with the machine's own network: before it boots, to fetch what the guest cannot reach."""
        return beds.command("chroot", self.root, *argv, timeout=timeout, check=check,
                            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"})

    def boot(self):
        """Returns the seconds until systemd says that it is up."""
        begin = time.monotonic()
        with open(os.path.join(CACHE, "console.log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--directory=" + self.root, "--machine=minewall-test",
                 f"--network-namespace-path=/run/netns/{self.bed.gateway.name}", "--capability=CAP_NET_ADMIN,CAP_NET_RAW",
                 "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--boot"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=beds.die_with_parent)
        while time.monotonic() - begin < BOOT_S:
            if self.process.poll() is not None:
                raise beds.BedError(f"the guest ended at once, see {log.name}")
            self.leader = self.find_leader()
            if self.leader and self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"):
                return time.monotonic() - begin
            time.sleep(0.3)
        raise beds.BedError(f"the guest is not up after {BOOT_S} s, see {log.name}")

    def find_leader(self):
        """systemd-nspawn's only child is the guest's first process once it has its own mounts."""
        try:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
                children = f.read().split()
            return next((int(c) for c in children if os.readlink(f"/proc/{c}/ns/pid") != os.readlink("/proc/self/ns/pid")), None)
        except OSError:
            return None

    def run(self, *argv, timeout=120, check=True, text_in=None):
        """In the running guest, as its root."""
        return beds.command("nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "env", "-i",
                            "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", *argv,
                            timeout=timeout, check=check, text_in=text_in)

    def shell(self, script, **options):
        return self.run("sh", "-c", script, **options)

    def write(self, path, text):
        self.run("tee", path, text_in=text)

    def read(self, path):
        return self.run("cat", path).stdout

    def __exit__(self, *_):
        if self.leader:
            try:
                os.kill(self.leader, 9)
            except ProcessLookupError:
                pass
        if self.process:
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for place in reversed(self.mounts):
            beds.command("umount", "-l", place, check=False)


# What a package manager and a running system write by themselves; contents and names of these say nothing about the package.
NOISE = re.compile(r"/(proc|sys|dev|tmp|run)(/|$)|/var/(cache|tmp)(/|$)|/var/lib/(apt|dpkg|systemd/(random-seed|timers|catalog)|logrotate)(/|$)"
                   r"|/var/log/(journal|apt|dpkg\.log|alternatives\.log|lastlog|wtmp|btmp|faillog)(/|$)|/etc/ld\.so\.cache$"
                   # the system's own backups of its lists of users
                   r"|/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|/etc/\.pwd\.lock$|/etc/machine-id$")


def inventory(guest):
    """Every file, folder and link of the guest: {path: kind, mode, owner, and a sum of what is in it}."""
    script = (r"cd / && find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp \) -prune -o "
              r"-printf '%p\t%y %m %u:%g %l\n'; echo; find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run "
              r"-o -path /tmp -o -path /var/cache \) -prune -o -type f -print0 | xargs -0 sha256sum")
    names, _, sums = guest.shell(script, timeout=180).stdout.partition("\n\n")
    found = {}
    for line in names.splitlines():
        path, _, what = line.partition("\t")
        found[path] = what
    for line in sums.splitlines():
        digest, _, path = line.partition("  ")
        found[path] = found.get(path, "") + " " + digest
    return {p: w for p, w in found.items() if not NOISE.match(p)}


def differences(before, after):
    return [f"left: {p} ({after[p][:40]})" for p in sorted(after.keys() - before.keys())] + \
           [f"gone: {p}" for p in sorted(before.keys() - after.keys())] + \
           [f"changed: {p}: {before[p][:60]} -> {after[p][:60]}" for p in sorted(before.keys() & after.keys()) if before[p] != after[p]]
