//! Where arriving operations lie in their device's chain: pure, decided on what is stored, applied by compare-and-swap.

use fieldseal_proof::ids::{Commitment, Link};

use crate::ledger::{Chain, Run, RunState, Stored};

/// An arriving operation, as far as its place is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Arrived {
    pub seq: u64,
    pub prev: Link,
    pub link: Link,
    pub commitment: Commitment,
}

/// What became of an operation of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Accepted,
    /// It is stored already, with this very signature.
    Duplicate,
    /// It contradicts an operation that is stored. Both are kept.
    Forked,
}

impl Outcome {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Forked => "forked",
        }
    }
}

/// Where a batch goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// The chain as it will be; its version is still the one that was read.
    pub chain: Chain,
    pub outcomes: Vec<Outcome>,
    /// (place in the batch, run) of those that are new.
    pub placed: Vec<(usize, u64)>,
    /// Gap runs that were reached from before: (gap run, run that now holds it).
    pub moved: Vec<(u64, u64)>,
    /// Proven equivocations: (stored operation's seq and commitment, place in the batch of the one that contradicts it).
    pub contradictions: Vec<(u64, Commitment, usize)>,
    /// The run in which the last operation of the batch lies.
    pub last_run: u64,
}

/// Decides. `stored` holds what is stored of this chain at the batch's sequence numbers.
pub fn plan(chain: &Chain, stored: &[Stored], batch: &[Arrived]) -> Plan {
    let mut plan = Plan {
        chain: chain.clone(),
        outcomes: Vec::with_capacity(batch.len()),
        placed: Vec::new(),
        moved: Vec::new(),
        contradictions: Vec::new(),
        last_run: 0,
    };
    for (at, arrived) in batch.iter().enumerate() {
        if let Some(same) = stored
            .iter()
            .find(|s| s.seq == arrived.seq && s.commitment == arrived.commitment)
        {
            plan.outcomes.push(Outcome::Duplicate);
            plan.last_run = plan
                .moved
                .iter()
                .find(|(from, _)| *from == same.run)
                .map_or(same.run, |(_, to)| *to);
            continue;
        }
        let contradicted = stored.iter().find(|s| s.seq == arrived.seq);
        let run = match plan
            .chain
            .runs
            .iter()
            .position(|run| run.last_seq + 1 == arrived.seq && run.link == arrived.prev)
        {
            Some(place) => place,
            None => plan.open_run(arrived, contradicted, at),
        };
        let run = plan.grow(run, arrived);
        plan.outcomes.push(if run.state == RunState::Fork {
            Outcome::Forked
        } else {
            Outcome::Accepted
        });
        plan.placed.push((at, run.number));
        plan.last_run = run.number;
        plan.absorb(run.number);
    }
    plan
}

impl Plan {
    /// A run that begins with this operation: the main one, a fork, or one beyond a gap.
    fn open_run(&mut self, arrived: &Arrived, contradicted: Option<&Stored>, at: usize) -> usize {
        let runs = &mut self.chain.runs;
        let number = runs.iter().map(|run| run.number + 1).max().unwrap_or(0);
        let (state, fork) = match contradicted {
            Some(first) => {
                self.contradictions.push((first.seq, first.commitment, at));
                (RunState::Fork, Some((first.seq, first.commitment)))
            }
            None if arrived.seq == 0 => (RunState::Main, None),
            None => (RunState::Gap, None),
        };
        runs.push(Run {
            number,
            state,
            first_seq: arrived.seq,
            before: arrived.prev,
            // The run is empty until `grow`: its last operation is the one before its first.
            last_seq: arrived.seq.wrapping_sub(1),
            link: arrived.prev,
            fork,
        });
        runs.len() - 1
    }

    fn grow(&mut self, place: usize, arrived: &Arrived) -> Run {
        let run = &mut self.chain.runs[place];
        run.last_seq = arrived.seq;
        run.link = arrived.link;
        *run
    }

