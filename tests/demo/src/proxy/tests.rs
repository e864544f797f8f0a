use super::*;
use std::sync::mpsc;

const LONG: Duration = Duration::from_secs(20);

/// A server that sends back what it gets and tells, per connection, how many bytes it got.
fn echo() -> (SocketAddr, mpsc::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, tell) = (stream.unwrap(), tell.clone());
            thread::spawn(move || {
                let (mut buffer, mut total) = ([0; 4096], 0);
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    total += count;
                    if stream.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                }
                let _ = tell.send(total);
            });
        }
    });
    (addr, told)
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.addr()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

#[test]
fn passes_both_ways_and_counts() {
    let (server, told) = echo();
    let proxy = Proxy::start(server).unwrap();
    let mut client = connect(&proxy);
    client
        .write_all(&[7; 100_000])
        .unwrap_or_else(|error| panic!("{error}"));
    client.shutdown(Shutdown::Write).unwrap();
    let mut back = Vec::new();
    client.read_to_end(&mut back).unwrap();
    assert_eq!(back, vec![7; 100_000]);
    assert_eq!(told.recv_timeout(LONG).unwrap(), 100_000);
    assert!(proxy.wait_for(LONG, |counts| counts.open == 0));
    let counts = proxy.counts();
    assert_eq!(
        (counts.to_server, counts.to_client, counts.connections, counts.cut),
        (100_000, 100_000, 1, 0)
    );
}

#[test]
fn cuts_each_connection_after_exactly_so_many_bytes() {
    let (server, told) = echo();
    let proxy = Proxy::start(server).unwrap();
    proxy.set(Mode::CutAfter { client_bytes: 50_001 });
    for round in 1..=2 {
        let mut client = connect(&proxy);
        let mut reader = client.try_clone().unwrap();
        let reading = thread::spawn(move || reader.read_to_end(&mut Vec::new()));
        // The write fails somewhere after the cut, or its rest is lost in the socket's buffer.
        let _ = client.write_all(&vec![1; 1 << 20]);
        assert_eq!(told.recv_timeout(LONG).unwrap(), 50_001);
        assert!(proxy.wait_for(LONG, |counts| counts.cut == round && counts.open == 0));
        let _ = reading.join();
    }
    assert_eq!(proxy.counts().to_server, 100_002);
    proxy.set(Mode::Pass);
    let mut client = connect(&proxy);
    client.write_all(b"healed").unwrap();
    let mut back = [0; 6];
    client.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"healed");
}

#[test]
fn going_down_breaks_what_is_open_and_refuses_what_comes() {
    let (server, told) = echo();
    let proxy = Proxy::start(server).unwrap();
    let mut client = connect(&proxy);
    client.write_all(b"hello").unwrap();
    client.read_exact(&mut [0; 5]).unwrap();
    proxy.set(Mode::Down);
    assert!(
        matches!(client.read(&mut [0; 1]), Ok(0) | Err(_)),
        "the open connection is dead"
    );
    assert_eq!(told.recv_timeout(LONG).unwrap(), 5);
    let mut refused = connect(&proxy);
    assert!(
        matches!(refused.read(&mut [0; 1]), Ok(0) | Err(_)),
        "a new one is closed"
    );
    assert!(proxy.wait_for(LONG, |counts| counts.refused == 1));
    assert_eq!(proxy.counts().cut, 1);
}

#[test]
fn stalled_bytes_arrive_when_the_stall_ends() {
    let (server, _told) = echo();
    let proxy = Proxy::start(server).unwrap();
    proxy.set(Mode::Stall);
    let mut client = connect(&proxy);
    client.write_all(b"patience").unwrap();
    client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(client.read(&mut [0; 1]).is_err(), "nothing comes back while stalled");
    assert_eq!(proxy.counts().to_server, 0);
    proxy.set(Mode::Pass);
    client.set_read_timeout(Some(LONG)).unwrap();
    let mut back = [0; 8];
    client.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"patience");
}

#[test]
fn answers_are_held_where_it_was_said_and_go_on_afterwards() {
    let (server, _told) = echo();
    let proxy = Proxy::start(server).unwrap();
    proxy.set(Mode::HoldAfter { server_bytes: 5 });
    let mut client = connect(&proxy);
    client.write_all(b"patience").unwrap();
    let mut back = [0; 8];
    client.read_exact(&mut back[..5]).unwrap();
    assert!(proxy.wait_for(LONG, |counts| counts.to_client == 5 && counts.to_server == 8));
    client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(client.read(&mut [0; 1]).is_err(), "nothing more comes back");
    proxy.set(Mode::Pass);
    client.set_read_timeout(Some(LONG)).unwrap();
    client.read_exact(&mut back[5..]).unwrap();
    assert_eq!(&back, b"patience");
}

