use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fieldseal_proof::body::Body;
use fieldseal_proof::ids::TenantId;
use fieldseal_testkit::{Ceremony, signer, text};

use super::*;
use crate::catalogue::Lang;
use crate::domain::Day;

fn folder(name: &str) -> BTreeMap<String, Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("packs").join(name);
    let mut files = BTreeMap::new();
    let mut open = vec![root.clone()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.insert(inside(&root, &path), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn inside(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/")
}

/// A shipped pack, read.
pub(crate) fn shipped(name: &str) -> RulePack {
    let bytes = PackSource::read(folder(name)).unwrap().build().unwrap();
    RulePack::parse(&bytes).unwrap()
}

fn edited(file: &str, edit: impl Fn(String) -> String) -> Result<Vec<u8>, PackError> {
    let mut files = folder("cn-work-safety");
    let text = String::from_utf8(files.remove(file).unwrap()).unwrap();
    let after = edit(text.clone());
    assert_ne!(text, after, "the edit changed nothing");
    files.insert(file.into(), after.into_bytes());
    PackSource::read(files)?.build()
}

#[test]
fn the_shipped_packs_are_whole() {
    let pack = shipped("cn-work-safety");
    assert!(pack.clauses().len() >= 30);
    assert_eq!(
        (pack.items().len(), pack.checklists().len(), pack.grades().len()),
        (25, 6, 3)
    );
    let item = pack.item("e1").unwrap();
    assert_eq!(
        pack.clause(&item.duty).unwrap().cite.text(Lang::Zh),
        "《中华人民共和国安全生产法》第四十二条第二款"
    );
    let violation = pack.violation(item.violation.as_deref().unwrap()).unwrap();
    assert!(pack.clause(&violation.penalty[0]).unwrap().text.contains("锁闭、封堵"));
    assert!(pack.grade("major").unwrap().suspension);
    assert_eq!(pack.evidence_kinds().len(), 8);
    let remedy: String = pack
        .remedy("rectification_order")
        .unwrap()
        .into_iter()
        .map(|p| p.text)
        .collect();
    assert!(remedy.contains("60日内向云岭县人民政府申请行政复议，或者在6个月内依法向云岭县人民法院提起行政诉讼"));
    for sentence in [
        "credentials",
        "record_opening",
        "record_nothing",
        "record_counts",
        "record_evidence",
        "record_statement",
        "holder_word",
        "claim_remark",
        "media.image",
        "media.video",
        "media.audio",
        "media.document",
        "media.other",
    ] {
        assert!(
            pack.sentence(sentence).is_some() && shipped("us-osha").sentence(sentence).is_some(),
            "{sentence}"
        );
    }
    assert!(pack.file("templates/common.typ").is_some());
    assert!(pack.file("templates/README.md").is_none());
    assert!(shipped("us-osha").head().open_clauses);
}

#[test]
fn numbers_are_written_as_the_pack_says() {
    let pack = shipped("cn-work-safety");
    let number = format_number(pack.series("rectification_order").unwrap(), pack.agency(), 2026, 12);
    assert_eq!(number.text, "（云岭）应急责改〔2026〕12号");
    let us = shipped("us-osha");
    assert_eq!(
        format_number(us.series("inspection_report").unwrap(), us.agency(), 2026, 3).text,
        "EC-IR-2026-3"
    );
}

#[test]
fn the_bytes_depend_on_the_files_alone() {
    let build = || PackSource::read(folder("cn-work-safety")).unwrap().build().unwrap();
    assert_eq!(pack_hash(&build()), pack_hash(&build()));
    let other = edited("grades.toml", |text| text.replace("rank = 3", "rank = 4")).unwrap();
    assert_ne!(pack_hash(&other), pack_hash(&build()));
    let (_, source) = PackSource::open(&build()).unwrap();
    assert_eq!(source.build().unwrap(), build());
}

#[test]
fn what_is_wrong_is_named_by_file_and_key() {
    let said = |result: Result<Vec<u8>, PackError>| result.unwrap_err().to_string();
    let unknown_key = said(edited("grades.toml", |text| text.replace("rank = 3", "rang = 3")));
    assert!(
        unknown_key.contains("grades.toml") && unknown_key.contains("rang"),
        "{unknown_key}"
    );
    let no_target = said(edited("items.toml", |text| {
        text.replace("duty = \"spl.35\"", "duty = \"spl.999\"")
    }));
    assert!(
        no_target.contains("items.toml") && no_target.contains("s1") && no_target.contains("spl.999"),
        "{no_target}"
    );
    let twice = said(edited("grades.toml", |text| text.replace("\"larger\"", "\"major\"")));
    assert!(twice.contains("grades.toml: major stands twice"), "{twice}");
    let date = said(edited("clauses.toml", |text| {
        text.replacen("2021-09-01", "2021-09-31", 1)
    }));
    assert!(date.contains("clauses.toml") && date.contains("2021-09-31"), "{date}");
    let bracket = said(edited("numbers.toml", |text| {
        text.replacen("〔{year}〕", "[{year}]", 1)
    }));
    assert!(bracket.contains("numbers.toml"), "{bracket}");
    let template = said(edited("documents.toml", |text| {
        text.replace("template = \"rectification_order\"", "template = \"none\"")
    }));
    assert!(template.contains("templates/none.typ"), "{template}");
    let not_text = said(edited("pack.toml", |_| "\u{0}".into()));
    assert!(not_text.contains("pack.toml"), "{not_text}");
}

#[test]
fn names_and_sizes_are_bounded() {
    let with = |name: &str| PackSource::read([(name.to_owned(), vec![])].into());
    for name in ["../x", "a/../b", "A.toml", "a\\b", "a//b", "/a", "表.toml", ""] {
        assert!(matches!(with(name), Err(PackError::Name { .. })), "{name}");
    }
    let many = (0..=MAX_PACK_FILES).map(|n| (format!("f{n}"), vec![])).collect();
    assert!(matches!(PackSource::read(many), Err(PackError::TooMany { .. })));
    let big = [("big".to_owned(), vec![0; MAX_PACK_BYTES + 1])].into();
    assert!(matches!(PackSource::read(big), Err(PackError::TooMany { .. })));
    for broken in [&b""[..], b"\xff", b"\xa0", b"\xa1\x00\x01"] {
        assert!(matches!(RulePack::parse(broken), Err(PackError::Form { .. })));
    }
    let good = PackSource::read(folder("us-osha")).unwrap().build().unwrap();
    assert!(RulePack::parse(&good[..good.len() - 1]).is_err());
}

#[test]
fn only_an_administrator_or_the_root_publishes() {
    let mut ceremony = Ceremony::new(TenantId::from_bytes([1; 16]), 1);
    ceremony.admin(9, 2);
    let name = Body::build([4; 32], vec![text("name", "王强")]).unwrap();
    ceremony.officer(8, 3, "officer", name);
    let (keys, root, admin, officer) = (ceremony.log(), signer(1), signer(2), signer(3));
    let pack = PackSource::read(folder("us-osha")).unwrap().build().unwrap();
    let file = PackFile::sign(pack.clone(), &admin).unwrap();
    assert_eq!(PackFile::decode(&file.encode()).unwrap(), file);
    assert_eq!(file.verify(keys).unwrap().hash(), file.hash());
    assert!(PackFile::sign(pack.clone(), &root).unwrap().verify(keys).is_ok());
    assert_eq!(
        PackFile::sign(pack.clone(), &signer(7))
            .unwrap()
            .verify(keys)
            .unwrap_err()
            .code(),
        "pack_key"
    );
    assert_eq!(
        PackFile::sign(pack.clone(), &officer)
            .unwrap()
            .verify(keys)
            .unwrap_err()
            .code(),
        "pack_key"
    );
    let mut forged = file.encode();
    let at = forged.windows(7).position(|w| w == b"General").unwrap();
    forged[at] = b'g';
    assert_eq!(
        PackFile::decode(&forged).unwrap().verify(keys).unwrap_err().code(),
        "pack_signature"
    );
    assert!(PackFile::sign(b"no pack".to_vec(), &admin).is_err());
}

#[test]
fn the_date_chooses() {
    let day = |text: &str| Day::parse("date", text).unwrap();
    let mut shelf = PackShelf::default();
    shelf.add(shipped("cn-work-safety"));
    let newer = edited("pack.toml", |t| {
        t.replace("2024-01-01", "2026-02-01").replace("0.1.0", "0.2.0")
    })
    .unwrap();
    let newer = RulePack::parse(&newer).unwrap();
    shelf.add(newer.clone());
    shelf.add(newer.clone());
    assert_eq!(shelf.packs().len(), 2);
    assert_eq!(shelf.chosen("CN", day("2026-01-31")).unwrap().head().version, "0.1.0");
    assert_eq!(shelf.chosen("CN", day("2026-02-01")).unwrap().hash(), newer.hash());
    assert!(shelf.chosen("CN", day("2023-12-31")).is_none());
    assert!(shelf.chosen("US", day("2026-02-01")).is_none());
    let clause = newer.clause("spl.42.2").unwrap();
    assert!(clause.in_force(day("2021-09-01")) && !clause.in_force(day("2021-08-31")));
}
