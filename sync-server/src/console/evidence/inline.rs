//! What may be shown inside a page, by its content and by nothing else.

/// How a browser is asked to show a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Player {
    Picture,
    Film,
    Sound,
    /// Handed over as a file: everything that could carry a script, a link or a form.
    Attachment,
}

impl Player {
    /// By the sniffed type. SVG, HTML, PDF and office files are attachments, whatever they are called.
    pub fn of(sniffed: &str) -> Self {
        match sniffed {
            "image/jpeg" | "image/png" | "image/webp" => Self::Picture,
            "video/mp4" | "video/webm" => Self::Film,
            "audio/mp4" | "audio/mpeg" | "audio/wav" => Self::Sound,
            _ => Self::Attachment,
        }
    }
}

#[cfg(test)]
mod tests {
    use fieldseal_core::media::sniff;

    use super::*;

    #[test]
    fn only_what_carries_no_script_is_shown() {
        let shown = |bytes: &[u8]| Player::of(&sniff(bytes));
        assert_eq!(shown(b"\xff\xd8\xff\xe0\0\x10JFIF\0"), Player::Picture);
        assert_eq!(shown(b"\0\0\0\x18ftypisom\0\0\0\0isommp42"), Player::Film);
        for bytes in [
            &b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>"[..],
            b"<!doctype html><script>x()</script>",
            b"%PDF-1.7\n",
            b"PK\x03\x04",
            b"GIF89a<script>",
            b"",
        ] {
            assert_eq!(shown(bytes), Player::Attachment, "{bytes:?}");
        }
    }
}
