//! Signatures and keys that a careless verifier would take: made with the curve itself, since no signer makes them.

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use p256::elliptic_curve::PrimeField;
use p256::elliptic_curve::ops::Reduce;
use p256::elliptic_curve::sec1::ToSec1Point;
use sha2::{Digest, Sha256, Sha512};

use super::Result;

/// The neutral point in its one encoding: a key, or an `R`, of order one.
pub const NEUTRAL: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};

/// A point of order eight.
pub const ORDER_EIGHT: [u8; 32] = [
    0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53,
    0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
];

/// The order L of Ed25519's base point, little-endian.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// y + p as bytes, for y below 19: a second encoding of the point with that y.
pub fn second_encoding(y: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    (bytes[0], bytes[31]) = (0xed + y, 0x7f);
    bytes
}

/// The least y from 2 to 18 that is (or is not) the y of a point.
pub fn small_y(on_curve: bool) -> Result<u8> {
    let is = |y: &u8| {
        let mut bytes = [0; 32];
        bytes[0] = *y;
        CompressedEdwardsY(bytes).decompress().is_some() == on_curve
    };
    (2..19).find(is).ok_or("no such y below 19".into())
}

/// The secret scalar of an Ed25519 seed.
fn secret(seed: &[u8; 32]) -> Scalar {
    let mut half = [0; 32];
    half.copy_from_slice(&Sha512::digest(seed)[..32]);
    Scalar::from_bytes_mod_order(clamp_integer(half))
}

fn challenge(r: &[u8; 32], public: &[u8; 32], message: &[u8]) -> Scalar {
    let digest = Sha512::new().chain_update(r).chain_update(public).chain_update(message);
    Scalar::from_bytes_mod_order_wide(&digest.finalize().into())
}

fn public(seed: &[u8; 32]) -> [u8; 32] {
    EdwardsPoint::mul_base(&secret(seed)).compress().to_bytes()
}

/// `R` as given and `S = k·a`: fulfils the equation whenever `R` decodes to the neutral point.
pub fn with_neutral_r(seed: &[u8; 32], r: [u8; 32], message: &[u8]) -> [u8; 64] {
    let s = challenge(&r, &public(seed), message) * secret(seed);
    join(&r, &s.to_bytes())
}

/// `R` with a part of order eight: fulfils the cofactored equation and not the cofactorless one.
pub fn only_cofactored(seed: &[u8; 32], message: &[u8]) -> Result<[u8; 64]> {
    let torsion = CompressedEdwardsY(ORDER_EIGHT).decompress().ok_or("the point of order eight is on the curve")?;
    let nonce = Scalar::from_bytes_mod_order(Sha256::digest(message).into());
    let r = (EdwardsPoint::mul_base(&nonce) + torsion).compress().to_bytes();
    let s = nonce + challenge(&r, &public(seed), message) * secret(seed);
    Ok(join(&r, &s.to_bytes()))
}

/// The same signature with `S + L` in place of `S`.
pub fn plus_order(signature: &[u8; 64]) -> [u8; 64] {
    let (mut out, mut carry) = (*signature, 0u16);
    for (byte, add) in out[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    out
}

fn join(r: &[u8], s: &[u8]) -> [u8; 64] {
    let mut out = [0; 64];
    out[..32].copy_from_slice(r);
    out[32..].copy_from_slice(s);
    out
}

/// An ECDSA signature with the other sign of `s`.
pub fn negated_s(signature: &[u8; 64]) -> Result<[u8; 64]> {
    let good = p256::ecdsa::Signature::from_slice(signature)?;
    let (r, s) = good.split_scalars();
    Ok(p256::ecdsa::Signature::from_scalars(r, -s)?.to_bytes().into())
}

/// A second good ECDSA signature over the same message: another nonce, low `s`.
pub fn second_ecdsa(key: &[u8; 32], nonce: &[u8; 32], message: &[u8]) -> Result<[u8; 64]> {
    let scalar = |bytes: [u8; 32]| Option::<p256::Scalar>::from(p256::Scalar::from_repr(bytes.into()));
    let (d, k) = (scalar(*key).ok_or("key")?, scalar(*nonce).ok_or("nonce")?);
    let point = (p256::ProjectivePoint::GENERATOR * k).to_affine().to_sec1_point(false);
    let reduce = |bytes: &[u8]| -> Result<p256::Scalar> {
        let bytes: [u8; 32] = bytes.try_into()?;
        Ok(<p256::Scalar as Reduce<p256::FieldBytes>>::reduce(&bytes.into()))
    };
    let r = reduce(&point.as_bytes()[1..33])?;
    let z = reduce(&Sha256::digest(message))?;
    let inverse = Option::<p256::Scalar>::from(k.invert()).ok_or("nonce")?;
    let signature = p256::ecdsa::Signature::from_scalars(r.to_repr(), (inverse * (z + r * d)).to_repr())?;
    Ok(signature.normalize_s().to_bytes().into())
}
