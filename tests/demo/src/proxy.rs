//! A real TCP proxy on 127.0.0.1 that passes, cuts, stalls, is slow, flaps, lies or is down, and counts.
//!
//! It stands between a tablet and the server, so that a broken network is broken where networks break: at the socket.
//! Plain threads and the standard library; every wait is a wait for an event.
//!
//! ```no_run
//! use fieldseal_demo::proxy::{Mode, Proxy};
//! use std::time::Duration;
//!
//! let proxy = Proxy::start("127.0.0.1:8443".parse()?)?;
//! proxy.set(Mode::CutAfter { client_bytes: 1 << 20 }); // every connection dies in its second MiB
//! println!("tell the tablet to use {}", proxy.addr());
//! proxy.wait_for(Duration::from_secs(30), |counts| counts.cut > 0);
//! proxy.set(Mode::Pass);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod line;

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use self::line::Line;
pub use self::line::Slow;

/// How long an orphaned server side may take to say its last words.
const DRAIN: Duration = Duration::from_secs(10);

/// What the proxy does with connections, those that are open included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Passes everything on.
    Pass,
    /// Passes exactly so many bytes from client to server, then breaks the connection; each connection anew, an open
    /// one from the moment the mode is set.
    CutAfter {
        /// Bytes that still reach the server.
        client_bytes: u64,
    },
    /// The same once: when a connection has had its bytes, it breaks, and the network is [`Mode::Down`] from then on.
    DownAfter {
        /// Bytes that still reach the server.
        client_bytes: u64,
    },
    /// Passes so many bytes from server to client on each connection, an open one from the moment the mode is set, then no more
    /// that way until the mode changes.
    HoldAfter {
        /// Bytes that still reach the client.
        server_bytes: u64,
    },
    /// Breaks every open connection and closes every new one at once.
    Down,
    /// A black hole: connections open and nothing moves, in neither direction, until the mode changes.
    Stall,
    /// Passes everything on at a rate and with a latency.
    Slow(Slow),
    /// Passes everything on for `half`, is [`Mode::Down`] for `half`, and so on, until the mode changes.
    Flap {
        /// Half of the period.
        half: Duration,
        /// How fast it is while it passes.
        slow: Slow,
    },
    /// Turns one bit of the byte with this number from client to server, counted on each connection, an open one from the moment the
    /// mode is set; once one was turned, the mode is [`Mode::Pass`].
    FlipRequest {
        /// Bytes before it.
        after: u64,
    },
    /// The same from server to client.
    FlipAnswer {
        /// Bytes before it.
        after: u64,
    },
    /// A captive portal: every open connection is broken, every new one is answered by a sign-in page in plain HTTP, whatever it asks,
    /// and the server is never reached.
    Portal,
}

/// What a captive portal answers, also to those who speak TLS.
const SIGN_IN: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 67\r\nConnection: close\r\n\r\n\
<html><body><h1>Welcome</h1>Sign in to use this Wi-Fi</body></html>";

/// What has happened since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were accepted to be passed on.
    pub connections: u64,
    /// Connections that were closed at once because the proxy was down or the server was not there.
    pub refused: u64,
    /// Connections that were broken, by [`Mode::CutAfter`], [`Mode::DownAfter`] or by going [`Mode::Down`].
    pub cut: u64,
    /// Bits that were turned.
    pub flipped: u64,
    /// Connections that a portal answered.
    pub portal: u64,
    /// Connections that are open now.
    pub open: u64,
    /// Bytes that clients sent, whether they reached the server or were lost on the way.
    pub from_clients: u64,
    /// Bytes that reached the server.
    pub to_server: u64,
    /// Bytes that reached the client.
    pub to_client: u64,
}

/// A running proxy. Dropped, it breaks every connection and ends its threads.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    /// In which half a [`Mode::Flap`] is.
    flapped: bool,
    upstream: SocketAddr,
    ending: bool,
    counts: Counts,
    next: u64,
    open: HashMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    client: TcpStream,
    /// None while nothing has been passed on yet.
    server: Option<TcpStream>,
    /// Bytes from the client that may still pass; `None` without limit.
    allowance: Option<u64>,
    /// The same of bytes from the server.
    answers: Option<u64>,
    /// Bytes that have passed each way since the mode was set.
    passed: [u64; 2],
}

