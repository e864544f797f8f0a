//! The evidence of a case: what there is, how it was acquired, what has not arrived.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use fieldseal_core::catalogue::Param;
use fieldseal_core::domain::view::EvidenceView;
use serde::Deserialize;

use super::item::check;
use super::{CaseBar, OpenCase, Tab, open};
use crate::api::App;
use crate::console::error::{PageError, url_escaped};
use crate::console::evidence::Player;
use crate::console::figure::{PlaceMap, Point, PointKind};
use crate::console::page::{Page, html};
use crate::console::trust::{AcquisitionTag, Judgement, VerdictTag, short_bracket};
use crate::console::visitor::Desk;
use crate::tlog::bracket;

/// Tiles of a page.
const TILES: usize = 48;
/// Bytes that "check this page" hashes at most; what is beyond stays not checked and says so.
const CHECK_MOST: u64 = 512 << 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    pub acquisition: String,
    pub missing: String,
    pub view: String,
    pub page: usize,
    pub check: String,
}

impl Asked {
    fn link(&self, base: &str, name: &str, value: &str) -> String {
        let page = self.page.to_string();
        let pairs = [
            ("acquisition", self.acquisition.as_str()),
            ("missing", self.missing.as_str()),
            ("view", self.view.as_str()),
            ("page", if self.page == 0 { "" } else { page.as_str() }),
        ];
        // A new filter begins at the first page.
        let kept = pairs
            .into_iter()
            .filter(|(part, _)| *part != name && (name == "page" || name == "view" || *part != "page"));
        let parts: Vec<String> = kept
            .chain([(name, value)])
            .filter(|(_, value)| !value.is_empty())
            .map(|(part, value)| format!("{part}={}", url_escaped(value)))
            .collect();
        format!("{base}{}{}", if parts.is_empty() { "" } else { "?" }, parts.join("&"))
    }
}

/// What a tile shows in place of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Face {
    Picture,
    Film,
    Sound,
    File,
    Missing,
}

struct Tile {
    href: String,
    number: usize,
    face: Face,
    sha256: String,
    title: Option<String>,
    kind: String,
    acquisition: AcquisitionTag,
    bracket: String,
    verdict: VerdictTag,
    checked_at: Option<String>,
    missing: Option<String>,
    collector: Option<String>,
    size: String,
}

struct Filter {
    href: String,
    word: String,
    count: usize,
    current: bool,
}

#[derive(Template)]
#[template(path = "cases/gallery.html")]
struct GalleryPage {
    page: Page,
    bar: CaseBar,
    filters: Vec<Filter>,
    tiles: Vec<Tile>,
    total: usize,
    list: bool,
    as_grid: String,
    as_list: String,
    check: String,
    earlier: Option<String>,
    later: Option<String>,
    map: Option<PlaceMap>,
    filtered: bool,
    base: String,
}

/// `GET /console/cases/{case}/evidence`
pub async fn page(
    State(app): State<App>,
    desk: Desk,
    Path(case): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let opened = open(&app, &desk, &case, Tab::Evidence).await?;
    let base = format!("/console/cases/{}/evidence", opened.file.case);
    let all = &opened.file.view.view.evidence;
    let mut numbered: Vec<(usize, &EvidenceView, bool)> = Vec::new();
    for (at, item) in all.iter().enumerate() {
        let arrived = match &item.sha256 {
            Some(sha256) => app.server.uploads.blob(sha256.as_bytes()).await?.is_some(),
            None => false,
        };
        numbered.push((at + 1, item, arrived));
    }
    let filters = filters(&opened, &asked, &base, &numbered);
    let wanted = |(_, item, arrived): &&(usize, &EvidenceView, bool)| {
        let of_kind = asked.acquisition.is_empty() || item.acquisition.as_deref() == Some(&asked.acquisition);
        of_kind && (asked.missing.is_empty() || !arrived)
    };
    let chosen: Vec<_> = numbered.iter().filter(wanted).copied().collect();
    let total = chosen.len();
    let on_page: Vec<_> = chosen
        .into_iter()
        .skip(asked.page.saturating_mul(TILES))
        .take(TILES)
        .collect();
    if !asked.check.is_empty() {
        check_all(&app, &opened, &on_page).await?;
        // The result is kept: a reload does not hash everything again.
        return Ok(Redirect::to(&asked.link(&base, "check", "")).into_response());
    }
    let mut tiles = Vec::new();
    for (number, item, arrived) in &on_page {
        tiles.push(tile(&app, &opened, *number, item, *arrived, &base).await?);
    }
    let points: Vec<Point> = on_page
        .iter()
        .flat_map(|(number, item, _)| points(*number, item))
        .collect();
    html(&GalleryPage {
        map: PlaceMap::new(opened.wording.words, &points),
        filters,
        tiles,
        total,
        list: asked.view == "list",
        as_grid: asked.link(&base, "view", ""),
        as_list: asked.link(&base, "view", "list"),
        check: asked.link(&base, "check", "1"),
        earlier: (asked.page > 0).then(|| asked.link(&base, "page", &(asked.page - 1).to_string())),
        later: ((asked.page + 1).saturating_mul(TILES) < total)
            .then(|| asked.link(&base, "page", &(asked.page + 1).to_string())),
        filtered: !asked.acquisition.is_empty() || !asked.missing.is_empty(),
        base,
        page: opened.page,
        bar: opened.bar,
    })
}

