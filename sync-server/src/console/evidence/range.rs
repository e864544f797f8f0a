//! Which bytes a request asks for (RFC 9110 section 14): one range, or the whole.

use axum::http::{HeaderMap, header};

/// What is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Whole,
    /// From the first to before the second.
    Part(u64, u64),
    /// 416: begins at or beyond the end.
    Unsatisfiable,
}

/// Reads `Range` and `If-Range`. A range that is malformed, or of another unit, or one of several, is as if it were not there: the
/// whole is sent, which every client must take. The same goes for a range that is asked for only if an older file still stands.
pub fn wanted(headers: &HeaderMap, etag: &str, size: u64) -> Wanted {
    let said = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(range) = said(header::RANGE) else {
        return Wanted::Whole;
    };
    // Strong comparison; a date never matches, because a blob has none.
    if said(header::IF_RANGE).is_some_and(|held| held != etag) {
        return Wanted::Whole;
    }
    one(range, size).unwrap_or(Wanted::Whole)
}

fn one(range: &str, size: u64) -> Option<Wanted> {
    let (first, last) = range.strip_prefix("bytes=")?.trim().split_once('-')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return None;
    }
    // A number that does not fit is beyond every file.
    let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
    match (first.is_empty(), last.is_empty()) {
        (true, true) => None,
        (true, false) => Some(match number(last) {
            0 => Wanted::Unsatisfiable,
            count if size > 0 => Wanted::Part(size.saturating_sub(count), size),
            _ => Wanted::Unsatisfiable,
        }),
        (false, none) => {
            let from = number(first);
            let to = if none {
                size
            } else {
                number(last).saturating_add(1).min(size)
            };
            if !none && number(last) < from {
                return None;
            }
            Some(if from < to {
                Wanted::Part(from, to)
            } else {
                Wanted::Unsatisfiable
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: &str, if_range: Option<&str>, size: u64) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, range.parse().unwrap());
        if let Some(held) = if_range {
            headers.insert(header::IF_RANGE, held.parse().unwrap());
        }
        wanted(&headers, "\"abc\"", size)
    }

    #[test]
    fn one_range_or_the_whole() {
        assert_eq!(of("bytes=0-0", None, 10), Wanted::Part(0, 1));
        assert_eq!(of("bytes=4-", None, 10), Wanted::Part(4, 10));
        assert_eq!(of("bytes=-3", None, 10), Wanted::Part(7, 10));
        assert_eq!(of("bytes=-99", None, 10), Wanted::Part(0, 10));
        assert_eq!(of("bytes=5-99", None, 10), Wanted::Part(5, 10));
        for beyond in ["bytes=10-", "bytes=10-11", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(of(beyond, None, 10), Wanted::Unsatisfiable, "{beyond}");
        }
        assert_eq!(of("bytes=0-", None, 0), Wanted::Unsatisfiable);
        for odd in [
            "bytes=",
            "bytes=-",
            "bytes=5-4",
            "items=0-1",
            "bytes=0-1,3-4",
            "bytes=a-b",
            "bytes=+1-2",
        ] {
            assert_eq!(of(odd, None, 10), Wanted::Whole, "{odd}");
        }
    }

    #[test]
    fn an_older_file_is_sent_anew() {
        assert_eq!(of("bytes=4-", Some("\"abc\""), 10), Wanted::Part(4, 10));
        assert_eq!(of("bytes=4-", Some("\"other\""), 10), Wanted::Whole);
        assert_eq!(of("bytes=4-", Some("W/\"abc\""), 10), Wanted::Whole);
        assert_eq!(of("bytes=4-", Some("Tue, 24 Nov 2026 00:00:00 GMT"), 10), Wanted::Whole);
    }
}
