//! What an admitted operation is worth: pure. It never refuses, it sets aside, with a reason that everybody sees.

use fieldseal_core::domain::{Author, Kind};

use super::kinds::allowed_after_closing;
use crate::ledger::RunState;

/// Why an operation is set aside (merge.md, Dispositions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    UnknownKind,
    UnknownPack,
    Closed,
    NotPermitted,
    Revoked,
    Gap,
    BadBody,
    MissingDependency,
    Fork,
    Signers,
}

impl Reason {
    const ALL: [Reason; 10] = [
        Self::UnknownKind,
        Self::UnknownPack,
        Self::Closed,
        Self::NotPermitted,
        Self::Revoked,
        Self::Gap,
        Self::BadBody,
        Self::MissingDependency,
        Self::Fork,
        Self::Signers,
    ];

    /// The code in `disposition/reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownKind => "unknown_kind",
            Self::UnknownPack => "unknown_pack",
            Self::Closed => "closed",
            Self::NotPermitted => "not_permitted",
            Self::Revoked => "revoked",
            Self::Gap => "gap",
            Self::BadBody => "bad_body",
            Self::MissingDependency => "missing_dependency",
            Self::Fork => "fork",
            Self::Signers => "signers",
        }
    }

    /// From the code.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// Whether it passes by itself when what was missing arrives. The others wait for a supervisor.
    pub fn heals(self) -> bool {
        matches!(
            self,
            Self::Gap | Self::MissingDependency | Self::UnknownPack | Self::Closed
        )
    }
}

/// Whether an author has to do with a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The operation is of the registry.
    Registry,
    /// Its device, or an officer that it carries, is named.
    Named,
    /// Somebody else is named.
    Stranger,
    /// Nobody is named: what opens the case has not arrived.
    NobodyYet,
}

/// What is known about an operation and its author when it is judged.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub kind: &'a str,
    /// `tablet`, `supervisor`; `None` for the ingest device.
    pub role: Option<&'a str>,
    pub run: RunState,
    pub spoiled: bool,
    /// Its key was revoked before its leaf.
    pub revoked: bool,
    pub standing: Standing,
    /// The rule pack that it names is published, or it names none.
    pub pack_known: bool,
    /// The pack asks for roles' signatures that the header does not name.
    pub lacks_signers: bool,
    /// Its inspection was closed before it arrived.
    pub closed: bool,
}

/// The first reason to set an operation aside, if there is one.
pub fn judge(facts: &Facts<'_>) -> Option<Reason> {
    let author = facts.kind.parse::<Kind>().map(Kind::author);
    let permitted = match author {
        Err(_) => {
            return Some(if facts.run == RunState::Fork {
                Reason::Fork
            } else {
                Reason::UnknownKind
            });
        }
        Ok(Author::Any) => true,
        Ok(Author::Ingest) => facts.role.is_none(),
        Ok(Author::Tablet) => facts.role == Some("tablet"),
        Ok(Author::Supervisor) => facts.role == Some("supervisor"),
        Ok(Author::TabletOrSupervisor) => facts.role.is_some(),
    };
    let tablet = facts.role == Some("tablet");
    let opens = facts.kind == "inspection.begin";
    [
        (facts.run == RunState::Fork, Reason::Fork),
        (facts.run == RunState::Gap, Reason::Gap),
        (facts.spoiled, Reason::BadBody),
        (facts.revoked, Reason::Revoked),
        (!permitted, Reason::NotPermitted),
        (
            tablet && !opens && facts.standing == Standing::NobodyYet,
            Reason::MissingDependency,
        ),
        // Nor may it open an inspection there and so name itself: who is named reads the whole case.
        (tablet && facts.standing == Standing::Stranger, Reason::NotPermitted),
        (!facts.pack_known, Reason::UnknownPack),
        (facts.lacks_signers, Reason::Signers),
        (
            tablet && facts.closed && !allowed_after_closing(facts.kind),
            Reason::Closed,
        ),
    ]
    .into_iter()
    .find_map(|(holds, reason)| holds.then_some(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: Facts<'static> = Facts {
        kind: "finding.record",
        role: Some("tablet"),
        run: RunState::Main,
        spoiled: false,
        revoked: false,
        standing: Standing::Named,
        pack_known: true,
        lacks_signers: false,
        closed: false,
    };

    #[test]
    fn each_reason_has_its_case() {
        assert_eq!(judge(&SOUND), None);
        for (facts, reason) in [
            (
                Facts {
                    kind: "from.the.future",
                    ..SOUND
                },
                Reason::UnknownKind,
            ),
            (
                Facts {
                    pack_known: false,
                    ..SOUND
                },
                Reason::UnknownPack,
            ),
            (Facts { closed: true, ..SOUND }, Reason::Closed),
            (
                Facts {
                    lacks_signers: true,
                    ..SOUND
                },
                Reason::Signers,
            ),
            (
                Facts {
                    kind: "quarantine.decide",
                    ..SOUND
                },
                Reason::NotPermitted,
            ),
            (
                Facts {
                    kind: "disposition",
                    ..SOUND
                },
                Reason::NotPermitted,
            ),
            (
                Facts {
                    standing: Standing::Stranger,
                    ..SOUND
                },
                Reason::NotPermitted,
            ),
            (
                Facts {
                    kind: "inspection.begin",
                    standing: Standing::Stranger,
                    ..SOUND
                },
                Reason::NotPermitted,
            ),
            (
                Facts {
                    role: Some("supervisor"),
                    ..SOUND
                },
                Reason::NotPermitted,
            ),
            (Facts { revoked: true, ..SOUND }, Reason::Revoked),
            (
                Facts {
                    run: RunState::Gap,
                    ..SOUND
                },
                Reason::Gap,
            ),
            (
                Facts {
                    run: RunState::Fork,
                    ..SOUND
                },
                Reason::Fork,
            ),
            (Facts { spoiled: true, ..SOUND }, Reason::BadBody),
            (
                Facts {
                    standing: Standing::NobodyYet,
                    ..SOUND
                },
                Reason::MissingDependency,
            ),
        ] {
            assert_eq!(judge(&facts), Some(reason), "{facts:?}");
            assert_eq!(Reason::from_word(reason.as_str()), Some(reason));
        }
    }

    #[test]
    fn what_may_follow_a_closing_and_who_may_open_a_case() {
        assert_eq!(
            judge(&Facts {
                kind: "attest",
                closed: true,
                ..SOUND
            }),
            None
        );
        assert_eq!(
            judge(&Facts {
                kind: "inspection.begin",
                standing: Standing::NobodyYet,
                ..SOUND
            }),
            None
        );
        assert_eq!(
            judge(&Facts {
                kind: "inspection.assign",
                role: Some("supervisor"),
                standing: Standing::NobodyYet,
                ..SOUND
            }),
            None
        );
    }
}
