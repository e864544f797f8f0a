//! The key store of a device's folder: its key file, opened by a secret beside it or by a platform's key store.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{DeviceId, IncarnationId, Link, OfficerId};
use fieldseal_proof::key_log::Custody;
use fieldseal_proof::suite::{Ed25519Signer, P256Signer, Signer, Suite};
use zeroize::Zeroizing;

use super::pin::{self, PinDelay};
use super::platform::{PlatformKeys, PlatformSigner};
use super::ring::{EnrolmentState, OfficerEntry, OfficerRecord, Ring, Standing};
use super::{Identity, KeyStore, KeyringError, MIN_PIN, NewDevice, NewOfficer, SharedSigner};
use crate::random::{Random, array, uuid};
use crate::vault::{VaultError, open_sealed, seal_secret, write_durably};

/// Keys in `keyring` of a folder, under `device.secret` beside it or, where the platform has a key store, under its secret
/// and with the operation key in its hardware.
///
/// Every change takes a lock file, reads the key file anew, and replaces it durably, so that two processes of one device
/// do not undo each other's changes.
pub struct FileKeyStore {
    folder: PathBuf,
    secret: Zeroizing<[u8; 32]>,
    random: Arc<dyn Random>,
    platform: Option<Arc<dyn PlatformKeys>>,
    ring: Mutex<Ring>,
}

impl FileKeyStore {
    /// Makes the keys of a new device.
    ///
    /// # Errors
    /// When there is a key file already, or nothing can be written.
    pub fn create(
        folder: &Path,
        new: NewDevice,
        random: Arc<dyn Random>,
        platform: Option<Arc<dyn PlatformKeys>>,
    ) -> Result<Self, KeyringError> {
        let secret_path = folder.join(SECRET);
        if secret_path.exists() || folder.join(RING).exists() {
            return Err(KeyringError::Exists(folder.to_owned()));
        }
        let (secret, suite, custody) = match &platform {
            Some(platform) => (platform.device_secret()?, Suite::P256, Custody::Hardware),
            None => (Zeroizing::new(array::<32>(&*random)?), new.suite, Custody::Software),
        };
        let ring = Ring {
            identity: Identity {
                tenant: new.tenant,
                device: DeviceId::from_bytes(uuid(&*random)?),
                incarnation: IncarnationId::from_bytes(uuid(&*random)?),
                role: new.role,
                label: new.label,
            },
            standing: Standing {
                state: EnrolmentState::New,
                card: new.card,
                request: None,
                token: None,
                earlier: false,
            },
            suite,
            custody,
            operation: fresh_seed(suite, &*random)?,
            cosigner: fresh_seed(Suite::Ed25519, &*random)?,
            database: Zeroizing::new(array(&*random)?),
            vault: Zeroizing::new(array(&*random)?),
            officers: Vec::new(),
            chain_end: None,
            salt: None,
        };
        if custody == Custody::Software {
            write_durably(&secret_path, &*secret)?;
        }
        let store = Self {
            folder: folder.to_owned(),
            secret,
            random,
            platform,
            ring: Mutex::new(ring.clone()),
        };
        // Asked for now, so that a platform that makes no such key says so before there is a device.
        store.operation_key()?;
        store.write(&ring)?;
        Ok(store)
    }

    /// Opens the keys of a device.
    ///
    /// # Errors
    /// [`KeyringError::Absent`] when the folder is no device, [`KeyringError::Damaged`] when the files do not fit,
    /// [`KeyringError::OtherCustody`] when they were made with a platform's key store and none is given, or the reverse.
    pub fn open(
        folder: &Path,
        random: Arc<dyn Random>,
        platform: Option<Arc<dyn PlatformKeys>>,
    ) -> Result<Self, KeyringError> {
        let secret = match &platform {
            Some(_) if folder.join(SECRET).exists() => return Err(KeyringError::OtherCustody),
            Some(_) if !folder.join(RING).exists() => return Err(KeyringError::Absent(folder.to_owned())),
            Some(platform) => platform.device_secret()?,
            None => read_secret(folder)?,
        };
        let ring = read_ring(folder, &secret)?;
        Ok(Self {
            folder: folder.to_owned(),
            secret,
            random,
            platform,
            ring: Mutex::new(ring),
        })
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the ring on disk and in memory, under the lock file.
    fn change<T>(&self, change: impl FnOnce(&mut Ring) -> Result<T, KeyringError>) -> Result<T, KeyringError> {
        let mut held = self.ring();
        let _lock = self.lock_file()?;
        let mut ring = read_ring(&self.folder, &self.secret)?;
        let result = change(&mut ring)?;
        self.write(&ring)?;
        *held = ring;
        Ok(result)
    }

    fn lock_file(&self) -> Result<File, KeyringError> {
        let path = self.folder.join(LOCK);
        let locked = File::create(&path).and_then(|file| file.lock().map(|()| file));
        Ok(locked.map_err(|source| VaultError::Io {
            action: "locking",
            path,
            source,
        })?)
    }

    fn write(&self, ring: &Ring) -> Result<(), KeyringError> {
        let nonce: [u8; 24] = array(&*self.random)?;
        let sealed = seal_secret(&self.secret, &nonce, MAGIC, &ring.encode());
        write_durably(&self.folder.join(RING), &[MAGIC, &nonce, &sealed].concat())?;
        Ok(())
    }
}

impl KeyStore for FileKeyStore {
    fn identity(&self) -> Identity {
        self.ring().identity.clone()
    }

