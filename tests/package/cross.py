#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make check-cross`: built for aarch64 and for s390x, which is big-endian, by Debian's cross compilers in a root of their own, and run there
under qemu's user emulation. The units stop at an unaligned access; `replay` must say of every capture what the native program says."""

import concurrent.futures
import itertools
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import guest as guests
import openwrt
from guest import CACHE, ROOT, beds

BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
PLACE = os.path.join(CACHE, "cross")
MACHINES = {"aarch64": "arm64", "s390x": "s390x"}       # of the compiler -> of Debian
PACKAGES = ("make", "pkg-config", "qemu-user-static")
LIBRARIES = ("libc6", "libmnl", "libnetfilter-queue", "libnftnl", "libyaml", "libidn2", "libpcap", "libjansson", "nettle", "libseccomp",
             "libcmocka", "zlib1g")
ALIGNMENT = "-fsanitize=alignment -fno-sanitize-recover=all -static-libubsan"
# What an emulator of processes cannot give; natively they run in `make units`.
KERNEL = {"test_table": "needs netfilter's netlink, which the emulator does not pass on", "test_sandbox": "needs seccomp, which the emulator ignores"}
# Of a processor: the longest takes some 40. The emulator may also hang, which takes none.
UNIT_S = 120
HANG_S = 600
# Fewer mean that there was nothing to compare.
LINES_MIN = 300
# One process for all captures: what it prints, its exit code, what it complains of.
REPLAY = """
cd "$1" && shift || exit 1
{ errors=$("$@" replay --flows --json *.pcap 2>&1 >&3); echo "exit $?"; echo "$errors"; } 3>&1
"""


def inside(script, *arguments, root=PLACE, timeout=3600):
    """Runs a script of sh in the root, with the sources under /src that it cannot write to; mounts end with it."""
    outer = ('root=$1 src=$2; shift 2; mount -t proc proc "$root/proc" && mount --bind "$src" "$root/src" && '
             'mount -o remount,bind,ro "$root/src" && mount -t tmpfs tmp "$root/tmp" && exec chroot "$root" sh -c "cd /src; $0" sh "$@"')
    return subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", outer, script, root, ROOT, *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          check=False, timeout=timeout, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"})


def base():
    """None, or why there is no root with the compilers. Kept for the next time, as the clean one is."""
    if os.path.exists(os.path.join(PLACE, "out")):
        return None
    try:
        guests.base()
    except beds.BedError as e:
        return str(e)
    new = PLACE + ".new"
    shutil.rmtree(new, ignore_errors=True)
    subprocess.run(["cp", "-a", guests.BASE, new], check=True)
    os.mkdir(os.path.join(new, "src"))
    wanted = [*PACKAGES, *(f"gcc-{m}-linux-gnu" for m in MACHINES), *(f"{name}-dev:{d}" for d in MACHINES.values() for name in LIBRARIES)]
    done = inside("".join(f"dpkg --add-architecture {d} && " for d in MACHINES.values()) +
                  "apt-get -qq update && apt-get -qq -y --no-install-recommends install " + " ".join(wanted), root=new)
    if done.returncode:
        return "apt-get in the root: " + done.stdout.strip()[-300:]
    shutil.rmtree(PLACE, ignore_errors=True)
    os.mkdir(os.path.join(new, "out"))
    os.rename(new, PLACE)
    return None


class Results:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def holds(self, condition, text):
        self.passed += bool(condition)
        self.failed += not condition
        print(f"{'ok  ' if condition else 'FAIL'} {text}", flush=True)

    def skip(self, text):
        self.skipped += 1
        print(f"skipped: {text}", flush=True)


def make(results, machine, title, *arguments):
    """Without a warning, or it is a fault: they differ from machine to machine."""
    begin = time.monotonic()
    done = inside(f"export PKG_CONFIG_LIBDIR=/usr/lib/{machine}-linux-gnu/pkgconfig:/usr/share/pkgconfig; "
                  f'exec make --no-print-directory -j2 CC={machine}-linux-gnu-gcc "$@"', *arguments)
    notes = [line for line in done.stdout.splitlines() if re.search(r"(warning|error|undefined reference|\*\*\*)", line)]
    results.holds(not done.returncode and not notes, f"{machine}: {title}, {time.monotonic() - begin:.0f} s")
    for line in notes[:10]:
        print("     | " + line)
    return not done.returncode


