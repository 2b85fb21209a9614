# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of the load of a device: asked by SNMP of Debian's own snmpd in the client's namespace, whose hrProcessorLoad is a file of
the case, or pushed; and the story of an incident from its first night to its relapse. No processor is kept busy."""

import json
import os
import shutil
import time

from bed import CLIENT
from cases_incidents import alerts, attempt, client_mac, incidents, make
from run import Skipped, need, own, until

PASS = """#!/bin/sh
# hrProcessorLoad of two processors, from the file named first; snmpd asks "-g OID" and "-n OID".
value=$(cat "$1")
base=.1.3.6.1.2.1.25.3.3.1.2
case "$2 $3" in
"-n $base") next=1 ;;
"-n $base.1") next=2 ;;
"-g $base.1") next=1 ;;
"-g $base.2") next=2 ;;
*) exit 0 ;;
esac
printf '%s\\ninteger\\n%s\\n' "$base.$next" "$value"
"""


class Agent:
    """snmpd in the client's namespace; the one before it ends."""

    process = None

    def __init__(self, t, lines):
        self.snmpd = shutil.which("snmpd")
        if not self.snmpd:
            raise Skipped("no snmpd here")
        self.folder = os.path.join(t.bed.tmp, f"snmpd{t.number}")
        os.makedirs(os.path.join(self.folder, "var"), exist_ok=True)
        self.value = os.path.join(self.folder, "load")
        script = os.path.join(self.folder, "load.sh")
        with open(script, "w", encoding="utf-8") as f:
            f.write(PASS)
        os.chmod(script, 0o755)
        conf = os.path.join(self.folder, "snmpd.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(f"agentaddress udp:{CLIENT[4]}:161\npass .1.3.6.1.2.1.25.3.3.1.2 /bin/sh {script} {self.value}\n{lines}\n")
        self.busy(98)
        self.log = os.path.join(self.folder, "log")
        if Agent.process:
            Agent.process.kill()
            Agent.process.wait(5)
        Agent.process = t.bed.client.start("env", f"SNMP_PERSISTENT_DIR={self.folder}/var", "MIBS=", self.snmpd, "-f", "-C", "-c", conf,
                                           "-I", "-hr_proc,hw_sensors", "-Lf", self.log, "-p", os.path.join(self.folder, "pid"))
        need(until(lambda: os.path.exists(self.log) and "NET-SNMP version" in open(self.log, encoding="utf-8").read(), 5),
             "snmpd does not start")

    def busy(self, percent):
        with open(self.value + ".new", "w", encoding="utf-8") as f:
            f.write(f"{percent}\n")
        os.rename(self.value + ".new", self.value)


def newest(t):
    one = incidents(t, "show", "1")
    return one["readings"][0]["cpu"] if one.get("readings") else None


V3 = "createUser watcher {} \"long enough\" AES \"also long enough\"\nrouser watcher priv"


@own("load/snmp", "v2c", "v3-sha256", "v3-sha", "wrong")
def snmp(t, how):
    lines = {"v2c": "rocommunity bed", "v3-sha256": V3.format("SHA-256"), "v3-sha": V3.format("SHA"), "wrong": "rocommunity other"}[how]
    keys = {"v2c": "community: bed", "wrong": "community: bed"}.get(
        how, f'user: watcher, auth: {how[3:]}, password: "long enough", privacy: "also long enough"')
    agent = Agent(t, lines)
    t.daemon = make(t, f"cpu: {{{keys}, every: 1s}}").start()
    if how != "wrong":
        time.sleep(1.2)
        need(not any(mark in open(agent.log, encoding="utf-8").read() for mark in ("Connection", "UDP")), "it was asked without an incident")
    attempt(t)
    if how == "wrong":
        time.sleep(4)
        need(newest(t) is None, "it read something")
        attempt(t)
        return
    need(until(lambda: newest(t) == 98, 5), f"the load is {newest(t)}, not 98")
    agent.busy(4)
    need(until(lambda: newest(t) == 4, 5), f"the load is {newest(t)}, not 4")
    need(t.daemon.verb("incidents", "clean", "1").returncode == 0, "clean failed")
    agent.busy(50)
    time.sleep(2.5)
    need(newest(t) == 4, "a device is asked after its incident was cleaned")


@own("load/named-host")
def named(t):
    """One that the policy names is watched without an incident; what was known of it is the new incident's first reading."""
    agent = Agent(t, "rocommunity bed")
    t.daemon = make(t, f"cpu: {{community: bed, every: 1s, polls: 2, hosts: [{CLIENT[4]}]}}").start()
    need(until(lambda: f"busy  {CLIENT[4]}: 98 %" in t.daemon.verb("incidents").stdout, 6), "it is not shown as busy")
    agent.busy(3)
    attempt(t)
    one = incidents(t, "show", "1")
    need(one["readings"][-1]["cpu"] == 98, f"the first reading is {one['readings'][-1]}")


@own("load/pushed")
def pushed(t):
    t.daemon = make(t, "cpu: {polls: 2}").start()
    attempt(t)
    need(until(lambda: incidents(t)), "no incident")
    for arguments, code in ((("--cpu", "101"), 2), ((), 2), (("--cpu", "98", "--gpu", "99"), 0)):
        done = t.daemon.verb("incidents", "reading", CLIENT[4], *arguments)
        need(done.returncode == code, f"{arguments}: exit {done.returncode}, not {code}: {done.stderr}")
    one = incidents(t, "show", "1")["readings"][0]
    need((one["cpu"], one["gpu"], one["from"]) == (98, 99, "pushed"), f"it is {one}")
    need(t.daemon.verb("incidents", "reading", "192.0.2.99", "--cpu", "1").returncode == 1, "a stranger has a reading")
    time.sleep(1.1)
    for _ in range(2):
        t.daemon.verb("incidents", "reading", "1", "--cpu", "97")
    text = t.daemon.verb("incidents", "show", "1").stdout
    need("still 97 %" in text, f"it says {text}")


def reported(t):
    """The report's one device, whose figures are those of the raw events and whose incident is that of the reporter."""
    done = t.daemon.verb("report", "--json")
    need(done.returncode == 0, f"report: exit {done.returncode}: {done.stderr.strip()[:200]}")
    report = json.loads(done.stdout)
    with open(os.path.join(t.daemon.folder, "eve.json"), encoding="utf-8") as f:
        raw = [e for e in map(json.loads, f) if e["event_type"] == "alert"]
    tries = {action: sum(e["mining"]["count"] for e in raw if e["alert"]["action"] == action) for action in ("blocked", "allowed")}
    need([d["device"] for d in report["devices"]] == [client_mac(t)], f"its devices are {[d['device'] for d in report['devices']]}")
    device = report["devices"][0]
    for where in (report, device):
        need({k: where[k] for k in tries} == tries, f"it says {where['blocked']} and {where['allowed']}, the events {tries}")
        need(where["attempts"] == where["outside_hours"] == sum(tries.values()), f"{where['outside_hours']} outside the hours, not all {tries}")
    need({a for e in raw for a in [e["src_ip"]]} == set(device["addresses"]), f"its addresses are {device['addresses']}")
    one, shown = incidents(t, "show", "1"), device["incident"]
    for key in ("id", "state", "level", "note", "load", "reopened"):
        need(shown.get(key) == one.get(key), f"the report says {key} {shown.get(key)}, the reporter {one.get(key)}")
    need(report["incidents"] == {"from": "reporter", "others_waiting": 0}, f"of the incidents: {report['incidents']}")
    page = t.daemon.verb("report").stdout
    return shown, page


@own("story")
def story(t):
    """A device starts at 02:00 by the log's clock, is blocked, told, corroborated, cleaned, and relapses; the report shows each step."""
    now = time.time()
    seconds = int((now - 2 * 3600) % 86400)  # the zone in which it is 02:00 now
    zone = f"SIM{seconds // 3600:02}:{seconds // 60 % 60:02}"
    agent = Agent(t, "rocommunity bed")
    t.daemon = make(t, f'hours: {{days: [mon-fri], hours: ["07:00-19:00"], zone: "{zone}"}}\n'
                       f"cpu: {{community: bed, every: 1s, polls: 2, hosts: [{CLIENT[4]}]}}")
    t.daemon.start(more=(f"TZ={zone}",))
    need(until(lambda: "busy" in t.daemon.verb("incidents").stdout, 5), "its load is not watched")
    agent.busy(98)
    attempt(t)
    need(until(lambda: len(alerts(t)) == 1), "the hook was not told of one attempt at night: it weighs three")
    told = alerts(t)[0]
    need(told["alert"] == "opened" and told["incident"]["outside_hours"] == 1, f"told {told}")
    one = incidents(t, "show", "1")
    need(one["state"] == "open" and one["readings"][-1]["cpu"] == 98, f"it is {one}")
    agent.busy(4)
    # The agent's figure is the mean of a minute; what a case cannot wait for is pushed.
    time.sleep(1.1)
    need(t.daemon.verb("incidents", "reading", "1", "--cpu", "4").returncode == 0, "pushing failed")
    text = t.daemon.verb("incidents", "show", "1").stdout
    need("it fell from 98 % to 4 %: confirmed" in text, f"it says {text}")
    shown, page = reported(t)
    need(shown["state"] == "open" and "#1 <span class=\"bad\">open</span>" in page, f"the report says {shown}")
    need("it fell from 98 % to 4 %: confirmed" in page, "the page does not say that the load fell")
    need(t.daemon.verb("incidents", "clean", "1", "--note", "new disk").returncode == 0, "clean failed")
    shown, page = reported(t)
    need(shown["state"] == "cleaned" and "new disk" in page, f"after it was cleaned the report says {shown}")
    time.sleep(1.1)
    attempt(t, 6)
    need(until(lambda: incidents(t, "show", "1")["state"] == "reopened"), "the relapse did not reopen it")
    need(until(lambda: [a["alert"] for a in alerts(t)] == ["opened", "reopened"]), f"told {[a['alert'] for a in alerts(t)]}")
    shown, page = reported(t)
    need(shown["state"] == "reopened" and shown["reopened"] == 1 and "times it came back: 1" in page, f"after the relapse the report says {shown}")
    need(t.daemon.json("top")[0]["devices"][0]["incident"]["state"] == "reopened", "top does not show it")
    with open(os.path.join(t.daemon.folder, "eve.json"), encoding="utf-8") as f:
        first = f.readline()
        need("T02:0" in first, f"the log's clock does not say 02:00: {first[:60]}")
