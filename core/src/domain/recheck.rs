//! Typed edits are checked once more when they are signed: the pack may have changed since they were typed.

use fieldseal_proof::cbor::Value;

use super::field_work::{check_due, clause_in_force, known};
use super::{CheckResult, CreditCode, Day, Line, Paragraph, Refusal};
use crate::catalogue::Param;
use crate::pack::RulePack;

/// Checks the value of a body path by the pack in force on a day. `beside` gives the value that a sibling field has or will
/// have, by its path.
///
/// # Errors
/// The refusal that the form itself would give: an id that the pack has not, a clause out of force, a day before the order, a
/// text too long, a path that is never typed.
pub fn recheck(
    path: &str,
    value: &Value,
    pack: &RulePack,
    today: Day,
    beside: &dyn Fn(&str) -> Option<String>,
) -> Result<(), Refusal> {
    let not_typed = || Refusal::new("not_found", [("what", Param::text(path))]);
    let text = value.as_text().ok_or_else(not_typed)?;
    let line = |field| Line::parse(field, text).map(drop);
    let paragraph = |field| Paragraph::parse(field, text).map(drop);
    let segments: Vec<&str> = path.split('/').collect();
    match segments.as_slice() {
        ["inspection", "title"] => line("title"),
        ["inspection", "place"] | ["finding", _, "place"] => line("place"),
        ["inspection", "planned"] => Day::parse("planned", text).map(drop),
        ["inspection", "remark"] => paragraph("remark"),
        ["inspection", "item"] => known("item", text, pack.item(text).is_some()),
        ["party", "credit_code"] => CreditCode::parse(text).map(drop),
        ["party", "name"] => line("name"),
        ["party", "address"] => line("address"),
        ["party", "head"] => line("head"),
        ["party", "position"] => line("position"),
        ["party", "phone"] => line("phone"),
        ["check", item, "result"] => {
            known("item", item, pack.item(item).is_some())?;
            CheckResult::parse(text).map(drop)
        }
        ["check", item, "note"] => {
            known("item", item, pack.item(item).is_some())?;
            paragraph("note")
        }
        ["finding", _, "text"] | ["order", _, "item", _, "text"] | ["note", _, "text"] => paragraph("text"),
        ["finding", _, "grade"] => known("grade", text, pack.grade(text).is_some()),
        ["finding", _, "item"] => known("item", text, pack.item(text).is_some()),
        ["finding", _, "violation"] => known("violation", text, pack.violation(text).is_some()),
        ["finding", _, "clause"] | ["order", _, "item", _, "clause"] => clause_in_force(pack, text, today),
        ["order", order, "item", item, field @ ("grade" | "due")] => {
            let sibling = |field: &str| beside(&format!("order/{order}/item/{item}/{field}"));
            let (grade, due) = match *field {
                "grade" => (Some(text.to_owned()), sibling("due")),
                _ => (sibling("grade"), Some(text.to_owned())),
            };
            let due = due.map(|due| Day::due(&due, today)).transpose()?;
            let Some(grade) = grade else { return Ok(()) };
            let grade = pack
                .grade(&grade)
                .ok_or_else(|| super::field_work::unknown("grade", &grade))?;
            check_due(due, today, &grade.name.zh, grade.dated_order, grade.longest_days)
        }
        ["statement", _, "person"] => line("person_name"),
        ["statement", _, "role"] => line("role"),
        ["statement", _, "line"] => paragraph("line"),
        _ => Err(not_typed()),
    }
}
