//! One inspection from the first tap to the roll, written into a log: what a bundle is made of, also told wrongly.

use fieldseal_proof::attest::{self, Attestation, Meaning};
use fieldseal_proof::cbor::Value;
use fieldseal_proof::checkpoint::{AttestationKind, Checkpoint, TimeNote, anchor};
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{CaseId, Commitment, DocumentId, EvidenceId, OfficerId, OpId};
use fieldseal_proof::key_log::{Entry, KeyLog, head_leaf};
use fieldseal_proof::merkle::MemoryTree;
use fieldseal_proof::note::SignedNote;
use fieldseal_proof::operation::{Operation, RequiredSigner};
use fieldseal_proof::roll::{Held, Roll, StreamEnd};
use fieldseal_proof::suite::Signer;

use super::Result;
use super::actors::{Author, MORNING, ORIGIN, Place, case, ed25519, fields, id, inspection, p256};
use super::key_logs::{Ledger, ceremony};
use super::notes::cosigned;

/// The original bytes of the one piece of evidence, and of the one document.
pub const PHOTO: &[u8] = b"\xff\xd8\xff\xe0 a photograph of a blocked escape route";
/// See [`PHOTO`].
pub const PDF: &[u8] = b"%PDF-1.7 an inspection record\n";

/// What is told otherwise than it should be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Twist {
    /// A tablet signs two operations with one sequence; both are logged.
    ForkBySeq,
    /// A tablet's second incarnation starts from a link that the first one continued.
    ForkByPrev,
    /// The closing names an operation of the other tablet that nobody has.
    ClosingNamesMore,
    /// The revoked tablet's last operation is logged after the revocation.
    WritesAfterRevocation,
    /// An officer's key is revoked before he attests with it.
    OfficerRevoked,
    /// And the server quarantines it.
    Quarantined,
    /// The server made no roll.
    NoRoll,
    /// A later operation names an older time than an earlier one.
    AnchorGoesBack,
    /// The last time note is dated before the first.
    TimeTurnedRound,
    /// The sealed size is not that of the photograph.
    SizeLies,
    /// The document prints another chain head than its operation continues.
    DocumentChainLies,
    /// A supervisor froze evidence.
    Freeze,
    /// The server promised the first tablet's operations by a deadline that passed.
    PromiseBroken,
    /// The heads that enrol the second tablet and the officers are logged only after the first closing.
    EnrolledLate,
    /// The heads that enrol the officers are logged only after the first closing.
    OfficersEnrolledLate,
    /// The second officer's signature is somebody else's.
    AttestForged,
    /// The second officer's key is in no key log.
    AttestByStranger,
    /// An administrator attests with the key that signs the key log.
    AttestByAdmin,
    /// The second officer's attest lies in the stream of the case.
    AttestStrays,
    /// The closing names another operation of the other tablet.
    ClosingNamesOther,
    /// The roll is written by a tablet.
    RollByTablet,
    /// The roll names another operation.
    RollNamesOther,
    /// The roll speaks of a log larger than the one it stands in.
    RollTooLarge,
    /// The roll leaves out the second tablet.
    RollLeavesOut,
    /// The roll names the key log before the revocation, whose head lies below the roll.
    RollOfOldKeyLog,
    /// A roll was made before, at the closing.
    EarlierRoll,
    /// And it names an operation that nobody has.
    EarlierRollNamesMore,
    /// The second tablet writes twice more after the roll.
    WritesAfterRoll,
    /// The second tablet writes into another case after the roll, and that is shipped.
    OtherCase,
    /// A device that nobody enrolled writes into the case after the roll.
    Stranger,
    /// The first tablet lost everything, was enrolled again and knows no link.
    TotalLoss,
    /// The second incarnation starts from a link that an operation outside the case continued.
    ForkUnshown,
    /// The revoked tablet writes a closing that names more than there is.
    ClosesAfterRevocation,
    /// The server's time key is revoked before the last time note.
    TimeKeyRevoked,
    /// The log's key is revoked.
    LogKeyRevoked,
    /// The second tablet closes nothing, but the supervisor returned the inspection after the closing.
    Returned,
    /// The second tablet writes into the inspection after the closing.
    WritesAfterClosing,
    /// A supervisor disposes of the finding's text, of the photograph and of the whole body of a finding.
    Disposed,
    /// The same after the freeze.
    DisposedAfterFreeze,
    /// A disposal names no legal basis.
    DisposedWithoutBasis,
    /// What the pack asks for stands in the header: the document needs two officers, the credentials also a third person.
    PackAsksForMore,
}

