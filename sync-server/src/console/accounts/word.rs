//! One-time words: what an administrator tells a person, who then chooses a password of her own.

use fieldseal_core::random::array;

use super::super::error::PageError;
use super::super::once::{Code, Use};
use super::super::password::Hashed;
use super::super::visitor::Desk;
use super::Account;
use crate::api::App;

/// A word that nobody used within a day is worth nothing.
const HOLDS_MS: u64 = 24 * 3_600_000;
/// So long its page shows it to whoever made it.
const SHOWN_MS: u64 = 15 * 60_000;
/// 32 signs that are not mistaken for each other when read aloud or copied by hand.
const SIGNS: &[u8; 32] = b"23456789abcdefghjkmnopqrstuvwxyz";
/// 60 bits.
const LENGTH: usize = 12;

/// Gives the account a new word in place of its password and ends its sessions. The word is in memory under the token that comes
/// back; the account is not written yet.
///
/// # Errors
/// When there is no randomness.
pub async fn give(app: &App, desk: &Desk, account: &mut Account) -> Result<String, PageError> {
    let random = |_| PageError::broken("no randomness");
    let drawn = array::<LENGTH>(&*app.server.random).map_err(random)?;
    let token = hex::encode(array::<16>(&*app.server.random).map_err(random)?);
    let word = drawn.map(|byte| char::from(SIGNS[usize::from(byte % 32)]));
    let text = word.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-");
    let now = app.server.clock.now().wall_ms;
    account.password = Hashed::new(&text, &*app.server.random).await?;
    account.one_time_until_ms = Some(now + HOLDS_MS);
    account.changed_ms = now;
    let code = Code {
        of: Use::Account,
        text,
        label: account.user.clone(),
        expires_ms: now + SHOWN_MS,
        user: desk.staff.account.user.clone(),
    };
    app.codes.keep(token.clone(), code, now);
    Ok(token)
}
