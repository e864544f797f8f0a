//! Base64 (RFC 4648 §4) and proquint words: the text forms of bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Standard base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Strict standard base64: one spelling only.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok().filter(|bytes| base64(bytes) == text)
}

const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
const VOWELS: &[u8; 4] = b"aiou";

/// Bytes as pronounceable words of 16 bits (proquints), for reading a chain head off a paper or over a telephone.
///
/// ```
/// assert_eq!(fieldseal_proof::encoding::proquints(&[127, 0, 0, 1]), "lusab-babad");
/// ```
pub fn proquints(bytes: &[u8]) -> String {
    let word = |pair: &[u8]| {
        let n = u16::from_be_bytes([pair[0], pair[1]]);
        let c = |shift: u16| CONSONANTS[(n >> shift & 15) as usize] as char;
        let v = |shift: u16| VOWELS[(n >> shift & 3) as usize] as char;
        [c(12), v(10), c(6), v(4), c(0)].into_iter().collect::<String>()
    };
    bytes.chunks_exact(2).map(word).collect::<Vec<_>>().join("-")
}

/// Bytes of proquint words; blanks and dashes between words are the same, case is ignored.
pub fn from_proquints(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for word in text.split(['-', ' ', '\n', '\t']).filter(|w| !w.is_empty()) {
        let letters = word.to_ascii_lowercase().into_bytes();
        let [a, b, c, d, e] = letters[..] else { return None };
        let consonant = |x: u8| CONSONANTS.iter().position(|y| *y == x).map(|p| p as u16);
        let vowel = |x: u8| VOWELS.iter().position(|y| *y == x).map(|p| p as u16);
        let n = consonant(a)? << 12 | vowel(b)? << 10 | consonant(c)? << 6 | vowel(d)? << 4 | consonant(e)?;
        out.extend_from_slice(&n.to_be_bytes());
    }
    Some(out)
}
