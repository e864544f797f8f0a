//! The days in the field: no network, two officers on each tablet, everything an inspection needs.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::cast::{TABLETS, Tablet};
use super::days::day;
use super::stage::{Stage, Told, text};

/// A tablet at a moment of its own clock.
pub struct Hand<'a> {
    pub(super) stage: &'a Stage,
    pub(super) tablet: Tablet,
    pub(super) dir: String,
    day: String,
    minute: Cell<u32>,
}

impl<'a> Hand<'a> {
    /// The tablet on a day, from an hour and minute on, with its clock port set by hand.
    pub fn new(stage: &'a Stage, tablet: Tablet, day: &str, start: (u32, u32)) -> Self {
        let dir = stage.arg(&format!("tablets/{}", tablet.name));
        Self {
            stage,
            tablet,
            dir,
            day: day.to_owned(),
            minute: Cell::new(start.0 * 60 + start.1),
        }
    }

    /// What the tablet's clock port says now; every act takes two minutes of the story.
    pub(super) fn clock(&self) -> String {
        let now = self.minute.get();
        self.minute.set(now + 2);
        format!("{}T{:02}:{:02}:00+08:00", self.day, now / 60 % 24, now % 60)
    }

    /// Nothing happens before this hour and minute.
    pub(super) fn not_before(&self, start: (u32, u32)) {
        self.minute.set(self.minute.get().max(start.0 * 60 + start.1));
    }

    /// A command of one of its two officers.
    pub fn as_officer(&self, which: usize, verb: &str, words: &[&str]) -> Told<Value> {
        let (officer, clock) = (self.tablet.officers[which], self.clock());
        let mut all = vec![
            "device",
            verb,
            "--dir",
            &self.dir,
            "--clock",
            &clock,
            "--officer",
            officer.certificate,
        ];
        all.extend(words);
        self.stage
            .fieldseal(&format!("{}-{verb}", self.tablet.name), officer.pin, &all)
    }

    /// A command that no officer signs.
    pub fn run(&self, verb: &str, words: &[&str]) -> Told<Value> {
        let clock = self.clock();
        let mut all = vec!["device", verb, "--dir", &self.dir, "--clock", &clock];
        all.extend(words);
        self.stage.fieldseal(&format!("{}-{verb}", self.tablet.name), "", &all)
    }

    /// Both officers sign what was made, each with the own key.
    pub fn both_attest(&self, operation: &str) -> Told<()> {
        self.as_officer(0, "attest", &[operation, "--meaning", "made"])?;
        self.as_officer(1, "attest", &[operation, "--meaning", "made"])
            .map(drop)
    }

    /// Issues a document, keeps a copy for people, and gives (document, operation).
    pub fn document(&self, inspection: &str, kind: &str) -> Told<(String, String)> {
        let out = self.stage.path("documents");
        fs::create_dir_all(&out).map_err(|e| e.to_string())?;
        let out = out.display().to_string();
        let issued = self.as_officer(0, "document", &[inspection, "--type", kind, "--out", &out])?;
        Ok((text(&issued, "id")?, text(&issued, "operation")?))
    }
}

/// The media that an inspection uses, by role.
#[derive(Clone)]
pub struct Media {
    /// Photographs taken on the spot.
    pub photos: Vec<PathBuf>,
    /// One photograph from a gallery.
    pub gallery: PathBuf,
    /// A film.
    pub video: PathBuf,
    /// A recorded statement.
    pub audio: PathBuf,
}

/// A whole inspection with findings: credentials, checklist, findings, photographs, film, statement, order, three documents.
/// It is closed later, when both tablets' work is together.
pub fn inspect(hand: &Hand<'_>, inspection: &str, media: &Media, strokes: &Path) -> Told<usize> {
    let shown = hand.as_officer(0, "credentials", &[inspection, "--shown-to", "钱守业"])?;
    hand.both_attest(&text(&shown, "operation")?)?;
    for (item, result) in [
        ("s1", "violation"),
        ("e1", "violation"),
        ("t2", "ok"),
        ("o1", "not_applicable"),
    ] {
        hand.as_officer(0, "check", &[inspection, item, result])?;
    }
    let mut sealed = 0;
    let mut findings = Vec::new();
    for (item, grade, place, words) in [
        ("s1", "general", "原料罐区", "罐区动火作业点未设置安全警示标志。"),
        ("e1", "larger", "二车间东侧", "疏散通道被成品货架堵塞，宽度不足一米。"),
    ] {
        let made = hand.as_officer(
            0,
            "finding",
            &[
                inspection, "--item", item, "--text", words, "--grade", grade, "--place", place,
            ],
        )?;
        findings.push(text(&made, "id")?);
    }
    for (n, photo) in media.photos.iter().enumerate() {
        let path = photo.display().to_string();
        let finding = &findings[n % findings.len()];
        let title = format!("现场照片 {}", n + 1);
        let words = [
            inspection,
            "--file",
            &path,
            "--acquisition",
            "camera",
            "--kind",
            "audio_visual",
            "--title",
            &title,
            "--proves",
            "现场状况",
            "--finding",
            finding,
            "--lat",
            "25.0453",
            "--lon",
            "102.7097",
            "--accuracy",
            "8",
        ];
        hand.as_officer(n % 2, "capture", &words)?;
        sealed += 1;
    }
    for (path, acquisition, kind, title) in [
        (&media.video, "recorder", "audio_visual", "检查过程录像"),
        (&media.audio, "recorder", "audio_visual", "现场负责人陈述录音"),
        (&media.gallery, "imported", "electronic_data", "企业相册中的照片"),
    ] {
        let path = path.display().to_string();
        let words = [
            inspection,
            "--file",
            &path,
            "--acquisition",
            acquisition,
            "--kind",
            kind,
            "--title",
            title,
            "--proves",
            "检查经过",
        ];
        hand.as_officer(1, "capture", &words)?;
        sealed += 1;
    }
    let lines = [
        "--line",
        "问：现场发现的问题是否属实？答：属实。",
        "--line",
        "问：还有什么需要说明的？答：没有，会按期整改。",
    ];
    let mut statement = vec![inspection, "--person", "钱守业", "--role", "现场负责人"];
    statement.extend(lines);
    hand.as_officer(0, "statement", &statement)?;
    for (finding, words, due) in [
        (&findings[0], "设置明显的安全警示标志", day(15)),
        (&findings[1], "清理疏散通道并保持畅通", day(22)),
    ] {
        hand.as_officer(
            0,
            "order",
            &[inspection, "--finding", finding, "--text", words, "--due", &due],
        )?;
    }
    for kind in ["inspection_record", "rectification_order", "electronic_data_list"] {
        let (document, operation) = hand.document(inspection, kind)?;
        let (strokes, out) = (strokes.display().to_string(), hand.stage.arg("documents"));
        let role = if kind == "electronic_data_list" {
            "holder"
        } else {
            "responsible"
        };
        for (which, officer_role) in ["officer", "second_officer"].into_iter().enumerate() {
            let name = hand.tablet.officers[which].name;
            let mut words = vec![document.as_str(), "--role", officer_role, "--name", name];
            words.extend(["--strokes", &strokes, "--out", &out]);
            hand.as_officer(which, "sign", &words)?;
        }
        hand.as_officer(
            0,
            "sign",
            &[
                &document,
                "--role",
                role,
                "--name",
                "钱守业",
                "--strokes",
                &strokes,
                "--out",
                &out,
            ],
        )?;
        hand.both_attest(&operation)?;
    }
    Ok(sealed)
}

