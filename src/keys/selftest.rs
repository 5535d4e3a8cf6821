//! Private keys that are public knowledge: libraries carry them to test themselves, books and tools to show how it is done.
//!
//! They stand in the read-only data of every process that loads such a library, so they are found in most dumps; they are
//! told, as [`Severity::Info`], and count for nothing.
//!
//! How the table was made, so that it can be made again: the packages of Debian 12 named below, and the two keys that are no
//! package (Vagrant's Ed25519 key, testRSA2048 of RFC 9500), were given file by file to the detectors of this program. Of
//! every private key that they told, the SHA-256 of the SubjectPublicKeyInfo is listed, or, for kinds whose public key is
//! not computed (GOST, DSA, P-192, P-224), that of the secret's first part as [`FoundKey`] holds it. Packages: libgnutls30 3.7.9, gnutls-bin,
//! libgcrypt20 1.10.1, firefox-esr (libxul), chromium, golang-1.19-src, vagrant 2.3.4, openssl 3.0 (the program: apps/testrsa.h),
//! libmbedtls-dev 2.28; and
//! PyCryptodome 4.4.0 of PyPI and ssh2 of npm.
//! Nothing of the kind was in libssl3, libnss3, libnettle8, libhogweed6, python3-cryptography, libssh2-1, libssh-4,
//! libmbedcrypto7, libwolfssl35, libbotan-2-19, libcrypto++8, libtls26, libtomcrypt1, libnode108, nor in forty more.

use sha2::{Digest as _, Sha256};

use super::{FoundKey, hex};
use crate::finding::Severity;

/// Whose key it is, if the key with this SubjectPublicKeyInfo hash is public knowledge.
#[must_use]
pub fn is_public_knowledge(spki_sha256: &[u8; 32]) -> Option<&'static str> {
    owner(&hex(spki_sha256))
}

/// Marks a key that is public knowledge as such, and says whose it is.
pub fn mark(key: &mut FoundKey) {
    let by_part = || owner(&hex(&Sha256::digest(key.secret.parts().first()?.bytes.expose())));
    let owner = key.public.spki_sha256.as_deref().and_then(owner).or_else(by_part);
    if let Some(owner) = owner {
        key.severity = Some(Severity::Info);
        key.public.context.push(format!("public knowledge: {owner}"));
    }
}

/// What a symmetric key is, if it is public knowledge: one that counts up or repeats one byte, as tests and the derivation
/// function of a random generator have them (NIST SP 800-90A, section 10.3.2: `00 01 02 ..`), or one of an example.
#[must_use]
pub fn symmetric(key: &[u8]) -> Option<&'static str> {
    let mut steps = key.iter().zip(key.iter().skip(1)).map(|(a, b)| b.wrapping_sub(*a));
    let step = steps.next()?;
    if steps.all(|other| other == step) {
        return Some("public knowledge: a key that only counts");
    }
    let digest = hex(&digest(key));
    let known = |(known, _): &&(&str, &str)| *known == digest;
    SYMMETRIC.iter().find(known).map(|(_, what)| *what)
}

/// The name that a symmetric key is known by where the key itself must not be.
#[must_use]
pub fn digest(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

fn owner(digest: &str) -> Option<&'static str> {
    let at = KNOWN.binary_search_by(|(known, _)| (*known).cmp(digest)).ok()?;
    KNOWN.get(at).map(|(_, owner)| *owner)
}

