//! Document numbers (文号).

use super::{Agency, NumberSeries};

/// A number in its parts, for a form, and as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentNumber {
    pub region: String,
    pub word: String,
    pub year: u64,
    pub serial: u64,
    /// `（云岭）应急责改〔2026〕12号`
    pub text: String,
}

/// Writes a number by the series' pattern: year in four digits, no leading zeros.
pub fn format_number(series: &NumberSeries, agency: &Agency, year: u64, serial: u64) -> DocumentNumber {
    let text = series
        .pattern
        .replace("{region}", &agency.region)
        .replace("{word}", &series.word)
        .replace("{year}", &format!("{year:04}"))
        .replace("{n}", &serial.to_string());
    DocumentNumber {
        region: agency.region.clone(),
        word: series.word.clone(),
        year,
        serial,
        text,
    }
}
