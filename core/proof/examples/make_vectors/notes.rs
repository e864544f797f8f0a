//! Signed notes, verifier keys, checkpoints, time notes and cosignatures: `log.md`.

use fieldseal_proof::checkpoint::{AttestationKind, Checkpoint, TimeNote, anchor};
use fieldseal_proof::encoding::base64;
use fieldseal_proof::note::{SignedNote, VerifierKey};
use fieldseal_proof::suite::Signer;

use super::actors::{MORNING, ORIGIN, ed25519, seed};
use super::{Result, Vector, forgery, hex};

const PAGE: &str = "log.md";

pub fn vectors() -> Result<Vec<Vector>> {
    let mut out = notes()?;
    out.extend(verifier_keys()?);
    out.extend(checkpoints()?);
    out.extend(time_notes()?);
    out.extend(cosignatures()?);
    Ok(out)
}

/// A note with the line of a witness (cosignature/v1).
pub fn cosigned(note: &SignedNote, name: &str, witness: &dyn Signer, unix_seconds: u64) -> Result<SignedNote> {
    let key = VerifierKey::cosigner(name, witness.public().clone())?;
    let message = format!("cosignature/v1\ntime {unix_seconds}\n{}", note.text());
    let signature = witness.sign_raw(message.as_bytes())?;
    let data = [&key.hash().to_be_bytes()[..], &unix_seconds.to_be_bytes(), &signature].concat();
    let line = format!("— {name} {}\n", base64(&data));
    Ok(SignedNote::parse(&[&note.to_bytes(), line.as_bytes()].concat())?)
}

/// The log's verifier key.
pub fn log_vkey() -> Result<String> {
    Ok(VerifierKey::ed25519(ORIGIN, ed25519("log")?.public().clone())?.to_vkey())
}

/// A note as text.
pub fn text_of(note: &SignedNote) -> Result<String> {
    Ok(String::from_utf8(note.to_bytes())?)
}

fn signed(text: &str) -> Result<String> {
    text_of(&SignedNote::sign(text, ORIGIN, &ed25519("log")?)?)
}

