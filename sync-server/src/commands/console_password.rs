//! `console-password`: makes an account of the console or gives it a new password, read from standard input. Whoever can run it
//! owns the server's folder anyway, so this is also the way back for an administrator who lost the password. The server may run.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use fieldseal_core::catalogue::Param;
use fieldseal_core::clock::{Clock, SystemClock};
use fieldseal_core::random::OsRandom;
use fieldseal_proof::hash::sha256;
use serde_json::json;
use zeroize::Zeroizing;

use super::{Failure, Outcome, Report};
use crate::config::Layout;
use crate::console::accounts::{self, Account, Role};
use crate::console::lockout::slot;
use crate::console::password::{Hashed, LEAST, MOST};
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{Access, Commit, LedgerStore, Swap, space};

#[derive(Args)]
pub(super) struct ConsolePassword {
    #[arg(long)]
    dir: PathBuf,
    /// Officer number or user name.
    #[arg(long)]
    user: String,
    /// Name as pages show it; needed for a new account.
    #[arg(long)]
    name: Option<String>,
    /// administrator, supervisor or legal; needed for a new account.
    #[arg(long)]
    role: Option<String>,
}

impl ConsolePassword {
    pub(super) async fn run(self) -> Outcome {
        let mut typed = Zeroizing::new(String::new());
        std::io::stdin()
            .take(MOST as u64 + 2)
            .read_to_string(&mut typed)
            .map_err(Failure::of)?;
        let password = typed.trim_end_matches(['\r', '\n']);
        if password.chars().count() < LEAST || password.len() > MOST {
            let bounds = [
                ("least", Param::Count(LEAST as u64)),
                ("most", Param::Count(MOST as u64)),
            ];
            return Err(Failure::new("account_password", bounds));
        }
        let role = match self.role.as_deref().map(|word| (word, Role::from_word(word))) {
            Some((word, None)) => return Err(usage(format!("--role {word}"))),
            other => other.and_then(|(_, role)| role),
        };
        let layout = Layout::new(&self.dir);
        if !layout.config().is_file() {
            return Err(Failure::no_server(&self.dir));
        }
        let ledger = SqliteLedger::open(&layout.ledger()).map_err(Failure::open)?;
        let now = SystemClock::new(&OsRandom).map_err(Failure::of)?.now().wall_ms;
        let hashed = Hashed::new(password, &OsRandom).await.map_err(Failure::of)?;
        let user = accounts::normal(&self.user).ok_or_else(|| usage("--user".into()))?;
        let held = accounts::find(&ledger, &user).await.map_err(Failure::open)?;
        let new = held.is_none();
        let (mut account, version) = match (held, &self.name, role) {
            (Some(held), _, _) => held,
            (None, Some(name), Some(role)) => (Account::new(&user, name, role, hashed.clone(), now), 0),
            (None, _, _) => return Err(usage("--name, --role".into())),
        };
        account.password = hashed;
        account.changed_ms = now;
        account.closed = false;
        account.one_time_until_ms = None;
        account.role = role.unwrap_or(account.role);
        if account.certificate.is_none() {
            account.certificate = Some(self.user.trim().to_owned());
        }
        if let Some(name) = &self.name {
            account.name.clone_from(name);
        }
        let access = Access {
            at_ms: now,
            who: "command line".into(),
            action: "console.password".into(),
            target: user.clone(),
        };
        let commit = Commit {
            registers: vec![
                accounts::swap(&account, version).map_err(Failure::open)?,
                Swap::remove(space::LOCKOUT, slot(&sha256(user.as_bytes()))),
            ],
            accesses: vec![access],
            ..Commit::default()
        };
        ledger.commit(commit).await.map_err(Failure::open)?;
        let line = if new {
            format!("已建立控制台账户 account made: {user} ({})", account.role.as_str())
        } else {
            format!("已更改密码，此前的登录全部失效 password changed, earlier sessions are over: {user}")
        };
        Ok(Report::done(
            json!({ "user": user, "role": account.role.as_str(), "new": new }),
            vec![line],
        ))
    }
}

fn usage(what: String) -> Failure {
    Failure::detail("account_usage", what)
}
