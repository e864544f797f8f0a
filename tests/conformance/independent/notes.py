"""C2SP texts: verifier keys, signed notes, checkpoints, cosignatures, time notes, proof files."""

import hashlib
import re

import ed25519
import keys
from hashing import H, decimal, strict_base64
from merkle import MOST_INCLUSION, check_inclusion
from refusal import Refused, need

MOST_NOTE = 64 << 10
MOST_LINES = 64
SIGNED, COSIGNED = 1, 4  # algorithm bytes
KINDS = ("time-note", "cosigned-note", "rfc3161")


def _good_name(name):
    return name != "" and not any(sign.isspace() or sign < " " for sign in name) and "+" not in name


class VerifierKey:
    def __init__(self, text):
        need(isinstance(text, str), "vkey-form", "no text")
        parts = text.split("+", 2)
        need(len(parts) == 3, "vkey-form")
        self.name, digits, encoded = parts
        need(_good_name(self.name), "vkey-name", self.name)
        raw = strict_base64(encoded, "vkey-form")
        need(raw, "vkey-form", "empty")
        self.algorithm, self.public = raw[0], raw[1:]
        need(self.algorithm in (SIGNED, COSIGNED), "vkey-algorithm", str(self.algorithm))
        self.hash = hashlib.sha256(self.name.encode() + b"\n" + raw).digest()[:4]
        need(re.fullmatch(r"[0-9a-f]{8}", digits) and bytes.fromhex(digits) == self.hash, "vkey-hash")
        try:
            ed25519.check_public(self.public)
        except Refused as refused:
            raise Refused("vkey-weak", str(refused)) from None


def vkey_for(name, public, algorithm=SIGNED):
    """The verifier key of an Ed25519 key that is known otherwise."""
    key = VerifierKey.__new__(VerifierKey)
    key.name, key.algorithm, key.public = name, algorithm, public
    key.hash = hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + public).digest()[:4]
    return key


class Note:
    """A note whose form holds; its signatures are checked apart."""

    def __init__(self, raw):
        if isinstance(raw, str):
            raw = raw.encode("utf-8")
        need(len(raw) <= MOST_NOTE, "too-large", "note")
        try:
            whole = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("utf8") from None
        need(not any(sign < " " and sign != "\n" for sign in whole), "note-control")
        at = whole.rfind("\n\n")
        need(at >= 0, "note-blank-line")
        self.raw, self.text = raw, whole[:at + 1]
        signatures = whole[at + 2:]
        need(signatures.endswith("\n"), "note-end")
        lines = signatures[:-1].split("\n")
        need(len(lines) <= MOST_LINES, "note-too-many-lines")
        self.lines = {}
        for line in lines:
            name, key_hash, signature = self._line(line)
            need((name, key_hash) not in self.lines, "note-line-twice", name)
            self.lines[name, key_hash] = signature

    @staticmethod
    def _line(line):
        need(line.startswith("— "), "note-line", line[:40])
        parts = line[2:].split(" ")
        need(len(parts) == 2 and _good_name(parts[0]), "note-line", line[:40])
        raw = strict_base64(parts[1], "note-line")
        need(len(raw) > 4, "note-line", "too short")
        return parts[0], raw[:4], raw[4:]

    def has(self, key):
        return (key.name, key.hash) in self.lines

    def verify(self, key):
        """The text, signed by this key; for a witness (message, unix seconds)."""
        need(self.has(key), "note-not-signed", key.name)
        signature = self.lines[key.name, key.hash]
        message, seconds = self.text, None
        if key.algorithm == COSIGNED:
            need(len(signature) == 72, "note-signature", "not a time and a signature")
            seconds = int.from_bytes(signature[:8], "big")
            message = f"cosignature/v1\ntime {seconds}\n{self.text}"
            signature = signature[8:]
        try:
            keys.verify_raw(1, key.public, message.encode(), signature)
        except Refused as refused:
            raise Refused("note-signature", str(refused)) from None
        return message, seconds


class Checkpoint:
    """Origin, size and root of a note's text, whoever signed it."""

    def __init__(self, note):
        self.note = note
        lines = note.text[:-1].split("\n")
        need(len(lines) >= 3, "checkpoint-line")
        self.origin = lines[0]
        need(_good_name(self.origin), "checkpoint-line", "origin")
        self.size = decimal(lines[1])
        self.root = strict_base64(lines[2], "root")
        need(len(self.root) == 32, "root", f"{len(self.root)} bytes")

    def same_tree(self, other):
        return (self.origin, self.size, self.root) == (other.origin, other.size, other.root)


def open_checkpoint(raw, key):
    need(key.algorithm == SIGNED, "vkey-algorithm", "not a log's key")
    note = Note(raw)
    note.verify(key)
    found = Checkpoint(note)
    need(found.origin == key.name, "checkpoint-line", "another origin than the key's name")
    return found


class TimeNote:
    def __init__(self, raw, key):
        need(key.algorithm == SIGNED, "vkey-algorithm", "not a time key")
        note = Note(raw)
        note.verify(key)
        lines = note.text[:-1].split("\n")
        need(len(lines) == 5 and lines[0] == "fieldseal/time/v0", "time-note-form")
        self.origin = lines[1]
        need(key.name == self.origin + "/time", "time-note-form", "another origin than the key's")
        self.unix_ms = decimal(lines[2])
        self.size = decimal(lines[3])
        self.root = strict_base64(lines[4], "root")
        need(len(self.root) == 32, "root")
        self.anchor = anchor_of("time-note", note.raw)


def anchor_of(kind, raw):
    need(kind in KINDS, "anchor-kind", kind)
    return H("fieldseal/v0/anchor", kind, raw)


class ProofFile:
    """A tlog-proof file without `extra`: index, hashes and the note under which they are to hold."""

    def __init__(self, raw):
        if isinstance(raw, bytes):
            try:
                raw = raw.decode("utf-8")
            except UnicodeDecodeError:
                raise Refused("utf8") from None
        head, blank, rest = raw.partition("\n\n")
        lines = head.split("\n")
        need(lines[0] == "c2sp.org/tlog-proof@v1", "proof-first-line", lines[0][:40])
        need(len(lines) > 1 and lines[1].startswith("index "), "proof-index-line")
        try:
            self.index = decimal(lines[1][len("index "):])
        except Refused as refused:
            raise Refused("proof-index", str(refused)) from None
        need(len(lines) - 2 <= MOST_INCLUSION, "proof-hashes", "too many")
        self.hashes = [strict_base64(line, "proof-hashes") for line in lines[2:]]
        need(all(len(one) == 32 for one in self.hashes), "proof-hashes", "length")
        need(blank and rest, "proof-no-checkpoint")
        self.note = Note(rest)
        self.checkpoint = Checkpoint(self.note)

    def check(self, leaf, checkpoint, key):
        """Inclusion of the leaf data in the tree of a checkpoint that was verified already."""
        need(self.checkpoint.same_tree(checkpoint), "other-checkpoint")
        self.note.verify(key)
        check_inclusion(leaf, self.index, checkpoint.size, self.hashes, checkpoint.root)
