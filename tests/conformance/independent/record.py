"""The record in a bundle: key log, checkpoint, operations with their proofs, dispositions, attests."""

import re

import notes
from hashing import hash_bytes, uuid_text
from keylog import KeyLog
from operations import Attest, Operation, equivocations
from refusal import Refused, need

# merge.md, Kinds: the least set of signers.
LEAST_SIGNERS = {"credentials.show": ("officer",), "document.issue": ("officer",), "disposal": ("supervisor",)}


class Record:
    def __init__(self, bag, trust, findings):
        self.bag, self.trust, self.findings = bag, trust, findings
        self.key_log = self.checkpoint = None
        self.operations = {}  # id: Operation, with .index, .path, .quarantined
        self.key_log_index = {}  # size: leaf index of that head
        self.attests = []
        self._read_key_log()
        self._read_checkpoint()
        self._place_key_log()
        self._read_operations()
        self._quarantine()
        self._read_attests()
        self._check_keys()
        self.forks = equivocations(self.shown())
        self.forked_devices = set()
        for reason, first, second in self.forks:
            self.forked_devices.add(second.header.device)
            findings.add("fork", f"{first.id.hex()} {second.id.hex()}", reason)

    def shown(self):
        """In log order."""
        return sorted(self.operations.values(), key=lambda one: (one.index, one.id))

    def counted(self):
        return [one for one in self.shown() if not one.quarantined]

    # Key log and checkpoint

    def _read_key_log(self):
        path = "data/key-log.cbor-seq"
        try:
            raw = self.bag.get(path)
            need(raw is not None, "missing")
            self.key_log = KeyLog.read(raw)
        except Refused as refused:
            self.findings.add("key_log.broken", path, refused)
        log = self.key_log
        if log and (log.root.id != self.trust.root_key_id or log.tenant != self.trust.tenant):
            self.findings.add("key_log.other_root", log.root.id.hex())
        # The signer of the bag, if the reader knows him, is also a bundle key of the tenant.
        if self.bag.signer is not None and not self.enrolled("bundle", self.bag.signer):
            self.findings.add("bag.signer_not_enrolled", self.bag.signer.hex())

    def enrolled(self, purpose, public, name=None):
        """Whether the key log enrols this key, for this log if one is named, and does not revoke it."""
        return any(
            key.public == public and key.revoked_at is None and name in (None, key.entry.name)
            for key in (self.key_log.with_purpose(purpose) if self.key_log else [])
        )

    def _read_checkpoint(self):
        path = "data/checkpoint"
        try:
            raw = self.bag.get(path)
            need(raw is not None, "missing")
            note = notes.Note(raw)
            self.checkpoint = notes.Checkpoint(note)
        except Refused as refused:
            self.findings.add("checkpoint.malformed", path, refused)
            return
        if self.checkpoint.origin != self.trust.log.name:
            self.findings.add("checkpoint.other_log", path, self.checkpoint.origin)
        elif not note.has(self.trust.log):
            self.findings.add("checkpoint.key_unknown", path)
        if note.has(self.trust.log):
            try:
                note.verify(self.trust.log)
            except Refused as refused:
                self.findings.add("checkpoint.signature", path, refused)
        if not self.enrolled("log", self.trust.log.public, self.trust.log.name):
            self.findings.add("checkpoint.key_not_enrolled", self.trust.log.name)

    def _prove(self, raw, leaf):
        """The leaf index that a proof file shows under this checkpoint, whose note it repeats byte for byte."""
        need(self.checkpoint is not None, "checkpoint", "none")
        proof = notes.ProofFile(raw)
        need(proof.note.raw == self.checkpoint.note.raw, "other-checkpoint")
        notes.check_inclusion(leaf, proof.index, self.checkpoint.size, proof.hashes, self.checkpoint.root)
        return proof.index

    def _place_key_log(self):
        for name, path, raw in self.bag.below("key-log"):
            match = re.fullmatch(r"([1-9][0-9]{0,5})\.tlog-proof", name, re.ASCII)
            size = int(match[1]) if match else 0
            try:
                need(match and self.key_log is not None, "key_log.proof", "name, or no key log")
                need(size <= self.key_log.size, "key_log.proof", "the key log has no such size")
                self.key_log_index[size] = self._prove(raw, self.key_log.leaf(size))
            except Refused as refused:
                self.findings.add("key_log.proof", path, refused)
        placed = [at for _, at in sorted(self.key_log_index.items())]
        if any(later <= earlier for earlier, later in zip(placed, placed[1:])):
            self.findings.add("key_log.proof", "data/key-log", "a later head stands before an earlier one")

    def head_of(self, entry_index):
        """The leaf index of the head right after this entry, if a proof places it."""
        return self.key_log_index.get(entry_index + 1)

    # Operations

    def _read_operations(self):
        case = None
        for name, path, raw in self.bag.below("operations"):
            try:
                one = Operation(raw)
            except Refused as refused:
                self.findings.add("operation.malformed", path, refused)
                continue
            one.path, one.quarantined, one.ever_quarantined = path, False, False
            if name != one.id.hex() + ".cbor":
                self.findings.add("operation.name", path, one.id.hex())
            if one.header.tenant != (self.key_log.tenant if self.key_log else self.trust.tenant):
                self.findings.add("operation.tenant", path)
                continue
            case = case or one.header.case
            if one.header.case is None or one.header.case != case:
                self.findings.add("operation.other_case", path)
            if self._signed(one) and self._included(one):
                self.operations[one.commitment] = one
        if not self.operations:
            self.findings.add("operation.none", "data/operations")

    def _signed(self, one):
        key = self.key_log.operation_key(one.header.device, one.header.incarnation) if self.key_log else None
        if key is None:
            self.findings.add("operation.key_unknown", one.path)
            return False
        try:
            one.check_signature(key.suite, key.public)
        except Refused as refused:
            self.findings.add("operation.signature", one.path, refused)
            return False
        one.key = key
        return True

    def _included(self, one):
        path = f"data/proofs/{one.id.hex()}.tlog-proof"
        try:
            raw = self.bag.get(path)
            need(raw is not None, "missing", path)
            one.index = self._prove(raw, one.commitment)
            return True
        except Refused as refused:
            self.findings.add("operation.inclusion", one.path, refused)
            return False

    def by_ingest(self, one):
        return one.key.entry.action == "server"

    def _quarantine(self):
        """Dispositions by the ingest device, folded along `supersedes` between those of one target."""
        targets = {}
        for one in self.shown():
            if one.header.kind == "disposition" and self.by_ingest(one) and one.body is not None:
                target = one.body.shown("disposition/target")
                if isinstance(target, bytes):
                    targets.setdefault(target, []).append(one)
        for target, listed in targets.items():
            passed = {earlier for one in listed for earlier in one.header.supersedes}
            states = [one.body.shown("disposition/state") for one in listed if one.id not in passed]
            for operation in self.shown():
                if operation.id == target and operation.header.kind != "disposition":
                    operation.quarantined = "quarantined" in states
                    operation.ever_quarantined = any(
                        one.body.shown("disposition/state") == "quarantined" for one in listed
                    )

    def _check_keys(self):
        """Each operation lies between the heads that enrolled and that revoked its key, an attest also its officer's."""
        for one in self.shown():
            officer = None
            if one.header.kind == "attest" and one.body is not None:
                officer = self.key_log.by_id.get(one.body.shown("attest/key"))
            for key in [one.key] + ([officer] if officer else []):
                since = self.head_of(key.enrolled_at)
                until = None if key.revoked_at is None else self.head_of(key.revoked_at)
                if since is None or (key.revoked_at is not None and until is None):
                    self.findings.add("key_log.unplaced", key.id.hex())
                elif one.quarantined:
                    continue
                elif until is not None and one.index >= until:
                    self.findings.add("operation.key_revoked", one.path)
                elif key is one.key and one.index <= since:
                    self.findings.add("operation.key_too_early", one.path)

    # Attests

    def _read_attests(self):
        by_id = {one.id: one for one in self.shown()}
        for one in self.counted():
            if one.header.kind != "attest":
                continue
            try:
                attest = Attest(one)
            except Refused as refused:
                self.findings.add("attest.malformed", one.path, refused)
                continue
            key = self.key_log.by_id.get(attest.key_id)
            if key is None or key.purpose != "officer" or key.entry.subject != attest.officer:
                self.findings.add("attest.key_unknown", one.path, attest.key_id.hex())
                continue
            attest.enrolled_role = key.entry.role
            try:
                attest.check(key.suite, key.public)
            except Refused as refused:
                self.findings.add("attest.signature", one.path, refused)
                continue
            for target in attest.targets:
                if target in by_id and by_id[target].header.stream != one.header.stream:
                    self.findings.add("attest.stream", one.path, target.hex())
            since = self.head_of(key.enrolled_at)
            attest.in_force = since is not None and one.index > since
            self.attests.append(attest)

    def awaiting(self):
        """Required signers that no attest meets: (id, signer), in log order."""
        found = []
        for one in self.shown():
            given = [
                attest for attest in self.attests
                if one.id in attest.targets and attest.meaning in ("made", "approved") and attest.in_force
            ]
            officers = [attest for attest in given if attest.enrolled_role == "officer"]
            made = [attest.officer for attest in officers if attest.meaning == "made"]
            missing = set()
            for signer in [*LEAST_SIGNERS.get(one.header.kind, ()), *one.header.signers]:
                if isinstance(signer, bytes):
                    met = any(attest.officer == signer for attest in given)
                elif signer == "second_officer":
                    met = bool(made) and any(attest.officer != made[0] for attest in officers)
                else:
                    met = any(attest.enrolled_role == signer for attest in given)
                if not met:
                    missing.add(signer if isinstance(signer, str) else uuid_text(signer))
            found += [[one.id.hex(), signer] for signer in sorted(missing)]
        return found


def hash_lines(raw):
    """Hashes, one a line."""
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        raise Refused("lines", "not ASCII") from None
    need(text.endswith("\n"), "lines", "the last line does not end")
    return [hash_bytes(line) for line in text[:-1].split("\n")]
