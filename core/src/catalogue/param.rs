//! Languages, and what a sentence is filled with.

use super::text;

/// A language of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lang {
    #[default]
    Zh,
    En,
}

impl Lang {
    /// From a language tag or POSIX locale: everything that begins with `zh` is Chinese, everything else English.
    pub fn from_tag(tag: &str) -> Lang {
        if tag.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("zh")) {
            Lang::Zh
        } else {
            Lang::En
        }
    }
}

/// A typed parameter of a message. How it is written depends on the language, never on the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Param {
    /// Text as it is: a name, a path, a code that somebody entered.
    Text(String),
    /// The name of a field or thing: the catalogue's `label.<key>`.
    Label(&'static str),
    /// A number of things.
    Count(u64),
    /// A number of bytes.
    Bytes(u64),
    /// A span of time in milliseconds.
    Span(u64),
}

impl Param {
    /// Text as it is, bounded to 400 characters so that hostile input cannot fill a screen.
    pub fn text(value: impl Into<String>) -> Param {
        let value: String = value.into();
        match value.char_indices().nth(400) {
            None => Param::Text(value),
            Some((end, _)) => Param::Text(format!("{}…", &value[..end])),
        }
    }

    /// The name of a field, as the catalogue's `label.<key>`.
    pub fn label(key: &'static str) -> Param {
        Param::Label(key)
    }

    /// How it reads in a language.
    pub fn shown(&self, lang: Lang) -> String {
        match self {
            Param::Text(text) => text
                .chars()
                .map(|c| if c.is_control() { '\u{fffd}' } else { c })
                .collect(),
            Param::Label(key) => text(lang, &format!("label.{key}"), &[]),
            Param::Count(n) => grouped(*n),
            Param::Bytes(n) => bytes(*n),
            Param::Span(ms) => span(*ms, lang),
        }
    }

    /// The kind's name in the message files.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Param::Text(_) => "text",
            Param::Label(_) => "label",
            Param::Count(_) => "count",
            Param::Bytes(_) => "bytes",
            Param::Span(_) => "span",
        }
    }
}

/// `12,345`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Decimal units with one digit after the point: `1.2 GB`.
fn bytes(n: u64) -> String {
    const UNITS: [(&str, u64); 4] = [
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1_000),
    ];
    match UNITS.iter().find(|(_, size)| n >= *size) {
        Some((unit, size)) => format!("{}.{} {unit}", n / size, n % size * 10 / size),
        None => format!("{n} B"),
    }
}

/// The two greatest units: `3 分 12 秒`, `3 min 12 s`.
fn span(ms: u64, lang: Lang) -> String {
    let names: [&str; 4] = match lang {
        Lang::Zh => [" 天", " 小时", " 分", " 秒"],
        Lang::En => [" d", " h", " min", " s"],
    };
    let seconds = ms / 1000;
    let parts = [seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60];
    let first = parts.iter().position(|&part| part > 0).unwrap_or(3);
    let shown: Vec<String> = (first..4.min(first + 2))
        .filter(|&at| at == first || parts[at] > 0)
        .map(|at| format!("{}{}", parts[at], names[at]))
        .collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_parameters_read() {
        assert_eq!(Param::Count(1_234_567).shown(Lang::Zh), "1,234,567");
        assert_eq!(Param::Count(12).shown(Lang::En), "12");
        assert_eq!(Param::Bytes(1_234_000_000).shown(Lang::En), "1.2 GB");
        assert_eq!(Param::Bytes(999).shown(Lang::En), "999 B");
        assert_eq!(Param::Span(192_000).shown(Lang::Zh), "3 分 12 秒");
        assert_eq!(Param::Span(10_800_000).shown(Lang::En), "3 h");
        assert_eq!(Param::Span(10).shown(Lang::En), "0 s");
        assert_eq!(Param::text("a\u{7}b").shown(Lang::En), "a\u{fffd}b");
        assert!(Param::text("x".repeat(10_000)).shown(Lang::En).chars().count() == 401);
        assert_eq!(Lang::from_tag("zh_CN.UTF-8"), Lang::Zh);
        assert_eq!(Lang::from_tag("C"), Lang::En);
    }
}
