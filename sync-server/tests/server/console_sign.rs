//! What a supervisor signs in the console, with a P-256 key that the test holds in place of a browser.

use fieldseal_proof::attest::{Attestation, Place};
use fieldseal_proof::cbor::Value;
use fieldseal_proof::encoding::from_base64;
use fieldseal_proof::ids::*;
use fieldseal_proof::operation::Operation;
use fieldseal_proof::suite::{P256Signer, Signer};
use reqwest::{Method, StatusCode};

use crate::console::{Browser, PASSWORD, account, location};
use crate::world::*;

pub const INSPECTION: InspectionId = InspectionId::from_bytes([8; 16]);
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}有限公司";

/// A supervisor at a browser with a key that an administrator approved.
pub struct Supervisor {
    pub browser: Browser,
    pub key: P256Signer,
}

impl Supervisor {
    pub async fn new(world: &mut World, user: &str, n: u8) -> Self {
        assert!(account(world, user, &format!("主管{n}"), "supervisor", PASSWORD));
        let mut browser = Browser::new(world);
        assert_eq!(browser.sign_in(user, PASSWORD).await.status(), 303);
        let key = P256Signer::from_scalar(&[n; 32]).unwrap();
        let public = hex::encode(key.public().as_bytes());
        assert_eq!(
            browser.post("/console/keys", &[("public", &public)]).await.status(),
            303
        );
        let (_, page) = browser.get("/console/keys").await;
        assert!(
            page.contains("等待批准") && page.contains(&key.public().fingerprint()),
            "{page}"
        );
        world.approve_all().await;
        let (_, page) = browser.get("/console/keys").await;
        assert!(
            page.contains("浏览器，不可导出") && !page.contains("等待批准"),
            "{page}"
        );
        Self { browser, key }
    }

    /// The key that an administrator approved.
    pub fn key_public(&self) -> &fieldseal_proof::suite::PublicKey {
        self.key.public()
    }

    /// Sends a form and signs what the confirm page shows.
    pub async fn act(&mut self, path: &str, form: &[(&str, &str)]) -> reqwest::Response {
        let token = self.prepare(path, form).await;
        self.sign(&token).await
    }

    pub async fn prepare(&mut self, path: &str, form: &[(&str, &str)]) -> String {
        let answer = self.browser.post(path, form).await;
        let status = answer.status();
        if status != 303 {
            panic!("{status}: {}", answer.text().await.unwrap());
        }
        location(&answer)
    }

    pub async fn sign(&mut self, confirm: &str) -> reqwest::Response {
        let (status, page) = self.browser.get(confirm).await;
        assert_eq!(status, 200, "{page}");
        let signature = hex::encode(self.key.sign_raw(&signed_bytes(&page)).unwrap());
        let key = self.key.public().key_id().to_string();
        self.browser
            .post(confirm, &[("key", &key), ("signature", &signature)])
            .await
    }
}

fn signed_bytes(page: &str) -> Vec<u8> {
    let text = attribute(page, "data-sign=\"");
    from_base64(&text.replace("&#43;", "+").replace("&#61;", "=")).unwrap()
}

pub fn attribute(page: &str, before: &str) -> String {
    page.split(before)
        .nth(1)
        .unwrap_or_else(|| panic!("no {before} in {page}"))
        .split('"')
        .next()
        .unwrap()
        .to_owned()
}

/// A console that is a device, and a case of two tablets that disagree.
pub async fn agency() -> (World, [Device; 2], Device) {
    let mut world = World::new();
    let dir = world.dir();
    world.command(&["console-device", "--dir", dir.to_str().unwrap()]);
    world.approve_all().await;
    let mut tablets = [world.device(10, "tablet").await, world.device(11, "tablet").await];
    let laptop = world.device(12, "supervisor").await;
    let both = Value::Array(
        tablets
            .iter()
            .map(|tablet| Value::bytes(tablet.id.as_bytes()))
            .collect(),
    );
    let begin = vec![
        ("inspection/device".to_owned(), both),
        ("inspection/title".to_owned(), Value::text("现场检查")),
        ("party/name".to_owned(), Value::text(HOSTILE)),
    ];
    let [first, second] = &mut tablets;
    let frames = [
        first.open(),
        first
            .write_in("inspection.begin", Some(case(5)), Some(INSPECTION), begin)
            .frame(),
        first
            .write_in("check.answer", Some(case(5)), Some(INSPECTION), answer("violation"))
            .frame(),
    ];
    assert_eq!(world.push(first, &frames).await.0, 200);
    let frames = [
        second.open(),
        second
            .write_in("check.answer", Some(case(5)), Some(INSPECTION), answer("ok"))
            .frame(),
    ];
    assert_eq!(world.push(second, &frames).await.0, 200);
    // The laptop's feed ends once everything is judged and folded.
    world.feed(&laptop, &mut String::new()).await;
    (world, tablets, laptop)
}

