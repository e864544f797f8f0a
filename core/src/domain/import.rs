//! Enterprises from CSV, and public inspection data of OSHA as enterprises, inspections and findings.
//!
//! Every row becomes something or is listed with its line and the reason: the counts add up.

use std::collections::{BTreeMap, HashMap};

use fieldseal_proof::ids::EnterpriseId;

use super::{CreditCode, CreditCodeCheck, Day, EnterpriseRecord, Line, Refusal};
use crate::catalogue::Param;
use crate::pack::RulePack;

/// Most rows that are read of one file.
pub const MOST_ROWS: usize = 200_000;

/// A row that was not taken, or not taken whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// Line in the file, from 1; the header is line 1.
    pub line: u64,
    pub reason: Refusal,
}

/// What came of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported<T> {
    pub taken: Vec<T>,
    /// Rows without a result.
    pub refused: Vec<RefusedRow>,
    /// Rows that were taken with something left out, e.g. a code that is none (the raw text is kept).
    pub remarks: Vec<RefusedRow>,
    /// Data rows in the file: the taken and the refused.
    pub rows: u64,
}

/// Enterprises from CSV with a header line. Columns `name` (or 名称, 企业名称), `credit_code` (统一社会信用代码), `address` (地址),
/// `head` (主要负责人), `phone` (联系电话), `industry` (行业); only the name is required, other columns are ignored. A wrong credit
/// code does not keep an enterprise out: it is kept as entered and remarked on. `new_id` mints the ids.
pub fn enterprises(
    csv: &[u8],
    mut new_id: impl FnMut() -> EnterpriseId,
) -> Result<Imported<EnterpriseRecord>, Refusal> {
    const COLUMNS: [(&str, &[&str]); 6] = [
        ("name", &["名称", "企业名称", "单位名称"]),
        ("credit_code", &["统一社会信用代码"]),
        ("address", &["地址", "住所"]),
        ("head", &["主要负责人", "法定代表人"]),
        ("phone", &["联系电话", "电话"]),
        ("industry", &["行业"]),
    ];
    let table = Table::read(csv, &COLUMNS, &["name"])?;
    let mut out = Imported {
        taken: Vec::new(),
        refused: table.broken,
        remarks: Vec::new(),
        rows: table.count,
    };
    let mut first_lines: HashMap<String, u64> = HashMap::new();
    for row in table.rows {
        let code = match CreditCode::check(row.get("credit_code")) {
            _ if row.get("credit_code").is_empty() => None,
            CreditCodeCheck::Valid(code) => Some(code),
            CreditCodeCheck::OldRegistration(_) => None,
            CreditCodeCheck::Invalid(reason) => {
                out.remarks.push(RefusedRow { line: row.line, reason });
                None
            }
        };
        let key = code.map_or_else(
            || format!("{}\n{}", row.get("name"), row.get("address")),
            |code| code.to_string(),
        );
        if let Some(&first) = first_lines.get(&key) {
            let params = [("line", Param::Count(row.line)), ("first", Param::Count(first))];
            out.refused.push(RefusedRow {
                line: row.line,
                reason: Refusal::new("import_row_duplicate", params),
            });
            continue;
        }
        match enterprise(&row, code, &mut new_id) {
            Ok(record) => {
                first_lines.insert(key, row.line);
                out.taken.push(record);
            }
            Err(reason) => out.refused.push(RefusedRow { line: row.line, reason }),
        }
    }
    out.refused.sort_by_key(|row| row.line);
    Ok(out)
}

