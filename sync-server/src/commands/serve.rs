//! `serve`: TLS on a socket until SIGTERM.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::accept::{TcpConfigAcceptor, TcpKeepaliveConfig, TcpSocketConfig};
use axum_server::tls_rustls::RustlsConfig;
use clap::Args;
use fieldseal_core::catalogue::Param;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::leash::{Held, Leash};
use super::{Failure, Outcome, Report};
use crate::config::Layout;
use crate::server::Server;

/// How long requests may take to end after SIGTERM; a long poll is cut earlier by its client's patience.
const DRAIN: Duration = Duration::from_secs(10);

/// Bytes of a body that a client may have sent and that no handler has taken yet: whatever a cut can lose of an upload is among them,
/// since what was taken is kept. Half a megabyte a cut is the promise (`wire.md`), with the heads and the handshake of the next attempt;
/// at 200 ms there and back it still lets 15 Mbit/s through.
const UPLOAD_WINDOW: u32 = 384 * 1024;

#[derive(Args)]
pub(super) struct Serve {
    #[arg(long)]
    dir: PathBuf,
    /// Overrides server.toml; port 0 takes any free one.
    #[arg(long)]
    listen: Option<String>,
    /// Written with the address once the server answers.
    #[arg(long)]
    ready_file: Option<PathBuf>,
    #[command(flatten)]
    leash: Leash,
}

impl Serve {
    /// The server of a folder, at an address.
    pub(super) fn at(dir: PathBuf, listen: String, leash: Leash) -> Self {
        Self {
            dir,
            listen: Some(listen),
            ready_file: None,
            leash,
        }
    }

    pub(super) async fn run(self) -> Outcome {
        let held = self.leash.watch();
        self.run_held(held).await
    }

    pub(super) async fn run_held(self, held: Held) -> Outcome {
        let level = tracing_subscriber::filter::LevelFilter::INFO;
        // A second subscriber in one process (tests) leaves the first in place.
        let _ = tracing_subscriber::fmt()
            .json()
            .with_max_level(level)
            .with_writer(std::io::stderr)
            // Told on standard error as well: where nobody reads it any more, that would be a panic.
            .log_internal_errors(false)
            .try_init();
        crate::incident::log_panics();
        let dir = self
            .dir
            .canonicalize()
            .map_err(|error| Failure::detail("server_folder", format!("{}: {error}", self.dir.display())))?;
        let (server, workers) = Server::open(&dir).await.map_err(Failure::open)?;
        let listen = self.listen.clone().unwrap_or_else(|| server.config.listen.clone());
        let listener = std::net::TcpListener::bind(&listen).map_err(|error| {
            let address = ("address", Param::text(&listen));
            Failure::new("address_taken", [address, ("detail", Param::text(error.to_string()))])
        })?;
        listener.set_nonblocking(true).map_err(Failure::of)?;
        let address = listener.local_addr().map_err(Failure::of)?;
        let tls = tls(&server.layout)?;
        let handle = Handle::new();
        // Before anybody hears that the server is there: whoever does may stop it at once.
        let terminate = signal(SignalKind::terminate()).map_err(Failure::of)?;
        println!("listening on https://{address}");
        if listen.ends_with(":0") {
            note_address(&server.layout, address);
        }
        if let Some(path) = &self.ready_file {
            let temporary = path.with_extension("new");
            std::fs::write(&temporary, format!("https://{address}\n"))
                .and_then(|()| std::fs::rename(&temporary, path))
                .map_err(Failure::of)?;
        }
        tokio::spawn(stop(handle.clone(), server.clone(), terminate, held));
        let app = crate::api::router(server.clone()).into_make_service_with_connect_info::<SocketAddr>();
        let silence = server.config.limits.silence();
        let mut service = axum_server::from_tcp_rustls(listener, tls)
            .map_err(Failure::of)?
            .map(|tls| {
                tls.handshake_timeout(silence)
                    .acceptor(TcpConfigAcceptor::new(socket(silence)))
            })
            .first_request_timeout(silence)
            .handle(handle);
        // A connection on which nobody asks anything any more is closed, and a half head does not keep it open.
        service.http_builder().http1().header_read_timeout(silence);
        service
            .http_builder()
            .http2()
            .initial_stream_window_size(UPLOAD_WINDOW)
            .keep_alive_interval(silence / 2)
            .keep_alive_timeout(silence / 2);
        service.serve(app).await.map_err(Failure::of)?;
        workers.stop().await;
        let failed = server.failed.borrow().clone();
        match failed {
            Some(why) => Err(Failure::of(why)),
            None => Ok(Report::done(json!({ "stopped": true }), Vec::new())),
        }
    }
}

/// An answer of a few hundred bytes must not wait 40 ms for the client's delayed acknowledgement, and a peer that vanished is noticed.
fn socket(silence: Duration) -> TcpSocketConfig {
    let second = Duration::from_secs(1);
    let keepalive = TcpKeepaliveConfig::new()
        .time(silence.max(second))
        .interval((silence / 4).max(second))
        .retries(4);
    TcpSocketConfig::new().nodelay(true).keepalive(keepalive)
}

/// The certificate of the server's folder, HTTP/2 and HTTP/1.1, ring.
pub(super) fn tls(layout: &Layout) -> Result<RustlsConfig, Failure> {
    let named = |path: PathBuf, why: String| Failure::detail("server_keys", format!("{}: {why}", path.display()));
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(layout.certificate())
        .and_then(|certificates| certificates.collect())
        .map_err(|e| named(layout.certificate(), format!("{e:?}")))?;
    let key = PrivateKeyDer::from_pem_file(layout.certificate_key())
        .map_err(|e| named(layout.certificate_key(), format!("{e:?}")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Failure::of)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(Failure::of)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(RustlsConfig::from_config(Arc::new(config)))
}

/// SIGTERM, Ctrl-C, the end of whoever holds it or a failed worker ends the server: no new connections, running requests get
/// [`DRAIN`].
async fn stop(handle: Handle<SocketAddr>, server: Arc<Server>, mut terminate: Signal, mut held: Held) {
    let mut failed = server.failed.subscribe();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
        () = held.let_go() => {}
        _ = failed.wait_for(Option::is_some) => {}
    }
    server.draining.send_replace(true);
    handle.graceful_shutdown(Some(DRAIN));
}

/// With port 0 the card learns the address only now.
fn note_address(layout: &Layout, address: SocketAddr) {
    let path = layout.root.join("card.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        return;
    };
    let Ok(mut card) = serde_json::from_str::<serde_json::Value>(&text) else {
        return;
    };
    card["url"] = json!(format!("https://{address}"));
    let temporary = path.with_extension("new");
    let _ = std::fs::remove_file(&temporary);
    if crate::keys::write_secret(&temporary, card.to_string().as_bytes()).is_ok() {
        let _ = std::fs::rename(temporary, path);
    }
}
