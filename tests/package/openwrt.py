#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""OpenWrt's recipe as far as it can be tried without its SDK: make reads it with a stub of the SDK's macros and installs by it, what it
depends on is what the binary needs, and a busybox ash runs the init script with stubs of procd's and UCI's functions. What the script
asks of procd is then done: the daemon starts with exactly that user, those capabilities and the securebits that ujail locks."""

import concurrent.futures
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import help as helps

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RECIPE = os.path.join(ROOT, "contrib", "openwrt")
FILES = os.path.join(RECIPE, "files")
SHELL = ("busybox", "ash") if shutil.which("busybox") else ("sh",)
# Whose a library is there (each package's Makefile); what is the C library's own is there always.
PACKAGES = {"libmnl": "libmnl", "libnetfilter_queue": "libnetfilter-queue", "libnfnetlink": "libnfnetlink", "libnftnl": "libnftnl",
            "libyaml-0": "libyaml", "libjansson": "jansson", "libnettle": "libnettle", "libhogweed": "libnettle", "libz": "zlib",
            "libseccomp": "libseccomp", "libc": None, "libm": None, "ld-linux": None, "ld64": None}
# Libraries that only the full build has.
FULL_ONLY = {"libidn2"}
USER = 65534

# The macros of rules.mk and package.mk that a recipe uses. Each value is printed as the SDK would take it.
RULES = "INSTALL_DIR := install -d -m0755\nINSTALL_BIN := install -m0755\nINSTALL_CONF := install -m0600\nINSTALL_DATA := install -m0644\n"
PACKAGE = r"""
PKG_BUILD_DIR ?= .
MAKE_FLAGS := CC=cc
define show
$(foreach v,SECTION CATEGORY TITLE DEPENDS USERID,$(info $(v)=$(strip $($(v)))))
$(foreach v,PKG_NAME PKG_VERSION PKG_SOURCE PKG_LICENSE PKG_BUILD_DEPENDS MAKE_FLAGS,$(info $(v)=$(strip $($(v)))))
$(info CONFFILES=$(strip $(Package/$(1)/conffiles)))
endef
define BuildPackage
$(eval $(value Package/$(1)))
$(call show,$(1))
install: ; $(subst $(newline),$(newline)	,$(call Package/$(1)/install,$(DEST)))
endef
define newline


endef
"""

# rc.common, procd.sh and functions.sh: what is asked of them is written down, a line a call. UCI's values come from the environment.
STUBS = r"""
say() { local word; for word in "$@"; do printf '%s\t' "$word"; done >> "$CALLS"; echo >> "$CALLS"; }
config_load() { say config_load "$@"; }
config_get() { eval "export -n \"$1=\${UCI_$3:-\$4}\""; }
config_get_bool() { config_get "$@"; eval "case \"\$$1\" in 1|on|true|yes|enabled) $1=1;; *) $1=0;; esac"; }
config_list_foreach() { local value; for value in $UCI_jail_mount; do "$3" "$value"; done; }
restart() { say restart; }
stop() { say stop; }
chown() { say chown "$@"; }
for name in procd_open_instance procd_close_instance procd_set_param procd_add_jail procd_add_jail_mount procd_add_jail_mount_rw \
	procd_add_reload_trigger; do
	eval "$name() { say $name \"\$@\"; }"