fn enterprise(
    row: &Row,
    code: Option<CreditCode>,
    new_id: &mut impl FnMut() -> EnterpriseId,
) -> Result<EnterpriseRecord, Refusal> {
    let raw = row.get("credit_code");
    let raw_kept = code.is_none_or(|code| code.as_str() != raw);
    Ok(EnterpriseRecord {
        name: Line::parse("name", row.get("name"))?,
        credit_code: code,
        credit_code_raw: if raw_kept {
            Line::parse_opt("credit_code", raw)?
        } else {
            None
        },
        address: Line::parse_opt("address", row.get("address"))?,
        head: Line::parse_opt("head", row.get("head"))?,
        phone: Line::parse_opt("phone", row.get("phone"))?,
        industry: Line::parse_opt("industry", row.get("industry"))?,
        enterprise: new_id(),
    })
}

/// An OSHA inspection with the violations that were cited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OshaInspection {
    pub number: String,
    pub opened: Day,
    pub establishment: Line,
    pub address: Option<Line>,
    pub industry: Option<Line>,
    /// `Accident`, `Complaint`, `Planned`, …
    pub kind: Option<Line>,
    pub violations: Vec<OshaViolation>,
}

/// A citation item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OshaViolation {
    pub citation: String,
    /// A grade of the pack, by its import table.
    pub grade: String,
    /// The citation type as written.
    pub kind: String,
    /// The standard as written.
    pub standard: Line,
    pub issued: Day,
    /// Left out where the data has none, or one before the issue (then remarked on).
    pub due: Option<Day>,
}

/// What came of the two files; the lines of `violations` are those of the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OshaImport {
    pub inspections: Imported<OshaInspection>,
    /// Rows of violations: how many there were, and those that are in no inspection.
    pub violation_rows: u64,
    pub violations_taken: u64,
    pub violations_refused: Vec<RefusedRow>,
    pub violation_remarks: Vec<RefusedRow>,
}

/// Reads `osha_inspections.csv` and `osha_violations.csv` (columns as in the public data). Citation types become grades by the
/// pack's table `osha.citation_type`. A violation whose inspection is not taken is listed.
pub fn osha(inspections: &[u8], violations: &[u8], pack: &RulePack) -> Result<OshaImport, Refusal> {
    const INSPECTION: [(&str, &[&str]); 5] = [
        ("inspection_nr", &[]),
        ("date_opened", &[]),
        ("site_address", &[]),
        ("naics", &[]),
        ("inspection_type", &[]),
    ];
    const VIOLATION: [(&str, &[&str]); 6] = [
        ("inspection_nr", &[]),
        ("citation_id", &[]),
        ("citation_type", &[]),
        ("standard_cited", &[]),
        ("issuance_date", &[]),
        ("abatement_due_date", &[]),
    ];
    let table = Table::read(
        inspections,
        &INSPECTION,
        &["inspection_nr", "date_opened", "site_address"],
    )?;
    let cited = Table::read(
        violations,
        &VIOLATION,
        &["inspection_nr", "citation_type", "standard_cited", "issuance_date"],
    )?;
    let mut out = Imported {
        taken: Vec::new(),
        refused: table.broken,
        remarks: Vec::new(),
        rows: table.count,
    };
    let mut places: BTreeMap<String, (usize, u64)> = BTreeMap::new();
    for row in table.rows {
        let number = row.get("inspection_nr").to_owned();
        if let Some((_, first)) = places.get(&number) {
            let params = [("line", Param::Count(row.line)), ("first", Param::Count(*first))];
            out.refused.push(RefusedRow {
                line: row.line,
                reason: Refusal::new("import_row_duplicate", params),
            });
            continue;
        }
        match osha_inspection(&row) {
            Ok(inspection) => {
                places.insert(number, (out.taken.len(), row.line));
                out.taken.push(inspection);
            }
            Err(reason) => out.refused.push(RefusedRow { line: row.line, reason }),
        }
    }
    let mut result = OshaImport {
        inspections: out,
        violation_rows: cited.count,
        violations_taken: 0,
        violations_refused: cited.broken,
        violation_remarks: Vec::new(),
    };
    for row in cited.rows {
        let number = row.get("inspection_nr");
        let taken = places.get(number).map(|(place, _)| *place).ok_or_else(|| {
            let params = [("line", Param::Count(row.line)), ("inspection", Param::text(number))];
            Refusal::new("import_row_orphan", params)
        });
        match taken.and_then(|place| Ok((place, osha_violation(&row, pack, &mut result.violation_remarks)?))) {
            Ok((place, violation)) => {
                result.inspections.taken[place].violations.push(violation);
                result.violations_taken += 1;
            }
            Err(reason) => result.violations_refused.push(RefusedRow { line: row.line, reason }),
        }
    }
    Ok(result)
}

