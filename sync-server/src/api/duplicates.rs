//! What may be recorded twice. Nothing is joined here: that takes a supervisor's signed operation.

use axum::Json;
use axum::extract::State;
use fieldseal_core::catalogue::{Lang, Message};
use fieldseal_core::domain::view::EnterpriseView;
use serde_json::{Value, json};

use super::App;
use super::caller::Caller;
use super::limits::Plane;
use super::problem::Problem;
use crate::projection::Duplicates;

/// `GET /v1/duplicates`
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Value>, Problem> {
    let caller = caller.enrolled()?;
    if caller.token.role == "tablet" {
        return Err(Problem::forbidden("supervisor"));
    }
    let _turn = app.pools.turn(Plane::Pull, caller.share).await?;
    let place = *app.server.place.borrow();
    let found = Duplicates::find(&*app.server.ledger).await?;
    let enterprise = |id| {
        let known: Option<&EnterpriseView> = found.known.get(id);
        json!({
            "enterprise": id.to_string(),
            "name": known.map(EnterpriseView::name),
            "credit_codes": known.map(|known| &known.credit_codes),
            "address": known.and_then(|known| known.address.as_ref()),
        })
    };
    let enterprises = found.enterprises.iter().map(
        |pair| json!({ "first": enterprise(&pair.first), "second": enterprise(&pair.second), "reason": words(&pair.reason) }),
    );
    let cases = found.cases.iter().map(
        |pair| json!({ "first": pair.first.to_string(), "second": pair.second.to_string(), "reason": words(&pair.reason) }),
    );
    Ok(Json(json!({
        "as_of": place,
        "enterprises": enterprises.collect::<Vec<_>>(),
        "cases": cases.collect::<Vec<_>>(),
    })))
}

/// A code for programs, a sentence for each language.
fn words(reason: &Message) -> Value {
    json!({ "code": reason.code(), "zh": reason.text(Lang::Zh), "en": reason.text(Lang::En) })
}
