//! Limits and waiting times of the conversation with the server, each with its reason.

use std::time::Duration;

/// Most operations in one push: the wire's own limit (`docs/formats/wire.md`).
pub const PUSH_OPERATIONS: usize = 500;
/// Most bytes in one push: the wire's own limit.
pub const PUSH_BYTES: usize = 1024 * 1024;
/// What a feed page is asked to hold: half a minute on a 256 kbit/s link, so that a cut costs little.
pub const FEED_BYTES: usize = 1024 * 1024;
/// Threads that check the signatures of a feed page at most; a tablet's other cores belong to the person who works on it.
pub const CHECKING_THREADS: usize = 4;
/// Operations below which a further thread costs more than it saves.
pub const WORTH_A_THREAD: usize = 16;
/// Most hashes in one `have` question: 4,000 hex hashes are 264 KiB of JSON.
pub const HAVE_HASHES: usize = 4_000;
/// Bytes that one PATCH carries at most, where the line carries so many within [`UPLOAD_SECOND`]. After cuts the slices are
/// smaller, down to [`UPLOAD_CHUNK`].
pub const UPLOAD_SLICE: u64 = 8 * 1024 * 1024;
/// Bytes of a session's first PATCH, when nothing is known of the line: a second at 1 Mbit/s.
pub const UPLOAD_FIRST: u64 = 128 * 1024;
/// Bytes that a PATCH carries at least: two seconds at 64 kbit/s. Fewer would be mostly heads.
pub const UPLOAD_LEAST: u64 = 16 * 1024;
/// How many times as long as the one before a PATCH may be: a single quick answer proves little.
pub const UPLOAD_GROWTH: u64 = 4;
/// How long a PATCH may take. Between two of them new records go first, so this is how long a record waits behind a film.
pub const UPLOAD_SECOND: Duration = Duration::from_secs(1);
/// Bytes handed to the socket at a time, and the least slice of an upload after cuts.
pub const UPLOAD_CHUNK: usize = 256 * 1024;
/// Of ten upload slices one belongs to video while other evidence waits, so that a day of photographs cannot starve it.
pub const VIDEO_SHARE: u64 = 10;

/// Longest answers that are read at all, by what was asked. A reader stops there before it allocates more.
pub mod answer {
    /// JSON of a single object, and every problem.
    pub const JSON: usize = 256 * 1024;
    /// A push answer: 500 results of about 150 bytes, two notes of at most 64 KiB, a receipt.
    pub const PUSH: usize = 1024 * 1024;
    /// A feed page: [`super::FEED_BYTES`] in base64, and room for one batch that exceeds it alone.
    pub const FEED: usize = 8 * 1024 * 1024;
    /// A key log of 100,000 entries of ordinary length.
    pub const KEY_LOG: usize = 64 * 1024 * 1024;
    /// A pack file: 32 MiB of pack, its signature and the CBOR around it.
    pub const PACK: usize = 33 * 1024 * 1024;
    /// A tile: 256 hashes.
    pub const TILE: usize = 256 * 32;
    /// A signed note.
    pub const NOTE: usize = 64 * 1024;
    /// Index receipts: 200,000 runs of leaves.
    pub const RECEIPTS: usize = 4 * 1024 * 1024;
    /// A blob receipt.
    pub const BLOB_RECEIPT: usize = 4 * 1024;
    /// Read of any answer, so that a problem that comes in its place is understood.
    pub const PROBLEM: usize = 16 * 1024;
}

/// Time to a TCP and TLS connection. A 2G link with 2 s round trips needs three of them, twice.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Silence after which a connection counts as dead: longer than a cell hand-over, shorter than patience.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// What an idle timeout is extended by over the seconds that a long poll may rightly be silent.
pub const POLL_GRACE: Duration = Duration::from_secs(15);
/// Longest long poll that is asked for; mobile networks drop silent connections soon after.
pub const POLL_SECONDS: u64 = 25;

/// First ceiling of the backoff.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// Highest ceiling of the backoff: an inspector who comes back into the net waits a minute at most.
pub const BACKOFF_MOST: Duration = Duration::from_secs(60);
/// Failures in a row after which one session gives up; the next one starts where it ended.
pub const TRIES: u32 = 6;
/// Longest `Retry-After` that a session waits out itself; asked for more it ends, and the next one begins after it.
pub const SESSION_FLOOR_MOST: Duration = Duration::from_secs(60);
/// Longest `Retry-After` that is believed; a longer one would silence a tablet for a day by mistake.
pub const RETRY_AFTER_MOST: Duration = Duration::from_secs(600);
/// How often a page whose frame does not verify is asked for again before the frame is reported.
pub const PAGE_TRIES: u32 = 2;
/// Tiles kept in memory: 64 MiB with their inner nodes.
pub const TILES: usize = 4_096;
