#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What other programs read: our EVE lines by the field names of Suricata's published schema, `log --format ecs` by those of the
Elastic Common Schema, `log --format syslog` by RFC 5424's grammar; with hostile texts in every field. With rsyslog installed, its
sample configurations bring the logs of two gateways into one file of a third machine over TLS, across a rotation and while that one is
away; `minewall log --gateway` reads it, and one gateway cannot write in the other's name.

    formats.py build/minewall"""

import collections
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import report

# Facts from OISF/suricata, etc/schema.json at 398687d5 (July 2026): name -> type. Everything else we write stands under "mining" and
# "minewall". Two things differ on purpose: `host` is an object here (there: the sensor's name, a text), and the time's offset has
# a colon, as RFC 3339 asks for (there: none).
EVE = {"timestamp": str, "event_type": str, "src_ip": str, "src_port": int, "dest_ip": str, "dest_port": int, "proto": str, "app_proto": str,
       "alert": {"action": str, "signature": str, "signature_id": int, "category": str, "severity": int},
       "tls": {"sni": str, "version": str, "ja4": str}, "quic": {"sni": str, "version": str, "ja4": str}, "http": {"hostname": str}, "dns": {"rrname": str}}
OURS = {"mining", "minewall", "host"}

# Dotted names that we use. All are in generated/csv/fields.csv of github.com/elastic/ecs at 8.11.0 and at 9.5 (compared by hand).
ECS = {"@timestamp", "message", "ecs.version", "event.kind", "event.category", "event.type", "event.action", "event.id", "event.severity", "event.module",
       "event.dataset", "event.reason", "observer.type", "observer.product", "source.ip", "source.port", "source.mac", "source.domain",
       "destination.ip", "destination.port", "destination.domain", "network.transport", "network.protocol", "network.type",
       "network.direction", "tls.client.server_name", "tls.version", "tls.version_protocol", "dns.question.name", "url.domain",
       "user_agent.original", "rule.name", "rule.ruleset", "rule.description", "rule.category"}
ECS_CATEGORIES = {"network", "intrusion_detection"}
ECS_TYPES = {"connection", "denied", "allowed", "info"}

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)"
SYSLOG = re.compile(rf"<(\d{{1,3}})>1 ({STAMP}|-) ([!-~]{{1,255}}) ([!-~]{{1,48}}) ([!-~]{{1,128}}) ([!-~]{{1,32}}) "
                    r"\[minewall@32473((?: [!#-<>-\\^-~]{1,32}=\"(?:[^\"\\\]]|\\[\"\\\]])*\")*)\] (.*)")

need, Wrong = report.need, report.Wrong
RELP = [p for p in ("/usr/lib/*/rsyslog/omrelp.so", "/usr/lib*/rsyslog/omrelp.so") if glob.glob(p)]


def check_eve(event):
    for key, value in event.items():
        need(key in EVE or key in OURS, f"'{key}' is no field of EVE")
        if key in OURS:
            continue
        if isinstance(EVE[key], dict):
            for inner, its in value.items():
                need(inner in EVE[key] and isinstance(its, EVE[key][inner]), f"'{key}.{inner}' is no field of EVE, or of another type")
        else:
            need(isinstance(value, EVE[key]), f"'{key}' is of another type")


def flat(value, before=""):
    if not isinstance(value, dict):
        yield before
        return
    for key, inner in value.items():
        yield from flat(inner, f"{before}.{key}" if before else key)


def check_ecs(text, events):
    lines = text.splitlines()
    need(len(lines) == len(events), f"{len(lines)} lines of ECS for {len(events)} events")
    for line, event in zip(lines, events):
        ecs = json.loads(line)
        own = ecs.pop("minewall", {})
        for name in flat(ecs):
            need(name in ECS, f"'{name}' is no field of ECS")
        need(ecs["@timestamp"] == event["timestamp"] and set(ecs["event"]["category"]) <= ECS_CATEGORIES and set(ecs["event"]["type"]) <= ECS_TYPES,
             f"wrong: {line[:300]}")
        if event["event_type"] != "alert":
            continue
        need(own == event["mining"] and ecs["source"]["ip"] == event["src_ip"] and ecs["event"]["action"] == event["alert"]["action"], f"wrong: {line[:300]}")
        name = event.get("tls", {}).get("sni") or event.get("http", {}).get("hostname") or event.get("dns", {}).get("rrname") or ""
        need(ecs.get("destination", {}).get("domain", "") == name, "the name is another one")
        need(re.fullmatch("([0-9A-F]{2}-){5}[0-9A-F]{2}", ecs["source"].get("mac", "00-00-00-00-00-00")), "the MAC's form is wrong")


def check_syslog(text, events):
    lines = text.split("\n")[:-1]
    need(len(lines) == len(events), f"{len(lines)} lines of syslog for {len(events)} events")
    for line, event in zip(lines, events):
        match = SYSLOG.fullmatch(line)
        need(match, f"no message of RFC 5424: {line[:300]!r}")
        parameters = dict(re.findall(r' ([^ =]+)="((?:[^"\\\]]|\\.)*)"', match[7]))
        need(int(match[1]) in (132, 133) and match[4] == "minewall", f"priority or name is wrong: {line[:100]}")
        if event["event_type"] == "alert":
            need(parameters["src"] == event["src_ip"] and int(parameters["count"]) == event["mining"]["count"], f"wrong: {line[:300]}")


def certificates(folder):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test CA", "-days", "2")
    for name in ("logs.example", "gateway.example"):
        with open(os.path.join(folder, name + ".ext"), "w") as f:
            f.write(f"subjectAltName=DNS:{name}\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", name + ".pem", "-days", "2", "-extfile",
                name + ".ext")


class Rsyslog:
    def __init__(self, folder, name, netns, config, host):
        self.path = os.path.join(folder, name)
        os.makedirs(self.path)
        with open(os.path.join(self.path, "conf"), "w") as f:
            f.write(f'global(workDirectory="{self.path}" maxMessageSize="64k" localHostname="{host}")\n' + config)
        self.netns = netns
        self.process = None

    def start(self):
        self.process = subprocess.Popen(["ip", "netns", "exec", self.netns, "rsyslogd", "-n", "-f", os.path.join(self.path, "conf"), "-i",
                                         os.path.join(self.path, "pid")], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(1)
        need(self.process.poll() is None, f"rsyslogd does not take {self.path}")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None


def until(question, seconds):
    end = time.monotonic() + seconds
    while not question() and time.monotonic() < end:
        time.sleep(0.1)
    return question()


def sample(folder, name, who, *changes):
    """A configuration as it is shipped, but for the names of its server and files."""
    with open(os.path.join(report.HERE, "..", "..", "contrib", "rsyslog", name)) as f:
        text = f.read()
    for old, new in (("/etc/minewall/tls/ca.pem", folder + "/ca.pem"), ("/etc/minewall/tls/cert.pem", f"{folder}/{who}.pem"),
                     ("/etc/minewall/tls/key.pem", f"{folder}/{who}.key"), *changes):
        need(old in text, f"{name} does not say {old}")
        text = text.replace(old, new)
    return text


def forged(event):
    """What a gateway that lies writes: in another's name, and what is no event."""
    said = json.dumps({**event, "gateway": "north-1", "mining": {**event["mining"], "id": "f0"}}, separators=(",", ":"))
    yield from (said, said[:-1] + ',"x":"\\\\"}', said[:-1] + ',"x":"', said[:-1] + ',"x":{"y":1}', said + "]}", "no event", "}", "", "{}", '{"gateway":"north-1"}')