fn answer(result: &str) -> Vec<(String, Value)> {
    vec![("check/r4/result".to_owned(), Value::text(result))]
}

pub const DECIDE: &str = "/console/act/decide?case=05050505-0505-0505-0505-050505050505&path=check/r4/result";

/// The form of the decision as the page would send it.
fn decision(page: &str, value: &str, reason: &'static str) -> Vec<(&'static str, String)> {
    let choice = page
        .split("name=\"choice\" value=\"")
        .skip(1)
        .find(|rest| {
            rest.split("</label>")
                .next()
                .unwrap()
                .contains(&format!("（{value}）</bdi>"))
        })
        .unwrap_or_else(|| panic!("{value} cannot be chosen in {page}"));
    vec![
        ("case", case(5).to_string()),
        ("path", "check/r4/result".to_owned()),
        ("seen", attribute(page, "name=\"seen\" value=\"")),
        ("choice", choice.split('"').next().unwrap().to_owned()),
        ("reason", reason.to_owned()),
    ]
}

fn pairs<'a>(form: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    form.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_shown_signed_and_written_with_the_signature_behind_it() {
    let (mut world, _, laptop) = agency().await;
    let mut zhou = Supervisor::new(&mut world, "S-1", 7).await;
    let (_, list) = zhou.browser.get("/console/worklist/conflicts").await;
    assert!(list.contains("/console/act/decide?case=05050505"), "{list}");
    assert!(
        !list.contains("<script>alert") && list.contains("&#60;script&#62;alert"),
        "{list}"
    );
    let (status, page) = zhou.browser.get(DECIDE).await;
    assert_eq!(status, 200, "{page}");
    assert!(!page.contains("checked"), "nothing is chosen beforehand: {page}");
    // Both values beside each other: who, which device, its clock as a claim, and what is proven of the time.
    for row in [
        "何人",
        "设备",
        "设备时钟（自述）",
        "固化不早于",
        "固化不晚于",
        "服务器接收",
        "当时所见版本",
    ] {
        let cells = page
            .split_once(&format!("<th scope=\"row\">{row}"))
            .map(|(_, rest)| rest.split("</tr>").next().unwrap());
        assert_eq!(
            cells.map(|cells| cells.matches("<td").count()),
            Some(2),
            "{row}: {page}"
        );
    }
    assert!(page.contains("class=\"claim\""), "{page}");
    // Every cell says whose it is, in the order of the columns: on a phone the rows are read as pairs, one value over the other.
    let table = page.split("<table class=\"compare\">").nth(1).unwrap();
    for row in table.split("</table>").next().unwrap().split("<tr").skip(2) {
        let letters: Vec<&str> = row.split("data-l=\"").skip(1).map(|rest| &rest[..3]).collect();
        assert!(letters == ["甲", "乙"] || row.contains("colspan=\"2\""), "{row}");
    }
    let styles = zhou.browser.styles(&page).await;
    assert!(
        styles.contains(".compare td:not(.wide)::before{content:attr(data-l)"),
        "{styles}"
    );
    let nothing = zhou
        .browser
        .post(
            "/console/act/decide",
            &[
                ("case", &case(5).to_string()),
                ("path", "check/r4/result"),
                ("reason", "看过照片"),
            ],
        )
        .await;
    let nothing = nothing.text().await.unwrap();
    assert!(
        nothing.contains("还没有选择") && nothing.contains("看过照片"),
        "{nothing}"
    );
    let form = decision(&page, "violation", "");
    let empty = zhou.browser.post("/console/act/decide", &pairs(&form)).await;
    assert_eq!(empty.status(), 422, "a reason is required");

    let form = decision(&page, "violation", "依照片认定");
    let token = zhou.prepare("/console/act/decide", &pairs(&form)).await;
    let (_, confirm) = zhou.browser.get(&token).await;
    assert!(
        confirm.contains("依照片认定") && confirm.contains("签名并采用此值"),
        "{confirm}"
    );
    assert!(
        !world
            .feed(&laptop, &mut String::new())
            .await
            .iter()
            .any(|(_, o)| o.header().kind == "field.decide")
    );

    let key = zhou.key.public().key_id().to_string();
    let wrong = hex::encode(zhou.key.sign_raw(b"something else").unwrap());
    let refused = zhou.browser.post(&token, &[("key", &key), ("signature", &wrong)]).await;
    assert_eq!(refused.status(), 400);
    let done = zhou.sign(&token).await;
    assert_eq!(done.status(), 303, "{}", done.text().await.unwrap());
    assert!(location(&done).starts_with("/console/cases/05050505-0505-0505-0505-050505050505?done="));

    let all: Vec<Operation> = world
        .feed(&laptop, &mut String::new())
        .await
        .into_iter()
        .map(|(_, o)| o)
        .collect();
    let decided = all
        .iter()
        .find(|o| o.header().kind == "field.decide")
        .expect("the decision is in the feed");
    assert_eq!(decided.header().inspection, Some(INSPECTION));
    assert_eq!(decided.header().supersedes.len(), 2, "it supersedes both values");
    let signed = all
        .iter()
        .find(|o| o.header().kind == "attest")
        .expect("the signature is in the feed");
    let attest = Attestation::read(signed.body().unwrap()).unwrap();
    assert_eq!(attest.targets, [decided.id()]);
    attest.verify(&Place::of(signed), zhou.key.public()).unwrap();
    let (_, list) = zhou.browser.get("/console/worklist/conflicts").await;
    assert!(list.contains("没有意见不一的事项"), "{list}");
    assert_eq!(zhou.browser.get(&token).await.0, 404, "signed once");
    world.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_supervisors_the_second_keeps_her_own_text() {
    let (mut world, ..) = agency().await;
    let mut zhou = Supervisor::new(&mut world, "S-1", 7).await;
    let mut wu = Supervisor::new(&mut world, "S-2", 9).await;
    let (_, page) = wu.browser.get(DECIDE).await;
    let mine = decision(&page, "ok", "整改后已符合");
    let prepared = wu.prepare("/console/act/decide", &pairs(&mine)).await;
    let (_, page) = zhou.browser.get(DECIDE).await;
    let done = zhou
        .act(
            "/console/act/decide",
            &pairs(&decision(&page, "violation", "依照片认定")),
        )
        .await;
    assert_eq!(done.status(), 303);

    let late = wu.sign(&prepared).await;
    assert_eq!(late.status(), StatusCode::CONFLICT);
    let late = late.text().await.unwrap();
    assert!(late.contains("他人已先处理") && late.contains("整改后已符合"), "{late}");
    // How it stands now, by whom and why, and the way there.
    for words in [
        "最新内容",
        "不符合（violation）",
        "由主管7的密钥（控制台，软件保管）签名",
        "依照片认定",
    ] {
        assert!(late.contains(words), "{words}: {late}");
    }
    let there = format!("href=\"{}\"", DECIDE.replace('&', "&#38;"));
    assert!(late.contains(&there), "{there}: {late}");
    let again = wu.browser.post("/console/act/decide", &pairs(&mine)).await;
    assert_eq!(again.status(), StatusCode::CONFLICT);
    assert!(again.text().await.unwrap().contains("整改后已符合"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_about_something_else_moves_the_place_and_is_signed_again() {
    let (mut world, ..) = agency().await;
    let mut zhou = Supervisor::new(&mut world, "S-1", 7).await;
    let mut wu = Supervisor::new(&mut world, "S-2", 9).await;
    let subject = case(5).to_string();
    let back = [
        ("case", subject.as_str()),
        ("inspection", "08080808-0808-0808-0808-080808080808"),
        ("reason", "缺少现场负责人信息"),
        ("items", "身份证明\n联系电话"),
    ];
    let waiting = wu.prepare("/console/act/return", &back).await;
    let (_, page) = zhou.browser.get(DECIDE).await;
    assert_eq!(
        zhou.act("/console/act/decide", &pairs(&decision(&page, "ok", "已核实")))
            .await
            .status(),
        303
    );
    let moved = wu.sign(&waiting).await;
    assert_eq!(moved.status(), StatusCode::CONFLICT);
    let moved = moved.text().await.unwrap();
    assert!(
        moved.contains("请再签一次") && moved.contains("缺少现场负责人信息"),
        "{moved}"
    );
    let again = attribute(&moved, "<form method=\"post\" action=\"/console/act/sign/");
    let done = wu.sign(&format!("/console/act/sign/{again}")).await;
    assert_eq!(done.status(), 303);
    world.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inspection_is_moved_to_another_day_and_nothing_else_changes() {
    let (mut world, tablets, laptop) = agency().await;
    let mut zhou = Supervisor::new(&mut world, "S-1", 7).await;
    let subject = case(5).to_string();
    let wrong = zhou
        .browser
        .post("/console/act/move", &[("case", &subject), ("day", "30 February")])
        .await;
    assert_eq!(wrong.status(), 422);
    let done = zhou
        .act("/console/act/move", &[("case", &subject), ("day", "2026-12-24")])
        .await;
    assert_eq!(
        (done.status(), location(&done).split('?').next()),
        (StatusCode::SEE_OTHER, Some("/console/assign"))
    );
    let all = world.feed(&laptop, &mut String::new()).await;
    let moved = all
        .iter()
        .find(|(_, o)| o.header().kind == "inspection.assign")
        .expect("the move is in the feed");
    let paths: Vec<&str> = moved
        .1
        .body()
        .unwrap()
        .fields()
        .iter()
        .map(|field| field.path.as_str())
        .collect();
    assert_eq!(
        paths.iter().filter(|path| !path.is_empty()).collect::<Vec<_>>(),
        [&"inspection/planned"]
    );
    let (_, board) = zhou.browser.get("/console/assign").await;
    assert!(
        board.contains("2026-12-24") && !board.contains("<script>alert"),
        "{board}"
    );
    // Both tablets have called before, and neither has fetched the new day; one does.
    assert!(board.contains("平板尚未取走：d10、d11"), "{board}");
    world.feed(&tablets[0], &mut String::new()).await;
    let (_, board) = zhou.browser.get("/console/assign").await;
    assert!(board.contains("平板尚未取走：d11"), "{board}");
    world.feed(&tablets[1], &mut String::new()).await;
    let (_, board) = zhou.browser.get("/console/assign").await;
    assert!(!board.contains("平板尚未取走"), "{board}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_set_aside_is_released_and_a_server_held_key_is_labelled() {
    let (mut world, mut tablets, laptop) = agency().await;
    let strange = tablets[0].write("from.the.future", Some(case(5)), vec![("x/y".into(), Value::Uint(1))]);
    assert_eq!(world.push(&tablets[0], &[strange.frame()]).await.0, 200);
    world.feed(&laptop, &mut String::new()).await;
    assert!(account(&world, "S-3", "吴", "supervisor", PASSWORD));
    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in("S-3", PASSWORD).await.status(), 303);
    let (_, list) = browser.get("/console/worklist/quarantine").await;
    let settle = format!("/console/act/settle?op={}", strange.id());
    assert!(list.contains(&settle), "{list}");
    assert_eq!(
        browser
            .post("/console/keys/server", &[("password", "wrong")])
            .await
            .status(),
        422
    );
    assert_eq!(
        browser
            .post("/console/keys/server", &[("password", PASSWORD)])
            .await
            .status(),
        303
    );
    let target = strange.id().to_string();
    let form = [("op", target.as_str()), ("way", "release"), ("reason", "新版本已支持")];
    let early = browser.post("/console/act/settle", &form).await;
    assert_eq!(early.status(), 409, "no key yet");
    assert!(early.text().await.unwrap().contains("还没有经管理员批准的签名密钥"));
    world.approve_all().await;
    let answer = browser.post("/console/act/settle", &form).await;
    let confirm = location(&answer);
    let (_, page) = browser.get(&confirm).await;
    assert!(page.contains("签名并解除隔离（服务器代管密钥）"), "{page}");
    let key = attribute(&page, "name=\"key\" value=\"");
    assert_eq!(
        browser
            .post(&confirm, &[("key", &key), ("password", "wrong")])
            .await
            .status(),
        422
    );
    assert_eq!(
        browser
            .post(&confirm, &[("key", &key), ("password", PASSWORD)])
            .await
            .status(),
        303
    );
    let said = world.dispositions(&laptop).await;
    assert!(
        said.iter()
            .any(|(id, state, _)| *id == strange.id() && state == "released"),
        "{said:?}"
    );
    let (_, view) = world
        .json(world.ask(Method::GET, &format!("/v1/cases/{}", case(5)), &laptop.token))
        .await;
    assert_eq!(view["quarantine"][0]["state"], "released");
    // Whoever reads what was signed sees that the server held the key, in every place.
    let (_, timeline) = browser.get(&format!("/console/cases/{}/timeline", case(5))).await;
    let signed = "由吴的密钥（控制台，服务器代管）签名</bdi> <span class=\"tag warn\">服务器代管密钥</span>";
    assert!(timeline.contains(signed), "{timeline}");
    assert!(
        timeline.contains("由设备“d10”的密钥（软件保管）签名</bdi></span>"),
        "a tablet's own key has no mark: {timeline}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn enrolment_shows_codes_once_and_revoking_names_the_command() {
    let (mut world, ..) = agency().await;
    assert!(account(&world, "admin", "管理员", "administrator", PASSWORD));
    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in("admin", PASSWORD).await.status(), 303);
    let answer = browser
        .post("/console/enrolment/invite", &[("label", "平板 C1"), ("role", "tablet")])
        .await;
    let shown = location(&answer);
    let (_, page) = browser.get(&shown).await;
    assert!(
        page.contains("fieldseal:enrol:1:") && page.contains("<svg") && page.contains("15 分钟内有效"),
        "{page}"
    );
    assert!(
        page.contains("服务器代管密钥"),
        "the console's own custody is shown: {page}"
    );
    let text = page
        .split("fieldseal:enrol:1:")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap();
    use base64::Engine as _;
    let card = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap();
    let card: serde_json::Value = serde_json::from_slice(&card).unwrap();
    let mut tablet = Device::new(20, "tablet");
    let body = tablet.enrolment(card["code"].as_str().unwrap());
    let (status, said) = world
        .json(world.client.post(format!("{}/v1/enrol", world.url)).json(&body))
        .await;
    assert_eq!(status, 200, "{said}");
    tablet.token = said["token"].as_str().unwrap().to_owned();
    let (_, page) = browser.get("/console/enrolment").await;
    assert!(
        page.contains("平板 C1") && !page.contains("fieldseal:enrol:1:"),
        "{page}"
    );
    world.approve_all().await;
    let key = ed(20).public().key_id();
    let (_, page) = browser.get(&format!("/console/enrolment/revoke?key={key}")).await;
    assert!(
        page.contains(&format!("fieldseal admin revoke --admin DIR --key {key}")),
        "{page}"
    );
    let mut other = Browser::new(&world);
    assert!(account(&world, "S-1", "周", "supervisor", PASSWORD));
    assert_eq!(other.sign_in("S-1", PASSWORD).await.status(), 303);
    assert_eq!(other.get(&shown).await.0, 200);
    assert!(
        !other.get(&shown).await.1.contains("fieldseal:enrol:1:"),
        "a code is its maker's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_the_console_writes_only_as_a_new_incarnation() {
    let (mut world, ..) = agency().await;
    let mut zhou = Supervisor::new(&mut world, "S-1", 7).await;
    let (dir, backup) = (world.dir(), world.folder.path().join("backup"));
    let (dir, backup) = (dir.to_str().unwrap().to_owned(), backup.to_str().unwrap().to_owned());
    world.command(&["backup", "--dir", &dir, "--out", &backup]);
    let (_, page) = zhou.browser.get(DECIDE).await;
    let form = decision(&page, "ok", "备份之后的决定");
    assert_eq!(zhou.act("/console/act/decide", &pairs(&form)).await.status(), 303);
    world.stop();
    std::fs::remove_dir_all(&dir).unwrap();
    world.command(&["restore", "--from", &backup, "--dir", &dir]);
    world.start();

    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in("S-1", PASSWORD).await.status(), 303);
    zhou.browser = browser;
    let refused = zhou.browser.post("/console/act/decide", &pairs(&form)).await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    let refused = refused.text().await.unwrap();
    assert!(
        refused.contains("服务器曾从备份恢复") && refused.contains("备份之后的决定"),
        "{refused}"
    );
    world.command(&["console-device", "--dir", &dir]);
    world.approve_all().await;
    assert_eq!(zhou.act("/console/act/decide", &pairs(&form)).await.status(), 303);
}
