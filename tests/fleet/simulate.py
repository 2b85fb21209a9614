#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How far one broker carries: a thousand fake gateways with certificates of their own, a hundred thousand endpoints that two of them each
have signed, and one real gateway that is new. What was measured stands in a table: memory and CPU of broker and helper from /proc,
messages by counting them, the new gateway's elements by what its kernel tells.

    simulate.py [--gateways 1000] [--endpoints 100000] [--figures FILE] [build/minewall]"""

import argparse
import concurrent.futures
import os
import resource
import selectors
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import fleetbed as beds
import mqtt
from fleetbed import Failed, need, until

NEW_FROM_NOW = 0x20     # of a subscription: retained ones are not sent (3.8.3.1)
BURST = 40              # new endpoints at once, for the fan-out


class Table:
    def __init__(self):
        self.rows = []

    def add(self, what, value):
        self.rows.append((what, value))
        print(f"   {what}: {value}", flush=True)

    def text(self):
        return "| what | measured |\n|---|---|\n" + "".join(f"| {what} | {value} |\n" for what, value in self.rows)


def names_of(n):
    return [f"sim{i:04d}" for i in range(n)]


def poll_all(clients, question, seconds):
    """Reads from all of them until `question` is true."""
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
        end = time.monotonic() + seconds
        while not question() and time.monotonic() < end:
            for key, _ in selector.select(0.2):
                key.data.poll(0)
                while key.data.socket.pending():
                    key.data.poll(0)
    return question()


def address_of(i):
    """Of 198.19.0.0/16, with several ports for each."""
    return str(beds.POOLS[4][256 + i % 65000]), 3333 + i // 65000


def limited(site, descriptors, name, **how):
    """A broker that may open so many."""
    one = site.broker(name, **how)
    one.run += ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "limited"]
    return one.start(30)


def descriptors(site, table):
    """Debian's limit for a service that asks for none is 1024."""
    broker = limited(site, 1024, "few")
    clients = []
    try:
        while len(clients) < 1100:
            clients.append(site.connect(f"sim{len(clients) % 50:04d}", client_id=f"limit{len(clients)}", timeout=3))
    except (mqtt.Refused, OSError) as why:
        reason = type(why).__name__
        table.add("connections before one is refused, with 1,024 descriptors", f"{len(clients)} ({reason})")
    for client in clients:
        client.close(False)
    broker.stop()


def default_queue(site, table):
    """What a new gateway gets of 5,000 retained messages with mosquitto's own bound of 1,000 queued ones, when it reads at leisure."""
    broker = limited(site, 65536, "default", queued=1000)
    teacher = site.connect("sim0000")
    for i in range(5000):
        address, port = address_of(i)
        teacher.publish(*mqtt.statement(site.signers["sim0000"], address, port))
        teacher.poll()
    need(teacher.settle(30), "the broker does not take them")
    late = site.connect("sim0001", window=20)
    late.subscribe(f"minewall/{mqtt.SITE}/+/endpoint/#")
    late.until(lambda: late.received >= 5000, 5)
    table.add("of 5,000 retained messages a new gateway gets, with mosquitto's default `max_queued_messages 1000`", f"{late.received:,}")
    teacher.close()
    late.close()
    broker.stop()


def connect_all(site, broker, names, table):
    memory, cpu, begin = broker.memory()[0], broker.cpu(), time.monotonic()
    clients = {}
    for name in names:
        clients[name] = site.connect(name, clean=False, session=86400, will=(f"minewall/{mqtt.SITE}/{name}/status", b'{"v":1,"online":false}'), keepalive=600)
        clients[name].publish(f"minewall/{mqtt.SITE}/{name}/status", b'{"v":1,"online":true,"since":1}')
    seconds = time.monotonic() - begin
    table.add(f"{len(names):,} gateways connect by TLS, one after the other", f"{seconds:.1f} s, broker's CPU {broker.cpu() - cpu:.1f} s, "
              f"{(broker.memory()[0] - memory) / len(names):.0f} KiB of the broker each")
    return clients


