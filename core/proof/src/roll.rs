//! Rolls and closings: how an omission shows (`formats/roll.md`).

use crate::body::Body;
use crate::cbor::Value;
use crate::ids::{DeviceId, IncarnationId, KeyLogHead, OpId};

/// The kind of a roll.
pub const ROLL: &str = "roll";
/// The kind of a closing operation.
pub const CLOSE: &str = "inspection.close";

/// Last operation of one device's incarnation in one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamEnd {
    /// Device.
    pub device: DeviceId,
    /// Incarnation.
    pub incarnation: IncarnationId,
    /// Stream id.
    pub stream: [u8; 16],
    /// Counter of the last operation.
    pub counter: u64,
    /// Its id.
    pub id: OpId,
}

/// What a roll says of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roll {
    /// Tree size it speaks of.
    pub size: u64,
    /// Key log entries then.
    pub key_log_size: u64,
    /// Key log head then.
    pub key_log_head: KeyLogHead,
    /// Every stream of the case.
    pub streams: Vec<StreamEnd>,
}

impl Roll {
    /// The body fields of the roll operation.
    pub fn fields(&self) -> Vec<(String, Value)> {
        let key_log = Value::Array(vec![Value::Uint(self.key_log_size), Value::bytes(self.key_log_head.as_bytes())]);
        let mut fields = vec![("roll/size".to_owned(), Value::Uint(self.size)), ("roll/key_log".to_owned(), key_log)];
        for s in &self.streams {
            // Stream ids print like every other 16-byte id.
            let stream = DeviceId::from_bytes(s.stream);
            fields.push((format!("roll/stream/{}/{}/{stream}", s.device, s.incarnation), end_value(s.counter, &s.id)));
        }
        fields
    }

    /// Reads a roll's body; `None` if a field is missing, withheld or malformed.
    pub fn read(body: &Body) -> Option<Self> {
        let key_log = body.get("roll/key_log")?;
        let [Value::Uint(key_log_size), Value::Bytes(head)] = key_log.as_array()? else {
            return None;
        };
        let mut streams = Vec::new();
        for field in body.fields() {
            let Some(rest) = field.path.strip_prefix("roll/stream/") else {
                continue;
            };
            let parts: Vec<&str> = rest.split('/').collect();
            let [device, incarnation, stream] = parts[..] else {
                return None;
            };
            let (counter, id) = end(&body.get(&field.path)?)?;
            streams.push(StreamEnd {
                device: device.parse().ok()?,
                incarnation: incarnation.parse().ok()?,
                stream: *stream.parse::<DeviceId>().ok()?.as_bytes(),
                counter,
                id,
            });
        }
        Some(Self {
            size: body.get("roll/size")?.as_uint()?,
            key_log_size: *key_log_size,
            key_log_head: KeyLogHead::from_bytes(head.as_slice().try_into().ok()?),
            streams,
        })
    }
}

/// What a closing operation says its author held: (device, incarnation, last counter, its id).
pub type Held = (DeviceId, IncarnationId, u64, OpId);

/// Reads a closing operation's body; `None` if a field is withheld or malformed.
pub fn read_closing(body: &Body) -> Option<Vec<Held>> {
    let held = body.fields().iter().filter_map(|f| Some((f.path.strip_prefix("closing/held/")?, &f.path)));
    let one = |(rest, path): (&str, &String)| {
        let (device, incarnation) = rest.split_once('/')?;
        let (counter, id) = end(&body.get(path)?)?;
        Some((device.parse().ok()?, incarnation.parse().ok()?, counter, id))
    };
    held.map(one).collect()
}

fn end_value(counter: u64, id: &OpId) -> Value {
    Value::Array(vec![Value::Uint(counter), Value::bytes(id.as_bytes())])
}

fn end(value: &Value) -> Option<(u64, OpId)> {
    match value.as_array()? {
        [Value::Uint(counter), Value::Bytes(id)] => Some((*counter, OpId::from_bytes(id.as_slice().try_into().ok()?))),
        _ => None,
    }
}