/// A device's chain as shipped.
pub struct Chain {
    pub author: Author,
    pub start: fieldseal_proof::ids::Link,
    pub commitments: Vec<Commitment>,
}

/// Everything that happened.
pub struct Story {
    pub ledger: Ledger,
    pub tree: MemoryTree,
    pub checkpoint: Checkpoint,
    pub note: SignedNote,
    /// Operations of the case with their leaf index.
    pub shipped: Vec<(Operation, u64)>,
    pub chains: Vec<Chain>,
    /// (size of the key log, leaf index of its head).
    pub heads: Vec<(u64, u64)>,
    /// Time notes with the size they speak of.
    pub times: Vec<(Vec<u8>, u64)>,
    pub deadline_ms: u64,
}

struct Log {
    tree: MemoryTree,
    shipped: Vec<(Operation, u64)>,
}

impl Log {
    fn leaf(&mut self, data: &[u8; 32]) -> u64 {
        self.tree.push(data);
        self.tree.size() - 1
    }

    fn admit(&mut self, operation: &Operation) {
        let index = self.leaf(operation.commitment().as_bytes());
        if operation.header().case.is_some() {
            self.shipped.push((operation.clone(), index));
        }
    }

    /// A time note about the log as it is now.
    fn time(&self, unix_ms: u64) -> Result<(Vec<u8>, u64)> {
        let note = TimeNote { origin: ORIGIN.to_owned(), unix_ms, size: self.tree.size(), root: self.tree.root() };
        let note = SignedNote::sign(&note.text(), &TimeNote::key_name(ORIGIN), &ed25519("time")?)?;
        Ok((note.to_bytes(), self.tree.size()))
    }
}

/// An author and the commitments he has written so far.
fn write(chain: &mut Chain, log: &mut Log, place: Place, kind: &str, list: Vec<(String, Value)>) -> Result<Operation> {
    let operation = chain.author.write(place, kind, list)?;
    chain.commitments.push(operation.commitment());
    log.admit(&operation);
    Ok(operation)
}

fn chain(label: &str, signer: Box<dyn Signer>) -> Chain {
    let author = Author::new(label, signer);
    Chain { start: author.link, author, commitments: Vec::new() }
}

fn attest(chain: &Chain, label: &str, targets: Vec<OpId>, key: &dyn Signer) -> Result<Vec<(String, Value)>> {
    let header = chain.author.next(Place::Inspection, attest::KIND);
    let place = attest::Place {
        tenant: header.tenant,
        device: header.device,
        incarnation: header.incarnation,
        seq: header.seq,
        prev: header.prev,
    };
    let officer = OfficerId::from_bytes(id(label));
    Ok(Attestation::sign(&place, officer, "officer", Meaning::Made, targets, key)?.fields())
}

fn end(chain: &Chain, log: &Log, place: Place) -> Option<StreamEnd> {
    let stream = match place {
        Place::Inspection => *inspection().as_bytes(),
        Place::Case => *case().as_bytes(),
        Place::Device => *chain.author.device.as_bytes(),
    };
    let of = |o: &&(Operation, u64)| {
        let h = o.0.header();
        (h.device, h.incarnation, h.stream().id()) == (chain.author.device, chain.author.incarnation, stream)
    };
    let last = log.shipped.iter().filter(of).max_by_key(|(o, _)| o.header().counter)?;
    Some(StreamEnd {
        device: chain.author.device,
        incarnation: chain.author.incarnation,
        stream,
        counter: last.0.header().counter,
        id: last.0.id(),
    })
}

