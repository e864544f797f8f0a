//! Moments beside those of every page: with their zone, and as days.

use super::words::{Words, at};

impl Words {
    /// With its offset, as brackets and bundles write it: `2026-03-02 09:00:04 +08:00`.
    pub fn stamp(&self, ms: u64) -> String {
        at(ms, "%Y-%m-%d %H:%M:%S +08:00")
    }

    /// The day: `2026-03-02`.
    pub fn day(&self, ms: u64) -> String {
        at(ms, "%Y-%m-%d")
    }
}

#[cfg(test)]
mod tests {
    use fieldseal_core::catalogue::Lang;

    use super::*;

    #[test]
    fn a_stamp_names_its_zone() {
        let words = Words { lang: Lang::En };
        assert_eq!(words.stamp(1_772_413_204_000), "2026-03-02 09:00:04 +08:00");
        assert_eq!(words.day(1_772_413_204_000), "2026-03-02");
    }
}
