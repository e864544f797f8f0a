//! Rows out of single pages, without the trees above them (<https://sqlite.org/fileformat2.html>).
//!
//! Which table a row belongs to is not written in a leaf; the reader of a row knows its own by number and kinds of columns.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use rusqlite::types::Value as Sql;

use super::cipher::{PAGE, PageCipher, SALT, USABLE};

/// Bytes of a record that is put together from overflow pages at most; a pack file may have 33 MiB.
const MOST: usize = 40 * 1024 * 1024;
const WAL_HEADER: u64 = 32;
const WAL_FRAME: u64 = 24;

/// A row of some table, or of an index.
pub(super) struct Row {
    /// Its row number; none in a table without row numbers or in an index.
    pub rowid: Option<i64>,
    /// Its columns.
    pub columns: Vec<Sql>,
}

/// Where a page stands.
#[derive(Clone, Copy)]
enum Place {
    Main(u64),
    Wal(u64),
}

/// A database file and its log as pages, some of which may be gone.
pub(super) struct Pages {
    cipher: PageCipher,
    main: Option<File>,
    wal: Option<File>,
    /// The newest place of each page that has one in the log.
    newer: HashMap<u32, Place>,
    /// Every page in the order in which it was written: the file first, then the log.
    order: Vec<(u32, Place)>,
    /// Pages that do not authenticate.
    pub unreadable: u64,
    /// Those of them that stand in the log, where the newest rows are.
    pub unreadable_in_log: u64,
}

impl Pages {
    /// Opens what stands under `path` and beside it. Of the salts the one is taken that opens more pages.
    pub fn open(path: &Path, key: &[u8; 32], kept_salt: Option<[u8; SALT]>) -> std::io::Result<Self> {
        let mut main = open(path)?;
        let mut wal = open(&path.with_extension("db-wal"))?;
        let mut order = Vec::new();
        let length = main
            .as_ref()
            .map_or(Ok(0), |file| file.metadata().map(|meta| meta.len()))?;
        for index in 0..length / PAGE as u64 {
            order.extend(u32::try_from(index + 1).map(|number| (number, Place::Main(index * PAGE as u64))));
        }
        let logged = match &mut wal {
            Some(file) => committed_frames(file)?,
            None => Vec::new(),
        };
        let newer = logged.iter().copied().collect();
        let mut salts: Vec<[u8; SALT]> = kept_salt.into_iter().collect();
        for (file, at) in [(&mut main, 0), (&mut wal, WAL_HEADER + WAL_FRAME)] {
            let mut salt = [0; SALT];
            if let Some(file) = file
                && read_at(file, at, &mut salt).is_ok()
            {
                salts.push(salt);
            }
        }
        let mut pages = Self {
            cipher: PageCipher::new(key, &kept_salt.unwrap_or_default()),
            main,
            wal,
            newer,
            order: order.into_iter().chain(logged).collect(),
            unreadable: 0,
            unreadable_in_log: 0,
        };
        let mut best = 0;
        for salt in salts {
            let cipher = std::mem::replace(&mut pages.cipher, PageCipher::new(key, &salt));
            let opened = pages.opened_of_some();
            if opened > best {
                best = opened;
            } else {
                pages.cipher = cipher;
            }
        }
        Ok(pages)
    }

    /// How many of up to 64 pages, spread evenly, open.
    fn opened_of_some(&mut self) -> usize {
        let step = (self.order.len() / 64).max(1);
        let some: Vec<_> = self.order.iter().step_by(step).copied().collect();
        some.into_iter()
            .filter(|(number, place)| self.page_at(*number, *place).is_some())
            .count()
    }

    /// Gives every row of every page that opens to `take`, oldest page first: of two versions of a row the later one counts.
    pub fn each_row(&mut self, mut take: impl FnMut(Row)) {
        for at in 0..self.order.len() {
            let (number, place) = self.order[at];
            let Some(page) = self.page_at(number, place) else {
                self.unreadable += 1;
                self.unreadable_in_log += u64::from(matches!(place, Place::Wal(_)));
                continue;
            };
            for cell in cells(number, &page) {
                let Some((rowid, record)) = self.record(&page, &cell, place) else {
                    continue;
                };
                if let Some(columns) = columns(&record) {
                    take(Row { rowid, columns });
                }
            }
        }
    }

    fn page_at(&mut self, number: u32, place: Place) -> Option<Vec<u8>> {
        let (file, at) = match place {
            Place::Main(at) => (self.main.as_mut()?, at),
            Place::Wal(at) => (self.wal.as_mut()?, at),
        };
        let mut page = vec![0; PAGE];
        read_at(file, at, &mut page).ok()?;
        self.cipher.open(number, &page)
    }

