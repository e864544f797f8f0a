//! Invented enterprises with valid unified social credit codes (GB 32100-2015: two check digits).
//!
//! The division code 331199 is assigned to no county, so none of these codes can belong to somebody. A few rows are
//! written as registers really write them: lower case, blanks inside, blanks around.

use super::Rng;

const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
const DIVISION: &str = "331199";

/// One enterprise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enterprise {
    /// Its name.
    pub name: String,
    /// Its credit code as it should be: 18 characters, upper case.
    pub credit_code: String,
    /// Its credit code as the register has it.
    pub written_code: String,
    /// Where it is.
    pub address: String,
    /// Who stands for it.
    pub legal_representative: String,
    /// A telephone number that reaches nobody.
    pub phone: String,
    /// What it does.
    pub industry: &'static str,
    /// Where it is, in 10⁻⁷ degrees: north, east.
    pub place_e7: (i32, i32),
}

const TRADES: &[(&str, &str)] = &[
    ("五金制品", "金属制品加工"),
    ("化工贸易", "危险化学品经营"),
    ("木业", "木制品加工"),
    ("纺织", "纺织染整"),
    ("食品", "食品加工"),
    ("包装材料", "塑料包装"),
    ("机械铸造", "铸造"),
    ("冷链仓储", "涉氨制冷"),
    ("家具", "家具喷涂"),
    ("汽车维修", "机动车维修"),
    ("石材", "石材加工"),
    ("建材", "水泥制品"),
];
const SHOPS: &[&str] = &[
    "禾穗", "青岚", "云溪", "启衡", "岩泉", "松澜", "百渡", "晴川", "远帆", "石桥", "明塘", "金禾",
];
const ROADS: &[&str] = &["禾川路", "工业一路", "工业二路", "青溪大道", "东塘街", "岭脚村"];
const FAMILY: &[&str] = &["林", "周", "郑", "何", "陆", "沈", "方", "俞"];
const GIVEN: &[&str] = &["建平", "文彬", "晓岚", "国梁", "秀英", "志远", "海燕", "永康"];

/// Invents `count` enterprises of Qinghe county, which is invented too.
pub fn invent(seed: u64, count: usize) -> Vec<Enterprise> {
    let mut rng = Rng::new(seed ^ 0xe47e);
    let mut made = Vec::with_capacity(count);
    for number in 0..count {
        let (trade, industry) = TRADES[number % TRADES.len()];
        let round = number / SHOPS.len();
        let serial = if round == 0 {
            String::new()
        } else {
            format!("{}号", round + 1)
        };
        let name = format!("青禾县{}{trade}{serial}有限公司", SHOPS[number % SHOPS.len()]);
        let credit_code = credit_code(&mut rng);
        let written_code = match number % 6 {
            2 => credit_code.to_lowercase(),
            4 => format!("{} {} {}", &credit_code[..8], &credit_code[8..17], &credit_code[17..]),
            5 => format!(" {credit_code} "),
            _ => credit_code.clone(),
        };
        made.push(Enterprise {
            name,
            credit_code,
            written_code,
            address: format!("青禾县{}{}号", rng.pick(ROADS), 1 + rng.below(300)),
            legal_representative: format!("{}{}", rng.pick(FAMILY), rng.pick(GIVEN)),
            phone: format!("0570-555{:04}", rng.below(10_000)),
            industry,
            place_e7: (
                283_000_000 + rng.below(900_000) as i32,
                1_195_000_000 + rng.below(900_000) as i32,
            ),
        });
    }
    made
}

/// The register as CSV, with a header line.
pub fn csv(enterprises: &[Enterprise]) -> String {
    let mut text = "name,credit_code,address,head,phone,industry\n".to_owned();
    for enterprise in enterprises {
        let Enterprise {
            name,
            written_code,
            address,
            legal_representative,
            phone,
            industry,
            ..
        } = enterprise;
        text.push_str(&format!(
            "{name},{written_code},{address},{legal_representative},{phone},{industry}\n"
        ));
    }
    text
}

/// A valid code: registration authority 9 (market regulation), entity class 1 (enterprise).
fn credit_code(rng: &mut Rng) -> String {
    let mut body = b"MA".to_vec();
    body.extend((0..6).map(|_| *rng.pick(ALPHABET)));
    let mut code = format!("91{DIVISION}{}", String::from_utf8_lossy(&body));
    code.push(inner_check(&body));
    code.push(outer_check(code.as_bytes()));
    code
}

/// The check character of the organisation code (GB 11714).
fn inner_check(body: &[u8]) -> char {
    let value = |character: u8| match character {
        b'0'..=b'9' => u32::from(character - b'0'),
        letter => u32::from(letter - b'A') + 10,
    };
    let sum: u32 = body
        .iter()
        .zip([3, 7, 9, 10, 5, 8, 4, 2])
        .map(|(character, weight)| value(*character) * weight)
        .sum();
    match 11 - sum % 11 {
        10 => 'X',
        11 => '0',
        digit => char::from(b'0' + digit as u8),
    }
}

/// The check character of the whole code.
fn outer_check(code: &[u8]) -> char {
    let (mut sum, mut weight) = (0, 1);
    for character in code {
        let value = ALPHABET.iter().position(|known| known == character).unwrap_or(0);
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    char::from(ALPHABET[(31 - sum % 31) % 31])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_characters_of_published_codes() {
        for code in [
            "91350100M000100Y43",
            "91330100799655058B",
            "9144030071526726XG",
            "91110000802100433B",
            "11341731MB1989404J",
        ] {
            let bytes = code.as_bytes();
            assert_eq!(inner_check(&bytes[8..16]), char::from(bytes[16]), "{code}");
            assert_eq!(outer_check(&bytes[..17]), char::from(bytes[17]), "{code}");
        }
    }

    #[test]
    fn names_and_codes_are_different_and_some_are_untidy() {
        let list = invent(7, 24);
        for (number, one) in list.iter().enumerate() {
            assert_eq!(one.credit_code.len(), 18);
            let tidy: String = one.written_code.to_uppercase().split_whitespace().collect();
            assert_eq!(tidy, one.credit_code);
            for other in &list[..number] {
                assert!(
                    other.name != one.name && other.credit_code != one.credit_code,
                    "{}",
                    one.name
                );
            }
        }
        assert!(list.iter().any(|one| one.written_code != one.credit_code));
    }

    #[test]
    fn csv_has_a_header_and_a_row_each() {
        let text = csv(&invent(7, 12));
        assert_eq!(text.lines().count(), 13);
        assert!(text.lines().all(|line| line.split(',').count() == 6), "{text}");
    }
}
