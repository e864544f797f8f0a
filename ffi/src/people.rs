//! Officers, PINs, and signatures with an officer's key.

use fieldseal_core::keyring::OfficerRecord;
use fieldseal_proof::attest;
use fieldseal_proof::ids::OpId;

use crate::device::Device;
use crate::error::FieldsealError;
use crate::guard::guarded;

/// An officer of this device.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct OfficerInfo {
    /// Id.
    pub officer: String,
    /// Name as on the certificate.
    pub name: String,
    /// Certificate number.
    pub certificate: String,
    /// Role.
    pub role: String,
    /// Fingerprint of the officer's key; printed on the record that the party signs.
    pub fingerprint: String,
    /// The server has the request.
    pub requested: bool,
    /// The key log names the key.
    pub approved: bool,
}

/// What a signature says about its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Meaning {
    /// I made it.
    Made,
    /// I approve of it.
    Approved,
    /// I refuse it.
    Refused,
    /// I sign, and disagree.
    Dissents,
}

impl From<Meaning> for attest::Meaning {
    fn from(meaning: Meaning) -> Self {
        match meaning {
            Meaning::Made => Self::Made,
            Meaning::Approved => Self::Approved,
            Meaning::Refused => Self::Refused,
            Meaning::Dissents => Self::Dissents,
        }
    }
}

#[uniffi::export]
impl Device {
    /// Adds an officer with a fresh key under a PIN; the key counts once an administrator has approved it.
    pub fn officer_add(
        &self,
        name: String,
        certificate: String,
        role: String,
        pin: String,
    ) -> Result<OfficerInfo, FieldsealError> {
        guarded(|| self.info(self.device.officer_add(&name, &certificate, &role, &pin)?))
    }

    /// The officers of this device.
    pub fn officers(&self) -> Result<Vec<OfficerInfo>, FieldsealError> {
        guarded(|| {
            self.device
                .officers()
                .into_iter()
                .map(|record| self.info(record))
                .collect()
        })
    }

    /// Opens an officer's key with the PIN, also without a network. The officer unlocked last is the one at work.
    pub fn unlock(&self, certificate: String, pin: String) -> Result<OfficerInfo, FieldsealError> {
        guarded(|| self.info(self.device.unlock(&certificate, &pin)?.record))
    }

    /// Makes an officer whose key is open the one at work again.
    pub fn take_over(&self, certificate: String) -> Result<(), FieldsealError> {
        guarded(|| {
            let officer = self.device.officer(&certificate)?.officer;
            self.device.take_over(officer)?;
            Ok(())
        })
    }

    /// Closes an officer's key.
    pub fn lock(&self, certificate: String) -> Result<(), FieldsealError> {
        guarded(|| Ok(self.device.lock(self.device.officer(&certificate)?.officer)?))
    }

    /// Who is at work.
    pub fn at_work(&self) -> Result<Option<OfficerInfo>, FieldsealError> {
        guarded(|| {
            let open = self.device.at_work();
            open.map(|open| self.info(open.record)).transpose()
        })
    }

    /// An officer whose key is open signs operations of one inspection; the operation that this makes. Without a role the one
    /// that the officer is enrolled in.
    pub fn attest(
        &self,
        certificate: String,
        targets: Vec<String>,
        meaning: Meaning,
        role: Option<String>,
    ) -> Result<String, FieldsealError> {
        guarded(|| {
            let officer = self.device.open_key(&certificate)?;
            let targets = targets.iter().map(|target| target.parse());
            let targets: Vec<OpId> = targets.collect::<Result<_, fieldseal_proof::ids::IdError>>()?;
            let role = role.unwrap_or_else(|| officer.record.role.clone());
            let operation = self.device.attest_as(&officer, &targets, &role, meaning.into())?;
            Ok(operation.to_string())
        })
    }
}

impl Device {
    fn info(&self, record: OfficerRecord) -> Result<OfficerInfo, FieldsealError> {
        Ok(OfficerInfo {
            approved: self.device.officer_approved(&record)?,
            officer: record.officer.to_string(),
            fingerprint: record.key.fingerprint(),
            requested: record.request.is_some(),
            name: record.name,
            certificate: record.certificate,
            role: record.role,
        })
    }
}