    /// The whole record of a cell, with what overflowed.
    fn record(&mut self, page: &[u8], cell: &Cell, place: Place) -> Option<(Option<i64>, Vec<u8>)> {
        let mut at = cell.at;
        let length = usize::try_from(varint(page, &mut at)?)
            .ok()
            .filter(|length| *length <= MOST)?;
        let rowid = match cell.table {
            true => Some(varint(page, &mut at)? as i64),
            false => None,
        };
        let most = if cell.table {
            USABLE - 35
        } else {
            (USABLE - 12) * 64 / 255 - 23
        };
        if length <= most {
            return Some((rowid, page.get(at..at + length)?.to_vec()));
        }
        let least = (USABLE - 12) * 32 / 255 - 23;
        let spread = least + (length - least) % (USABLE - 4);
        let local = if spread <= most { spread } else { least };
        let mut record = page.get(at..at + local)?.to_vec();
        let mut next = u32::from_be_bytes(page.get(at + local..at + local + 4)?.try_into().ok()?);
        while record.len() < length {
            // A record in the file lies in the file; one in the log may share pages with an older version in the file.
            let newest = self
                .newer
                .get(&next)
                .copied()
                .filter(|_| matches!(place, Place::Wal(_)));
            let main = Place::Main(u64::from(next.checked_sub(1)?) * PAGE as u64);
            let page = self.page_at(next, newest.unwrap_or(main))?;
            let wanted = (length - record.len()).min(USABLE - 4);
            record.extend_from_slice(&page[4..4 + wanted]);
            next = u32::from_be_bytes(page[..4].try_into().ok()?);
        }
        Some((rowid, record))
    }
}

/// A cell of a leaf, or of an inner page of a tree that keeps rows there.
struct Cell {
    at: usize,
    /// With a row number.
    table: bool,
}

fn cells(number: u32, page: &[u8]) -> Vec<Cell> {
    // The first page begins with the file's header.
    let head = if number == 1 { 100 } else { 0 };
    let (pointers, skip, table) = match page[head] {
        0x0d => (head + 8, 0, true),
        0x0a => (head + 8, 0, false),
        0x02 => (head + 12, 4, false),
        _ => return Vec::new(),
    };
    let count = usize::from(u16::from_be_bytes([page[head + 3], page[head + 4]]));
    let pointer = |index: usize| {
        let bytes = page.get(pointers + 2 * index..pointers + 2 * index + 2)?;
        let at = usize::from(u16::from_be_bytes([bytes[0], bytes[1]])) + skip;
        (at < page.len()).then_some(Cell { at, table })
    };
    (0..count).map_while(pointer).collect()
}

/// The columns of a record; `None` when it is none.
fn columns(record: &[u8]) -> Option<Vec<Sql>> {
    let mut at = 0;
    let head = usize::try_from(varint(record, &mut at)?).ok()?;
    if head > record.len() || head > 1024 {
        return None;
    }
    let (mut values, mut body) = (Vec::new(), head);
    while at < head {
        let kind = varint(record, &mut at)?;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind as usize,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => usize::try_from((kind - 12) / 2).ok()?,
        };
        let bytes = record.get(body..body.checked_add(length)?)?;
        body += length;
        values.push(match kind {
            0 => Sql::Null,
            8 => Sql::Integer(0),
            9 => Sql::Integer(1),
            1..=6 => Sql::Integer(integer(bytes)),
            7 => Sql::Real(f64::from_be_bytes(bytes.try_into().ok()?)),
            _ if kind % 2 == 0 => Sql::Blob(bytes.to_vec()),
            _ => Sql::Text(String::from_utf8(bytes.to_vec()).ok()?),
        });
    }
    Some(values)
}

/// A big-endian two's complement number of 1 to 8 bytes.
fn integer(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    bytes.iter().fold(if negative { -1 } else { 0 }, |number, byte| {
        number << 8 | i64::from(*byte)
    })
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut number = 0u64;
    for place in 0..9 {
        let byte = *bytes.get(*at)?;
        *at += 1;
        if place == 8 {
            return Some(number << 8 | u64::from(byte));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(number)
}

/// Places of the pages that the log's present generation has committed. What was rolled back or belongs to an earlier
/// generation is not among them.
fn committed_frames(wal: &mut File) -> std::io::Result<Vec<(u32, Place)>> {
    let mut header = [0; WAL_HEADER as usize];
    if read_at(wal, 0, &mut header).is_err() {
        return Ok(Vec::new());
    }
    let (mut frames, mut committed) = (Vec::new(), 0);
    let length = wal.metadata()?.len();
    let mut at = WAL_HEADER;
    while at + WAL_FRAME + PAGE as u64 <= length {
        let mut frame = [0; WAL_FRAME as usize];
        read_at(wal, at, &mut frame)?;
        if frame[8..16] != header[16..24] {
            break;
        }
        let word = |from: usize| u32::from_be_bytes([frame[from], frame[from + 1], frame[from + 2], frame[from + 3]]);
        frames.push((word(0), Place::Wal(at + WAL_FRAME)));
        // Only the last frame of a commit names the size of the database.
        if word(4) != 0 {
            committed = frames.len();
        }
        at += WAL_FRAME + PAGE as u64;
    }
    frames.truncate(committed);
    Ok(frames)
}

fn open(path: &Path) -> std::io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_at(file: &mut File, at: u64, out: &mut [u8]) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(out)
}
