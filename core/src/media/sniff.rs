//! Media types by content.

/// The type of bytes that show none.
pub const OCTETS: &str = "application/octet-stream";

/// The media type that the first bytes of a file show; [`OCTETS`] where they show none. The name of the file plays no part.
pub fn sniff(probe: &[u8]) -> String {
    own(probe)
        .or_else(|| infer::get(probe).map(|kind| normal(kind.mime_type())))
        .unwrap_or(OCTETS)
        .to_owned()
}

/// The extension that files of a type get in an export.
pub fn extension(media_type: &str) -> &'static str {
    match media_type {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/webp" => "webp",
        "image/gif" => "gif",
        "image/tiff" => "tiff",
        "image/bmp" => "bmp",
        "image/heic" => "heic",
        "image/heif" => "heif",
        "image/avif" => "avif",
        "video/mp4" => "mp4",
        "video/quicktime" => "mov",
        "video/x-matroska" => "mkv",
        "video/webm" => "webm",
        "video/x-msvideo" => "avi",
        "video/mp2t" => "mts",
        "video/3gpp" => "3gp",
        "audio/mp4" => "m4a",
        "audio/mpeg" => "mp3",
        "audio/wav" => "wav",
        "audio/ogg" => "ogg",
        "audio/flac" => "flac",
        "audio/aac" => "aac",
        "audio/amr" => "amr",
        "application/pdf" => "pdf",
        "application/zip" => "zip",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        "text/plain" => "txt",
        "text/html" => "html",
        "text/xml" => "xml",
        _ => "bin",
    }
}

/// What `infer` does not tell apart, or not in the way a court's expert would name it.
fn own(probe: &[u8]) -> Option<&'static str> {
    if let Some(brand) = probe.get(4..12).filter(|b| b.starts_with(b"ftyp")).map(|b| &b[4..]) {
        return iso_brand(brand, probe);
    }
    if is_transport_stream(probe) {
        return Some("video/mp2t");
    }
    if probe.starts_with(b"OggS") {
        return Some(if contains(&probe[..probe.len().min(256)], b"\x80theora") {
            "video/ogg"
        } else {
            "audio/ogg"
        });
    }
    if probe.starts_with(b"fLaC") {
        return Some("audio/flac");
    }
    // ADTS: twelve set bits, layer 0.
    if let [0xff, second, ..] = probe
        && second & 0xf6 == 0xf0
    {
        return Some("audio/aac");
    }
    text(probe)
}

fn iso_brand(brand: &[u8], probe: &[u8]) -> Option<&'static str> {
    match brand {
        b"heic" | b"heix" | b"hevc" | b"hevx" => Some("image/heic"),
        b"avif" | b"avis" => Some("image/avif"),
        // The generic brand: the list of compatible ones says more.
        b"mif1" | b"msf1" => Some(if contains(&probe[..probe.len().min(64)], b"heic") {
            "image/heic"
        } else {
            "image/heif"
        }),
        b"qt  " => Some("video/quicktime"),
        b"M4A " | b"M4B " => Some("audio/mp4"),
        _ if brand.starts_with(b"3g") => Some("video/3gpp"),
        _ => Some("video/mp4"),
    }
}

/// Transport streams: a sync byte in every packet of 188 bytes, or of 192 with a time code before it.
fn is_transport_stream(probe: &[u8]) -> bool {
    [(0, 188), (4, 192)].into_iter().any(|(first, packet)| {
        let marks: Vec<bool> = probe
            .iter()
            .skip(first)
            .step_by(packet)
            .take(6)
            .map(|b| *b == 0x47)
            .collect();
        marks.len() >= 3 && marks.iter().all(|mark| *mark)
    })
}

fn text(probe: &[u8]) -> Option<&'static str> {
    let readable = match std::str::from_utf8(probe) {
        Ok(text) => text,
        // Cut inside a character at the end of the probe.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&probe[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let printable = readable
        .chars()
        .all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
    if readable.trim().is_empty() || !printable {
        return None;
    }
    let start = readable.trim_start_matches('\u{feff}').trim_start();
    let lower = start
        .get(..start.len().min(15))
        .unwrap_or_default()
        .to_ascii_lowercase();
    if start.starts_with("%PDF-") {
        return None;
    }
    Some(if lower.starts_with("<?xml") {
        "text/xml"
    } else if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        "text/html"
    } else {
        "text/plain"
    })
}

/// One name for a type that has several.
fn normal(media_type: &'static str) -> &'static str {
    match media_type {
        "audio/x-wav" | "audio/vnd.wave" => "audio/wav",
        "audio/x-flac" => "audio/flac",
        "audio/m4a" | "audio/x-m4a" => "audio/mp4",
        "audio/x-aac" => "audio/aac",
        "audio/opus" => "audio/ogg",
        other => other,
    }
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}
