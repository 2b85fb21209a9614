#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes an event log as the daemon would, for tests and figures: LINES events over DAYS days that end now, always the same
for the same arguments. Devices and pools are made up; some names are hostile.

    make_log.py LINES [--days 7] [--seed 1] [--hostile] > eve.json"""

import argparse
import datetime
import json
import random
import sys
import time

DIALECTS = (("stratum", "mining.subscribe"), ("cryptonote", "login"), ("eth-proxy", "eth_submitLogin"))
NAMES = ("pool.example", "eu.pool.example", "xmr.miners.example", "stratum.coin.example")
HOSTILE = ("<script>alert(1)</script>.example", "\"><img src=x onerror=alert(1)>.example", "\\x1b[31mred", "a'b&amp;c.example", "]]>.example")


def stamp(us):
    when = datetime.datetime.fromtimestamp(us // 1000000).astimezone()
    zone = when.strftime("%z")
    return f"{when.strftime('%Y-%m-%dT%H:%M:%S')}.{us % 1000000:06d}{zone[:3]}:{zone[3:]}"


def event(chance, us, names):
    device = min(int(chance.expovariate(0.12)), 59)
    name = names[device % len(names)]
    out = {"timestamp": stamp(us), "event_type": "alert", "src_ip": f"192.168.1.{device + 10}"}
    what = chance.random()
    pool = f"100.65.{device % 4}.{device % 7 + 1}"
    mac = f"02:00:00:00:00:{device:02x}"
    action = "allowed" if device % 9 == 8 else "blocked"
    if what < 0.3:  # judged by name
        out |= {"src_port": chance.randrange(1024, 65536), "dest_ip": pool, "dest_port": 443, "proto": "TCP", "app_proto": "tls",
                "tls": {"sni": name, "version": "TLS 1.3", "ja4": "t13d1516h2_8daaf6152771_e5627efa2ab1"}}
        signature, sid = "minewall: mining name", 1000902
        mining = {"evidence": "name", "list": "starter", "entry": name.split(".", 1)[-1], "rule": "list", "line": 4, "learned": "pair"}
    elif what < 0.6:
        dialect, method = DIALECTS[device % 3]
        out |= {"src_port": chance.randrange(1024, 65536), "dest_ip": pool, "dest_port": 3333, "proto": "TCP", "app_proto": "stratum"}
        signature, sid = "minewall: mining protocol", 1000903
        mining = {"dialect": dialect, "method": method, "agent": f"xmrig/6.{device % 5}", "login_hash": f"{device % 6:032x}",
                  "kind": "stratum", "evidence": "protocol", "rule": "detect.stratum", "learned": "endpoint"}
    else:  # stopped in the kernel
        out |= {"dest_ip": pool, "dest_port": 3333, "proto": "TCP", "app_proto": "stratum"}
        signature, sid = "minewall: stopped in the kernel", 1000904
        mining = {"dialect": DIALECTS[device % 3][0], "kind": "stratum", "evidence": "protocol", "rule": "detect.stratum"}
    out["alert"] = {"action": action, "signature": signature, "signature_id": sid, "category": "Crypto mining", "severity": 1}
    count = chance.randrange(1, 9) if what >= 0.6 else 1
    out["mining"] = {"id": f"{us:x}", **mining, "generation": 1, "count": count}
    out["host"] = {"mac": mac}
    return out


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("lines", type=int)
    parse.add_argument("--days", type=float, default=7)
    parse.add_argument("--seed", type=int, default=1)
    parse.add_argument("--end", type=float, default=None, help="seconds of the epoch; now without it")
    parse.add_argument("--hostile", action="store_true")
    a = parse.parse_args()
    chance = random.Random(a.seed)
    span = int(a.days * 86400 * 1000000)
    end = int((a.end or time.time()) * 1000000)
    names = NAMES + HOSTILE if a.hostile else NAMES
    for i in range(a.lines):
        us = end - span + span * i // max(a.lines - 1, 1)
        print(json.dumps(event(chance, us, names), separators=(",", ":")))


if __name__ == "__main__":
    sys.exit(main())
