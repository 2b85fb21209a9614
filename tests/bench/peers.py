# SPDX-License-Identifier: GPL-2.0-or-later
"""Other programs that read ClientHellos from a queue, each as its own papers set it up, with a list of names and nothing to do for the
bench's traffic. Only what is on PATH is started; Debian 12 has packages of suricata alone, the others are built from their sources."""

import os
import shutil

QUEUE = 200

# program: packets of each connection that its rules queue (None: all), arguments
PEERS = {
    "nfqws": (6, lambda names, folder: [f"--qnum={QUEUE}", "--dpi-desync=split2", f"--hostlist={names}"]),
    "youtubeUnblock": (19, lambda names, folder: [f"--queue-num={QUEUE}", "--sni-domains=blocked.example"]),
    "suricata": (None, lambda names, folder: ["-q", str(QUEUE), "-l", folder, "-S", os.path.join(folder, "names.rules"),
                                              "--set", "nfq.fail-open=yes", "--set", "nfq.batchcount=20"]),
}


def plain_names(names, folder):
    """One name a line, as these programs read them, and a rule for the one that has rules."""
    path = os.path.join(folder, "names.txt")
    with open(names, encoding="ascii") as f, open(path, "w", encoding="ascii") as out:
        out.writelines(line.split()[1] + "\n" for line in f)
    with open(os.path.join(folder, "names.rules"), "w", encoding="ascii") as out:
        out.write('drop tls any any -> any any (msg:"listed"; tls.sni; content:"blocked.example"; endswith; sid:1; rev:1;)\n')
    return path


def start(name, gateway, names):
    """None, or why it could not be started."""
    first, arguments = PEERS[name]
    folder = gateway.folder("peer")
    rule = ["-A", "FORWARD", "-p", "tcp"]
    if first:
        rule += ["-m", "connbytes", "--connbytes", f"0:{first}", "--connbytes-dir", "original", "--connbytes-mode", "packets"]
    rule += ["-j", "NFQUEUE", "--queue-num", str(QUEUE), "--queue-bypass"]
    for tables in ("iptables-nft", "ip6tables-nft"):
        if gateway.namespace.run(tables, *rule, check=False).returncode:
            return f"{tables} refuses its rule"
    program = shutil.which(name)
    gateway.start("/bin/sh", "-c", 'echo ready >&2; exec "$@" > /dev/null 2>&1', "sh", program, *arguments(plain_names(names, folder), folder))
    for _ in range(100):
        if gateway.process.poll() is not None:
            return f"ends at once, exit code {gateway.process.returncode}"
        try:
            with open(f"/proc/{gateway.process.pid}/net/netfilter/nfnetlink_queue", encoding="ascii") as f:
                if any(int(line.split()[0]) == QUEUE for line in f):
                    return None
        except OSError:
            pass
        gateway.namespace.run("sleep", "0.1")
    return "does not take its queue"
