"""The finding codes of bundle.md, and the verdict that they add up to."""

INVALID, DIVERGED, UNANCHORED, ANCHORED, WITNESSED = "INVALID", "DIVERGED", "UNANCHORED", "ANCHORED", "WITNESSED"
EXIT_CODES = {INVALID: 2, DIVERGED: 3, UNANCHORED: 4, ANCHORED: 0, WITNESSED: 0}
REFUSED = 5  # no verdict: the trust folder or the command is refused

_CODES = {
    INVALID: """
        attest.malformed attest.signature attest.stream attestation.consistency attestation.name
        attestation.signature bag.ambiguous_name bag.changed bag.declaration bag.fetch bag.manifest bag.missing
        bag.signature bag.too_many_files bag.unlisted bag.unsafe_path chain.broken chain.length chain.malformed
        chain.missing checkpoint.malformed checkpoint.signature closing.malformed disposal.malformed evidence.name
        evidence.not_sealed evidence.size heads.other key_log.broken key_log.proof key_log.unplaced
        operation.inclusion operation.key_revoked operation.key_too_early operation.malformed operation.name operation.none
        operation.other_case operation.signature operation.tenant paper.words receipt.signature roll.author
        roll.malformed""",
    DIVERGED: """
        attestation.split_view bracket.anchor_went_back bracket.reversed closing.missing closing.other
        disposal.still_there document.chain fork freeze.missing paper.other receipt.link receipt.promise roll.key_log roll.missing
        roll.other roll.size roll.unnamed stream.gap""",
    UNANCHORED: """
        attest.key_unknown bag.signer_not_enrolled bag.signer_unknown checkpoint.key_not_enrolled checkpoint.key_unknown
        checkpoint.other_log key_log.other_root operation.key_unknown""",
}
VERDICT_OF = {code: verdict for verdict, codes in _CODES.items() for code in codes.split()}


class Findings:
    def __init__(self):
        self.listed = {}  # (code, subject, detail), in the order found

    def add(self, code, subject, detail=""):
        assert code in VERDICT_OF, code
        # Names come from whoever made the bundle: nothing in them may command the reader's terminal.
        subject, detail = ("".join(c if c.isprintable() else "\ufffd" for c in str(one)) for one in (subject, detail))
        self.listed[code, subject, detail] = True

    def codes(self):
        return sorted({code for code, _, _ in self.listed})

    def verdict(self):
        """The worst of them; ANCHORED when there is none."""
        found = {VERDICT_OF[code] for code, _, _ in self.listed}
        return next((one for one in (INVALID, DIVERGED, UNANCHORED) if one in found), ANCHORED)