    fn standing(&self) -> Standing {
        self.ring().standing.clone()
    }

    fn set_standing(&self, standing: Standing) -> Result<(), KeyringError> {
        self.change(|ring| {
            ring.standing = standing;
            Ok(())
        })
    }

    fn custody(&self) -> Custody {
        self.ring().custody
    }

    fn operation_key(&self) -> Result<SharedSigner, KeyringError> {
        let ring = self.ring();
        match (&self.platform, ring.custody) {
            (Some(platform), Custody::Hardware) => Ok(Box::new(PlatformSigner::of(
                Arc::clone(platform),
                &ring.identity.incarnation,
            )?)),
            (None, Custody::Software) => signer(ring.suite, &ring.operation),
            _ => Err(KeyringError::OtherCustody),
        }
    }

    fn cosigner_key(&self) -> Result<SharedSigner, KeyringError> {
        signer(Suite::Ed25519, &self.ring().cosigner)
    }

    fn database_key(&self) -> Zeroizing<[u8; 32]> {
        self.ring().database.clone()
    }

    fn vault_key(&self) -> Zeroizing<[u8; 32]> {
        self.ring().vault.clone()
    }

    fn chain_end(&self) -> Option<(u64, Link)> {
        self.ring().chain_end
    }

    fn keep_chain_end(&self, incarnation: IncarnationId, next_seq: u64, link: Link) -> Result<(), KeyringError> {
        let newer = |ring: &Ring| {
            ring.identity.incarnation == incarnation && ring.chain_end.is_none_or(|(held, _)| held < next_seq)
        };
        if !newer(&self.ring()) {
            return Ok(());
        }
        self.change(|ring| {
            if newer(ring) {
                ring.chain_end = Some((next_seq, link));
            }
            Ok(())
        })
    }

    fn database_salt(&self) -> Option<[u8; 16]> {
        self.ring().salt
    }

    fn keep_database_salt(&self, salt: [u8; 16]) -> Result<(), KeyringError> {
        self.change(|ring| {
            ring.salt = Some(salt);
            Ok(())
        })
    }

    fn begin_incarnation(&self) -> Result<Identity, KeyringError> {
        self.change(|ring| {
            ring.identity.incarnation = IncarnationId::from_bytes(uuid(&*self.random)?);
            ring.operation = fresh_seed(ring.suite, &*self.random)?;
            // The key log takes no key twice, so a new life needs a new cosigner as well.
            ring.cosigner = fresh_seed(Suite::Ed25519, &*self.random)?;
            ring.chain_end = None;
            ring.standing.earlier |= ring.standing.state == EnrolmentState::Approved;
            ring.standing.state = EnrolmentState::New;
            ring.standing.request = None;
            Ok(ring.identity.clone())
        })
    }

    fn reload(&self) -> Result<(), KeyringError> {
        let mut held = self.ring();
        *held = read_ring(&self.folder, &self.secret)?;
        Ok(())
    }