/// A direction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// To the server.
    Up,
    /// To the client.
    Down,
}

/// How a connection ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// By one of its two ends.
    Itself,
    /// By us.
    Cut,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and passes on to `upstream`.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let addr = listener.local_addr()?;
        let state = State {
            mode: Mode::Pass,
            flapped: false,
            upstream,
            ending: false,
            counts: Counts::default(),
            next: 0,
            open: HashMap::new(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        let accepting = thread::spawn(move || accepting.accept(&listener));
        Ok(Self {
            addr,
            shared,
            accepting: Some(accepting),
        })
    }

    /// Where clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Changes what happens, from now on, also on open connections.
    pub fn set(&self, mode: Mode) {
        let mut state = self.shared.lock();
        state.mode = mode;
        state.flapped = false;
        for connection in state.open.values_mut() {
            connection.allowance = allowance(mode);
            connection.answers = answers(mode);
            connection.passed = [0; 2];
        }
        if matches!(mode, Mode::Down | Mode::Portal) {
            state.cut_all();
        }
        drop(state);
        self.shared.changed.notify_all();
        if let Mode::Flap { half, .. } = mode {
            let shared = Arc::clone(&self.shared);
            thread::spawn(move || shared.flap(mode, half));
        }
    }

    /// What happens now.
    pub fn mode(&self) -> Mode {
        self.shared.lock().mode
    }

    /// Passes new connections on to another server (one that was restarted on another port).
    pub fn set_upstream(&self, upstream: SocketAddr) {
        self.shared.lock().upstream = upstream;
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        self.shared.lock().counts
    }

    /// Waits until `ready` holds of the counts, at most `deadline`; says whether it does.
    pub fn wait_for(&self, deadline: Duration, ready: impl Fn(&Counts) -> bool) -> bool {
        let waited = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), deadline, |state| !ready(&state.counts));
        ready(&waited.unwrap_or_else(PoisonError::into_inner).0.counts)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ending = true;
        state.cut_all();
        drop(state);
        self.shared.changed.notify_all();
        // Wakes accept(); if even that fails, the thread is left to the end of the process.
        if TcpStream::connect(self.addr).is_ok()
            && let Some(accepting) = self.accepting.take()
        {
            let _ = accepting.join();
        }
    }
}

fn allowance(mode: Mode) -> Option<u64> {
    match mode {
        Mode::CutAfter { client_bytes } | Mode::DownAfter { client_bytes } => Some(client_bytes),
        _ => None,
    }
}

fn answers(mode: Mode) -> Option<u64> {
    match mode {
        Mode::HoldAfter { server_bytes } => Some(server_bytes),
        _ => None,
    }
}

/// Reads to the end what nobody wants any more: closing with unread bytes would reset the server's side, and take
/// from it bytes of the client that it has not read yet.
fn drain(server: &mut TcpStream) {
    if server.set_read_timeout(Some(DRAIN)).is_ok() {
        let _ = io::copy(server, &mut io::sink());
    }
}

/// Breaks a connection. The standard library cannot set SO_LINGER, but a socket that is closed with unread data in it
/// answers with a reset, which is what a client in the middle of an upload gets.
fn break_both(client: &TcpStream, server: Option<&TcpStream>) {
    // An end that has already gone is as broken as it needs to be.
    let _ = client.shutdown(Shutdown::Both);
    if let Some(server) = server {
        let _ = server.shutdown(Shutdown::Both);
    }
}

impl State {
    fn is_down(&self) -> bool {
        self.mode == Mode::Down || (self.flapped && matches!(self.mode, Mode::Flap { .. }))
    }

    fn slow(&self) -> Slow {
        match self.mode {
            Mode::Slow(slow) | Mode::Flap { slow, .. } => slow,
            _ => Slow::default(),
        }
    }