/// Sorted by digest.
const KNOWN: &[(&str, &str)] = &[
    ("01e67e56244b43b668e2b9a697daaafcfb501fa78de2fcc4aa32bdae6dd94af6", "key that openssl speed measures with"),
    ("05e5d202abc25b6580c4833be79e31d6bfec6030b1768e9189aa02f7d16f862c", "self-test of PyCryptodome"),
    ("0d47bb32995c4f374228dd401ca46be4fe313ef89960c81b8c6db8b502f3f5c5", "test certificates of Mbed TLS"),
    ("0ea7caf9dd07fd79fe22ceb5efbbd7d4445d231e92ee1bf3b2a022eaffb00495", "key that openssl speed measures with"),
    ("1674a478b6242065adfb32cb069793ba7f360c12b92eba54957bc1b43e0d1b18", "self-test of PyCryptodome"),
    ("1bfa136833d62d973b430b3c8a260d34bbb22b6ea8613f042bf17a6738883400", "self-test of PyCryptodome"),
    ("1f759421142670e19eb34e2ea2f2e7a546b3dd72ce3960fa554ffe5e7da27e70", "self-test of PyCryptodome"),
    ("215fde895c12883e29036f5bd38c22467657f3cabbc77d7e9e328ab5f4ae39f2", "self-test of GnuTLS"),
    ("226acd9b52f5731987d46521bbe02fa88045f9eb0c4a262690022d23cbb5eef2", "example in crypto/tls of Go"),
    ("233e44d393206050b105a58e361140ed3c5e94fccb44a992237c16f135821c97", "self-test of GnuTLS"),
    ("2644b62ddc46a6f3e588597cdf779f4e0d21eb5b71dda6862b63117ec1af9739", "test server of GnuTLS"),
    ("26b0f4b5b3b8ef8f54af9ca9cbef655501179e7337f2ac52f2eadcf953635999", "test certificates of Mbed TLS"),
    ("283243473718235151e32e6e8b5b9ae24f900ddb3feb9ae6dcb9013e7940da9c", "self-test of PyCryptodome"),
    ("2834f37982da910d6de719c55fd091be5d904a8512ccea31151dad596a29e85e", "self-test of PyCryptodome"),
    ("2e34b0e307895ba04174b3e7ff71dac7865d4140b3cd088921312e509ca89d22", "self-test of ssh2 for Node"),
    ("354e92fb237955d1594d2abc296e0bffda2084dffc63cd0568d05a6418899c27", "self-test of libgcrypt"),
    ("370346c0864770dac7a90774f75ac6de537f5f5b2c4b1bb1d12bf3c5f4f484ae", "test certificates of Mbed TLS"),
    ("370fb30affeb0c77516cc7f6dd40ef4f79d98659cbf9795a3e527861e695d507", "self-test of PyCryptodome"),
    ("4367eaaff17f44d4f3b1c95a491a66aed4240fdbdeaec54e85b95ea25c4e88d1", "test server of GnuTLS"),
    ("440457b0a05921fae61236af0a3af0ccd0e6ae8d19ab2abf3d4843ecaff5eed3", "self-test of PyCryptodome"),
    ("498273cecd40dc45ce4956cbab42f2413303f79bcc3bf26dbea125ea32ea0afd", "self-test of PyCryptodome"),
    ("53f5cdf3498d2d00111dd0992840135f275d9cb34777378fb6ce16a302e0231e", "self-test of PyCryptodome"),
    ("5a7a78cca4a0f420d9bc62bb669c3c2759e39f723d3ae10dcbe0f0815a07ecd4", "self-test of libgcrypt (RFC 6979)"),
    ("5a9214aa789ffe021992636dd17ca313f340948e604d4122735160f3d46688a0", "self-test of GnuTLS"),
    ("5adbd900b71a9586ba8f0bd94b5a3ac955b10cb14d2d11b7a8ea2e923ba0567e", "self-test of GnuTLS"),
    ("5bd7bad40971be901e68d9b97405c3a3e996adbede885869b270185ad499108e", "self-test of GnuTLS"),
    ("6452839ebf371b9a9a7585efd56a029440972fdbacd1ae077d403e4e92bcd4f3", "test certificates of Mbed TLS"),
    ("64eebde4d94a861ca1b062a103ef51d4d8a2c1b0a2133838198230e9c85407ed", "net/http/internal/testcert of Go"),
    ("6703a04285f61bf2f79b143b1841435d503b448c3df1db998e9aebc7f05d3815", "test certificates of Mbed TLS"),
    ("6e1900f654edb2e599930c8a287c7263ea170f010826630893227e7cec221586", "self-test of GnuTLS"),
    ("7055066ee3969c25d66c1b891c252e83db653ae6834cd60e49250a4af73a97fe", "key that openssl speed measures with"),
    ("7785bb2af0b1c3dde1a93ea76eab20b636132705e78a2c4f0cb4740d9ba9bdbc", "self-test of GnuTLS"),
    ("7b889a88d7172e17b1a787cb053847bd8d845f992bb49c9f6f009e61ef31eb55", "self-test of GnuTLS"),
    ("8980acb6687303451269fd221433fbae2c7bf169b0f2cdc44d48bedb2a824d88", "self-test of libgcrypt"),
    ("8fb6bad671cfe698393c453357da61b56d757ab8c0f3fb9c87f2849e63131878", "testRSA2048 of RFC 9500"),
    ("9227c5d09e61f611767ab131ef049c54f29d987464775affbb212a38348222b3", "self-test of PyCryptodome"),
    ("980ba340b591afc2404e61f2ab4d16ea2a6437cb2b314ac48fa77fba9c3c5247", "test server of GnuTLS"),
    ("a1e9156054e04fac899ae9f275132cdc07a5dbc4ea2c2ad3a1ffc6e0d253681f", "self-test of PyCryptodome"),
    ("a6fdc2c6d07aa877e3ac360c2ce5efb69ab7dce2fd8df3c1bce0564b17114bc2", "key that openssl speed measures with"),
    ("a7279699e5c6a4ad971f9f205c2409a1cfb05216522b53b3d894dd3ede5e9675", "insecure key of Vagrant"),
    ("a91f9dd4a67c19bb5913b85dc8bbbbc3242b69bf91d014402dc829d63ae1758c", "self-test of PyCryptodome"),
    ("ad2cd8a4ff00e67d9e088c7500d0c3a8685a34743ceb823f9f823aa564298915", "self-test of PyCryptodome"),
    ("adadc3246bb4830551c6da143d7462727967bda53059ae6f152323b0aba69595", "key that openssl speed measures with"),
    ("b207374b4b2d643aed2a0aa71fc3da0db2a04d8011185ba834645e5a359dfe1d", "in libxul of Firefox"),
    ("b4e2ababf045c2009da783281bf8a28ac3503b25f915ec0fd03fa536cc5a4506", "self-test of PyCryptodome"),
    ("bae2b9643e0cea00be93cb55e97ad22692c8cd487056728aa89f96a85cd8d3fe", "self-test of GnuTLS"),
    ("bde93142b0780b2a66d27977d35f4f542e71cc538d491fe6609e2380b747a027", "insecure key of Vagrant"),
    ("c01afc52a5f6c6fa63eb6f76bc687860b8cb45d684c34967c0bd78174c0c42ab", "self-test of GnuTLS"),
    ("c1cbed914b46c17953288a87860f1226ada3ac788cee59f561bc6a862e1679b8", "in libxul of Firefox"),
    ("c6cb6d1e322b2e4edc98a284f983a8be89a18a53db897b7ec32f9aa382c50a5c", "test certificates of Mbed TLS"),
    ("c98993ec4f77b4997a081a5e5990c7cf6b0ceeb7b27bc7312a3cc351921531a9", "in the program of Chromium"),
    ("cebf59a465ccd9c42a7f7f6a789cc741d43cacbc502587ed1c5f0f4e445f1c39", "key that openssl speed measures with"),
    ("cf965ede2f126604492c69f43a0e1d46638e1e13002c69022c20e0a37f2f25e2", "self-test of PyCryptodome"),
    ("d13bb89b8f08960d4947fd41ee3c282606d82d50b8002bbeaf0db5c78c8cce87", "self-test of PyCryptodome"),
    ("d2d8c7d1de1e118e810c15eb7f8d9560a433e15cd55eac52aade81d6669cf133", "key that openssl speed measures with"),
    ("d87579a31aaf56680d2bf397c7c8bd3548a14f5ba1719ab2c7b5af6496805be1", "self-test of PyCryptodome"),
    ("e0f40ed0bb3c36b14b331abc57150ea5fee026bfa3e7da2c60379c19374e67b9", "self-test of PyCryptodome"),
    ("ec35b9d2a919ac42aa4ab076f4790bbd1a22b9002d1da68b01928b13db3f559e", "test server of GnuTLS"),
    ("f5c4c178156133e8c487de280870f88f1b447f3211c5efe5b0971a0fa7ab2886", "self-test of PyCryptodome"),
    ("fc58b1359310a07170fee659127ed7abee867ed0173e3be8692c4bd8dfdcbf05", "self-test of PyCryptodome"),
];