done
. "$1"
PROG=$2 RUN=$3/run STATE=$3/state LOG=$3/log CAPABILITIES=$4 UJAIL=$5
shift 5
"$@"
echo "exit $?" >> "$CALLS"
"""
# procd.sh: which parameters there are, and what a jail may be asked for.
PARAMETERS = {"command", "respawn", "stderr", "stdout", "capabilities", "user", "group", "no_new_privs", "file", "env", "limits", "netdev"}
JAIL = {"log", "ubus", "procfs", "sysfs", "ronly", "requirejail", "netns", "userns", "cgroupsns"}


def needed(binary):
    """The packages of its libraries, or those that have none, as themselves."""
    out = subprocess.run(["readelf", "-d", binary], capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}).stdout
    stems = {re.sub(r"(-x86-64|-aarch64)?\.so.*", "", name) for name in re.findall(r"NEEDED.*\[(.*?)\]", out)}
    return {PACKAGES.get(s, s) for s in stems - FULL_ONLY} - {None}


def recipe(place):
    """The command that reads it, with a stub of the SDK in this folder."""
    sdk = os.path.join(place, "sdk")
    os.makedirs(os.path.join(sdk, "include"))
    for name, text in (("rules.mk", RULES), ("include/package.mk", PACKAGE)):
        with open(os.path.join(sdk, name), "w", encoding="utf-8") as f:
            f.write(text)
    return ["make", "-C", RECIPE, "--no-print-directory", "--warn-undefined-variables", "TOPDIR=" + sdk, "INCLUDE_DIR=" + os.path.join(sdk, "include"),
            "PKG_BUILD_DIR=" + os.path.join(place, "src"), "DEST=" + os.path.join(place, "dest")]


def reads(make):
    """The values that the SDK would see."""
    done = subprocess.run([*make, "-n", "install"], capture_output=True, text=True, check=False)
    values = dict(line.split("=", 1) for line in done.stdout.splitlines() if re.match(r"[A-Z_]+=", line))
    problems = [done.stderr] if done.returncode or done.stderr else []
    problems += [f"{v} is empty" for v in ("SECTION", "CATEGORY", "TITLE", "DEPENDS", "USERID", "PKG_NAME", "PKG_LICENSE") if not values.get(v)]
    if not re.fullmatch(r"minewall=\d+:minewall=\d+", values.get("USERID", "")):
        problems.append(f"USERID is {values.get('USERID')}")
    with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as f:
        version = re.search(r"^VERSION := (.*)$", f.read(), re.M)[1]
    if values.get("PKG_VERSION") != version:
        problems.append(f"PKG_VERSION is {values.get('PKG_VERSION')}, not {version}")
    helps.expect("the recipe, as make reads it", problems)
    return values


def depends(values, binary):
    """No library too few, and none too many."""
    helps.expect("DEPENDS", wrong_libraries(values, binary))


def wrong_libraries(values, binary):
    given = {w.lstrip("+") for w in values.get("DEPENDS", "").split()}
    libraries, wanted = {w for w in given if not w.startswith("kmod-")}, needed(binary)
    return [f"{w} is missing" for w in sorted(wanted - libraries)] + [f"{w} is not needed" for w in sorted(libraries - wanted)]


def installs(make, place, values):
    """Runs the recipe's commands, with something in the place of the binary."""
    src, dest = os.path.join(place, "src"), os.path.join(place, "dest")
    os.makedirs(os.path.join(src, "build", "tiny"))
    shutil.copytree(os.path.join(ROOT, "contrib"), os.path.join(src, "contrib"))
    with open(os.path.join(src, "build", "tiny", "minewall"), "w", encoding="utf-8") as f:
        f.write("a binary\n")
    done = subprocess.run([*make, "install"], capture_output=True, text=True, check=False)
    problems = [done.stderr] if done.returncode or done.stderr else []
    wanted = {"usr/sbin/minewall": 0o755, "etc/init.d/minewall": 0o755, "etc/config/minewall": 0o600, "etc/capabilities/minewall.json": 0o644,
              "usr/share/minewall/lists/starter.txt": 0o644, "etc/minewall/policy.yaml": None}
    for path, mode in wanted.items():
        full = os.path.join(dest, path)
        if not os.path.exists(full):
            problems.append(f"{path} is not installed")
        elif mode and os.stat(full).st_mode & 0o777 != mode:
            problems.append(f"{path} has the mode {os.stat(full).st_mode & 0o777:o}")
    problems += [f"the conffile {c} is not installed" for c in values.get("CONFFILES", "").split() if not os.path.exists(dest + c)]
    helps.expect("what the recipe installs", problems)


