//! Disposals: what was taken away on purpose, and on which legal basis (`formats/merge.md`, Disposals).

use std::collections::BTreeSet;

use crate::cbor::Value;
use crate::hash::Digest32;
use crate::ids::OpId;

/// The kind of operation.
pub const KIND: &str = "disposal";
/// Kinds that state facts about other operations: nothing of them can be disposed of.
const FACTS: [&str; 5] = ["attest", "disposition", "roll", "inspection.close", KIND];

/// The body of a `disposal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposal {
    /// The operation of whose body something goes.
    pub target: OpId,
    /// The paths whose values go; the empty path stands for all of them.
    pub paths: BTreeSet<String>,
    /// SHA-256 of the files that go.
    pub blobs: BTreeSet<Digest32>,
    /// Its legal basis.
    pub basis: String,
    /// The day until which the rule pack asks for it to be kept, `YYYY-MM-DD`.
    pub retention: String,
}

impl Disposal {
    /// Reads the fields of a body, each path with its value, `None` where it is withheld. `None` for a field that is missing,
    /// withheld or of another form.
    pub fn read(fields: impl IntoIterator<Item = (String, Option<Value>)>) -> Option<Self> {
        let (mut target, mut basis, mut retention) = (None, None, None);
        let (mut paths, mut blobs) = (BTreeSet::new(), BTreeSet::new());
        for (path, value) in fields {
            let value = value?;
            match path.as_str() {
                "disposal/target" => target = Some(OpId::from_bytes(value.as_bytes()?.try_into().ok()?)),
                "disposal/paths" => paths = ascending(&value, |v| v.as_text().map(str::to_owned))?,
                "disposal/blobs" => blobs = ascending(&value, |v| v.as_bytes()?.try_into().ok())?,
                "disposal/basis" => basis = value.as_text().filter(|text| !text.is_empty()).map(str::to_owned),
                "disposal/retention" => retention = value.as_text().filter(|text| is_day(text)).map(str::to_owned),
                _ => {}
            }
        }
        let nothing = paths.is_empty() && blobs.is_empty();
        let basis = basis.filter(|_| !nothing)?;
        Some(Self { target: target?, paths, blobs, basis, retention: retention? })
    }

    /// Whether it takes away the value at a path of an operation of this kind.
    pub fn covers(&self, kind: &str, path: &str) -> bool {
        !FACTS.contains(&kind) && [path, ""].iter().any(|one| self.paths.contains(*one))
    }
}

/// The items of an array, at least one, strictly ascending.
fn ascending<T: Ord>(value: &Value, one: impl Fn(&Value) -> Option<T>) -> Option<BTreeSet<T>> {
    let items: Vec<T> = value.as_array()?.iter().map(one).collect::<Option<_>>()?;
    let good = !items.is_empty() && items.windows(2).all(|w| w[0] < w[1]);
    good.then(|| items.into_iter().collect())
}

fn is_day(text: &str) -> bool {
    let shape = |(at, b): (usize, u8)| if matches!(at, 4 | 7) { b == b'-' } else { b.is_ascii_digit() };
    text.len() == 10 && text.bytes().enumerate().all(shape)
}