/// The SHA-256 of symmetric keys of examples, which programs test themselves with, and of one that hides nothing. That of BoringSSL is a state that its random
/// generator's self-test comes to: every process of Chromium 156 leaves it on its stacks, the same at each start.
const SYMMETRIC: &[(&str, &str)] = &[
    ("80fa5ff8e512e1d12f60c27d305e47fb19daa5f0aad3f32c9dd5145309e38d54", "public knowledge: example of FIPS 197"),
    ("b93c72b74bc8487d29827005f80d635918f91bc22b14d7ed05714d58f96702dd", "public knowledge: example of FIPS 197"),
    ("d4ffb8b77f7d6b26196e9a070e983f6701a4c42dec813d4de1a535d20a7df536", "public knowledge: example of FIPS 197"),
    (
        "720c921744b20a2479fa810a508eab3452de3ecfd9d05119821267804bccc22c",
        "public knowledge: with it rclone hides passwords from eyes",
    ),
    (
        "46f2c12f725921af8755806c96437b84137355b9eee64ec17713898e5acedf31",
        "public knowledge: example of GCM's specification",
    ),
    (
        "7f70dfd819c3c5826700c209d1633eb5af014210decb7d7ff6d6ebadfa9bad27",
        "public knowledge: example of GCM's specification",
    ),
    (
        "bae0503ebd961bdb13b9cb25ab18333238a32b247b159b4c411b18d9e60afec4",
        "public knowledge: example of GCM's specification",
    ),
    ("bc57be8077dfc7b56e3be8162235108a1cc11813ec5a46bc1956d8661d566e02", "public knowledge: self-test of libgcrypt"),
    ("5ef9469e10a265513af369d9a5d90db2d8a0a76098323087b269e2056ec7a367", "public knowledge: self-test of libgcrypt"),
    ("1fe84c83a42dbf7a215d7d2199c3645c8e94e565dd769404a2de2d533611a1db", "public knowledge: self-test of libgcrypt"),
    ("e44458eabe5848c6ee310a7ed5a391d703dba0bac2d75ab6386178a9d756d548", "public knowledge: self-test of BoringSSL"),
    (
        "a331eaa2f3635a13c5b7db412ba8d49b735e0b98b0d96d7eb3fe927594a26b82",
        "public knowledge: key of QUIC's Retry packets (RFC 9001)",
    ),
    (
        "b5d5a47e68cf1835185b3c951a58597c1a0e17b3bbb0028332a9cc2ffe3d93a1",
        "public knowledge: key of QUIC's Retry packets (a draft)",
    ),
    ("3e0a3501a65b4a7bf889c6f180cc6e35747e5aaff931cc90b760671efa09aeac", "public knowledge: example of python-jose"),
    ("52b0775e9f3e5ce38b17fbfa8c05a0477c6483c4356f60c0f0a41eb8c7f7d551", "public knowledge: example of python-jose"),
    ("8be2374736940389940eb2f940d71c7ec07e18be37a5e6dfdf33ded279e8b69a", "public knowledge: example of joserfc"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Encoding, Form, Layout};
    use crate::keys::testing::{noise, pkcs1};
    use crate::keys::{asn1, edwards, ssh};

    #[test]
    fn the_table_is_sorted_and_well_formed() {
        assert!(KNOWN.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(KNOWN.iter().all(|(digest, _)| digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit())));
    }

    #[test]
    fn the_key_that_rfc_6979_signs_with_is_public_knowledge() {
        let scalar = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721";
        let scalar: Vec<u8> = (0..64).step_by(2).map(|i| u8::from_str_radix(&scalar[i..i + 2], 16).unwrap()).collect();
        let key = super::super::ec::ec_key(super::super::ec::P256, &scalar, None).unwrap();
        let hit = key.at(0..32, Form::whole(Layout::Bare, Encoding::Plain));
        assert_eq!(hit.severity, Some(Severity::Info));
        assert_eq!(hit.public.context, ["public knowledge: self-test of libgcrypt (RFC 6979)"]);
    }

    #[test]
    fn the_hash_is_that_of_the_public_key_info() {
        let hash = hex(&Sha256::digest(noise(9, 1)));
        assert!(owner(&hash).is_none());
        let of_go = "64eebde4d94a861ca1b062a103ef51d4d8a2c1b0a2133838198230e9c85407ed";
        let of_go: Vec<u8> = (0..64).step_by(2).map(|i| u8::from_str_radix(&of_go[i..i + 2], 16).unwrap()).collect();
        assert_eq!(is_public_knowledge(&of_go.try_into().unwrap()), Some("net/http/internal/testcert of Go"));
    }

    #[test]
    fn other_keys_keep_their_severity() {
        let fresh = asn1::private_key(&pkcs1(1024)).unwrap().key;
        let seed = edwards::ed25519_key(&noise(32, 7), None).unwrap();
        for mut key in [fresh, seed, ssh::encrypted(&noise(64, 3), None)] {
            mark(&mut key);
            assert!(key.severity.is_none() && key.public.context.is_empty());
        }
    }
}
