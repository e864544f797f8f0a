//! What an enrolment sends, and how far it has come. The transport sends it; nothing here touches a network.

use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::ids::{BodyRoot, OfficerId};
use fieldseal_proof::key_log::Custody;
use fieldseal_proof::suite::PublicKey;

use super::{DeviceError, FieldDevice};
use crate::catalogue::Param;
use crate::domain::{Certificate, Line};
use crate::keyring::{EnrolmentState, Identity, KeyringError, NewOfficer, OfficerRecord, Standing};

/// A device's request (wire.md, Enrolment text).
#[derive(Debug, Clone)]
pub struct DeviceEnrolment {
    /// One-time code of the card; empty for a further life of an enrolled device, which shows its token instead.
    pub code: String,
    /// Device, incarnation, role and label.
    pub identity: Identity,
    /// Operation key.
    pub operation: PublicKey,
    /// Cosigner key.
    pub cosigner: PublicKey,
    /// Where the operation key is kept; the administrator writes it into the key log.
    pub custody: Custody,
    /// The operation key's signature over tenant, device, incarnation, both keys and code.
    pub proof: [u8; 64],
}

/// An officer's request.
#[derive(Debug, Clone)]
pub struct OfficerEnrolment {
    /// Officer, name, certificate number, role and key.
    pub record: OfficerRecord,
    /// Attributes as a full body.
    pub attrs: Vec<u8>,
    /// Their root.
    pub attrs_root: BodyRoot,
}

impl FieldDevice {
    /// How far the device's enrolment has come. It is approved once the key log names the present incarnation with this key.
    ///
    /// # Errors
    /// When key log or key file cannot be read.
    pub fn enrolment_state(&self) -> Result<EnrolmentState, DeviceError> {
        let standing = self.keys.standing();
        if standing.state != EnrolmentState::Approved {
            let identity = self.identity();
            let key = self.keys.operation_key()?.public().key_id();
            let log = self.store.key_log()?;
            let enrolled = log.operation_key(&identity.device, &identity.incarnation);
            if enrolled
                .and_then(|held| held.record.key().ok())
                .is_some_and(|held| held.key_id() == key)
            {
                self.keys.set_standing(Standing {
                    state: EnrolmentState::Approved,
                    ..standing
                })?;
                return Ok(EnrolmentState::Approved);
            }
        }
        Ok(standing.state)
    }

    /// The operation key of the present life, and where it is kept. Nothing is signed.
    ///
    /// # Errors
    /// When the key store does not give it.
    pub fn operation_key(&self) -> Result<(PublicKey, Custody), DeviceError> {
        Ok((self.keys.operation_key()?.public().clone(), self.keys.custody()))
    }

    /// What the transport posts to enrol this device, with the code of its card.
    ///
    /// # Errors
    /// When a key does not sign.
    pub fn enrolment(&self) -> Result<DeviceEnrolment, DeviceError> {
        self.enrolment_with(&self.card.code)
    }

    /// What the transport posts to enrol a further life of a device that shows its token.
    ///
    /// # Errors
    /// When a key does not sign.
    pub fn further_enrolment(&self) -> Result<DeviceEnrolment, DeviceError> {
        self.enrolment_with("")
    }

    /// Whether an earlier life of this device was approved: its token is then open, and what the server has of it can be
    /// fetched although the present life is not approved yet.
    pub fn enrolled_earlier(&self) -> bool {
        self.keys.standing().earlier
    }

