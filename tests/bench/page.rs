//! How fast the console answers a person who looks for a case: the whole page, through TLS, as a browser gets it.

use std::error::Error;
use std::time::Instant;

use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE};
use reqwest::{Client, redirect};

use crate::Scale;
use crate::report::Figure;
use crate::search::{TYPED, share};
use crate::town::{PASSWORD, Town};

/// Who looks.
const USER: &str = "S-1";

/// Asks `GET /console/cases?q=` for each of [`TYPED`] in every round; the ledger holds the cases already.
pub fn page(town: &Town, scale: &Scale) -> Result<Vec<Figure>, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    town.account(USER, "周敏", "supervisor")?;
    let url = town.url()?;
    // One provider for the process; that it is there already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = runtime.block_on(async {
        Client::builder()
            .danger_accept_invalid_certs(true)
            .redirect(redirect::Policy::none())
            .build()
    })?;
    let form = format!("user={USER}&password={}", PASSWORD.replace(' ', "+"));
    let sign_in = client
        .post(format!("{url}/console/sign-in"))
        .header(ORIGIN, &url)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form);
    let answer = runtime.block_on(sign_in.send())?;
    let cookies = answer.headers().get_all(SET_COOKIE).iter();
    let cookies: Vec<&str> = cookies
        .filter_map(|line| line.to_str().ok()?.split(';').next())
        .collect();
    let cookies = cookies.join("; ");
    let mut middle = Figure::new("GET /console/cases?q=…, p50", "ms", &["GET /v1/server, p50"]);
    let mut slowest = Figure::new("GET /console/cases?q=…, p95", "ms", &["GET /v1/server, p95"]);
    for _ in 0..scale.rounds.max(3) {
        let (mut pages, mut nothing) = (Vec::new(), Vec::new());
        for typed in TYPED.iter().cycle().take(TYPED.len() * 2) {
            let q: String = typed.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let begun = Instant::now();
            let asked = client
                .get(format!("{url}/console/cases?q={q}"))
                .header(COOKIE, &cookies);
            let text = runtime.block_on(async { asked.send().await?.error_for_status()?.text().await })?;
            pages.push(begun.elapsed().as_secs_f64() * 1e3);
            if !text.contains("<tr data-row>") {
                return Err(format!("the page shows nothing for {typed:?}").into());
            }
            let begun = Instant::now();
            runtime.block_on(async { client.get(format!("{url}/v1/server")).send().await?.bytes().await })?;
            nothing.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        slowest.round(share(&mut pages, 95), &[share(&mut nothing, 95)]);
        middle.round(share(&mut pages, 50), &[share(&mut nothing, 50)]);
    }
    Ok(vec![middle, slowest])
}
