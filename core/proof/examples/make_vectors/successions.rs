//! The end of one generation of a log: `key-log.md`, Actions, and `log.md`, Generations.

use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::key_log::{Custody, Entry, KeyLogFrame, KeyRecord, Purpose};
use fieldseal_proof::succession::Succession;
use fieldseal_proof::suite::Signer;

use super::actors::{ORIGIN, ed25519, seed};
use super::key_logs::{Ledger, ceremony, good, plus};
use super::{Result, Vector, hex};

const PAGE: &str = "key-log.md";

/// The root key freezes a generation of the log and names the next one.
pub fn vectors() -> Result<Vec<Vector>> {
    let (root, admin): (&dyn Signer, &dyn Signer) = (&ed25519("root")?, &ed25519("admin")?);
    const LOG: &str = "log.md, Generations";
    const NEXT: &str = "example.org/county/1";
    let frozen = |size: Value| -> Result<Body> {
        let fields = [("log/root", Value::bytes(seed("last known root"))), ("log/size", size)];
        Ok(Body::build(seed("succession"), fields.map(|(p, v)| (p.to_owned(), v)).into())?)
    };
    let attrs = frozen(Value::Uint(4711))?;
    let entry = |log: &Ledger, name: Option<&str>, signer: &dyn Signer, attrs: &Body| Entry {
        name: name.map(str::to_owned),
        attrs_root: Some(attrs.root()),
        ..log.entry("succession", signer.public())
    };
    let log = |name: Option<&str>, signer: &dyn Signer, change: fn(&mut Entry)| {
        let whole = |log: &Ledger| {
            let mut entry = entry(log, name, signer, &attrs);
            change(&mut entry);
            Ok(entry)
        };
        plus(whole, None, signer)
    };
    let bad = |name: &str, what: &str, bytes: Vec<u8>, reason| {
        Vector::invalid("key-log", name, PAGE, what, reason).with("sequence", hex(bytes))
    };
    let alone = |vector: Vector, old: &str, name: &str, shown: &Body, full: &Body| -> Result<Vector> {
        let log = ceremony()?;
        let frame = KeyLogFrame::sign(&entry(&log, Some(name), root, full), Some(shown.clone()), root)?;
        Ok(vector.with("old", old).with("frame", hex(frame.encode())))
    };
    let refused = |name: &str, what: &str| Vector::invalid("succession", name, LOG, what, "succession");
    let as_text = frozen(Value::text("4711"))?;
    let kept_back = attrs.withhold(&["log/root"]);
    let found = Succession::read(ORIGIN, &entry(&ceremony()?, Some(NEXT), root, &attrs), &attrs).ok_or("it reads")?;
    let what = "The root key ends a generation of the log at its last known head and names the next one.";
    Ok(vec![
        good("succession", what, &log(Some(NEXT), root, |_| ())?)?,
        bad(
            "succession-by-admin",
            "An administrator ends a generation of the log.",
            log(Some(NEXT), admin, |_| ())?,
            "admin-not-allowed",
        ),
        bad(
            "succession-without-origin",
            "A succession that names no new log.",
            log(None, root, |_| ())?,
            "key-log-fields",
        ),
        bad(
            "succession-without-head",
            "A succession that does not commit to the old log's head.",
            log(Some(NEXT), root, |entry| entry.attrs_root = None)?,
            "key-log-fields",
        ),
        bad(
            "succession-with-a-key",
            "A succession that also enrols a key.",
            log(Some(NEXT), root, |entry| {
                let key = entry.signer;
                entry.keys = vec![KeyRecord {
                    purpose: Purpose::Escrow,
                    suite: 0,
                    public: key.as_bytes().to_vec(),
                    custody: Custody::Hardware,
                }];
            })?,
            "key-log-fields",
        ),
        alone(Vector::valid("succession", "next-generation", LOG, what), ORIGIN, NEXT, &attrs, &attrs)?
            .gives("new", found.new.clone())
            .gives("size", found.size)
            .gives("root", hex(found.root))
            .gives("leaf", found.leaf().to_string()),
        alone(
            refused("generation-skipped", "The new origin is not the next generation."),
            ORIGIN,
            "example.org/county/2",
            &attrs,
            &attrs,
        )?,
        alone(
            refused("another-log", "The new origin is that of another log."),
            ORIGIN,
            "example.org/town/1",
            &attrs,
            &attrs,
        )?,
        alone(refused("size-as-text", "The size of the frozen log as text."), ORIGIN, NEXT, &as_text, &as_text)?,
        alone(refused("root-withheld", "The root of the frozen log is withheld."), ORIGIN, NEXT, &kept_back, &attrs)?,
    ])
}
