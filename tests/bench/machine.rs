//! What this machine can do at most: the same work without the product around it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use ed25519_dalek::{Signer, SigningKey};
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

/// Bytes that do not compress, the same in every run.
pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut made = Vec::with_capacity(bytes + 8);
    while made.len() < bytes {
        // xorshift64*: a stream for filling files, not for secrets.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        made.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    made.truncate(bytes);
    made
}

/// How long something takes, in seconds.
pub fn seconds<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begun = Instant::now();
    let result = work();
    (begun.elapsed().as_secs_f64(), result)
}

/// The value below which `share` of the sorted samples lie.
pub fn quantile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let at = ((samples.len() as f64 * share) as usize).min(samples.len().saturating_sub(1));
    samples.get(at).copied().unwrap_or_default()
}

/// SHA-256 over `bytes` in one thread, in seconds.
pub fn sha256_seconds(bytes: u64) -> f64 {
    let chunk = noise(1 << 20, 7);
    let mut left = bytes;
    let (took, digest) = seconds(|| {
        let mut hash = Sha256::new();
        while left > 0 {
            let part = left.min(chunk.len() as u64);
            hash.update(&chunk[..part as usize]);
            left -= part;
        }
        hash.finalize()
    });
    assert_ne!(digest[..], [0; 32], "used, so that it is not left out");
    took
}

/// Ed25519 signatures checked strictly in one thread, per second.
pub fn verify_strict_per_second(count: usize) -> f64 {
    let key = SigningKey::from_bytes(&[9; 32]);
    let message = noise(600, 3);
    let signature = key.sign(&message);
    let public = key.verifying_key();
    let (took, good) = seconds(|| {
        (0..count)
            .filter(|_| public.verify_strict(&message, &signature).is_ok())
            .count()
    });
    assert_eq!(good, count);
    count as f64 / took
}

/// Milliseconds of each append of 4 KiB with fdatasync.
pub fn fdatasync_ms(folder: &Path, count: usize) -> io::Result<Vec<f64>> {
    let path = folder.join("fdatasync");
    let mut file = File::create(&path)?;
    let block = noise(4096, 5);
    let mut taken = Vec::with_capacity(count);
    for _ in 0..count {
        let (took, done) = seconds(|| file.write_all(&block).and_then(|()| file.sync_data()));
        done?;
        taken.push(took * 1000.0);
    }
    fs::remove_file(path)?;
    Ok(taken)
}

/// A table with one index besides its key, WAL and FULL as the product's own; `cipher` with a SQLCipher key.
pub struct Rows {
    connection: Connection,
    next: u64,
}

impl Rows {
    /// Makes an empty one in `folder`.
    pub fn open(folder: &Path, name: &str, cipher: bool) -> rusqlite::Result<Self> {
        let connection = Connection::open(folder.join(name))?;
        if cipher {
            connection.execute_batch(&format!("PRAGMA key = \"x'{}'\"", "5a".repeat(32)))?;
        }
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE rows (n INTEGER PRIMARY KEY, id BLOB UNIQUE NOT NULL, frame BLOB NOT NULL);",
        )?;
        Ok(Self { connection, next: 0 })
    }

    /// Milliseconds of each durable transaction of one row.
    pub fn commits_ms(&mut self, count: usize) -> rusqlite::Result<Vec<f64>> {
        let mut taken = Vec::with_capacity(count);
        for _ in 0..count {
            let (took, done) = seconds(|| self.put(1));
            done?;
            taken.push(took * 1000.0);
        }
        Ok(taken)
    }

    /// Rows per second with 500 rows in each durable transaction: the size of one push.
    pub fn bulk_per_second(&mut self, rows: usize) -> rusqlite::Result<f64> {
        let (took, done) = seconds(|| (0..rows.div_ceil(500)).try_for_each(|_| self.put(500)));
        done?;
        Ok((rows.div_ceil(500) * 500) as f64 / took)
    }

    fn put(&mut self, rows: u64) -> rusqlite::Result<()> {
        let frame = [0x5a_u8; 800];
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO rows (id, frame) VALUES (?1, ?2)")?;
            for _ in 0..rows {
                self.next += 1;
                let id: [u8; 32] = Sha256::digest(self.next.to_be_bytes()).into();
                insert.execute(params![id, frame])?;
            }
        }
        transaction.commit()
    }
}

/// Seconds to put `count` files of `bytes` there durably: write, fsync, rename, fsync of the folder.
pub fn store_seconds(folder: &Path, count: usize, bytes: u64) -> io::Result<f64> {
    let place = folder.join("stored");
    fs::create_dir_all(&place)?;
    let chunk = noise(1 << 20, 11);
    let (took, done) = seconds(|| (0..count).try_for_each(|n| store(&place, n, bytes, &chunk)));
    done?;
    fs::remove_dir_all(place)?;
    Ok(took)
}

fn store(place: &Path, n: usize, bytes: u64, chunk: &[u8]) -> io::Result<()> {
    let (fresh, done) = (place.join(format!("{n}.new")), place.join(n.to_string()));
    let mut file = File::create(&fresh)?;
    let mut left = bytes;
    while left > 0 {
        let part = left.min(chunk.len() as u64);
        file.write_all(&chunk[..part as usize])?;
        left -= part;
    }
    file.sync_all()?;
    fs::rename(&fresh, &done)?;
    File::open(place)?.sync_all()
}

/// SHA-256 of every file in `threads` threads, in seconds; the files are dealt out by size.
pub fn hash_files_seconds(files: &[(u64, std::path::PathBuf)], threads: usize) -> io::Result<f64> {
    let mut heaps: Vec<(u64, Vec<&Path>)> = vec![(0, Vec::new()); threads];
    let mut sorted: Vec<_> = files.iter().collect();
    sorted.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    for (size, path) in sorted {
        if let Some(least) = heaps.iter_mut().min_by_key(|(sum, _)| *sum) {
            least.0 += size;
            least.1.push(path);
        }
    }
    let (took, done) = seconds(|| {
        std::thread::scope(|scope| {
            let workers: Vec<_> = heaps
                .iter()
                .map(|(_, paths)| scope.spawn(|| paths.iter().try_for_each(|path| hash_file(path))))
                .collect();
            workers.into_iter().try_for_each(|worker| match worker.join() {
                Ok(done) => done,
                Err(_) => Err(io::Error::other("a hashing thread ended badly")),
            })
        })
    });
    done.map(|()| took)
}

fn hash_file(path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 256 * 1024];
    loop {
        match io::Read::read(&mut file, &mut chunk)? {
            0 => break,
            n => hash.update(&chunk[..n]),
        }
    }
    std::hint::black_box(hash.finalize());
    Ok(())
}
