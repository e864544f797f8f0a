"""Attestations of time, and the bracket of each operation."""

import re

import merkle
import notes
from hashing import hash_bytes, strict_base64
from refusal import Refused, need

BASES = ("none", "claimed", "stamped", "cosigned")


class Attestation:
    def __init__(self, anchor, kind, milliseconds, origin, size, root):
        self.anchor, self.kind, self.milliseconds, self.origin = anchor, kind, milliseconds, origin
        self.size, self.root = size, root
        self.same_tree = False
        self.basis = {"time-note": "claimed", "rfc3161": "stamped", "cosigned-note": "cosigned"}[kind]


class Brackets:
    def __init__(self, bag, record, trust, findings):
        self.bag, self.record, self.trust, self.findings = bag, record, trust, findings
        self.by_anchor, self.not_checked = {}, []
        for name, path, raw in bag.below("attestations"):
            self._read(name, path, raw)
        self._compare()
        self.lower, self.upper = {}, {}  # commitment: Attestation

    def _read(self, name, path, raw):
        digits, _, kind = name.partition(".")
        try:
            need(kind in notes.KINDS and notes.anchor_of(kind, raw) == hash_bytes(digits), "name")
        except Refused as refused:
            self.findings.add("attestation.name", path, refused)
            return
        try:
            found = {"time-note": self._time_note, "cosigned-note": self._cosigned}.get(kind, lambda _: None)(raw)
        except Refused as refused:
            self.findings.add("attestation.signature", path, refused)
            return
        if found is None:
            self.not_checked.append(path)
        else:
            anchor = notes.anchor_of(kind, raw)
            self.by_anchor[anchor] = Attestation(anchor, kind, *found)

    def _time_note(self, raw):
        enrolled = self.record.key_log.with_purpose("time") if self.record.key_log else []
        note = notes.Note(raw)
        for key in enrolled:
            vkey = notes.vkey_for(key.entry.name + "/time", key.public)
            if note.has(vkey):
                found = notes.TimeNote(raw, vkey)
                if key.revoked_at is not None:
                    revoked = self.record.head_of(key.revoked_at)
                    need(revoked is not None and found.size <= revoked, "note-signature", "a revoked time key")
                return found.unix_ms, found.origin, found.size, found.root
        raise Refused("note-not-signed", "by no enrolled time key")

    def _cosigned(self, raw):
        """The earliest time at which a trusted witness cosigned; not checked without one."""
        note = notes.Note(raw)
        checkpoint = notes.Checkpoint(note)
        times = []
        for one in self.trust.witnesses:
            if note.has(one.key) and not one.same_operator:
                try:
                    times.append(note.verify(one.key)[1])
                except Refused:
                    continue
        if not times:
            return None
        return min(times) * 1000, checkpoint.origin, checkpoint.size, checkpoint.root

    def _compare(self):
        """Which attested roots are shown to be of the checkpoint's tree."""
        head = self.record.checkpoint
        proofs = {}
        for name, path, raw in self.bag.below("consistency"):
            try:
                match = re.fullmatch(r"([1-9][0-9]{0,18})\.txt", name, re.ASCII)
                need(match and head is not None, "name")
                text = raw.decode("ascii", "replace")
                need(text == "" or text.endswith("\n"), "lines", "the last line does not end")
                hashes = [strict_base64(line) for line in text.split("\n")[:-1]]
                need(all(len(one) == 32 for one in hashes), "hash")
                proofs[int(match[1])] = (path, hashes)
            except Refused as refused:
                self.findings.add("attestation.consistency", path, refused)
        for one in self.by_anchor.values() if head is not None else []:
            if one.origin != head.origin:
                continue
            if one.size == head.size:
                one.same_tree = one.root == head.root
                if not one.same_tree:
                    self.findings.add("attestation.split_view", one.anchor.hex())
            elif one.size in proofs and one.size < head.size:
                path, hashes = proofs[one.size]
                try:
                    merkle.check_consistency(one.size, one.root, head.size, head.root, hashes)
                    one.same_tree = True
                except Refused as refused:
                    self.findings.add("attestation.consistency", path, refused)

    def check(self):
        self._lower()
        for one in self.record.shown():
            after = [a for a in self.by_anchor.values() if a.same_tree and a.size > one.index]
            if after:
                self.upper[one.commitment] = min(after, key=lambda a: a.milliseconds)
            low, high = self.lower.get(one.commitment), self.upper.get(one.commitment)
            if low and high and low.milliseconds > high.milliseconds:
                self.findings.add("bracket.reversed", one.path)

    def _lower(self):
        """A bound holds for every later operation of the incarnation; an anchor may not go back in time."""
        places = {(one.header.device, one.header.incarnation) for one in self.record.shown()}
        for place in places:
            own = [o for o in self.record.shown() if (o.header.device, o.header.incarnation) == place]
            bound = None
            for one in sorted(own, key=lambda o: o.header.seq):
                attested = self.by_anchor.get(one.header.anchor)
                if attested is not None:
                    if bound is not None and attested.milliseconds < bound.milliseconds:
                        self.findings.add("bracket.anchor_went_back", one.path)
                    bound = attested
                if bound is not None:
                    self.lower[one.commitment] = bound

    def basis(self):
        """The weakest basis among the upper bounds; none where an operation has none."""
        shown = self.record.shown()
        bases = [self.upper[one.commitment].basis if one.commitment in self.upper else "none" for one in shown]
        return min(bases, key=BASES.index, default="none")
