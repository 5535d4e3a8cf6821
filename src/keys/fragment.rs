//! What is left of an RSA key when the head or the tail of its structure was overwritten.
pub const RULE: &str = "rsa-key-fragment";
pub fn recover(_ints: &[&[u8]]) -> Option<super::rsa::RsaNumbers> {
    None
}
