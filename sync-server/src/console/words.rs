//! The catalogue as templates see it.

use std::fmt;

use fieldseal_core::catalogue::{Lang, Param, text};

/// The words of one language. Templates call `page.t("code")` and `page.t1("code", "name", value)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    pub lang: Lang,
}

/// A value that a sentence can be filled with.
pub trait Fill {
    /// As the catalogue's typed parameter.
    fn param(&self) -> Param;
}

impl Fill for Param {
    fn param(&self) -> Param {
        self.clone()
    }
}
impl Fill for str {
    fn param(&self) -> Param {
        Param::text(self)
    }
}
impl Fill for String {
    fn param(&self) -> Param {
        Param::text(self.as_str())
    }
}
impl Fill for usize {
    fn param(&self) -> Param {
        Param::Count(*self as u64)
    }
}
impl Fill for u64 {
    fn param(&self) -> Param {
        Param::Count(*self)
    }
}
/// Templates hand over references of any depth.
impl<T: Fill + ?Sized> Fill for &T {
    fn param(&self) -> Param {
        (**self).param()
    }
}

impl Words {
    /// A sentence without parameters.
    pub fn t(&self, code: &str) -> String {
        text(self.lang, code, &[])
    }

    /// A sentence with one.
    pub fn t1(&self, code: &str, name: &'static str, value: impl Fill) -> String {
        text(self.lang, code, &[(name, value.param())])
    }

    /// A sentence with two.
    pub fn t2(&self, code: &str, one: &'static str, a: impl Fill, two: &'static str, b: impl Fill) -> String {
        text(self.lang, code, &[(one, a.param()), (two, b.param())])
    }

    /// A sentence with any number.
    pub fn all(&self, code: &str, params: &[(&'static str, Param)]) -> String {
        text(self.lang, code, params)
    }

    /// Value of `<html lang>`.
    pub fn tag(&self) -> &'static str {
        match self.lang {
            Lang::Zh => "zh-CN",
            Lang::En => "en",
        }
    }

    /// The other language: its tag for the link.
    pub fn other(&self) -> &'static str {
        match self.lang {
            Lang::Zh => "en",
            Lang::En => "zh",
        }
    }

    /// Whether Chinese is shown.
    pub fn zh(&self) -> bool {
        self.lang == Lang::Zh
    }

    /// A moment of the server's clock: `2026-03-02 09:00:04`, Beijing time as the page's foot says.
    pub fn moment(&self, ms: u64) -> String {
        at(ms, "%Y-%m-%d %H:%M:%S")
    }

    /// The same without seconds.
    pub fn minute(&self, ms: u64) -> String {
        at(ms, "%Y-%m-%d %H:%M")
    }

    /// Hours and minutes alone.
    pub fn clock(&self, ms: u64) -> String {
        at(ms, "%H:%M")
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

/// Everything is shown in the zone of the agency (console.md section 3: one zone for each page).
pub(super) fn at(ms: u64, format: &str) -> String {
    let zone = jiff::tz::offset(8);
    i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|moment| zone.to_datetime(moment).strftime(format).to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes that templates and pages name are in the catalogue: `t("…")`, `t1("…"`, `t2("…"`, `all("…"`.
    #[test]
    fn every_word_of_the_pages_exists() {
        fn walk(folder: &std::path::Path, missing: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).expect("the source is there").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    walk(&path, missing);
                    continue;
                }
                if !path.extension().is_some_and(|e| e == "rs" || e == "html") {
                    continue;
                }
                let text = std::fs::read_to_string(&path).expect("source is text");
                if text.contains(concat!("|sa", "fe")) {
                    missing.push(format!("{} switches escaping off", path.display()));
                }
                for call in ["t(\"", "t1(\"", "t2(\"", ".all(\""] {
                    for rest in text
                        .split(&format!("{}{call}", if call.starts_with('.') { "" } else { "." }))
                        .skip(1)
                    {
                        let code = rest.split('"').next().unwrap_or_default();
                        // A comment's example has no dot; every code has one.
                        let is_code = code.contains('.') && !code.contains(['{', '\\']);
                        if is_code && !fieldseal_core::catalogue::exists(code) {
                            missing.push(format!("{}: {code}", path.display()));
                        }
                    }
                }
            }
        }
        let mut missing = Vec::new();
        walk(
            &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console"),
            &mut missing,
        );
        assert!(missing.is_empty(), "{missing:#?}");
    }

    #[test]
    fn times_are_of_beijing() {
        let words = Words { lang: Lang::Zh };
        assert_eq!(words.moment(1_772_413_204_000), "2026-03-02 09:00:04");
        assert_eq!(words.moment(u64::MAX), "");
    }
}
