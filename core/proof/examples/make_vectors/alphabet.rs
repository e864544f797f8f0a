//! CBOR, the tagged hash, keys, signatures and words: `README.md` of the pages.

use fieldseal_proof::dsse::{self, pae};
use fieldseal_proof::encoding::proquints;
use fieldseal_proof::hash::h;
use fieldseal_proof::suite::{PublicKey, Signer};

use super::actors::{ed25519, p256, seed};
use super::{Result, Vector, forgery, hex};

pub fn vectors() -> Result<Vec<Vector>> {
    let mut out = cbor();
    out.extend(hashes());
    out.extend(public_keys()?);
    out.extend(signatures()?);
    out.extend(words());
    Ok(out)
}

const CBOR: &str = "README.md, Deterministic CBOR";

fn cbor() -> Vec<Vector> {
    let good = |name, what, bytes: &str, notation: &str| {
        Vector::valid("cbor", name, CBOR, what).with("bytes", bytes).gives("notation", notation)
    };
    let bad = |name, what, bytes: &str, reason| Vector::invalid("cbor", name, CBOR, what, reason).with("bytes", bytes);
    vec![
        good(
            "every-kind-of-item",
            "A map with every item of the profile.",
            "a700000120024401020304036373c3a40482f4f5058006a0",
            "{0: 0, 1: -1, 2: h'01020304', 3: \"sä\", 4: [false, true], 5: [], 6: {}}",
        ),
        good(
            "integers-at-every-width",
            "The least and greatest integer of each width.",
            "8c171818 18ff 190100 19ffff 1a00010000 1affffffff 1b0000000100000000 1bffffffffffffffff 37 3818 3bffffffffffffffff"
                .replace(' ', "")
                .as_str(),
            "[23, 24, 255, 256, 65535, 65536, 4294967295, 4294967296, 18446744073709551615, -24, -25, -18446744073709551616]",
        ),
        good(
            "eight-containers-deep",
            "An item inside eight arrays: the deepest that is allowed.",
            "818181818181818100",
            "[[[[[[[[0]]]]]]]]",
        ),
        bad("integer-not-shortest", "23 in two bytes.", "1817", "not-shortest"),
        bad("length-not-shortest", "A byte string of one byte with a two-byte length.", "580100", "not-shortest"),
        bad("map-count-not-shortest", "An empty map with its count in two bytes.", "b800", "not-shortest"),
        bad("map-key-not-shortest", "A map key 0 in two bytes.", "a1180000", "not-shortest"),
        bad("indefinite-array", "An array of indefinite length.", "9f00ff", "indefinite-length"),
        bad("indefinite-bytes", "A byte string of indefinite length.", "5f4100ff", "indefinite-length"),
        bad("reserved-length", "Additional information 28, which is reserved.", "1c", "indefinite-length"),
        bad("tag", "A tagged item.", "c000", "tag"),
        bad("float", "A half-precision float.", "f97e00", "simple-value"),
        bad("null", "null.", "f6", "simple-value"),
        bad("undefined", "undefined.", "f7", "simple-value"),
        bad("simple-value", "Simple value 0.", "e0", "simple-value"),
        bad("text-map-key", "A map with a text key.", "a1616100", "map-key-type"),
        bad("negative-map-key", "A map with the key -1.", "a12000", "map-key-type"),
        bad("unordered-map-keys", "A map with the keys 1, 0.", "a201000000", "map-key-order"),
        bad("duplicate-map-key", "A map with the key 0 twice.", "a200000001", "map-key-order"),
        bad("text-not-utf8", "A text that is the byte FF.", "61ff", "utf8"),
        bad("bytes-after-the-item", "A zero after the item.", "0000", "trailing-bytes"),
        bad("nine-containers-deep", "An item inside nine arrays.", "81818181818181818100", "too-deep"),
        bad(
            "more-items-than-bytes",
            "An array that claims 2^63 - 1 items: refused before anything is allocated.",
            "9b7fffffffffffffff00",
            "too-many-items",
        ),
        bad(
            "more-pairs-than-bytes",
            "A map that claims 2^32 - 1 pairs.",
            "baffffffff0000",
            "too-many-items",
        ),
        bad("cut-off", "A byte string that ends early.", "440102", "cut-off"),
    ]
}

fn hashes() -> Vec<Vector> {
    let one = |name, what, tag: &str, items: &[&[u8]]| {
        Vector::valid("hash", name, "README.md, Hashing", what)
            .with("tag", tag)
            .with("items", items.iter().map(hex).collect::<Vec<_>>())
            .gives("hash", hex(h(tag, items)))
    };
    vec![
        one(
            "two-items",
            "The example of the page: one item of three bytes, one empty.",
            "fieldseal/v0/test",
            &[b"abc", b""],
        ),
        one("no-item", "A tag alone.", "fieldseal/v0/test", &[]),
        one("items-joined", "The same bytes cut elsewhere give another hash.", "fieldseal/v0/test", &[b"ab", b"c"]),
        one(
            "integer-item",
            "An integer item is its 8-byte big-endian form.",
            "fieldseal/v0/test",
            &[&258u64.to_be_bytes()],
        ),
    ]
}