    fn enrolment_with(&self, code: &str) -> Result<DeviceEnrolment, DeviceError> {
        let identity = self.identity();
        let (operation, cosigner) = (self.keys.operation_key()?, self.keys.cosigner_key()?);
        let statement = cbor::encode(&Value::Map(vec![
            (0, Value::Uint(0)),
            (1, Value::bytes(identity.tenant.as_bytes())),
            (2, Value::bytes(identity.device.as_bytes())),
            (3, Value::bytes(identity.incarnation.as_bytes())),
            (4, Value::bytes(operation.public().as_bytes())),
            (5, Value::bytes(cosigner.public().as_bytes())),
            (6, Value::text(code)),
        ]));
        let proof = operation.sign(ENROLMENT, &statement).map_err(KeyringError::from)?;
        Ok(DeviceEnrolment {
            code: code.to_owned(),
            identity,
            operation: operation.public().clone(),
            cosigner: cosigner.public().clone(),
            custody: self.keys.custody(),
            proof,
        })
    }

    /// Remembers that the server has the request, and the token it gave.
    ///
    /// # Errors
    /// When the key file cannot be written.
    pub fn enrolment_submitted(&self, request: &str, token: Option<&str>) -> Result<(), DeviceError> {
        let standing = self.keys.standing();
        Ok(self.keys.set_standing(Standing {
            state: EnrolmentState::Pending,
            request: Some(request.to_owned()),
            token: token.map(str::to_owned).or(standing.token),
            card: standing.card,
            earlier: standing.earlier,
        })?)
    }

    /// The server does not know the request that was sent: it is to be sent once more.
    ///
    /// # Errors
    /// When the key file cannot be written.
    pub fn enrolment_forgotten(&self) -> Result<(), DeviceError> {
        let standing = self.keys.standing();
        Ok(self.keys.set_standing(Standing {
            state: EnrolmentState::New,
            request: None,
            ..standing
        })?)
    }

    /// The server's id of the request that was sent.
    pub fn enrolment_request(&self) -> Option<String> {
        self.keys.standing().request
    }

    /// The bearer token for the server.
    pub fn token(&self) -> Option<String> {
        self.keys.standing().token
    }

    /// Adds an officer with a fresh key under a PIN; the key counts once an administrator has approved it.
    ///
    /// # Errors
    /// A certificate number in a wrong form or taken, a short PIN.
    pub fn officer_add(
        &self,
        name: &str,
        certificate: &str,
        role: &str,
        pin: &str,
    ) -> Result<OfficerRecord, DeviceError> {
        let name = Line::parse("name", name)?;
        let certificate = Certificate::parse(certificate)?;
        let role = Line::parse("role", role)?;
        let new = NewOfficer {
            name: name.as_str().to_owned(),
            certificate: certificate.as_str().to_owned(),
            role: role.as_str().to_owned(),
        };
        self.keys.add_officer(new, pin).map_err(|error| match error {
            KeyringError::OfficerExists => {
                DeviceError::new("officer_exists", [("certificate", Param::text(certificate.as_str()))])
            }
            other => other.into(),
        })
    }

    /// The officers of this device.
    pub fn officers(&self) -> Vec<OfficerRecord> {
        self.keys.officers()
    }

    /// Requests of officers that the server does not have yet.
    pub fn officer_enrolments(&self) -> Vec<OfficerEnrolment> {
        let open = self
            .keys
            .officers()
            .into_iter()
            .filter(|record| record.request.is_none());
        open.map(|record| OfficerEnrolment {
            attrs: record.attrs.encode(),
            attrs_root: record.attrs.root(),
            record,
        })
        .collect()
    }

    /// Remembers that the server has an officer's request.
    ///
    /// # Errors
    /// When the key file cannot be written.
    pub fn officer_submitted(&self, officer: OfficerId, request: &str) -> Result<(), DeviceError> {
        Ok(self.keys.set_officer_request(officer, request)?)
    }

    /// Whether the key log names the officer's key.
    ///
    /// # Errors
    /// When the key log cannot be read.
    pub fn officer_approved(&self, officer: &OfficerRecord) -> Result<bool, DeviceError> {
        let id = officer.key.key_id();
        Ok(self
            .store
            .key_log()?
            .key(&id)
            .is_some_and(|key| key.revoked_at.is_none()))
    }
}

const ENROLMENT: &str = "application/vnd.fieldseal.enrolment.v0+cbor";
