//! The main job, told through the shipped programs: two tablets without a network, one ledger, a bundle that a stranger verifies.

pub mod arrived;
pub mod cast;
pub mod ceremony;
pub mod console;
mod days;
pub mod disaster;
pub mod field;
pub mod hearing;
pub mod mass;
pub mod network;
pub mod office;
mod plan;
pub mod stage;
mod summary;
mod tally;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use self::cast::TABLETS;
use self::days::day;
use self::field::{Hand, Media};
use self::plan::{Plan, Supply, Worked};
use self::stage::text;
pub use self::stage::{Stage, Told};
use crate::proxy::Mode;
use crate::samples::{Kind, SampleSet};
use crate::steps::Steps;

/// How many steps the story has; real input is one more.
pub const STEPS: usize = 13;
/// How many of them the brief story leaves out.
pub const LEFT_OUT: usize = 3;

/// A credit code that nobody imported: of an invented enterprise, both check digits right.
const STRANGER: &str = "91530100MA6K5XJ37C";
/// Photographs of the first inspection; the others are handed round among the rest.
const PHOTOS: usize = 8;
/// Inspections that are done command by command; the others are batches from the plan.
const BY_HAND: [usize; 2] = [0, 1];
/// An inspection that stays open: a tablet is killed over it, and the server is restored under it.
const OPEN: usize = 2;

/// What the listener gets at the end.
pub struct Ending {
    /// An inspection that was closed: what comes for it later is set aside.
    pub closed: String,
    /// Lines of the summary.
    pub lines: Vec<String>,
    /// The verdict on the bundle.
    pub verdict: String,
}

/// What of the story is told.
#[derive(Clone, Copy)]
pub struct Telling<'a> {
    /// Only the inspections that are done by hand, and none of the misfortunes: what a look at the console or a verdict needs.
    pub brief: bool,
    /// Real input, for one more act.
    pub data: Option<&'a Path>,
}

/// Tells the story; an error names the act and its log.
pub fn tell<W: Write>(
    stage: &mut Stage,
    samples: &SampleSet,
    packs: &Path,
    telling: Telling<'_>,
    steps: &mut Steps<W>,
) -> Told<Ending> {
    let Telling { brief, data } = telling;
    let props = Props::of(samples)?;
    steps.begin("The ceremony: root key offline, administrator, server");
    steps.say(&ceremony::found(stage)?);
    steps.begin("Rule packs and enterprises");
    steps.say(&ceremony::supply(stage, packs, &samples.enterprises_csv)?);
    steps.begin("Two tablets, four officers, the supervisor are enrolled");
    steps.say(&ceremony::enrol(stage)?);

    steps.begin("The supervisor assigns; the tablets fetch and lose the network");
    let enterprises = match brief {
        true => &samples.enterprises[..=OPEN],
        false => &samples.enterprises[..],
    };
    let assigned = office::assign(stage, enterprises, |n| props.plan.day(n))?;
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
    let worked = field_days(stage, &assigned, &props, brief, steps)?;
    if !brief {
        steps.begin("A tablet is killed in the middle of writing");
        steps.say(&network::kill_while_writing(stage, &assigned[OPEN], &day(5))?);
    }

    steps.begin("The network comes back, and is cut in the middle of a film");
    reconnect(stage, &assigned, &props, steps)?;
    steps.begin("Everything arrives once");
    let once = arrived::once(stage)?;
    steps.say(&once);

    steps.begin("The supervisor decides, joins, sends back, freezes and exports");
    let case = decide(stage, &assigned, steps)?;
    steps.begin("A stranger verifies");
    let (code, report) = hearing::verify(stage, &stage.path("bundle"))?;
    let verdict = text(&report, "verdict")?;
    steps.say(&format!(
        "{verdict} (exit {code}); time: {}; counts {}",
        report["time"], report["counts"]
    ));
    if code != 0 {
        return Err(format!("the bundle should be ANCHORED: {}", report["findings"]));
    }
    for sentence in hearing::read_aloud(stage, &report)? {
        steps.say(&sentence);
    }
    steps.say(&why_the_clock_differs(stage)?);
    let mut attacks = Vec::new();
    if !brief {
        steps.begin("Copies are tampered with");
        attacks = hearing::attack(stage)?;
        attacks.iter().for_each(|line| steps.say(line));
        steps.begin("Backup, wipe, restore");
        let healed = disaster::restore(stage, &assigned[OPEN], &props.received, &day(9))?;
        steps.say(&healed);
    }

    let mut mass = Vec::new();
    if let Some(data) = data {
        steps.begin("Real input: public inspections and media");
        mass = mass::run(stage, data, packs)?;
        mass.iter().for_each(|line| steps.say(line));
    }

    steps.begin("What was done, and where it is");
    let lines = summary::lines(
        stage,
        &summary::Facts {
            assigned: assigned.len(),
            worked,
            case: &case,
            verdict: &verdict,
            attacks: &attacks,
            mass: &mass,
            acts: steps.acts(),
        },
    );
    lines.iter().for_each(|line| steps.say(line));
    steps.end();
    let closed = assigned[0].clone();
    Ok(Ending { closed, lines, verdict })
}

