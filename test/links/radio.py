"""Two network devices with a bad radio between them, for tests of links.

    python3 radio.py DEVICE DEVICE SEED

Makes two TUN devices, writes a line when they are there, and carries IP packets between them as the last profile says.
Each line on stdin is a JSON object: the members that it has replace those of the profile; each is answered with a
line of counters. The devices go with the process, which ends with its stdin.

A kernel without netem can delay and lose nothing by itself; this needs no more of it than /dev/net/tun.
"""

import fcntl
import heapq
import json
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
PACKET_BYTES_MAX = 65536
# What a modem holds back for a slow link; more is dropped at its tail.
QUEUE_BYTES_MAX = 64 * 1024
TCP, UDP, DNS_PORT = 6, 17, 53
SYN, ACK = 0x02, 0x10

profile = {"delayMs": 0, "loss": 0, "bitsPerSecond": 0, "down": False, "withoutDns": False}


class Way:
    """One direction. Bytes and packets are counted as they come from the sender, whatever becomes of them."""

    def __init__(self, source, target, chance):
        self.source, self.target, self.chance = source, target, chance
        self.queue, self.order, self.queued_bytes, self.free_at = [], 0, 0, 0.0
        self.bytes = self.packets = self.lost = self.look_ups = 0
        self.dials = set()

    def take(self, now):
        packet = os.read(self.source, PACKET_BYTES_MAX)
        if packet[0] >> 4 != 4:
            return
        self.packets += 1
        self.bytes += len(packet)
        is_look_up = self.note(packet)
        unlucky = profile["loss"] > 0 and self.chance.random() < profile["loss"]
        full = self.queued_bytes + len(packet) > QUEUE_BYTES_MAX
        if profile["down"] or unlucky or full or (is_look_up and profile["withoutDns"]):
            self.lost += 1
            return
        rate = profile["bitsPerSecond"]
        self.free_at = max(now, self.free_at) + (len(packet) * 8 / rate if rate else 0)
        self.order += 1
        self.queued_bytes += len(packet)
        heapq.heappush(self.queue, (self.free_at + profile["delayMs"] / 1000, self.order, packet))

    def give(self, now):
        while self.queue and self.queue[0][0] <= now:
            packet = heapq.heappop(self.queue)[2]
            self.queued_bytes -= len(packet)
            try:
                os.write(self.target, packet)
            except OSError:
                # The device of the other side is down.
                self.lost += 1

    def note(self, packet):
        """Counts a connection by its first SYN; tells whether the packet is a question to a name server."""
        header = (packet[0] & 15) * 4
        source, target = struct.unpack_from("!HH", packet, header)
        if packet[9] == TCP and packet[header + 13] & (SYN | ACK) == SYN:
            self.dials.add((source, packet[16:20], target, packet[header + 4 : header + 8]))
        if packet[9] == UDP and target == DNS_PORT:
            self.look_ups += 1
            return True
        return False

    def counters(self):
        return {
            "bytes": self.bytes,
            "packets": self.packets,
            "lost": self.lost,
            "dials": len(self.dials),
            "lookUps": self.look_ups,
        }


def open_device(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def main(near_name, far_name, seed):
    near, far = open_device(near_name), open_device(far_name)
    ways = {"down": Way(near, far, random.Random(seed + "down")), "up": Way(far, near, random.Random(seed + "up"))}
    by_source = {way.source: way for way in ways.values()}
    print("ready", flush=True)
    pending = b""
    while True:
        now = time.monotonic()
        due = [way.queue[0][0] for way in ways.values() if way.queue]
        pause = max(0.0, min(due) - now) if due else 1.0
        readable, _, _ = select.select([0, near, far], [], [], pause)
        now = time.monotonic()
        for source in readable:
            if source != 0:
                by_source[source].take(now)
                continue
            received = os.read(0, PACKET_BYTES_MAX)
            if not received:
                return
            *lines, pending = (pending + received).split(b"\n")
            for line in lines:
                profile.update(json.loads(line))
                print(json.dumps({name: way.counters() for name, way in ways.items()}), flush=True)
        for way in ways.values():
            way.give(time.monotonic())


if __name__ == "__main__":
    main(*sys.argv[1:4])
