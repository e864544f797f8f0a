//! Exchanges with a real TLS peer on the loopback: the pin, limits, cuts, streams, continued downloads.

#![allow(clippy::unwrap_used, reason = "a broken set-up is a failed test")]

use std::io::{Cursor, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use fieldseal_core::sync::Fault;
use fieldseal_core::sync::message::{Expect, Method, NoAnswer, Payload, Request, Response};
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::BlobHash;
use fieldseal_transport::{Caller, Cancel, Connection, Endpoint};

type Stream = rustls::StreamOwned<rustls::ServerConnection, TcpStream>;

/// A TLS server that hands each connection to a function.
struct Peer {
    endpoint: Endpoint,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    fn start(connections: usize, mut serve: impl FnMut(usize, Stream) + Send + 'static) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["county.example".to_owned()]).unwrap();
        let der = made.cert.der().clone();
        let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = Arc::new(
            config
                .with_no_client_auth()
                .with_single_cert(vec![der.clone()], key)
                .unwrap(),
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            for n in 0..connections {
                let (socket, _) = listener.accept().unwrap();
                socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                let tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
                serve(n, rustls::StreamOwned::new(tls, socket));
            }
        });
        Self {
            endpoint: Endpoint {
                url,
                tls_sha256: sha256(&der),
                token: Some("secret".into()),
            },
            thread: Some(thread),
        }
    }

    fn connection(&self) -> Connection {
        Connection::open(&self.endpoint).unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok(), "the peer failed");
        }
    }
}