class Script:
    """The init script in a busybox ash, in a folder of its own."""

    def __init__(self, place, binary):
        self.place, self.binary = os.path.join(place, "router"), binary
        os.makedirs(os.path.join(self.place, "etc"))
        self.policy = os.path.join(self.place, "etc", "policy.yaml")
        with open(self.policy, "w", encoding="utf-8") as f:
            f.write(f"version: 1\nmode: monitor\ncontrol: {self.place}/run/minewall/control.sock\nstate: {self.place}/state\n"
                    f"log: {{file: {self.place}/log/eve.json}}\nqueues: {{first: 7, count: 1}}\n")
        self.stubs = os.path.join(self.place, "stubs")
        with open(self.stubs, "w", encoding="utf-8") as f:
            f.write(STUBS)

    def run(self, what, jail=False, **uci):
        """[[function, arguments...]...], the last is [exit N]."""
        calls = os.path.join(self.place, "calls")
        open(calls, "w", encoding="utf-8").close()
        os.makedirs(os.path.join(self.place, "run"), exist_ok=True)
        env = {"PATH": os.environ["PATH"], "CALLS": calls, "UCI_policy": self.policy, **{"UCI_" + k: v for k, v in uci.items()}}
        done = subprocess.run([*SHELL, self.stubs, os.path.join(FILES, "minewall.init"), self.binary, self.place,
                               os.path.join(FILES, "minewall.capabilities.json"), "/bin/true" if jail else os.path.join(self.place, "no-ujail"), what],
                              capture_output=True, text=True, check=False, env=env, timeout=20)
        with open(calls, encoding="utf-8") as f:
            lines = [line.split("\t")[:-1] if "\t" in line else line.split() for line in f.read().splitlines()]
        return [line for line in lines if line], done.stderr

    def drop_in(self):
        path = os.path.join(self.place, "etc", "policy.d", "90-uci.yaml")
        if not os.path.exists(path):
            return None
        with open(path, encoding="utf-8") as f:
            return re.search(r"(?m)^mode: (\w+)$", f.read())[1]


def named(calls, function):
    return [c[1:] for c in calls if c[0] == function]


def asked(calls):
    """Only what procd knows, inside one instance."""
    names = [c[0] for c in calls if c[0].startswith("procd_")]
    problems = [] if names[:1] == ["procd_open_instance"] and names[-1:] == ["procd_close_instance"] else [f"calls in the order {names}"]
    problems += [f"procd knows no parameter {p[0]}" for p in named(calls, "procd_set_param") if p[0] not in PARAMETERS]
    problems += [f"a jail has no {w}" for jail in named(calls, "procd_add_jail") for w in jail[1:] if w not in JAIL]
    mounts = [m for kind in ("procd_add_jail_mount", "procd_add_jail_mount_rw") for call in named(calls, kind) for m in call]
    return problems + [f"{m} is no absolute path" for m in mounts if not m.startswith("/")], mounts


