//! A handwritten signature as strokes, drawn as SVG.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::RenderError;

/// The signing box measures this many units on each side; (0, 0) is its upper left corner.
///
/// The units are relative: the box is drawn three times as wide as high, like the pad it was signed on.
pub const BOX_UNITS: u32 = 10_000;

/// The most points one signature may have, over all strokes. A minute of writing at 200 Hz has 12,000.
pub const MAX_POINTS: usize = 20_000;

/// The drawn box in SVG units: a third as high as wide.
const WIDTH: u32 = 30_000;
const HEIGHT: u32 = 10_000;

/// One movement of the pen from touching down to lifting.
///
/// In JSON a stroke is the bare list of its points: `[[x, y, t_ms], ...]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stroke {
    /// (x, y, time) of each sample: x and y in `0..=BOX_UNITS`, time in milliseconds since the pen first touched.
    /// The times are evidence of how it was written; they do not change the drawing.
    pub points: Vec<(u32, u32, u64)>,
}

/// Draws the strokes as one SVG: dark blue ink, round ends, a lone point as a dot.
///
/// # Errors
///
/// [`RenderError::Picture`] when there is no point, when there are more than [`MAX_POINTS`],
/// or when a coordinate lies outside `0..=BOX_UNITS`.
///
/// ```
/// use fieldseal_render::{Stroke, strokes_svg};
/// let svg = strokes_svg(&[Stroke { points: vec![(0, 0, 0), (10_000, 10_000, 40)] }]).unwrap();
/// assert!(svg.contains(r#"points="0,0 30000,10000""#));
/// ```
pub fn strokes_svg(strokes: &[Stroke]) -> Result<String, RenderError> {
    let count: usize = strokes.iter().map(|s| s.points.len()).sum();
    if count == 0 || count > MAX_POINTS {
        return Err(RenderError::Picture(format!(
            "a signature has 1 to {MAX_POINTS} points, not {count}"
        )));
    }
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"><g fill="none" stroke="#14275e" stroke-width="420" stroke-linecap="round" stroke-linejoin="round">"##
    );
    for stroke in strokes {
        draw(stroke, &mut svg)?;
    }
    svg.push_str("</g></svg>");
    Ok(svg)
}

fn draw(stroke: &Stroke, svg: &mut String) -> Result<(), RenderError> {
    for &(x, y, _) in &stroke.points {
        if x > BOX_UNITS || y > BOX_UNITS {
            return Err(RenderError::Picture(format!(
                "the point ({x}, {y}) lies outside the signing box of 0 to {BOX_UNITS}"
            )));
        }
    }
    // Integers only: the same strokes must give the same bytes on every processor.
    let place = |&(x, y, _): &(u32, u32, u64)| (x * (WIDTH / BOX_UNITS), y * HEIGHT / BOX_UNITS);
    match stroke.points.as_slice() {
        [] => {}
        [only] => {
            let (x, y) = place(only);
            let _ = write!(
                svg,
                r##"<circle cx="{x}" cy="{y}" r="210" fill="#14275e" stroke="none"/>"##
            );
        }
        points => {
            let list: Vec<String> = points.iter().map(place).map(|(x, y)| format!("{x},{y}")).collect();
            let _ = write!(svg, r#"<polyline points="{}"/>"#, list.join(" "));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stroke(points: &[(u32, u32, u64)]) -> Stroke {
        Stroke {
            points: points.to_vec(),
        }
    }

    #[test]
    fn a_lone_point_is_a_dot() {
        let svg = strokes_svg(&[stroke(&[(5_000, 5_000, 0)])]).unwrap();
        assert!(svg.contains(r#"<circle cx="15000" cy="5000""#), "{svg}");
    }

    #[test]
    fn bounds_are_named() {
        let outside = strokes_svg(&[stroke(&[(10_001, 0, 0)])]).unwrap_err();
        assert!(outside.to_string().contains("(10001, 0)"), "{outside}");
        assert!(strokes_svg(&[]).is_err());
        assert!(strokes_svg(&[stroke(&vec![(1, 1, 1); MAX_POINTS + 1])]).is_err());
    }
}