const SUITES: &str = "README.md, Suites";

fn public_keys() -> Result<Vec<Vector>> {
    let (ed, p) = (ed25519("tablet one")?, p256("tablet two")?);
    let good = |name, what, key: &PublicKey| {
        Vector::valid("public-key", name, SUITES, what)
            .with("suite", key.suite().number())
            .with("public", hex(key.as_bytes()))
            .gives("key_id", key.key_id().to_string())
            .gives("fingerprint", key.fingerprint())
            .gives("pem", key.to_pem())
    };
    let bad = |name, what, suite: u64, public: &[u8], reason| {
        Vector::invalid("public-key", name, SUITES, what, reason).with("suite", suite).with("public", hex(public))
    };
    let on = forgery::small_y(true)?;
    let mut off = [0; 32];
    off[0] = forgery::small_y(false)?;
    let mut minus_zero = forgery::NEUTRAL;
    minus_zero[31] = 0x80;
    // x = 1 is not the x of a point of P-256; the uncompressed form of a good key is a second form of it.
    let mut no_point = [0; 33];
    (no_point[0], no_point[32]) = (2, 1);
    let uncompressed = p256::ecdsa::VerifyingKey::from_sec1_bytes(p.public().as_bytes())?.to_sec1_point(false);
    Ok(vec![
        good("ed25519", "An Ed25519 key.", ed.public()),
        good("p256", "A P-256 key, compressed.", p.public()),
        bad(
            "small-order-one",
            "The neutral point: one signature is valid for every message.",
            1,
            &forgery::NEUTRAL,
            "weak-key",
        ),
        bad("small-order-eight", "A point of order eight.", 1, &forgery::ORDER_EIGHT, "weak-key"),
        bad("minus-zero", "The neutral point with the sign bit of its zero x set.", 1, &minus_zero, "weak-key"),
        bad(
            "ed25519-not-canonical",
            "A good point whose y is written as y + p.",
            1,
            &forgery::second_encoding(on),
            "non-canonical-key",
        ),
        bad("ed25519-no-point", "32 bytes whose y belongs to no point.", 1, &off, "malformed-key"),
        bad("ed25519-too-short", "31 bytes.", 1, &ed.public().as_bytes()[..31], "malformed-key"),
        bad("p256-no-point", "A compressed point whose x belongs to no point.", 2, &no_point, "malformed-key"),
        bad(
            "p256-uncompressed",
            "A good point in its uncompressed form of 65 bytes.",
            2,
            uncompressed.as_bytes(),
            "malformed-key",
        ),
        bad("p256-infinity", "The point at infinity.", 2, &[0], "malformed-key"),
        bad(
            "ed25519-key-in-suite-2",
            "An Ed25519 key under the number of P-256.",
            2,
            ed.public().as_bytes(),
            "malformed-key",
        ),
        bad("suite-3", "SM2 is reserved and cannot be checked yet.", 3, p.public().as_bytes(), "unknown-suite"),
    ])
}

