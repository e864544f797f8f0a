//! A text as QR code, drawn as SVG.

use qrcode::{EcLevel, QrCode, render::svg};

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
    if text.is_empty() || text.len() > MAX_QR_BYTES {
        return Err(RenderError::Picture(format!(
            "a QR code takes 1 to {MAX_QR_BYTES} bytes of text, not {}",
            text.len()
        )));
    }
    let code = QrCode::with_error_correction_level(text, EcLevel::M)
        .map_err(|e| RenderError::Picture(format!("the QR code cannot be made: {e}")))?;
    Ok(code
        .render::<svg::Color>()
        .module_dimensions(4, 4)
        .quiet_zone(true)
        .build())
}