def check_central(minewall, folder, lines, lies):
    """Three of the lies are JSON objects; each of them stands in the name of the one who sent it."""
    path = os.path.join(folder, "central.yaml")
    with open(path, "w") as f:
        f.write("version: 1\ncontrol: none.sock\nstate: state\nlog: {file: all.json, size: off}\n")
    for name, more in (("north-1", 0), ("south-1", 2)):
        done = subprocess.run([minewall, "log", "-c", path, "--json", "--gateway", name], capture_output=True, text=True, check=False)
        events = [json.loads(text) for text in done.stdout.splitlines()]
        need(all(e["gateway"] == name for e in events), f"another's event is called {name}'s")
        ids = collections.Counter(e["mining"]["id"] if "mining" in e else e["minewall"]["event"] for e in events)
        need(ids["f0"] == more, f"{ids['f0']} lies are called {name}'s")
        need(len({json.dumps(e) for e in events}) - more == len(set(lines)), f"{len(events)} events of {name}, sent {len(lines)}")
    need(len(list(lies)) == 10, "the lies are others")


def rsyslog(minewall, folder, lines):
    central = os.path.join(folder, "all.json")
    logs = {name: os.path.join(folder, name + ".json") for name in ("north-1", "south-1")}
    certificates(folder)
    b, *a = (f"mwlog{os.getpid()}{x}" for x in "bcd")
    receiver, senders = None, []

    def received(name="north-1"):
        try:
            with open(central) as f:
                end = f',"gateway":"{name}"}}'
                return [line.strip()[:-len(end)] + "}" for line in f if line.strip().endswith(end)]
        except OSError:
            return []

    def write(name, part):
        with open(logs[name], "a") as f:
            f.writelines(part)

    try:
        subprocess.run(["ip", "netns", "add", b], check=True)
        receiver = Rsyslog(folder, "receiver", b, sample(folder, "receiver.conf", "logs.example", ("/var/log/minewall/all.json", central),
                                                         ("*.gateways.example", "gateway.example")), "logs")
        for i, name in enumerate(logs):
            for command in (f"netns add {a[i]}", f"-n {a[i]} link add l0 type veth peer name l{i} netns {b}", f"-n {a[i]} addr add 10.91.{i}.1/24 dev l0",
                            f"-n {b} addr add 10.91.{i}.2/24 dev l{i}", f"-n {a[i]} link set l0 up", f"-n {b} link set l{i} up"):
                subprocess.run(["ip", *command.split()], check=True)
            senders.append(Rsyslog(folder, name, a[i], sample(folder, "minewall.conf", "gateway.example", ('target="logs.example"', f'target="10.91.{i}.2"'),
                                                              ("/var/log/minewall/eve.json", logs[name]),
                                                              ('action.resumeInterval="5"', 'action.resumeInterval="1"')), name))
        receiver.start()
        third = len(lines) // 3
        write("north-1", lines[:third])
        lies = [lie + "\n" for lie in forged(json.loads(lines[0]))]
        write("south-1", lies + lines)
        for sender in senders:
            sender.start()
        need(until(lambda: len(received()) >= third, 20), f"{len(received())} of {third} events came")
        need(until(lambda: set(received("south-1")) >= {line.strip() for line in lines}, 20), "the other gateway's events did not come")
        receiver.stop()
        write("north-1", lines[third:2 * third])
        os.rename(logs["north-1"], logs["north-1"] + ".1")
        write("north-1", lines[2 * third:])
        time.sleep(1)
        receiver.start()
        need(until(lambda: set(received()) >= {line.strip() for line in lines}, 40), f"{len(set(received()))} of {len(lines)} events came")
        # What was not acknowledged when the other end went away comes once more; nothing else does.
        twice = [i for i, line in enumerate(lines) if received().count(line.strip()) > 1]
        need(all(i < third for i in twice), f"came twice: {twice}")
        check_central(minewall, folder, lines, lies)
        print("ok formats/rsyslog")
    finally:
        for one in (*senders, receiver):
            if one:
                one.stop()
        for netns in (*a, b):
            subprocess.run(["ip", "netns", "del", netns], check=False, capture_output=True)


