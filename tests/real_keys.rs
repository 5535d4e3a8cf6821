//! Processes of OpenJDK, of Python and of a program in C on OpenSSL that use keys made for the test: each key is proven, and
//! every copy of its numbers and of its round keys that a plain search of bytes knows of is a site.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

#[path = "real/daemons.rs"]
mod daemons;
#[path = "real/databases.rs"]
mod databases;
#[path = "real/objects.rs"]
mod objects;
#[path = "real/processes.rs"]
mod processes;
mod real;
#[path = "real/scripts.rs"]
mod scripts;
#[path = "real/servers.rs"]
mod servers;

use std::fs;
use std::path::Path;

use base64ct::{Base64, Encoding as _};
use real::aes::{mixed, round_keys, swapped};
use real::{RSA, Scanned, Victim, command, digits30, first_missing, make_key, missing, words32};

const NOT_ALLOWED: &str = "gcore was not allowed to look at a process";

/// A fresh key in a file.
fn secret(folder: &Path, name: &str, len: usize) -> Vec<u8> {
    let bytes: Vec<u8> = (0..len).map(|_| rand::random()).collect();
    fs::write(folder.join(name), &bytes).unwrap();
    bytes
}

/// How many round keys of a key are there in any form, each of them part of a site: as FIPS 197 has them and with the bytes of
/// words reversed, both as they are and to decrypt with.
fn round_keys_of(scanned: &Scanned, key: &[u8]) -> [usize; 4] {
    let keys = round_keys(key);
    // The first and the last are used as they are, also to decrypt.
    let inner = &keys[1..keys.len() - 1];
    let there = |keys: &mut dyn Iterator<Item = [u8; 16]>| keys.filter(|key| scanned.copies(key) > 0).count();
    [
        there(&mut keys.iter().copied()),
        there(&mut inner.iter().map(mixed)),
        there(&mut keys.iter().map(swapped)),
        there(&mut inner.iter().map(|key| swapped(&mixed(key)))),
    ]
}

