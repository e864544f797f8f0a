//! What failed inside, for the log: kinds and the place in this program. The text of an error never goes there: it may repeat what
//! somebody sent or what a record says ("invalid type: string …").

use std::error::Error;
use std::panic::Location;

/// Most errors below one another that are named.
const DEEP: usize = 6;

/// Logs what failed and where it was caught; gives the number that log and answer share.
#[track_caller]
pub fn noted(error: &(dyn Error + 'static)) -> String {
    logged(&kinds(error), Location::caller())
}

/// The same for what is no error of a library but a promise of this program that does not hold.
#[track_caller]
pub fn broken(what: &'static str) -> String {
    logged(what, Location::caller())
}

/// What a panic says may hold anything: from now on its place alone is logged.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a panic");
    }));
}

/// The kinds of an error and of those below it, outermost first: `Corrupt`, `Blobs: NotFound`.
pub fn kinds(error: &(dyn Error + 'static)) -> String {
    let mut names = vec![kind(error)];
    let mut below = error.source();
    while let Some(one) = below.filter(|_| names.len() < DEEP) {
        names.push(kind(one));
        below = one.source();
    }
    names.join(": ")
}

fn logged(what: &str, at: &Location<'_>) -> String {
    let mut bytes = [0; 8];
    let incident = getrandom::fill(&mut bytes).map_or_else(|_| "0".into(), |()| hex::encode(bytes));
    tracing::error!(incident, what, place = %at, "internal error");
    incident
}

fn kind(error: &(dyn Error + 'static)) -> String {
    if let Some(io) = error.downcast_ref::<std::io::Error>() {
        return format!("{:?}", io.kind());
    }
    if let Some(json) = error.downcast_ref::<serde_json::Error>() {
        return format!("Json{:?}", json.classify());
    }
    // A derived `Debug` begins with the names of variants, which stand in a source file: `Export(Corrupt("…"))`. What somebody wrote
    // is quoted in it and ends the names.
    let shown = format!("{error:?}");
    let mut names = Vec::new();
    for part in shown.split('(') {
        let name = part
            .split(|c: char| !c.is_ascii_alphanumeric())
            .next()
            .unwrap_or_default();
        if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
            break;
        }
        names.push(name);
        if name != part {
            break;
        }
    }
    match names.is_empty() {
        true => "error".to_owned(),
        false => names.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::LedgerError;
    use crate::tlog::LogError;

    #[test]
    fn kinds_are_named_and_nothing_that_somebody_wrote() {
        let sent = serde_json::from_str::<u64>("\"钱守业\"").unwrap_err();
        assert!(sent.to_string().contains("钱守业"), "its text repeats what was sent");
        let lost = std::io::Error::new(std::io::ErrorKind::NotFound, "钱守业.jpg");
        for (error, named) in [
            (&sent as &(dyn Error + 'static), "JsonData"),
            (&lost, "NotFound"),
            (&LedgerError::Corrupt(sent.to_string()), "Corrupt"),
            (&LogError::Frozen("钱守业".into()), "Frozen"),
            (
                &LogError::Ledger(LedgerError::Conflict("Qian".into())),
                "Ledger Conflict",
            ),
            (&std::io::Error::other("钱守业"), "Other"),
        ] {
            assert_eq!(kinds(error), named);
        }
        // An error that is a sentence only.
        let sentence: Box<dyn Error> = "钱守业 is unknown".into();
        assert_eq!(kinds(&*sentence), "error");
    }
}
