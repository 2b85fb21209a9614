# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays conversations on the bed's two outer wires, each packet from its own side and only after the one before has
arrived or is given up. It notes what arrived and what the gateway said itself; it judges nothing."""

import ctypes
import os
import select
import socket
import time

import capture
import wire

WAIT_S = 0.4        # until a packet counts as dropped
AFTER_S = 0.03      # the same, once the gateway has reset the flow
AFTER_PACKETS = 8   # of a reset flow that are sent still, to see that none arrives
AT_ONCE = 48        # flows under way
ETH_ALL = 3
CLONE_NEWNET = 0x40000000


def socket_in(namespace, device):
    """A packet socket on another namespace's device; it stays there."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL))
            sock.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)    # SO_RCVBUFFORCE
            sock.bind((device, ETH_ALL))
            sock.setblocking(False)
        finally:
            libc.setns(here, CLONE_NEWNET)
    finally:
        os.close(here)
        os.close(there)
    return sock


def refused_server(ip):
    """The server that an ICMP port-unreachable speaks of, or None if this packet is none (RFC 792, RFC 4443 3.1)."""
    start, proto = ((ip[0] & 15) * 4, ip[9]) if ip[0] >> 4 == 4 else (40, ip[6])
    inner = ip[start + 8:]
    if (proto, ip[start:start + 2]) == (1, b"\3\3"):
        return inner[16:20]
    return inner[24:40] if (proto, ip[start:start + 2]) == (58, b"\1\4") else None


class Sent:
    """One packet of a conversation and what became of it."""

    def __init__(self, packet, up, part, last):
        self.packet, self.up = packet, up
        self.part = part        # number of the connection on this 5-tuple
        self.last = last        # completes its datagram: only then something arrives
        self.arrived = self.tried = False


class Play:
    """A conversation under way. `resets`: {number of the connection: sides that the gateway reset, or told by ICMP}."""

    def __init__(self, sends, client, server):
        self.sends, self.client, self.server = sends, client, server
        self.at = -1
        self.deadline = 0.0
        self.resets = {}
        self.after = {}

    def current(self):
        return self.sends[self.at] if 0 <= self.at < len(self.sends) else None

    def reset(self, side):
        now = self.current()
        self.resets.setdefault(now.part if now else self.sends[-1].part, set()).add(side)


class Player:
    def __init__(self, bed):
        self.socks = {True: socket_in(bed.client.name, "c0"), False: socket_in(bed.server.name, "s0")}
        self.macs = {True: self.pair(bed.client, "c0", bed.gateway, "g0"), False: self.pair(bed.server, "s0", bed.gateway, "g1")}

    @staticmethod
    def pair(outer, device, gateway, inner):
        def mac(namespace, name):
            return bytes.fromhex(namespace.run("cat", f"/sys/class/net/{name}/address").stdout.strip().replace(":", ""))
        return mac(gateway, inner) + mac(outer, device)

    def close(self):
        for sock in self.socks.values():
            sock.close()

    def run(self, plays, seconds):
        """Plays them all, some at a time; False if that took longer than it may."""
        waiting, active = list(plays)[::-1], {}
        deadline = time.monotonic() + seconds
        while (waiting or active) and time.monotonic() < deadline:
            while waiting and len(active) < AT_ONCE:
                play = waiting.pop()
                active[play.server] = play
                self.next(play)
            self.listen(active)
            now = time.monotonic()
            for play in list(active.values()):
                while play.current() and now >= play.deadline:
                    self.next(play)
                if not play.current():
                    del active[play.server]
        return not waiting and not active

    def next(self, play):
        """Sends the next packet that is due."""
        play.at += 1
        while play.current() and play.current().part in play.resets:
            part = play.current().part
            play.after[part] = play.after.get(part, 0) + 1
            if play.after[part] <= AFTER_PACKETS:
                break
            play.at += 1
        one = play.current()
        if not one:
            return
        kind = b"\x86\xdd" if one.packet.v6 else b"\x08\x00"
        one.tried = True
        wait = AFTER_S if one.part in play.resets else WAIT_S if one.last else 0.0
        play.deadline = time.monotonic() + wait
        self.socks[one.up].send(self.macs[one.up] + kind + one.packet.data)

    def listen(self, active):
        soonest = min((play.deadline for play in active.values()), default=0)
        readable, _, _ = select.select(list(self.socks.values()), [], [], max(0.0, min(0.05, soonest - time.monotonic())))
        for up, sock in self.socks.items():
            if sock not in readable:
                continue
            for _ in range(256):
                try:
                    frame, about = sock.recvfrom(1 << 17)
                except BlockingIOError:
                    break
                if about[2] != socket.PACKET_OUTGOING:
                    self.take(active, frame, at_client=up)

    def take(self, active, frame, at_client):
        ip = capture.trimmed(capture.ip_of(1, frame) or b"")
        if not ip:
            return
        refused = active.get(refused_server(ip)) if at_client else None
        if refused:
            refused.reset("client")
            if refused.current() and refused.current().up:
                self.next(refused)
            return
        try:
            packet = capture.Packet(ip)
        except ValueError:
            return
        play = active.get(packet.src if at_client else packet.dst)
        if not play or (packet.dst if at_client else packet.src) != play.client:
            return
        one = self.which(play, packet, not at_client)
        if one:
            one.arrived = True
            if one is play.current():
                self.next(play)
        elif packet.flags() & wire.RST:
            play.reset("client" if at_client else "server")
            if play.current() and play.current().up == at_client:
                self.next(play)

    @staticmethod
    def which(play, packet, up):
        """The packet that was sent and is this one: the one at hand, or one given up before."""
        for one in reversed(play.sends[:play.at + 1]):
            if one.up != up or one.arrived and one is not play.current():
                continue
            if one.packet.part or packet.part:
                # The gateway may cut it anew, under another number.
                if one.packet.part and packet.part and one.last:
                    return one
            elif one.packet.transport() == packet.transport():
                return one
        return None