/// Tells the story, with these twists.
pub fn tell(twists: &[Twist]) -> Result<Story> {
    let is = |twist: Twist| twists.contains(&twist);
    let mut ledger = ceremony()?;
    let mut log = Log { tree: MemoryTree::default(), shipped: Vec::new() };
    let at_once = match () {
        () if is(Twist::EnrolledLate) => 4,
        () if is(Twist::OfficersEnrolledLate) => 5,
        () => 7,
    };
    let mut heads = Vec::new();
    log_heads(&ledger, at_once, &mut heads, &mut log)?;
    let mut one = chain("tablet one", Box::new(ed25519("tablet one")?));
    let mut two = chain("tablet two", Box::new(p256("tablet two")?));
    let mut server = chain("server", Box::new(ed25519("server")?));
    let older = log.time(MORNING - 600_000)?;
    for c in [&mut one, &mut two, &mut server] {
        write(c, &mut log, Place::Device, "device.open", fields([("device/app", Value::text("0.1.0"))]))?;
    }
    let after_opening = one.author.link;
    if is(Twist::ForkUnshown) {
        let label = fields([("device/label", Value::text("一号"))]);
        write(&mut one, &mut log, Place::Device, "device.open", label)?;
    }
    let mut times = vec![log.time(MORNING - 60_000)?];
    let known = anchor(AttestationKind::TimeNote, &times[0].0);
    for c in [&mut one, &mut two, &mut server] {
        c.author.anchor = Some(known);
    }

    let more = |roles: &[&str]| -> Vec<RequiredSigner> {
        let asked = roles.iter().filter(|_| is(Twist::PackAsksForMore));
        let mut roles: Vec<&str> = asked.copied().collect();
        // Ascending by encoded bytes: the shorter text first.
        roles.sort_by_key(|role| role.len());
        roles.into_iter().map(|role| RequiredSigner::Role(role.to_owned())).collect()
    };
    let enterprise = Value::bytes(id("enterprise"));
    let begin = fields([("inspection/enterprise", enterprise), ("party/name", Value::text("某某化工有限公司"))]);
    write(&mut one, &mut log, Place::Inspection, "inspection.begin", begin)?;
    let shown = fields([("credentials/c1/shown_to", Value::text("张负责"))]);
    one.author.signers = more(&["inspector_general", "officer", "second_officer"]);
    let credentials = write(&mut one, &mut log, Place::Inspection, "credentials.show", shown)?;
    let before_finding = one.author.link;
    let finding =
        fields([("finding/8b1c/grade", Value::text("major")), ("finding/8b1c/text", Value::text("疏散通道堵塞"))]);
    write(&mut one, &mut log, Place::Inspection, "finding.record", finding)?;
    seal_photo(&mut one, &mut log, is(Twist::SizeLies))?;
    let other = fields([("finding/91aa/text", Value::text("灭火器过期"))]);
    if is(Twist::AnchorGoesBack) {
        times.push(older.clone());
        one.author.anchor = Some(anchor(AttestationKind::TimeNote, &older.0));
    }
    write(&mut two, &mut log, Place::Inspection, "finding.record", other)?;
    times.push(log.time(MORNING + 3_600_000)?);
    one.author.signers = more(&["officer", "second_officer"]);
    let issued = issue(&mut one, &mut log, is(Twist::DocumentChainLies))?;
    let targets = vec![credentials.id(), issued.id()];
    let first = attest(&one, "officer one", targets.clone(), &ed25519("officer one")?)?;
    write(&mut one, &mut log, Place::Inspection, attest::KIND, first)?;
    if is(Twist::OfficerRevoked) {
        revoke(&mut ledger, &p256("officer two")?, &mut heads, &mut log)?;
    }
    let place = if is(Twist::AttestStrays) { Place::Case } else { Place::Inspection };
    let mut second = match () {
        () if is(Twist::AttestByStranger) => attest(&two, "officer two", targets, &ed25519("stranger")?)?,
        () if is(Twist::AttestByAdmin) => attest(&two, "admin", targets, &ed25519("admin")?)?,
        () => attest(&two, "officer two", targets, &p256("officer two")?)?,
    };
    if is(Twist::AttestForged) {
        let forged = ed25519("stranger")?.sign_raw(b"anything")?;
        second.iter_mut().filter(|f| f.0 == "attest/signature").for_each(|f| f.1 = Value::bytes(forged));
    }
    write(&mut two, &mut log, place, attest::KIND, second)?;
    if is(Twist::ForkBySeq) {
        let twin = one.author.sign(
            one.author.next(Place::Inspection, "note.record"),
            fields([("note/1f/text", Value::text("the other branch"))]),
        )?;
        log.admit(&twin);
    }
    let mut held: Vec<Held> = [&one, &two]
        .into_iter()
        .filter_map(|c| end(c, &log, Place::Inspection))
        .map(|e| (e.device, e.incarnation, e.counter, e.id))
        .collect();
    if is(Twist::ForkBySeq) {
        held.retain(|(device, ..)| *device != one.author.device);
    }
    if is(Twist::ClosingNamesMore) {
        held.iter_mut().filter(|h| h.0 == two.author.device).for_each(|h| h.2 += 1);
    }
    if is(Twist::ClosingNamesOther) {
        let other = OpId::from_bytes(sha256(b"another operation"));
        held.iter_mut().filter(|h| h.0 == two.author.device).for_each(|h| h.3 = other);
    }
    write(&mut one, &mut log, Place::Inspection, "inspection.close", closing_fields(&held))?;
    if is(Twist::WritesAfterClosing) {
        let said = fields([("note/5f/text", Value::text("after the closing"))]);
        write(&mut two, &mut log, Place::Inspection, "note.record", said)?;
    }
    if is(Twist::Returned) {
        let said = fields([("return/r1/reason", Value::text("the grade"))]);
        write(&mut two, &mut log, Place::Inspection, "inspection.return", said)?;
    }
    log_heads(&ledger, 7, &mut heads, &mut log)?;
    if is(Twist::EarlierRoll) || is(Twist::EarlierRollNamesMore) {
        let mut early = roll_of(&ledger, 7, &one, &two, &server, &log)?;
        if is(Twist::EarlierRollNamesMore) {
            early.streams.iter_mut().filter(|s| s.device == two.author.device).for_each(|s| s.counter += 1);
        }
        write(&mut server, &mut log, Place::Case, "roll", early.fields())?;
    }
    let mut chains_more = Vec::new();
    let opening = match () {
        () if is(Twist::ForkByPrev) => Some(before_finding),
        () if is(Twist::ForkUnshown) => Some(after_opening),
        () if is(Twist::TotalLoss) => Some(one.start),
        () => None,
    };
    if let Some(from) = opening {
        chains_more.push(second_life(&mut ledger, &one, &mut heads, &mut log, from)?);
    }
    if is(Twist::Disposed) || is(Twist::DisposedWithoutBasis) {
        dispose(&mut two, &mut log, !is(Twist::DisposedWithoutBasis))?;
    }
    if is(Twist::Freeze) {
        let frozen = Value::Array(vec![Value::bytes(id("photo"))]);
        write(&mut two, &mut log, Place::Case, "evidence.freeze", fields([("freeze/f1/evidence", frozen)]))?;
    }
    if is(Twist::DisposedAfterFreeze) {
        dispose(&mut two, &mut log, true)?;
    }

    revoke(&mut ledger, &ed25519("tablet one")?, &mut heads, &mut log)?;
    for (twist, key) in [(Twist::TimeKeyRevoked, "time"), (Twist::LogKeyRevoked, "log")] {
        if is(twist) {
            let root = ed25519("root")?;
            let target = Some(ed25519(key)?.public().key_id());
            let entry = Entry { target, ..ledger.entry("revoke", root.public()) };
            ledger.add(&entry, &root)?;
            log_heads(&ledger, ledger.size(), &mut heads, &mut log)?;
        }
    }
    if is(Twist::ClosesAfterRevocation) {
        let more = vec![(two.author.device, two.author.incarnation, 99, OpId::from_bytes([9; 32]))];
        let closing = write(&mut one, &mut log, Place::Inspection, "inspection.close", closing_fields(&more))?;
        write(&mut server, &mut log, Place::Case, "disposition", quarantines(&closing))?;
    }
    let late = is(Twist::WritesAfterRevocation)
        .then(|| {
            write(
                &mut one,
                &mut log,
                Place::Inspection,
                "note.record",
                fields([("note/2f/text", Value::text("too late"))]),
            )
        })
        .transpose()?;
    let exported = fields([("custody/e1/event", Value::text("exported"))]);
    write(&mut server, &mut log, Place::Case, "custody.event", exported)?;
    if let (true, Some(late)) = (is(Twist::Quarantined), &late) {
        write(&mut server, &mut log, Place::Case, "disposition", quarantines(late))?;
    }
    if !is(Twist::NoRoll) {
        let old = is(Twist::RollOfOldKeyLog);
        let mut last = roll_of(&ledger, ledger.size() - u64::from(old), &one, &two, &server, &log)?;
        for more in &chains_more {
            last.streams.extend(end(more, &log, Place::Inspection));
        }
        if is(Twist::RollNamesOther) {
            last.streams[0].id = OpId::from_bytes(sha256(b"another operation"));
        }
        if is(Twist::RollTooLarge) {
            last.size += 7;
        }
        if is(Twist::RollLeavesOut) {
            last.streams.retain(|s| s.device != two.author.device);
        }
        let author = if is(Twist::RollByTablet) { &mut two } else { &mut server };
        write(author, &mut log, Place::Case, "roll", last.fields())?;
    }
    if is(Twist::WritesAfterRoll) {
        for text in ["the first of two", "the second of two"] {
            let said = fields([("note/6f/text", Value::text(text))]);
            write(&mut two, &mut log, Place::Inspection, "note.record", said)?;
        }
    }
    if is(Twist::OtherCase) {
        let mut header = two.author.next(Place::Case, "note.record");
        header.case = Some(CaseId::from_bytes(id("another case")));
        let operation = two.author.sign(header, fields([("note/7f/text", Value::text("elsewhere"))]))?;
        two.author.took(Place::Case, &operation);
        two.commitments.push(operation.commitment());
        log.admit(&operation);
    }
    if is(Twist::Stranger) {
        let mut three = chain("tablet three", Box::new(ed25519("tablet three")?));
        let said = fields([("note/8f/text", Value::text("nobody knows me"))]);
        write(&mut three, &mut log, Place::Inspection, "note.record", said)?;
    }
    times.push(log.time(if is(Twist::TimeTurnedRound) { MORNING - 120_000 } else { MORNING + 7_200_000 })?);
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: log.tree.size(), root: log.tree.root() };
    let note = SignedNote::sign(&checkpoint.text(), ORIGIN, &ed25519("log")?)?;
    let note = cosigned(&note, "example.net/witness", &ed25519("witness")?, (MORNING + 7_260_000) / 1000)?;
    let mut chains = vec![one, two, server];
    chains.extend(chains_more);
    Ok(Story {
        ledger,
        tree: log.tree,
        checkpoint,
        note,
        shipped: log.shipped,
        chains,
        heads,
        times,
        deadline_ms: if is(Twist::PromiseBroken) { MORNING + 60_000 } else { MORNING + 86_400_000 },
    })
}

