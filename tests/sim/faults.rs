//! What can go wrong in a run, and how often it did.

use std::collections::BTreeMap;

macro_rules! faults {
    ($($name:ident => $words:literal,)*) => {
        /// A class of fault. Over all seeds each has to happen, or the suite fails: what never happens proves nothing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault { $($name,)* }

        impl Fault {
            pub const ALL: &[Fault] = &[$(Fault::$name,)*];

            pub fn words(self) -> &'static str {
                match self { $(Fault::$name => $words,)* }
            }
        }
    };
}

faults! {
    RequestLost => "request lost",
    AnswerLost => "answer lost",
    AnswerLate => "answer delayed and delivered late",
    RequestLate => "request delivered after its sender gave it up",
    RequestTwice => "request delivered twice",
    Reordered => "requests of two tablets overtake each other",
    UploadCut => "cut inside an upload",
    PushCut => "cut inside a push",
    TabletKilledBeforeSend => "tablet killed before it sent",
    TabletKilledAfterSend => "tablet killed after it sent",
    TabletKilledAtWork => "tablet killed between two operations",
    ServerKilledBeforeCommit => "server killed before a commit",
    ServerKilledAfterCommit => "server killed after a commit, before its answer",
    ServerKilledAtItsLog => "server killed while it integrates, judges or folds",
    ClockJump => "clock of a tablet jumps ten years",
    SameFieldSameValue => "two tablets write the same value to a field",
    SameFieldOtherValue => "two tablets write different values to a field",
    CloseVersusEdit => "one tablet closes what another goes on writing",
    OutOfOrder => "an operation arrives before what it depends on",
    TabletRestored => "tablet's database put back from an older copy",
    ServerRestored => "server restored from an older copy",
    Revoked => "tablet revoked with unsynced work",
    LongOffline => "tablet offline for most of the run",
}

/// How often each happened.
#[derive(Debug, Clone, Default)]
pub struct Counters(BTreeMap<Fault, u64>);

impl Counters {
    pub fn hit(&mut self, fault: Fault) {
        *self.0.entry(fault).or_default() += 1;
    }

    pub fn add(&mut self, other: &Counters) {
        for (fault, count) in &other.0 {
            *self.0.entry(*fault).or_default() += count;
        }
    }

    pub fn of(&self, fault: Fault) -> u64 {
        self.0.get(&fault).copied().unwrap_or(0)
    }

    pub fn never(&self) -> Vec<&'static str> {
        let never = Fault::ALL.iter().filter(|fault| self.of(**fault) == 0);
        never.map(|fault| fault.words()).collect()
    }
}