    /// Counts bytes of a connection that are about to be passed on, and turns the bit that is to be turned among them.
    fn spoil(&mut self, id: u64, way: Way, bytes: &mut [u8]) {
        let Some(connection) = self.open.get_mut(&id) else {
            return;
        };
        let before = connection.passed[way as usize];
        connection.passed[way as usize] += bytes.len() as u64;
        let at = match self.mode {
            Mode::FlipRequest { after } if way == Way::Up => after.checked_sub(before),
            Mode::FlipAnswer { after } if way == Way::Down => after.checked_sub(before),
            _ => None,
        };
        let at = at.and_then(|at| usize::try_from(at).ok());
        if let Some(byte) = at.and_then(|at| bytes.get_mut(at)) {
            *byte ^= 0x10;
            self.counts.flipped += 1;
            self.mode = Mode::Pass;
        }
    }

    /// Breaks every open connection; each pump then finds its socket dead and its entry gone.
    fn cut_all(&mut self) {
        for (_, connection) in self.open.drain() {
            break_both(&connection.client, connection.server.as_ref());
            self.counts.cut += 1;
        }
        self.counts.open = 0;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while the mode is [`Mode::Stall`].
    fn unless_stalled(&self) -> MutexGuard<'_, State> {
        let waited = self
            .changed
            .wait_while(self.lock(), |state| state.mode == Mode::Stall && !state.ending);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, and while a connection has had the answers that it may have.
    fn unless_held(&self, id: u64) -> MutexGuard<'_, State> {
        let waited = self.changed.wait_while(self.lock(), |state| {
            let held = state.open.get(&id).is_some_and(|one| one.answers == Some(0));
            (held || state.mode == Mode::Stall) && !state.ending
        });
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits so long, or until the mode changes.
    fn rest(&self, wait: Duration) {
        let state = self.lock();
        let mode = state.mode;
        let unchanged = |state: &mut State| state.mode == mode && !state.ending;
        drop(self.changed.wait_timeout_while(state, wait, unchanged));
    }

    /// Goes down and comes back, until the mode is another.
    fn flap(&self, mode: Mode, half: Duration) {
        loop {
            self.rest(half);
            let mut state = self.lock();
            if state.mode != mode || state.ending {
                return;
            }
            state.flapped = !state.flapped;
            if state.flapped {
                state.cut_all();
            }
            drop(state);
            self.changed.notify_all();
        }
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.lock().ending {
                return;
            }
            // A client that gave up between connecting and being accepted is no event.
            let Ok(client) = client else { continue };
            let shared = Arc::clone(self);
            thread::spawn(move || shared.serve(client));
        }
    }

    /// One connection, from accept to its end.
    fn serve(self: &Arc<Self>, client: TcpStream) {
        let Some(id) = self.register(&client) else { return };
        // A black hole accepts, then says nothing: the server is not even asked.
        let state = self.unless_stalled();
        let (upstream, portal) = (state.upstream, state.mode == Mode::Portal);
        drop(state);
        if portal {
            return self.answer_as_portal(id, client);
        }
        let server = match TcpStream::connect(upstream) {
            Ok(server) => server,
            Err(_) => {
                let mut state = self.lock();
                if state.open.remove(&id).is_some() {
                    state.counts.open -= 1;
                    state.counts.connections -= 1;
                }
                state.counts.refused += 1;
                drop(state);
                self.changed.notify_all();
                return;
            }
        };
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        let Some((down_from, down_to)) = self.attach(id, &client, &server) else {
            return;
        };
        let back = Arc::clone(self);
        let down = thread::spawn(move || back.pump_down(id, down_from, down_to));
        self.pump_up(id, client, server);
        // It only moves bytes; a panic in it has ended the connection already.
        let _ = down.join();
        self.close(id, End::Itself);
    }

    fn answer_as_portal(&self, id: u64, mut client: TcpStream) {
        // Whatever is asked first, if anything: closing with it unread would reset the connection before the page is read.
        let _ = client.set_read_timeout(Some(DRAIN));
        let _ = client.read(&mut [0; 16 * 1024]);
        let _ = client.write_all(SIGN_IN.as_bytes());
        self.lock().counts.portal += 1;
        self.close(id, End::Itself);
    }

    /// Enters a new connection, or closes it because the proxy is down.
    fn register(&self, client: &TcpStream) -> Option<u64> {
        let mut state = self.lock();
        let handle = client.try_clone().ok()?;
        if state.is_down() || state.ending {
            state.counts.refused += 1;
            drop(state);
            self.changed.notify_all();
            return None;
        }
        let id = state.next;
        state.next += 1;
        state.counts.connections += 1;
        state.counts.open += 1;
        let (allowance, answers) = (allowance(state.mode), answers(state.mode));
        state.open.insert(
            id,
            Connection {
                client: handle,
                server: None,
                allowance,
                answers,
                passed: [0; 2],
            },
        );
        drop(state);
        self.changed.notify_all();
        Some(id)
    }

