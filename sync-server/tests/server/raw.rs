//! A TLS connection by hand: bytes as a test says them, half a head included.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

use crate::world::World;

/// Longer than anything in these tests may wait for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// HTTP/1.1 over TLS; blocking.
pub struct Raw(rustls::StreamOwned<rustls::ClientConnection, TcpStream>);

impl Raw {
    pub fn open(world: &World) -> Self {
        let certificate = CertificateDer::from_pem_file(world.dir().join("keys/tls.crt")).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        Self(rustls::StreamOwned::new(client, socket(world)))
    }

    pub fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
        self.0.flush().unwrap();
    }

    /// The head of the next answer.
    pub fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        String::from_utf8(head).unwrap().to_lowercase()
    }

    /// Whether the server closes it, with or without a word, before the patience of a test is over.
    pub fn is_closed(&mut self) -> bool {
        let ended = self.0.read_to_end(&mut Vec::new());
        !ended.is_err_and(|why| is_patience(why.kind()))
    }
}

/// A connection without TLS yet.
pub fn socket(world: &World) -> TcpStream {
    let socket = TcpStream::connect(world.url.strip_prefix("https://").unwrap()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Whether a read ended only because the test did not want to wait any longer.
pub fn is_patience(kind: std::io::ErrorKind) -> bool {
    matches!(kind, std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
