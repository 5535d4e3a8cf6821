//! Elliptic-curve keys.

use const_oid::ObjectIdentifier;

use super::FoundKey;

/// The key with this private scalar, most significant byte first, on the curve with this OID. `public` is the point that
/// stood beside it, in SEC 1 form (compressed or not): where it equals scalar * G the key is proven.
#[must_use]
pub fn ec_key(curve: ObjectIdentifier, scalar: &[u8], public: Option<&[u8]>) -> Option<FoundKey> {
    let _ = (curve, scalar, public);
    None
}
