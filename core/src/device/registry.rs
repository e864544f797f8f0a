//! Enterprises: the registry as this device holds it.

use std::collections::{BTreeMap, BTreeSet};

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{EnterpriseId, OpId};

use super::{DeviceError, FieldDevice};
use crate::domain::{CreditCode, EnterpriseRecord, Line};

/// An enterprise as typed on site.
#[derive(Debug, Clone, Default)]
pub struct NewEnterprise<'a> {
    /// Name.
    pub name: &'a str,
    /// Unified social credit code, as on the licence; a wrong one is kept as entered and marked.
    pub credit_code: &'a str,
    /// Address.
    pub address: &'a str,
    /// Principal head.
    pub head: &'a str,
    /// Phone.
    pub phone: &'a str,
    /// Industry.
    pub industry: &'a str,
}

/// An enterprise of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnterpriseRow {
    /// Id; `None` only in a default value.
    pub enterprise: Option<EnterpriseId>,
    /// Name; with several concurrent ones the first, and `conflict` is set.
    pub name: Option<String>,
    /// Credit code that passes both checks.
    pub credit_code: Option<String>,
    /// Credit code as entered, where it does not pass.
    pub credit_code_raw: Option<String>,
    /// Address.
    pub address: Option<String>,
    /// Principal head.
    pub head: Option<String>,
    /// Phone.
    pub phone: Option<String>,
    /// Industry.
    pub industry: Option<String>,
    /// The enterprise that stays, where a supervisor joined the two.
    pub same_as: Option<EnterpriseId>,
    /// Whether a field has several concurrent values.
    pub conflict: bool,
}

impl FieldDevice {
    /// Adds an enterprise to the registry. A credit code that fails its check is kept as entered.
    ///
    /// # Errors
    /// A field that is not accepted.
    pub fn enterprise_add(&self, new: &NewEnterprise<'_>) -> Result<(EnterpriseId, OpId), DeviceError> {
        let enterprise = EnterpriseId::from_bytes(self.fresh_id()?);
        let code = CreditCode::parse(new.credit_code).ok();
        let record = EnterpriseRecord {
            enterprise,
            name: Line::parse("name", new.name)?,
            credit_code_raw: if code.is_some() {
                None
            } else {
                Line::parse_opt("credit_code", new.credit_code)?
            },
            credit_code: code,
            address: Line::parse_opt("address", new.address)?,
            head: Line::parse_opt("head", new.head)?,
            phone: Line::parse_opt("phone", new.phone)?,
            industry: Line::parse_opt("industry", new.industry)?,
        };
        Ok((enterprise, self.record_in_registry(record.act())?))
    }

    /// Enterprises whose name, code or address holds all words of the query; all of them without one. By name.
    ///
    /// # Errors
    /// When the database does.
    pub fn enterprises(&self, query: Option<&str>) -> Result<Vec<EnterpriseRow>, DeviceError> {
        let words: Vec<String> = query
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_lowercase)
            .collect();
        let mut rows: Vec<EnterpriseRow> = self.enterprise_rows("enterprise/")?;
        rows.retain(|row| {
            let texts = [&row.name, &row.credit_code, &row.credit_code_raw, &row.address];
            let text = texts
                .iter()
                .filter_map(|t| t.as_deref())
                .collect::<Vec<_>>()
                .join(" ")
                .to_lowercase();
            words.iter().all(|word| text.contains(word))
        });
        rows.sort_by(|a, b| (&a.name, a.enterprise).cmp(&(&b.name, b.enterprise)));
        Ok(rows)
    }

    /// One enterprise.
    ///
    /// # Errors
    /// `not_found`.
    pub fn enterprise(&self, enterprise: EnterpriseId) -> Result<EnterpriseRow, DeviceError> {
        let rows = self.enterprise_rows(&format!("enterprise/{enterprise}/"))?;
        rows.into_iter()
            .next()
            .ok_or_else(|| DeviceError::not_found(enterprise))
    }

    fn enterprise_rows(&self, prefix: &str) -> Result<Vec<EnterpriseRow>, DeviceError> {
        let mut rows: BTreeMap<EnterpriseId, EnterpriseRow> = BTreeMap::new();
        let mut seen: BTreeSet<String> = BTreeSet::new();
        for write in self.store.heads_under(None, prefix)? {
            let path = write
                .path
                .strip_prefix("enterprise/")
                .and_then(|rest| rest.split_once('/'));
            let Some((Ok(id), field)) = path.map(|(id, field)| (id.parse::<EnterpriseId>(), field)) else {
                continue;
            };
            let row = rows.entry(id).or_insert_with(|| EnterpriseRow {
                enterprise: Some(id),
                ..EnterpriseRow::default()
            });
            if !seen.insert(write.path.clone()) {
                row.conflict = true;
                continue;
            }
            let text = || write.value.as_ref().and_then(Value::as_text).map(str::to_owned);
            match field {
                "name" => row.name = text(),
                "credit_code" => row.credit_code = text(),
                "credit_code_raw" => row.credit_code_raw = text(),
                "address" => row.address = text(),
                "head" => row.head = text(),
                "phone" => row.phone = text(),
                "industry" => row.industry = text(),
                "same_as" => {
                    let bytes = write.value.as_ref().and_then(Value::as_bytes);
                    row.same_as = bytes.and_then(|b| b.try_into().ok()).map(EnterpriseId::from_bytes);
                }
                _ => {}
            }
        }
        Ok(rows.into_values().collect())
    }
}
