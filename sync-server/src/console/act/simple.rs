//! Forms that hold a subject, perhaps a choice, and a reason: quarantine, join, send back, freeze.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::Response;
use fieldseal_core::catalogue::Message;
use fieldseal_proof::ids::{CaseId, EnterpriseId, InspectionId, OpId};
use fieldseal_proof::operation::Operation;
use serde::Deserialize;

use super::super::accounts::Role;
use super::super::error::PageError;
use super::super::form::Fields;
use super::super::links;
use super::super::page::{Area, Page, html};
use super::super::queue::Queue;
use super::super::visitor::Desk;
use super::super::work;
use super::action::Action;
use super::readable::{Readable, kind};
use super::state;
use super::{incomplete, prepared};
use crate::api::App;
use crate::projection::set_aside_all;

/// One of two ways; never chosen beforehand.
struct Way {
    value: &'static str,
    word: String,
    /// What the way is about, as it was entered: isolated from our own words.
    name: String,
    effect: String,
    /// Facts about it, isolated too.
    facts: String,
}

#[derive(Template)]
#[template(path = "act/simple.html")]
struct SimpleForm {
    page: Page,
    queue: Option<Queue>,
    action: &'static str,
    lead: String,
    facts: Vec<(String, String)>,
    readable: Option<Readable>,
    hidden: Vec<(&'static str, String)>,
    ways: Vec<Way>,
    chosen: String,
    ways_word: String,
    items: Option<String>,
    reason: String,
    next: String,
    problem: Option<String>,
}

impl SimpleForm {
    /// `subject` is the query that the form's own address has.
    fn new(mut page: Page, action: &'static str, subject: &str, lead: String) -> Self {
        // A form that came back lies at the address it was sent to; the language link leads to the one it was opened at.
        page.switch = super::super::language::link(&format!("{action}?{subject}"), page.words.other());
        let next = page.t("console.act.next");
        Self {
            page,
            queue: None,
            action,
            lead,
            facts: Vec::new(),
            readable: None,
            hidden: Vec::new(),
            ways: Vec::new(),
            chosen: String::new(),
            ways_word: String::new(),
            items: None,
            reason: String::new(),
            next,
            problem: None,
        }
    }

