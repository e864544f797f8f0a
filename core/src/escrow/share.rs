//! Shares of a secret, any `need` of which give it back, and fewer of which say nothing about it (Shamir, CACM 22(11), 1979).
//!
//! Each byte of the secret is the value at 0 of a polynomial of its own over GF(2⁸), the field of AES; a share holds the values at
//! its index. Written here, forty lines, because the one crate that everybody used is unmaintained after a flaw in how it drew its
//! polynomials. Products take the same time whatever the bytes are.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::KeyId;
use zeroize::Zeroizing;

use super::EscrowSecret;
use crate::catalogue::Param;
use crate::device::DeviceError;
use crate::random::{Random, array};

/// Holders of an escrow at most.
pub const MOST_HOLDERS: u8 = 16;
const PREFIX: &str = "fieldseal:escrow-share:0:";

/// One holder's part.
#[derive(Clone)]
pub struct Share {
    /// The public key that it belongs to.
    pub key: KeyId,
    /// How many open it.
    pub need: u8,
    /// How many there are.
    pub of: u8,
    /// Which one this is, from 1.
    pub index: u8,
    bytes: Zeroizing<[u8; 32]>,
}

impl Share {
    /// Splits a secret among `of` holders, `need` of whom open it: 2 ≤ `need` ≤ `of` ≤ [`MOST_HOLDERS`].
    ///
    /// # Errors
    /// `escrow_holders` for other numbers; when there is no randomness.
    pub fn split(secret: &EscrowSecret, need: u8, of: u8, random: &dyn Random) -> Result<Vec<Self>, DeviceError> {
        if !(2..=of).contains(&need) || of > MOST_HOLDERS {
            return Err(DeviceError::new(
                "escrow_holders",
                [("most", Param::Count(u64::from(MOST_HOLDERS)))],
            ));
        }
        let key = secret.public()?.key_id();
        // Highest power first, so that a value is one pass; the secret itself comes last.
        let mut powers = Vec::new();
        for _ in 1..need {
            powers.push(Zeroizing::new(array::<32>(random)?));
        }
        let value = |index: u8| {
            let mut bytes = Zeroizing::new([0; 32]);
            for power in powers.iter().chain([&secret.0]) {
                for (held, next) in bytes.iter_mut().zip(power.iter()) {
                    *held = product(*held, index) ^ next;
                }
            }
            bytes
        };
        let share = |index| Self {
            key,
            need,
            of,
            index,
            bytes: value(index),
        };
        Ok((1..=of).map(share).collect())
    }

    /// The secret that these shares give together.
    ///
    /// # Errors
    /// `escrow_too_few` with what is lacking; `escrow_share` for shares of several escrows, or one that was changed.
    pub fn join(shares: &[Self]) -> Result<EscrowSecret, DeviceError> {
        let of_several = || DeviceError::new("escrow_share", [("detail", Param::text("they are not of one escrow"))]);
        let first = shares.first().ok_or_else(|| too_few(0, 2))?;
        let mut points: Vec<&Self> = Vec::new();
        for share in shares {
            if (share.key, share.need, share.of) != (first.key, first.need, first.of) {
                return Err(of_several());
            }
            if points.iter().all(|held| held.index != share.index) {
                points.push(share);
            }
        }
        points.truncate(usize::from(first.need));
        if points.len() < usize::from(first.need) {
            return Err(too_few(points.len(), first.need));
        }
        let mut bytes = Zeroizing::new([0; 32]);
        for share in &points {
            let others = points.iter().filter(|other| other.index != share.index);
            let weight = others.fold(1, |weight, other| {
                product(weight, product(other.index, inverse(other.index ^ share.index)))
            });
            for (held, value) in bytes.iter_mut().zip(share.bytes.iter()) {
                *held ^= product(*value, weight);
            }
        }
        let secret = EscrowSecret(bytes);
        match secret.public() {
            Ok(public) if public.key_id() == first.key => Ok(secret),
            _ => Err(of_several()),
        }
    }

    /// As it is printed for its holder.
    pub fn text(&self) -> Zeroizing<String> {
        let mut map = vec![
            (0, Value::Uint(0)),
            (1, Value::bytes(self.key.as_bytes())),
            (2, Value::Uint(u64::from(self.need))),
            (3, Value::Uint(u64::from(self.of))),
            (4, Value::Uint(u64::from(self.index))),
            (5, Value::bytes(*self.bytes)),
        ];
        let check = check(&map);
        map.push((6, Value::bytes(check)));
        let encoded = Zeroizing::new(cbor::encode(&Value::Map(map)));
        Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&*encoded)))
    }

    /// Reads what a holder typed or scanned; spaces and line ends do not matter.
    ///
    /// # Errors
    /// `escrow_share` with what is wrong.
    pub fn parse(text: &str) -> Result<Self, DeviceError> {
        let wrong = |detail: &str| DeviceError::new("escrow_share", [("detail", Param::text(detail))]);
        if text.len() > 1024 {
            return Err(wrong("too long"));
        }
        let text: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
        let inside = text
            .strip_prefix(PREFIX)
            .ok_or_else(|| wrong("it does not begin with fieldseal:escrow-share:0:"))?;
        let bytes = URL_SAFE_NO_PAD
            .decode(inside)
            .map(Zeroizing::new)
            .map_err(|_| wrong("it is not base64url"))?;
        let Ok(Value::Map(mut map)) = cbor::decode(&bytes) else {
            return Err(wrong("it is not a share"));
        };
        let held = map.pop();
        if held != Some((6, Value::bytes(check(&map)))) {
            return Err(wrong("a letter was misread: its check does not fit"));
        }
        let field = |key: u64| map.iter().find(|(held, _)| *held == key).map(|(_, value)| value);
        let bytes_of = |key| {
            field(key)
                .and_then(Value::as_bytes)
                .and_then(|held| held.try_into().ok())
        };
        let number = |key| {
            field(key)
                .and_then(Value::as_uint)
                .and_then(|held| u8::try_from(held).ok())
        };
        let all = (bytes_of(1), number(2), number(3), number(4), bytes_of(5));
        match all {
            (Some(key), Some(need), Some(of), Some(index), Some(bytes))
                if (2..=of).contains(&need) && of <= MOST_HOLDERS && (1..=of).contains(&index) =>
            {
                Ok(Self {
                    key: KeyId::from_bytes(key),
                    need,
                    of,
                    index,
                    bytes: Zeroizing::new(bytes),
                })
            }
            _ => Err(wrong("it is not a share")),
        }
    }
}