fn notes() -> Result<Vec<Vector>> {
    let text = "first line\n\nthird line, 第三行\n";
    let good_note = signed(text)?;
    let vkey = log_vkey()?;
    let (_, line) = good_note.rsplit_once("\n\n").ok_or("a note has a blank line")?;
    let stranger = text_of(&SignedNote::sign(text, "example.org/other", &ed25519("stranger")?)?)?;
    let (_, other_line) = stranger.rsplit_once("\n\n").ok_or("a note has a blank line")?;
    let good = |name, what, note: &str| {
        Vector::valid("note", name, PAGE, what).with("note", note).with("vkey", vkey.clone()).gives("text", text)
    };
    let bad = |name, what, note: String, reason| {
        Vector::invalid("note", name, PAGE, what, reason).with("note", note).with("vkey", vkey.clone())
    };
    let short = format!("{text}\n— {ORIGIN} {}\n", base64(&[1, 2, 3]));
    let same_hash_bad = {
        let key = VerifierKey::parse(&vkey)?;
        let line = [&key.hash().to_be_bytes()[..], &[9; 64]].concat();
        format!("{text}\n— {ORIGIN} {}\n", base64(&line))
    };
    let s_plus_l = {
        let signature = forgery::plus_order(&ed25519("log")?.sign_raw(text.as_bytes())?);
        let line = [&VerifierKey::parse(&vkey)?.hash().to_be_bytes()[..], &signature].concat();
        format!("{text}\n— {ORIGIN} {}\n", base64(&line))
    };
    let many = (0..64).fold(good_note.clone(), |note, i| {
        note + &format!("— example.org/w{i} {}\n", base64(&[&[i as u8; 4][..], &[1; 64]].concat()))
    });
    Ok(vec![
        good("signed", "A text with a blank line in it, signed by the log key.", &good_note),
        good(
            "unknown-key",
            "A line of a key that the reader does not know is ignored.",
            &format!("{text}\n{other_line}{line}"),
        ),
        good(
            "same-name-other-key",
            "A line with the same name and another key hash is of another key, and ignored.",
            &format!("{text}\n— {ORIGIN} {}\n{line}", base64(&[&[0; 4][..], &[1; 64]].concat())),
        ),
        bad("line-twice", "The same signature line twice.", format!("{good_note}{line}"), "note-line-twice"),
        bad(
            "unknown-line-twice",
            "A line of an unknown key twice.",
            format!("{good_note}{other_line}{other_line}"),
            "note-line-twice",
        ),
        bad(
            "line-without-dash",
            "A signature line that does not begin with a dash.",
            good_note.replace("\n— ", "\n- "),
            "note-line",
        ),
        bad(
            "line-not-base64",
            "A signature line with a character that is not base64.",
            good_note.replace("=\n", "!\n"),
            "note-line",
        ),
        bad("line-too-short", "A signature line of three bytes: no key hash.", short, "note-line"),
        bad("superfluous-line", "A line after the signatures.", format!("{good_note}thank you\n"), "note-line"),
        bad(
            "blank-line-missing",
            "No blank line before the signatures.",
            format!("one line\n{line}"),
            "note-blank-line",
        ),
        bad("last-line-not-ended", "No line end at the end.", good_note.trim_end().to_owned(), "note-end"),
        bad("control-character", "A tabulator in the text.", signed("a\tb\n")?, "note-control"),
        bad("carriage-return", "Lines that end as on Windows.", good_note.replace('\n', "\r\n"), "note-control"),
        bad(
            "text-changed",
            "A character of the text was changed.",
            good_note.replace("third", "Third"),
            "note-signature",
        ),
        bad(
            "bad-line-of-known-key",
            "A line of the known key with another signature.",
            same_hash_bad,
            "note-signature",
        ),
        bad("s-plus-l", "A good signature with S + L.", s_plus_l, "note-signature"),
        bad("not-signed-by-the-key", "Only a line of another key.", stranger.clone(), "note-not-signed"),
        bad("65-lines", "One signature line too many.", many, "note-too-many-lines"),
    ])
}

fn verifier_keys() -> Result<Vec<Vector>> {
    let (log, witness) = (ed25519("log")?, ed25519("witness")?);
    let good = |name, what, key: &VerifierKey, algorithm: u64| {
        Vector::valid("verifier-key", name, PAGE, what)
            .with("vkey", key.to_vkey())
            .gives("name", key.name())
            .gives("hash", format!("{:08x}", key.hash()))
            .gives("algorithm", algorithm)
            .gives("public", hex(key.key().as_bytes()))
    };
    let bad =
        |name, what, vkey: String, reason| Vector::invalid("verifier-key", name, PAGE, what, reason).with("vkey", vkey);
    let vkey = log_vkey()?;
    let other_hash = vkey.replacen(&vkey[ORIGIN.len() + 1..ORIGIN.len() + 9], "00000000", 1);
    let raw = |algorithm: u8, key: &[u8]| -> Result<String> {
        let digest = fieldseal_proof::hash::sha256(&[ORIGIN.as_bytes(), &[0x0a, algorithm], key].concat());
        Ok(format!("{ORIGIN}+{}+{}", hex(&digest[..4]), base64(&[&[algorithm], key].concat())))
    };
    Ok(vec![
        good("log", "The key of a log.", &VerifierKey::ed25519(ORIGIN, log.public().clone())?, 1),
        good(
            "witness",
            "The key of a witness: another algorithm byte, another hash.",
            &VerifierKey::cosigner("example.net/witness", witness.public().clone())?,
            4,
        ),
        bad("wrong-hash", "A hash that is not that of name and key.", other_hash, "vkey-hash"),
        bad("weak-key", "A key of order one.", raw(1, &forgery::NEUTRAL)?, "vkey-weak"),
        bad("unknown-algorithm", "Algorithm byte 2.", raw(2, log.public().as_bytes())?, "vkey-algorithm"),
        bad("blank-in-name", "A name with a blank.", vkey.replace("example.org", "example org"), "vkey-name"),
        bad("two-parts", "No key.", vkey[..ORIGIN.len() + 9].to_owned(), "vkey-form"),
        bad(
            "hash-in-capitals",
            "A second spelling of the hash.",
            {
                let (name, rest) = vkey.split_once('+').ok_or("a vkey has parts")?;
                let (hash, key) = rest.split_once('+').ok_or("a vkey has parts")?;
                format!("{name}+{}+{key}", hash.to_uppercase())
            },
            "vkey-hash",
        ),
    ])
}