#[test]
fn openjdk_keeps_rsa_as_integers_two_schedules_of_a_cipher_and_two_blocks_of_a_mac() {
    let tools: [&[&str]; 4] =
        [&["java", "-version"], &["javac", "-version"], &["openssl", "version"], &["gdb", "--version"]];
    if let Some(tool) = first_missing(&tools) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let numbers = make_key(folder, "rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], &RSA);
    let keys = [16, 24, 32].map(|len| secret(folder, &format!("aes{}", 8 * len), len));
    let hmac = secret(folder, "hmac", 32);
    let seed = make_key(folder, "ed25519", &["-algorithm", "ed25519"], &["priv:"]).remove(0);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/Keys.java");
    assert!(command("javac", folder).args(["-d", "."]).arg(source).status().unwrap().success());
    // What is set aside and not used is in the dump too, so little is.
    let small = ["-Xmx32m", "-Xss512k", "-XX:+UseSerialGC", "-XX:ReservedCodeCacheSize=16m", "-XX:TieredStopAtLevel=1"];
    let small = [&small[..], &["-XX:CompressedClassSpaceSize=16m", "-Xshare:off", "Keys"]].concat();
    let victim = Victim::start(command("java", folder).env("MALLOC_ARENA_MAX", "1").args(small));
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    assert_eq!(scanned.proven("RSA-2048"), 1);
    for number in &numbers {
        assert!(scanned.copies(&words32(number)) > 0, "each number is a BigInteger");
        scanned.copies_of_number(number);
    }
    for (key, rounds) in keys.iter().zip([10, 12, 14]) {
        assert_eq!(scanned.proven(&format!("AES-{}", 8 * key.len())), 1);
        assert_eq!(round_keys_of(&scanned, key)[2..], [rounds + 1, rounds - 1]);
        scanned.copies(key);
    }
    assert!(scanned.proven("HMAC") > 0);
    for pad in [0x36, 0x5c] {
        let kept: Vec<u8> = hmac.iter().map(|byte| byte ^ pad).collect();
        assert!(scanned.copies(&kept) > 0, "{pad:#x}");
    }
    scanned.copies(&hmac);
    assert!(scanned.copies(&seed) > 0, "an array of its own");
}

#[test]
fn python_keeps_limbs_and_digits_and_keys_of_curve25519() {
    let python = ["/usr/bin/python3", "python3"];
    let python = python.into_iter().find(|python| first_missing(&[&[python, "-c", "import cryptography"]]).is_none());
    let Some(python) = python else {
        return missing("pyca/cryptography is not there: it comes with python3-cryptography");
    };
    if let Some(tool) = first_missing(&[&["openssl", "version"], &["gdb", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let numbers = make_key(folder, "rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"], &RSA);
    let curves = ["ed25519", "x25519"].map(|name| make_key(folder, name, &["-algorithm", name], &["priv:"]).remove(0));
    let keys = [16, 32].map(|len| secret(folder, &format!("aes{}", 8 * len), len));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/keys.py");
    let victim = Victim::start(command(python, folder).arg(source));
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    let found = ["RSA-4096", "Ed25519", "X25519", "AES-128", "AES-256"].map(|kind| scanned.proven(kind));
    assert_eq!(found[..2], [1, 1]);
    assert!(found.iter().all(|found| *found > 0), "{found:?}");
    for number in &numbers {
        assert!(scanned.copies(&digits30(number)) > 0, "each number is an int");
        assert!(scanned.copies_of_number(number) > 1, "and limbs");
    }
    for key in &curves {
        assert!(scanned.copies(key) > 0);
    }
    for key in &keys {
        assert!(round_keys_of(&scanned, key).iter().sum::<usize>() > key.len() / 4 + 6);
        assert!(scanned.copies(key) > 0);
    }
}

#[test]
fn openssl_keeps_schedules_to_decrypt_of_192_bits_and_of_xts() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    if let Some(tool) = first_missing(&[&["cc", "--version"], &["gdb", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/ciphers.c");
    let built = command("cc", folder).args(["-w", "-o", "ciphers"]).arg(source).arg("-lcrypto").status().unwrap();
    if !built.success() {
        return missing("OpenSSL's headers are not there: they come with libssl-dev");
    }
    let [decrypt, middle, xts] =
        [("aes256", 32), ("aes192", 24), ("xts", 64)].map(|(name, len)| secret(folder, name, len));
    let victim = Victim::start(&mut command(folder.join("ciphers").to_str().unwrap(), folder));
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    assert_eq!([scanned.proven("AES-192"), scanned.proven("AES-256")], [1, 3]);
    assert!(memchr::memmem::find(&scanned.bytes, &decrypt).is_none(), "the key itself is not there");
    let [plain, mixed, plain_swapped, mixed_swapped] = round_keys_of(&scanned, &decrypt);
    assert!(
        (plain, mixed) == (2, 13) || (plain_swapped, mixed_swapped) == (2, 13),
        "only the schedule to decrypt with"
    );
    for key in [&middle[..], &xts[..32], &xts[32..]] {
        assert!(round_keys_of(&scanned, key).contains(&(key.len() / 4 + 7)), "all round keys");
        assert!(scanned.copies(key) > 0);
    }
}

/// The secrets of a key log (the format of NSS) that a connection still needs once it stands.
fn secrets_of(log: &str) -> Vec<(String, Vec<u8>)> {
    const NEEDED: [&str; 4] =
        ["CLIENT_RANDOM", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0", "EXPORTER_SECRET"];
    let lines = log.lines().filter_map(|line| {
        let [name, _, secret] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let bytes = (0..secret.len()).step_by(2).map(|at| u8::from_str_radix(&secret[at..at + 2], 16).unwrap());
        NEEDED.contains(&name).then(|| (name.to_owned(), bytes.collect()))
    });
    lines.collect()
}

#[test]
fn openssl_keeps_the_secrets_of_tls_connections() {
    let python = ["/usr/bin/python3", "python3"];
    let python = python.into_iter().find(|python| first_missing(&[&[python, "-c", "import ssl"]]).is_none());
    let Some(python) = python else { return missing("a Python with OpenSSL is not there") };
    if let Some(tool) = first_missing(&[&["openssl", "version"], &["gdb", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let key = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem"];
    let certificate = ["-out", "cert.pem", "-days", "1", "-subj", "/CN=localhost"];
    assert!(command("openssl", folder).args(key).args(certificate).status().unwrap().success());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/tls.py");
    let victim = Victim::start(command(python, folder).arg(source));
    let secrets = secrets_of(&fs::read_to_string(folder.join("keys.log")).unwrap());
    assert_eq!(secrets.len(), 1 + 2 * 3, "{:?}", secrets.iter().map(|(name, _)| name).collect::<Vec<_>>());
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    for (name, secret) in &secrets {
        // Each end keeps its own.
        assert!(scanned.copies(secret) >= 2, "{name}");
    }
    for kind in ["client traffic secret", "server traffic secret", "exporter secret"] {
        assert!(scanned.proven(&format!("TLS 1.3 {kind}")) >= 2, "{kind}");
    }
}

/// A program in C of this folder, built with a library; `None` where that is not there, which has been told.
fn built(folder: &Path, name: &str, flags: &[&str], package: &str) -> Option<Victim> {
    if let Some(tool) = first_missing(&[&["cc", "--version"], &["gdb", "--version"]]) {
        missing(&format!("{tool} is not there"));
        return None;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/real/{name}.c"));
    let built = command("cc", folder).args(["-w", "-o", name]).arg(source).args(flags).status().unwrap();
    if !built.success() {
        missing(&format!("the headers of {name} are not there: they come with {package}"));
        return None;
    }
    Some(Victim::start(&mut command(folder.join(name).to_str().unwrap(), folder)))
}

const P256: [&str; 4] = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

#[test]
fn gnutls_and_nss_keep_keys_as_limbs_and_as_bytes() {
    let nss = ["-I/usr/include/nss", "-I/usr/include/nspr", "-lnss3"];
    for (name, flags, package) in [("gnutls", &["-lgnutls"][..], "libgnutls28-dev"), ("nss", &nss, "libnss3-dev")] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        if first_missing(&[&["openssl", "version"]]).is_some() {
            return missing("openssl is not there");
        }
        let mut numbers = make_key(folder, "rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], &RSA);
        numbers.extend(make_key(folder, "p256", &P256, &["priv:"]));
        let seed = make_key(folder, "ed25519", &["-algorithm", "ed25519"], &["priv:"]).remove(0);
        let Some(victim) = built(folder, name, flags, package) else { return };
        let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
        let scanned = Scanned::of(&core);
        // The secret number of a signature is told like a key: with it the key follows from the signature.
        assert!(scanned.proven("RSA-2048") == 1 && scanned.proven("P-256") > 0, "{name}");
        let is_unnamed = |context: &String| context.contains("secret number of one signature");
        let unnamed = scanned.outcome.findings.iter().filter(|f| f.public.kind == "P-256");
        let unnamed = unnamed.filter(|f| f.public.context.iter().any(is_unnamed)).count();
        assert!(unnamed + 1 >= scanned.proven("P-256"), "{name}: only of one of them there can be a public key");
        for number in &numbers {
            assert!(scanned.copies_of_number(number) > 0, "{name}");
        }
        // NSS of this age has no Ed25519.
        let found = scanned.proven("Ed25519") > 0 && scanned.copies(&seed) > 0;
        assert_eq!(found, name == "gnutls");
    }
}

#[test]
fn openssl_keeps_numbers_of_dsa_and_diffie_hellman() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    if first_missing(&[&["openssl", "version"]]).is_some() {
        return missing("openssl is not there");
    }
    for (file, algorithm, bits) in
        [("p.dsa", "DSA", "dsa_paramgen_bits:2048"), ("p.own", "DH", "dh_paramgen_prime_len:1024")]
    {
        let how = ["genpkey", "-genparam", "-algorithm", algorithm, "-pkeyopt", bits, "-out", file];
        assert!(command("openssl", folder).args(how).status().unwrap().success());
    }
    // The last one with a prime that nobody else has.
    let ways: [(&str, &str, &[&str], &str); 3] = [
        ("dsa", "DSA-2048", &["-paramfile", "p.dsa"], "priv:"),
        ("dh", "DH-3072", &["-algorithm", "DH", "-pkeyopt", "group:ffdhe3072"], "private-key:"),
        ("own", "DH-1024", &["-paramfile", "p.own"], "private-key:"),
    ];
    let numbers = ways.map(|(file, _, how, name)| make_key(folder, file, how, &[name]).remove(0));
    let Some(victim) = built(folder, "fields", &["-lcrypto"], "libssl-dev") else { return };
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    for ((_, kind, ..), number) in ways.iter().zip(&numbers) {
        // Who makes a key pair to agree with leaves its private number too, or not.
        assert!(scanned.proven(kind) > 0, "{kind}");
        assert!(scanned.copies_of_number(number) > 0, "{kind}");
    }
}

/// The digits of libtommath on machines with 64 bits, from the lowest.
fn digits60(number: &[u8]) -> Vec<u8> {
    let bit = |at: usize| u64::from(number[number.len() - 1 - at / 8] >> (at % 8) & 1);
    let digit =
        |from: usize| (from..(from + 60).min(8 * number.len())).fold(0, |digit, at| digit | bit(at) << (at - from));
    let digits = (0..8 * number.len()).step_by(60).map(digit);
    digits.flat_map(u64::to_le_bytes).collect()
}

#[test]
fn libtomcrypt_keeps_rsa_and_curves_in_digits_of_60_bits() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    if first_missing(&[&["openssl", "version"]]).is_some() {
        return missing("openssl is not there");
    }
    let numbers = make_key(folder, "rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], &RSA);
    let libraries = ["-ltomcrypt", "-ltommath"];
    let Some(victim) = built(folder, "tomcrypt", &libraries, "libtomcrypt-dev and libtommath-dev") else { return };
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    assert_eq!(scanned.proven("RSA-2048"), 1);
    for number in &numbers {
        let digits = digits60(number);
        // The last digit is filled up with zeros, which are not part of it.
        let len = digits.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        assert!(scanned.copies(&digits[..len]) > 0, "each number is in such digits");
        scanned.copies_of_number(number);
    }
    // No public key of theirs is there, only coordinates.
    for (file, kind) in [("k256", "P-256"), ("k384", "P-384"), ("k521", "P-521")] {
        let number = fs::read(folder.join(file)).unwrap();
        assert!(scanned.proven(kind) > 0, "{kind}");
        assert!(scanned.copies(&digits60(&number)) > 0, "{kind}");
        scanned.copies_of_number(&number);
    }
}

#[test]
fn mbedtls_keeps_limbs_round_keys_and_a_state_with_its_block() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    if first_missing(&[&["openssl", "version"]]).is_some() {
        return missing("openssl is not there");
    }
    let mut numbers = make_key(folder, "rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], &RSA);
    numbers.extend(make_key(folder, "p256", &P256, &["priv:"]));
    let [aes, chacha] = ["aes256", "chacha"].map(|name| secret(folder, name, 32));
    let Some(victim) = built(folder, "mbedtls", &["-lmbedcrypto"], "libmbedtls-dev") else { return };
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    // The other key of AES is that of the random generator.
    let found = ["RSA-2048", "P-256", "AES-256", "ChaCha20"].map(|kind| scanned.proven(kind));
    assert_eq!(found, [1, 1, 2, 1]);
    for number in &numbers {
        assert!(scanned.copies_of_number(number) > 0);
    }
    assert!(scanned.copies(&aes) > 0 && scanned.copies(&chacha) > 0);
}

#[test]
fn wolfssl_keeps_limbs_and_a_secret_behind_the_length_of_its_public_key() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    if first_missing(&[&["openssl", "version"]]).is_some() {
        return missing("openssl is not there");
    }
    let mut numbers = make_key(folder, "rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], &RSA);
    numbers.extend(make_key(folder, "p256", &P256, &["priv:"]));
    let key = make_key(folder, "x25519", &["-algorithm", "x25519"], &["priv:"]).remove(0);
    // These bytes are no number: zeros before them count.
    let key = [vec![0; 32 - key.len()], key].concat();
    fs::write(folder.join("x25519"), &key).unwrap();
    let Some(victim) = built(folder, "wolfssl", &["-lwolfssl"], "libwolfssl-dev") else { return };
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    assert_eq!(["RSA-2048", "P-256", "X25519"].map(|kind| scanned.proven(kind)), [1, 1, 1]);
    for number in &numbers {
        assert!(scanned.copies_of_number(number) > 0);
    }
    assert!(scanned.copies(&key) > 0);
}

#[test]
fn libgcrypt_keeps_keys_as_s_expressions() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let Some(victim) = built(folder, "gcrypt", &["-lgcrypt"], "libgcrypt20-dev") else { return };
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    for (file, kind, names) in
        [("rsa", "RSA-2048", &["d", "p", "q", "u"][..]), ("ed25519", "Ed25519", &["d"]), ("p256", "P-256", &["d"])]
    {
        assert!(scanned.proven(kind) > 0, "{kind}");
        let written = fs::read_to_string(folder.join(file)).unwrap();
        for name in names {
            let number = number_in(&written, name);
            assert!(number.len() > 24 && scanned.copies_of_number(&number) > 0, "{kind} {name}");
        }
    }
}

/// The number of a list in an S-expression, without zeros before it.
fn number_in(written: &str, name: &str) -> Vec<u8> {
    let digits = written.split(&format!("({name} #")).nth(1).and_then(|rest| rest.split('#').next()).unwrap();
    let digits: String = digits.split_whitespace().collect();
    let bytes = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap());
    bytes.skip_while(|byte| *byte == 0).collect()
}

#[test]
fn python_keeps_keys_that_sign_tokens_as_texts_and_as_bytes() {
    let python = ["/usr/bin/python3", "python3"].into_iter().find(|python| first_missing(&[&[python, "-V"]]).is_none());
    let Some(python) = python else { return missing("Python is not there") };
    if let Some(tool) = first_missing(&[&["gdb", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let decoded = secret(folder, "decoded", 48);
    let bytes = secret(folder, "bytes", 64);
    let text: String = (0..24).map(|_| char::from(rand::random_range(b'a'..=b'z'))).chain(['7', 'K']).collect();
    fs::write(folder.join("text"), &text).unwrap();
    let letters = Base64::encode_string(&decoded);
    fs::write(folder.join("base64"), &letters).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/tokens.py");
    let victim = Victim::start(command(python, folder).arg(source));
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    assert_eq!(scanned.proven("HMAC"), 3);
    for key in [text.as_bytes(), letters.as_bytes(), &decoded, &bytes] {
        assert!(scanned.copies(key) > 0);
    }
}

/// All that comes out of the streams of gzip in `bytes`, whole or not.
fn inflated(bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    for at in memchr::memmem::find_iter(bytes, b"\x1f\x8b\x08") {
        // What is read up to a place that is broken is kept.
        let _ = std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&bytes[at..]), &mut all);
    }
    all
}

#[test]
fn python_keeps_an_answer_in_gzip_and_the_token_in_it_cannot_be_read_back() {
    let python = ["/usr/bin/python3", "python3"].into_iter().find(|python| first_missing(&[&[python, "-V"]]).is_none());
    let Some(python) = python else { return missing("Python is not there") };
    if let Some(tool) = first_missing(&[&["gdb", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let token: String =
        (0..40).map(|_| char::from(b"0123456789abcdefghijkmnpqrstuvwx"[rand::random_range(0..32)])).collect();
    fs::write(folder.join("token"), &token).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/body.py");
    let victim = Victim::start(command(python, folder).arg(source));
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    let holds = |bytes: &[u8], part: &[u8]| memchr::memmem::find(bytes, part).is_some();
    assert!(holds(&inflated(&scanned.bytes), token.as_bytes()), "Python did not keep the answer");
    let without = scanned.without_sites();
    let left = inflated(&without);
    assert!(!token.as_bytes().windows(8).any(|part| holds(&left, part)));
    scanned.copies(token.as_bytes());
    // The compressor keeps what it made without the head of the stream.
    let body = fs::read(folder.join("body")).unwrap();
    let shows = |text: &str| (0..body.len()).find(|&end| holds(&inflated(&body[..end]), text.as_bytes())).unwrap();
    let code = &body[shows("access_token\": \"")..shows(&token)];
    assert!(code.len() > 16 && !code.windows(8).any(|part| holds(&without, part)));
}

#[test]
fn openssl_keeps_keys_of_chacha20_and_of_session_tickets() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [part, fresh, sealed] = ["part", "fresh", "sealed"].map(|name| secret(folder, name, 32));
    secret(folder, "nonce", 16);
    let tickets = secret(folder, "tickets", 80);
    let Some(victim) = built(folder, "contexts", &["-lssl", "-lcrypto"], "libssl-dev") else { return };
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    // Two contexts have a block that was not used up.
    assert_eq!(scanned.proven("ChaCha20"), 2);
    for key in [&part, &fresh, &sealed] {
        assert!(scanned.copies(key) > 0);
    }
    // The name comes first.
    for key in [&tickets[16..48], &tickets[48..]] {
        assert!(scanned.copies(key) > 0);
    }
}