def main():
    minewall = os.path.abspath(sys.argv[1])
    folder = tempfile.mkdtemp(prefix="minewall-formats.")
    failed = 0
    try:
        now = int(time.time())
        written, config = report.write_log(folder, 900, now), report.policy(folder)
        events = [e for e in written if e["event_type"] in ("alert", "minewall") and "\\u0000" not in json.dumps(e)]
        for event in events:
            check_eve(event)
        print("ok formats/eve")
        for form, check in (("ecs", check_ecs), ("syslog", check_syslog)):
            done = subprocess.run([minewall, "log", "-c", config, "--format", form], capture_output=True, text=True, check=False)
            need(done.returncode == 0, f"log --format {form}: exit {done.returncode}: {done.stderr[:200]}")
            check(done.stdout, events)
            print(f"ok formats/{form}")
        need(subprocess.run([minewall, "log", "--format", "csv"], capture_output=True, check=False).returncode == 2, "a format that is none is taken")
        if os.geteuid() or not shutil.which("rsyslogd") or not shutil.which("openssl") or not RELP:
            print("skipped: root, rsyslog and rsyslog-relp are needed to send them")
        else:
            rsyslog(minewall, folder, [json.dumps(e, separators=(",", ":")) + "\n" for e in events[:300]])
    except Wrong as wrong:
        print(f"FAIL formats: {wrong}")
        failed = 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"formats: {1 - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
