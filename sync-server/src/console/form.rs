//! A posted form, also where a name stands several times.

use super::error::PageError;

/// Name and value pairs in the order of the page: the extractor is `Form<Vec<(String, String)>>`.
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    /// The first value of a name; empty when it is not there.
    pub fn text(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(held, _)| held == name)
            .map_or("", |(_, value)| value)
    }

    /// Every value of a name that is not empty.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let values = self.0.iter().filter(|(held, value)| held == name && !value.is_empty());
        values.map(|(_, value)| value.as_str()).collect()
    }

    /// An id.
    ///
    /// # Errors
    /// `NotFound` for what is none: whoever types addresses gets the page of those who do.
    pub fn id<T: std::str::FromStr>(&self, name: &str) -> Result<T, PageError> {
        self.text(name).parse().map_err(|_| PageError::NotFound)
    }

    /// Several ids.
    ///
    /// # Errors
    /// As [`Fields::id`].
    pub fn ids<T: std::str::FromStr>(&self, name: &str) -> Result<Vec<T>, PageError> {
        self.all(name)
            .into_iter()
            .map(|text| text.parse().map_err(|_| PageError::NotFound))
            .collect()
    }
}
