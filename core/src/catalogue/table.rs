//! The messages, read once from the files beside this one.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::{Lang, Param};

/// Group name and file. A group is only a place to look; codes are unique over all of them.
pub(super) const GROUPS: &[(&str, &str)] = &[
    ("labels", include_str!("messages/labels.toml")),
    ("input", include_str!("messages/input.toml")),
    ("device", include_str!("messages/device.toml")),
    ("app", include_str!("messages/app.toml")),
    ("sync", include_str!("messages/sync.toml")),
    ("server", include_str!("messages/server.toml")),
    ("cli", include_str!("messages/cli.toml")),
    ("usage", include_str!("messages/usage.toml")),
    ("case", include_str!("messages/case.toml")),
    ("trust", include_str!("messages/trust.toml")),
    ("time", include_str!("messages/time.toml")),
    ("console", include_str!("messages/console.toml")),
    ("console_accounts", include_str!("messages/console_accounts.toml")),
    ("console_act", include_str!("messages/console_act.toml")),
    ("console_case", include_str!("messages/console_case.toml")),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sentence {
    pub zh: String,
    pub en: String,
    /// Parameter names with their kinds: `text`, `label`, `count`, `bytes`, `span`.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
}

pub(super) static TABLE: LazyLock<BTreeMap<String, Sentence>> = LazyLock::new(|| {
    // The files are part of the program and `tests::every_file_parses` reads each, so nothing is lost here.
    GROUPS
        .iter()
        .flat_map(|(_, file)| group(file).unwrap_or_default())
        .collect()
});

pub(super) fn group(file: &str) -> Result<BTreeMap<String, Sentence>, toml::de::Error> {
    toml::from_str(file)
}

/// The sentence of a code in a language, with `{name}` replaced by the parameter of that name. A code that is unknown (a newer
/// server's) gives a sentence that says so and names it; a parameter that is not given stays visible as `{name}`.
pub fn text(lang: Lang, code: &str, params: &[(&'static str, Param)]) -> String {
    let Some(sentence) = TABLE.get(code) else {
        return match lang {
            Lang::Zh => format!("出现了本版本不认识的情况（{code}）。已写入的内容都在。请记下这个代码并更新程序。"),
            Lang::En => {
                format!(
                    "Something this version does not know ({code}). What was written is kept. Note the code and update."
                )
            }
        };
    };
    let template = match lang {
        Lang::Zh => &sentence.zh,
        Lang::En => &sentence.en,
    };
    fill(template, |name| {
        params
            .iter()
            .find(|(held, _)| *held == name)
            .map(|(_, param)| param.shown(lang))
    })
}

/// Whether the catalogue has a code.
pub fn exists(code: &str) -> bool {
    TABLE.contains_key(code)
}

/// Every code, ascending.
pub fn codes() -> impl Iterator<Item = &'static str> {
    TABLE.keys().map(String::as_str)
}

/// The parameters of a code with their kinds (`text`, `label`, `count`, `bytes`, `span`), ascending by name.
pub fn parameters(code: &str) -> Option<impl Iterator<Item = (&'static str, &'static str)>> {
    TABLE.get(code).map(|sentence| {
        sentence
            .params
            .iter()
            .map(|(name, kind)| (name.as_str(), kind.as_str()))
    })
}

/// Replaces each `{name}` once; what is put in is never read as a template again.
pub(crate) fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        match after.split_once('}') {
            Some((name, tail)) => {
                match value(name) {
                    Some(shown) => out.push_str(&shown),
                    None => out.extend(["{", name, "}"]),
                }
                rest = tail;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The names in braces, ascending.
#[cfg(test)]
pub(super) fn placeholders(template: &str) -> std::collections::BTreeSet<String> {
    let names = std::cell::RefCell::new(std::collections::BTreeSet::new());
    fill(template, |name| {
        names.borrow_mut().insert(name.to_owned());
        None
    });
    names.into_inner()
}