#[test]
fn a_server_that_is_not_there_is_a_refusal() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (server, _told) = echo();
    let proxy = Proxy::start(gone).unwrap();
    assert!(matches!(connect(&proxy).read(&mut [0; 1]), Ok(0) | Err(_)));
    assert!(proxy.wait_for(LONG, |counts| counts.refused == 1 && counts.open == 0));
    proxy.set_upstream(server);
    let mut client = connect(&proxy);
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0; 1]).unwrap();
}

fn slow(bytes_per_s: Option<u64>, latency_ms: u64) -> Mode {
    Mode::Slow(Slow {
        bytes_per_s,
        latency: Duration::from_millis(latency_ms),
        deep: false,
    })
}

#[test]
fn a_slow_line_is_as_slow_as_it_says_and_loses_nothing() {
    let (server, _told) = echo();
    let proxy = Proxy::start(server).unwrap();
    proxy.set(slow(Some(200_000), 50));
    let begun = std::time::Instant::now();
    let mut client = connect(&proxy);
    let sent: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    client.write_all(&sent).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut back = Vec::new();
    client.read_to_end(&mut back).unwrap();
    assert_eq!(back, sent);
    // Half a second for the bytes, and the way there and back.
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(600), "it took {took:?}");
}

#[test]
fn a_long_line_carries_much_at_a_time() {
    let (server, _told) = echo();
    let proxy = Proxy::start(server).unwrap();
    proxy.set(slow(None, 100));
    let begun = std::time::Instant::now();
    let mut client = connect(&proxy);
    client.write_all(&[9; 400_000]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut back = Vec::new();
    client.read_to_end(&mut back).unwrap();
    let took = begun.elapsed();
    assert_eq!(back.len(), 400_000);
    // Twenty-five chunks one after the other would be five seconds.
    assert!(
        took >= Duration::from_millis(200) && took < Duration::from_secs(3),
        "it took {took:?}"
    );
}

#[test]
fn one_bit_is_turned_where_it_was_said_and_only_once() {
    for (mode, at) in [
        (Mode::FlipRequest { after: 3 }, 3),
        (Mode::FlipAnswer { after: 0 }, 0),
        (Mode::FlipAnswer { after: 20_000 }, 20_000),
    ] {
        let (server, _told) = echo();
        let proxy = Proxy::start(server).unwrap();
        proxy.set(mode);
        for turned in [true, false] {
            let mut client = connect(&proxy);
            client.write_all(&[0; 30_000]).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            let mut back = Vec::new();
            client.read_to_end(&mut back).unwrap();
            let wrong: Vec<usize> = (0..back.len()).filter(|n| back[*n] != 0).collect();
            assert_eq!(
                (back.len(), wrong),
                (30_000, if turned { vec![at] } else { vec![] }),
                "{mode:?}"
            );
        }
        assert_eq!(proxy.counts().flipped, 1);
    }
}

#[test]
fn a_portal_answers_in_the_servers_place() {
    let (server, told) = echo();
    let proxy = Proxy::start(server).unwrap();
    proxy.set(Mode::Portal);
    let mut client = connect(&proxy);
    client.write_all(b"\x16\x03\x01 a greeting in TLS").unwrap();
    let mut page = String::new();
    client.read_to_string(&mut page).unwrap();
    assert_eq!(page, SIGN_IN);
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    assert!(proxy.wait_for(LONG, |counts| counts.portal == 1 && counts.open == 0));
    drop(proxy);
    assert!(told.try_recv().is_err(), "the server was never asked");
}

#[test]
fn a_flapping_line_goes_and_comes_back() {
    let (server, _told) = echo();
    let proxy = Proxy::start(server).unwrap();
    let half = Duration::from_millis(60);
    proxy.set(Mode::Flap {
        half,
        slow: Slow::default(),
    });
    let mut client = connect(&proxy);
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0; 1]).unwrap();
    assert!(proxy.wait_for(LONG, |counts| counts.cut == 1), "it goes down");
    let (mut passed, mut refused) = (0, 0);
    while passed < 3 || refused < 3 {
        let mut client = connect(&proxy);
        let _ = client.write_all(b"x");
        match client.read_exact(&mut [0; 1]) {
            Ok(()) => passed += 1,
            Err(_) => refused += 1,
        }
    }
    proxy.set(Mode::Pass);
    let mut client = connect(&proxy);
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0; 1]).unwrap();
}
