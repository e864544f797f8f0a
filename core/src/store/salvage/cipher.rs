//! Pages of a SQLCipher 4 database, opened one by one without SQLCipher: a page that authenticates is given out, whatever
//! happened to the others (<https://www.zetetic.net/sqlcipher/design/>).
//!
//! A page is `ciphertext ‖ IV (16) ‖ HMAC-SHA-512 (64)`, AES-256-CBC under the raw key. The authentication key is made of the
//! raw key and the salt; the salt is the first 16 bytes of the file and stands nowhere else, which is why the keyring keeps
//! a copy of it.

use aes::cipher::{BlockCipherDecrypt, KeyInit};
use aes::{Aes256, Block};
use hmac::{Hmac, Mac};
use sha2::Sha512;
use zeroize::Zeroizing;

/// Bytes of a page.
pub(super) const PAGE: usize = 4096;
/// Bytes of a page that are the database's; the rest is IV and authentication code.
pub(super) const USABLE: usize = PAGE - IV - MAC;
/// Bytes of the salt.
pub(in crate::store) const SALT: usize = 16;

const IV: usize = 16;
const MAC: usize = 64;
/// What SQLCipher lays over the salt for the authentication key.
const SALT_MASK: u8 = 0x3a;

/// Opens pages of one database.
pub(super) struct PageCipher {
    cipher: Aes256,
    mac_key: Zeroizing<[u8; 32]>,
}

impl PageCipher {
    /// From the raw key and the salt.
    pub fn new(key: &[u8; 32], salt: &[u8; SALT]) -> Self {
        Self {
            cipher: Aes256::new(&(*key).into()),
            mac_key: authentication_key(key, salt),
        }
    }

    /// The content of page `number` (from 1), [`USABLE`] bytes; `None` when it does not authenticate. The first page begins with
    /// the salt instead of SQLite's magic; those 16 bytes come back as zeros.
    pub fn open(&self, number: u32, page: &[u8]) -> Option<Vec<u8>> {
        let page: &[u8; PAGE] = page.try_into().ok()?;
        let start = if number == 1 { SALT } else { 0 };
        let (sealed, code) = page.split_at(PAGE - MAC);
        mac(&self.mac_key, &[&sealed[start..], &number.to_le_bytes()])
            .verify_slice(code)
            .ok()?;
        let (ciphertext, iv) = sealed.split_at(USABLE);
        let mut content = vec![0; USABLE];
        let mut before: [u8; 16] = iv.try_into().ok()?;
        for (sealed, open) in ciphertext[start..]
            .chunks_exact(16)
            .zip(content[start..].chunks_exact_mut(16))
        {
            let sealed: [u8; 16] = sealed.try_into().ok()?;
            let mut block = Block::from(sealed);
            self.cipher.decrypt_block(&mut block);
            for (place, (plain, mask)) in open.iter_mut().zip(block.iter().zip(before)) {
                *place = plain ^ mask;
            }
            before = sealed;
        }
        Some(content)
    }
}

/// PBKDF2-HMAC-SHA-512 over the masked salt with two rounds, as SQLCipher makes the key that authenticates pages.
fn authentication_key(key: &[u8; 32], salt: &[u8; SALT]) -> Zeroizing<[u8; 32]> {
    let masked = salt.map(|byte| byte ^ SALT_MASK);
    let first = mac(key, &[&masked, &1u32.to_be_bytes()]).finalize().into_bytes();
    let second = mac(key, &[&first]).finalize().into_bytes();
    let mut made = Zeroizing::new([0; 32]);
    for (place, (a, b)) in made.iter_mut().zip(first.iter().zip(second)) {
        *place = a ^ b;
    }
    made
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> Hmac<Sha512> {
    let Ok(mut mac) = <Hmac<Sha512> as KeyInit>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of any length");
    };
    for part in parts {
        mac.update(part);
    }
    mac
}
