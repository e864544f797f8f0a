"""A hearing bundle under a trust folder: every check of bundle.md, and the report."""

import chains as chain_lists
import completeness
from bag import Bag
from brackets import Brackets
from disposals import Disposals
from findings import ANCHORED, WITNESSED, Findings
from hashing import uuid_text
from operations import read_proquint
from record import Record
from refusal import Refused


class Report:
    def __init__(self, files, trust, findings=None, paper=None):
        self.findings = findings = findings or Findings()
        bag = Bag(files, trust, findings)
        record = Record(bag, trust, findings)
        chains = chain_lists.read(bag, record, findings)
        disposals = Disposals(record, findings)
        exhibits = completeness.Exhibits(bag, record, disposals, findings)
        brackets = Brackets(bag, record, trust, findings)
        completeness.check_gaps(record, findings)
        rolls = completeness.check_rolls(record, findings)
        self.late = completeness.check_closings(record, findings)
        receipts = completeness.check_receipts(bag, record, chains, brackets, findings)
        brackets.check()
        chain_lists.check_heads(bag, record, chains, findings)
        if paper is not None:
            _check_paper(paper, record, findings)
        organisations = _organisations(record, trust)
        self.verdict = findings.verdict()
        if self.verdict == ANCHORED and trust.quorum and len(organisations) >= trust.quorum:
            self.verdict = WITNESSED
        self.time = brackets.basis()
        self.complete_by_roll = rolls > 0
        self.tree_size = record.checkpoint.size if record.checkpoint else None
        self.not_checked = sorted([*brackets.not_checked, *bag.not_checked()])
        self.not_supplied = exhibits.not_supplied
        self.awaiting = record.awaiting()
        self.withheld, self.disposed, self.operations = disposals.withheld, disposals.disposed, []
        for one in record.shown():
            low, high = brackets.lower.get(one.commitment), brackets.upper.get(one.commitment)
            self.operations.append({
                "id": one.id.hex(),
                "index": one.index,
                "not_before": low.milliseconds if low else None,
                "not_after": high.milliseconds if high else None,
            })
        self.quarantined = [one.id.hex() for one in record.shown() if one.quarantined]
        self.case = next((uuid_text(one.header.case) for one in record.shown() if one.header.case), None)
        self.counts = {
            "files": len(files), "operations": len(self.operations), "quarantined": len(self.quarantined),
            "attests": len(record.attests), "chains": len(chains), "rolls": rolls, "receipts": receipts,
            "attestations": len(brackets.by_anchor), "evidence and documents": exhibits.supplied,
            "not supplied": len(self.not_supplied), "withheld values": len(self.withheld),
            "late": len(self.late), "witnesses": len(organisations),
        }

    def output(self):
        """As the vectors spell it."""
        found = {"verdict": self.verdict, "findings": self.findings.codes()}
        if not found["findings"]:
            found.update({
                "time": self.time, "tree_size": self.tree_size, "complete_by_roll": self.complete_by_roll,
                "operations": self.operations, "withheld": self.withheld, "late": self.late,
                "awaiting": self.awaiting, "not_checked": self.not_checked,
            })
            if self.disposed:
                found["disposed"] = self.disposed
        return found

    def as_json(self):
        return {
            "verdict": self.verdict, "case": self.case,
            "findings": [
                {"code": code, "about": about, "detail": detail} for code, about, detail in self.findings.listed
            ],
            "time": self.time, "tree_size": self.tree_size, "complete_by_roll": self.complete_by_roll,
            "operations": self.operations, "withheld": self.withheld, "disposed": self.disposed, "late": self.late,
            "quarantined": self.quarantined, "not_supplied": self.not_supplied,
            "not_checked": self.not_checked, "awaiting_signature": self.awaiting, "counts": self.counts,
        }

    def as_text(self):
        lines = [self.verdict]
        lines += [f"  {code}: {about} {detail}".rstrip() for code, about, detail in self.findings.listed]
        lines.append(f"time: {self.time}")
        lines.append("complete by roll" if self.complete_by_roll else "completeness not claimed")
        lines += [f"not checked: {one}" for one in self.not_checked]
        lines += [f"not supplied: {one}" for one in self.not_supplied]
        lines += [f"lawfully withheld: {one} {path}" for one, path in self.disposed]
        lines += [f"awaiting signature: {one} by {signer}" for one, signer in self.awaiting]
        lines.append(", ".join(f"{name} {count}" for name, count in self.counts.items()))
        return "\n".join(lines)


def _organisations(record, trust):
    """Organisations other than the operator whose witnesses cosigned the checkpoint."""
    found = set()
    for one in trust.witnesses if record.checkpoint is not None else []:
        if one.same_operator or not record.checkpoint.note.has(one.key):
            continue
        try:
            record.checkpoint.note.verify(one.key)
            found.add(one.organisation)
        except Refused:
            continue
    return found


def _check_paper(words, record, findings):
    """The eight words on a paper are those of the link before some document of the bundle."""
    try:
        raw = read_proquint(words)
    except Refused as refused:
        findings.add("paper.words", words, refused)
        return
    issued = [one for one in record.counted() if one.header.kind == "document.issue"]
    if len(raw) != 16:
        findings.add("paper.words", words, "a link has eight words")
    elif not any(one.header.prev[:16] == raw for one in issued):
        findings.add("paper.other", words)