    /// Remembers the server's side; `None` if the connection was cut while it was being made.
    fn attach(&self, id: u64, client: &TcpStream, server: &TcpStream) -> Option<(TcpStream, TcpStream)> {
        let mut state = self.lock();
        let connection = state.open.get_mut(&id)?;
        connection.server = Some(server.try_clone().ok()?);
        Some((server.try_clone().ok()?, client.try_clone().ok()?))
    }

    /// Client to server.
    fn pump_up(&self, id: u64, client: TcpStream, mut server: TcpStream) {
        let mut buffer = [0; 16 * 1024];
        let mut line = Line::new(client);
        let mut counted = 0;
        loop {
            let read = line.read(&mut buffer, || self.lock().slow(), |wait| self.rest(wait));
            self.lock().counts.from_clients += line.taken() - counted;
            counted = line.taken();
            let count = match read {
                Ok(0) | Err(_) => break,
                Ok(count) => count,
            };
            let mut state = self.unless_stalled();
            let Some(connection) = state.open.get_mut(&id) else {
                return;
            };
            let limit = connection.allowance.unwrap_or(u64::MAX);
            let pass = usize::try_from(limit).map_or(count, |limit| limit.min(count));
            if let Some(allowance) = &mut connection.allowance {
                *allowance -= pass as u64;
            }
            let cut = connection.allowance == Some(0);
            if cut && matches!(state.mode, Mode::DownAfter { .. }) {
                // Before the client can find out: its next connection is refused.
                state.mode = Mode::Down;
            }
            state.spoil(id, Way::Up, &mut buffer[..pass]);
            drop(state);
            let sent = server.write_all(&buffer[..pass]);
            if sent.is_ok() {
                self.lock().counts.to_server += pass as u64;
                self.changed.notify_all();
            }
            if cut {
                self.close(id, End::Cut);
                return;
            }
            if sent.is_err() {
                break;
            }
        }
        // The client has said all it wants to say; the answer may still be on its way.
        let _ = server.shutdown(Shutdown::Write);
    }

    /// Server to client.
    fn pump_down(&self, id: u64, server: TcpStream, mut client: TcpStream) {
        let mut buffer = [0; 16 * 1024];
        let mut line = Line::new(server);
        loop {
            let count = match line.read(&mut buffer, || self.lock().slow(), |wait| self.rest(wait)) {
                Ok(0) | Err(_) => break,
                Ok(count) => count,
            };
            let mut rest = &mut buffer[..count];
            while !rest.is_empty() {
                let mut state = self.unless_held(id);
                let Some(connection) = state.open.get_mut(&id) else {
                    drop(state);
                    drain(line.socket());
                    return;
                };
                let limit = connection.answers.unwrap_or(u64::MAX);
                let pass = usize::try_from(limit).map_or(rest.len(), |limit| limit.min(rest.len()));
                if let Some(answers) = &mut connection.answers {
                    *answers -= pass as u64;
                }
                let (now, later) = std::mem::take(&mut rest).split_at_mut(pass);
                state.spoil(id, Way::Down, now);
                drop(state);
                if client.write_all(now).is_err() {
                    self.close(id, End::Itself);
                    drain(line.socket());
                    return;
                }
                self.lock().counts.to_client += pass as u64;
                self.changed.notify_all();
                rest = later;
            }
        }
        // The server has said all it wants to say; the client may still be talking, and finds out by itself.
        let _ = client.shutdown(Shutdown::Write);
    }

    fn close(&self, id: u64, end: End) {
        let mut state = self.lock();
        if let Some(connection) = state.open.remove(&id) {
            // The server still reads what was passed on before the end, so a cut leaves it exactly those bytes.
            let _ = connection.client.shutdown(Shutdown::Both);
            if let Some(server) = &connection.server {
                let _ = server.shutdown(Shutdown::Write);
            }
            state.counts.open -= 1;
            state.counts.cut += u64::from(end == End::Cut);
        }
        drop(state);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests;