/// Reads a request's head; what follows it stays in the stream.
fn head(stream: &mut Stream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

fn answer(stream: &mut Stream, head: &str, body: &[u8]) {
    let _ = write!(
        stream,
        "HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(body);
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

fn request(method: Method, payload: Payload, answer_limit: usize) -> Request {
    let expect = if method == Method::Patch {
        Expect::Tus
    } else {
        Expect::Json
    };
    let path = "/v1/server".to_owned();
    Request {
        id: 1,
        method,
        path,
        headers: Vec::new(),
        payload,
        expect,
        answer_limit,
        silence: Duration::ZERO,
    }
}

fn exchange(
    connection: &Connection,
    request: &Request,
    blob: Option<Box<dyn Read + Send>>,
    cancel: &Cancel,
) -> Result<Response, NoAnswer> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(connection.exchange(request, blob, cancel, &mut |_| {}))
}

fn get(connection: &Connection, limit: usize) -> Result<Response, NoAnswer> {
    exchange(
        connection,
        &request(Method::Get, Payload::Empty, limit),
        None,
        &Cancel::default(),
    )
}

#[test]
fn the_enrolled_certificate_is_enough_and_the_token_is_shown() {
    let peer = Peer::start(1, |_, mut stream| {
        let head = head(&mut stream);
        assert!(
            head.starts_with("get /v1/server http/1.1\r\n") && head.contains("authorization: bearer secret"),
            "{head}"
        );
        answer(&mut stream, "200 OK\r\ncontent-type: application/json", b"{}");
    });
    let got = get(&peer.connection(), 100).unwrap();
    assert_eq!(
        (got.status, got.header("content-type"), got.body.as_slice()),
        (200, Some("application/json"), &b"{}"[..])
    );
}

#[test]
fn another_certificate_gets_nothing() {
    let peer = Peer::start(1, |_, mut stream| {
        let mut first = [0];
        assert!(
            !matches!(stream.read(&mut first), Ok(1)),
            "a byte of the request arrived"
        );
    });
    let wrong = Endpoint {
        tls_sha256: [7; 32],
        ..peer.endpoint.clone()
    };
    assert_eq!(get(&Connection::open(&wrong).unwrap(), 100), Err(NoAnswer::WrongServer));
}

#[test]
fn redirects_are_answers_and_not_followed() {
    let peer = Peer::start(1, |_, mut stream| {
        head(&mut stream);
        answer(&mut stream, "302 Found\r\nlocation: http://127.0.0.1:9/", b"");
    });
    assert_eq!(get(&peer.connection(), 100).unwrap().status, 302);
}

#[test]
fn a_long_answer_is_not_read_whether_it_says_so_or_not() {
    let peer = Peer::start(2, |n, mut stream| {
        head(&mut stream);
        if n == 0 {
            answer(&mut stream, "200 OK", &[b'x'; 101]);
        } else {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n65\r\n");
            let _ = stream.write_all(&[b'x'; 101]);
            let _ = stream.write_all(b"\r\n0\r\n\r\n");
            let _ = stream.flush();
        }
    });
    assert_eq!(get(&peer.connection(), 100), Err(NoAnswer::TooLong));
    assert_eq!(get(&peer.connection(), 100), Err(NoAnswer::TooLong));
}

#[test]
fn a_cut_and_a_dead_port_are_offline() {
    let peer = Peer::start(1, |_, mut stream| {
        head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
        let _ = stream.flush();
    });
    assert!(matches!(get(&peer.connection(), 1_000), Err(NoAnswer::Offline(_))));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dead = Endpoint {
        url: format!("https://{free}"),
        ..peer.endpoint.clone()
    };
    assert!(matches!(
        get(&Connection::open(&dead).unwrap(), 100),
        Err(NoAnswer::Offline(_))
    ));
}

#[test]
fn a_blob_is_streamed_with_its_length() {
    let bytes: Vec<u8> = (0..3_000_001_u32).map(|n| n as u8).collect();
    let expected = bytes.clone();
    let peer = Peer::start(1, move |_, mut stream| {
        let head = head(&mut stream);
        assert!(
            head.contains("content-length: 3000001") && !head.contains("chunked"),
            "{head}"
        );
        let mut got = vec![0; expected.len()];
        stream.read_exact(&mut got).unwrap();
        assert!(got == expected);
        answer(
            &mut stream,
            "204 No Content\r\ntus-resumable: 1.0.0\r\nupload-offset: 3000001",
            b"",
        );
    });
    let payload = Payload::Blob {
        sha256: BlobHash::from_bytes([1; 32]),
        offset: 0,
        length: 3_000_001,
    };
    let patch = request(Method::Patch, payload, 100);
    let got = exchange(
        &peer.connection(),
        &patch,
        Some(Box::new(Cursor::new(bytes))),
        &Cancel::default(),
    )
    .unwrap();
    assert_eq!(got.header("upload-offset"), Some("3000001"));
}

#[test]
fn evidence_that_cannot_be_read_is_told_apart_from_a_cut() {
    let peer = Peer::start(1, |_, mut stream| {
        head(&mut stream);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let payload = Payload::Blob {
        sha256: BlobHash::from_bytes([1; 32]),
        offset: 0,
        length: 1_000_000,
    };
    let short = Box::new(Cursor::new(vec![0; 600_000]));
    let got = exchange(
        &peer.connection(),
        &request(Method::Patch, payload, 100),
        Some(short),
        &Cancel::default(),
    );
    assert!(matches!(got, Err(NoAnswer::Evidence(_))), "{got:?}");
}

#[test]
fn cancelling_ends_a_silent_exchange() {
    let cancel = Cancel::default();
    let trigger = cancel.clone();
    let peer = Peer::start(1, move |_, mut stream| {
        head(&mut stream);
        trigger.cancel();
        let _ = stream.read(&mut [0]);
    });
    let got = exchange(
        &peer.connection(),
        &request(Method::Get, Payload::Empty, 100),
        None,
        &cancel,
    );
    assert_eq!(got, Err(NoAnswer::Cancelled));
}

#[test]
fn silence_is_offline_and_a_long_poll_may_be_silent() {
    let peer = Peer::start(2, |n, mut stream| {
        head(&mut stream);
        if n == 1 {
            // Longer than the silence, within what a long poll may take.
            let _ = stream.sock.set_read_timeout(Some(Duration::from_millis(900)));
            let _ = stream.read(&mut [0]);
            answer(&mut stream, "200 OK\r\ncontent-type: application/json", b"{}");
        } else {
            let _ = stream.read(&mut [0]);
        }
    });
    let connection = Connection::open_with(&peer.endpoint, Duration::from_millis(300)).unwrap();
    let Err(NoAnswer::Offline(why)) = get(&connection, 100) else {
        panic!("a silent peer has answered");
    };
    assert!(why.contains("silence"), "{why}");
    let poll = Request {
        silence: Duration::from_secs(1),
        ..request(Method::Get, Payload::Empty, 100)
    };
    assert_eq!(
        exchange(&connection, &poll, None, &Cancel::default()).unwrap().status,
        200
    );
}

#[test]
fn an_original_goes_on_after_cuts() {
    let bytes: Vec<u8> = (0..500_000_u32).map(|n| (n / 7) as u8).collect();
    let blob = BlobHash::from_bytes(sha256(&bytes));
    let ranges = Arc::new(Mutex::new(Vec::new()));
    let (served, seen) = (bytes.clone(), Arc::clone(&ranges));
    let peer = Peer::start(3, move |_, mut stream| {
        let head = head(&mut stream);
        let from = head.split("range: bytes=").nth(1).unwrap();
        let from = from.split('-').next().unwrap().parse::<usize>().unwrap();
        seen.lock().unwrap().push(from);
        let rest = &served[from..];
        let _ = write!(
            stream,
            "HTTP/1.1 206 Partial Content\r\nfieldseal-epoch: 0\r\ncontent-range: bytes {from}-499999/500000\r\ncontent-length: {}\r\n\r\n",
            rest.len()
        );
        let _ = stream.write_all(&rest[..rest.len().min(200_000)]);
        let _ = stream.flush();
    });
    let caller = Caller::open(&peer.endpoint, Cancel::default()).unwrap();
    let mut most = 0;
    let mut got = Vec::new();
    let mut moved = |at| most = at;
    caller
        .original(blob, 500_000, 0, &mut moved)
        .read_to_end(&mut got)
        .unwrap();
    assert!(got == bytes);
    assert_eq!(most, 500_000);
    assert_eq!(*ranges.lock().unwrap(), [0, 200_000, 400_000]);
}

#[test]
fn what_is_not_the_rest_of_the_original_is_refused() {
    let ours = "206 Partial Content\r\nfieldseal-epoch: 0\r\ncontent-range: bytes";
    let answers = [
        // Longer than was said, other bytes than were asked for, and a refusal.
        (format!("{ours} 0-100/101"), vec![1; 101], "server_untrue"),
        (format!("{ours} 7-99/100"), vec![1; 93], "server_untrue"),
        (
            "404 Not Found\r\nfieldseal-epoch: 0\r\ncontent-type: application/problem+json".to_owned(),
            br#"{"code":"blob_absent"}"#.to_vec(),
            "blob_absent",
        ),
    ];
    for (said, body, code) in answers {
        let peer = Peer::start(1, move |_, mut stream| {
            head(&mut stream);
            answer(&mut stream, &said, &body);
        });
        let caller = Caller::open(&peer.endpoint, Cancel::default()).unwrap();
        let mut moved = |_| {};
        let mut original = caller.original(BlobHash::from_bytes([1; 32]), 100, 0, &mut moved);
        assert!(original.read_to_end(&mut Vec::new()).is_err());
        assert_eq!(original.fault().unwrap().code(), code);
    }
}

/// The half that a server has is not sent again, whoever sent it; a conflict is followed by the question where it stands.
#[test]
fn a_file_goes_on_where_the_server_stands() {
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n / 3) as u8).collect();
    let (served, seen) = (bytes.clone(), Arc::new(Mutex::new(Vec::new())));
    let told = Arc::clone(&seen);
    let peer = Peer::start(5, move |n, mut stream| {
        let head = head(&mut stream);
        let method = head.split(' ').next().unwrap().to_owned();
        let offset = head
            .split("upload-offset: ")
            .nth(1)
            .and_then(|rest| rest.split('\r').next())
            .map(str::to_owned);
        told.lock()
            .unwrap()
            .push(format!("{method} {}", offset.unwrap_or_default()));
        let tus = "tus-resumable: 1.0.0\r\nfieldseal-epoch: 0";
        let mut take = |count: usize| {
            let mut got = vec![0; count];
            stream.read_exact(&mut got).unwrap();
            got
        };
        match n {
            // Begun before, by a process that is gone.
            0 => answer(
                &mut stream,
                &format!("201 Created\r\n{tus}\r\nlocation: /v1/uploads/x\r\nupload-offset: 100000"),
                b"",
            ),
            // Another writer was there in the meantime.
            1 => {
                take(200_000);
                let problem = br#"{"code":"upload_offset"}"#;
                answer(
                    &mut stream,
                    &format!("409 Conflict\r\n{tus}\r\ncontent-type: application/problem+json"),
                    problem,
                );
            }
            2 => answer(&mut stream, &format!("200 OK\r\n{tus}\r\nupload-offset: 250000"), b""),
            // The answer is lost.
            3 => assert!(take(50_000) == served[250_000..]),
            _ => answer(&mut stream, &format!("200 OK\r\n{tus}\r\nupload-offset: 300000"), b""),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film");
    std::fs::write(&path, &bytes).unwrap();
    let file = Arc::new(std::fs::File::open(&path).unwrap());
    let caller = Caller::open(&peer.endpoint, Cancel::default()).unwrap();
    let blob = BlobHash::from_bytes(sha256(&bytes));
    caller.upload(blob, 300_000, file, None, &mut |_| {}).unwrap();
    let asked = ["post ", "patch 100000", "head ", "patch 250000", "head "];
    assert_eq!(*seen.lock().unwrap(), asked);
}

#[test]
fn a_caller_sorts_problems_and_portals() {
    let peer = Peer::start(2, |n, mut stream| {
        head(&mut stream);
        if n == 0 {
            answer(
                &mut stream,
                "403 Forbidden\r\ncontent-type: application/problem+json",
                br#"{"code":"not_permitted"}"#,
            );
        } else {
            answer(&mut stream, "200 OK\r\ncontent-type: text/html", b"<html>");
        }
    });
    let caller = Caller::open(&peer.endpoint, Cancel::default()).unwrap();
    assert_eq!(caller.get("/v1/cases").unwrap_err().code(), "not_permitted");
    assert!(matches!(caller.get("/v1/cases"), Err(Fault::Offline(_))));
}

#[test]
fn only_https_addresses_are_opened() {
    for url in ["http://127.0.0.1", "ftp://x", "county", ""] {
        assert!(
            Connection::open(&Endpoint {
                url: url.into(),
                tls_sha256: [0; 32],
                token: None
            })
            .is_err(),
            "{url}"
        );
    }
}
