#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""contrib/crowdsec in a real CrowdSec (Debian's package, unpacked into a folder and not installed: nothing of it is started by itself),
in a network namespace without any network: events of a real format become alerts about devices, no decision, no ban, nothing of a
wallet; its own parser beside ours changes nothing, and its whitelist of private addresses does not swallow them.

    crowdsec.py [--keep FOLDER]"""

import argparse
import datetime
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES = os.path.join(HERE, "..", "..", "contrib", "crowdsec")
HUB = "usr/share/crowdsec/hub"
# What an installation has beside our samples.
OTHERS = ("parsers/s00-raw/crowdsecurity/syslog-logs", "parsers/s01-parse/crowdsecurity/suricata-logs", "parsers/s02-enrich/crowdsecurity/dateparse-enrich",
          "parsers/s02-enrich/crowdsecurity/whitelists", "scenarios/crowdsecurity/suricata-alerts")
CONFIG = """common: {{daemonize: false, log_media: stdout, log_level: info, working_dir: .}}
config_paths: {{config_dir: {0}/etc/, data_dir: {0}/data/, simulation_path: {0}/etc/simulation.yaml, hub_dir: {0}/hub/, index_path: {0}/hub/.index.json,
  notification_dir: {0}/etc/notifications/, plugin_dir: {0}/plugins/}}
crowdsec_service: {{acquisition_path: {0}/etc/acquis.yaml, parser_routines: 1}}
cscli: {{output: json}}
db_config: {{type: sqlite, db_path: {0}/data/crowdsec.db, log_level: info}}
api:
  client: {{credentials_path: {0}/etc/credentials.yaml}}
  server: {{listen_uri: "127.0.0.1:8080", profiles_path: {0}/etc/profiles.yaml, log_level: info}}
prometheus: {{enabled: false}}
"""


class Wrong(Exception):
    pass


def need(condition, text):
    if not condition:
        raise Wrong(text)


def program(folder):
    """Where its files are: the system's, or those of the package, unpacked."""
    if shutil.which("crowdsec") and os.path.isdir("/" + HUB):
        return "/"
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return None
    got = subprocess.run(["apt-get", "-o", "APT::Sandbox::User=root", "download", "crowdsec"], cwd=folder, capture_output=True, check=False)
    package = glob.glob(os.path.join(folder, "crowdsec_*.deb"))
    if got.returncode or not package:
        return None
    subprocess.run(["dpkg", "-x", package[0], os.path.join(folder, "unpacked")], check=True)
    return os.path.join(folder, "unpacked")


def event(i, device, more=None, **mining):
    stamp = datetime.datetime.now().astimezone().isoformat(timespec="microseconds")
    return {"timestamp": stamp, "event_type": "alert", "src_ip": device, "src_port": 40000 + i, "dest_ip": "100.65.1.7", "dest_port": 3333, "proto": "TCP",
            "app_proto": "stratum", "alert": {"action": "blocked", "signature": "minewall: mining protocol", "signature_id": 1000903, "category": "Crypto mining",
                                              "severity": 1},
            "mining": {"id": f"66{i:x}", "dialect": "stratum", "method": "mining.authorize", "login_hash": "535e3a88", "evidence": "protocol", "count": 1, **mining},
            "host": {"mac": "02:00:00:00:00:07"}, **(more or {})}


def events():
    for i in range(5):
        yield event(i, "192.168.1.17")                                           # again and again
        yield event(10 + i, "192.168.1.17", {"gateway": "north-1"})              # the same address behind another gateway
    for i in range(2):
        yield event(20 + i, "192.168.1.18")                                      # not often enough
    for i in range(5):
        yield event(30 + i, "2001:db8::18")
        yield event(40 + i, "192.168.1.19", evidence="score")                    # a score is no proof
        yield {"timestamp": event(0, "x")["timestamp"], "event_type": "minewall", "minewall": {"event": "gap", "detail": "x"}}
        yield {**event(50 + i, "192.168.1.20"), "mining": None}                  # another program's


