//! Everything that the console can say of trust, drawn by its own components: the town has only a few of them.

use fieldseal_core::catalogue::Lang;
use fieldseal_proof::bundle::{Bound, TimeBasis, TimeBracket, Verdict};
use fieldseal_sync_server::console::trust::{
    AcquisitionTag, Basis, BasisCell, BracketFigure, Checked, Judgement, NotProven, ReceiptList, VerdictPanel,
    VerdictTag,
};
use fieldseal_sync_server::console::words::Words;
use serde_json::{Value, json};

/// What stands between `<main>` and `</main>`, by language.
pub fn pages() -> Value {
    json!({ "zh": page(Words { lang: Lang::Zh }), "en": page(Words { lang: Lang::En }) })
}

fn page(words: Words) -> String {
    let mut parts = vec![format!("<h1>{}</h1>", words.t("trust.verdict"))];
    let checked = vec![
        Checked {
            what: words.t("glossary.attest"),
            result: words.t("check_step.holds"),
            holds: true,
        },
        Checked {
            what: words.t("glossary.roll"),
            result: words.t("hearing.fails"),
            holds: false,
        },
    ];
    // No page of the console has two panels; here each gets a name and a heading of its own.
    let name = format!("aria-label=\"{}\"", words.t("trust.verdict"));
    for (n, judgement) in judgements(words.lang).into_iter().enumerate() {
        let tag = VerdictTag::counted(words, &judgement, 12);
        let panel = VerdictPanel::by_server(words, &judgement, checked.clone()).to_string();
        let own = format!("aria-label=\"{n}\"");
        parts.push(format!("<h2>{tag}</h2>{}", panel.replacen(&name, &own, 1)));
    }
    for (n, (bracket, logged)) in brackets().into_iter().enumerate() {
        let claim = [None, Some(LOW_MS + 86_400_000), Some(LOW_MS - 192_000)][n % 3];
        parts.push(BracketFigure::new(words, format!("b{n}"), &bracket, logged, claim).to_string());
    }
    let made = ["camera", "recorder", "imported", "scanned", "received", "unheard_of"];
    let made = made.map(|how| AcquisitionTag::new(words, Some(how)).to_string());
    let bases = Basis::ALL.map(|basis| BasisCell::new(words, basis).to_string());
    parts.push(format!("<p>{}</p><p>{}</p>", made.join(" "), bases.join(" · ")));
    for (logged, arrived) in [(false, false), (true, false), (true, true)] {
        parts.push(ReceiptList::of(words, logged, arrived).to_string());
    }
    parts.push(NotProven::new(words, false).to_string());
    parts.concat()
}

fn judgements(lang: Lang) -> Vec<Judgement> {
    // Witnesses are named as their keys are; a basis stands in the pack's own language.
    let witnesses = || vec!["notary.example/w1".to_owned(), "lab.example/w2".to_owned()];
    let basis = match lang {
        Lang::Zh => "档案管理规定",
        Lang::En => "rules on archives",
    };
    let verdicts = [
        Verdict::Invalid,
        Verdict::Diverged,
        Verdict::Unanchored,
        Verdict::Anchored,
        Verdict::Witnessed,
    ];
    let mut all: Vec<Judgement> = verdicts
        .into_iter()
        .map(|verdict| Judgement::Verdict(verdict, witnesses()))
        .collect();
    all.extend([
        Judgement::NotChecked,
        Judgement::Withheld(basis.into()),
        Judgement::Disposed(basis.into()),
        // What this version does not know is never better than what it knows to be bad.
        Judgement::of_word("SPLENDID"),
    ]);
    all
}

/// 2026-03-02 09:00:04, Beijing time.
const LOW_MS: u64 = 1_772_413_204_000;
/// 2026-03-09 17:41:30.
const HIGH_MS: u64 = 1_773_049_290_000;

fn brackets() -> Vec<(TimeBracket, bool)> {
    let bound = |unix_ms, basis| {
        Some(Bound {
            unix_ms,
            basis,
            tree: 12_345,
            who: None,
        })
    };
    let low = |basis| bound(LOW_MS, basis);
    let high = |basis| bound(HIGH_MS, basis);
    let bracket = |not_before, not_after, logged| (TimeBracket { not_before, not_after }, logged);
    vec![
        bracket(low(TimeBasis::Stamped), high(TimeBasis::Cosigned), true),
        bracket(low(TimeBasis::Claimed), high(TimeBasis::Claimed), true),
        bracket(None, high(TimeBasis::Claimed), true),
        bracket(low(TimeBasis::Claimed), None, false),
        bracket(None, None, false),
        bracket(None, None, true),
    ]
}
