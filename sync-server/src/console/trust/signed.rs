//! Whose key signed, on which device, and how the key is kept: one sentence wherever a signature is named. A key that the server
//! holds for somebody is marked in every place, because such a signature is no more than the server's word.

use askama::Template;
use askama::filters::HtmlSafe;
use fieldseal_core::catalogue::Param;
use fieldseal_proof::key_log::Custody;

use crate::console::words::Words;

/// A signature in words: `由李某的密钥（平板 A3，软件保管）签名`.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    source = "<span class=\"signed\"><bdi>{{ sentence }}</bdi>{% if let Some(mark) = mark %} <span class=\"tag warn\">{{ mark }}</span>{% endif %}</span>",
    ext = "html"
)]
pub struct SignedBy {
    sentence: String,
    mark: Option<String>,
}

impl HtmlSafe for SignedBy {}

impl SignedBy {
    /// A person's key, used on a device. `custody`: of the person's key; `None` for one that the key log does not hold.
    pub fn person(words: Words, who: &str, device: &str, custody: Option<Custody>) -> Self {
        let params = [
            ("who", Param::text(who)),
            ("device", Param::text(device)),
            ("custody", Param::text(custody_word(words, custody))),
        ];
        Self::new(words, words.all("trust.signed_by", &params), custody)
    }

    /// A device's own key.
    pub fn device(words: Words, device: &str, custody: Option<Custody>) -> Self {
        let params = [
            ("device", Param::text(device)),
            ("custody", Param::text(custody_word(words, custody))),
        ];
        Self::new(words, words.all("trust.signed_by_device", &params), custody)
    }

    fn new(words: Words, sentence: String, custody: Option<Custody>) -> Self {
        Self {
            sentence,
            mark: (custody == Some(Custody::Server)).then(|| words.t("trust.server_key")),
        }
    }

    /// The sentence alone, for a table cell that compares texts.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// The server holds the key.
    pub fn is_server_held(&self) -> bool {
        self.mark.is_some()
    }
}

/// How a key is kept.
fn custody_word(words: Words, custody: Option<Custody>) -> String {
    words.t(&format!("trust.custody.{}", custody.map_or("unknown", Custody::as_str)))
}
