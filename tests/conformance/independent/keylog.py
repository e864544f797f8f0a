"""The key log: who may sign what, from the root entry on."""

import re

import body as bodies
import cbor
import keys
from hashing import H
from refusal import need

MOST_ENTRY = 16 << 10
MOST_ENTRIES = 100_000
PURPOSES = ("root", "admin", "operation", "cosigner", "officer", "log", "time", "bundle", "escrow")
CUSTODIES = ("hardware", "software", "server")
ACTIONS = ("root", "admin", "server", "device", "officer", "revoke", "succession")
ONLY_ROOT = ("admin", "server", "succession")
ONLY_ED25519 = ("cosigner", "log", "time", "bundle")  # notes, cosignatures and SSHSIG know nothing else


class Key:
    def __init__(self, purpose, suite, public):
        self.purpose = purpose
        self.suite = suite
        self.public = public
        self.id = keys.key_id(suite, public)
        self.entry = None
        self.enrolled_at = None
        self.revoked_at = None


class Entry:
    def __init__(self, raw):
        need(len(raw) <= MOST_ENTRY, "too-large", "key log entry")
        found = cbor.decode(raw)
        need(type(found) is dict, "field", "no map")

        def get(key, kind, length=None, optional=True):
            return cbor.field(found, key, kind, length, optional)

        self.raw = raw
        need(get(0, "uint", optional=False) == 0, "version")
        self.tenant = get(1, "bytes", 16, optional=False)
        self.index = get(2, "uint", optional=False)
        self.prev = get(3, "bytes", 32, optional=False)
        self.action = get(4, "text", optional=False)
        self.subject = get(5, "bytes", 16)
        self.records = get(6, "array")
        self.role = get(7, "text")
        self.incarnation = get(8, "bytes", 16)
        self.attrs_root = get(9, "bytes", 32)
        self.signer = get(10, "bytes", 32, optional=False)
        self.wall_ms = get(11, "uint", optional=False)
        self.target = get(12, "bytes", 32)
        self.name = get(13, "text")
        self.keys = []
        if self.action in ACTIONS:
            self.keys = [_key_of(record) for record in self.records or []]
            public = [key.public for key in self.keys]
            need(len(set(public)) == len(public), "key-twice", "in one entry")


def _key_of(record):
    need(type(record) is list and len(record) == 4, "key-record")
    purpose, suite, public, custody = record
    need(cbor.is_text(purpose) and purpose in PURPOSES, "key-record", "purpose")
    need(cbor.is_uint(suite) and cbor.is_bytes(public), "key-record", "suite or key")
    need(cbor.is_text(custody) and custody in CUSTODIES, "key-record", "custody")
    if suite == 0:
        need(purpose == "escrow", "unknown-suite", "suite 0 is for escrow")
        need(len(public) == 32, "malformed-key", "X25519")
    else:
        need(purpose not in ONLY_ED25519 or suite == 1, "key-log-fields", f"{purpose} is Ed25519")
        keys.check_public(suite, public)
    return Key(purpose, suite, public)


def _check_fields(entry):
    """What each action must hold."""
    purposes = sorted(key.purpose for key in entry.keys)

    def holds(condition, what):
        need(condition, "key-log-fields", f"{entry.action}: {what}")

    if entry.action == "root":
        need(purposes == ["root"], "root-entry", "exactly one root key")
    elif entry.action == "admin":
        holds(entry.subject and purposes == ["admin"], "subject and one admin key")
    elif entry.action == "server":
        holds(entry.subject and entry.incarnation and entry.name is not None, "subject, incarnation, name")
        without = [one for one in purposes if one != "escrow"]
        holds(without == ["bundle", "log", "operation", "time"] and len(purposes) <= 5, "keys")
    elif entry.action == "device":
        holds(entry.subject and entry.incarnation, "subject and incarnation")
        holds(entry.role in ("tablet", "supervisor"), "role")
        holds(purposes == ["cosigner", "operation"], "operation and cosigner")
    elif entry.action == "officer":
        holds(entry.subject and entry.role, "subject and role")
        holds(purposes == ["officer"] and entry.attrs_root, "one officer key and attrs_root")
    elif entry.action == "revoke":
        holds(entry.target and not purposes, "target and no keys")
    elif entry.action == "succession":
        holds(entry.name is not None and entry.attrs_root and not purposes, "name, attributes and no keys")


