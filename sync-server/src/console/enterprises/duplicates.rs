//! What may be recorded twice, enterprises and cases: pairs with the reason, and the way to the decision. Nothing is joined here.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use fieldseal_core::domain::view::EnterpriseView;
use fieldseal_proof::ids::{CaseId, EnterpriseId};

use crate::api::App;
use crate::console::accounts::Role;
use crate::console::act::state;
use crate::console::error::PageError;
use crate::console::links;
use crate::console::page::{Area, Page, html};
use crate::console::visitor::Desk;
use crate::projection::Duplicates;

/// One of the two.
struct Side {
    href: String,
    name: String,
    facts: Vec<String>,
}

struct Pair {
    sides: [Side; 2],
    reason: String,
    /// Where a supervisor compares and joins; cases are not joined, they are looked at.
    join: Option<String>,
}

#[derive(Template)]
#[template(path = "enterprises/duplicates.html")]
struct DuplicatesPage {
    page: Page,
    /// Heading, what an empty part says, its pairs.
    parts: [(String, String, Vec<Pair>); 2],
}

/// `GET /console/duplicates`
pub async fn page(State(app): State<App>, desk: Desk) -> Result<Response, PageError> {
    desk.staff.needs_one_of(&[Role::Supervisor, Role::Legal])?;
    let words = desk.words();
    let page = Page::of(&app, &desk, Area::Enterprises, words.t("duplicates.title"))
        .await?
        .crumb("/console/enterprises", words.t("console.nav.enterprises"));
    let found = Duplicates::find(&*app.server.ledger).await?;
    let may_join = desk.staff.account.role == Role::Supervisor;
    let firm = |id: EnterpriseId| {
        let known: Option<&EnterpriseView> = found.known.get(&id);
        let codes = known.iter().flat_map(|known| known.credit_codes.iter().cloned());
        Side {
            href: format!("/console/enterprises/{id}"),
            name: known.map_or_else(|| id.to_string(), EnterpriseView::name),
            facts: codes.chain(known.and_then(|known| known.address.clone())).collect(),
        }
    };
    let enterprises = found.enterprises.iter().map(|pair| Pair {
        sides: [firm(pair.first), firm(pair.second)],
        reason: pair.reason.text(words.lang),
        join: may_join.then(|| links::join(&pair.first.to_string(), &pair.second.to_string())),
    });
    let enterprises = enterprises.collect();
    let mut cases = Vec::new();
    for pair in &found.cases {
        cases.push(Pair {
            sides: [case(&app, pair.first).await?, case(&app, pair.second).await?],
            reason: pair.reason.text(words.lang),
            join: None,
        });
    }
    html(&DuplicatesPage {
        page,
        parts: [
            (
                words.t("console.nav.enterprises"),
                words.t("duplicates.no_enterprises"),
                enterprises,
            ),
            (words.t("console.nav.cases"), words.t("duplicates.no_cases"), cases),
        ],
    })
}

async fn case(app: &App, id: CaseId) -> Result<Side, PageError> {
    let id = id.to_string();
    Ok(Side {
        href: format!("/console/cases/{id}"),
        name: state::party_name(app, &id).await?,
        facts: vec![id],
    })
}
