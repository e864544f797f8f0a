//! Which records may be one enterprise: two tablets without a network both met it. A person decides; this only proposes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fieldseal_proof::ids::{CaseId, DeviceId, EnterpriseId};

use super::EnterpriseView;
use crate::catalogue::{Message, Param};

/// Two records that may be the same, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Similar {
    pub first: EnterpriseId,
    pub second: EnterpriseId,
    pub reason: Message,
}

/// Least share of common letter pairs for names, and for addresses, in percent.
const NAME_ALIKE: u64 = 75;
const ADDRESS_ALIKE: u64 = 60;
/// A letter pair that more names than this have says nothing about any of them (有限, 公司).
const COMMON: usize = 64;

/// The records that may be the same as one that is being entered, e.g. before a tablet makes a new one.
pub fn similar_to(one: &EnterpriseView, all: &[EnterpriseView]) -> Vec<Similar> {
    let mine = Traits::of(one);
    let others = all.iter().filter(|other| other.enterprise != one.enterprise);
    others
        .filter_map(|other| compare((one, &mine), (other, &Traits::of(other))))
        .collect()
}

/// Every pair of records that may be the same, each pair once, ascending.
pub fn similar_pairs(all: &[EnterpriseView]) -> Vec<Similar> {
    let traits: Vec<Traits> = all.iter().map(Traits::of).collect();
    let mut buckets: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, one) in traits.iter().enumerate() {
        for code in &all[place].credit_codes {
            buckets.entry(format!("code {code}")).or_default().push(place);
        }
        buckets.entry(format!("name {}", one.name)).or_default().push(place);
        for (a, b) in one.name_pairs.keys() {
            buckets.entry(format!("pair {a}{b}")).or_default().push(place);
        }
    }
    let mut candidates = BTreeSet::new();
    for (key, places) in buckets {
        if key.starts_with("pair ") && places.len() > COMMON {
            continue;
        }
        // A bucket of one code or one name is compared with its first member only: being the same is passed on by joining.
        let firsts = if key.starts_with("pair ") { places.len() } else { 1 };
        for (at, &first) in places.iter().take(firsts).enumerate() {
            candidates.extend(
                places[at + 1..]
                    .iter()
                    .map(|&second| (first.min(second), first.max(second))),
            );
        }
    }
    let found = candidates.into_iter().filter(|(a, b)| a != b);
    found
        .filter_map(|(a, b)| compare((&all[a], &traits[a]), (&all[b], &traits[b])))
        .collect()
}

/// A case, as far as two of them may be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseTrace {
    pub case: CaseId,
    pub enterprise: EnterpriseId,
    /// Name of the party, for the reason.
    pub party: String,
    /// Planned day as it is written, if any.
    pub planned: Option<String>,
    pub devices: BTreeSet<DeviceId>,
}

/// Two cases that may be one, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimilarCases {
    pub first: CaseId,
    pub second: CaseId,
    pub reason: Message,
}

/// Open cases of one enterprise (or of records that may be one), of the same day, in which no device is common: two tablets
/// without a network began the same inspection. `pairs` are the records that may be the same.
pub fn similar_cases(cases: &[CaseTrace], pairs: &[Similar]) -> Vec<SimilarCases> {
    let mut stands_for: HashMap<EnterpriseId, EnterpriseId> = HashMap::new();
    let root = |of: &HashMap<EnterpriseId, EnterpriseId>, mut id: EnterpriseId| {
        while let Some(next) = of.get(&id) {
            id = *next;
        }
        id
    };
    for pair in pairs {
        let (first, second) = (root(&stands_for, pair.first), root(&stands_for, pair.second));
        if first != second {
            stands_for.insert(first.max(second), first.min(second));
        }
    }
    let mut buckets: BTreeMap<(EnterpriseId, Option<&str>), Vec<&CaseTrace>> = BTreeMap::new();
    for case in cases {
        let key = (root(&stands_for, case.enterprise), case.planned.as_deref());
        buckets.entry(key).or_default().push(case);
    }
    let mut found = Vec::new();
    for cases in buckets.values().filter(|cases| cases.len() <= COMMON) {
        for (at, first) in cases.iter().enumerate() {
            let others = cases[at + 1..]
                .iter()
                .filter(|second| first.devices.is_disjoint(&second.devices));
            found.extend(others.map(|second| SimilarCases {
                first: first.case.min(second.case),
                second: first.case.max(second.case),
                reason: Message::new("similar.case", [("name", Param::text(first.party.clone()))]),
            }));
        }
    }
    found.sort_by_key(|pair| (pair.first, pair.second));
    found
}

struct Traits {
    name: String,
    name_pairs: BTreeMap<(char, char), u64>,
    address_pairs: BTreeMap<(char, char), u64>,
}

impl Traits {
    fn of(one: &EnterpriseView) -> Traits {
        let name = letters(&one.name());
        let name_pairs = pairs(&name);
        Traits {
            name_pairs,
            address_pairs: pairs(&letters(one.address.as_deref().unwrap_or_default())),
            name,
        }
    }
}

