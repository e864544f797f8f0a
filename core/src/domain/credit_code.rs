//! Unified social credit code (统一社会信用代码), GB 32100-2015.

use std::fmt;

use super::Refusal;
use crate::catalogue::Param;

const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// Weights of the organisation code's own check digit, GB 11714.
const INNER_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

/// A code that passes both check digits, in its one spelling: 18 upper-case characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CreditCode([u8; 18]);

/// What an entered code came to. The raw text is always kept beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreditCodeCheck {
    /// Both check digits hold.
    Valid(CreditCode),
    /// A 15-digit registration number from before 2015: kept as it is, not a credit code.
    OldRegistration(String),
    /// Neither.
    Invalid(Refusal),
}

impl CreditCode {
    /// Reads a code as it comes from the field: lower case, full width, spaces and hyphens, `O` for 0, `I` for 1 are put right, and
    /// both check digits decide whether that guess was sound.
    pub fn parse(raw: &str) -> Result<CreditCode, Refusal> {
        let code = normalised(raw);
        let chars: [u8; 18] = code.as_bytes().try_into().map_err(|_| {
            Refusal::new(
                "credit_code_length",
                [
                    ("code", shown(raw)),
                    ("length", Param::Count(code.chars().count() as u64)),
                ],
            )
        })?;
        let mut values = [0u32; 18];
        for (place, &c) in chars.iter().enumerate() {
            let value = ALPHABET.iter().position(|&a| a == c);
            values[place] = value.ok_or_else(|| {
                Refusal::new(
                    "credit_code_character",
                    [
                        ("code", shown(raw)),
                        ("character", Param::text((c as char).to_string())),
                        ("place", Param::Count(place as u64 + 1)),
                    ],
                )
            })? as u32;
        }
        if outer_check(&values) != values[17] {
            return Err(Refusal::new("credit_code_check", [("code", shown(raw))]));
        }
        if inner_check(&chars) != chars[16] {
            return Err(Refusal::new("credit_code_organisation_check", [("code", shown(raw))]));
        }
        Ok(CreditCode(chars))
    }

    /// The same, but an old registration number is told apart from a wrong code.
    pub fn check(raw: &str) -> CreditCodeCheck {
        let digits = normalised(raw);
        if digits.len() == 15 && digits.bytes().all(|c| c.is_ascii_digit()) {
            return CreditCodeCheck::OldRegistration(digits);
        }
        match CreditCode::parse(raw) {
            Ok(code) => CreditCodeCheck::Valid(code),
            Err(refusal) => CreditCodeCheck::Invalid(refusal),
        }
    }

    /// The 18 characters.
    pub fn as_str(&self) -> &str {
        // Only characters of the alphabet, which is ASCII, get in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The six digits of the division (GB/T 2260) where it was registered.
    pub fn division(&self) -> &str {
        &self.as_str()[2..8]
    }
}

impl fmt::Display for CreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn normalised(raw: &str) -> String {
    raw.chars()
        .take(200)
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '－' | '\u{200b}' | '\u{feff}'))
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            other => other,
        })
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' => '1',
            other => other,
        })
        .collect()
}

fn outer_check(values: &[u32; 18]) -> u32 {
    let mut weight = 1;
    let mut sum = 0;
    for value in &values[..17] {
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    (31 - sum % 31) % 31
}

fn inner_check(chars: &[u8; 18]) -> u8 {
    let value = |c: u8| {
        if c.is_ascii_digit() {
            u32::from(c - b'0')
        } else {
            u32::from(c - b'A') + 10
        }
    };
    let sum: u32 = chars[8..16]
        .iter()
        .zip(INNER_WEIGHTS)
        .map(|(&c, weight)| value(c) * weight)
        .sum();
    match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        digit => b'0' + digit as u8,
    }
}

fn shown(raw: &str) -> Param {
    Param::text(raw.chars().take(40).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUE_CODES: [&str; 6] = [
        "91350100M000100Y43",
        "91330100799655058B",
        "9144030071526726XG",
        "914403001922038216",
        "91110000802100433B",
        "11341731MB1989404J",
    ];

    #[test]
    fn codes_as_they_come_from_the_field() {
        for code in TRUE_CODES {
            assert_eq!(CreditCode::parse(code).unwrap().as_str(), code);
        }
        assert_eq!(
            CreditCode::parse(" 9135 0100-m000100y43").unwrap().as_str(),
            TRUE_CODES[0]
        );
        assert_eq!(CreditCode::parse("9135O1OOMOOO1OOY43").unwrap().as_str(), TRUE_CODES[0]);
        assert_eq!(
            CreditCode::parse("９１３５０１００Ｍ０００１００Ｙ４３")
                .unwrap()
                .division(),
            "350100"
        );
    }

    #[test]
    fn every_single_wrong_character_is_found() {
        for code in TRUE_CODES {
            for place in 0..18 {
                for &other in ALPHABET {
                    let mut wrong = code.as_bytes().to_vec();
                    if wrong[place] != other {
                        wrong[place] = other;
                        assert!(CreditCode::parse(std::str::from_utf8(&wrong).unwrap()).is_err());
                    }
                }
            }
        }
    }

    #[test]
    fn the_inner_digit_alone() {
        // Character 17 changed and the outer digit recomputed: only the organisation code's check finds it.
        let mut values = [0u32; 18];
        let mut chars = *b"91350100M000100Y43";
        chars[16] = b'5';
        for (place, c) in chars.iter().enumerate() {
            values[place] = ALPHABET.iter().position(|a| a == c).unwrap() as u32;
        }
        chars[17] = ALPHABET[outer_check(&values) as usize];
        let refusal = CreditCode::parse(std::str::from_utf8(&chars).unwrap()).unwrap_err();
        assert_eq!(refusal.code(), "credit_code_organisation_check");
    }

    #[test]
    fn what_is_not_a_code() {
        assert_eq!(CreditCode::parse("").unwrap_err().code(), "credit_code_length");
        assert_eq!(
            CreditCode::parse("9135010SM000100Y43").unwrap_err().code(),
            "credit_code_character"
        );
        assert_eq!(
            CreditCode::parse("化工厂化工厂").unwrap_err().code(),
            "credit_code_character"
        );
        assert!(matches!(
            CreditCode::check("350100100012345"),
            CreditCodeCheck::OldRegistration(_)
        ));
    }
}
