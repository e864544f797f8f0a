//! Where it says it was taken: points from coordinates, without a base map, without any network.
//!
//! No border and no map is drawn: what is shown is how the claims lie to each other, with a scale bar. Coordinates are WGS-84 as
//! captured.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::console::words::Words;

/// The drawing does not scale, so its numbers stay readable; it fits a phone of 320 px.
const WIDTH: f64 = 280.0;
const HEIGHT: f64 = 200.0;
const MARGIN: f64 = 28.0;
/// Metres of one degree of latitude.
const DEGREE_M: f64 = 111_320.0;
/// The drawing never shows less than this many metres across.
const LEAST_M: f64 = 40.0;

/// Whose word a position is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointKind {
    /// The tablet's GPS.
    Device,
    /// What the file says about itself.
    Exif,
}

/// A claimed position.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    pub kind: PointKind,
    /// Number of its row in the list beside it.
    pub number: usize,
    /// Ten-millionths of a degree.
    pub latitude_e7: i64,
    pub longitude_e7: i64,
    /// Radius in which the device believes itself, metres.
    pub accuracy_m: Option<u64>,
    /// What the list beside the drawing calls it.
    pub label: String,
}

struct Mark {
    x: String,
    y: String,
    radius: String,
    exif: bool,
    number: usize,
}

struct Row {
    number: usize,
    label: String,
    kind: String,
    position: String,
    accuracy: Option<u64>,
}

/// The drawing with its list.
#[derive(Template)]
#[template(path = "figure/place.html")]
pub struct PlaceMap {
    words: Words,
    marks: Vec<Mark>,
    rows: Vec<Row>,
    scale_px: String,
    scale: String,
}

impl HtmlSafe for PlaceMap {}

impl PlaceMap {
    /// `None` when nothing says where it was. Positions that no place on earth has are left out.
    pub fn new(words: Words, points: &[Point]) -> Option<Self> {
        let on_earth = |p: &&Point| p.latitude_e7.abs() <= 900_000_000 && p.longitude_e7.abs() <= 1_800_000_000;
        let points: Vec<&Point> = points.iter().filter(on_earth).collect();
        let first = points.first()?;
        let (lat0, lon0) = (degrees(first.latitude_e7), degrees(first.longitude_e7));
        let metres = |p: &Point| {
            let x = (degrees(p.longitude_e7) - lon0) * lat0.to_radians().cos() * DEGREE_M;
            (x, (degrees(p.latitude_e7) - lat0) * DEGREE_M)
        };
        let reach = |p: &Point| p.accuracy_m.map_or(0.0, |m| m.min(100_000) as f64);
        let (mut west, mut east, mut south, mut north) = (0.0f64, 0.0f64, 0.0f64, 0.0f64);
        for point in &points {
            let ((x, y), r) = (metres(point), reach(point));
            (west, east) = (west.min(x - r), east.max(x + r));
            (south, north) = (south.min(y - r), north.max(y + r));
        }
        let scale = ((WIDTH - 2.0 * MARGIN) / (east - west).max(LEAST_M))
            .min((HEIGHT - 2.0 * MARGIN) / (north - south).max(LEAST_M));
        let (mid_x, mid_y) = ((west + east) / 2.0, (south + north) / 2.0);
        let mark = |p: &&Point| {
            let (x, y) = metres(p);
            Mark {
                x: format!("{:.1}", WIDTH / 2.0 + (x - mid_x) * scale),
                y: format!("{:.1}", HEIGHT / 2.0 - (y - mid_y) * scale),
                radius: format!("{:.1}", reach(p) * scale),
                exif: p.kind == PointKind::Exif,
                number: p.number,
            }
        };
        let scale_m = nice(60.0 / scale);
        Some(Self {
            words,
            marks: points.iter().map(mark).collect(),
            rows: points.iter().map(|p| row(words, p)).collect(),
            scale_px: format!("{:.1}", scale_m as f64 * scale),
            scale: if scale_m >= 1_000 {
                format!("{} km", scale_m / 1_000)
            } else {
                format!("{scale_m} m")
            },
        })
    }
}

fn row(words: Words, point: &Point) -> Row {
    Row {
        number: point.number,
        label: point.label.clone(),
        kind: words.t(match point.kind {
            PointKind::Device => "figure.place_device",
            PointKind::Exif => "figure.place_exif",
        }),
        position: format!("{:.6}, {:.6}", degrees(point.latitude_e7), degrees(point.longitude_e7)),
        accuracy: point.accuracy_m,
    }
}

fn degrees(e7: i64) -> f64 {
    e7 as f64 / 1e7
}

/// 1, 2 or 5 times a power of ten, at most what is given.
fn nice(most: f64) -> u64 {
    let mut step = 1u64;
    for _ in 0..8 {
        for times in [1, 2, 5] {
            if (step * times) as f64 > most {
                return match times {
                    1 => (step / 2).max(1),
                    2 => step,
                    _ => step * 2,
                };
            }
        }
        step *= 10;
    }
    step
}

#[cfg(test)]
mod tests {
    use fieldseal_core::catalogue::Lang;

    use super::*;

    fn point(kind: PointKind, latitude: f64, longitude: f64) -> Point {
        Point {
            kind,
            number: 1,
            latitude_e7: (latitude * 1e7) as i64,
            longitude_e7: (longitude * 1e7) as i64,
            accuracy_m: Some(8),
            label: "a".into(),
        }
    }

    #[test]
    fn points_lie_as_on_the_ground() {
        let words = Words { lang: Lang::Zh };
        let north_east = point(PointKind::Exif, 30.001, 120.001);
        let map = PlaceMap::new(words, &[point(PointKind::Device, 30.0, 120.0), north_east]).unwrap();
        let at = |mark: &Mark| (mark.x.parse::<f64>().unwrap(), mark.y.parse::<f64>().unwrap());
        let ((x1, y1), (x2, y2)) = (at(&map.marks[0]), at(&map.marks[1]));
        assert!(x2 > x1 && y2 < y1, "east is right, north is up");
        // A degree of longitude is shorter than one of latitude, by the cosine.
        assert!(((x2 - x1) / (y1 - y2) - 30.0f64.to_radians().cos()).abs() < 0.02);
        assert!(
            [x1, x2].iter().all(|x| (0.0..=WIDTH).contains(x)) && [y1, y2].iter().all(|y| (0.0..=HEIGHT).contains(y))
        );
        assert!(PlaceMap::new(words, &[point(PointKind::Device, 99.0, 0.0)]).is_none());
    }

    #[test]
    fn scale_bars_are_round() {
        for (most, shown) in [(0.3, 1), (1.0, 1), (4.9, 2), (5.0, 5), (99.0, 50), (1200.0, 1000)] {
            assert_eq!(nice(most), shown, "{most}");
        }
    }
}
