//! Keys in libraries of big integers in JavaScript: digits in arrays of V8's small integers.

use std::fs;
use std::path::Path;

use crate::NOT_ALLOWED;
use crate::real::{Scanned, Victim, command, first_missing, make_key, missing};

/// Digits in the upper halves of words, from the lowest.
fn small_integers(number: &[u8], bits: usize) -> Vec<u8> {
    let bit = |at: usize| u64::from(number[number.len() - 1 - at / 8] >> (at % 8) & 1);
    let all = 8 * number.len();
    let digit = |from: usize| (from..(from + bits).min(all)).fold(0, |digit, at| digit | bit(at) << (at - from));
    let mut digits: Vec<u64> = (0..all).step_by(bits).map(digit).collect();
    // Where the number is shorter than it could be, zeros stand behind it that are not part of it.
    digits.truncate(digits.iter().rposition(|digit| *digit != 0).unwrap() + 1);
    digits.into_iter().flat_map(|digit| (digit << 32).to_le_bytes()).collect()
}

#[test]
fn node_keeps_digits_in_arrays_of_small_integers() {
    if let Some(tool) = first_missing(&[&["node", "--version"], &["openssl", "version"], &["gdb", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let how = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1", "-pkeyopt", "ec_param_enc:named_curve"];
    let [k, public] = <[_; 2]>::try_from(make_key(folder, "ec", &how, &["priv:", "pub:"])).unwrap();
    // `04 X Y`, without the zero before it.
    let (x, y) = public[public.len() - 64..].split_at(32);
    let names = ["modulus:", "prime1:", "prime2:", "privateExponent:"];
    let rsa = make_key(folder, "rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], &names);
    // The generator of secp256k1 (SEC 2, section 2.4.1).
    let generator = [
        "79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798",
        "483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8",
    ];
    let [gx, gy] = generator.map(|text| {
        (0..64).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect::<Vec<u8>>()
    });
    let numbers = [&k[..], x, y, &gx, &gy, &rsa[0], &rsa[1], &rsa[2], &rsa[3]];
    for (name, number) in ["k", "x", "y", "gx", "gy", "n", "p", "q", "d"].iter().zip(numbers) {
        fs::write(folder.join(name), number).unwrap();
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/digits.js");
    let victim = Victim::start(command("node", folder).arg(source));
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    assert!(scanned.proven("secp256k1") > 0 && scanned.proven("RSA-2048") > 0);
    assert!(scanned.copies(&small_integers(&k, 26)) > 0);
    for number in &rsa[1..] {
        assert!(scanned.copies(&small_integers(number, 28)) > 0);
    }
}
