//! Which rule of merging a path follows. The path alone decides.

use std::fmt;

/// The rule by which several writes of one path become a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldClass {
    /// The head with the greatest merge key.
    Last,
    /// Every element that was ever written and is not quarantined.
    Set,
    /// Every write, in causal order.
    Append,
    /// One value, or all of them and a conflict that blocks what depends on the field.
    Legal,
    /// Written once. A second value is a contradiction that no later write settles.
    Sealed,
}

impl FieldClass {
    /// The class of a path, by the table in merge.md. A path that no row names is legal: the strictest class that can still
    /// be decided by a person.
    pub fn of(path: &str) -> FieldClass {
        let segments: Vec<&str> = path.split('/').collect();
        match segments.as_slice() {
            ["inspection", "enterprise"] | ["party", "name" | "credit_code"] => Self::Legal,
            ["party", _] | ["inspection", "place" | "planned" | "remark" | "title"] => Self::Last,
            ["inspection", "officer" | "device" | "item" | "attendee"] => Self::Set,
            ["check", _, "result"] => Self::Legal,
            ["check", _, "note"] => Self::Last,
            ["finding", _, "text" | "item" | "violation" | "clause" | "grade"] => Self::Legal,
            ["finding", _, "place"] => Self::Last,
            ["finding", _, "evidence"] => Self::Set,
            ["statement", _, "line"] => Self::Append,
            ["statement", _, _] => Self::Last,
            ["enterprise", _, "name" | "credit_code" | "same_as"] => Self::Legal,
            ["enterprise", _, _] => Self::Last,
            [
                "evidence" | "document" | "signature" | "custody" | "credentials" | "return" | "freeze" | "resolution"
                | "lease",
                _,
                _,
            ] => Self::Sealed,
            ["attest" | "disposition" | "disposal" | "closing" | "roll", _, ..] => Self::Sealed,
            _ => Self::Legal,
        }
    }

    /// The name that enters the state hash.
    pub fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Set => "set",
            Self::Append => "append",
            Self::Legal => "legal",
            Self::Sealed => "sealed",
        }
    }

    /// Whether the path states a fact about other operations. Such a path is read per operation and never merged.
    pub(crate) fn is_fact(path: &str) -> bool {
        matches!(
            path.split('/').next(),
            Some("attest" | "disposition" | "disposal" | "closing" | "roll")
        )
    }
}

impl fmt::Display for FieldClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::FieldClass::{self, *};

    #[test]
    fn every_row_of_the_table() {
        for (path, class) in [
            ("inspection/enterprise", Legal),
            ("party/name", Legal),
            ("party/credit_code", Legal),
            ("party/phone", Last),
            ("inspection/place", Last),
            ("inspection/remark", Last),
            ("inspection/officer", Set),
            ("inspection/attendee", Set),
            ("check/A1/result", Legal),
            ("check/A1/note", Last),
            ("finding/x/grade", Legal),
            ("finding/x/place", Last),
            ("finding/x/evidence", Set),
            ("order/x/item/y/due", Legal),
            ("statement/x/line", Append),
            ("statement/x/person", Last),
            ("enterprise/x/name", Legal),
            ("enterprise/x/same_as", Legal),
            ("enterprise/x/address", Last),
            ("evidence/x/sha256", Sealed),
            ("document/x/pdf_sha256", Sealed),
            ("attest/officer", Sealed),
            ("disposal/basis", Sealed),
            ("closing/held/a/b", Sealed),
            ("roll/stream/a/b/c", Sealed),
            ("lease/x/first", Sealed),
            ("note/x/text", Legal),
            ("decide/target", Legal),
            ("something/nobody/knows", Legal),
            ("party", Legal),
            ("party/a/b", Legal),
            ("evidence/x/y/z", Legal),
        ] {
            assert_eq!(FieldClass::of(path), class, "{path}");
        }
    }
}