class Succession:
    """The end of one generation of a log and the beginning of the next: log.md, Generations."""

    def __init__(self, old, entry, attributes):
        name, _, generation = old.rpartition("/")
        need(entry.action == "succession", "succession", "another action")
        need(re.fullmatch(r"0|[1-9][0-9]*", generation, re.ASCII), "succession", "no generation")
        need(entry.name == f"{name}/{int(generation) + 1}", "succession", "not the next generation")
        need(attributes is not None, "succession", "no attributes")
        said = bodies.parse(attributes)
        need(said.root == entry.attrs_root, "attributes")
        self.old, self.new = old, entry.name
        self.size, self.root = said.shown("log/size"), said.shown("log/root")
        need(cbor.is_uint(self.size) and cbor.is_bytes(self.root, 32), "succession", "size or root")
        self.leaf = H("fieldseal/v0/succession", old, self.new, self.size, self.root)


class KeyLog:
    """A key log that holds from its first entry to its last."""

    def __init__(self, frames):
        need(frames, "key-log-empty")
        need(len(frames) <= MOST_ENTRIES, "too-large", "entries")
        self.by_id = {}
        self.lives = {}  # (subject, incarnation): operation key
        self.action_of = {}  # subject with an operation key: the action that enrolled it
        self.entries = []
        self.heads = []
        self.tenant = None
        for frame in frames:
            self._append(frame)

    @classmethod
    def read(cls, sequence):
        return cls([frame for frame, _ in cbor.decode_sequence(sequence)])

    def _append(self, frame):
        need(type(frame) is dict, "field", "a frame that is no map")
        need(set(frame) <= {0, 1, 2}, "frame-key")
        entry = Entry(cbor.field(frame, 0, "bytes"))
        signature = cbor.field(frame, 1, "bytes")
        attributes = cbor.field(frame, 2, "bytes", optional=True)
        index = len(self.entries)
        if index == 0:
            self.tenant = entry.tenant
            need(entry.action == "root", "root-entry", "the first entry is no root entry")
        need(entry.tenant == self.tenant, "key-log-tenant")
        need(entry.index == index, "key-log-index", f"{entry.index} in place of {index}")
        need(entry.prev == self.head(), "key-log-prev")
        need(entry.action != "root" or index == 0, "second-root")
        signer = self._signer(entry)
        _check_fields(entry)
        keys.verify(signer.suite, signer.public, keys.KEY_LOG_ENTRY, entry.raw, signature)
        if entry.action == "revoke":
            self._check_target(entry, signer)
        if attributes is not None:
            need(entry.attrs_root is not None, "attributes", "without a root")
            need(bodies.parse(attributes).root == entry.attrs_root, "attributes")
        self._check_life(entry)
        for key in entry.keys:
            need(key.id not in self.by_id, "key-twice", key.id.hex())
            key.entry, key.enrolled_at = entry, index
            self.by_id[key.id] = key
        if entry.action == "revoke":
            self.by_id[entry.target].revoked_at = index
        self.heads.append(H("fieldseal/v0/key-log", self.head(), entry.raw, signature))
        self.entries.append(entry)

    def _signer(self, entry):
        if entry.index == 0:
            need(entry.keys and entry.keys[0].id == entry.signer, "root-entry", "not signed by itself")
            return entry.keys[0]
        signer = self.by_id.get(entry.signer)
        need(signer is not None, "signer-unknown")
        need(signer.revoked_at is None, "signer-revoked")
        need(signer.purpose in ("root", "admin"), "signer-not-allowed", signer.purpose)
        need(signer.purpose == "root" or entry.action not in ONLY_ROOT, "admin-not-allowed", entry.action)
        return signer

    def _check_life(self, entry):
        """One operation key for each incarnation, and no id for both a device and the server."""
        for key in entry.keys:
            if key.purpose == "operation":
                need((entry.subject, entry.incarnation) not in self.lives, "life-twice")
                action = self.action_of.setdefault(entry.subject, entry.action)
                need(action == entry.action, "subject-taken", action)
                self.lives[entry.subject, entry.incarnation] = key

    def _check_target(self, entry, signer):
        target = self.by_id.get(entry.target)
        need(target is not None and target.revoked_at is None, "revoke-target")
        of_root = target.entry.action in ("root", "admin", "server")
        need(signer.purpose == "root" or not of_root, "admin-not-allowed", "revoke")

    @property
    def size(self):
        return len(self.entries)

    @property
    def root(self):
        return self.entries[0].keys[0]

    def head(self, size=None):
        """The head after `size` entries; of all entries when none is given."""
        size = len(self.heads) if size is None else size
        return self.heads[size - 1] if size else H("fieldseal/v0/key-log-origin", self.tenant)

    def leaf(self, size=None):
        size = self.size if size is None else size
        return H("fieldseal/v0/key-log-leaf", size, self.head(size))

    def operation_key(self, device, incarnation):
        return self.lives.get((device, incarnation))

    def with_purpose(self, purpose):
        return [key for key in self.by_id.values() if key.purpose == purpose]
