//! One operation of every kind that no story of a bundle tells: `merge.md`, Kinds.

use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::operation::{Header, Operation};
use fieldseal_proof::suite::Signer;

use super::actors::{Place, ed25519, header, id, sample_header, seed};
use super::operations::good_on;
use super::{Result, Vector};

const PAGE: &str = "merge.md, Kinds";

/// Kind, stream, what it says, and its fields.
type Row = (&'static str, Place, &'static str, Vec<(&'static str, Value)>);

fn text(words: &str) -> Value {
    Value::text(words)
}

fn list<const N: usize>(items: [Value; N]) -> Value {
    Value::Array(items.into())
}

fn ids<const N: usize>(labels: [&str; N]) -> Value {
    let mut all = labels.map(id);
    all.sort_unstable();
    list(all.map(Value::bytes))
}

fn rows() -> Vec<Row> {
    let target = || Value::bytes(seed("an operation"));
    let point = |x, y, t| list([Value::Uint(x), Value::Uint(y), Value::Uint(t)]);
    vec![
        (
            "inspection.assign",
            Place::Inspection,
            "A supervisor assigns an inspection to two officers and a tablet.",
            vec![
                ("inspection/device", ids(["tablet one"])),
                ("inspection/enterprise", Value::bytes(id("enterprise"))),
                ("inspection/item", list([text("fire.exit"), text("fire.extinguisher")])),
                ("inspection/officer", ids(["officer one", "officer two"])),
                ("inspection/planned", text("2026-06-01")),
                ("inspection/title", text("危化品企业检查")),
                ("party/name", text("某某化工有限公司")),
            ],
        ),
        (
            "check.answer",
            Place::Inspection,
            "The answer to a checklist item.",
            vec![("check/fire.exit/note", text("二号门被堵")), ("check/fire.exit/result", text("violation"))],
        ),
        (
            "statement.record",
            Place::Inspection,
            "A line of a questioning record.",
            vec![
                ("statement/s1/line", text("问：何时堆放？")),
                ("statement/s1/person", text("张负责")),
                ("statement/s1/role", text("responsible")),
            ],
        ),
        (
            "order.draft",
            Place::Inspection,
            "An item to be put right, with its date.",
            vec![
                ("order/o1/item/i1/clause", text("spl.65.1.3")),
                ("order/o1/item/i1/due", text("2026-06-15")),
                ("order/o1/item/i1/finding", Value::bytes(id("finding"))),
                ("order/o1/item/i1/grade", text("major")),
                ("order/o1/item/i1/text", text("清除疏散通道堆物")),
            ],
        ),
        (
            "document.sign",
            Place::Inspection,
            "A handwritten signature, bound to the PDF that was shown.",
            vec![
                ("signature/g1/document", Value::bytes(id("document"))),
                ("signature/g1/name", text("张负责")),
                ("signature/g1/outcome", text("signed")),
                ("signature/g1/pdf_sha256", Value::bytes(sha256(super::story::PDF))),
                ("signature/g1/role", text("responsible")),
                ("signature/g1/strokes", list([list([point(10, 20, 0), point(300, 40, 35)])])),
            ],
        ),
        (
            "field.decide",
            Place::Case,
            "A supervisor decides between two values of a field, with the reason.",
            vec![
                ("finding/8b1c/grade", text("major")),
                ("resolution/r1/path", text("finding/8b1c/grade")),
                ("resolution/r1/reason", text("the drums hold solvent")),
            ],
        ),
        (
            "quarantine.decide",
            Place::Case,
            "A supervisor's decision about an operation that was set aside.",
            vec![
                ("decide/reason", text("the tablet's clock was wrong, the finding is real")),
                ("decide/state", text("released")),
                ("decide/target", target()),
            ],
        ),
        (
            "enterprise.record",
            Place::Device,
            "An enterprise of the registry.",
            vec![
                ("enterprise/e1/address", text("云岭县工业路9号")),
                ("enterprise/e1/credit_code", text("91530000MA6K000006")),
                ("enterprise/e1/head", text("钱守业")),
                ("enterprise/e1/industry", text("chemical")),
                ("enterprise/e1/name", text("某某化工有限公司")),
            ],
        ),
        (
            "enterprise.join",
            Place::Device,
            "Two records of one enterprise are joined; both ids stay.",
            vec![
                ("enterprise/e2/same_as", Value::bytes(id("enterprise"))),
                ("resolution/r1/reason", text("the same credit code")),
            ],
        ),
        (
            "number.lease",
            Place::Device,
            "A block of document numbers for a tablet.",
            vec![
                ("lease/l1/device", Value::bytes(id("tablet one"))),
                ("lease/l1/first", Value::Uint(101)),
                ("lease/l1/form", text("rectification_order")),
                ("lease/l1/last", Value::Uint(150)),
                ("lease/l1/prefix", text("应急责改")),
                ("lease/l1/year", Value::Uint(2026)),
            ],
        ),
        (
            "order.review",
            Place::Inspection,
            "An ordered item of an earlier visit, looked at again.",
            vec![("review/o1/item/i1/note", text("已清除")), ("review/o1/item/i1/result", text("fulfilled"))],
        ),
        (
            "escrow.open",
            Place::Device,
            "The escrow opened by two of its holders, for a tablet that cannot hand in its work itself.",
            vec![
                ("custody/c1/by", text("方予安")),
                ("custody/c1/device", Value::bytes(id("tablet two"))),
                ("custody/c1/event", text("escrow_opened")),
                ("custody/c1/holders", list([Value::Uint(1), Value::Uint(3)])),
                ("custody/c1/note", text("nobody knows its PINs")),
            ],
        ),
        (
            "disposal",
            Place::Case,
            "A value and a file are disposed of, on a legal basis.",
            vec![
                ("disposal/basis", text("archives.27")),
                ("disposal/blobs", list([Value::bytes(sha256(super::story::PHOTO))])),
                ("disposal/paths", list([text("finding/8b1c/text")])),
                ("disposal/retention", text("2026-05-31")),
                ("disposal/target", target()),
            ],
        ),
    ]
}

pub fn vectors() -> Result<Vec<Vector>> {
    let key = ed25519("tablet one")?;
    let one = |(kind, place, what, said): Row| -> Result<Vector> {
        let sample = sample_header();
        let case = (place != Place::Device).then_some(sample.case).flatten();
        let inspection = (place == Place::Inspection).then_some(sample.inspection).flatten();
        let header = Header { case, inspection, ..header(sample.device, sample.incarnation, kind) };
        let said = said.into_iter().map(|(path, value)| (path.to_owned(), value)).collect();
        let operation = Operation::seal(header, Body::build(seed(kind), said)?, &key)?;
        Ok(good_on(PAGE, &format!("kind-{}", kind.replace('.', "-")), what, &operation, key.public()))
    };
    rows().into_iter().map(one).collect()
}
