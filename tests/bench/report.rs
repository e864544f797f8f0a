//! What was measured, beside what the machine can do at most: a table for people, JSON for programs.

use serde_json::{Value, json};

/// Rounds of one quantity.
#[derive(Clone, Debug, Default)]
pub struct Rounds(pub Vec<f64>);

impl Rounds {
    /// Smallest, middle and largest value; zeros when nothing was measured.
    pub fn spread(&self) -> (f64, f64, f64) {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.as_slice() {
            [] => (0.0, 0.0, 0.0),
            all => (all[0], all[all.len() / 2], all[all.len() - 1]),
        }
    }

    /// The middle value.
    pub fn median(&self) -> f64 {
        self.spread().1
    }

    fn json(&self) -> Value {
        let (min, median, max) = self.spread();
        json!({ "min": min, "median": median, "max": max, "rounds": self.0 })
    }
}

/// A limit of the machine or of a rival, measured in the same run in the same unit.
#[derive(Clone, Debug)]
pub struct Limit {
    /// What was done.
    pub what: &'static str,
    /// The rounds.
    pub rounds: Rounds,
}

/// One quantity of the product and its limits.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What was done.
    pub what: String,
    /// Unit of all its numbers: a rate (`…/s`, more is better), a time or a size (less is better).
    pub unit: &'static str,
    /// The rounds.
    pub rounds: Rounds,
    /// Beside it.
    pub limits: Vec<Limit>,
}

impl Figure {
    /// A figure without rounds yet.
    pub fn new(what: impl Into<String>, unit: &'static str, limits: &[&'static str]) -> Self {
        let limit = |what: &&'static str| Limit {
            what,
            rounds: Rounds::default(),
        };
        Self {
            what: what.into(),
            unit,
            rounds: Rounds::default(),
            limits: limits.iter().map(limit).collect(),
        }
    }

    /// Adds a round: the product's value, then those of the limits in their order.
    pub fn round(&mut self, ours: f64, limits: &[f64]) {
        self.rounds.0.push(ours);
        for (limit, value) in self.limits.iter_mut().zip(limits) {
            limit.rounds.0.push(*value);
        }
    }

    /// The product's median over the limit's: of a rate the share that is reached, of a time or size how many times it is.
    fn ratio(&self, limit: &Limit) -> f64 {
        self.rounds.median() / limit.rounds.median()
    }
}

/// All figures of a run, by area.
#[derive(Default)]
pub struct Report {
    areas: Vec<(&'static str, Vec<Figure>)>,
    notes: Vec<String>,
}

impl Report {
    /// Adds an area and tells it at once, so that a run that is cut short has said something.
    pub fn area(&mut self, name: &'static str, figures: Vec<Figure>, quiet: bool) {
        if !quiet {
            println!("\n{name}");
            println!(
                "  {:<58} {:>9} {:>9} {:>9}  {:<6} {:>6}",
                "", "min", "median", "max", "", "ratio"
            );
            figures.iter().for_each(print);
        }
        self.areas.push((name, figures));
    }

    /// Something a reader of the numbers must know.
    pub fn note(&mut self, note: String, quiet: bool) {
        if !quiet {
            println!("  · {note}");
        }
        self.notes.push(note);
    }

    /// Everything, for programs.
    pub fn json(&self, head: Value) -> Value {
        let figure = |figure: &Figure| {
            let limits = figure.limits.iter().map(
                |limit| json!({ "what": limit.what, "measured": limit.rounds.json(), "ratio": figure.ratio(limit) }),
            );
            json!({
                "what": figure.what, "unit": figure.unit, "measured": figure.rounds.json(),
                "limits": limits.collect::<Vec<_>>(),
            })
        };
        let areas = self
            .areas
            .iter()
            .map(|(name, figures)| json!({ "area": name, "figures": figures.iter().map(figure).collect::<Vec<_>>() }));
        json!({ "machine": head, "areas": areas.collect::<Vec<_>>(), "notes": self.notes })
    }
}

fn print(figure: &Figure) {
    line(&figure.what, &figure.rounds, figure.unit, None);
    for limit in &figure.limits {
        line(
            &format!("  · {}", limit.what),
            &limit.rounds,
            figure.unit,
            Some(figure.ratio(limit)),
        );
    }
}

fn line(what: &str, rounds: &Rounds, unit: &str, ratio: Option<f64>) {
    let (min, median, max) = rounds.spread();
    let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}×"));
    let wide = what.chars().count();
    let pad = " ".repeat(58usize.saturating_sub(wide));
    println!(
        "  {what}{pad} {:>9} {:>9} {:>9}  {unit:<6} {ratio:>6}",
        short(min),
        short(median),
        short(max)
    );
}

/// Three figures that matter, whatever the size.
fn short(value: f64) -> String {
    match value {
        v if v >= 10_000.0 => format!("{:.1}k", v / 1000.0),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 0.1 => format!("{v:.2}"),
        v => format!("{v:.4}"),
    }
}