fn signatures() -> Result<Vec<Vector>> {
    let (ed_seed, p_seed) = (seed("tablet one"), seed("tablet two"));
    let (ed, p) = (ed25519("tablet one")?, p256("tablet two")?);
    let body = b"fine 5000".as_slice();
    let message = pae(dsse::OPERATION, body);
    let base = |v: Vector, suite: u64, public: &[u8], body: &[u8], signature: &[u8]| {
        v.with("suite", suite)
            .with("public", hex(public))
            .with("payload_type", dsse::OPERATION)
            .with("body", hex(body))
            .with("signature", hex(signature))
    };
    let good = |name, what, key: &dyn Signer| -> Result<Vector> {
        let signature = key.sign(dsse::OPERATION, body)?;
        let v = Vector::valid("signature", name, SUITES, what);
        let public = key.public();
        Ok(base(v, public.suite().number(), public.as_bytes(), body, &signature).gives("pae", hex(&message)))
    };
    let by_ed = |name, what, signature: &[u8], reason| {
        let v = Vector::invalid("signature", name, SUITES, what, reason);
        base(v, 1, ed.public().as_bytes(), body, signature)
    };
    let by_p = |name, what, signature: &[u8], reason| {
        let v = Vector::invalid("signature", name, SUITES, what, reason);
        base(v, 2, p.public().as_bytes(), body, signature)
    };
    let ed_good = ed.sign(dsse::OPERATION, body)?;
    let p_good = p.sign(dsse::OPERATION, body)?;
    let replace = |signature: &[u8; 64], from: usize, bytes: &[u8]| {
        let mut out = *signature;
        out[from..from + bytes.len()].copy_from_slice(bytes);
        out
    };
    let der = p256::ecdsa::Signature::from_slice(&p_good)?.to_der();
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let weak = Vector::invalid(
        "signature",
        "ed25519-weak-key",
        SUITES,
        "A key of order one, with the signature that it makes valid for every message.",
        "weak-key",
    );
    let weak_signature = [forgery::NEUTRAL, [0; 32]].concat();
    Ok(vec![
        good("ed25519", "Ed25519 over the pre-authentication encoding.", &ed)?,
        good("p256", "ECDSA P-256 over the pre-authentication encoding, r and s, low s.", &p)?,
        base(weak, 1, &forgery::NEUTRAL, body, &weak_signature),
        by_ed(
            "ed25519-s-plus-l",
            "A good signature with S + L in place of S.",
            &forgery::plus_order(&ed_good),
            "non-canonical-signature",
        ),
        by_ed(
            "ed25519-small-order-r",
            "R is the neutral point and S = k·a: the equation holds.",
            &forgery::with_neutral_r(&ed_seed, forgery::NEUTRAL, &message),
            "non-canonical-signature",
        ),
        by_ed(
            "ed25519-r-not-canonical",
            "R is the neutral point with its y written as 1 + p: the equation holds on points.",
            &forgery::with_neutral_r(&ed_seed, forgery::second_encoding(1), &message),
            "non-canonical-signature",
        ),
        by_ed(
            "ed25519-only-cofactored",
            "R has a part of order eight: only the cofactored equation holds.",
            &forgery::only_cofactored(&ed_seed, &message)?,
            "mismatch",
        ),
        by_ed("ed25519-too-short", "63 bytes.", &ed_good[..63], "malformed-signature"),
        by_ed(
            "cross-protocol",
            "A good attestation signature over the same body, given for an operation.",
            &ed.sign(dsse::ATTESTATION, body)?,
            "mismatch",
        ),
        by_ed("without-pae", "A good signature over the body alone.", &ed.sign_raw(body)?, "mismatch"),
        by_p("p256-high-s", "A good signature with n - s in place of s.", &forgery::negated_s(&p_good)?, "high-s"),
        by_p("p256-zero-r", "r = 0.", &replace(&p_good, 0, &[0; 32]), "malformed-signature"),
        by_p("p256-zero-s", "s = 0.", &replace(&p_good, 32, &[0; 32]), "malformed-signature"),
        by_p("p256-r-is-order", "r = n.", &replace(&p_good, 0, &order), "malformed-signature"),
        by_p("p256-der", "A good signature in DER.", der.as_bytes(), "malformed-signature"),
        by_p(
            "p256-other-key",
            "A good signature by another P-256 key.",
            &forgery::second_ecdsa(&seed("somebody"), &seed("nonce"), &message)?,
            "mismatch",
        ),
        {
            let v = Vector::valid(
                "signature",
                "p256-any-nonce",
                SUITES,
                "Another good signature over the same message: ECDSA is not unique, and a verifier must not ask for RFC 6979.",
            );
            let signature = forgery::second_ecdsa(&p_seed, &seed("nonce"), &message)?;
            base(v, 2, p.public().as_bytes(), body, &signature).gives("pae", hex(&message))
        },
        base(
            Vector::invalid(
                "signature",
                "other-body",
                SUITES,
                "A good signature over a fine of 5000, given for 50000.",
                "mismatch",
            ),
            1,
            ed.public().as_bytes(),
            b"fine 50000",
            &ed_good,
        ),
    ])
}

fn words() -> Vec<Vector> {
    let page = "operation.md, Identity and chain";
    let bad = |name, what, words: &str| Vector::invalid("proquint", name, page, what, "not-words").with("words", words);
    let link = seed("a printed link");
    let good = proquints(&link[..16]);
    vec![
        Vector::valid("proquint", "link", page, "The eight words of a link.")
            .with("words", good.clone())
            .with("link", hex(link))
            .gives("bytes", hex(&link[..16])),
        Vector::valid("proquint", "spoken", page, "Read off a paper: blanks for dashes, capitals for small letters.")
            .with("words", good.replace('-', " ").to_uppercase())
            .gives("bytes", hex(&link[..16])),
        Vector::valid("proquint", "known-answer", page, "127.0.0.1, the example of the proquint proposal.")
            .with("words", "lusab-babad")
            .gives("bytes", "7f000001"),
        bad("wrong-letter", "A vowel that is none of a i o u.", &good.replacen(['a', 'i', 'o', 'u'], "e", 1)),
        bad("short-word", "A word of four letters.", &good[..good.len() - 1]),
        bad("seven-words-of-a-link", "A link has eight words.", &good[..good.len() - 6]).with("link", hex(link)),
    ]
}
