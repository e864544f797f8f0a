"""The record in a bundle: key log, checkpoint, operations with their proofs, dispositions, attests."""

import re

import notes
from hashing import hash_bytes
from keylog import KeyLog
from operations import Attest, Operation, equivocations
from refusal import Refused, need


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
        self._check_revocations()
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
            need(path in self.bag.files, "missing")
            self.key_log = KeyLog.read(self.bag.files[path])
        except Refused as refused:
            self.findings.add("key_log.broken", path, refused)
            return
        if self.key_log.root.id != self.trust.root_key_id or self.key_log.tenant != self.trust.tenant:
            self.findings.add("key_log.other_root", self.key_log.root.id.hex())

    def note_keys(self):
        """The keys that may sign the log's notes: the trusted one and the enrolled ones of this origin."""
        found = [self.trust.log]
        for key in self.key_log.with_purpose("log") if self.key_log else []:
            found.append(notes.vkey_for(key.entry.name, key.public))
        return found

    def _read_checkpoint(self):
        path = "data/checkpoint"
        try:
            need(path in self.bag.files, "missing")
            note = notes.Note(self.bag.files[path])
            self.checkpoint = notes.Checkpoint(note)
        except Refused as refused:
            self.findings.add("checkpoint.malformed", path, refused)
            return
        if self.checkpoint.origin != self.trust.log.name:
            self.findings.add("checkpoint.other_log", path, self.checkpoint.origin)
        elif not note.has(self.trust.log):
            self.findings.add("checkpoint.key_unknown", path)
        witnesses = [one.key for one in self.trust.witnesses]
        for key in self.note_keys() + witnesses:
            if note.has(key):
                try:
                    note.verify(key)
                except Refused as refused:
                    self.findings.add("checkpoint.signature", path, f"{key.name}: {refused}")
        enrolled = [key.public for key in self.key_log.with_purpose("log")] if self.key_log else []
        if self.trust.log.public not in enrolled:
            self.findings.add("checkpoint.key_not_enrolled", self.trust.log.name)

    def _prove(self, raw, leaf):
        """The leaf index that a proof file shows under this checkpoint."""
        need(self.checkpoint is not None, "checkpoint", "none")
        proof = notes.ProofFile(raw)
        need(proof.checkpoint.same_tree(self.checkpoint), "other-checkpoint")
        for key in self.note_keys():
            if proof.note.has(key) or self.checkpoint.note.has(key):
                proof.note.verify(key)
        notes.check_inclusion(leaf, proof.index, self.checkpoint.size, proof.hashes, self.checkpoint.root)
        return proof.index

    def _place_key_log(self):
        for name, path, raw in self.bag.below("key-log"):
            match = re.fullmatch(r"([1-9][0-9]{0,5})\.tlog-proof", name, re.ASCII)
            size = int(match[1]) if match else 0
            if match and self.key_log is not None and size > self.key_log.size:
                continue  # a head that this key log does not reach: the roll tells
            try:
                need(match and self.key_log is not None, "key_log.proof", "name, or no key log")
                self.key_log_index[size] = self._prove(raw, self.key_log.leaf(size))
            except Refused as refused:
                self.findings.add("key_log.proof", path, refused)
        for key in self.key_log.by_id.values() if self.key_log else []:
            if key.revoked_at is not None and self.effective(key.revoked_at) is None:
                self.findings.add("key_log.revocation_unplaced", key.id.hex())

    def effective(self, entry_index):
        """The least leaf index of a proven head that covers this entry."""
        return min((at for size, at in self.key_log_index.items() if size > entry_index), default=None)

    # Operations

    def _read_operations(self):
        case = None
        for name, path, raw in self.bag.below("operations"):
            try:
                one = Operation(raw)
            except Refused as refused:
                self.findings.add("operation.malformed", path, refused)
                continue
            one.path, one.quarantined = path, False
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
        h = one.header
        keys = self.key_log.keys_of(h.device, "operation", h.incarnation) if self.key_log else []
        if not keys:
            self.findings.add("operation.key_unknown", one.path)
            return False
        wrong = None
        for key in keys:
            try:
                one.check_signature(key.suite, key.public)
                one.key = key
                return True
            except Refused as refused:
                wrong = refused
        self.findings.add("operation.signature", one.path, wrong)
        return False

    def _included(self, one):
        path = f"data/proofs/{one.id.hex()}.tlog-proof"
        try:
            need(path in self.bag.files, "missing", path)
            one.index = self._prove(self.bag.files[path], one.commitment)
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

    def _revoked(self, key, one):
        if key.revoked_at is None:
            return False
        since = self.effective(key.revoked_at)
        return since is not None and one.index >= since

    def _check_revocations(self):
        officer_of = {attest.operation.commitment: attest.signing_key for attest in self.attests}
        for one in self.counted():
            keys = [one.key, officer_of.get(one.commitment)]
            if any(key is not None and self._revoked(key, one) for key in keys):
                self.findings.add("operation.key_revoked", one.path)

    # Attests

    def _read_attests(self):
        by_id = {one.id: one for one in self.shown()}
        for one in self.shown():
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
            attest.signing_key = key
            try:
                attest.check(key.suite, key.public)
            except Refused as refused:
                self.findings.add("attest.signature", one.path, refused)
                continue
            for target in attest.targets:
                if target in by_id and by_id[target].header.stream != one.header.stream:
                    self.findings.add("attest.stream", one.path, target.hex())
            self.attests.append(attest)

    def awaiting(self):
        """Required signers of a header that no attest meets: (id, signer)."""
        found = []
        for one in self.counted():
            given = [
                attest for attest in self.attests
                if one.id in attest.targets and attest.meaning in ("made", "approved")
                and not attest.operation.quarantined
            ]
            for signer in one.header.signers:
                if isinstance(signer, bytes):
                    met = any(attest.officer == signer for attest in given)
                elif signer == "second_officer":
                    made = [attest.officer for attest in given if attest.meaning == "made"]
                    met = bool(made) and any(attest.officer != made[0] for attest in given)
                else:
                    met = any(attest.signing_key.entry.role == signer for attest in given)
                if not met:
                    found.append((one.id.hex(), signer if isinstance(signer, str) else signer.hex()))
        return found


def hash_lines(raw):
    """Hashes, one a line."""
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        raise Refused("lines", "not ASCII") from None
    need(text.endswith("\n"), "lines", "the last line does not end")
    return [hash_bytes(line) for line in text[:-1].split("\n")]
