//! The main job, told through the shipped programs: two tablets without a network, one ledger, a bundle that a stranger verifies.

pub mod cast;
pub mod ceremony;
pub mod console;
pub mod disaster;
pub mod field;
pub mod hearing;
pub mod mass;
pub mod network;
pub mod office;
pub mod stage;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use self::cast::{AGENCY, TABLETS};
use self::field::{Hand, Media};
use self::stage::text;
pub use self::stage::{Stage, Told};
use crate::proxy::Mode;
use crate::samples::{Kind, SampleSet};
use crate::steps::Steps;

/// How many steps the story has; real input is one more.
pub const STEPS: usize = 12;

/// A credit code that nobody imported: of an invented enterprise, both check digits right.
const STRANGER: &str = "91530100MA6K5XJ37C";

/// What the listener gets at the end.
pub struct Ending {
    /// An inspection that was closed: what comes for it later is set aside.
    pub closed: String,
    /// Lines of the summary.
    pub lines: Vec<String>,
    /// The verdict on the bundle.
    pub verdict: String,
}

/// Tells the whole story; an error names the act and its log.
pub fn tell<W: Write>(
    stage: &mut Stage,
    samples: &SampleSet,
    packs: &Path,
    data: Option<&Path>,
    steps: &mut Steps<W>,
) -> Told<Ending> {
    let media = media(samples)?;
    steps.begin("The ceremony: root key offline, administrator, server with one command");
    steps.say(&ceremony::found(stage)?);
    steps.begin("Rule packs and enterprises");
    steps.say(&ceremony::supply(stage, packs, &samples.enterprises_csv)?);
    steps.begin("Two tablets, four officers, the supervisor are enrolled");
    steps.say(&ceremony::enrol(stage)?);

    steps.begin("The supervisor assigns; the tablets fetch and lose the network");
    let assigned = office::assign(stage, 12)?;
    // The first goes to both tablets, the others in turn.
    for (tablet, own) in TABLETS
        .into_iter()
        .zip([assigned.len().div_ceil(2), assigned.len() / 2 + 1])
    {
        network::fetch(stage, tablet, own)?;
        network::drain(stage, tablet)?;
    }
    stage.proxy.set(Mode::Down);
    steps.say(&format!("{} inspections assigned; the network is down", assigned.len()));

    steps.begin("Days in the field, without a network");
    let sealed = field_days(stage, &assigned, &media, steps)?;
    steps.begin("A tablet is killed in the middle of writing");
    steps.say(&network::kill_while_writing(stage, &assigned[2])?);

    steps.begin("The network comes back and is cut in the middle of a film");
    let film = fs::metadata(&media.video).map_err(|e| e.to_string())?.len();
    steps.say(&network::cut_in_the_film(stage, film)?);
    let b7 = network::drain(stage, TABLETS[1])?;
    network::drain(stage, TABLETS[0])?;
    steps.say(&format!(
        "tablet B7 sent {} operations and {} files",
        b7.operations, b7.blobs
    ));

    steps.begin("The supervisor decides, joins, sends back, freezes and exports");
    let case = decide(stage, &assigned, steps)?;
    steps.begin("A stranger verifies");
    let (code, report) = hearing::verify(stage, &stage.path("bundle"))?;
    let verdict = text(&report, "verdict")?;
    steps.say(&format!(
        "{verdict} (exit {code}); time: {}; counts {}",
        report["time"], report["counts"]
    ));
    say_bracket(&report, steps);
    if code != 0 {
        return Err(format!("the bundle should be ANCHORED: {}", report["findings"]));
    }
    steps.begin("Copies are tampered with");
    for line in hearing::attack(stage)? {
        steps.say(&line);
    }
    steps.begin("Backup, wipe, restore");
    steps.say(&disaster::restore(stage, &assigned[2], &media)?);

    if let Some(data) = data {
        steps.begin("Real input: public inspections and media");
        for line in mass::run(stage, data, packs)? {
            steps.say(&line);
        }
    }

    steps.begin("What is where");
    let lines = vec![
        format!(
            "{AGENCY}: {} inspections, {sealed} pieces of evidence sealed on site, case {case}",
            assigned.len()
        ),
        format!("bundle     {}", stage.path("bundle").display()),
        format!("trust      {}", stage.path("trust").display()),
        format!("documents  {}", stage.path("documents").display()),
        format!("tampered   {}", stage.path("tampered").display()),
        format!("logs       {}", stage.path("logs").display()),
    ];
    lines.iter().for_each(|line| steps.say(line));
    steps.end();
    let closed = assigned[0].clone();
    Ok(Ending { closed, lines, verdict })
}

/// What to try on the server that stays up.
pub fn what_next(stage: &Stage, people: &[console::SignIn]) -> String {
    let program = stage.binaries.fieldseal.display();
    let out = stage.out.display();
    let accounts: Vec<String> = people
        .iter()
        .map(|one| format!("  {:13} {}  {}  ({})", one.role, one.user, one.password, one.name))
        .collect();
    format!(
        "The console is at https://{}/console (its certificate is self-signed: compare it with server/card.json). Sign in as\n{}\n\
         The supervisor first makes a signing key there (登记 → 我的签名密钥); the administrator approves it with\n  \
         FIELDSEAL_PIN='{}' {program} admin approve --all --admin {out}/admin --card {out}/admin/card.json\n\n\
         The server stays up at https://{} (Ctrl-C ends it). Try:\n  {program} verify {out}/bundle --trust {out}/trust\n  {program} supervisor cases --dir {out}/supervisor\n  {program} device status --dir {out}/tablets/a3\n  curl --insecure https://{}/checkpoint",
        stage.server_at(),
        accounts.join("\n"),
        cast::CEREMONY_PASSWORD,
        stage.server_at(),
        stage.server_at()
    )
}

