//! From the writes of one path to its value, and from all paths to the state hash.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::hash::{Digest32, h};
use fieldseal_proof::ids::OpId;

use super::{FieldClass, MergeKey, Write};

/// One value together with the operations that hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The encoded CBOR value; `None` when it is withheld.
    pub value: Option<Vec<u8>>,
    /// The operations that wrote this very value, ascending.
    pub by: Vec<OpId>,
}

impl Held {
    /// The value, decoded. `None` when it is withheld.
    pub fn decoded(&self) -> Option<Value> {
        self.value.as_deref().and_then(|bytes| cbor::decode(bytes).ok())
    }

    /// What stands for this value in the state hash: its bytes, or for a withheld one a byte that no value begins with
    /// (CBOR `undefined`) and the operation's id, so that it equals no other.
    fn hash_item(&self) -> Vec<u8> {
        match &self.value {
            Some(bytes) => bytes.clone(),
            None => {
                let mut item = vec![0xf7];
                self.by.iter().for_each(|id| item.extend_from_slice(id.as_bytes()));
                item
            }
        }
    }
}

/// What the writes of a path come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// No effective write.
    Absent,
    Single(Held),
    /// The elements of a set, by ascending bytes.
    Set(Vec<Held>),
    /// The lines of a record, in causal order.
    List(Vec<Held>),
    /// Concurrent legal values. All are kept; what depends on the field is blocked until somebody decides.
    Conflict(Vec<Held>),
    /// A sealed field with more than one value. Writing again does not settle it.
    Contradiction(Vec<Held>),
}

/// The resolved path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub class: FieldClass,
    pub outcome: Outcome,
    /// The heads, ascending: what a new write of this path has to supersede.
    pub heads: Vec<OpId>,
    /// Some superseded id is not known yet, so this may still change without anybody writing.
    pub provisional: bool,
}

impl Resolved {
    /// The one value, where there is exactly one and it is not withheld.
    pub fn single(&self) -> Option<Value> {
        match &self.outcome {
            Outcome::Single(held) => held.decoded(),
            _ => None,
        }
    }

    /// Every value that is kept, whatever the class.
    pub fn held(&self) -> &[Held] {
        match &self.outcome {
            Outcome::Absent => &[],
            Outcome::Single(held) => std::slice::from_ref(held),
            Outcome::Set(all) | Outcome::List(all) | Outcome::Conflict(all) | Outcome::Contradiction(all) => all,
        }
    }

    /// Whether the field blocks what depends on it.
    pub fn blocks(&self) -> bool {
        matches!(self.outcome, Outcome::Conflict(_) | Outcome::Contradiction(_))
    }
}

/// Resolves one path. `writes` are all its writes, quarantined ones included, in any order and with repetitions; `known` tells
/// whether an operation is held at all (it need not write this path). O(n log n) in writes and their `supersedes` edges.
pub fn resolve_path(class: FieldClass, writes: &[Write], known: impl Fn(&OpId) -> bool) -> Resolved {
    let graph = Graph::new(writes);
    let heads = graph.heads();
    let provisional = writes.iter().any(|w| {
        w.supersedes
            .iter()
            .any(|id| !graph.place.contains_key(id) && !known(id))
    });
    let effective = || graph.nodes.iter().filter(|w| !w.quarantined);
    let outcome = match class {
        FieldClass::Last => heads
            .iter()
            .max_by_key(|w| (w.key, w.id))
            .map_or(Outcome::Absent, |w| Outcome::Single(alone(w))),
        FieldClass::Set => match elements(effective().copied()) {
            all if all.is_empty() => Outcome::Absent,
            all => Outcome::Set(all),
        },
        FieldClass::Append => match graph.causal_order() {
            all if all.is_empty() => Outcome::Absent,
            all => Outcome::List(all.into_iter().filter(|w| !w.quarantined).map(alone).collect()),
        },
        FieldClass::Legal => one_or(distinct(heads.iter().copied()), Outcome::Conflict),
        FieldClass::Sealed => one_or(distinct(effective().copied()), Outcome::Contradiction),
    };
    let outcome = match outcome {
        Outcome::List(all) if all.is_empty() => Outcome::Absent,
        other => other,
    };
    let mut heads: Vec<OpId> = heads.iter().map(|w| w.id).collect();
    heads.sort_unstable();
    Resolved {
        class,
        outcome,
        heads,
        provisional,
    }
}

/// The state hash over resolved paths in ascending byte order of path. Paths without an effective write do not enter.
pub fn state_hash<'a>(paths: impl IntoIterator<Item = (&'a str, &'a Resolved)>) -> Digest32 {
    let mut items: Vec<Vec<u8>> = Vec::new();
    for (path, resolved) in paths {
        let held = resolved.held();
        if held.is_empty() {
            continue;
        }
        items.push(path.as_bytes().to_vec());
        items.push(resolved.class.name().as_bytes().to_vec());
        items.push((held.len() as u64).to_be_bytes().to_vec());
        let mut values: Vec<Vec<u8>> = held.iter().map(Held::hash_item).collect();
        if resolved.class != FieldClass::Append {
            values.sort_unstable();
        }
        items.append(&mut values);
    }
    let items: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
    h("fieldseal/v0/state", &items)
}

