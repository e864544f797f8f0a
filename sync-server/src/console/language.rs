//! Which language a page is in. The switch is a link: `?lang=en` on any page answers with a cookie and the same page without it.

use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use fieldseal_core::catalogue::Lang;

use super::session::cookie;
use super::words::Words;

const COOKIE: &str = "__Host-fieldseal-language";
/// A year: a person chooses once.
const KEPT_S: u64 = 365 * 86_400;

/// The cookie if there is one, else what the browser prefers, else Chinese.
pub fn of(headers: &HeaderMap) -> Words {
    let lang = match cookie(headers, COOKIE) {
        Some("en") => Lang::En,
        Some(_) => Lang::Zh,
        None => preferred(headers),
    };
    Words { lang }
}

fn preferred(headers: &HeaderMap) -> Lang {
    let wishes = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let known = wishes.split(',').map(str::trim).find_map(|wish| match wish.get(..2) {
        Some(tag) if tag.eq_ignore_ascii_case("zh") => Some(Lang::Zh),
        Some(tag) if tag.eq_ignore_ascii_case("en") => Some(Lang::En),
        _ => None,
    });
    known.unwrap_or(Lang::Zh)
}

/// The answer to a language link.
pub fn switched(uri: &Uri, method: &Method) -> Option<Response> {
    let query = uri.query()?;
    if *method != Method::GET {
        return None;
    }
    let chosen = query.split('&').find_map(|pair| match pair {
        "lang=zh" => Some("zh"),
        "lang=en" => Some("en"),
        _ => None,
    })?;
    let rest: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("lang=")).collect();
    // The path begins with one slash, so the answer never leads to another host.
    let path = format!("/{}", uri.path().trim_start_matches('/'));
    let back = if rest.is_empty() {
        path
    } else {
        format!("{path}?{}", rest.join("&"))
    };
    let mut answer = Redirect::to(&back).into_response();
    let line = format!("{COOKIE}={chosen}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={KEPT_S}");
    if let Ok(value) = HeaderValue::from_str(&line) {
        answer.headers_mut().append(header::SET_COOKIE, value);
    }
    Some(answer)
}

/// The link to a page in the other language.
pub fn link(here: &str, other: &str) -> String {
    let joint = if here.contains('?') { '&' } else { '?' };
    format!("{here}{joint}lang={other}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_keeps_the_page_and_stays_here() {
        let to = |uri: &str| {
            let answer = switched(&uri.parse().expect("a uri"), &Method::GET)?;
            Some(answer.headers()[header::LOCATION].to_str().expect("text").to_owned())
        };
        assert_eq!(
            to("/console/cases?q=%E5%8C%96&lang=en&page=2").as_deref(),
            Some("/console/cases?q=%E5%8C%96&page=2")
        );
        assert_eq!(to("/console/worklist?lang=zh").as_deref(), Some("/console/worklist"));
        assert_eq!(to("//evil.example/?lang=zh").as_deref(), Some("/evil.example/"));
        assert_eq!(to("/console/worklist?lang=fr"), None);
        assert_eq!(link("/a?b=1", "en"), "/a?b=1&lang=en");
    }

    #[test]
    fn what_the_browser_prefers() {
        let lang = |wish: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(wish));
            of(&headers).lang
        };
        assert_eq!(lang("fr, en;q=0.8, zh;q=0.7"), Lang::En);
        assert_eq!(lang("zh-TW"), Lang::Zh);
        assert_eq!(lang("fr"), Lang::Zh);
        assert_eq!(of(&HeaderMap::new()).lang, Lang::Zh);
    }
}
