#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Takes each handler of a fault out of a copy of the sources, builds that, and shows that the fault's test then fails. Not a part of
`make check`: who changes a handler or a fault runs it (some five minutes).

usage: handlers.py [--only TEXT]... [--folder COPY] | --check (are they where this file looks for them?)"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

# handler, the fault and mode that miss it, and what is taken out: (file, text, text instead)
HANDLERS = (
    ("`bypass` in the queue rule", "killed, away for 2 s/open", (("daemon/apply.c", ".bypass = s->fail == FAIL_OPEN", ".bypass = false"),)),
    ("no `bypass` where the policy says closed", "killed, away for 2 s/closed",
     (("daemon/apply.c", ".bypass = s->fail == FAIL_OPEN", ".bypass = true"),)),
    ("a restart adopts the sets, or reads the state file", "killed and restarted, again and again/open",
     (("nft/table.c", "n = list.n < set_size ? list.n : set_size;", "n = 0;"),
      ("daemon/state.c", "\tif (d->adopted == 0)\n\t\tapply_teach(d, &e, 1);", ""))),
    ("the watchdog dies with the reader", "crash in any thread/open",
     (("daemon/watchdog.c", "prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent", "false && parent"),)),
    ("the watchdog", "reader stopped for 2 s/open", (("daemon/watchdog.c", "\t\tqueue_release(w->queues[i]);\n", ""),)),
    ("no watchdog where the policy says closed", "reader stopped for 2 s/closed",
     (("daemon/run.c", "\tif (d->settings->fail == FAIL_OPEN) {\n\t\tswap_messages", "\tif (true) {\n\t\tswap_messages"),
      ("daemon/apply.c", ".bypass = s->fail == FAIL_OPEN", ".bypass = true"))),
    ("the reader binds the queue again", "reader stopped for 2 s/open",
     (("daemon/worker.c", "\tint err = queue_bind(w->queue);", "\tint err = 0;"),)),
    ("a killed watchdog is replaced at once", "watchdog killed, then the reader stopped/open",
     (("daemon/loop.c", "\t\t\theed_watchdog(d);\n", ""),)),
    ("a harmed table is made again", "one rule deleted by another program (own_table: false)/open",
     (("daemon/loop.c", "table_watch_drain(d->shared.table) > 0", "table_watch_drain(d->shared.table) > 1"),)),
    ("its endpoints come back with it", "nft flush ruleset by another program (own_table: false)/open",
     (("daemon/loop.c", "\td->restored++;\n\tstate_teach(d);", "\td->restored++;"),)),
    ("emptied sets are filled again", "sets flushed by another program (own_table: false)/open",
     (("daemon/loop.c", "if (sets_emptied(d)) {", "if (false && sets_emptied(d)) {"),)),
    ("the table is owned", "owned table: another program tries all of these/open",
     (("daemon/apply.c", ".owned = s->own_table", ".owned = false"), ("tests/faults/cases.py", 'if "flags owner" not in', 'if "nothing" == '))),
    ("a table that was taken is asked for again", "table taken by another owner for 1 s (netlink refuses ours)/open",
     (("daemon/loop.c", "\t\tif (d->table_lost)\n\t\t\tmend_table(d);\n", ""),)),
    ("the queue's fail-open flag", "queue overflow (length 16, flood)/open",
     (("nfq/queue.c", "(q->config.fail_open ? NFQA_CFG_F_FAIL_OPEN : 0)", "0"),)),
    ("no such flag where the policy says closed", "ENOBUFS (receive buffer full while the reader is stopped)/closed",
     (("nfq/queue.c", "(q->config.fail_open ? NFQA_CFG_F_FAIL_OPEN : 0)", "NFQA_CFG_F_FAIL_OPEN"),)),
    ("ENOBUFS is no end, and counted", "ENOBUFS (receive buffer full while the reader is stopped)/closed",
     (("daemon/worker.c", "\tif (err == -ENOBUFS) {\n\t\tcount(&w->counters.lost);\n\t\treturn;\n\t}", "\tif (err == -ENOBUFS) {\n\t\treturn;\n\t}"),)),
    ("a refused bind is tried again", "queue taken by another program for 1 s (netlink refuses ours)/open",
     (("daemon/worker.c", "\tnanosleep(&pause, NULL);\n\tqueue_bind(w->queue);", "\tnanosleep(&pause, NULL);"),)),
    ("a full set is said", "set full/open", (("daemon/adder.c", "\tif (l->teach && !taken)\n\t\tnot_taught(a);\n", ""),)),
    ("lost events are counted and said", "disk full (log and state on 64 KiB)/open",
     (("daemon/event_log.c", "\tsay_losses(log, err, held);\n", ""),)),
    ("no half line stays", "disk full (log and state on 64 KiB)/open",
     (("daemon/event_log.c", "if (n > 0 && start >= 0 && ftruncate(fd, start) == 0)", "if (false && ftruncate(fd, start) == 0)"),)),
    ("a log that is gone is begun anew", "log deleted/open",
     (("daemon/event_log.c", "if (log->fd < 0 || log_gone(log))", "if (log->fd < 0 || (false && log_gone(log)))"),)),
    ("its folder gone: said, and written again", "log's folder gone, and back after 1 s/open",
     (("daemon/event_log.c", "if (log->fd < 0 || log_gone(log))", "if (log->fd < 0 || (false && log_gone(log)))"),)),
    ("no life is longer than the policy's", "clock jumps (a day ahead, two back), and a restart/open",
     (("daemon/state.c", "ends - now < longest ? ends - now : longest", "ends - now"),)),
    ("what is over stays over", "clock jumps (a day ahead, two back), and a restart/open",
     (("daemon/state.c", " || ends <= now ||", " ||"),)),
    ("a reload without memory changes nothing", "no memory (address space refused) for 2 s/open",
     (("daemon/apply.c", "\tif (!p || key || become(d, p, error)) {", "\tif (!p)\n\t\tabort();\n\tif (!p || key || become(d, p, error)) {"),)),
    ("a refused client is a pause", "no descriptors for 2 s/open",
     (("daemon/clients.c", "c->deaf_until_ms = now_ms + DEAF_MS;", "c->deaf_until_ms = 0;"),)),
    ("a watchdog that cannot be had is said", "no new processes: the watchdog cannot be revived/open",
     (("daemon/loop.c", "else if (rc < 0 && !d->watchdog_gone)", "else if (false)"),)),
    ("a reload takes the sets over", "reloads while connections run/open",
     (("nft/table.c", "n = list.n < set_size ? list.n : set_size;", "n = 0;"),)),
    ("flows and their bytes have the policy's room, and the oldest give way", "flood by senders that there are not/open",
     (("daemon/worker.c", ".flows = settings->memory_flows / share,", ".flows = 4000000,"),
      ("daemon/worker.c", ".reassembly = settings->memory_reassembly / share,", ".reassembly = 1 << 30,"))),
    ("a killed reporter is replaced", "reporter killed, then the one that would replace it/open",
     (("daemon/beside.c", "\twhile (work(all[0], all + 1, job))\n", "\twhile (!work(all[0], all + 1, job))\n"),)),
    ("its socket goes with the last of them", "reporter killed, then the one that would replace it/closed",
     (("daemon/reporter.c", "\tleave_socket(r);\t/*", "\t/*"),)),
    ("who was to be replaced goes on", "takeover by a process that dies when the old one has let go/open",
     (("daemon/takeover.c", "if (daemon_start_threads(d) != EXIT_DONE)", "if (true)"),)),
    ("who cannot go on leaves the table as it is", "the same, and the old one gets no new threads/closed",
     (("daemon/run.c", "d->table_there && !d->others && !d->failed;", "d->table_there && !d->others;"),)),
    ("a broken policy changes nothing", "broken policies reloaded/open",
     (("daemon/apply.c", "\tif (!p || key || become(d, p, error)) {", "\tif (!p)\n\t\tabort();\n\tif (!p || key || become(d, p, error)) {"),)),
)