def units(results, machine):
    folder = f"/out/{machine}/units"
    if not make(results, machine, "units, with -fsanitize=alignment", "BUILD=" + folder, "CFLAGS=-O1 -g", "SANITIZE=" + ALIGNMENT, "unit-programs"):
        return
    place = os.path.join(PLACE, folder[1:], "tests", "unit")
    programs = sorted(n for n in os.listdir(place) if "." not in n)
    for name in sorted(KERNEL.keys() & set(programs)):
        results.skip(f"{machine}: {name}: {KERNEL[name]}")
    programs = [n for n in programs if n not in KERNEL]
    begin, took = time.monotonic(), {}

    def one(name):
        at = time.monotonic()
        done = inside(f'UNDER="timeout {HANG_S} prlimit --cpu={UNIT_S}: qemu-{machine}-static" exec tests/unit/run "$1"', f"{folder}/tests/unit/{name}", timeout=HANG_S + 60)
        took[name] = time.monotonic() - at
        return done.stdout.splitlines()

    passed = failed = skipped = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for lines in pool.map(one, programs):
            found = re.match(r"units: (\d+) passed, (\d+) failed, (\d+) skipped", lines[-1] if lines else "")
            for line in lines[:-1]:
                print("     | " + line[:300], flush=True)
            counts = map(int, found.groups()) if found else (0, 1, 0)
            passed, failed, skipped = (x + y for x, y in zip((passed, failed, skipped), counts))
    results.passed += passed
    results.failed += failed
    results.skipped += skipped
    slow = ", ".join(f"{name} {took[name]:.0f} s" for name in sorted(took, key=took.get)[:-4:-1])
    print(f"{'FAIL' if failed else 'ok  '} {machine}: {len(programs)} unit programs: {passed} passed, {failed} failed, {skipped} skipped, "
          f"{time.monotonic() - begin:.0f} s (the slowest: {slow})", flush=True)


def replay(results, machine, title, program, native):
    under = f"qemu-{machine}-static"
    version = inside(f"{under} {program} --version").stdout.strip()
    results.holds(re.fullmatch(r"minewall \d+\.\d+\.\d+", version), f"{machine}: {title}: --version says {version}")
    begin = time.monotonic()
    got = inside(REPLAY, "/out/samples", under, program).stdout.splitlines()
    wrong = [(n, g) for n, g in itertools.zip_longest(native, got) if n != g]
    for n, g in wrong[:5]:
        print(f"     | native  {n}\n     | foreign {g}")
    results.holds(len(native) > LINES_MIN and not wrong, f"{machine}: {title}: replay of our captures: {len(got)} lines, {len(wrong)} unlike the "
                  f"native program's, {time.monotonic() - begin:.0f} s")


def libraries(results, machine, program):
    """What the small build needs is what OpenWrt's recipe depends on."""
    with tempfile.TemporaryDirectory(prefix="minewall-openwrt.") as place:
        wrong = openwrt.wrong_libraries(openwrt.reads(openwrt.recipe(place)), os.path.join(PLACE, program[1:]))
    results.holds(not wrong, f"{machine}: TINY: its libraries are those of OpenWrt's recipe {' '.join(wrong)}")


def samples():
    """Our own captures, made anew, and what the native program says of each."""
    folder = os.path.join(PLACE, "out", "samples")
    shutil.rmtree(folder, ignore_errors=True)
    tool = os.path.join(BUILD, "tests", "netns", "quic_initial")
    subprocess.run([sys.executable, os.path.join(ROOT, "tests", "corpus", "make_samples.py"), folder, *([tool] if os.path.exists(tool) else [])],
                   stdout=subprocess.DEVNULL, check=True)
    done = subprocess.run(["sh", "-c", REPLAY, "sh", folder, os.path.join(BUILD, "minewall")], stdout=subprocess.PIPE, text=True, errors="replace",
                          env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}, check=True)
    return done.stdout.splitlines()


def main():
    why = next((f"needs the program {p} (contrib/install-deps --large)" for p in ("debootstrap", "unshare") if not shutil.which(p)), None)
    why = why or ("needs root" if os.geteuid() else base())
    if why:
        print(f"skipped: {why}\ncross: 0 passed, 0 failed, 1 skipped")
        return 0
    begin, results = time.monotonic(), Results()
    native = samples()
    for machine in MACHINES:
        folder = f"/out/{machine}"
        if make(results, machine, "build/minewall", "BUILD=" + folder, folder + "/minewall"):
            replay(results, machine, "minewall", folder + "/minewall", native)
        if make(results, machine, "TINY=1", "BUILD=" + folder, "TINY=1", folder + "/tiny/minewall"):
            replay(results, machine, "TINY", folder + "/tiny/minewall", native)
            libraries(results, machine, folder + "/tiny/minewall")
        units(results, machine)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"\ncross: {results.passed} passed, {results.failed} failed, {results.skipped} skipped   ({time.monotonic() - begin:.0f} s, "
          f"{used.ru_utime + used.ru_stime:.0f} s of a processor)")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