/// A checkpoint of the sample tree.
pub fn sample_checkpoint() -> Checkpoint {
    Checkpoint { origin: ORIGIN.to_owned(), size: 4711, root: seed("root of 4711 leaves") }
}

fn checkpoints() -> Result<Vec<Vector>> {
    let checkpoint = sample_checkpoint();
    let text = checkpoint.text();
    let vkey = log_vkey()?;
    let good = |name, what, note: String| {
        Vector::valid("checkpoint", name, PAGE, what)
            .with("note", note)
            .with("vkey", vkey.clone())
            .gives("origin", checkpoint.origin.clone())
            .gives("size", checkpoint.size)
            .gives("root", hex(checkpoint.root))
    };
    let bad = |name, what, note: String, reason| {
        Vector::invalid("checkpoint", name, PAGE, what, reason).with("note", note).with("vkey", vkey.clone())
    };
    let root = base64(&checkpoint.root);
    let lines = |size: &str, root: &str| signed(&format!("{ORIGIN}\n{size}\n{root}\n"));
    Ok(vec![
        good("signed", "Origin, size and root, signed by the log key.", signed(&text)?),
        good(
            "extension-line",
            "A further line in the text is signed, and ignored.",
            signed(&format!("{text}an extension\n"))?,
        ),
        bad("leading-zero", "A size with a leading zero.", lines("04711", &root)?, "number-spelling"),
        bad("plus-sign", "A size with a plus sign.", lines("+4711", &root)?, "number"),
        bad("negative-size", "A negative size.", lines("-1", &root)?, "number"),
        bad(
            "size-of-2-to-the-64",
            "A size that does not fit 64 bits.",
            lines("18446744073709551616", &root)?,
            "number",
        ),
        bad("root-of-31-bytes", "A root that is too short.", lines("4711", &base64(&checkpoint.root[..31]))?, "root"),
        bad(
            "root-without-padding",
            "A second spelling of the root.",
            lines("4711", root.trim_end_matches('='))?,
            "root",
        ),
        bad("root-missing", "Two lines.", signed(&format!("{ORIGIN}\n4711\n"))?, "checkpoint-line"),
        bad(
            "size-changed",
            "Another size under the signature.",
            signed(&text)?.replace("4711", "4712"),
            "note-signature",
        ),
        bad(
            "other-key",
            "Signed by the time key under the name of the log.",
            text_of(&SignedNote::sign(&text, ORIGIN, &ed25519("time")?)?)?,
            "note-not-signed",
        ),
    ])
}