/// The body fields of a closing operation.
pub fn closing_fields(held: &[Held]) -> Vec<(String, Value)> {
    let end = |counter: u64, id: &OpId| Value::Array(vec![Value::Uint(counter), Value::bytes(id.as_bytes())]);
    held.iter().map(|(d, i, counter, id)| (format!("closing/held/{d}/{i}"), end(*counter, id))).collect()
}

/// One disposal each of a value, of a file and of a whole body.
fn dispose(two: &mut Chain, log: &mut Log, basis: bool) -> Result<()> {
    let of = |kind: &str, nth: usize| {
        let mut all = log.shipped.iter().filter(|(o, _)| o.header().kind == kind);
        all.nth(nth).map(|(o, _)| o.id()).ok_or("no such operation")
    };
    let list = |value: Value| Value::Array(vec![value]);
    let acts = [
        (of("finding.record", 0)?, "disposal/paths", list(Value::text("finding/8b1c/text"))),
        (of("evidence.seal", 0)?, "disposal/blobs", list(Value::bytes(sha256(PHOTO)))),
        (of("finding.record", 1)?, "disposal/paths", list(Value::text(""))),
    ];
    for (target, what, gone) in acts {
        let mut said = fields([
            (what, gone),
            ("disposal/retention", Value::text("2026-05-31")),
            ("disposal/target", Value::bytes(target.as_bytes())),
        ]);
        if basis {
            said.push(("disposal/basis".to_owned(), Value::text("archives.27")));
        }
        write(two, log, Place::Case, "disposal", said)?;
    }
    Ok(())
}

