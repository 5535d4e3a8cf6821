//! States of stream ciphers, secrets of TLS connections, and the structures that point to shielded keys.
#![no_main]

use dumpscrub::detect::cipher_state::CipherState;
use dumpscrub::detect::shielded::Shielded;
use dumpscrub::detect::tls_secrets::TlsSecrets;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    dumpscrub_fuzz::confirm_everywhere(&CipherState, data);
    dumpscrub_fuzz::confirm_everywhere(&TlsSecrets, data);
    dumpscrub_fuzz::confirm_everywhere(&Shielded, data);
});