    /// The form as it came back, with what is wrong.
    fn again(mut self, fields: &Fields, desk: &Desk, message: Option<Message>) -> Self {
        if let Some(message) = message {
            self.problem = Some(message.text(desk.words().lang));
            self.page.error = true;
        }
        fields.text("reason").clone_into(&mut self.reason);
        fields.text("way").clone_into(&mut self.chosen);
        if self.items.is_some() {
            self.items = Some(fields.text("items").to_owned());
        }
        self
    }
}

fn nothing() -> Fields {
    Fields(Vec::new())
}

#[derive(Deserialize)]
pub struct Subject {
    #[serde(default)]
    op: String,
    #[serde(default)]
    case: String,
    #[serde(default)]
    inspection: String,
    #[serde(default)]
    keep: String,
    #[serde(default)]
    other: String,
}

fn id<T: std::str::FromStr>(text: &str) -> Result<T, PageError> {
    text.parse().map_err(|_| PageError::NotFound)
}

/// `GET /console/act/settle?op=`
pub async fn settle_form(
    State(app): State<App>,
    desk: Desk,
    Query(about): Query<Subject>,
) -> Result<Response, PageError> {
    settle_shown(&app, &desk, id(&about.op)?, &nothing(), None).await
}

/// `POST /console/act/settle`
pub async fn settle(
    State(app): State<App>,
    desk: Desk,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let fields = Fields(form);
    let target: OpId = fields.id("op")?;
    let release = match fields.text("way") {
        "release" => true,
        "keep" => false,
        _ => {
            return settle_shown(
                &app,
                &desk,
                target,
                &fields,
                Some(Message::new("console.act.choose", [])),
            )
            .await
            .map(incomplete);
        }
    };
    let action = Action::Settle {
        target,
        release,
        reason: fields.text("reason").to_owned(),
    };
    prepared(&app, &desk, action, fields.text("seen"), async |message| {
        settle_shown(&app, &desk, target, &fields, Some(message)).await
    })
    .await
}

async fn settle_shown(
    app: &App,
    desk: &Desk,
    target: OpId,
    fields: &Fields,
    message: Option<Message>,
) -> Result<Response, PageError> {
    desk.staff.needs(Role::Supervisor)?;
    let words = desk.words();
    let all = set_aside_all(&*app.server.ledger).await?;
    let aside = all.get(&target).ok_or(PageError::NotFound)?;
    let page = Page::of(app, desk, Area::Work, words.t("console.act.settle")).await?;
    let list = work::List::of_reason(aside.reason());
    let page = page.crumb(list.address(), words.t(&format!("console.work.{}", list.word())));
    let mut form = SimpleForm::new(
        page,
        "/console/act/settle",
        &format!("op={target}"),
        words.t("console.act.settle.lead"),
    );
    form.queue = work::queue(app, words, list, &links::settle(&target)).await?;
    let reason = format!("quarantine.{}", aside.reason);
    form.facts = vec![
        (words.t("console.act.record"), kind(words, &aside.kind)),
        (words.t("console.act.settle.why"), words.t(&reason)),
        (
            words.t("console.act.settle.tablet"),
            device_name(app, &aside.device).await?,
        ),
    ];
    if let Some(case) = &aside.case {
        form.facts
            .push((words.t("console.work.party"), state::party_name(app, case).await?));
    }
    if !aside.stands() {
        form.facts.push((
            words.t("console.act.settle.state"),
            words.t("console.act.settle.released"),
        ));
    }
    let rows = app.server.ledger.operation(target).await?;
    let operation = rows.first().and_then(|row| Operation::parse(&row.frame).ok());
    form.readable = match operation {
        Some(operation) => Some(Readable::of(app, &operation, words).await?),
        None => None,
    };
    let probe = Action::Settle {
        target,
        release: true,
        reason: String::new(),
    };
    form.hidden = vec![("op", target.to_string()), ("seen", probe.seen(app).await?)];
    form.ways_word = words.t("console.act.settle.ways");
    form.ways = vec![
        Way {
            value: "release",
            word: words.t("console.act.release"),
            name: String::new(),
            effect: words.t("console.act.release.effect"),
            facts: String::new(),
        },
        Way {
            value: "keep",
            word: words.t("console.act.keep"),
            name: String::new(),
            effect: words.t("console.act.keep.effect"),
            facts: String::new(),
        },
    ];
    html(&form.again(fields, desk, message))
}

/// `GET /console/act/join?keep=&other=`
pub async fn join_form(
    State(app): State<App>,
    desk: Desk,
    Query(about): Query<Subject>,
) -> Result<Response, PageError> {
    join_shown(&app, &desk, id(&about.keep)?, id(&about.other)?, &nothing(), None).await
}

/// `POST /console/act/join`
pub async fn join(
    State(app): State<App>,
    desk: Desk,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let fields = Fields(form);
    let pair: (EnterpriseId, EnterpriseId) = (fields.id("keep")?, fields.id("other")?);
    let (keep, other) = match fields.text("way") {
        "first" => pair,
        "second" => (pair.1, pair.0),
        _ => {
            return join_shown(
                &app,
                &desk,
                pair.0,
                pair.1,
                &fields,
                Some(Message::new("console.act.choose", [])),
            )
            .await
            .map(incomplete);
        }
    };
    let action = Action::Join {
        keep,
        other,
        reason: fields.text("reason").to_owned(),
    };
    prepared(&app, &desk, action, "", async |message| {
        join_shown(&app, &desk, pair.0, pair.1, &fields, Some(message)).await
    })
    .await
}

async fn join_shown(
    app: &App,
    desk: &Desk,
    first: EnterpriseId,
    second: EnterpriseId,
    fields: &Fields,
    message: Option<Message>,
) -> Result<Response, PageError> {
    desk.staff.needs(Role::Supervisor)?;
    let words = desk.words();
    let page = Page::of(app, desk, Area::Enterprises, words.t("console.act.join")).await?;
    let page = page.crumb("/console/enterprises", words.t("console.nav.enterprises"));
    let mut form = SimpleForm::new(
        page,
        "/console/act/join",
        &format!("keep={first}&other={second}"),
        words.t("console.act.join.lead"),
    );
    for (value, id) in [("first", first), ("second", second)] {
        let known = state::enterprise(app, id).await?.ok_or(PageError::NotFound)?;
        let said = |field: &str| {
            known
                .get(field)
                .map(|texts| texts.join(" / "))
                .filter(|text| !text.is_empty())
        };
        let line = ["credit_code", "address", "head", "phone"]
            .iter()
            .filter_map(|field| said(field));
        let line: Vec<String> = line.chain([id.to_string()]).collect();
        form.ways.push(Way {
            value,
            word: words.t("console.act.join.stays"),
            name: said("name").unwrap_or_default(),
            effect: String::new(),
            facts: line.join(" · "),
        });
    }
    form.ways_word = words.t("console.act.join.which");
    form.hidden = vec![("keep", first.to_string()), ("other", second.to_string())];
    html(&form.again(fields, desk, message))
}

/// `GET /console/act/return?case=&inspection=`
pub async fn return_form(
    State(app): State<App>,
    desk: Desk,
    Query(about): Query<Subject>,
) -> Result<Response, PageError> {
    return_shown(&app, &desk, id(&about.case)?, id(&about.inspection)?, &nothing(), None).await
}

/// `POST /console/act/return`
pub async fn send_back(
    State(app): State<App>,
    desk: Desk,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let fields = Fields(form);
    let (case, inspection) = (fields.id("case")?, fields.id("inspection")?);
    let lines = fields
        .text("items")
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let action = Action::SendBack {
        inspection,
        case,
        reason: fields.text("reason").to_owned(),
        items: lines.map(str::to_owned).take(100).collect(),
    };
    prepared(&app, &desk, action, "", async |message| {
        return_shown(&app, &desk, case, inspection, &fields, Some(message)).await
    })
    .await
}

async fn return_shown(
    app: &App,
    desk: &Desk,
    case: CaseId,
    inspection: InspectionId,
    fields: &Fields,
    message: Option<Message>,
) -> Result<Response, PageError> {
    desk.staff.needs(Role::Supervisor)?;
    let words = desk.words();
    let fold = state::of(app, case).await?.ok_or(PageError::NotFound)?;
    if !fold
        .operations()
        .any(|operation| operation.inspection == Some(inspection))
    {
        return Err(PageError::NotFound);
    }
    let page = Page::of(app, desk, Area::Cases, words.t("console.act.return")).await?;
    let page = page.crumb(
        format!("/console/cases/{case}"),
        fold.text("party/name").unwrap_or_else(|| case.to_string()),
    );
    let mut form = SimpleForm::new(
        page,
        "/console/act/return",
        &format!("case={case}&inspection={inspection}"),
        words.t("console.act.return.effect"),
    );
    form.facts = vec![
        (
            words.t("label.title"),
            fold.text("inspection/title").unwrap_or_else(|| words.t("value.empty")),
        ),
        (words.t("console.sign.inspection"), inspection.to_string()),
    ];
    form.hidden = vec![("case", case.to_string()), ("inspection", inspection.to_string())];
    form.items = Some(String::new());
    html(&form.again(fields, desk, message))
}

/// `GET /console/act/freeze?case=`
pub async fn freeze_form(
    State(app): State<App>,
    desk: Desk,
    Query(about): Query<Subject>,
) -> Result<Response, PageError> {
    freeze_shown(&app, &desk, id(&about.case)?, &nothing(), None).await
}

/// `POST /console/act/freeze`
pub async fn freeze(
    State(app): State<App>,
    desk: Desk,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let fields = Fields(form);
    let case = fields.id("case")?;
    let action = Action::Freeze {
        case,
        reason: fields.text("reason").to_owned(),
    };
    prepared(&app, &desk, action, "", async |message| {
        freeze_shown(&app, &desk, case, &fields, Some(message)).await
    })
    .await
}

async fn freeze_shown(
    app: &App,
    desk: &Desk,
    case: CaseId,
    fields: &Fields,
    message: Option<Message>,
) -> Result<Response, PageError> {
    desk.staff.needs(Role::Supervisor)?;
    let words = desk.words();
    let fold = state::of(app, case).await?.ok_or(PageError::NotFound)?;
    let page = Page::of(app, desk, Area::Cases, words.t("console.act.freeze")).await?;
    let page = page.crumb(
        format!("/console/cases/{case}"),
        fold.text("party/name").unwrap_or_else(|| case.to_string()),
    );
    let mut form = SimpleForm::new(
        page,
        "/console/act/freeze",
        &format!("case={case}"),
        words.t("console.act.freeze.effect"),
    );
    form.facts = vec![
        (
            words.t("label.title"),
            fold.text("inspection/title").unwrap_or_else(|| words.t("value.empty")),
        ),
        (
            words.t("console.act.freeze.count"),
            fold.members("evidence").len().to_string(),
        ),
    ];
    form.hidden = vec![("case", case.to_string())];
    html(&form.again(fields, desk, message))
}

/// What a device is called, by its last contact; else its id.
pub async fn device_name(app: &App, device: &str) -> Result<String, PageError> {
    let Ok(id) = device.parse::<fieldseal_proof::ids::DeviceId>() else {
        return Ok(device.to_owned());
    };
    let row = app
        .server
        .ledger
        .register(crate::ledger::space::DEVICE, id.as_bytes().to_vec())
        .await?;
    let label = row
        .and_then(|row| serde_json::from_slice::<serde_json::Value>(&row.value).ok())
        .and_then(|value| value["label"].as_str().map(str::to_owned));
    Ok(label
        .filter(|label| !label.is_empty())
        .unwrap_or_else(|| device.to_owned()))
}