fn seal_photo(one: &mut Chain, log: &mut Log, size_lies: bool) -> Result<Operation> {
    let evidence = EvidenceId::from_bytes(id("photo"));
    let size = PHOTO.len() as u64 + u64::from(size_lies);
    let path = |name: &str| format!("evidence/{evidence}/{name}");
    let list = vec![
        (path("acquisition"), Value::text("camera")),
        (path("media_type"), Value::text("image/jpeg")),
        (path("sha256"), Value::bytes(sha256(PHOTO))),
        (path("size"), Value::Uint(size)),
        (path("title"), Value::text("疏散通道")),
    ];
    write(one, log, Place::Inspection, "evidence.seal", list)
}

fn issue(one: &mut Chain, log: &mut Log, chain_lies: bool) -> Result<Operation> {
    let document = DocumentId::from_bytes(id("document"));
    let path = |name: &str| format!("document/{document}/{name}");
    let printed = if chain_lies { one.start } else { one.author.link };
    let list = vec![
        (path("chain"), Value::bytes(printed.as_bytes())),
        (path("chain_counter"), Value::Uint(one.author.seq)),
        (path("pdf_sha256"), Value::bytes(sha256(PDF))),
        (path("type"), Value::text("inspection_record")),
    ];
    write(one, log, Place::Inspection, "document.issue", list)
}