/// What to try on the server that stays up.
pub fn what_next(stage: &Stage, people: &[console::SignIn]) -> String {
    let server = stage.server_process().map_or_else(String::new, |id| id.to_string());
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
         The server stays up at https://{} (process {server}; Ctrl-C ends it). Try:\n  {program} verify {out}/bundle --trust {out}/trust\n  {program} supervisor cases --dir {out}/supervisor\n  {program} device status --dir {out}/tablets/a3\n  curl --insecure https://{}/checkpoint",
        stage.server_at(),
        accounts.join("\n"),
        cast::CEREMONY_PASSWORD,
        stage.server_at(),
        stage.server_at()
    )
}

/// What the officers have with them.
struct Props {
    media: Media,
    supply: Supply,
    /// A film of the work after an order.
    after_work: PathBuf,
    /// A photograph that somebody sends later.
    received: PathBuf,
    plan: Plan,
}

impl Props {
    fn of(samples: &SampleSet) -> Told<Self> {
        let all = |kind: Kind| samples.of(kind).map(|sample| sample.path.clone()).collect::<Vec<_>>();
        let nth = |kind: Kind, n: usize| {
            let found = samples.of(kind).nth(n).map(|sample| sample.path.clone());
            found.ok_or_else(|| format!("no sample {n} of kind {}", kind.name()))
        };
        let mut photos = all(Kind::Photo);
        let more = photos.split_off(PHOTOS.min(photos.len()));
        photos.extend(all(Kind::TruncatedPhoto));
        let audio = nth(Kind::Audio, 0)?;
        Ok(Self {
            supply: Supply::new(more, nth(Kind::Video, 1)?, audio.clone())?,
            after_work: nth(Kind::Video, 2)?,
            received: nth(Kind::PhotoWithoutExif, 0)?,
            plan: Plan::read(&samples.inspections_json)?,
            media: Media {
                photos,
                gallery: nth(Kind::GalleryPhoto, 0)?,
                video: nth(Kind::Video, 0)?,
                audio,
            },
        })
    }
}

/// Why the tablet's clock and the bracket disagree: the tablet itself says that its clock was set by hand.
fn why_the_clock_differs(stage: &Stage) -> Told<String> {
    let hand = Hand::new(stage, TABLETS[0], &day(7), (10, 0));
    let status = hand.run("status", &[])?;
    match stage::list(&status, "remarks")?
        .iter()
        .any(|remark| remark == "clock_by_hand")
    {
        true => Ok(
            "why: the tablet's clock is set by hand, as its own status says; a record carries it as a claim only"
                .into(),
        ),
        false => Err(format!(
            "the tablet should say that its clock was set by hand: {status}"
        )),
    }
}

