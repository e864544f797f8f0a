//! How late bytes arrive: the rate and the latency of a line, for one direction of one connection.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What a line does to what is sent over it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slow {
    /// Bytes a second each way, of each connection; none: as many as come.
    pub bytes_per_s: Option<u64>,
    /// How long each byte is on its way, one way.
    pub latency: Duration,
    /// Whether a box on the way takes in whatever comes and passes it on later, so that much is on the way at a time.
    pub deep: bool,
}

/// Bytes that a slow line takes in before it takes no more: the queue of a router, which is why a line that is full is late too.
const QUEUE: usize = 32 * 1024;
/// The same of a line that is only long, or deep.
const PIPE: usize = 8 << 20;

/// The reading end of a connection, whose bytes come out as late as the line has them arrive.
pub(super) struct Line {
    from: TcpStream,
    on_the_way: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    /// Until when the line is busy with what was sent before.
    busy: Instant,
    ended: bool,
    taken: u64,
}

impl Line {
    pub fn new(from: TcpStream) -> Self {
        Self {
            from,
            on_the_way: VecDeque::new(),
            bytes: 0,
            busy: Instant::now(),
            ended: false,
            taken: 0,
        }
    }

    /// Bytes that were taken in so far, those on the way included.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// The socket, to read what nobody wants any more.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.from
    }

    /// Bytes that have arrived; 0 at the end. `wait` sleeps so long at most, and is woken when something changes.
    pub fn read(&mut self, buffer: &mut [u8], slow: impl Fn() -> Slow, wait: impl Fn(Duration)) -> io::Result<usize> {
        loop {
            let slow = slow();
            let now = Instant::now();
            let due = self
                .on_the_way
                .front()
                .map(|(due, _)| due.saturating_duration_since(now));
            if due == Some(Duration::ZERO)
                && let Some((_, bytes)) = self.on_the_way.pop_front()
            {
                self.bytes -= bytes.len();
                buffer[..bytes.len()].copy_from_slice(&bytes);
                return Ok(bytes.len());
            }
            let thin = slow.bytes_per_s.is_some() && !slow.deep;
            let room = if thin { QUEUE } else { PIPE };
            if self.ended || self.bytes >= room {
                match due {
                    Some(due) => wait(due),
                    None => return Ok(0),
                }
                continue;
            }
            self.from.set_read_timeout(due)?;
            let read = self.from.read(buffer);
            self.taken += read.as_ref().map_or(0, |count| *count as u64);
            match read {
                Ok(0) => self.ended = true,
                Ok(count) if slow == Slow::default() && self.on_the_way.is_empty() => return Ok(count),
                Ok(count) => self.send(&buffer[..count], slow),
                Err(why) if matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(why) if self.on_the_way.is_empty() => return Err(why),
                Err(_) => self.ended = true,
            }
        }
    }

    fn send(&mut self, bytes: &[u8], slow: Slow) {
        let now = Instant::now();
        let takes = slow.bytes_per_s.map_or(Duration::ZERO, |rate| {
            Duration::from_secs_f64(bytes.len() as f64 / rate.max(1) as f64)
        });
        self.busy = self.busy.max(now) + takes;
        self.bytes += bytes.len();
        self.on_the_way.push_back((self.busy + slow.latency, bytes.to_vec()));
    }
}
