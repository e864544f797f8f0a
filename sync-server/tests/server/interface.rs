//! The interface's description against the interface, the public page, and what a monitor is told.

use fieldseal_proof::cbor::Value;
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

use fieldseal_sync_server::api::routes;

use crate::console::{Browser, PASSWORD, account};
use crate::world::*;

async fn described(world: &World) -> Json {
    let asked = world.client.get(format!("{}/openapi.json", world.url));
    world.json(asked).await.1
}

/// A path with something in the place of each name.
fn concrete(path: &str) -> String {
    let (nobody, hash) = (case(1).to_string(), "0".repeat(64));
    let names = [
        ("{path}", "0/000"),
        ("{request}", "x"),
        ("{id}", "x"),
        ("{hash}", &hash),
        ("{sha256}", &hash),
        ("{device}", &nobody),
        ("{incarnation}", &nobody),
        ("{case}", &nobody),
    ];
    names
        .iter()
        .fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_names_every_route_and_no_other() {
    let world = World::new();
    let openapi = described(&world).await;
    let paths = openapi["paths"].as_object().unwrap();
    let mut named: Vec<(String, String)> = Vec::new();
    for (path, operations) in paths {
        named.extend(
            operations
                .as_object()
                .unwrap()
                .keys()
                .map(|method| (method.clone(), path.clone())),
        );
    }
    named.sort();
    let mut served: Vec<(String, String)> = routes()
        .into_iter()
        .map(|(method, path)| (method.to_owned(), path))
        .collect();
    served.sort();
    assert_eq!(named, served);
    let ask = |method: &str, path: &str| {
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        world
            .client
            .request(method, format!("{}{}", world.url, concrete(path)))
            .send()
    };
    for (method, path) in &served {
        assert_ne!(ask(method, path).await.unwrap().status(), 405, "{method} {path}");
        // A path that nobody serves would answer 404 to any method.
        assert_eq!(ask("put", path).await.unwrap().status(), 405, "{path} is not served");
    }
    assert_eq!(ask("put", "/v1/nothing").await.unwrap().status(), 404);
}

/// What does not fit a schema, by its place.
fn misfits(root: &Json, schema: &Json, value: &Json, at: &str, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let schema = root
            .pointer(name.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{name} is not there"));
        return misfits(root, schema, value, at, found);
    }
    let choices = schema["anyOf"].as_array().or(schema["oneOf"].as_array());
    if let Some(choices) = choices {
        let fits = |choice: &Json| {
            let mut inner = Vec::new();
            misfits(root, choice, value, at, &mut inner);
            inner.is_empty()
        };
        if !choices.iter().any(fits) {
            found.push(format!("{at}: {value} fits none"));
        }
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        found.push(format!("{at}: {value} is not listed"));
    }
    let fits = match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some("null") => value.is_null(),
        _ => true,
    };
    if !fits {
        found.push(format!("{at}: {value} is no {}", schema["type"]));
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        misfits(root, &schema["items"], item, &format!("{at}[{n}]"), found);
    }
    let Some(members) = value.as_object() else { return };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !members.contains_key(name.as_str().unwrap()) {
            found.push(format!("{at}: {name} is not there"));
        }
    }
    for (name, member) in members {
        match schema["properties"].get(name) {
            Some(schema) => misfits(root, schema, member, &format!("{at}.{name}"), found),
            None if schema["additionalProperties"] == json!(false) => {
                found.push(format!("{at}: {name} is not described"))
            }
            None => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_what_the_description_says() {
    let mut world = World::new();
    let mut tablet = world.device(10, "tablet").await;
    let supervisor = world.device(12, "supervisor").await;
    let admin = world.admin_token();
    let of = case(31);
    let begin = vec![
        (
            "inspection/device".into(),
            Value::Array(vec![Value::bytes(tablet.id.as_bytes())]),
        ),
        ("party/name".into(), Value::text("红星五金厂")),
    ];
    let seal = vec![(
        "evidence/09090909-0909-0909-0909-090909090909/sha256".into(),
        Value::bytes([7; 32]),
    )];
    // Of no open inspection: set aside, so that the view has a quarantine.
    let frames = [
        tablet.open(),
        tablet.write("inspection.begin", Some(of), begin).frame(),
        tablet.write("evidence.seal", Some(of), seal).frame(),
        tablet
            .write("no.such.kind", Some(of), vec![("note/a/text".into(), Value::text("x"))])
            .frame(),
    ];
    let pushed = world.push(&tablet, &frames).await;
    world.feed(&supervisor, &mut String::new()).await;
    let openapi = described(&world).await;
    let chain = format!("/v1/log/{}/{}", tablet.id, tablet.incarnation);
    let hashes = json!({ "sha256": ["07".repeat(32)] });
    let health = json!({ "wall_ms": 1, "waiting": { "operations": 0, "unsealed": 0, "blobs": 0, "blob_bytes": 0 }, "app": "x", "core": "y" });
    let lease = json!({ "form": "order", "year": 2026, "count": 3 });
    let invite = json!({ "kind": "tablet", "label": "x" });
    let (get, post) = (|| Method::GET, || Method::POST);
    let asked = [
        (get(), "/v1/server", String::new(), &admin, None),
        (get(), "/healthz", String::new(), &admin, None),
        (
            get(),
            "/v1/log/{device}/{incarnation}/head",
            format!("{chain}/head"),
            &tablet.token,
            None,
        ),
        (get(), "/v1/feed", String::new(), &supervisor.token, None),
        (post(), "/v1/blobs/have", String::new(), &tablet.token, Some(&hashes)),
        (get(), "/v1/packs", String::new(), &tablet.token, None),
        (post(), "/v1/health", String::new(), &tablet.token, Some(&health)),
        (get(), "/v1/duplicates", String::new(), &admin, None),
        (get(), "/v1/cases", String::new(), &supervisor.token, None),
        (
            get(),
            "/v1/cases/{case}",
            format!("/v1/cases/{of}"),
            &supervisor.token,
            None,
        ),
        (
            get(),
            "/v1/cases/{case}/documents",
            format!("/v1/cases/{of}/documents"),
            &supervisor.token,
            None,
        ),
        (post(), "/v1/numbers/lease", String::new(), &tablet.token, Some(&lease)),
        (post(), "/v1/admin/invitations", String::new(), &admin, Some(&invite)),
        (get(), "/v1/admin/enrolments", String::new(), &admin, None),
        (get(), "/v1/admin/devices", String::new(), &admin, None),
    ];
    let schema = |method: &str, path: &str, part: &str| openapi["paths"][path][method][part].clone();
    let mut found = Vec::new();
    let of_push = schema("post", "/v1/log/{device}/{incarnation}", "responses");
    let body = &of_push["200"]["content"]["application/json"]["schema"];
    misfits(&openapi, body, &pushed.1, "push", &mut found);
    for (method, path, concrete, token, body) in asked {
        let at = if concrete.is_empty() { path } else { &concrete };
        let mut request = world.ask(method.clone(), at, token);
        let method = method.as_str().to_lowercase();
        if let Some(body) = body {
            let described = schema(&method, path, "requestBody");
            misfits(
                &openapi,
                &described["content"]["application/json"]["schema"],
                body,
                path,
                &mut found,
            );
            request = request.json(body);
        }
        let (status, answer) = world.json(request).await;
        assert_eq!(status, 200, "{path}: {answer}");
        let described = schema(&method, path, "responses")["200"]["content"]["application/json"]["schema"].clone();
        assert!(described["$ref"].is_string(), "{path} has no schema of its own");
        misfits(&openapi, &described, &answer, path, &mut found);
    }
    let (_, problem) = world.json(world.client.get(format!("{}/v1/cases", world.url))).await;
    misfits(
        &openapi,
        &openapi["components"]["schemas"]["Problem"],
        &problem,
        "problem",
        &mut found,
    );
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_page_prints_a_command_that_checks_a_leaf() {
    let mut world = World::new();
    let mut tablet = world.device(10, "tablet").await;
    let mut frames = vec![tablet.open()];
    frames.extend((0..300).map(|n| tablet.note(&format!("{n}"))));
    assert_eq!(world.push(&tablet, &frames).await.0, 200);
    world.feed(&tablet, &mut String::new()).await;
    let page = world.client.get(&world.url).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let page = page.text().await.unwrap();
    assert!(
        page.contains("fieldseal.test/county/0") && !page.contains("<script"),
        "{page}"
    );
    let note = world
        .client
        .get(format!("{}/checkpoint", world.url))
        .send()
        .await
        .unwrap();
    let note = note.text().await.unwrap();
    let (size, root) = (note.lines().nth(1).unwrap(), note.lines().nth(2).unwrap());
    assert!(page.contains(&format!("<code>{size}</code>")), "{page}");
    let unescaped = |text: &str| {
        let marks = [
            ("&#60;", "<"),
            ("&#62;", ">"),
            ("&#34;", "\""),
            ("&#39;", "'"),
            ("&lt;", "<"),
            ("&gt;", ">"),
        ];
        let quotes = [("&quot;", "\""), ("&#x27;", "'"), ("&#38;", "&"), ("&amp;", "&")];
        let all = marks.iter().chain(&quotes);
        all.fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    assert!(unescaped(&page).contains(&format!("<code>{root}</code>")), "{page}");
    let command = page
        .split("<pre><code>python3")
        .nth(1)
        .unwrap()
        .split("</code>")
        .next()
        .unwrap();
    let command = format!("python3{}", unescaped(command));
    let run = |command: &str| std::process::Command::new("sh").args(["-c", command]).output().unwrap();
    let done = run(&command);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(
        said.contains(&format!("of {size} leaves")) && said.contains(root),
        "{said}"
    );
    // Any other leaf in its place, and any other index, is told.
    let index: u64 = size.parse::<u64>().unwrap() - 1;
    let leaf = command
        .split_once(&format!(" {index} "))
        .unwrap()
        .1
        .split_once(' ')
        .unwrap()
        .0;
    let spoilt = [
        command.replace(leaf, &"00".repeat(32)),
        command.replace(&format!(" {index} "), &format!(" {} ", index - 7)),
        command.replace(&format!(" {index} "), &format!(" {} ", index + 1)),
    ];
    for spoilt in spoilt {
        assert!(!run(&spoilt).status.success(), "{spoilt}");
    }
}

async fn standing(world: &World) -> (StatusCode, Json) {
    world.json(world.client.get(format!("{}/healthz", world.url))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_needs_its_token_and_sees_what_waits() {
    let mut world = World::new();
    let tablet = world.device(10, "tablet").await;
    let metrics = |token: &str| world.ask(Method::GET, "/metrics", token).send();
    for wrong in ["", "x", &world.admin_token(), &tablet.token] {
        assert_eq!(metrics(wrong).await.unwrap().status(), 401, "{wrong:?}");
    }
    let bare = world.client.get(format!("{}/metrics", world.url)).send().await.unwrap();
    assert_eq!(
        bare.status(),
        401,
        "this machine's own address says nothing: a proxy has it too"
    );
    let token = std::fs::read_to_string(world.dir().join("keys/metrics.token")).unwrap();
    let text = metrics(&token).await.unwrap().text().await.unwrap();
    for name in [
        "log_size",
        "log_waiting_leaves",
        "fold_waiting_operations",
        "uploads_open",
        "workers_failed",
        "disk_free_bytes",
        "checkpoint_age_seconds",
        "requests_at_work{plane=\"push\"}",
        "http_requests_total",
    ] {
        assert!(text.contains(name), "{name}: {text}");
    }
    let number = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    };
    assert!(number("disk_free_bytes") > 1e6 && number("log_size") >= 1.0, "{text}");
    assert!((0.0..600.0).contains(&number("checkpoint_age_seconds")), "{text}");
    assert_eq!(number("workers_failed"), 0.0);
    let (status, said) = standing(&world).await;
    assert_eq!(
        (status, &said["status"], &said["reasons"]),
        (StatusCode::OK, &json!("ok"), &json!([]))
    );
    // More than this disk has free: files are refused, records are not, and it is said.
    world.limit(&[("keep_free_bytes", 1 << 50)]);
    let (status, said) = standing(&world).await;
    assert_eq!(
        (status, &said["status"], &said["reasons"]),
        (StatusCode::OK, &json!("degraded"), &json!(["disk_low"]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_over_the_interface_stands_in_the_access_log() {
    let mut world = World::new();
    let mut tablet = world.device(10, "tablet").await;
    let supervisor = world.device(12, "supervisor").await;
    let admin = world.admin_token();
    let of = case(31);
    let begin = vec![
        (
            "inspection/device".into(),
            Value::Array(vec![Value::bytes(tablet.id.as_bytes())]),
        ),
        ("party/name".into(), Value::text("红星五金厂")),
    ];
    let frames = [tablet.open(), tablet.write("inspection.begin", Some(of), begin).frame()];
    assert_eq!(world.push(&tablet, &frames).await.0, 200);
    // One sitting, many polls; a tablet's own feed is its own.
    let mut cursor = String::new();
    for _ in 0..3 {
        world.feed(&supervisor, &mut cursor).await;
    }
    world.feed(&tablet, &mut String::new()).await;
    let read = |path: String, token: &str| world.json(world.ask(Method::GET, &path, token));
    assert_eq!(read("/v1/cases?query=红星".into(), &supervisor.token).await.0, 200);
    assert_eq!(read(format!("/v1/cases/{of}"), &supervisor.token).await.0, 200);
    assert_eq!(read(format!("/v1/cases/{}", case(99)), &supervisor.token).await.0, 404);
    assert_eq!(read("/v1/admin/enrolments".into(), &admin).await.0, 200);

    assert!(account(&world, "root", "管理员", "administrator", PASSWORD));
    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in("root", PASSWORD).await.status(), 303);
    let mut counted = Vec::new();
    for deed in ["feed.read", "register.read", "case.read", "enrolments.read"] {
        let (_, page) = browser.get(&format!("/console/access?deed={deed}")).await;
        let rows = page
            .split("<tbody")
            .nth(1)
            .map_or(0, |body| body.matches("<tr").count());
        counted.push((deed, rows));
        let target = match deed {
            "register.read" => "红星".to_owned(),
            "case.read" => of.to_string(),
            _ => String::new(),
        };
        assert!(page.contains(&target), "{deed}: {page}");
    }
    assert_eq!(
        counted,
        [
            ("feed.read", 1),
            ("register.read", 1),
            ("case.read", 1),
            ("enrolments.read", 1)
        ]
    );
}

/// A small authority and a certificate of localhost by it, as an agency's own authority would make them.
fn certificate_files(folder: &std::path::Path) {
    let openssl = |words: &[&str]| {
        let done = std::process::Command::new("openssl")
            .args(words)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    };
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let root = [
        "req",
        "-x509",
        "-keyout",
        "root.key",
        "-out",
        "root.crt",
        "-subj",
        "/CN=County CA",
        "-days",
        "30",
    ];
    openssl(&[&root[..], &curve].concat());
    let asked = ["req", "-keyout", "own.key", "-out", "own.csr", "-subj", "/CN=localhost"];
    openssl(&[&asked[..], &curve].concat());
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").unwrap();
    let signed = [
        "x509",
        "-req",
        "-in",
        "own.csr",
        "-CA",
        "root.crt",
        "-CAkey",
        "root.key",
        "-CAcreateserial",
    ];
    openssl(&[&signed[..], &["-days", "30", "-extfile", "names", "-out", "own.crt"]].concat());
    let chain = [
        std::fs::read(folder.join("own.crt")).unwrap(),
        std::fs::read(folder.join("root.crt")).unwrap(),
    ];
    std::fs::write(folder.join("chain.crt"), chain.concat()).unwrap();
    openssl(&["x509", "-in", "own.crt", "-pubkey", "-noout", "-out", "own.pub"]);
    openssl(&[
        "pkey", "-pubin", "-in", "own.pub", "-outform", "DER", "-out", "own.spki",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_files_of_an_authority_are_served_and_their_key_is_what_devices_are_told() {
    let files = tempfile::tempdir().unwrap();
    certificate_files(files.path());
    let at = |name: &str| files.path().join(name).display().to_string();
    let world = World::with_tls(Some((&at("chain.crt"), &at("own.key"))));
    let spki = std::fs::read(files.path().join("own.spki")).unwrap();
    assert_eq!(
        world.card["tls_sha256"],
        hex::encode(fieldseal_proof::hash::sha256(&spki))
    );
    // A browser that trusts the agency's authority, and nothing else, is satisfied.
    let stranger = tempfile::tempdir().unwrap();
    certificate_files(stranger.path());
    let trusting = |folder: &std::path::Path| {
        let root = reqwest::Certificate::from_pem(&std::fs::read(folder.join("root.crt")).unwrap()).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
        client.get(format!("{}/healthz", world.url)).send()
    };
    assert_eq!(trusting(files.path()).await.unwrap().status(), 200);
    assert!(trusting(stranger.path()).await.is_err());
    // A key that is none of the certificate's is said when the server starts, by file.
    let dir = world.dir().join("keys/tls.key");
    std::fs::copy(stranger.path().join("own.key"), dir).unwrap();
    let mut world = world;
    world.stop();
    let (code, said) = world.attempt(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--dir",
        world.dir().to_str().unwrap(),
    ]);
    assert_eq!(code, Some(1), "{said}");
}