    fn add_officer(&self, officer: NewOfficer, pin: &str) -> Result<OfficerRecord, KeyringError> {
        if pin.chars().count() < MIN_PIN {
            return Err(KeyringError::PinTooShort);
        }
        let random = &*self.random;
        let seed = fresh_seed(Suite::Ed25519, random)?;
        let salt: [u8; 16] = array(random)?;
        let nonce: [u8; 24] = array(random)?;
        let id = OfficerId::from_bytes(uuid(random)?);
        let key = pin::stretch(pin, &salt, pin::COST)?;
        let wrapped = [&nonce[..], &seal_secret(&key, &nonce, id.as_bytes(), &*seed)].concat();
        let fields = vec![
            ("name".to_owned(), Value::text(&officer.name)),
            ("certificate".to_owned(), Value::text(&officer.certificate)),
        ];
        let attrs = Body::build(array(random)?, fields)
            .map_err(|_| KeyringError::Damaged("name or certificate number are too long"))?;
        let record = OfficerRecord {
            officer: id,
            name: officer.name,
            certificate: officer.certificate,
            role: officer.role,
            key: Ed25519Signer::from_seed(&seed)?.public().clone(),
            attrs,
            request: None,
        };
        self.change(|ring| {
            if ring.officers.iter().any(|o| o.record.certificate == record.certificate) {
                return Err(KeyringError::OfficerExists);
            }
            let delay = PinDelay::default();
            ring.officers.push(OfficerEntry {
                record: record.clone(),
                salt,
                cost: pin::COST,
                wrapped,
                delay,
            });
            Ok(record)
        })
    }

    fn officers(&self) -> Vec<OfficerRecord> {
        self.ring().officers.iter().map(|o| o.record.clone()).collect()
    }

    fn set_officer_request(&self, officer: OfficerId, request: &str) -> Result<(), KeyringError> {
        self.change(|ring| {
            find(ring, officer)?.record.request = Some(request.to_owned());
            Ok(())
        })
    }

    fn unlock(&self, officer: OfficerId, pin: &str, wall_ms: u64) -> Result<SharedSigner, KeyringError> {
        // The count is read from disk: another process may have seen wrong tries.
        let entry = find(&mut read_ring(&self.folder, &self.secret)?, officer)?.clone();
        let wait_ms = entry.delay.wait_ms(wall_ms);
        if wait_ms > 0 {
            return Err(KeyringError::PinWait {
                wait_s: wait_ms.div_ceil(1000),
            });
        }
        let key = pin::stretch(pin, &entry.salt, entry.cost)?;
        // The tag is compared in constant time by the cipher; there is no other comparison of secrets.
        let opened = entry
            .wrapped
            .split_at_checked(24)
            .and_then(|(nonce, sealed)| open_sealed(&key, nonce.try_into().ok()?, officer.as_bytes(), sealed))
            .and_then(|seed| <[u8; 32]>::try_from(seed.as_slice()).ok().map(Zeroizing::new));
        match opened {
            Some(seed) => {
                if entry.delay != PinDelay::default() {
                    self.change(|ring| {
                        find(ring, officer)?.delay = PinDelay::default();
                        Ok(())
                    })?;
                }
                signer(Suite::Ed25519, &seed)
            }
            None => {
                let delay = self.change(|ring| {
                    let held = find(ring, officer)?;
                    held.delay = held.delay.after_failure(wall_ms);
                    Ok(held.delay)
                })?;
                let wait_s = delay.wait_ms(wall_ms).div_ceil(1000);
                Err(KeyringError::PinWrong {
                    left: delay.free_tries_left(),
                    wait_s,
                })
            }
        }
    }
}

const SECRET: &str = "device.secret";
const RING: &str = "keyring";
const LOCK: &str = "keyring.lock";
const MAGIC: &[u8] = b"FSKEY0\n";

/// The secret beside the key file.
fn read_secret(folder: &Path) -> Result<Zeroizing<[u8; 32]>, KeyringError> {
    let path = folder.join(SECRET);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(if folder.join(RING).exists() {
                KeyringError::OtherCustody
            } else {
                KeyringError::Absent(folder.to_owned())
            });
        }
        Err(source) => {
            return Err(VaultError::Io {
                action: "reading",
                path,
                source,
            }
            .into());
        }
    };
    let secret = bytes.as_slice().try_into();
    secret
        .map(Zeroizing::new)
        .map_err(|_| KeyringError::Damaged("the device secret is not 32 bytes"))
}

fn read_ring(folder: &Path, secret: &[u8; 32]) -> Result<Ring, KeyringError> {
    let path = folder.join(RING);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(KeyringError::Absent(folder.to_owned())),
        Err(source) => {
            return Err(VaultError::Io {
                action: "reading",
                path,
                source,
            }
            .into());
        }
    };
    let opened = bytes
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.split_at_checked(24))
        .and_then(|(nonce, sealed)| open_sealed(secret, nonce.try_into().ok()?, MAGIC, sealed));
    Ring::decode(&opened.ok_or(KeyringError::Damaged("it does not open"))?)
}

