//! What a tablet must hold to whatever comes: flat memory for any length of video, and the time an inspector waits.
//!
//! Times are printed, and asserted only with a wide margin: a shared machine is no laboratory.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Instant;

use fieldseal_core::clock::SetClock;
use fieldseal_core::keyring::{FileKeyStore, KeyStore, NewDevice, Role};
use fieldseal_core::operation::NewOperation;
use fieldseal_core::random::{OsRandom, Random};
use fieldseal_core::store::{Store, StorePorts};
use fieldseal_core::vault::{FileSystem, OnFailure, Vault};
use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, InspectionId, TenantId};
use fieldseal_proof::suite::Suite;
use zeroize::Zeroizing;

/// Enough for a 99th percentile, few enough for a slow disk.
const APPENDS: u64 = 600;

/// A recording of so many bytes that is never in memory.
struct Recording(u64);

impl Read for Recording {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = usize::try_from(self.0).unwrap_or(usize::MAX).min(out.len());
        out[..count].fill(self.0 as u8);
        self.0 -= count as u64;
        Ok(count)
    }
}

/// Peak resident memory of this process in KiB, where the system tells.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn a_long_recording_takes_no_more_memory_than_a_short_one() {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::open(
        dir.path(),
        Zeroizing::new([1; 32]),
        Arc::new(OsRandom),
        Arc::new(FileSystem),
    )
    .unwrap();
    vault.write(&mut Recording(1 << 20), OnFailure::Keep).unwrap();
    let before = peak_kib();
    let size = 300 << 20;
    let start = Instant::now();
    let file = vault.write(&mut Recording(size), OnFailure::Keep).unwrap();
    let wrote = start.elapsed();
    assert_eq!(vault.verify(&file.name).unwrap(), file);
    println!(
        "300 MiB: written and hashed in {wrote:?}, read back and checked in {:?}",
        start.elapsed() - wrote
    );
    if let (Some(before), Some(after)) = (before, peak_kib()) {
        println!("peak memory grew by {} KiB", after - before);
        assert!(after - before < 16 * 1024, "{before} KiB before, {after} KiB after");
    }
}

#[test]
fn an_append_is_durable_in_less_than_a_blink() {
    let dir = tempfile::tempdir().unwrap();
    let random: Arc<dyn Random> = Arc::new(OsRandom);
    for suite in [Suite::Ed25519, Suite::P256] {
        let folder = dir.path().join(format!("{suite:?}"));
        std::fs::create_dir(&folder).unwrap();
        let new = NewDevice {
            tenant: TenantId::from_bytes([1; 16]),
            role: Role::Tablet,
            label: String::new(),
            suite,
            card: String::new(),
        };
        let keys = FileKeyStore::create(&folder, new, random.clone(), None).unwrap();
        let clock = Arc::new(SetClock::starting_at(1_795_000_000_000, &*random).unwrap());
        let ports = StorePorts {
            clock,
            random: random.clone(),
            wait_ms: 1000,
            max_pages: None,
        };
        let (store, _) = Store::open(&folder, &keys, &ports).unwrap();
        let mut micros: Vec<u128> = (0..APPENDS)
            .map(|n| {
                let new = NewOperation::new("finding.record")
                    .in_inspection(
                        CaseId::from_bytes([2; 16]),
                        InspectionId::from_bytes([(n / 60) as u8; 16]),
                    )
                    .field(
                        format!("finding/{n}/text"),
                        Value::text("二楼疏散通道堆放杂物，宽度不足".repeat(8)),
                    )
                    .field(format!("finding/{n}/grade"), Value::text("general"))
                    .field(format!("finding/{n}/place"), Value::text("二楼东侧"));
                let start = Instant::now();
                store.append(new, None).unwrap();
                start.elapsed().as_micros()
            })
            .collect();
        let (first, last) = micros.split_at(micros.len() / 2);
        let mean = |part: &[u128]| part.iter().sum::<u128>() / part.len() as u128;
        println!(
            "{suite:?}: mean of the first half {} µs, of the second {} µs",
            mean(first),
            mean(last)
        );
        micros.sort_unstable();
        let at = |percent: usize| micros[micros.len() * percent / 100];
        println!(
            "{suite:?}: p50 {} µs, p99 {} µs over {} durable appends",
            at(50),
            at(99),
            micros.len()
        );
        assert!(at(50) < 20_000);
        assert_eq!(store.check(&keys as &dyn KeyStore).unwrap().operations, APPENDS);
    }
}