def arrange(folder, root):
    for name in ("etc/parsers/s00-raw", "etc/parsers/s01-parse", "etc/parsers/s02-enrich", "etc/scenarios", "etc/postoverflows", "etc/collections",
                 "etc/notifications", "plugins", "data", "hub"):
        os.makedirs(os.path.join(folder, name))
    shutil.copytree(os.path.join(root, "etc/crowdsec/patterns"), os.path.join(folder, "etc/patterns"))
    for name in OTHERS:
        kind, stage = name.split("/")[0], name.split("/")[1] if name.startswith("parsers") else ""
        shutil.copy(os.path.join(root, HUB, name + ".yaml"), os.path.join(folder, "etc", kind, stage))
    for name, to in (("parser.yaml", "parsers/s01-parse/minewall.yaml"), ("scenario.yaml", "scenarios/minewall.yaml")):
        shutil.copy(os.path.join(SAMPLES, name), os.path.join(folder, "etc", to))
    for name in ("profiles.yaml", "simulation.yaml"):
        shutil.copy(os.path.join(root, "etc/crowdsec", name), os.path.join(folder, "etc"))
    with open(os.path.join(SAMPLES, "acquis.yaml")) as f:
        acquis = f.read()
    need("/var/log/minewall/eve.json" in acquis, "the sample reads another file")
    with open(os.path.join(folder, "etc/acquis.yaml"), "w") as f:
        f.write(acquis.replace("/var/log/minewall/eve.json", folder + "/eve.json"))
    with open(os.path.join(folder, "config.yaml"), "w") as f:
        f.write(CONFIG.format(folder))
    with open(os.path.join(folder, "hub/.index.json"), "w") as f:
        f.write('{"collections":{},"parsers":{},"scenarios":{},"postoverflows":{}}')


def run(folder, root, netns):
    def crowdsec(*arguments):
        with open(os.path.join(folder, "said"), "w") as f:
            return subprocess.Popen(["ip", "netns", "exec", netns, os.path.join(root, "usr/bin/crowdsec"), "-c", folder + "/config.yaml", *arguments], stdout=f,
                                    stderr=subprocess.STDOUT)

    def said():
        with open(os.path.join(folder, "said")) as f:
            return f.read()

    def cscli(*arguments):
        done = subprocess.run(["ip", "netns", "exec", netns, os.path.join(root, "usr/bin/cscli"), "-c", folder + "/config.yaml", "-o", "json", *arguments],
                              capture_output=True, text=True, check=False)
        need(done.returncode == 0, f"cscli {arguments}: {done.stderr[-400:]}")
        return done.stdout

    open(os.path.join(folder, "eve.json"), "w").close()
    cscli("machines", "add", "here", "--password", "of-a-test", "--file", folder + "/etc/credentials.yaml", "--url", "http://127.0.0.1:8080", "--force")
    need(crowdsec("-t").wait(60) == 0, f"crowdsec -t: {said()[-600:]}")
    daemon = crowdsec()
    try:
        end = time.monotonic() + 60
        while daemon.poll() is None and "Starting processing data" not in said() and time.monotonic() < end:
            time.sleep(0.1)
        need("Starting processing data" in said(), f"crowdsec does not start: {said()[-600:]}")
        time.sleep(1)       # it says so before it follows the file
        with open(os.path.join(folder, "eve.json"), "a") as f:
            f.writelines(json.dumps(e, separators=(",", ":")) + "\n" for e in events())
        alerts = []
        while len(alerts) < 3 and time.monotonic() < end:
            time.sleep(0.5)
            alerts = json.loads(cscli("alerts", "list", "--all") or "null") or []
        time.sleep(2)       # one more than there should be would come now
        alerts = json.loads(cscli("alerts", "list", "--all") or "null") or []
        need(sorted((a["source"]["scope"], a["source"]["value"]) for a in alerts) ==
             [("Device", "192.168.1.17"), ("Device", "2001:db8::18"), ("Device", "north-1/192.168.1.17")], f"alerts: {[(a['scenario'], a['source']) for a in alerts]}")
        need(all(a["scenario"] == "minewall/mining" and not a.get("decisions") and not a.get("remediation") for a in alerts), f"another alert, or a decision: {alerts}")
        need("535e3a88" not in json.dumps(alerts) and "02:00:00:00" not in json.dumps(alerts), "wallet or MAC was handed on")
        need(not json.loads(cscli("decisions", "list") or "null"), "something was banned")
    finally:
        daemon.terminate()
        daemon.wait(20)


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--keep")
    a = parse.parse_args()
    folder = a.keep or tempfile.mkdtemp(prefix="minewall-crowdsec.")
    os.makedirs(folder, exist_ok=True)
    netns = f"mwcs{os.getpid()}"
    failed = 0
    try:
        root = program(folder) if not os.geteuid() else None
        if not root:
            print("skipped: root, and crowdsec or Debian's package of it, are needed")
            return 0
        subprocess.run(["ip", "netns", "add", netns], check=True)
        subprocess.run(["ip", "-n", netns, "link", "set", "lo", "up"], check=True)
        arrange(folder, root)
        run(folder, root, netns)
        print("ok fleet/crowdsec")
    except Wrong as wrong:
        print(f"FAIL fleet/crowdsec: {wrong}")
        failed = 1
    finally:
        subprocess.run(["ip", "netns", "del", netns], check=False, capture_output=True)
        if not a.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"crowdsec: {1 - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