def teach(site, broker, clients, endpoints, table):
    """Each endpoint by two gateways; each gateway says as many."""
    names = list(clients)
    memory, cpu, begin, n = broker.memory()[0], broker.cpu(), time.monotonic(), 0
    for i in range(endpoints):
        address, port = address_of(i)
        for name in (names[i % len(names)], names[(i + 1 + i // len(names) % (len(names) - 1)) % len(names)]):
            clients[name].publish(*mqtt.statement(site.signers[name], address, port, life=86000))
            n += 1
        if not i % 50:
            for client in {clients[names[j % len(names)]] for j in range(i - 60, i + 60)}:
                client.poll(0)
    need(poll_all(clients.values(), lambda: all(c.acknowledged >= c.published for c in clients.values()), 120), "the broker does not take all of them")
    seconds = time.monotonic() - begin
    refused = sum(c.codes[135] for c in clients.values())
    need(not refused, f"{refused} were refused")
    table.add(f"{n:,} signed endpoints told (QoS 1, retained)", f"{n / seconds:,.0f} a second as fast as the bed signs and sends, broker's CPU "
              f"{1e6 * (broker.cpu() - cpu) / n:.0f} us each")
    table.add("broker's memory with them", f"{broker.memory()[0] / 1024:.0f} MiB, {1024 * (broker.memory()[0] - memory) / n:.0f} bytes each")
    return n


def stats(pid):
    with open(f"/proc/{pid}/status") as f:
        rows = dict(line.split(":", 1) for line in f)
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(rows["VmRSS"].split()[0]), int(rows["VmHWM"].split()[0]), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def new_gateway(site, broker, binary, endpoints, words, table):
    gateway = site.gateways[0]
    watch = gateway.watching()
    with open(f"/proc/{broker.pid()}/clear_refs", "w") as f:
        f.write("5")        # its peak of before
    before, cpu, begin = len(watch.rows), broker.cpu(), time.monotonic()
    gateway.start(binary, allowed="198.19.255.0/24", hints=words + 1000, endpoints=2 * endpoints + 20000)      # the fleet gets half of the latter
    helper = until(gateway.helper, 10)
    need(helper, "there is no helper")
    keys, half, read, there = set(), None, before, 0
    end = time.monotonic() + 240
    while there < endpoints and time.monotonic() < end:
        time.sleep(0.1)
        rows = watch.rows[read:]
        read += len(rows)
        keys.update(row.rsplit(" ", 1)[1] for row in rows if " add minewall endpoints" in row)
        there = len(keys)
        if there >= endpoints / 2 and not half:
            half = time.monotonic() - begin
    seconds = time.monotonic() - begin
    rss, high, used = stats(helper)
    _, daemon_high, daemon_used = stats(gateway.daemon.process.pid)
    table.add(f"a new gateway starts and learns {there:,} of {endpoints:,} endpoints ({words:,} messages), until they are in its kernel",
              f"{seconds:.1f} s (half of them: {half or 0:.1f} s), {words / seconds:,.0f} messages a second")
    table.add("its helper", f"{rss / 1024:.0f} MiB, at most {high / 1024:.0f} MiB; CPU {used:.1f} s, {1e6 * used / words:.0f} us a message")
    table.add("its daemon", f"at most {daemon_high / 1024:.0f} MiB; CPU {daemon_used:.1f} s")
    table.add("the broker meanwhile", f"CPU {broker.cpu() - cpu:.1f} s, at most {broker.memory()[1] / 1024:.0f} MiB")
    need(there >= endpoints, f"it learnt {there} of {endpoints} endpoints")
    # The same once more, as a restart is: its session and its kernel remember.
    begin = time.monotonic()
    gateway.daemon.process.terminate()
    gateway.daemon.process.wait(60)
    stopped = time.monotonic()
    gateway.daemon.start(timeout=60)
    need(until(lambda: gateway.status().get("connected"), 60), "it does not connect again")
    table.add("the same gateway restarts", f"{stopped - begin:.1f} s until it has ended, {time.monotonic() - stopped:.1f} s until it is connected again")
    return gateway


def fan_out(site, broker, clients, table):
    """Everybody learns: what one tells is delivered to all."""
    for client in clients.values():
        client.subscribe(f"minewall/{mqtt.SITE}/+/endpoint/#", qos=1 | NEW_FROM_NOW)
    memory, names = broker.memory()[0], list(clients)
    start, cpu, begin = sum(c.received for c in clients.values()), broker.cpu(), time.monotonic()
    for i in range(BURST):
        address, port = address_of(i)
        clients[names[i]].publish(*mqtt.statement(site.signers[names[i]], address, port + 1000))
    whole = BURST * len(clients)
    poll_all(clients.values(), lambda: sum(c.received for c in clients.values()) - start >= whole, 60)
    seconds, got = time.monotonic() - begin, sum(c.received for c in clients.values()) - start
    need(got == whole, f"{got} of {whole} were delivered")
    used = broker.cpu() - cpu
    table.add(f"{BURST} new endpoints to {len(clients):,} gateways that learn", f"{got:,} deliveries, all of them within {seconds:.1f} s; broker's CPU {1e6 * used / got:.0f} us each: "
              f"{got / used:,.0f} a second is what one core can do, {got / used / len(clients):.0f} new endpoints a second")
    table.add("broker's memory after it", f"{broker.memory()[0] / 1024:.0f} MiB ({(broker.memory()[0] - memory) / 1024:+.0f})")


def all_at_once(site, broker, words, table, n=10):
    """Gateways that are all new at the same time, and read nothing yet: what each one's queue costs the broker."""
    memory, cpu = broker.memory()[0], broker.cpu()
    late = []
    for i in range(n):
        client = site.connect(f"sim{i:04d}", client_id=f"late{i}", keepalive=600, window=20)
        late.append(client)
        client.send(mqtt.SUBSCRIBE << 4 | 2, b"\0\1\0" + mqtt.text(f"minewall/{mqtt.SITE}/+/endpoint/#") + b"\1")
    settled = [broker.memory()[0]]
    until(lambda: settled.append(broker.memory()[0]) or (time.sleep(0.5) or len(settled) > 6 and settled[-1] - settled[-6] < 512), 60)
    grown = broker.memory()[0] - memory
    table.add(f"{n} more gateways ask for all {words:,} messages and read slowly", f"broker's memory {grown / 1024:+.0f} MiB: {1024 * grown / n / words:.0f} bytes for each message and gateway, "
              f"CPU {broker.cpu() - cpu:.1f} s; a thousand at once: {grown / n * 1000 / 1024 / 1024:.0f} GiB")
    for client in late:
        client.close(False)


def run(binary, options, table):
    n = options.gateways
    names = names_of(n if "large" in options.part else 50)
    with beds.Site(1, names) as site:
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(site.authority.certificate, names))
        print(f"   (certificates: {time.monotonic() - begin:.1f} s)", flush=True)
        if "limits" in options.part:
            descriptors(site, table)
            default_queue(site, table)
        if "large" not in options.part:
            return
        broker = limited(site, 65536, "large", queued=0, autosave=1800)
        clients = connect_all(site, broker, names, table)
        words = teach(site, broker, clients, options.endpoints, table)
        fan_out(site, broker, clients, table)
        all_at_once(site, broker, words, table)
        if binary:
            new_gateway(site, broker, binary, options.endpoints, words, table)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gateways", type=int, default=1000)
    parser.add_argument("--endpoints", type=int, default=100000)
    parser.add_argument("--figures", help="writes the table there, too")
    parser.add_argument("--part", choices=("limits", "large"), action="append", help="this part alone")
    parser.add_argument("--without", action="store_true", help="no real gateway: the broker alone")
    parser.add_argument("binary", nargs="?", default=os.path.join(beds.beds.ROOT, "build", "minewall"))
    options = parser.parse_args()
    options.part = options.part or ["limits", "large"]
    why = beds.usable()
    if why:
        print(f"skipped: {why}")
        return 0
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    table, failed = Table(), 0
    try:
        run(None if options.without else os.path.abspath(options.binary), options, table)
    except (Failed, beds.beds.BedError, mqtt.Refused, RuntimeError) as error:
        print(f"FAIL simulation: {error}")
        failed = 1
    print(table.text(), end="")
    if options.figures:
        with open(options.figures, "w", encoding="utf-8") as f:
            f.write(table.text())
    print(f"simulation: {1 - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
