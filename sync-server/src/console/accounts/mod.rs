//! People who may sign in. An account opens pages; what a person signs is worth what their enrolled key is worth.
//!
//! Administrators make accounts and change them here (`list`, `one`); a new one begins with a one-time word (`word`), in whose place
//! the person puts a password of her own (`own_password`).

mod list;
mod one;
mod own_password;
mod word;

pub use list::{make, page as list};
pub use one::{change, page as one};
pub use own_password::{change as change_password, page as password};

use serde::{Deserialize, Serialize};

use super::password::Hashed;
use crate::ledger::{LedgerError, LedgerStore, Swap, space};

/// What a person may do in the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Enrols and revokes, makes accounts. Reads no case.
    Administrator,
    /// Sees every case, assigns, decides, exports.
    Supervisor,
    /// Hearing officer or legal unit: reads every case and exports; decides nothing.
    Legal,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::Administrator, Role::Supervisor, Role::Legal];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Supervisor => "supervisor",
            Self::Legal => "legal",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// Code of its name in the catalogue.
    pub fn word(self) -> &'static str {
        match self {
            Self::Administrator => "console.role.administrator",
            Self::Supervisor => "console.role.supervisor",
            Self::Legal => "console.role.legal",
        }
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Officer number (or another name the agency gives); 1 to 64 characters without control characters.
    pub user: String,
    pub name: String,
    pub role: Role,
    pub password: Hashed,
    /// As it is printed and enrolled; the user name in lower case is only for signing in.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Id in the key log, once a key was asked for.
    #[serde(default)]
    pub officer: Option<String>,
    /// Sessions begun before it are over.
    pub changed_ms: u64,
    #[serde(default)]
    pub closed: bool,
    /// The password is a one-time word that holds until then (milliseconds): another must be chosen before anything else is opened.
    #[serde(default)]
    pub one_time_until_ms: Option<u64>,
    /// Single-key shortcuts (WCAG 2.1.4: they can be switched off).
    #[serde(default = "yes")]
    pub shortcuts: bool,
}

impl Account {
    /// A new account; `user` is [`normal`].
    pub fn new(user: &str, name: &str, role: Role, password: Hashed, now_ms: u64) -> Self {
        Self {
            user: user.to_owned(),
            name: name.to_owned(),
            role,
            password,
            certificate: None,
            officer: None,
            changed_ms: now_ms,
            closed: false,
            one_time_until_ms: None,
            shortcuts: true,
        }
    }
}

impl Account {
    /// Certificate number for the key log.
    pub fn certificate(&self) -> String {
        self.certificate.clone().unwrap_or_else(|| self.user.clone())
    }
}

fn yes() -> bool {
    true
}

/// A user name as it is compared: without the spaces around it, in lower case.
pub fn normal(user: &str) -> Option<String> {
    let user = user.trim();
    let fits = !user.is_empty() && user.chars().count() <= 64 && !user.chars().any(char::is_control);
    fits.then(|| user.to_lowercase())
}

/// An account with its register's version.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn find(ledger: &dyn LedgerStore, user: &str) -> Result<Option<(Account, u64)>, LedgerError> {
    let Some(key) = normal(user) else { return Ok(None) };
    let Some(held) = ledger.register(space::ACCOUNT, key.into_bytes()).await? else {
        return Ok(None);
    };
    Ok(Some((read(&held.value)?, held.version)))
}

/// Every account.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn all(ledger: &dyn LedgerStore) -> Result<Vec<Account>, LedgerError> {
    let rows = ledger.registers(space::ACCOUNT, Vec::new(), usize::MAX >> 1).await?;
    rows.iter().map(|row| read(&row.value)).collect()
}

/// The account's next value.
///
/// # Errors
/// When it cannot be written as JSON, which a valid account always can.
pub fn swap(account: &Account, version: u64) -> Result<Swap, LedgerError> {
    let value = serde_json::to_vec(account).map_err(|e| LedgerError::Corrupt(e.to_string()))?;
    let key = normal(&account.user).ok_or_else(|| LedgerError::Corrupt("an account without a name".into()))?;
    Ok(Swap::update(space::ACCOUNT, key, version, value))
}

fn read(value: &[u8]) -> Result<Account, LedgerError> {
    serde_json::from_slice(value).map_err(|e| LedgerError::Corrupt(format!("an account: {e}")))
}
