//! On what a value rests: the column that separates a claim from a proof.

use askama::Template;
use askama::filters::HtmlSafe;

use super::SignedBy;
use crate::console::words::Words;

/// The bases in their fixed order, weakest first; `NotChecked` stands apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    Claim,
    Signed,
    Logged,
    Stamped,
    Cosigned,
    NotChecked,
}

impl Basis {
    /// Every basis in the order in which a legend lists them.
    pub const ALL: [Basis; 6] = [
        Basis::Claim,
        Basis::Signed,
        Basis::Logged,
        Basis::Stamped,
        Basis::Cosigned,
        Basis::NotChecked,
    ];

    fn code(self) -> &'static str {
        match self {
            Basis::Claim => "basis.claim",
            Basis::Signed => "basis.signed",
            Basis::Logged => "basis.logged",
            Basis::Stamped => "basis.stamped",
            Basis::Cosigned => "basis.cosigned",
            Basis::NotChecked => "basis.not_checked",
        }
    }
}

/// A basis in a table, with who stands behind it.
#[derive(Debug, Clone, Template)]
#[template(
    source = "<span class=\"basis{% if claim %} claim{% endif %}\">{{ word }}</span>{% if let Some(who) = who %} <span class=\"meta\">{{ who }}</span>{% endif %}",
    ext = "html"
)]
pub struct BasisCell {
    claim: bool,
    word: String,
    who: Option<SignedBy>,
}

impl HtmlSafe for BasisCell {}

impl BasisCell {
    pub fn new(words: Words, basis: Basis) -> Self {
        Self {
            claim: basis == Basis::Claim,
            word: words.t(basis.code()),
            who: None,
        }
    }

    /// With the key that signed: `由李某的密钥（平板 A3，软件保管）签名`, never "signed by Li".
    pub fn signed_by(words: Words, basis: Basis, who: SignedBy) -> Self {
        Self {
            who: Some(who),
            ..Self::new(words, basis)
        }
    }
}