/// The first tablet again, enrolled anew, from a link in the middle of what it had written or from the origin.
fn second_life(
    ledger: &mut Ledger,
    one: &Chain,
    heads: &mut Vec<(u64, u64)>,
    log: &mut Log,
    from: fieldseal_proof::ids::Link,
) -> Result<Chain> {
    let (key, admin) = (ed25519("tablet one, restored")?, ed25519("admin")?);
    let label = "tablet one, second life";
    let mut entry = super::key_logs::device(ledger, "tablet one", key.public(), admin.public())?;
    entry.incarnation = Some(fieldseal_proof::ids::IncarnationId::from_bytes(id(label)));
    entry.keys[1].public = ed25519("tablet one, restored, cosigner")?.public().as_bytes().to_vec();
    ledger.add(&entry, &admin)?;
    log_heads(ledger, ledger.size(), heads, log)?;
    let fresh = Author::new("tablet one", Box::new(ed25519("tablet one")?));
    let mut author = fresh.reborn(label, Box::new(key));
    (author.link, author.anchor) = (from, one.author.anchor);
    let mut restored = Chain { start: from, author, commitments: Vec::new() };
    let said = fields([("note/3f/text", Value::text("after a restore"))]);
    write(&mut restored, log, Place::Inspection, "note.record", said)?;
    Ok(restored)
}

/// The administrator revokes a key; the log takes the new head.
fn revoke(ledger: &mut Ledger, key: &dyn Signer, heads: &mut Vec<(u64, u64)>, log: &mut Log) -> Result<()> {
    let admin = ed25519("admin")?;
    let entry = Entry { target: Some(key.public().key_id()), ..ledger.entry("revoke", admin.public()) };
    ledger.add(&entry, &admin)?;
    log_heads(ledger, ledger.size(), heads, log)
}

/// Logs the heads up to a size that are not logged yet, one leaf for each entry.
fn log_heads(ledger: &Ledger, size: u64, heads: &mut Vec<(u64, u64)>, log: &mut Log) -> Result<()> {
    let keys = KeyLog::read(&ledger.bytes())?;
    for size in heads.len() as u64 + 1..=size {
        let head = keys.head_at(size).ok_or("no such head")?;
        heads.push((size, log.leaf(head_leaf(size, &head).as_bytes())));
    }
    Ok(())
}

fn quarantines(target: &Operation) -> Vec<(String, Value)> {
    fields([
        ("disposition/reason", Value::text("revoked")),
        ("disposition/state", Value::text("quarantined")),
        ("disposition/target", Value::bytes(target.id().as_bytes())),
    ])
}

fn roll_of(ledger: &Ledger, key_log: u64, one: &Chain, two: &Chain, server: &Chain, log: &Log) -> Result<Roll> {
    let ends = [
        end(one, log, Place::Inspection),
        end(two, log, Place::Inspection),
        end(two, log, Place::Case),
        end(server, log, Place::Case),
    ];
    Ok(Roll {
        size: log.tree.size(),
        key_log_size: key_log,
        key_log_head: KeyLog::read(&ledger.bytes())?.head_at(key_log).ok_or("no such head")?,
        streams: ends.into_iter().flatten().collect(),
    })
}