fn time_notes() -> Result<Vec<Vector>> {
    let checkpoint = sample_checkpoint();
    let time = TimeNote { origin: ORIGIN.to_owned(), unix_ms: MORNING, size: checkpoint.size, root: checkpoint.root };
    let name = TimeNote::key_name(ORIGIN);
    let key = ed25519("time")?;
    let vkey = VerifierKey::ed25519(&name, key.public().clone())?.to_vkey();
    let by_time = |text: &str| text_of(&SignedNote::sign(text, &name, &key)?);
    let note = by_time(&time.text())?;
    let bad = |name, what, note: String, reason| {
        Vector::invalid("time-note", name, PAGE, what, reason).with("note", note).with("vkey", vkey.clone())
    };
    Ok(vec![
        Vector::valid("time-note", "signed", PAGE, "The server's word about time, by its time key.")
            .with("note", note.clone())
            .with("vkey", vkey.clone())
            .gives("origin", time.origin.clone())
            .gives("unix_ms", time.unix_ms)
            .gives("size", time.size)
            .gives("root", hex(time.root))
            .gives("anchor", anchor(AttestationKind::TimeNote, note.as_bytes()).to_string()),
        bad(
            "time-changed",
            "Another time under the signature.",
            note.replace(&MORNING.to_string(), &(MORNING + 1).to_string()),
            "note-signature",
        ),
        bad(
            "extra-line",
            "A sixth line: a time note has no extensions.",
            by_time(&format!("{}x\n", time.text()))?,
            "time-note-form",
        ),
        bad("other-first-line", "Another first line.", by_time(&time.text().replace("/v0", "/v1"))?, "time-note-form"),
        bad(
            "leading-zero",
            "A time with a leading zero.",
            by_time(&time.text().replacen(&MORNING.to_string(), &format!("0{MORNING}"), 1))?,
            "number-spelling",
        ),
        bad("checkpoint-given", "A checkpoint is no time note.", by_time(&checkpoint.text())?, "time-note-form"),
        bad(
            "signed-by-the-log-key",
            "The log key does not say the time.",
            text_of(&SignedNote::sign(&time.text(), ORIGIN, &ed25519("log")?)?)?,
            "note-not-signed",
        ),
    ])
}

fn cosignatures() -> Result<Vec<Vector>> {
    let checkpoint = sample_checkpoint();
    let (witness, name) = (ed25519("witness")?, "example.net/witness");
    let key = VerifierKey::cosigner(name, witness.public().clone())?;
    let seconds = MORNING / 1000;
    let note = SignedNote::sign(&checkpoint.text(), ORIGIN, &ed25519("log")?)?;
    let plain = text_of(&note)?;
    let note = cosigned(&note, name, &witness, seconds)?;
    let given = |v: Vector, note: String| v.with("note", note).with("vkey", key.to_vkey());
    let bad = |name, what, note: String, reason| given(Vector::invalid("cosignature", name, PAGE, what, reason), note);
    let line = |seconds: u64, signature: &[u8]| {
        let data = [&key.hash().to_be_bytes()[..], &seconds.to_be_bytes(), signature].concat();
        format!("{plain}— {name} {}\n", base64(&data))
    };
    let message = |seconds: u64| format!("cosignature/v1\ntime {seconds}\n{}", checkpoint.text());
    let at_time = witness.sign_raw(message(seconds).as_bytes())?;
    let without_time = witness.sign_raw(checkpoint.text().as_bytes())?;
    let as_log = SignedNote::sign(&checkpoint.text(), name, &witness)?;
    let as_log = text_of(&as_log)?;
    Ok(vec![
        given(
            Vector::valid("cosignature", "witnessed", PAGE, "A checkpoint with the line of a witness."),
            text_of(&note)?,
        )
        .gives("unix_seconds", seconds)
        .gives("message", message(seconds)),
        bad("time-changed", "Another time before the same signature.", line(seconds + 1, &at_time), "note-signature"),
        bad(
            "plain-signature",
            "The signature of the text alone, without the time.",
            line(seconds, &without_time),
            "note-signature",
        ),
        bad("line-cut-off", "A line that ends inside the signature.", line(seconds, &at_time[..63]), "note-signature"),
        bad(
            "as-log-key",
            "The witness's line with the algorithm of a log: another key hash.",
            as_log,
            "note-not-signed",
        ),
        bad("not-cosigned", "A checkpoint without the witness's line.", plain.clone(), "note-not-signed"),
    ])
}
