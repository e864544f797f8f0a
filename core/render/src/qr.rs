//! A text as QR code, drawn as SVG.

use qrcode::{Color, EcLevel, QrCode, render::svg};

use crate::RenderError;

/// The longest text that becomes a QR code, in bytes. Beyond it the modules get too small to scan from paper.
pub const MAX_QR_BYTES: usize = 1_000;

/// Draws `text` as a QR code of error correction level M (15 % of the modules may be lost), with its quiet zone.
///
/// The SVG has no size of its own beyond its view box; the template scales it. The same text gives the same bytes.
///
/// # Errors
///
/// [`RenderError::Picture`] when the text is empty or longer than [`MAX_QR_BYTES`].
///
/// ```
/// let svg = fieldseal_render::qr_svg("fieldseal:0:head:00ff").unwrap();
/// assert!(svg.starts_with("<?xml"));
/// assert!(fieldseal_render::qr_svg("").is_err());
/// ```
pub fn qr_svg(text: &str) -> Result<String, RenderError> {
    Ok(code(text)?
        .render::<svg::Color>()
        .module_dimensions(4, 4)
        .quiet_zone(true)
        .build())
}

/// The same code for a page, as an `<svg>` element without prolog: runs of dark modules are strokes of one path, which is a fifth of
/// the bytes of [`qr_svg`]. (A document keeps that one: its bytes are signed.)
///
/// # Errors
///
/// As [`qr_svg`].
///
/// ```
/// let (page, paper) = (fieldseal_render::qr_inline("fieldseal:0").unwrap(), fieldseal_render::qr_svg("fieldseal:0").unwrap());
/// assert!(page.starts_with("<svg") && page.len() * 2 < paper.len());
/// ```
pub fn qr_inline(text: &str) -> Result<String, RenderError> {
    use std::fmt::Write;
    /// Light modules around the code (ISO/IEC 18004, 9.1).
    const QUIET: usize = 4;
    let code = code(text)?;
    let width = code.width();
    let mut path = String::new();
    for (y, row) in code.to_colors().chunks(width).enumerate() {
        let _ = write!(path, "M{QUIET} {}.5", y + QUIET);
        for run in row.chunk_by(|a, b| a == b) {
            let _ = match run[0] {
                Color::Dark => write!(path, "h{}", run.len()),
                Color::Light => write!(path, "m{} 0", run.len()),
            };
        }
    }
    let side = width + 2 * QUIET;
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" width=\"{0}\" height=\"{0}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path stroke=\"#000\" d=\"{path}\"/></svg>",
        side * 4
    ))
}

fn code(text: &str) -> Result<QrCode, RenderError> {
    if text.is_empty() || text.len() > MAX_QR_BYTES {
        return Err(RenderError::Picture(format!(
            "a QR code takes 1 to {MAX_QR_BYTES} bytes of text, not {}",
            text.len()
        )));
    }
    QrCode::with_error_correction_level(text, EcLevel::M)
        .map_err(|e| RenderError::Picture(format!("the QR code cannot be made: {e}")))
}