def init_script(script):
    calls, said = script.run("start_service")
    helps.expect("init script: not enabled", [] if not any(c[0].startswith("procd") for c in calls) and not said and calls[-1] == ["exit", "0"] else [calls, said])
    calls, said = script.run("start_service", enabled="1", mode="enforce")
    problems, mounts = asked(calls)
    command = [p[1:] for p in named(calls, "procd_set_param") if p[0] == "command"]
    if command != [[script.binary, "run", "-c", script.policy]] or mounts or said or script.drop_in() != "enforce":
        problems.append(f"{calls} {said} {script.drop_in()}")
    helps.expect("init script: enabled, no jail there", problems)
    calls, said = script.run("start_service", jail=True, enabled="1", jail_mount="/usr/bin/hook /opt/lists")
    problems, mounts = asked(calls)
    wanted = {os.path.dirname(script.policy), "/usr/bin/hook", "/opt/lists", *(f"{script.place}/{d}" for d in ("state", "log", "run/minewall"))}
    problems += [f"the jail does not have {m}" for m in wanted - set(mounts)]
    if said or script.drop_in():
        problems.append(f"{said} {script.drop_in()}")
    helps.expect("init script: enabled, with a jail; UCI's mode is empty again", problems)
    jailed = dict((p[0], p[1:]) for p in named(calls, "procd_set_param"))
    jailed["ro"], jailed["rw"] = ([m for call in named(calls, kind) for m in call] for kind in ("procd_add_jail_mount", "procd_add_jail_mount_rw"))
    with open(script.policy, encoding="utf-8") as f:
        text = f.read()
    for uci, policy, what in (({"mode": "enforce"}, "nonsense: 1\n", "a wrong policy starts nothing"),):
        with open(script.policy, "w", encoding="utf-8") as f:
            f.write(text + policy)
        calls, said = script.run("start_service", enabled="1", **uci)
        helps.expect("init script: " + what, [] if calls[-1] == ["exit", "1"] and not named(calls, "procd_open_instance") and "nonsense" in said else [calls, said])
    with open(script.policy, "w", encoding="utf-8") as f:
        f.write(text)
    calls, said = script.run("reload_service", enabled="1")
    helps.expect("init script: reload without a daemon restarts it", [] if ["restart"] in calls else [calls, said])
    calls, said = script.run("reload_service", enabled="0")
    helps.expect("init script: reload when it was disabled stops it", [] if ["stop"] in calls else [calls, said])
    calls, said = script.run("service_triggers")
    helps.expect("init script: a change of /etc/config/minewall reloads it", [] if ["procd_add_reload_trigger", "minewall"] in calls else [calls, said])
    return jailed


# ujail's root: an empty one with what was asked for at its own path, the libraries of the program, a few devices and /proc. $1: the
# folder; then paths, "+" before those that can be written, up to "--", and the command.
JAIL_ROOT = r"""
root=$1; shift
mount -t tmpfs jail "$root" && mkdir "$root/proc" || exit 1
while [ "$1" != -- ]; do
	path=${1#+}
	if [ -e "$path" ]; then
		if [ -d "$path" ]; then mkdir -p "$root$path"; else mkdir -p "$root$(dirname "$path")"; : > "$root$path"; fi
		mount --bind "$path" "$root$path" || exit 1
		[ "$path" != "$1" ] || mount -o remount,bind,ro "$root$path" || exit 1
	fi
	shift
done
shift
# the script's $RUN is /run there
mkdir -p "$root/run/minewall" && mount --bind "$RUN" "$root/run/minewall"
ip link set lo up
mount -t proc proc "$root/proc"
exec chroot "$root" "$@"
"""


def libraries_of(*programs):
    out = "".join(subprocess.run(["ldd", p], capture_output=True, text=True, check=False).stdout for p in programs)
    return sorted(set(re.findall(r"(/\S+\.so\S*)", out)))


def child_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return (f.read().split() or [None])[0]