    /// Takes in the gap runs that this run has reached.
    fn absorb(&mut self, number: u64) {
        let runs = &mut self.chain.runs;
        while let Some(grown) = runs.iter().find(|run| run.number == number).copied()
            && let Some(gap) = runs.iter().position(|run| {
                run.state == RunState::Gap
                    && run.number != number
                    && run.first_seq == grown.last_seq + 1
                    && run.before == grown.link
            })
        {
            let gap = runs.remove(gap);
            self.moved.push((gap.number, number));
            if let Some(run) = runs.iter_mut().find(|run| run.number == number) {
                run.last_seq = gap.last_seq;
                run.link = gap.link;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::ChainKey;
    use fieldseal_proof::ids::{DeviceId, IncarnationId, OpId};

    fn link(n: u8) -> Link {
        Link::from_bytes([n; 32])
    }

    /// Operation `seq` of the branch `b`; branches part where their numbers differ.
    fn op(seq: u64, before: u8, after: u8) -> Arrived {
        Arrived {
            seq,
            prev: link(before),
            link: link(after),
            commitment: Commitment::from_bytes([after; 32]),
        }
    }

    fn stored(arrived: &Arrived, run: u64) -> Stored {
        Stored {
            seq: arrived.seq,
            run,
            leaf: 0,
            id: OpId::from_bytes([0; 32]),
            commitment: arrived.commitment,
            link: arrived.link,
            case: None,
            stream: [0; 16],
            counter: 0,
        }
    }

    fn empty() -> Chain {
        Chain::unknown(ChainKey {
            device: DeviceId::from_bytes([1; 16]),
            incarnation: IncarnationId::from_bytes([2; 16]),
        })
    }

    #[test]
    fn in_order_then_again() {
        let ops = [op(0, 9, 10), op(1, 10, 11), op(2, 11, 12)];
        let first = plan(&empty(), &[], &ops);
        assert_eq!(first.outcomes, [Outcome::Accepted; 3]);
        assert_eq!(first.chain.main().map(|r| (r.last_seq, r.link)), Some((2, link(12))));
        let held: Vec<Stored> = ops.iter().map(|o| stored(o, 0)).collect();
        let again = plan(&first.chain, &held, &ops);
        assert_eq!(again.outcomes, [Outcome::Duplicate; 3]);
        assert!(again.placed.is_empty());
        assert_eq!(again.chain, first.chain);
    }

    #[test]
    fn a_gap_waits_and_is_taken_in_when_it_fills() {
        let first = plan(&empty(), &[], &[op(0, 9, 10)]);
        let beyond = plan(&first.chain, &[], &[op(3, 12, 13), op(4, 13, 14)]);
        assert_eq!(beyond.outcomes, [Outcome::Accepted; 2]);
        assert_eq!(beyond.chain.main().map(|r| r.last_seq), Some(0));
        let filled = plan(&beyond.chain, &[], &[op(1, 10, 11), op(2, 11, 12)]);
        assert_eq!(filled.moved, [(1, 0)]);
        assert_eq!(filled.chain.main().map(|r| (r.last_seq, r.link)), Some((4, link(14))));
        assert_eq!(filled.chain.runs.len(), 1);
    }

    #[test]
    fn both_branches_of_a_fork_are_kept_and_grow() {
        let main = [op(0, 9, 10), op(1, 10, 11)];
        let first = plan(&empty(), &[], &main);
        let held: Vec<Stored> = main.iter().map(|o| stored(o, 0)).collect();
        let other = [op(1, 10, 21), op(2, 21, 22)];
        let forked = plan(&first.chain, &held, &other);
        assert_eq!(forked.outcomes, [Outcome::Forked; 2]);
        assert_eq!(forked.contradictions, [(1, main[1].commitment, 0)]);
        assert_eq!(forked.chain.main().map(|r| r.last_seq), Some(1));
        let grown = plan(&forked.chain, &[], &[op(2, 11, 12)]);
        assert_eq!((grown.outcomes[0], grown.placed[0].1), (Outcome::Accepted, 0));
        let grown = plan(&forked.chain, &[], &[op(3, 22, 23)]);
        assert_eq!((grown.outcomes[0], grown.placed[0].1), (Outcome::Forked, 1));
    }

    #[test]
    fn a_gap_is_not_taken_in_by_a_branch_that_it_does_not_continue() {
        let first = plan(&empty(), &[], &[op(0, 9, 10)]);
        let beyond = plan(&first.chain, &[], &[op(2, 31, 32)]);
        let filled = plan(&beyond.chain, &[], &[op(1, 10, 11)]);
        assert!(filled.moved.is_empty());
        assert_eq!(filled.chain.runs.len(), 2);
    }
}
