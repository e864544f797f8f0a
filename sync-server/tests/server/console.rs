//! The console as a browser sees it: sign-in, sessions, origins, headers, languages.

use std::io::Write;
use std::process::{Command, Stdio};

use reqwest::{Client, Response, StatusCode, header, redirect};

use crate::world::*;

pub const PASSWORD: &str = "correct horse battery";

/// What every page is sent with, whole: a policy that lost a part no longer equals it.
const EVERY_PAGE: [(&str, &str); 8] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; font-src 'self'; \
         connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'; \
         require-trusted-types-for 'script'; trusted-types default",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    ),
    ("cache-control", "no-store"),
    ("vary", "HX-Request, Accept-Language, Cookie"),
];

/// A person at a browser: cookies, no redirects followed, and the origin that a browser would send.
pub struct Browser {
    client: Client,
    url: String,
    cookies: std::collections::BTreeMap<String, String>,
}

impl Browser {
    pub fn new(world: &World) -> Self {
        let client = Client::builder()
            .danger_accept_invalid_certs(true)
            .redirect(redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            client,
            url: world.url.clone(),
            cookies: Default::default(),
        }
    }

    pub fn cookie(&self) -> String {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    fn keep(&mut self, answer: &Response) {
        for line in answer.headers().get_all(header::SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            assert!(name.starts_with("__Host-"), "{line}");
            assert!(
                line.contains("; Path=/") && line.contains("; Secure") && line.contains("; HttpOnly"),
                "{line}"
            );
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    pub async fn get(&mut self, path: &str) -> (StatusCode, String) {
        let answer = self.open(path).await;
        (answer.status(), answer.text().await.unwrap())
    }

    /// The page in a language, whatever was chosen before.
    pub async fn get_in(&mut self, path: &str, lang: &str) -> (StatusCode, String) {
        let answer = self.open_with(path, &[("accept-language", lang)]).await;
        (answer.status(), answer.text().await.unwrap())
    }

    pub async fn open(&mut self, path: &str) -> Response {
        self.open_with(path, &[]).await
    }

    pub async fn open_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = self
            .client
            .get(format!("{}{path}", self.url))
            .header(header::COOKIE, self.cookie());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        self.keep(&answer);
        answer
    }

    /// Every style sheet that a page names, one after the other.
    pub async fn styles(&mut self, page: &str) -> String {
        let mut all = String::new();
        for rest in page.split("<link rel=\"stylesheet\" href=\"").skip(1) {
            let (status, sheet) = self.get(rest.split('"').next().unwrap()).await;
            assert_eq!(status, 200);
            all.push_str(&sheet);
        }
        assert!(!all.is_empty(), "{page}");
        all
    }

    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Response {
        let origin = self.url.clone();
        self.post_from(path, form, &origin).await
    }

    pub async fn post_from(&mut self, path: &str, form: &[(&str, &str)], origin: &str) -> Response {
        let request = self
            .client
            .post(format!("{}{path}", self.url))
            .header(header::COOKIE, self.cookie())
            .header(header::ORIGIN, origin)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(encoded(form));
        let answer = request.send().await.unwrap();
        self.keep(&answer);
        answer
    }

    pub async fn sign_in(&mut self, user: &str, password: &str) -> Response {
        self.post("/console/sign-in", &[("user", user), ("password", password)])
            .await
    }
}

fn encoded(form: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        text.bytes()
            .map(|b| {
                if b.is_ascii_alphanumeric() {
                    char::from(b).to_string()
                } else {
                    format!("%{b:02X}")
                }
            })
            .collect()
    };
    let pairs: Vec<String> = form
        .iter()
        .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
        .collect();
    pairs.join("&")
}

/// Makes an account through the shipped command.
pub fn account(world: &World, user: &str, name: &str, role: &str, password: &str) -> bool {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fieldseal-server"))
        .args([
            "console-password",
            "--user",
            user,
            "--name",
            name,
            "--role",
            role,
            "--dir",
        ])
        .arg(world.dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    child.wait().unwrap().success()
}

/// The sentence about a wait without its number, and the seconds.
fn stated(page: &str) -> (String, u64) {
    let alert = page
        .split("role=\"alert\"")
        .nth(1)
        .unwrap()
        .split("</div>")
        .next()
        .unwrap();
    let (before, rest) = alert
        .split_once("请等待 ")
        .unwrap_or_else(|| panic!("no wait: {alert}"));
    let (seconds, after) = rest.split_once(" 秒").unwrap();
    (format!("{before}{after}"), seconds.parse().unwrap())
}

pub fn location(answer: &Response) -> String {
    answer.headers()[header::LOCATION].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_reads_and_signs_out() {
    let world = World::new();
    assert!(account(&world, "S-1", "周<b>敏</b>", "supervisor", PASSWORD));
    assert!(!account(&world, "S-2", "x", "supervisor", "short"));
    let mut browser = Browser::new(&world);
    let answer = browser.open("/console/worklist/conflicts?from=0").await;
    assert_eq!(answer.status(), 303);
    let to = location(&answer);
    assert_eq!(to, "/console/sign-in?next=/console/worklist/conflicts%3Ffrom%3D0");
    let (status, page) = browser.get(&to).await;
    assert_eq!(status, 200);
    assert!(
        page.contains("登录") && page.contains("/console/worklist/conflicts?from=0"),
        "{page}"
    );

    let wrong = browser.sign_in("S-1", "wrong password").await;
    assert_eq!(wrong.status(), 422);
    let wrong = wrong.text().await.unwrap();
    let nobody = browser.sign_in("S-9", "wrong password").await.text().await.unwrap();
    assert_eq!(wrong.replace("S-1", "S-9"), nobody, "one text for both");
    assert!(wrong.contains("<title>错误：登录") && !wrong.contains("wrong password"));

    let answer = browser
        .post(
            "/console/sign-in",
            &[
                ("user", " s-1 "),
                ("password", PASSWORD),
                ("next", "/console/worklist/quarantine"),
            ],
        )
        .await;
    assert_eq!(
        (answer.status(), location(&answer).as_str()),
        (StatusCode::SEE_OTHER, "/console/worklist/quarantine")
    );
    let line = answer.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(line.contains("SameSite=Strict"), "{line}");
    let (status, page) = browser.get("/console/worklist/quarantine").await;
    assert_eq!(status, 200);
    assert!(page.contains("周&#60;b&#62;敏") && !page.contains("<b>敏"), "{page}");
    assert!(page.contains("没有被隔离的记录。最近一次检查："), "{page}");

    let stolen = browser.cookie();
    let answer = browser.post("/console/sign-out", &[]).await;
    let clear = answer.headers()["clear-site-data"].to_str().unwrap();
    assert!(clear.contains("cookies") && !clear.contains("storage"), "{clear}");
    let again = browser
        .client
        .get(format!("{}/console/worklist/conflicts", browser.url))
        .header(header::COOKIE, stolen)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 303, "a session that was left is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_cost_a_stated_wait_and_the_shell_helps() {
    let world = World::new();
    assert!(account(&world, "root", "管理员", "administrator", PASSWORD));
    let mut browser = Browser::new(&world);
    for _ in 0..6 {
        assert_eq!(browser.sign_in("root", "not the password").await.status(), 422);
    }
    let locked = browser.sign_in("root", PASSWORD).await;
    assert_eq!(locked.status(), 429);
    let locked = locked.text().await.unwrap();
    let (said, wait) = stated(&locked);
    assert!((1..=30).contains(&wait), "{locked}");
    // A name that nobody has waits as long, in the same words: the wait does not tell who is there.
    for _ in 0..6 {
        assert_eq!(browser.sign_in("nobody", PASSWORD).await.status(), 422);
    }
    let nobody = browser.sign_in("nobody", PASSWORD).await;
    assert_eq!(nobody.status(), 429);
    let (same, wait) = stated(&nobody.text().await.unwrap());
    assert!((1..=30).contains(&wait) && same == said, "{same} {said}");
    // Nobody else waits for it.
    assert_eq!(browser.sign_in("somebody", "x").await.status(), 422);
    assert!(account(
        &world,
        "root",
        "管理员",
        "administrator",
        "another long password"
    ));
    assert_eq!(browser.sign_in("root", PASSWORD).await.status(), 422);
    assert_eq!(browser.sign_in("root", "another long password").await.status(), 303);
    // A new password ends the sessions before it.
    assert_eq!(browser.open("/console/settings").await.status(), 200);
    assert!(account(&world, "root", "管理员", "administrator", PASSWORD));
    assert_eq!(browser.open("/console/settings").await.status(), 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_site_sends_is_refused_and_roles_are_named() {
    let world = World::new();
    assert!(account(&world, "admin", "管理员", "administrator", PASSWORD));
    let mut browser = Browser::new(&world);
    let form = [("user", "admin"), ("password", PASSWORD)];
    let elsewhere = browser
        .post_from("/console/sign-in", &form, "https://evil.example")
        .await;
    assert_eq!(elsewhere.status(), 403);
    assert!(browser.cookies.is_empty());
    assert_eq!(browser.sign_in("admin", PASSWORD).await.status(), 303);
    let refused = browser.post_from("/console/sign-out", &[], "null").await;
    assert_eq!(refused.status(), 403);
    // What a browser really sends from a page under `no-referrer`.
    let real = browser
        .client
        .post(format!("{}/console/settings", browser.url))
        .header(header::COOKIE, browser.cookie())
        .header(header::ORIGIN, "null")
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body("shortcuts=1");
    assert_eq!(real.send().await.unwrap().status(), 303);
    let (status, page) = browser.get("/console/worklist/conflicts").await;
    assert_eq!(status, 403);
    assert!(page.contains("这个页面需要的角色：主管"), "{page}");
    let (status, page) = browser.get("/console/no/such").await;
    assert_eq!(status, 404);
    assert!(page.contains("没有这个页面，或您无权查看"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_strict_headers_and_the_language_link_keeps_the_page() {
    let world = World::new();
    assert!(account(&world, "s", "Zhou", "supervisor", PASSWORD));
    let mut browser = Browser::new(&world);
    let mut seen = Vec::new();
    for path in ["/", "/console/sign-in", "/console/none", "/console/settings"] {
        seen.push(browser.open(path).await);
    }
    assert_eq!(browser.sign_in("s", PASSWORD).await.status(), 303);
    seen.push(browser.open("/console/worklist/conflicts").await);
    for answer in &seen {
        let headers = answer.headers();
        for (name, value) in EVERY_PAGE {
            assert_eq!(headers[name], value, "{name}");
        }
        assert!(!headers.contains_key("strict-transport-security"));
    }
    let (_, page) = browser.get("/console/worklist/conflicts?from=0").await;
    assert!(page.contains("<html lang=\"zh-CN\">"));
    assert!(
        page.contains("href=\"/console/worklist/conflicts?from=0&#38;lang=en\""),
        "{page}"
    );
    let answer = browser.open("/console/worklist/conflicts?from=0&lang=en").await;
    assert_eq!(location(&answer), "/console/worklist/conflicts?from=0");
    let (_, page) = browser.get("/console/worklist/conflicts?from=0").await;
    assert!(
        page.contains("<html lang=\"en\">") && page.contains("Conflicts"),
        "{page}"
    );

    let css = page
        .split("stylesheet\" href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let asset = browser.open(css).await;
    assert_eq!(asset.status(), 200);
    assert!(asset.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    assert_eq!(browser.open("/assets/app-0000000000000000.css").await.status(), 404);
    for script in page.split("<script src=\"").skip(1) {
        assert_eq!(browser.open(script.split('"').next().unwrap()).await.status(), 200);
    }
}