def as_jailed(script, jailed):
    """As ujail starts it (jail.c, build_jail_fs and post_start_hook): a root of its own, its processes numbered anew, the user, the sets, the
    locks, no_new_privs."""
    with open(os.path.join(FILES, "minewall.capabilities.json"), encoding="utf-8") as f:
        sets = json.load(f)
    lower = {k: ",".join("+" + c[4:].lower() for c in v) for k, v in sets.items()}
    for folder in ("state", "log", "run/minewall"):
        os.chown(os.path.join(script.place, folder), USER, USER)
    command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs", "--inh-caps=-all," + lower["inheritable"],
               "--ambient-caps=-all," + lower["ambient"], "--bounding-set=-all," + lower["bounding"],
               "--securebits=+keep_caps_locked,+no_setuid_fixup_locked,+noroot_locked", *jailed["command"]]
    words = os.path.join(script.place, "said")

    def said():
        with open(words, encoding="utf-8", errors="replace") as f:
            return f.read()

    with open(words, "w", encoding="utf-8") as out:
        root, setpriv = os.path.join(script.place, "jail"), shutil.which("setpriv")
        os.mkdir(root)
        command[0] = setpriv
        paths = [*jailed["ro"], *("+" + p for p in jailed["rw"]), script.binary, setpriv, *libraries_of(script.binary, setpriv),
                 *("/dev/" + d for d in ("null", "zero", "full", "random", "urandom", "tty"))]
        process = subprocess.Popen(["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", JAIL_ROOT, "sh", root, *paths, "--",
                                    *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   env={**os.environ, "RUN": os.path.join(script.place, "run", "minewall")})
    begin, caps, code = time.monotonic(), "", None
    try:
        while "ready" not in said() and process.poll() is None and time.monotonic() - begin < 30:
            time.sleep(0.02)
        if process.poll() is None:
            daemon = child_of(process.pid)
            with open(f"/proc/{daemon}/status", encoding="utf-8") as f:
                caps = re.search(r"CapEff:\s*(\w+)", f.read())[1]
            os.kill(int(daemon), signal.SIGTERM)
        code = process.wait(20)
    except subprocess.TimeoutExpired:
        pass
    finally:
        process.kill()
        process.wait()
    problems = [] if "ready" in said() and code == 0 and caps == f"{1 << 12:016x}" else [f"exit {code}, capabilities {caps}: {said()[-500:]}"]
    helps.expect("the daemon as procd's jail starts it", problems)


def musl():
    """OpenWrt's C library is musl, which has neither all of glibc's functions nor, under the same name, the same: what the compiler says."""
    if not shutil.which("musl-gcc"):
        print("skipped: no musl-gcc here")
        return 1
    sources = [os.path.relpath(s, ROOT) for d in ("inspect", "policy", "nfq", "nft", "daemon", "cli") for s in sorted(glob.glob(os.path.join(ROOT, d, "*.c")))]
    headers = [f"-idirafter{d}" for d in ("/usr/include", *glob.glob("/usr/include/*-linux-gnu"))]
    def compiled(source):
        return subprocess.run(["musl-gcc", "-fsyntax-only", "-std=gnu11", "-I.", "-D_GNU_SOURCE", "-DMINEWALL_TINY", "-DHAVE_SECCOMP",
                               '-DMINEWALL_VERSION="0"', "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Werror", *headers, source],
                              cwd=ROOT, capture_output=True, text=True, check=False).stderr

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        said = [s for s in pool.map(compiled, [s for s in sources if not s.startswith("cli/report")]) if s]
    helps.expect(f"{len(sources)} sources with musl's headers", said)
    return 0


def main():
    if sys.argv[1:] == ["--musl"]:
        skipped = musl()
        print(f"musl: {helps.passed} passed, {helps.failed} failed, {skipped} skipped")
        return 1 if helps.failed else 0
    binary = os.path.abspath(sys.argv[1])
    skipped = 0
    with tempfile.TemporaryDirectory(prefix="minewall-openwrt.") as place:
        os.chmod(place, 0o755)
        make = recipe(place)
        values = reads(make)
        depends(values, binary)
        installs(make, place, values)
        if not shutil.which("busybox"):
            print("skipped: no busybox here, whose ash is OpenWrt's shell: the init script is run by sh")
            skipped += 1
        script = Script(place, binary)
        jailed = init_script(script)
        if os.geteuid() or not shutil.which("setpriv") or not shutil.which("unshare"):
            print("skipped: starting it as procd would needs root, setpriv and unshare")
            skipped += 1
        else:
            as_jailed(script, jailed)
    if shutil.which("shellcheck"):
        done = subprocess.run(["shellcheck", os.path.join(FILES, "minewall.init")], capture_output=True, text=True, check=False)
        helps.expect("shellcheck of the init script", done.stdout.splitlines())
    else:
        print("skipped: no shellcheck here")
        skipped += 1
    print(f"openwrt: {helps.passed} passed, {helps.failed} failed, {skipped} skipped")
    return 1 if helps.failed else 0


if __name__ == "__main__":
    sys.exit(main())
