//! Assigning, joining and freezing in the console: the form, the confirm page, the signature, and what stands afterwards.

use std::collections::BTreeMap;
use std::path::Path;

use fieldseal_core::pack::{PackFile, PackSource};
use fieldseal_proof::attest::{Attestation, Place};
use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::*;
use fieldseal_proof::operation::Operation;
use fieldseal_testkit::text;
use reqwest::{Method, StatusCode};

use crate::console::location;
use crate::console_sign::{Supervisor, agency};
use crate::world::*;

const CODE: &str = "91350100M000100Y43";

/// The one operation of a kind that the feed holds, signed by the supervisor right behind it.
async fn written(world: &World, reader: &Device, kind: &str, by: &Supervisor) -> Operation {
    let all: Vec<Operation> = world
        .feed(reader, &mut String::new())
        .await
        .into_iter()
        .map(|(_, operation)| operation)
        .collect();
    let at = all
        .iter()
        .position(|operation| operation.header().kind == kind)
        .unwrap_or_else(|| panic!("no {kind} is in the feed"));
    assert_eq!(all.iter().filter(|one| one.header().kind == kind).count(), 1, "{kind}");
    let signed = all[at..]
        .iter()
        .find(|one| one.header().kind == "attest")
        .unwrap_or_else(|| panic!("nobody signed {kind}"));
    let attest = Attestation::read(signed.body().unwrap()).unwrap();
    assert_eq!(attest.targets, [all[at].id()]);
    attest.verify(&Place::of(signed), by.key_public()).unwrap();
    all[at].clone()
}

/// The text of the field whose path ends so.
fn said(operation: &Operation, ending: &str) -> Option<String> {
    let body = operation.body()?;
    let field = body.fields().iter().find(|field| field.path.ends_with(ending))?;
    body.get(&field.path)?.as_text().map(str::to_owned)
}

/// Enterprises as the administrator's table has them.
pub async fn import(world: &World, table: &str) {
    let admin = world.admin_token();
    let request = world.ask(Method::POST, "/v1/admin/enterprises", &admin);
    let (status, answer) = world.json(request.body(table.to_owned())).await;
    assert_eq!(status, 200, "{answer}");
}

/// Ids of the enterprises that a search finds, in the order of the list.
async fn found(by: &mut Supervisor, words: &str) -> Vec<EnterpriseId> {
    let query: String = words.bytes().map(|b| format!("%{b:02X}")).collect();
    let (status, list) = by.browser.get(&format!("/console/enterprises?q={query}")).await;
    assert_eq!(status, 200, "{list}");
    list.split("href=\"/console/enterprises/")
        .skip(1)
        .filter_map(|rest| rest.get(..36)?.parse().ok())
        .collect()
}

/// An officer of the agency, whose certificate the root key signed.
pub async fn officer(world: &mut World, n: u8, name: &str) -> OfficerId {
    let fields = vec![text("name", name), text("certificate", &format!("云应急执{n:04}"))];
    let attributes = Body::build(sha256(name.as_bytes()), fields).unwrap();
    let frame = world.ceremony.officer(n, n, "officer", attributes);
    let admin = world.admin_token();
    let (status, answer) = world
        .json(world.ask(Method::POST, "/v1/admin/key-log", &admin).body(frame))
        .await;
    assert_eq!(status, 200, "{answer}");
    OfficerId::from_bytes([n; 16])
}