/// A short inspection whose record the person in charge refuses to sign.
pub fn inspect_refused(hand: &Hand<'_>, inspection: &str, media: &Media) -> Told<usize> {
    let shown = hand.as_officer(0, "credentials", &[inspection, "--shown-to", "赵启明"])?;
    hand.both_attest(&text(&shown, "operation")?)?;
    hand.as_officer(0, "check", &[inspection, "e1", "violation"])?;
    let words = [
        inspection,
        "--item",
        "e1",
        "--text",
        "安全出口上锁。",
        "--grade",
        "major",
        "--place",
        "甲类仓库",
    ];
    let finding = text(&hand.as_officer(0, "finding", &words)?, "id")?;
    let path = media.photos[0].display().to_string();
    let words = [
        inspection,
        "--file",
        &path,
        "--acquisition",
        "camera",
        "--kind",
        "audio_visual",
        "--title",
        "上锁的安全出口",
        "--proves",
        "出口上锁",
        "--finding",
        &finding,
    ];
    let evidence = text(&hand.as_officer(1, "capture", &words)?, "id")?;
    let (document, operation) = hand.document(inspection, "inspection_record")?;
    let words = [
        document.as_str(),
        "--role",
        "responsible",
        "--name",
        "赵启明",
        "--reason",
        "认为问题已当场整改",
        "--witness",
        "村委会工作人员 李青禾",
        "--evidence",
        &evidence,
    ];
    hand.as_officer(0, "refuse", &words)?;
    hand.both_attest(&operation)?;
    hand.as_officer(0, "close", &[inspection])?;
    Ok(1)
}

/// Both tablets visit the same enterprise: they answer one item differently, and neither knows of the other.
pub fn disagree(stage: &Stage, inspection: &str, day: &str) -> Told<()> {
    for ((tablet, start), result) in TABLETS.into_iter().zip([(9, 0), (9, 30)]).zip(["violation", "ok"]) {
        let hand = Hand::new(stage, tablet, day, start);
        hand.as_officer(0, "check", &[inspection, "r4", result])?;
    }
    Ok(())
}

/// Both tablets meet an enterprise that nobody knows and begin an inspection there; gives the two inspections.
pub fn same_stranger(stage: &Stage, code: &str, day: &str) -> Told<[String; 2]> {
    let mut begun = Vec::new();
    for ((tablet, start), name) in TABLETS
        .into_iter()
        .zip([(14, 0), (14, 20)])
        .zip(["云岭县新合木业有限公司", "云岭新合木业有限公司"])
    {
        let hand = Hand::new(stage, tablet, day, start);
        let words = [
            "--title",
            name,
            "--new-enterprise",
            name,
            "--credit-code",
            code,
            "--address",
            "云岭县临江工业园区纬五路2号",
            "--place",
            "木工车间",
        ];
        begun.push(text(&hand.as_officer(0, "begin", &words)?, "id")?);
    }
    let [a, b] = <[String; 2]>::try_from(begun).map_err(|_| "two inspections were expected".to_owned())?;
    Ok([a, b])
}

/// Strokes of a signature in the signing box, as a pen would draw them.
pub fn strokes() -> Value {
    let stroke = |n: u64, x0: u64, y0: u64, bend: u64| {
        let points = (0..24u64).map(|i| json!([x0 + i * 90, y0 + (i * i * bend) / 24 % 2600, n * 400 + i * 11]));
        Value::Array(points.collect())
    };
    json!([
        stroke(0, 900, 3000, 40),
        stroke(1, 3400, 2600, 65),
        stroke(2, 6100, 3300, 30)
    ])
}