fn filters(opened: &OpenCase, asked: &Asked, base: &str, all: &[(usize, &EvidenceView, bool)]) -> Vec<Filter> {
    let words = opened.wording.words;
    let mut filters = vec![Filter {
        href: Asked::default().link(base, "view", &asked.view),
        word: words.t("console.timeline.all"),
        count: all.len(),
        current: asked.acquisition.is_empty() && asked.missing.is_empty(),
    }];
    for how in ["camera", "recorder", "imported", "scanned", "received"] {
        let count = all
            .iter()
            .filter(|(_, item, _)| item.acquisition.as_deref() == Some(how))
            .count();
        if count > 0 {
            let only = Asked {
                view: asked.view.clone(),
                ..Asked::default()
            };
            filters.push(Filter {
                href: only.link(base, "acquisition", how),
                word: words.t(&format!("acquisition.{how}")),
                count,
                current: asked.acquisition == how,
            });
        }
    }
    let missing = all.iter().filter(|(_, _, arrived)| !arrived).count();
    if missing > 0 {
        let only = Asked {
            view: asked.view.clone(),
            ..Asked::default()
        };
        filters.push(Filter {
            href: only.link(base, "missing", "1"),
            word: words.t("evidence.not_arrived"),
            count: missing,
            current: !asked.missing.is_empty(),
        });
    }
    filters
}

async fn tile(
    app: &App,
    opened: &OpenCase,
    number: usize,
    item: &EvidenceView,
    arrived: bool,
    base: &str,
) -> Result<Tile, PageError> {
    let (words, file) = (opened.wording.words, &opened.file);
    let entry = file.entry(&item.operation);
    let published = app.server.published.borrow().size;
    let (bracket, device) = match entry {
        Some(entry) => {
            let header = entry.operation.header();
            let sealed = bracket(&*app.server.ledger, header.anchor, entry.leaf).await?;
            let shown = short_bracket(words, &sealed, entry.leaf < published);
            (shown, opened.wording.device(&header.device))
        }
        None => (words.t("bracket.unlogged"), String::new()),
    };
    let size = Param::Bytes(item.size.unwrap_or(0));
    let checked = opened.known.checked.get(&item.operation);
    let judgement = match checked {
        Some(held) => Judgement::Verdict(held.verdict, Vec::new()),
        None => Judgement::NotChecked,
    };
    let media = item.media_type.as_deref().unwrap_or_default();
    let face = match (arrived, Player::of(media)) {
        (false, _) => Face::Missing,
        (_, Player::Picture) => Face::Picture,
        (_, Player::Film) => Face::Film,
        (_, Player::Sound) => Face::Sound,
        // A film that no browser plays is a film all the same.
        (_, Player::Attachment) if media.starts_with("video/") => Face::Film,
        (_, Player::Attachment) if media.starts_with("audio/") => Face::Sound,
        (_, Player::Attachment) => Face::File,
    };
    let pack = file.pack.as_deref();
    let kind = item.kind.as_deref().map(|id| {
        let known = pack.and_then(|pack| pack.evidence_kind(id));
        known.map_or_else(|| id.to_owned(), |kind| kind.name.text(words.lang).to_owned())
    });
    Ok(Tile {
        href: format!("{base}/{}", item.evidence),
        number,
        face,
        sha256: item.sha256.map(|hash| hash.to_string()).unwrap_or_default(),
        title: item.title.clone(),
        kind: kind.or_else(|| item.media_type.clone()).unwrap_or_default(),
        acquisition: AcquisitionTag::new(words, item.acquisition.as_deref()),
        bracket,
        verdict: VerdictTag::new(words, &judgement),
        checked_at: checked.map(|held| words.minute(held.at_ms)),
        missing: (!arrived).then(|| {
            let params = [("device", Param::text(device)), ("bytes", size.clone())];
            words.all("evidence.missing", &params)
        }),
        collector: item.collector.clone(),
        size: words.all("evidence.size", &[("bytes", size)]),
    })
}

/// Checks what is on the page, as far as the bytes allow.
async fn check_all(app: &App, opened: &OpenCase, items: &[(usize, &EvidenceView, bool)]) -> Result<(), PageError> {
    let mut hashed = 0u64;
    for (_, item, arrived) in items {
        hashed += item.size.unwrap_or(0);
        if *arrived && hashed <= CHECK_MOST {
            check(app, opened, item, true).await?;
        }
    }
    Ok(())
}

/// Where an item claims to have been taken: the tablet's word and the file's.
pub(super) fn points(number: usize, item: &EvidenceView) -> Vec<Point> {
    let label = item.title.clone().unwrap_or_default();
    let point = |kind, latitude: Option<i64>, longitude: Option<i64>, accuracy_m| {
        Some(Point {
            kind,
            number,
            latitude_e7: latitude?,
            longitude_e7: longitude?,
            accuracy_m,
            label: label.clone(),
        })
    };
    let device = point(PointKind::Device, item.latitude_e7, item.longitude_e7, item.accuracy_m);
    let exif = point(PointKind::Exif, item.exif_latitude_e7, item.exif_longitude_e7, None);
    device.into_iter().chain(exif).collect()
}