fn find(ring: &mut Ring, officer: OfficerId) -> Result<&mut OfficerEntry, KeyringError> {
    ring.officers
        .iter_mut()
        .find(|o| o.record.officer == officer)
        .ok_or(KeyringError::UnknownOfficer)
}

fn signer(suite: Suite, seed: &[u8; 32]) -> Result<SharedSigner, KeyringError> {
    Ok(match suite {
        Suite::Ed25519 => Box::new(Ed25519Signer::from_seed(seed)?),
        Suite::P256 => Box::new(P256Signer::from_scalar(seed)?),
    })
}

/// A seed that is a key of its suite. A random 32-byte string is no P-256 scalar once in 2^32 times.
fn fresh_seed(suite: Suite, random: &dyn Random) -> Result<Zeroizing<[u8; 32]>, KeyringError> {
    loop {
        let seed = Zeroizing::new(array::<32>(random)?);
        if signer(suite, &seed).is_ok() {
            return Ok(seed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::Role;
    use crate::random::OsRandom;
    use fieldseal_proof::ids::TenantId;

    fn new_store(folder: &Path, suite: Suite) -> FileKeyStore {
        let new = NewDevice {
            tenant: TenantId::from_bytes([1; 16]),
            role: Role::Tablet,
            label: "甲".into(),
            suite,
            card: "fieldseal:enrol:1:".into(),
        };
        FileKeyStore::create(folder, new, Arc::new(OsRandom), None).unwrap()
    }

    fn add(store: &FileKeyStore) -> OfficerRecord {
        let officer = NewOfficer {
            name: "王强".into(),
            certificate: "3201-0001".into(),
            role: "officer".into(),
        };
        store.add_officer(officer, "483920").unwrap()
    }

    #[test]
    fn keys_come_back_and_are_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let store = new_store(dir.path(), Suite::P256);
        let again = FileKeyStore::open(dir.path(), Arc::new(OsRandom), None).unwrap();
        assert_eq!(
            store.operation_key().unwrap().public(),
            again.operation_key().unwrap().public()
        );
        assert_eq!(store.database_key(), again.database_key());
        assert_eq!(store.identity(), again.identity());
        let new = NewDevice {
            tenant: TenantId::from_bytes([1; 16]),
            role: Role::Tablet,
            label: String::new(),
            suite: Suite::P256,
            card: String::new(),
        };
        assert!(matches!(
            FileKeyStore::create(dir.path(), new, Arc::new(OsRandom), None),
            Err(KeyringError::Exists(_))
        ));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_the_files() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        new_store(dir.path(), Suite::Ed25519);
        for name in [SECRET, RING] {
            assert_eq!(
                dir.path().join(name).metadata().unwrap().permissions().mode() & 0o777,
                0o600,
                "{name}"
            );
        }
    }

    #[test]
    fn a_pin_opens_offline_and_wrong_ones_cost_growing_time() {
        let dir = tempfile::tempdir().unwrap();
        let store = new_store(dir.path(), Suite::Ed25519);
        let officer = add(&store);
        let key = store.unlock(officer.officer, "483920", 0).unwrap();
        assert_eq!(key.public(), &officer.key);
        for _ in 0..3 {
            assert!(matches!(
                store.unlock(officer.officer, "000000", 0),
                Err(KeyringError::PinWrong { wait_s: 0, .. })
            ));
        }
        assert!(matches!(
            store.unlock(officer.officer, "000000", 0),
            Err(KeyringError::PinWrong { wait_s: 30, left: 0 })
        ));
        // A new process does not forget, and even the right PIN has to wait.
        let again = FileKeyStore::open(dir.path(), Arc::new(OsRandom), None).unwrap();
        assert!(matches!(
            again.unlock(officer.officer, "483920", 10_000),
            Err(KeyringError::PinWait { wait_s: 20 })
        ));
        assert!(again.unlock(officer.officer, "483920", 30_000).is_ok());
        assert!(matches!(
            again.unlock(officer.officer, "1", 30_000),
            Err(KeyringError::PinWrong { wait_s: 0, .. })
        ));
    }

    #[test]
    fn short_pins_and_doubled_officers_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = new_store(dir.path(), Suite::Ed25519);
        let officer = NewOfficer {
            name: "王强".into(),
            certificate: "1".into(),
            role: "officer".into(),
        };
        assert!(matches!(
            store.add_officer(officer.clone(), "12345"),
            Err(KeyringError::PinTooShort)
        ));
        store.add_officer(officer.clone(), "123456").unwrap();
        assert!(matches!(
            store.add_officer(officer, "123456"),
            Err(KeyringError::OfficerExists)
        ));
    }

    #[test]
    fn a_changed_key_file_is_refused_whole() {
        let dir = tempfile::tempdir().unwrap();
        new_store(dir.path(), Suite::Ed25519);
        let path = dir.path().join(RING);
        let good = std::fs::read(&path).unwrap();
        for at in [0, 8, 40, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, bad).unwrap();
            let opened = FileKeyStore::open(dir.path(), Arc::new(OsRandom), None);
            assert!(matches!(opened, Err(KeyringError::Damaged(_))), "byte {at}");
        }
    }

    /// After a total loss the device is enrolled again: the key log takes its new life, and would not take the old one twice.
    #[test]
    fn a_key_log_enrols_the_new_life_beside_the_old_one() {
        use fieldseal_proof::key_log::{Custody, Entry, KeyLog, KeyLogFrame, KeyRecord, Purpose};
        let dir = tempfile::tempdir().unwrap();
        let store = new_store(dir.path(), Suite::Ed25519);
        let root = Ed25519Signer::from_seed(&[1; 32]).unwrap();
        let mut log = KeyLog::new(store.identity().tenant);
        let mut enrol = |action: &str, keys: Vec<KeyRecord>| {
            let device = (action == "device").then(|| store.identity());
            let entry = Entry {
                tenant: log.tenant(),
                index: log.size(),
                prev: log.head(),
                action: action.to_owned(),
                subject: device.as_ref().map(|d| *d.device.as_bytes()),
                keys,
                role: Some("tablet".to_owned()),
                incarnation: device.map(|d| d.incarnation),
                attrs_root: None,
                signer: root.public().key_id(),
                wall_ms: 0,
                target: None,
                name: None,
            };
            log.append(&KeyLogFrame::sign(&entry, None, &root).unwrap()).map(|_| ())
        };
        let keys = || {
            let (operation, cosigner) = (store.operation_key().unwrap(), store.cosigner_key().unwrap());
            vec![
                KeyRecord::new(Purpose::Operation, operation.public(), Custody::Software),
                KeyRecord::new(Purpose::Cosigner, cosigner.public(), Custody::Software),
            ]
        };
        enrol(
            "root",
            vec![KeyRecord::new(Purpose::Root, root.public(), Custody::Software)],
        )
        .unwrap();
        enrol("device", keys()).unwrap();
        assert!(enrol("device", keys()).is_err(), "the same life a second time");
        store.begin_incarnation().unwrap();
        enrol("device", keys()).unwrap();
    }

    #[test]
    fn a_new_incarnation_has_another_key_and_wants_enrolment() {
        let dir = tempfile::tempdir().unwrap();
        let store = new_store(dir.path(), Suite::Ed25519);
        let (before, key) = (store.identity(), store.operation_key().unwrap());
        let cosigner = store.cosigner_key().unwrap();
        store
            .set_standing(Standing {
                state: EnrolmentState::Approved,
                ..store.standing()
            })
            .unwrap();
        let after = store.begin_incarnation().unwrap();
        assert_eq!(before.device, after.device);
        assert_ne!(before.incarnation, after.incarnation);
        assert_ne!(key.public(), store.operation_key().unwrap().public());
        assert_ne!(cosigner.public(), store.cosigner_key().unwrap().public());
        assert_eq!(store.standing().state, EnrolmentState::New);
        assert!(store.standing().earlier && store.chain_end().is_none());
    }

    #[test]
    fn the_end_of_the_chain_only_grows_and_belongs_to_one_life() {
        let dir = tempfile::tempdir().unwrap();
        let store = new_store(dir.path(), Suite::Ed25519);
        let (life, link) = (store.identity().incarnation, |n| Link::from_bytes([n; 32]));
        store.keep_database_salt([7; 16]).unwrap();
        for (next_seq, by) in [(0, 1), (40, 2), (20, 3)] {
            store.keep_chain_end(life, next_seq, link(by)).unwrap();
        }
        store
            .keep_chain_end(IncarnationId::from_bytes([9; 16]), 99, link(4))
            .unwrap();
        let again = FileKeyStore::open(dir.path(), Arc::new(OsRandom), None).unwrap();
        assert_eq!(again.chain_end(), Some((40, link(2))));
        assert_eq!(again.database_salt(), Some([7; 16]));
    }
}