fn media(samples: &SampleSet) -> Told<Media> {
    let one = |kind: Kind| {
        samples
            .of(kind)
            .next()
            .map(|s| s.path.clone())
            .ok_or_else(|| format!("no sample of kind {}", kind.name()))
    };
    let mut photos: Vec<PathBuf> = samples.of(Kind::Photo).map(|s| s.path.clone()).collect();
    photos.extend(samples.of(Kind::TruncatedPhoto).map(|s| s.path.clone()));
    Ok(Media {
        photos,
        gallery: one(Kind::GalleryPhoto)?,
        video: one(Kind::Video)?,
        audio: one(Kind::Audio)?,
    })
}

/// Several days on the tablets' clock port only; the checkpoints carry real time.
fn field_days<W: Write>(stage: &Stage, assigned: &[String], media: &Media, steps: &mut Steps<W>) -> Told<usize> {
    let strokes = stage.path("strokes.json");
    fs::write(&strokes, field::strokes().to_string()).map_err(|e| e.to_string())?;
    let first = Hand::new(stage, TABLETS[0], "2026-11-24", (9, 10));
    let mut sealed = field::inspect(&first, &assigned[0], media, &strokes)?;
    steps.say("day 1, tablet A3: a whole inspection with findings, film, statement, order, three signed documents");
    let second = Hand::new(stage, TABLETS[1], "2026-11-25", (10, 0));
    sealed += field::inspect_refused(&second, &assigned[1], media)?;
    steps.say("day 2, tablet B7: the person in charge refuses to sign; reason, witness and evidence stand in place");
    field::disagree(stage, &assigned[0], "2026-11-26")?;
    steps.say("day 3: both tablets answer the same item of the same inspection differently");
    field::same_stranger(stage, STRANGER, "2026-11-27")?;
    steps.say("day 4: both tablets create the same unknown enterprise");
    Ok(sealed)
}

fn decide<W: Write>(stage: &Stage, assigned: &[String], steps: &mut Steps<W>) -> Told<String> {
    let case = office::case_of(stage, &assigned[0])?;
    office::sync_until(stage, "the disagreement", || {
        let shown = office::supervisor(stage, "show", &[&case])?;
        Ok(!stage::list(&shown, "conflicts")?.is_empty())
    })?;
    office::sync_until(stage, "the double enterprise", || {
        let known = office::supervisor(stage, "enterprises", &[])?;
        Ok(!stage::list(&known, "duplicates")?.is_empty())
    })?;
    steps.say(&office::decide(stage, &case)?);
    steps.say(&office::join(stage)?);
    office::supervisor(
        stage,
        "return",
        &[&assigned[1], "--reason", "缺少现场负责人身份信息，请补充"],
    )?;
    office::supervisor(stage, "sync", &[])?;
    network::drain(stage, TABLETS[0])?;
    let closing = Hand::new(stage, TABLETS[0], "2026-11-28", (8, 30));
    closing.as_officer(0, "close", &[&assigned[0]])?;
    network::drain(stage, TABLETS[0])?;
    office::supervisor(stage, "sync", &[])?;
    steps.say("tablet A3 closes the inspection over everything that both tablets hold of it");
    office::supervisor(stage, "freeze", &[&case, "--reason", "拟作出处理决定，固定证据"])?;
    office::supervisor(stage, "sync", &[])?;
    network::drain(stage, TABLETS[1])?;
    let hand = Hand::new(stage, TABLETS[1], "2026-11-28", (9, 0));
    let returned = hand.run("show", &[&assigned[1]])?;
    if returned["returns"].as_array().is_none_or(Vec::is_empty) {
        return Err(format!(
            "tablet B7 does not see that the inspection was sent back: {returned}"
        ));
    }
    steps.say("one inspection sent back for correction; tablet B7 sees why");
    let seen = office::supervisor(stage, "show", &[&case])?;
    let bounded = |e: &&Value| e["bracket"]["not_after"]["unix_ms"].is_u64();
    let evidence = stage::list(&seen, "evidence")?;
    if evidence.is_empty() || !evidence.iter().all(|e| bounded(&e)) {
        return Err(format!(
            "the supervisor should see when each piece of evidence was sealed at the latest: {evidence:?}"
        ));
    }
    steps.say(&format!(
        "she sees {} pieces of evidence, each with custody and time bracket",
        evidence.len()
    ));
    let exported = office::export(stage, &case)?;
    steps.say(&format!(
        "evidence frozen; bundle of {} files, {} bytes",
        exported["files"], exported["bytes"]
    ));
    Ok(case)
}

/// The bracket of the first sealed item beside the tablet's clock: they visibly disagree.
fn say_bracket<W: Write>(report: &Value, steps: &mut Steps<W>) {
    if let Some(item) = report["items"]
        .as_array()
        .and_then(|items| items.iter().find(|i| i["class"] == "evidence"))
    {
        steps.say(&format!(
            "{}: bracket {} — the tablet's clock claims {}",
            item["title"], item["bracket"], item["clock_ms"]
        ));
    }
}
