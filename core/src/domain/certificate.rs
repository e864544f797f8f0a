//! An officer's enforcement certificate number (执法证号).

use std::fmt;

use super::{Line, Refusal};
use crate::catalogue::Param;

/// A certificate number in one spelling: no spaces, Latin letters upper case, 4…40 letters, digits, hyphens or Chinese characters.
/// Provinces number differently, so the form is not narrowed further.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Certificate(String);

impl Certificate {
    /// Checks a number as typed.
    pub fn parse(raw: &str) -> Result<Certificate, Refusal> {
        let line = Line::parse("certificate", raw)?;
        let number: String = line
            .as_str()
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| match c {
                '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
                other => other,
            })
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let length = number.chars().count();
        let plain = number
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || ('\u{4e00}'..='\u{9fff}').contains(&c));
        if !(4..=40).contains(&length) || !plain || !number.chars().any(|c| c.is_ascii_digit()) {
            return Err(Refusal::new(
                "certificate_form",
                [("certificate", Param::text(line.as_str()))],
            ));
        }
        Ok(Certificate(number))
    }

    /// The number.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling() {
        assert_eq!(
            Certificate::parse(" 云应急执 20190417 ").unwrap().as_str(),
            "云应急执20190417"
        );
        assert_eq!(Certificate::parse("ih-2214").unwrap().as_str(), "IH-2214");
        for wrong in ["abc", "no digits here", "2019<0417", "1"] {
            assert_eq!(
                Certificate::parse(wrong).unwrap_err().code(),
                "certificate_form",
                "{wrong}"
            );
        }
    }
}
