# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of an operator at 3 a.m.: a broken policy or a list that is gone beside a running daemon, a full disk, files of
others in the way, a daemon that was killed. Each must end in one clear line, and nothing that runs is disturbed."""

import json
import os
import shutil

import bed as beds
from run import Skipped, need, own, policy, refusal, until

STRATUM_PORT = 3333


def says(done, code, text):
    said = (done.stdout + done.stderr).strip()
    need(done.returncode == code, f"exit {done.returncode}, not {code}: {said[:200]}")
    need(text in said, f"it does not say {text!r}: {said[:200]}")


@own("admin/list-gone-while-running")
def list_gone(t):
    t.daemon = t.make(policy()).start()
    os.unlink(os.path.join(t.daemon.folder, "miners.txt"))
    says(t.daemon.verb("check"), 4, "miners.txt")
    says(t.daemon.verb("status"), 0, "bound")
    says(t.daemon.verb("log"), 1, "no event")
    says(t.daemon.verb("stop"), 0, "")
    need(until(lambda: t.daemon.process.poll() is not None), "the daemon did not end")


@own("admin/stop-after-kill", "open", "closed")
def stop_after_kill(t, fail):
    t.daemon = t.make(policy(fail=fail)).start()
    t.bed.gateway.run("nft", "delete", "table", "inet", "bed_leaks")
    t.bed.send(t.fresh(), STRATUM_PORT, "stratum-v1")
    t.daemon.process.kill()
    t.daemon.process.wait(5)
    need(until(lambda: not t.kernel.queues()), "a queue is still bound after its reader's death")
    need(t.kernel.table(), "the table went with the daemon")
    says(t.daemon.verb("stop"), 0, "gone now")
    need(not t.kernel.table(), "the table is still there")
    need(not [f for f in t.kernel.flows(4) if f["state"]], "flows carry our bits still")
    says(t.daemon.verb("stop"), 3, "no daemon answers")


@own("admin/stop-of-another-socket")
def stop_of_another(t):
    t.daemon = t.make(policy(), "first").start()
    other = t.make(policy(), "second")
    handle = t.kernel.handle()
    says(other.verb("stop"), 3, "in use")
    need(t.kernel.handle() == handle, "the table of a daemon that lives was touched")
    need(t.daemon.stop() == 0, "the first daemon's exit status is not 0")


@own("admin/in-the-way", "file", "folder")
def in_the_way(t, what):
    daemon = t.make(policy(), f"way-{what}")
    path = os.path.join(daemon.folder, "control.sock")
    if what == "file":
        daemon.write("control.sock", "somebody's\n")
    else:
        os.mkdir(path)
    refusal(t, daemon, 5, r"control\.sock.*File exists")
    need(os.path.isdir(path) if what == "folder" else open(path, encoding="ascii").read() == "somebody's\n",
         "what was there is gone")


@own("admin/log-is-a-pipe")
def log_is_a_pipe(t):
    daemon = t.make(policy(), "pipe")
    os.mkfifo(os.path.join(daemon.folder, "eve.json"))
    refusal(t, daemon, 5, r"eve\.json cannot be opened")
    says(daemon.verb("log"), 5, "no regular file")


@own("admin/disk-full-while-running")
def disk_full(t):
    daemon = t.make(policy(), "full")
    small = os.path.join(daemon.folder, "small")
    os.mkdir(small)
    try:
        beds.command("mount", "-t", "tmpfs", "-o", "size=16k", "small", small)
    except beds.BedError as error:
        raise Skipped(f"no tmpfs here: {error}") from error
    try:
        with open(daemon.policy, encoding="utf-8") as f:
            text = f.read().replace("file: eve.json", "file: small/eve.json")
        daemon.write("policy.yaml", text)
        t.daemon = daemon.start()
        with open(os.path.join(small, "fill"), "wb") as f:
            try:
                f.write(b"x" * 65536)
            except OSError:
                pass
        for _ in range(12):
            got = t.bed.send(t.fresh(), STRATUM_PORT, "stratum-v1")
            need(got["ended"] == "reset", f"with a full disk the client saw {got['ended']}")
        need(daemon.json("status")["events_lost"] > 0, "no loss was counted")
        os.unlink(os.path.join(small, "fill"))
        last = t.fresh()
        t.bed.send(last, STRATUM_PORT, "stratum-v1")
        need(until(lambda: daemon.events(last)), "no event after there was room again")
        with open(os.path.join(small, "eve.json"), encoding="utf-8") as f:
            for line in f:
                json.loads(line)
        said = daemon.said()
        need(said.count("events are lost") == 1 and said.count("written again") == 1, f"the daemon said: {said}")
        daemon.stop()
    finally:
        beds.command("umount", "-l", small, check=False)
        shutil.rmtree(small, ignore_errors=True)


@own("admin/output-full", "check", "check --json", "status", "status --json", "log --json")
def output_full(t, words):
    t.daemon = t.make(policy(), "out").start()
    address = t.fresh()
    t.bed.send(address, STRATUM_PORT, "stratum-v1")
    until(lambda: t.daemon.events(address))
    verb, *options = words.split()
    done = t.bed.gateway.run("sh", "-c", '"$0" "$@" > /dev/full', t.binary, verb, "-c", t.daemon.policy, *options, check=False)
    says(done, 6, "not all of the output")
    t.daemon.stop()


@own("admin/usage", "status -c", "status -xj", "status --json=1", "unblock", "unblock ", "replay -c", "replay --flows=1 x")
def usage(t, words):
    done = beds.command(t.binary, *words.split(" "), check=False)
    need(done.returncode == 2, f"exit {done.returncode}, not 2")
    need(len(done.stderr.splitlines()) == 1 and "--help" in done.stderr, f"not one line that leads on: {done.stderr}")