/// Publishes a shipped pack, whose folder is called `pack`.
pub async fn publish(world: &World, pack: &str) -> PackHash {
    fn collect(base: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(base, &path, files);
            } else {
                let name = path.strip_prefix(base).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/packs").join(pack);
    let mut files = BTreeMap::new();
    collect(&base, &base, &mut files);
    let bytes = PackSource::read(files).unwrap().build().unwrap();
    let file = PackFile::sign(bytes, &world.admin_key()).unwrap();
    let admin = world.admin_token();
    let (status, answer) = world
        .json(world.ask(Method::POST, "/v1/admin/packs", &admin).body(file.encode()))
        .await;
    assert_eq!(status, 200, "{answer}");
    file.hash()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inspection_is_assigned_to_people_and_tablets_and_the_tablet_receives_it() {
    let (mut world, [tablet, _], laptop) = agency().await;
    import(
        &world,
        &format!("企业名称,统一社会信用代码,地址\n恒泰精细化工有限公司,{CODE},临江工业园区纬三路18号\n"),
    )
    .await;
    world.feed(&laptop, &mut String::new()).await;
    let mut zhou = Supervisor::new(&mut world, "S-1", 7).await;
    let he = officer(&mut world, 60, "何青川").await;
    let enterprise = found(&mut zhou, "恒泰").await[0].to_string();
    let (officer, device) = (he.to_string(), tablet.id.to_string());
    let whole = [
        ("enterprise", enterprise.as_str()),
        ("title", ""),
        ("place", "三号车间"),
        ("planned", "2026-12-24"),
        ("remark", "带上气体检测仪"),
        ("officer", officer.as_str()),
        ("tablet", device.as_str()),
        ("item", "t2"),
    ];
    let without =
        |name: &str| -> Vec<(&str, &str)> { whole.iter().copied().filter(|(held, _)| *held != name).collect() };

    // Nothing is in force yet: what was typed comes back.
    let early = zhou.browser.post("/console/act/assign", &whole).await;
    assert_eq!(early.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let early = early.text().await.unwrap();
    assert!(
        early.contains("没有现行的规则包") && early.contains("带上气体检测仪"),
        "{early}"
    );
    publish(&world, "cn-work-safety").await;

    for (name, sentence) in [
        ("enterprise", "还没有选择企业"),
        ("officer", "还没有选择执法人员或平板"),
        ("tablet", "还没有选择执法人员或平板"),
    ] {
        let answer = zhou.browser.post("/console/act/assign", &without(name)).await;
        let page = answer.text().await.unwrap();
        assert!(
            page.contains(sentence) && page.contains("role=\"alert\"") && page.contains("<title>错误："),
            "{name}: {page}"
        );
        assert!(
            page.contains("带上气体检测仪") && page.contains("三号车间"),
            "{name}: what was typed is kept: {page}"
        );
    }
    let mut wrong = without("planned");
    wrong.push(("planned", "2026-02-30"));
    let wrong = zhou.browser.post("/console/act/assign", &wrong).await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY, "there is no such day");

    // The form offers what exists, and chooses nobody beforehand.
    let (_, form) = zhou
        .browser
        .get(&format!("/console/act/assign?enterprise={enterprise}"))
        .await;
    assert!(
        form.contains(&format!("<option value=\"{enterprise}\" selected>恒泰精细化工有限公司"))
            && form.contains("何青川"),
        "{form}"
    );
    assert!(!form.contains(" checked"), "nobody is chosen beforehand: {form}");

    let token = zhou.prepare("/console/act/assign", &whole).await;
    let (_, confirm) = zhou.browser.get(&token).await;
    for words in [
        "签名并派单",
        "恒泰精细化工有限公司",
        "2026-12-24",
        "三号车间",
        "带上气体检测仪",
        "何青川",
    ] {
        assert!(
            confirm.contains(words),
            "{words} is not among what is signed: {confirm}"
        );
    }
    // What is signed is an id; a person reads the name, and the id stands beside it.
    for (name, id) in [
        (format!("恒泰精细化工有限公司（{CODE}）"), &enterprise),
        ("何青川 云应急执0060".to_owned(), &officer),
        ("d10".to_owned(), &device),
    ] {
        let named = format!("<bdi>{name}</bdi> <code class=\"meta\">{id}</code>");
        assert!(confirm.contains(&named), "{named}: {confirm}");
    }
    assert!(
        confirm.contains("考核结果</bdi> <code class=\"meta\">t2</code>"),
        "the pack's item by its text: {confirm}"
    );
    let done = zhou.sign(&token).await;
    assert_eq!(
        (done.status(), location(&done).split('?').next()),
        (StatusCode::SEE_OTHER, Some("/console/assign"))
    );
    let (_, after) = zhou.browser.get(&location(&done)).await;
    assert!(
        after.contains("已签名并写入：") && after.contains("2026-12-24"),
        "{after}"
    );
    assert!(
        after.contains("恒泰精细化工有限公司") && after.contains("何青川"),
        "{after}"
    );

    let operation = written(&world, &laptop, "inspection.assign", &zhou).await;
    let header = operation.header();
    assert!(header.case.is_some() && header.inspection.is_some() && header.pack.is_some());
    let body = operation.body().unwrap();
    let ids = |path: &str| -> Vec<Vec<u8>> {
        let value = body.get(path).unwrap();
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_bytes().unwrap().to_vec())
            .collect()
    };
    assert_eq!(ids("inspection/officer"), [he.as_bytes().to_vec()]);
    assert_eq!(ids("inspection/device"), [tablet.id.as_bytes().to_vec()]);
    assert_eq!(
        said(&operation, "inspection/title").as_deref(),
        Some("恒泰精细化工有限公司"),
        "an empty title is the name"
    );
    assert_eq!(said(&operation, "party/credit_code").as_deref(), Some(CODE));
    // What a tablet is told to do, it hears.
    let heard = world.feed(&tablet, &mut String::new()).await;
    assert!(
        heard.iter().any(|(_, one)| one.id() == operation.id()),
        "the tablet does not hear of it"
    );
    world.fsck();
}

/// A pack of one language is shown on pages of both: what is signed says its language, as what is chosen from does.
#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_is_signed_says_in_which_language_its_pack_words_it() {
    let (mut world, [tablet, _], laptop) = agency().await;
    import(
        &world,
        &format!("企业名称,统一社会信用代码\n恒泰精细化工有限公司,{CODE}\n"),
    )
    .await;
    world.feed(&laptop, &mut String::new()).await;
    let mut zhou = Supervisor::new(&mut world, "S-1", 7).await;
    let officer = officer(&mut world, 60, "何青川").await.to_string();
    let (enterprise, device) = (found(&mut zhou, "恒泰").await[0].to_string(), tablet.id.to_string());
    publish(&world, "us-osha").await;
    let form = [
        ("enterprise", enterprise.as_str()),
        ("title", ""),
        ("place", ""),
        ("planned", ""),
        ("remark", ""),
        ("officer", officer.as_str()),
        ("tablet", device.as_str()),
        ("item", "exits"),
    ];
    let token = zhou.prepare("/console/act/assign", &form).await;
    for lang in ["zh-CN", "en"] {
        let (_, confirm) = zhou.browser.get_in(&token, lang).await;
        let named = "<bdi lang=\"en\">Exit routes are free and marked</bdi> <code class=\"meta\">exits</code>";
        assert!(confirm.contains(named), "{lang}: {confirm}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_records_of_an_enterprise_are_joined_and_both_ids_lead_to_it() {
    let (mut world, _, laptop) = agency().await;
    import(
        &world,
        &format!(
            "企业名称,统一社会信用代码,地址\n恒泰精细化工有限公司,{CODE},临江工业园区纬三路18号\n恒泰精细化工,{CODE},\n"
        ),
    )
    .await;
    world.feed(&laptop, &mut String::new()).await;
    let mut zhou = Supervisor::new(&mut world, "S-1", 7).await;
    let both = found(&mut zhou, "恒泰").await;
    assert_eq!(both.len(), 2);
    let (keep, other) = (both[0].to_string(), both[1].to_string());
    let (_, first) = zhou.browser.get(&format!("/console/enterprises/{keep}")).await;
    let whole = first.contains("<h1><bdi>恒泰精细化工有限公司</bdi>");
    let (long, short) = ("恒泰精细化工有限公司".to_owned(), "恒泰精细化工".to_owned());
    let both_named = if whole {
        (keep.clone(), long, short)
    } else {
        (keep.clone(), short, long)
    };
    let link = format!("/console/act/join?keep={keep}&other={other}");
    let (_, page) = zhou.browser.get(&format!("/console/enterprises/{keep}")).await;
    assert!(
        page.contains(&link.replace('&', "&#38;")),
        "the page proposes it: {page}"
    );
    let (status, form) = zhou.browser.get(&link).await;
    assert_eq!(status, 200);
    assert!(
        form.contains(&keep) && form.contains(&other) && !form.contains(" checked"),
        "{form}"
    );

    let form = |way: &'static str, reason: &'static str| {
        vec![
            ("keep", keep.clone()),
            ("other", other.clone()),
            ("way", way.to_owned()),
            ("reason", reason.to_owned()),
        ]
    };
    fn pairs<'a>(form: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
        form.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
    let unchosen = form("", "同一信用代码");
    let unchosen = zhou.browser.post("/console/act/join", &pairs(&unchosen)).await;
    let unchosen = unchosen.text().await.unwrap();
    assert!(
        unchosen.contains("还没有选择") && unchosen.contains("同一信用代码"),
        "{unchosen}"
    );
    let silent = form("second", "");
    let silent = zhou.browser.post("/console/act/join", &pairs(&silent)).await;
    assert_eq!(
        silent.status(),
        StatusCode::UNPROCESSABLE_ENTITY,
        "a reason is required"
    );
    let itself = [
        ("keep", keep.as_str()),
        ("other", keep.as_str()),
        ("way", "first"),
        ("reason", "同一家"),
    ];
    let itself = zhou.browser.post("/console/act/join", &itself).await;
    assert_eq!(
        itself.status(),
        StatusCode::UNPROCESSABLE_ENTITY,
        "no record is joined with itself"
    );

    // The second of the two leads: the answer is its page.
    let signed = form("second", "同一信用代码，经电话核实");
    let token = zhou.prepare("/console/act/join", &pairs(&signed)).await;
    let (_, confirm) = zhou.browser.get(&token).await;
    assert!(
        confirm.contains("签名并合并") && confirm.contains("经电话核实"),
        "{confirm}"
    );
    // Which record is joined into which: both by name.
    let names = |id: &str| {
        if id == both_named.0 {
            &both_named.1
        } else {
            &both_named.2
        }
    };
    let into = format!(
        "<bdi>{}（{CODE}）</bdi> <code class=\"meta\">{other}</code>",
        names(&other)
    );
    let what = format!(
        " <bdi>{}（{CODE}）</bdi><br><code class=\"meta\">enterprise/{keep}/same_as</code>",
        names(&keep)
    );
    assert!(
        confirm.contains(&into) && confirm.contains(&what),
        "{into} {what}: {confirm}"
    );
    let done = zhou.sign(&token).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert!(
        location(&done).starts_with(&format!("/console/enterprises/{other}?done=")),
        "{}",
        location(&done)
    );
    let operation = written(&world, &laptop, "enterprise.join", &zhou).await;
    let said_same = operation.body().unwrap().get(&format!("enterprise/{keep}/same_as"));
    assert_eq!(
        said_same.as_ref().and_then(Value::as_bytes),
        Some(both[1].as_bytes().as_slice())
    );

    let (_, leads) = zhou.browser.get(&format!("/console/enterprises/{other}")).await;
    assert!(leads.contains(&keep), "the id that was joined is kept: {leads}");
    assert!(!leads.contains("/console/act/join"), "nothing is left to join: {leads}");
    let (_, joined) = zhou.browser.get(&format!("/console/enterprises/{keep}")).await;
    assert!(
        joined.contains(&format!("/console/enterprises/{other}")),
        "the other id leads to it: {joined}"
    );
    let (_, choice) = zhou.browser.get("/console/act/assign?name=%E6%81%92%E6%B3%B0").await;
    assert!(choice.contains(&format!("<option value=\"{other}\"")), "{choice}");
    assert!(
        !choice.contains(&format!("<option value=\"{keep}\"")),
        "only what leads can be inspected: {choice}"
    );
    world.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_evidence_of_a_case_is_frozen_and_what_comes_later_is_seen_to_be_later() {
    let (mut world, [mut tablet, _], laptop) = agency().await;
    let seal = |n: u8| {
        let at = |field: &str| format!("evidence/{}/{field}", EvidenceId::from_bytes([n; 16]));
        vec![
            (at("sha256"), Value::bytes(sha256(&[n]))),
            (at("size"), Value::Uint(1)),
            (at("media_type"), Value::text("image/jpeg")),
            (at("acquisition"), Value::text("camera")),
            (at("title"), Value::text(format!("照片{n}"))),
        ]
    };
    let frames = [
        tablet.write("evidence.seal", Some(case(5)), seal(0x41)).frame(),
        tablet.write("evidence.seal", Some(case(5)), seal(0x42)).frame(),
    ];
    assert_eq!(world.push(&tablet, &frames).await.0, 200);
    world.feed(&laptop, &mut String::new()).await;
    let mut zhou = Supervisor::new(&mut world, "S-1", 7).await;
    let id = case(5).to_string();
    let (_, page) = zhou.browser.get(&format!("/console/cases/{id}")).await;
    let link = format!("/console/act/freeze?case={id}");
    assert!(page.contains(&link), "the case offers it: {page}");
    let (_, form) = zhou.browser.get(&link).await;
    assert!(form.contains("现有证据") && form.contains("<bdi>2</bdi>"), "{form}");
    let silent = zhou
        .browser
        .post("/console/act/freeze", &[("case", &id), ("reason", "  ")])
        .await;
    assert_eq!(
        silent.status(),
        StatusCode::UNPROCESSABLE_ENTITY,
        "a reason is required"
    );
    let nowhere = case(99).to_string();
    let nowhere = zhou
        .browser
        .post("/console/act/freeze", &[("case", &nowhere), ("reason", "听证前")])
        .await;
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);

    let token = zhou
        .prepare("/console/act/freeze", &[("case", &id), ("reason", "听证前冻结")])
        .await;
    let (_, confirm) = zhou.browser.get(&token).await;
    assert!(
        confirm.contains("签名并冻结") && confirm.contains("听证前冻结"),
        "{confirm}"
    );
    for n in [0x41, 0x42] {
        let piece = EvidenceId::from_bytes([n; 16]);
        let named = format!("<bdi>照片{n}</bdi> <code class=\"meta\">{piece}</code>");
        assert!(confirm.contains(&named), "{named}: {confirm}");
    }
    let done = zhou.sign(&token).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert!(
        location(&done).starts_with(&format!("/console/cases/{id}?done=")),
        "{}",
        location(&done)
    );
    let operation = written(&world, &laptop, "evidence.freeze", &zhou).await;
    assert_eq!(operation.header().case, Some(case(5)));
    let body = operation.body().unwrap();
    let field = body
        .fields()
        .iter()
        .find(|field| field.path.ends_with("/evidence"))
        .unwrap();
    let set = body.get(&field.path).unwrap();
    let frozen: Vec<&[u8]> = set.as_array().unwrap().iter().filter_map(Value::as_bytes).collect();
    assert_eq!(frozen, [[0x41; 16], [0x42; 16]]);
    let (_, page) = zhou.browser.get(&format!("/console/cases/{id}")).await;
    assert!(!page.contains(&link), "it is done: {page}");
    let (_, hearing) = zhou.browser.get(&format!("/console/hearing/{id}")).await;
    assert!(!hearing.contains(&link), "{hearing}");
    let (_, timeline) = zhou
        .browser
        .get(&format!("/console/cases/{id}/timeline?kind=evidence"))
        .await;
    assert!(timeline.contains("听证前冻结"), "{timeline}");

    // What comes later is kept, and the signed set does not grow.
    let late = tablet.write("evidence.seal", Some(case(5)), seal(0x43));
    assert_eq!(world.push(&tablet, &[late.frame()]).await.0, 200);
    let again = written(&world, &laptop, "evidence.freeze", &zhou).await;
    assert_eq!(again.id(), operation.id());
    let (_, gallery) = zhou.browser.get(&format!("/console/cases/{id}/evidence")).await;
    assert!(gallery.contains("照片67"), "{gallery}");
    world.fsck();
}

/// Text of the warnings that a form shows, one a line.
fn warned(page: &str) -> Vec<String> {
    let box_of = page.split("<div class=\"notice warn\" role=\"alert\"").nth(1);
    let lines = box_of.and_then(|rest| rest.split("</div>").next()).unwrap_or_default();
    lines
        .split("<li><bdi>")
        .skip(1)
        .map(|line| line.split('<').next().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_speaks_against_an_assignment_is_said_once_before_anything_is_prepared() {
    let (mut world, [mut tablet, _], laptop) = agency().await;
    let table = "企业名称,地址\n恒泰精细化工有限公司,纬三路18号\n恒泰化工,纬三路18号\n红星五金厂,城东路1号\n";
    import(&world, table).await;
    publish(&world, "cn-work-safety").await;
    world.feed(&laptop, &mut String::new()).await;
    let mut zhou = Supervisor::new(&mut world, "S-1", 7).await;
    let (he, fang) = (
        officer(&mut world, 60, "何青川").await,
        officer(&mut world, 61, "方予安").await,
    );
    let firm = found(&mut zhou, "精细化工").await[0];
    let old = *found(&mut zhou, "恒泰").await.iter().find(|one| **one != firm).unwrap();
    let other = found(&mut zhou, "红星").await[0];
    let own = tablet.id;
    let form = |firm: EnterpriseId, who: OfficerId, day: &str| -> Vec<(&'static str, String)> {
        vec![
            ("enterprise", firm.to_string()),
            ("planned", day.to_owned()),
            ("remark", "带上气体检测仪".to_owned()),
            ("officer", who.to_string()),
            ("tablet", own.to_string()),
            ("item", "t2".to_owned()),
        ]
    };
    fn pairs<'a>(form: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
        form.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
    let assigned = async |world: &World| {
        let all = world.feed(&laptop, &mut String::new()).await;
        all.iter()
            .filter(|(_, one)| one.header().kind == "inspection.assign")
            .count()
    };

    // Nothing speaks against the first: the next page is the one that is signed.
    let plain = form(firm, he, "2026-12-24");
    let done = zhou.act("/console/act/assign", &pairs(&plain)).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert_eq!(assigned(&world).await, 1);

    // The same officer on the same day elsewhere: the form comes back with what speaks against it, and nothing is prepared.
    let mut clash = form(other, he, "2026-12-24");
    let asked = zhou.browser.post("/console/act/assign", &pairs(&clash)).await;
    assert_eq!(asked.status(), StatusCode::OK, "nothing leads on to a signature");
    let page = asked.text().await.unwrap();
    assert_eq!(warned(&page), ["何青川同日还有别的检查"], "{page}");
    for part in [
        "请再看一眼；仍要派单，请再次提交",
        "name=\"warned\" value=\"1\"",
        "value=\"带上气体检测仪\"",
        "value=\"2026-12-24\"",
        &format!("value=\"{other}\" selected"),
        &format!("value=\"{he}\" checked"),
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("data-sign"), "{page}");
    assert_eq!(assigned(&world).await, 1);
    // Sent again as the form now is, it goes on; it is written once it is signed, and not before.
    clash.push(("warned", "1".to_owned()));
    let confirm = zhou.prepare("/console/act/assign", &pairs(&clash)).await;
    assert!(confirm.starts_with("/console/act/sign/"), "{confirm}");
    assert_eq!(assigned(&world).await, 1);
    assert_eq!(zhou.sign(&confirm).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(assigned(&world).await, 2);
    let (_, board) = zhou.browser.get("/console/assign").await;
    assert_eq!(
        board.matches("何青川同日还有别的检查").count(),
        2,
        "both cards say it: {board}"
    );

    // Rotation: the same officer at the same enterprise again, on a later day or on none yet; not somebody else, not elsewhere.
    let again = "何青川在 2026-12-24 已检查过这家企业";
    for (firm, who, day, said) in [
        (firm, he, "2027-01-10", vec![again]),
        (firm, he, "", vec![again]),
        (firm, fang, "2027-01-10", vec![]),
        (firm, he, "2026-12-01", vec![]),
    ] {
        let answer = zhou
            .browser
            .post("/console/act/assign", &pairs(&form(firm, who, day)))
            .await;
        let status = if said.is_empty() {
            StatusCode::SEE_OTHER
        } else {
            StatusCode::OK
        };
        assert_eq!(answer.status(), status, "{day}");
        assert_eq!(warned(&answer.text().await.unwrap()), said, "{day}");
    }
    // What a tablet began there under another record and another name is a visit too, once both are known to be one.
    let begin = vec![
        ("inspection/device".to_owned(), Value::bytes(own.as_bytes())),
        ("inspection/enterprise".to_owned(), Value::bytes(old.as_bytes())),
        ("inspection/officer".to_owned(), Value::bytes(fang.as_bytes())),
        ("inspection/planned".to_owned(), Value::text("2026-11-20")),
        ("party/name".to_owned(), Value::text("恒泰化工（门牌）")),
    ];
    let begin = tablet.write("inspection.begin", Some(case(0x41)), begin).frame();
    assert_eq!(world.push(&tablet, &[begin]).await.0, 200);
    world.feed(&laptop, &mut String::new()).await;
    let join = [
        ("keep", firm.to_string()),
        ("other", old.to_string()),
        ("way", "first".to_owned()),
        ("reason", "同一地址，经电话核实".to_owned()),
    ];
    assert_eq!(
        zhou.act("/console/act/join", &pairs(&join)).await.status(),
        StatusCode::SEE_OTHER
    );
    world.feed(&laptop, &mut String::new()).await;
    let answer = zhou
        .browser
        .post("/console/act/assign", &pairs(&form(firm, fang, "2027-01-10")))
        .await;
    assert_eq!(
        warned(&answer.text().await.unwrap()),
        ["方予安在 2026-11-20 已检查过这家企业"]
    );
    assert_eq!(assigned(&world).await, 2, "a warning writes nothing");
}
