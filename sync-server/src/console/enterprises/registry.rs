//! One enterprise out of the registry's folded fields, and those that may be the same.

use fieldseal_core::domain::view::{EnterpriseView, Similar, similar_to};
use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::ids::EnterpriseId;

use crate::api::App;
use crate::ledger::{FieldRow, LedgerError, LineKind, LineQuery, SearchWords};
use crate::projection::EnterpriseLine;

/// Records that are looked at for likeness.
const CANDIDATES: u64 = 200;

/// An enterprise with the records that were joined into it.
pub struct Known {
    pub view: EnterpriseView,
    /// It was joined into this one.
    pub same_as: Option<String>,
}

/// Reads it; `None` when nobody ever recorded it.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn read(app: &App, id: EnterpriseId) -> Result<Option<Known>, LedgerError> {
    let tenant = *app.server.ingest.tenant().as_bytes();
    let prefix = format!("enterprise/{id}/");
    let fields = app.server.ledger.fields(tenant, prefix.clone()).await?;
    if fields.is_empty() {
        return Ok(None);
    }
    let all = |field: &str| values(&fields, &format!("{prefix}{field}"));
    let texts = |field: &str| -> Vec<String> {
        all(field)
            .iter()
            .filter_map(|value| value.as_text().map(str::to_owned))
            .collect()
    };
    let same_as = all("same_as")
        .first()
        .and_then(|value| value.as_bytes()?.try_into().ok());
    Ok(Some(Known {
        same_as: same_as.map(|keeps| EnterpriseId::from_bytes(keeps).to_string()),
        view: EnterpriseView {
            enterprise: id,
            joined: joined_into(app, id).await?,
            names: texts("name"),
            credit_codes: texts("credit_code"),
            credit_code_raw: texts("credit_code_raw").pop(),
            address: texts("address").pop(),
            head: texts("head").pop(),
            phone: texts("phone").pop(),
            industry: texts("industry").pop(),
        },
    }))
}

/// The values of a field; withheld ones are left out.
fn values(fields: &[FieldRow], path: &str) -> Vec<Value> {
    let row = fields.iter().find(|row| row.path == path && row.outcome != "absent");
    let Some(Ok(Value::Array(held))) = row.map(|row| cbor::decode(&row.held)) else {
        return Vec::new();
    };
    let value = |held: &Value| {
        let bytes = held.as_array()?.first()?.as_bytes()?;
        cbor::decode(bytes).ok()
    };
    held.iter().filter_map(value).collect()
}

/// The ids under which an enterprise was ever recorded, its own first.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn records_of(app: &App, id: EnterpriseId) -> Result<Vec<EnterpriseId>, LedgerError> {
    let mut all = vec![id];
    all.extend(joined_into(app, id).await?);
    Ok(all)
}

/// The records that say they are this one. Only joined ones carry the tag, so the list is short.
async fn joined_into(app: &App, id: EnterpriseId) -> Result<Vec<EnterpriseId>, LedgerError> {
    let mut query = LineQuery::new(LineKind::Enterprise, SearchWords::default());
    query.tags = vec!["joined".into()];
    query.limit = 10_000;
    let name = id.to_string();
    let lines = app.server.ledger.lines(query).await?.lines;
    let into = |line: EnterpriseLine| (line.same_as.as_ref() == Some(&name)).then(|| line.enterprise.parse().ok())?;
    Ok(lines
        .iter()
        .filter_map(|line| serde_json::from_slice(&line.shown).ok())
        .filter_map(into)
        .collect())
}

/// Records that may be the same, found by code, by the beginning of the name and by the end of the address.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn similar(app: &App, one: &EnterpriseView) -> Result<Vec<(Similar, EnterpriseLine)>, LedgerError> {
    let name: Vec<char> = one.names.first().map(|name| name.chars().collect()).unwrap_or_default();
    let part = |from: usize, to: usize| {
        name.get(from..to.min(name.len()))
            .map(|part| part.iter().collect::<String>())
    };
    let address: Vec<char> = one.address.as_deref().unwrap_or_default().chars().collect();
    let tail: String = address[address.len().saturating_sub(6)..].iter().collect();
    let middle = name.len() / 2;
    let mut asked: Vec<String> = one.credit_codes.clone();
    asked.extend(
        [part(0, 4), part(middle.saturating_sub(2), middle + 2), Some(tail)]
            .into_iter()
            .flatten(),
    );
    let mut found: Vec<EnterpriseLine> = Vec::new();
    for words in asked {
        let words = SearchWords::parse(&words);
        if words.is_empty() {
            continue;
        }
        let mut query = LineQuery::new(LineKind::Enterprise, words);
        query.limit = CANDIDATES;
        let lines = app.server.ledger.lines(query).await?.lines;
        found.extend(
            lines
                .iter()
                .filter_map(|line| serde_json::from_slice::<EnterpriseLine>(&line.shown).ok()),
        );
    }
    let own = one.enterprise.to_string();
    let joined: Vec<String> = one.joined.iter().map(ToString::to_string).collect();
    found.retain(|line| line.enterprise != own && line.same_as.is_none() && !joined.contains(&line.enterprise));
    found.sort_by(|a, b| a.enterprise.cmp(&b.enterprise));
    found.dedup_by(|a, b| a.enterprise == b.enterprise);
    let views: Vec<EnterpriseView> = found.iter().filter_map(EnterpriseLine::view).collect();
    let other = |similar: Similar| {
        let id = if similar.first == one.enterprise {
            similar.second
        } else {
            similar.first
        }
        .to_string();
        let line = found.iter().find(|line| line.enterprise == id)?.clone();
        Some((similar, line))
    };
    Ok(similar_to(one, &views).into_iter().filter_map(other).collect())
}
