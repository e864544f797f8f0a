//! The JSON of the wire, as a client reads it. Unknown members are ignored: a newer server may say more.

use std::fmt::Display;
use std::str::FromStr;

use fieldseal_proof::encoding::from_base64;
use fieldseal_proof::ids::{BlobHash, Link, PackHash, TenantId};
use serde::Deserialize;

/// Bytes that stand in JSON as standard base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        from_base64(&text)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("not standard base64"))
    }
}

/// An id that stands in JSON as its one text form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsText<T>(pub T);

impl<'de, T: FromStr> Deserialize<'de> for AsText<T>
where
    T::Err: Display,
{
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?
            .parse()
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// Answer of `GET /v1/server`.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerInfo {
    /// Whose server it is.
    pub tenant: AsText<TenantId>,
    /// Permanent name of its log.
    pub origin: String,
    /// Epoch, hex; changes when the server was restored.
    pub epoch: String,
    /// The server's own word about the time, a signed note.
    #[serde(default)]
    pub time_note: Option<String>,
}

/// A place in a device's chain.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Head {
    /// Sequence number of the last operation.
    pub seq: u64,
    /// Link after it.
    pub link: AsText<Link>,
}

/// Outcome of one pushed operation.
#[derive(Clone, Debug, Deserialize)]
pub struct PushResult {
    /// Its sequence number.
    pub seq: u64,
    /// `accepted`, `duplicate` or `forked`.
    pub outcome: String,
}

/// Answer of a push.
#[derive(Clone, Debug, Deserialize)]
pub struct PushAnswer {
    /// One result each.
    #[serde(default)]
    pub results: Vec<PushResult>,
    /// Batch receipt, framed.
    pub receipt: Base64,
    /// Newest checkpoint, if there is one.
    #[serde(default)]
    pub checkpoint: Option<String>,
    /// Newest time note.
    #[serde(default)]
    pub time_note: Option<String>,
}

/// One operation of a feed page.
#[derive(Clone, Debug, Deserialize)]
pub struct FeedItem {
    /// Its index in the central log.
    pub index: u64,
    /// Its frame.
    pub frame: Base64,
}

/// A page of the feed.
#[derive(Clone, Debug, Deserialize)]
pub struct FeedPage {
    /// Epoch of the server, hex.
    pub epoch: String,
    /// Where the next page begins; opaque.
    #[serde(deserialize_with = "opaque")]
    pub cursor: String,
    /// Where the feed ended when the page was made; opaque, comparable with `cursor`.
    #[serde(default, deserialize_with = "opaque_opt")]
    pub until: Option<String>,
    /// Operations in log order.
    #[serde(default)]
    pub items: Vec<FeedItem>,
    /// Entries in the key log.
    #[serde(default)]
    pub key_log_size: u64,
    /// Hashes of the packs in use.
    #[serde(default)]
    pub packs: Vec<AsText<PackHash>>,
    /// Attestations that the operations name as their anchors, for a reader that cannot hold them.
    #[serde(default)]
    pub attestations: Vec<NamedAttestation>,
    /// Newest checkpoint.
    #[serde(default)]
    pub checkpoint: Option<String>,
    /// Newest time note.
    #[serde(default)]
    pub time_note: Option<String>,
}

/// An attestation in a feed page.
#[derive(Clone, Debug, Deserialize)]
pub struct NamedAttestation {
    /// Word of time.md.
    pub kind: String,
    /// Its bytes.
    pub bytes: Base64,
}

/// Answer of `have`.
#[derive(Clone, Debug, Deserialize)]
pub struct Missing {
    /// Blobs that the server wants.
    pub missing: Vec<AsText<BlobHash>>,
}

/// `application/problem+json`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Problem {
    /// Stable code, key of the message catalogue.
    pub code: String,
    /// Sentence for people, in the server's language.
    #[serde(default)]
    pub detail: String,
    /// Where a batch ended.
    #[serde(default)]
    pub seq: Option<u64>,
    /// Seconds to wait at least.
    #[serde(default)]
    pub retry_after_s: Option<u64>,
}

/// An opaque value may be a string or a number; it is kept as text.
fn opaque<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(u64),
    }
    Ok(match Either::deserialize(from)? {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
    })
}

fn opaque_opt<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    struct Wrapped(#[serde(deserialize_with = "opaque")] String);
    Ok(Option::<Wrapped>::deserialize(from)?.map(|wrapped| wrapped.0))
}
