"""Chain lists: links recomputed, and every shown operation at its place; and the files for openssl."""

import keys
import p256
from hashing import uuid_bytes, uuid_text
from operations import link_after, link_origin
from record import hash_lines
from refusal import Refused, need


class Chain:
    """The list of one incarnation: links[n] is the link before seq n."""

    def __init__(self, raw):
        lines = hash_lines(raw)
        need(len(lines) <= 1_000_001, "lines", "too many links")
        self.commitments = lines[1:]
        self.links = [lines[0]]
        for one in self.commitments:
            self.links.append(link_after(self.links[-1], one))

    def holds(self, one):
        seq = one.header.seq
        return seq < len(self.commitments) and self.commitments[seq] == one.commitment

    def in_place(self, one):
        return self.holds(one) and one.header.prev == self.links[one.header.seq]


def place_of(name, reason="name"):
    parts = name.split(".")
    need(len(parts) == 2, reason, name)
    return uuid_bytes(parts[0]), uuid_bytes(parts[1])


def place_text(place):
    return ".".join(uuid_text(one) for one in place)


def read(bag, record, findings):
    """(device, incarnation): Chain"""
    chains = {}
    for name, path, raw in bag.below("chains"):
        try:
            need(name.endswith(".txt"), "name", name)
            chains[place_of(name.removesuffix(".txt"))] = Chain(raw)
        except Refused as refused:
            findings.add("chain.malformed", path, refused)
    by_place = {}
    for one in record.shown():
        by_place.setdefault((one.header.device, one.header.incarnation), []).append(one)
    for place, shown in by_place.items():
        if place not in chains:
            if f"data/chains/{place_text(place)}.txt" not in bag.files:
                findings.add("chain.missing", place_text(place))
            continue
        _check(place, chains[place], shown, record, findings)
    _check_branches(chains, record, findings)
    return chains


def _check(place, chain, shown, record, findings):
    device, _ = place
    for one in shown:
        # Of a device that forked the list shows one branch; the other branch is no fault of the list.
        if not chain.in_place(one) and device not in record.forked_devices:
            findings.add("chain.broken", one.path, "not at its place in the list")
    listed = [one.header.seq for one in shown if chain.in_place(one)]
    last = max(listed, default=None)
    if device not in record.forked_devices and last is not None and last != len(chain.commitments) - 1:
        findings.add("chain.length", place_text(place), f"{len(chain.commitments)} for seq {last}")
    if not listed and device in record.forked_devices:
        findings.add("chain.broken", place_text(place), "no shown operation is on the listed branch")


def _check_branches(chains, record, findings):
    """Two lists of one device that continue one link are two operations with one `prev`."""
    before = {}
    for (device, incarnation), chain in chains.items():
        for seq, link in enumerate(chain.links[:-1]):
            opens = seq == 0 and record.key_log and link == link_origin(record.key_log.tenant, device)
            place = (device, link, incarnation if opens else None)
            other = before.setdefault(place, (incarnation, chain.commitments[seq]))
            if other != (incarnation, chain.commitments[seq]) and device not in record.forked_devices:
                findings.add("fork", uuid_text(device), "two incarnations continue one link")
                record.forked_devices.add(device)


def check_heads(bag, record, chains, findings):
    """`data/heads`: PAE, signature and key of the last shipped operation of each chain."""
    last = {}
    for one in record.shown():
        place = (one.header.device, one.header.incarnation)
        on_list = place in chains and chains[place].holds(one)
        if place not in last or (on_list, one.header.seq) > last[place][0]:
            last[place] = ((on_list, one.header.seq), one)
    for name, path, raw in bag.below("heads"):
        try:
            kind = next((one for one in (".pae", ".sig", ".pub.pem") if name.endswith(one)), None)
            need(kind, "heads.other", "name")
            place = place_of(name.removesuffix(kind))
            need(place in last, "heads.other", "no operation of this chain")
            one = last[place][1]
            signature = one.signature if one.key.suite == 1 else p256.der_signature(one.signature)
            wanted = {
                ".pae": keys.pae(keys.OPERATION, one.header.raw),
                ".sig": signature,
                ".pub.pem": keys.pem(one.key.suite, one.key.public).encode(),
            }[kind]
            need(raw == wanted, "heads.other", "of another operation")
        except Refused as refused:
            findings.add("heads.other", path, refused)