fn too_few(there: usize, need: u8) -> DeviceError {
    DeviceError::new(
        "escrow_too_few",
        [
            ("there", Param::Count(there as u64)),
            ("need", Param::Count(u64::from(need))),
        ],
    )
}

/// Four bytes that tell a misread letter.
fn check(map: &[(u64, Value)]) -> [u8; 4] {
    let [a, b, c, d, ..] = sha256(&cbor::encode(&Value::Map(map.to_vec())));
    [a, b, c, d]
}

/// The product in GF(2⁸) modulo x⁸ + x⁴ + x³ + x + 1.
fn product(mut a: u8, mut b: u8) -> u8 {
    let mut sum = 0;
    for _ in 0..8 {
        sum ^= a & 0u8.wrapping_sub(b & 1);
        let carry = 0u8.wrapping_sub(a >> 7);
        a = (a << 1) ^ (carry & 0x1b);
        b >>= 1;
    }
    sum
}

/// The inverse: a to the power of 254. 0 has none and gives 0.
fn inverse(a: u8) -> u8 {
    let mut power = a;
    let mut result = 1;
    for _ in 0..7 {
        power = product(power, power);
        result = product(result, power);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::OsRandom;

    fn shares(need: u8, of: u8) -> (EscrowSecret, Vec<Share>) {
        let secret = EscrowSecret(Zeroizing::new([0x5a; 32]));
        let shares = Share::split(&secret, need, of, &OsRandom).unwrap();
        (secret, shares)
    }

    fn code(result: Result<EscrowSecret, DeviceError>) -> &'static str {
        result.err().map_or("none", |error| error.code())
    }

    #[test]
    fn products_are_those_of_aes() {
        // FIPS 197, 4.2: {57} • {83} = {c1}, {57} • {13} = {fe}.
        assert_eq!((product(0x57, 0x83), product(0x57, 0x13)), (0xc1, 0xfe));
        assert!((1..=255).all(|a| product(a, inverse(a)) == 1));
    }

    #[test]
    fn any_three_of_five_open_it_and_two_do_not() {
        let (secret, shares) = shares(3, 5);
        let mut opened = 0;
        for a in 0..5 {
            for b in a + 1..5 {
                assert_eq!(
                    code(Share::join(&[shares[a].clone(), shares[b].clone()])),
                    "escrow_too_few"
                );
                for c in b + 1..5 {
                    let some = [&shares[c], &shares[a], &shares[b]].map(Clone::clone);
                    assert_eq!(*Share::join(&some).unwrap().0, *secret.0);
                    opened += 1;
                }
            }
        }
        assert_eq!(opened, 10);
        // The same one twice is one.
        let twice = [0, 0, 1].map(|n: usize| shares[n].clone());
        assert_eq!(code(Share::join(&twice)), "escrow_too_few");
        // More than are needed are no harm.
        assert_eq!(*Share::join(&shares).unwrap().0, *secret.0);
    }

    #[test]
    fn a_share_is_read_as_it_was_printed_and_a_wrong_letter_is_noticed() {
        let (_, shares) = shares(2, 3);
        let text = shares[1].text();
        let (head, tail) = text.split_at(60);
        let read = Share::parse(&format!(" {head}\n{tail}\r\n")).unwrap();
        assert_eq!(
            (read.index, read.need, read.of, *read.bytes),
            (2, 2, 3, *shares[1].bytes)
        );
        for place in PREFIX.len()..text.len() - 1 {
            let mut letters = text.as_bytes().to_vec();
            letters[place] = if letters[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(letters).unwrap();
            assert!(Share::parse(&changed).is_err(), "letter {place}");
        }
    }

    #[test]
    fn shares_of_two_escrows_and_impossible_numbers_are_refused() {
        let (_, shares) = shares(2, 3);
        let other = Share::split(&EscrowSecret(Zeroizing::new([7; 32])), 2, 3, &OsRandom).unwrap();
        assert_eq!(
            code(Share::join(&[shares[0].clone(), other[1].clone()])),
            "escrow_share"
        );
        // One that says it is of this escrow, and is not.
        let forged = Share {
            key: shares[0].key,
            ..other[1].clone()
        };
        assert_eq!(code(Share::join(&[shares[0].clone(), forged])), "escrow_share");
        let secret = EscrowSecret(Zeroizing::new([7; 32]));
        for (need, of) in [(1, 3), (4, 3), (2, 17), (0, 0)] {
            assert!(Share::split(&secret, need, of, &OsRandom).is_err(), "{need} of {of}");
        }
    }
}