fn compare(first: (&EnterpriseView, &Traits), second: (&EnterpriseView, &Traits)) -> Option<Similar> {
    let similar = |reason| {
        Some(Similar {
            first: first.0.enterprise,
            second: second.0.enterprise,
            reason,
        })
    };
    if let Some(code) = first
        .0
        .credit_codes
        .iter()
        .find(|code| second.0.credit_codes.contains(code))
    {
        return similar(Message::new("similar.credit_code", [("code", Param::text(code))]));
    }
    // Two different valid codes are two legal persons, whatever their names.
    if !first.0.credit_codes.is_empty() && !second.0.credit_codes.is_empty() {
        return None;
    }
    if first.1.name.is_empty() || second.1.name.is_empty() {
        return None;
    }
    let addresses = !first.1.address_pairs.is_empty() && !second.1.address_pairs.is_empty();
    let near = alike(&first.1.address_pairs, &second.1.address_pairs) >= ADDRESS_ALIKE;
    if addresses && near && alike(&first.1.name_pairs, &second.1.name_pairs) >= NAME_ALIKE {
        let name = Param::text(format!("{} ~ {}", first.0.name(), second.0.name()));
        let address = |one: &EnterpriseView| one.address.clone().unwrap_or_default();
        let address = Param::text(format!("{} ~ {}", address(first.0), address(second.0)));
        return similar(Message::new(
            "similar.name_address",
            [("name", name), ("address", address)],
        ));
    }
    if first.1.name == second.1.name && (near || !addresses) {
        return similar(Message::new("similar.name", [("name", Param::text(first.0.name()))]));
    }
    None
}

/// Letters and digits only, half width, lower case.
fn letters(text: &str) -> String {
    let half = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        other => other,
    };
    text.chars()
        .map(half)
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn pairs(text: &str) -> BTreeMap<(char, char), u64> {
    let mut pairs = BTreeMap::new();
    for (a, b) in text.chars().zip(text.chars().skip(1)) {
        *pairs.entry((a, b)).or_default() += 1;
    }
    pairs
}

/// Twice the common pairs over all pairs, in percent (Dice).
fn alike(first: &BTreeMap<(char, char), u64>, second: &BTreeMap<(char, char), u64>) -> u64 {
    let common: u64 = first
        .iter()
        .map(|(pair, n)| n.min(second.get(pair).unwrap_or(&0)))
        .sum();
    let all: u64 = first.values().sum::<u64>() + second.values().sum::<u64>();
    (200 * common).checked_div(all).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enterprise(n: u8, name: &str, code: &str, address: &str) -> EnterpriseView {
        EnterpriseView {
            enterprise: EnterpriseId::from_bytes([n; 16]),
            joined: vec![],
            names: vec![name.into()],
            credit_codes: if code.is_empty() { vec![] } else { vec![code.into()] },
            credit_code_raw: None,
            address: (!address.is_empty()).then(|| address.into()),
            head: None,
            phone: None,
            industry: None,
        }
    }

    #[test]
    fn what_may_be_the_same_and_what_not() {
        let all = [
            enterprise(
                1,
                "云岭县恒泰精细化工有限公司",
                "91350100M000100Y43",
                "云岭县临江工业园区纬三路18号",
            ),
            enterprise(2, "恒泰精细化工", "91350100M000100Y43", ""),
            enterprise(3, "云岭县恒泰精细化工有限责任公司", "", "临江工业园区纬三路18号"),
            enterprise(4, "云岭县恒泰木业有限公司", "", "云岭县临江工业园区纬三路20号"),
            enterprise(5, "红星五金厂", "", ""),
            enterprise(6, "红星 五金厂", "", "城东路1号"),
            enterprise(
                7,
                "云岭县恒泰精细化工有限公司",
                "91330100799655058B",
                "云岭县临江工业园区纬三路18号",
            ),
            enterprise(8, "红星五金厂", "", "西山镇解放大街99号"),
        ];
        let found: Vec<(u8, u8, &str)> = similar_pairs(&all)
            .iter()
            .map(|s| (s.first.as_bytes()[0], s.second.as_bytes()[0], s.reason.code()))
            .collect();
        let expected = [
            (1, 2, "similar.credit_code"),
            (1, 3, "similar.name_address"),
            (3, 7, "similar.name_address"),
            (5, 6, "similar.name"),
            (5, 8, "similar.name"),
        ];
        assert_eq!(found, expected);
        assert_eq!(similar_to(&all[2], &all).len(), 2);
        assert!(similar_pairs(&all).iter().all(|similar| similar.reason.is_complete()));
    }

    #[test]
    fn two_tablets_that_began_the_same_inspection() {
        let case = |n: u8, enterprise: u8, day: Option<&str>, device: u8| CaseTrace {
            case: CaseId::from_bytes([n; 16]),
            enterprise: EnterpriseId::from_bytes([enterprise; 16]),
            party: "红星五金厂".into(),
            planned: day.map(str::to_owned),
            devices: BTreeSet::from([DeviceId::from_bytes([device; 16])]),
        };
        let all = [
            enterprise(5, "红星五金厂", "", ""),
            enterprise(6, "红星 五金厂", "", "城东路1号"),
        ];
        let cases = [
            case(1, 5, None, 1),
            case(2, 6, None, 2),
            case(3, 5, None, 1),
            case(4, 6, Some("2026-03-02"), 3),
            case(5, 7, None, 2),
        ];
        let pairs: Vec<(u8, u8)> = similar_cases(&cases, &similar_pairs(&all))
            .iter()
            .map(|pair| (pair.first.as_bytes()[0], pair.second.as_bytes()[0]))
            .collect();
        assert_eq!(pairs, [(1, 2), (2, 3)]);
        assert_eq!(similar_cases(&cases, &[]), []);
    }

    #[test]
    fn a_whole_county_in_a_moment() {
        let many: Vec<EnterpriseView> = (0..5000u32)
            .map(|n| {
                let mut one = enterprise(0, &format!("云岭县{n}号化工有限公司"), "", &format!("工业园区{n}号"));
                one.enterprise = EnterpriseId::from_bytes(std::array::from_fn(|i| n.to_be_bytes()[i % 4]));
                one
            })
            .collect();
        assert!(similar_pairs(&many).len() < 50_000);
    }
}
