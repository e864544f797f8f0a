//! TLS for one server: the public key of its certificate must be the one whose SHA-256 stands in the enrolment.
//!
//! Names, dates and issuers are not looked at: an agency's server in a county has no public name, and the enrolment is a
//! better witness than any authority. The handshake's signature is checked as always, so the peer holds the key. A certificate
//! that is renewed over the same key is the same server. Enrolments from before name the hash of the whole certificate: that
//! is accepted too, and ends with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};

use crate::TransportError;

/// Says whether the last handshake failed because of the certificate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mismatch(Arc<AtomicBool>);

impl Mismatch {
    pub(crate) fn was_seen(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Accepts one key, or one certificate.
#[derive(Debug)]
struct Pinned {
    sha256: [u8; 32],
    provider: Arc<CryptoProvider>,
    mismatch: Mismatch,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        let names = |der: &[u8]| Sha256::digest(der).as_slice() == self.sha256;
        let same = names(key.as_ref()) || names(certificate.as_ref());
        self.mismatch.0.store(!same, Ordering::Release);
        if same {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            ))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A TLS configuration for exactly this server.
pub(crate) fn config(sha256: [u8; 32]) -> Result<(ClientConfig, Mismatch), TransportError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mismatch = Mismatch::default();
    let verifier = Pinned {
        sha256,
        provider: Arc::clone(&provider),
        mismatch: mismatch.clone(),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| TransportError::SetUp(why.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((config, mismatch))
}
