//! Every finding that a verification can make, in one table, and the verdict that findings add up to.

use std::fmt::Display;

use super::report::{Finding, Verdict};

/// Verdict, stable code, and what it says. `bundle.md` lists the same codes; each has a vector of its own.
const CODES: &str = "\
INVALID attest.malformed a field of the attest is missing, withheld or malformed
INVALID attest.signature the officer's signature does not hold
INVALID attest.stream it signs an operation that lies in another stream
INVALID attestation.consistency it does not show that the attested log is the beginning of this one
INVALID attestation.name its bytes do not hash to the anchor it is named after
INVALID attestation.signature it is not signed by a key that may attest time
INVALID bag.ambiguous_name two names are the same when case is ignored
INVALID bag.changed its bytes are not those the manifest lists
INVALID bag.declaration it is missing or not that of a BagIt 1.0 bag
INVALID bag.fetch a bundle must hold its files, not fetch them
INVALID bag.manifest a manifest is missing, or one of its lines is malformed, doubled or misplaced
INVALID bag.missing it is listed, but cannot be read
INVALID bag.signature the signature over the tag manifest is missing or does not hold
INVALID bag.too_many_files a bundle holds at most 200,000 files
INVALID bag.unlisted it is in the bundle, but no manifest covers it
INVALID bag.unsafe_path absolute, climbing, or with characters that are not allowed
INVALID chain.broken an operation does not stand at its place of the chain, or not after that link
INVALID chain.length the list does not end at the last operation of the bundle
INVALID chain.malformed it is not a list of hashes in hex
INVALID chain.missing there is no list of this chain
INVALID checkpoint.malformed it is missing or not a checkpoint
INVALID checkpoint.signature the signature of the trusted log key does not hold
INVALID closing.malformed the closing cannot be read or is withheld
INVALID disposal.malformed a field of the disposal is missing, withheld or malformed
INVALID evidence.name the file is not named after its own hash
INVALID evidence.not_sealed no operation of the bundle seals these bytes
INVALID evidence.size it has another size than was sealed
INVALID heads.other it is not made from the last operation of that chain
INVALID key_log.broken the key log does not hold
INVALID key_log.proof it does not place a head of the key log in this checkpoint
INVALID key_log.unplaced no proof shows from when, or until when, this key was in force
INVALID operation.inclusion no proof shows that it is in the log
INVALID operation.key_revoked it was logged after a key it rests on was revoked
INVALID operation.key_too_early it was logged before its key was enrolled
INVALID operation.malformed it is not an operation
INVALID operation.name the file is not named after the operation in it
INVALID operation.none no operation in the bundle passed
INVALID operation.other_case it is of no case, or of another than the other operations
INVALID operation.signature the device's signature does not hold
INVALID operation.tenant it is of another tenant than the key log
INVALID paper.words they are not eight words of a chain head
INVALID receipt.signature it is no receipt of this log for the chain and seq of its name, signed by the server's ingest key
INVALID roll.author a roll by a device that is not the server's
INVALID roll.malformed the roll cannot be read or is withheld
DIVERGED attestation.split_view the same size of the log was attested with another root
DIVERGED bracket.anchor_went_back it names an older time than an earlier operation of its chain
DIVERGED bracket.reversed it was attested as logged before the time it names as known
DIVERGED closing.missing its author held an operation that the bundle lacks
DIVERGED closing.other its author held another operation than the bundle has there
DIVERGED disposal.still_there a value or a file that a disposal took away is here
DIVERGED document.chain the document prints another chain head than its operation continues
DIVERGED fork the device signed two operations where it may sign one
DIVERGED freeze.missing the frozen set names evidence whose bytes are not here
DIVERGED paper.other no document of the bundle continues the chain head printed on the paper
DIVERGED receipt.link the server received another history of this device
DIVERGED receipt.promise an operation was promised by a deadline and logged later
DIVERGED roll.key_log the key log is not the one the roll names
DIVERGED roll.missing the roll names operations that the bundle lacks
DIVERGED roll.other the roll names another operation than the bundle has there
DIVERGED roll.size the roll speaks of operations that the log did not hold at its size
DIVERGED roll.unnamed it lay in the log of which the roll speaks, and the roll does not name it
DIVERGED stream.gap operations before it in its stream are not in the bundle
UNANCHORED attest.key_unknown the officer's key is not in the key log
UNANCHORED bag.signer_not_enrolled the bundle's signer is not a bundle key of the key log, or was revoked
UNANCHORED bag.signer_unknown the bundle's signer is not in the trust folder's allowed_signers
UNANCHORED checkpoint.key_not_enrolled the trusted log key is not one that the key log enrols for this log, or was revoked
UNANCHORED checkpoint.key_unknown it is not signed by the log key of the trust folder
UNANCHORED checkpoint.other_log it is of another log than the trust folder names
UNANCHORED key_log.other_root the key log does not begin with the root key of the trust folder
UNANCHORED operation.key_unknown its device is not in the key log
";

/// Every code with its verdict and its sentence.
pub fn finding_codes() -> impl Iterator<Item = (Verdict, &'static str, &'static str)> {
    CODES.lines().filter_map(|line| {
        let (verdict, rest) = line.split_once(' ')?;
        let (code, says) = rest.split_once(' ')?;
        Some((Verdict::from_word(verdict)?, code, says))
    })
}

/// Collects findings while checking.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// A finding about a file, operation or key.
    pub fn add(&mut self, code: &'static str, subject: impl Display) {
        self.put(code, subject, None);
    }

    /// A finding with what was seen.
    pub fn add_with(&mut self, code: &'static str, subject: impl Display, seen: impl Display) {
        self.put(code, subject, Some(seen.to_string()));
    }

    fn put(&mut self, code: &'static str, subject: impl Display, seen: Option<String>) {
        // A code that the table lacks would be our own fault; it must not raise a verdict.
        let (verdict, _, says) = finding_codes().find(|(_, c, _)| *c == code).unwrap_or((Verdict::Invalid, code, ""));
        // Names come from whoever made the bundle: nothing in them may command the reader's terminal.
        let plain = |text: String| text.replace(char::is_control, "\u{fffd}");
        let detail = seen.map_or(says.to_owned(), |seen| format!("{says}: {seen}"));
        let (subject, detail) = (plain(subject.to_string()), plain(detail));
        self.0.push(Finding { verdict, code, subject, detail });
    }

    /// The findings, worst first, and the verdict they allow, at most `best`.
    pub fn conclude(mut self, best: Verdict) -> (Verdict, Vec<Finding>) {
        self.0.sort_by_key(|f| f.verdict);
        let verdict = self.0.first().map_or(best, |f| f.verdict.min(best));
        (verdict, self.0)
    }
}