/// The writes of one path as nodes, each id once, and the `supersedes` edges between them.
struct Graph<'a> {
    nodes: Vec<&'a Write>,
    place: HashMap<OpId, usize>,
}

impl<'a> Graph<'a> {
    fn new(writes: &'a [Write]) -> Self {
        let mut place = HashMap::with_capacity(writes.len());
        let mut nodes: Vec<&Write> = Vec::with_capacity(writes.len());
        for write in writes {
            let at = *place.entry(write.id).or_insert(nodes.len());
            match nodes.get_mut(at) {
                None => nodes.push(write),
                // The same operation may arrive once with the value and once with it withheld: the value is what it says.
                Some(held) if held.value.is_none() => *held = write,
                Some(_) => {}
            }
        }
        Self { nodes, place }
    }

    fn superseded(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        self.nodes[node]
            .supersedes
            .iter()
            .filter_map(|id| self.place.get(id).copied())
    }

    /// Effective writes that no other effective write reaches, over any nodes in between.
    fn heads(&self) -> Vec<&'a Write> {
        let mut reached = vec![false; self.nodes.len()];
        let mut open: Vec<usize> = (0..self.nodes.len())
            .filter(|&n| !self.nodes[n].quarantined)
            .flat_map(|n| self.superseded(n))
            .collect();
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut reached[node], true) {
                open.extend(self.superseded(node).filter(|&next| !reached[next]));
            }
        }
        self.nodes
            .iter()
            .zip(reached)
            .filter(|(w, reached)| !w.quarantined && !reached)
            .map(|(w, _)| *w)
            .collect()
    }

    /// Every node after all that it supersedes; among those that are ready the least key first.
    fn causal_order(&self) -> Vec<&'a Write> {
        let mut waits = vec![0usize; self.nodes.len()];
        let mut followers: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (node, waits) in waits.iter_mut().enumerate() {
            for earlier in self.superseded(node) {
                followers[earlier].push(node);
                *waits += 1;
            }
        }
        let ready = |node: usize| Reverse(((self.nodes[node].key, self.nodes[node].id), node));
        let mut heap: BinaryHeap<Reverse<((MergeKey, OpId), usize)>> =
            (0..self.nodes.len()).filter(|&n| waits[n] == 0).map(ready).collect();
        let mut order = Vec::with_capacity(self.nodes.len());
        while let Some(Reverse((_, node))) = heap.pop() {
            order.push(self.nodes[node]);
            for &next in &followers[node] {
                waits[next] -= 1;
                if waits[next] == 0 {
                    heap.push(ready(next));
                }
            }
        }
        order
    }
}

fn alone(write: &Write) -> Held {
    Held {
        value: write.value.clone(),
        by: vec![write.id],
    }
}

fn one_or(mut held: Vec<Held>, several: impl Fn(Vec<Held>) -> Outcome) -> Outcome {
    match held.len() {
        0 => Outcome::Absent,
        1 => Outcome::Single(held.remove(0)),
        _ => several(held),
    }
}

/// Distinct values by ascending bytes, each with its writers. Withheld values stand apart, each by itself, at the end.
fn distinct<'a>(writes: impl Iterator<Item = &'a Write>) -> Vec<Held> {
    let mut by_value: BTreeMap<Vec<u8>, BTreeSet<OpId>> = BTreeMap::new();
    let mut withheld = BTreeSet::new();
    for write in writes {
        match &write.value {
            Some(value) => {
                by_value.entry(value.clone()).or_default().insert(write.id);
            }
            None => {
                withheld.insert(write.id);
            }
        }
    }
    collect(by_value, withheld)
}

/// The elements of a set. An operation can write a path once, so an array writes each of its items as an element.
fn elements<'a>(writes: impl Iterator<Item = &'a Write>) -> Vec<Held> {
    let mut by_value: BTreeMap<Vec<u8>, BTreeSet<OpId>> = BTreeMap::new();
    let mut withheld = BTreeSet::new();
    for write in writes {
        let Some(value) = &write.value else {
            withheld.insert(write.id);
            continue;
        };
        match cbor::decode(value) {
            Ok(Value::Array(items)) => {
                for item in &items {
                    by_value.entry(cbor::encode(item)).or_default().insert(write.id);
                }
            }
            _ => {
                by_value.entry(value.clone()).or_default().insert(write.id);
            }
        }
    }
    collect(by_value, withheld)
}

fn collect(by_value: BTreeMap<Vec<u8>, BTreeSet<OpId>>, withheld: BTreeSet<OpId>) -> Vec<Held> {
    let shown = by_value.into_iter().map(|(value, by)| Held {
        value: Some(value),
        by: by.into_iter().collect(),
    });
    shown
        .chain(withheld.into_iter().map(|id| Held {
            value: None,
            by: vec![id],
        }))
        .collect()
}