def check():
    bad = 0
    for handler, _, changes in HANDLERS:
        for path, old, _ in changes:
            with open(os.path.join(ROOT, path), encoding="utf-8") as f:
                if f.read().count(old) != 1:
                    bad += 1
                    print(f"FAIL {handler}: {path} does not hold it (once) any more: mend tests/faults/handlers.py")
    with open(os.path.join(os.path.dirname(HERE), "FAULTS.md"), encoding="utf-8") as f:
        paper = f.read()
    for handler, test, _ in HANDLERS:
        if f"| {handler} | {test} |" not in paper or f"\n| {test.rsplit('/', 1)[0]} |" not in paper:
            bad += 1
            print(f"FAIL {handler}: FAULTS.md does not tell of it, or of '{test}'")
    print(f"handlers: {len(HANDLERS) - bad} passed, {bad} failed")
    return 1 if bad else 0


def build(copy):
    done = subprocess.run(["make", "-s", "-j2", "-C", copy, "all", "faults-tools"], capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr.strip()[-400:]


def without(copy, changes):
    """Takes it out; returns what the files held, or None if a text is not there any more."""
    before = {}
    for path, old, new in changes:
        with open(os.path.join(copy, path), encoding="utf-8") as f:
            text = f.read()
        before.setdefault(path, text)
        if text.count(old) != 1:
            restore(copy, before)
            return None
        with open(os.path.join(copy, path), "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))
    return before


def restore(copy, before):
    for path, text in before.items():
        with open(os.path.join(copy, path), "w", encoding="utf-8") as f:
            f.write(text)


def show(copy, handler, test, changes):
    """(fails as it should, what it said)"""
    before = without(copy, changes)
    if before is None:
        return False, "the handler's text is not in the sources any more: mend handlers.py"
    try:
        why = build(copy)
        if why:
            return False, f"does not build: {why}"
        done = subprocess.run(["/usr/bin/python3", os.path.join(copy, "tests/faults/faults.py"), "--only", test,
                               os.path.join(copy, "build/minewall")], capture_output=True, text=True, timeout=600)
        said = re.search(rf"^FAIL {re.escape(test)}: (.*)$", done.stdout, re.M)
        return bool(said), said[1] if said else "the test passes without it: " + done.stdout.strip()[-300:]
    finally:
        restore(copy, before)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", help="handlers whose name or test holds this")
    parser.add_argument("--folder", help="the copy, to be used again")
    parser.add_argument("--check", action="store_true", help="builds and runs nothing")
    options = parser.parse_args()
    if options.check:
        return check()
    copy = options.folder or tempfile.mkdtemp(prefix="minewall-handlers.")
    bad = 0
    try:
        subprocess.run(["rsync", "-a", "--delete", "--exclude", ".git", "--exclude", "build/asan", "--exclude", "build/stockvm", ROOT + "/", copy]
                       if shutil.which("rsync") else ["cp", "-a", ROOT + "/.", copy], check=True)
        print("| handler | test | without it |\n|---|---|---|")
        for handler, test, changes in HANDLERS:
            if options.only and not any(text in handler + test for text in options.only):
                continue
            good, said = show(copy, handler, test, changes)
            bad += not good
            print(f"| {handler} | {test} | {'FAIL: ' if good else 'NOT SHOWN: '}{' '.join(said.split())[:230]} |", flush=True)
    finally:
        if not options.folder:
            shutil.rmtree(copy, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