fn osha_inspection(row: &Row) -> Result<OshaInspection, Refusal> {
    // The establishment comes first; a legal form after a comma belongs to it.
    let site = row.get("site_address");
    let (mut name, mut address) = site.split_once(',').unwrap_or((site, ""));
    let legal_form = address
        .trim_start()
        .split(',')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if [
        "llc", "inc", "inc.", "l.l.c.", "ltd", "ltd.", "corp", "corp.", "co.", "lp", "l.p.",
    ]
    .contains(&legal_form.as_str())
    {
        let end = site.len() - address.len() + address.find(',').unwrap_or(address.len());
        (name, address) = (&site[..end], site[end..].trim_start_matches(','));
    }
    Ok(OshaInspection {
        number: Line::parse("number", row.get("inspection_nr"))?.into(),
        opened: Day::parse("date", row.get("date_opened"))?,
        establishment: Line::parse("name", name)?,
        address: Line::parse_opt("address", address)?,
        industry: Line::parse_opt("industry", row.get("naics"))?,
        kind: Line::parse_opt("kind", row.get("inspection_type"))?,
        violations: Vec::new(),
    })
}

fn osha_violation(row: &Row, pack: &RulePack, remarks: &mut Vec<RefusedRow>) -> Result<OshaViolation, Refusal> {
    let kind = row.get("citation_type");
    let unknown = || {
        Refusal::new(
            "not_in_pack",
            [("what", Param::label("grade")), ("id", Param::text(kind))],
        )
    };
    let grade = pack
        .import("osha.citation_type", kind)
        .filter(|id| pack.grade(id).is_some())
        .ok_or_else(unknown)?;
    let issued = Day::parse("date", row.get("issuance_date"))?;
    let due = match row.get("abatement_due_date") {
        "" => None,
        written => match Day::due(written, issued) {
            Ok(due) => Some(due),
            Err(reason) => {
                remarks.push(RefusedRow { line: row.line, reason });
                None
            }
        },
    };
    Ok(OshaViolation {
        citation: row.get("citation_id").to_owned(),
        grade: grade.to_owned(),
        kind: kind.to_owned(),
        standard: Line::parse("clause", row.get("standard_cited"))?,
        issued,
        due,
    })
}

/// Rows of a CSV file by the columns that are asked for.
struct Table {
    rows: Vec<Row>,
    broken: Vec<RefusedRow>,
    count: u64,
}

struct Row {
    line: u64,
    values: BTreeMap<&'static str, String>,
}

impl Row {
    fn get(&self, column: &str) -> &str {
        self.values.get(column).map_or("", String::as_str)
    }
}