/// Several days on the tablets' clock port only; the checkpoints carry real time.
fn field_days<W: Write>(
    stage: &Stage,
    assigned: &[String],
    props: &Props,
    brief: bool,
    steps: &mut Steps<W>,
) -> Told<Worked> {
    let strokes = stage.path("strokes.json");
    fs::write(&strokes, field::strokes().to_string()).map_err(|e| e.to_string())?;
    let mut all = Worked::default();
    // Briefly told, there is the first day alone, and on it what is done by hand.
    for on in (0..props.plan.days()).filter(|on| !brief || *on == 0) {
        for (n, tablet) in TABLETS.into_iter().enumerate() {
            let hand = Hand::new(stage, tablet, &day(on), (9, 10));
            let mut worked = match on {
                0 => by_hand(&hand, n, assigned, props, &strokes)?,
                _ => Worked::default(),
            };
            if !brief {
                let due = props.plan.of(n, on, &BY_HAND);
                worked.add(plan::work(&hand, &props.plan, &due, &[OPEN], assigned, &props.supply)?);
            }
            all.add(worked);
            steps.say(&format!(
                "day {}, tablet {}: {} inspections, {} findings, {} files sealed",
                on + 1,
                tablet.name,
                worked.inspections,
                worked.findings,
                worked.evidence
            ));
        }
    }
    let next = props.plan.days();
    field::disagree(stage, &assigned[0], &day(next))?;
    steps.say("then both tablets answer the same item of the same inspection differently");
    field::same_stranger(stage, STRANGER, &day(next + 1))?;
    steps.say("and both create the same unknown enterprise");
    Ok(all)
}

/// The two inspections that are done command by command, one a tablet.
fn by_hand(hand: &Hand<'_>, tablet: usize, assigned: &[String], props: &Props, strokes: &Path) -> Told<Worked> {
    let (findings, evidence) = match tablet {
        0 => (2, field::inspect(hand, &assigned[0], &props.media, strokes)?),
        // Here the person in charge refuses to sign; reason, witness and evidence stand in place.
        _ => (1, field::inspect_refused(hand, &assigned[1], &props.media)?),
    };
    Ok(Worked {
        inspections: 1,
        lines: 0,
        findings,
        evidence,
    })
}

fn reconnect<W: Write>(stage: &Stage, assigned: &[String], props: &Props, steps: &mut Steps<W>) -> Told<()> {
    stage.proxy.set(Mode::Pass);
    for tablet in TABLETS {
        let sent = network::drain(stage, tablet)?;
        steps.say(&format!(
            "tablet {} sent {} operations and {} files",
            tablet.name, sent.operations, sent.blobs
        ));
    }
    let hand = Hand::new(stage, TABLETS[0], &day(6), (10, 0));
    steps.say(&network::cut_in_the_film(
        stage,
        &hand,
        &assigned[0],
        &props.after_work,
    )?);
    // Each hears what the other has sent.
    TABLETS
        .iter()
        .try_for_each(|tablet| network::drain(stage, *tablet).map(drop))
}

fn decide<W: Write>(stage: &Stage, assigned: &[String], steps: &mut Steps<W>) -> Told<String> {
    office::supervisor(stage, "sync", &["--wait", "60"])?;
    let case = office::case_of(stage, &assigned[0])?;
    office::sync_until(stage, "the disagreement", || {
        let shown = office::supervisor(stage, "show", &[&case])?;
        Ok(!stage::list(&shown, "conflicts")?.is_empty())
    })?;
    office::sync_until(stage, "the double enterprise", || {
        let known = office::supervisor(stage, "enterprises", &[])?;
        Ok(!stage::list(&known, "duplicates")?.is_empty())
    })?;
    for line in office::on_the_road(stage, &case, &assigned[1])? {
        steps.say(&line);
    }
    network::drain(stage, TABLETS[0])?;
    let closing = Hand::new(stage, TABLETS[0], &day(7), (8, 30));
    closing.as_officer(0, "close", &[&assigned[0]])?;
    network::drain(stage, TABLETS[0])?;
    office::supervisor(stage, "sync", &[])?;
    steps.say("tablet a3 closes the inspection over everything that both tablets hold of it");
    office::supervisor(stage, "freeze", &[&case, "--reason", "拟作出处理决定，固定证据"])?;
    office::supervisor(stage, "sync", &[])?;
    network::drain(stage, TABLETS[1])?;
    let hand = Hand::new(stage, TABLETS[1], &day(7), (9, 0));
    let returned = hand.run("show", &[&assigned[1]])?;
    if returned["returns"].as_array().is_none_or(Vec::is_empty) {
        return Err(format!(
            "tablet B7 does not see that the inspection was sent back: {returned}"
        ));
    }
    steps.say("tablet b7 sees that its inspection was sent back, and why");
    steps.say(&office::see_evidence(stage, &case)?);
    let exported = office::export(stage, &case)?;
    steps.say(&format!(
        "evidence frozen; bundle of {} files, {} bytes",
        exported["files"], exported["bytes"]
    ));
    Ok(case)
}