impl Table {
    fn read(csv: &[u8], columns: &[(&'static str, &[&str])], needed: &[&str]) -> Result<Table, Refusal> {
        // A byte order mark, as spreadsheets write it, is no part of the first column's name.
        let csv = csv.strip_prefix(b"\xef\xbb\xbf").unwrap_or(csv);
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(csv);
        let headers = reader.byte_headers().map_err(|error| broken(1, &error))?.clone();
        let place = |names: &[&str], column: &str| {
            headers.iter().position(|held| {
                let held = String::from_utf8_lossy(held);
                let held = held.trim();
                held.eq_ignore_ascii_case(column) || names.contains(&held)
            })
        };
        let places: Vec<(&'static str, Option<usize>)> = columns
            .iter()
            .map(|(column, names)| (*column, place(names, column)))
            .collect();
        let missing: Vec<&str> = places
            .iter()
            .filter(|(name, at)| at.is_none() && needed.contains(name))
            .map(|(name, _)| *name)
            .collect();
        if !missing.is_empty() {
            return Err(Refusal::new(
                "import_columns",
                [("columns", Param::text(missing.join(", ")))],
            ));
        }
        let mut table = Table {
            rows: Vec::new(),
            broken: Vec::new(),
            count: 0,
        };
        let mut record = csv::ByteRecord::new();
        loop {
            let line = reader.position().line();
            match reader.read_byte_record(&mut record) {
                Ok(false) => break,
                Ok(true) => {}
                Err(error) => {
                    table.count += 1;
                    table.broken.push(RefusedRow {
                        line,
                        reason: broken(line, &error),
                    });
                    continue;
                }
            }
            table.count += 1;
            let line = record.position().map_or(line, csv::Position::line);
            if table.count > MOST_ROWS as u64 {
                return Err(broken(line, &format!("> {MOST_ROWS} rows")));
            }
            match values(&record, &places) {
                Ok(values) if record.len() == headers.len() => table.rows.push(Row { line, values }),
                Ok(_) => {
                    let detail = format!("{} / {}", record.len(), headers.len());
                    table.broken.push(RefusedRow {
                        line,
                        reason: broken(line, &detail),
                    });
                }
                Err(error) => table.broken.push(RefusedRow {
                    line,
                    reason: broken(line, &error),
                }),
            }
        }
        // A file that was cut off within quotation marks: what the last row holds runs on to the end, so it is no row.
        if csv.iter().filter(|byte| **byte == b'"').count() % 2 == 1
            && let Some(row) = table.rows.pop()
        {
            table.broken.push(RefusedRow {
                line: row.line,
                reason: broken(row.line, &"\""),
            });
        }
        Ok(table)
    }
}

fn values(
    record: &csv::ByteRecord,
    places: &[(&'static str, Option<usize>)],
) -> Result<BTreeMap<&'static str, String>, std::str::Utf8Error> {
    let mut values = BTreeMap::new();
    for (name, at) in places {
        if let Some(bytes) = at.and_then(|at| record.get(at)) {
            values.insert(*name, std::str::from_utf8(bytes)?.trim().to_owned());
        }
    }
    Ok(values)
}

fn broken(line: u64, detail: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(
        "import_row_broken",
        [
            ("line", Param::Count(line)),
            ("detail", Param::text(detail.to_string())),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::tests::shipped;

    fn ids() -> impl FnMut() -> EnterpriseId {
        let mut n = 0u8;
        move || {
            n += 1;
            EnterpriseId::from_bytes([n; 16])
        }
    }

    #[test]
    fn every_row_becomes_something_or_is_listed() {
        let csv = "\u{feff}企业名称,统一社会信用代码,地址,备注\n\
            甲厂,9135 0100m000100y43,一路1号,x\n\
            乙厂,91350100M000100Y44,二路2号,x\n\
            ,91330100799655058B,三路3号,x\n\
            丙厂,91350100M000100Y43,四路4号,x\n\
            丁厂,350100100012345,,x\n\
            戊厂,太少\n\
            \"己\u{202e}厂\",,,x\n";
        let out = enterprises(csv.as_bytes(), ids()).unwrap();
        assert_eq!(out.rows, 7);
        assert_eq!(out.taken.len() + out.refused.len(), 7);
        let refused: Vec<(u64, &str)> = out.refused.iter().map(|row| (row.line, row.reason.code())).collect();
        let expected = [
            (4, "field_empty"),
            (5, "import_row_duplicate"),
            (7, "import_row_broken"),
            (8, "field_control"),
        ];
        assert_eq!(refused, expected);
        assert_eq!(
            out.remarks
                .iter()
                .map(|r| (r.line, r.reason.code()))
                .collect::<Vec<_>>(),
            [(3, "credit_code_check")]
        );
        assert_eq!(out.taken[0].credit_code.unwrap().as_str(), "91350100M000100Y43");
        assert_eq!(
            out.taken[0].credit_code_raw.as_ref().unwrap().as_str(),
            "9135 0100m000100y43"
        );
        assert_eq!(out.taken[1].credit_code, None);
        assert!(out.taken[2].credit_code_raw.is_some());
        assert!(
            out.refused
                .iter()
                .chain(&out.remarks)
                .all(|row| row.reason.message.is_complete())
        );
        assert_eq!(enterprises(b"code\n1\n", ids()).unwrap_err().code(), "import_columns");
        assert_eq!(
            enterprises(b"name\n\xff\xfe\n", ids()).unwrap().refused[0]
                .reason
                .code(),
            "import_row_broken"
        );
        assert_eq!(enterprises(b"", ids()).unwrap_err().code(), "import_columns");
    }

    #[test]
    fn osha_rows_add_up() {
        let inspections = "inspection_nr,date_opened,site_address,naics,inspection_type\n\
            1.015,2023-12-11,\"New Beginnings, Llc, 4547 West Road, OH\",236115,Planned\n\
            2.015,2023-13-11,\"X, Y\",,\n";
        let violations = "inspection_nr,citation_id,citation_type,standard_cited,issuance_date,abatement_due_date\n\
            1.015,01001,Serious,19260602 A04,2024-06-05,2024-08-02\n\
            1.015,01002,Odd,19260602 A05,2024-06-05,2024-01-02\n\
            2.015,01001,Serious,5A0001,2024-06-05,\n";
        let out = osha(inspections.as_bytes(), violations.as_bytes(), &shipped("us-osha")).unwrap();
        assert_eq!(
            (
                out.inspections.rows,
                out.inspections.taken.len(),
                out.inspections.refused.len()
            ),
            (2, 1, 1)
        );
        assert_eq!(
            (out.violation_rows, out.violations_taken, out.violations_refused.len()),
            (3, 2, 1)
        );
        assert_eq!(out.violation_remarks[0].reason.code(), "due_before_order");
        let first = &out.inspections.taken[0];
        assert_eq!(first.establishment.as_str(), "New Beginnings, Llc");
        assert_eq!(first.address.as_ref().unwrap().as_str(), "4547 West Road, OH");
        assert_eq!(
            (first.violations[0].grade.as_str(), first.violations[1].grade.as_str()),
            ("serious", "unclassified")
        );
        assert_eq!(first.violations[1].due, None);
    }

    /// The public data, where it is at hand.
    #[test]
    fn real_rows_where_they_are_at_hand() {
        let Some(root) = std::env::var_os("FIELDSEAL_TEST_DATA") else {
            eprintln!("SKIPPED: real inspections; set FIELDSEAL_TEST_DATA to the data folder");
            return;
        };
        let file = |name: &str| std::fs::read(std::path::Path::new(&root).join("inspections").join(name)).unwrap();
        let out = osha(
            &file("osha_inspections.csv"),
            &file("osha_violations.csv"),
            &shipped("us-osha"),
        )
        .unwrap();
        eprintln!(
            "inspections {} = {} + {}; violations {} = {} + {}, {} remarked on",
            out.inspections.rows,
            out.inspections.taken.len(),
            out.inspections.refused.len(),
            out.violation_rows,
            out.violations_taken,
            out.violations_refused.len(),
            out.violation_remarks.len()
        );
        assert_eq!(
            out.inspections.rows,
            (out.inspections.taken.len() + out.inspections.refused.len()) as u64
        );
        assert_eq!(
            out.violation_rows,
            out.violations_taken + out.violations_refused.len() as u64
        );
        assert_eq!((out.inspections.rows, out.violation_rows), (4990, 12_833));
    }
}
