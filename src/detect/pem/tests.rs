//! Every label, separator and width; every way to lose a part.

use super::*;
use crate::detect::testing::{
    WIDTHS, embed, encode, hit, hits, lines, pem, pkcs1, pkcs8, rsa_key, sec1, ssh_key, ssh_rsa, text_of,
};
use crate::keys::testing::noise;
use crate::vault::Identity;

const FULL: Form = Form { layout: Layout::Pem, encoding: Encoding::Plain, piece: Piece::Whole };

fn identity(der: &[u8]) -> Identity {
    asn1::private_key(der).unwrap().key.secret.identity()
}

#[test]
fn every_label_and_separator_is_read() {
    let key = rsa_key(1, 1024);
    let (old, new) = (pkcs1(&key), pkcs8(&key));
    for (label, der) in [
        ("RSA PRIVATE KEY", &old),
        ("PRIVATE KEY", &new),
        ("ANY PRIVATE KEY", &old),
        ("X25519 AND 9 MORE PRIVATE KEY", &new),
    ] {
        for gap in ["\n", "\r\n", "\r", "\\n", "\\r\\n", "\\\\n", "\\u000a", "%0A", "%0D%0A", " ", ""] {
            let text = format!("key: \"{}\" and more", pem(label, der, gap));
            let hit = hit(&Pem, text.as_bytes());
            assert_eq!(
                (hit.rule.as_str(), hit.evidence, hit.form),
                ("rsa-private-key", Evidence::Proven, FULL),
                "{gap:?}"
            );
            assert_eq!(hit.secret.identity(), identity(&old));
            assert_eq!(text_of(text.as_bytes(), &hit), lines(der, 64, gap));
        }
    }
}

#[test]
fn forms_and_urls_spell_the_label_too() {
    let der = pkcs8(&rsa_key(1, 1024));
    for space in ["+", "%20"] {
        let body = lines(&der, 64, "%0A").replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let label = format!("PRIVATE{space}KEY-----");
        let text = format!("key=-----BEGIN{space}{label}%0A{body}%0A-----END{space}{label}&x=1");
        let hit = hit(&Pem, text.as_bytes());
        assert_eq!((hit.evidence, hit.form), (Evidence::Proven, FULL));
        assert_eq!(text_of(text.as_bytes(), &hit), body);
    }
}

#[test]
fn both_orders_of_utf16_are_read_at_either_parity() {
    let der = pkcs1(&rsa_key(1, 1024));
    for width in WIDTHS {
        for odd in [false, true] {
            let bytes = embed(&pem("RSA PRIVATE KEY", &der, "\r\n"), width, odd);
            let hit = hit(&Pem, &bytes);
            assert_eq!((hit.evidence, hit.form), (Evidence::Proven, Form { encoding: width, ..FULL }));
            assert_eq!(text_of(&bytes, &hit), lines(&der, 64, "\r\n"), "{width:?} {odd}");
        }
    }
}

#[test]
fn keys_of_every_family_are_read() {
    let ec = ssh_key(2, false);
    let ed = ssh_key(3, true);
    let rsa = ssh_rsa(&rsa_key(1, 1024));
    let openssh = |key: &::ssh_key::PrivateKey| pem("OPENSSH PRIVATE KEY", &key.to_bytes().unwrap(), "\n");
    for (text, rule) in [
        (pem("EC PRIVATE KEY", &sec1(&ec), "\n"), "ec-private-key"),
        (openssh(&ec), "ec-private-key"),
        (openssh(&ed), "ed25519-private-key"),
        (openssh(&rsa), "rsa-private-key"),
    ] {
        for width in WIDTHS {
            let hit = hit(&Pem, &embed(&text, width, true));
            assert_eq!((hit.rule.as_str(), hit.evidence), (rule, Evidence::Proven));
            assert_eq!(hit.form, Form { encoding: width, ..FULL });
        }
    }
    let same = hit(&Pem, openssh(&ec).as_bytes()).secret.identity();
    assert_eq!(same, identity(&sec1(&ec)), "one key is one secret, whatever holds it");
}

#[test]
fn the_longest_key_fits_a_window_in_utf16() {
    // 9,288 bytes of DER are what RSA-16384 takes. No such key is made here, that takes hours: it is the text that counts.
    let der = noise(9288, 1);
    let text = pem("RSA PRIVATE KEY", &der, "\\u000a");
    assert!(text.len() < REACH);
    for width in WIDTHS {
        let bytes = embed(&text, width, true);
        assert!(bytes.len() < 32 << 10);
        let hit = hit(&Pem, &bytes);
        assert_eq!((hit.rule.as_str(), text_of(&bytes, &hit)), (FRAGMENT, lines(&der, 64, "\\u000a")));
    }
}

#[test]
fn a_body_longer_than_the_reach_is_reported_as_far_as_it_is_seen() {
    let der = noise(20_000, 1);
    let text = pem("PRIVATE KEY", &der, "\n");
    let hits = hits(&Pem, text.as_bytes());
    let [head, tail] = &hits[..] else { panic!("{hits:?}") };
    assert!(head.range.start == 28 && tail.range.end == text.len() - 26, "both ends have a part");
    assert!(head.range.len() > 15_000 && tail.range.len() > 15_000);
}

#[test]
fn headers_tell_that_a_body_is_encrypted() {
    let noise = noise(96, 1);
    let iv = "0123456789ABCDEF0123456789ABCDEF";
    for gap in ["\n", "\r\n", "\\n", "\\u000d\\u000a", "%0A", " "] {
        let body = lines(&noise, 64, gap);
        let head = format!(
            "-----BEGIN RSA PRIVATE KEY-----{gap}Proc-Type: 4,ENCRYPTED{gap}DEK-Info: AES-128-CBC,{iv}{gap}{gap}"
        );
        let text = format!("{head}{body}{gap}-----END RSA PRIVATE KEY-----");
        let found = hit(&Pem, text.as_bytes());
        assert_eq!(
            (found.rule.as_str(), found.evidence, found.form),
            ("encrypted-private-key", Evidence::Parsed, FULL)
        );
        assert_eq!(text_of(text.as_bytes(), &found), body, "{gap:?}");
        let cut = hit(&Pem, &text.as_bytes()[12..]);
        assert_eq!((cut.rule.as_str(), cut.evidence), ("encrypted-private-key", Evidence::Matched), "{gap:?}");
    }
}

#[test]
fn a_label_tells_that_a_cut_body_is_encrypted() {
    let noise = noise(96, 1);
    let text = pem("ENCRYPTED PRIVATE KEY", &noise, "\n");
    assert_eq!(hit(&Pem, &text.as_bytes()[..120]).rule, "encrypted-private-key");
}

#[test]
fn a_key_without_its_first_line_is_still_proven() {
    let der = pkcs1(&rsa_key(1, 1024));
    let text = pem("RSA PRIVATE KEY", &der, "\n");
    let line = "-----BEGIN RSA PRIVATE KEY-----".len();
    for width in WIDTHS {
        // The allocator overwrites 16 or 32 bytes of a freed block, mostly with zeros and pointers.
        for gone in [16, line, line + 1] {
            let bytes = embed(&format!("{}{}", "\u{7}".repeat(gone), &text[gone..]), width, true);
            let hit = hit(&Pem, &bytes);
            let form = Form { layout: Layout::PemFragment, encoding: width, piece: Piece::Whole };
            assert_eq!((hit.evidence, hit.form, hit.secret.identity()), (Evidence::Proven, form, identity(&der)));
            assert_eq!(text_of(&bytes, &hit), lines(&der, 64, "\n"));
        }
    }
}

#[test]
fn what_is_left_of_a_key_proves_it_or_is_a_fragment() {
    let der = pkcs1(&rsa_key(1, 2048));
    let text = pem("RSA PRIVATE KEY", &der, "\n");
    let (mut proven, mut matched) = (0, 0);
    for cut in (40..text.len() - 120).step_by(37) {
        for rest in [&text.as_bytes()[cut..], &text.as_bytes()[..cut + 60]] {
            let hit = hit(&Pem, rest);
            assert_eq!(hit.form.layout, Layout::PemFragment);
            match hit.evidence {
                Evidence::Proven => {
                    assert_eq!(hit.secret.identity(), identity(&der));
                    proven += 1;
                }
                _ => {
                    assert_eq!((hit.rule.as_str(), hit.form.piece), (FRAGMENT, Piece::Fragment));
                    matched += 1;
                }
            }
        }
    }
    assert!(proven > matched / 2 && matched > 0, "{proven} {matched}");
}

#[test]
fn a_hole_in_the_middle_leaves_two_parts() {
    let der = pkcs1(&rsa_key(1, 2048));
    let text = pem("RSA PRIVATE KEY", &der, "\n");
    let mut bytes = text.clone().into_bytes();
    bytes[700..732].fill(0);
    let hits = hits(&Pem, &bytes);
    let [head, tail] = &hits[..] else { panic!("{hits:?}") };
    assert_eq!((head.range.clone(), tail.range.clone()), (32..700, 732..text.len() - 30));
    assert_eq!((head.evidence, tail.evidence), (Evidence::Matched, Evidence::Proven), "a part of d proves nothing");
    assert_eq!(tail.secret.identity(), identity(&der));
}

#[test]
fn an_openssh_key_without_its_tail_or_its_head_is_recovered() {
    for key in [ssh_key(2, false), ssh_key(3, true), ssh_rsa(&rsa_key(1, 1024))] {
        let blob = key.to_bytes().unwrap();
        let text = pem("OPENSSH PRIVATE KEY", &blob, "\n");
        let whole = hit(&Pem, text.as_bytes());
        let without_tail = hit(&Pem, &text.as_bytes()[..text.len() - 60]);
        let without_head = hit(&Pem, &text.as_bytes()[100..]);
        for cut in [without_tail, without_head] {
            assert_eq!(cut.secret.identity(), whole.secret.identity(), "{}", whole.rule);
            assert_eq!(cut.form.layout, Layout::PemFragment);
        }
    }
}

#[test]
fn constants_of_libraries_are_no_keys() {
    for text in [
        "-----BEGIN RSA PRIVATE KEY-----\0-----END RSA PRIVATE KEY-----\0",
        "-----BEGIN RSA PRIVATE KEY-----\n\0-----END RSA PRIVATE KEY-----\n\0",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----",
        "ANY PRIVATE KEY\0ENCRYPTED PRIVATE KEY\0PRIVATE KEY\0RSA PRIVATE KEY\0EC PRIVATE KEY-----\0",
        "-----BEGIN %s PRIVATE KEY-----\n%s\n-----END %s PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nREDACTED\n-----END PRIVATE KEY-----",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQdGBGAAAAA\n",
        "a file that begins with -----BEGIN PRIVATE KEY----- and goes on with words of which none ends in a number 12345",
        "missing -----BEGIN RSA PRIVATE KEY-----\0crypto/rsa/KeyTooSmallForThisOperationOrSo",
        "strings.of.some.program/with/Paths/and/Names2/that/look/LikeBase64/but/are/words-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nVGhpcyBpcyBub3RoaW5nIGJ1dCB0ZXh0LCBhbmQgaXQgaXMgbG9uZyBlbm91Z2gu\n-----END PRIVATE KEY-----",
    ] {
        for width in WIDTHS {
            let found = hits(&Pem, &embed(text, width, false));
            assert!(found.is_empty(), "{text} {found:?}");
        }
    }
}

#[test]
fn a_stray_constant_does_not_swallow_the_key_behind_it() {
    let der = pkcs1(&rsa_key(1, 1024));
    let key = pem("RSA PRIVATE KEY", &der, "\n");
    for filler in ["\0", "no key here, but text. ", "abcdefgh "] {
        let text = format!("-----BEGIN PRIVATE KEY-----\0{}\0{key}", filler.repeat(3072 / filler.len()));
        for width in WIDTHS {
            let bytes = encode(&text, width);
            let hit = hit(&Pem, &bytes);
            assert_eq!((hit.evidence, hit.form.piece), (Evidence::Proven, Piece::Whole));
            assert_eq!(text_of(&bytes, &hit), lines(&der, 64, "\n"));
        }
    }
}

#[test]
fn neighbours_keep_their_own_bodies() {
    let (a, b) = (pkcs1(&rsa_key(1, 1024)), pkcs8(&rsa_key(4, 1024)));
    let text = format!("{}\n{}\n", pem("RSA PRIVATE KEY", &a, "\n"), pem("PRIVATE KEY", &b, "\n"));
    let found: Vec<Identity> = hits(&Pem, text.as_bytes()).iter().map(|hit| hit.secret.identity()).collect();
    assert_eq!(found, [identity(&a), identity(&b)]);
}

#[test]
fn a_key_at_the_edges_of_the_window_is_found_from_either_side() {
    let der = pkcs1(&rsa_key(1, 1024));
    let text = pem("RSA PRIVATE KEY", &der, "\n");
    for width in WIDTHS {
        let bytes = encode(&text, width);
        for (from, to) in
            [(0, bytes.len()), (1, bytes.len()), (0, bytes.len() - 1), (0, bytes.len() - 60), (90, bytes.len())]
        {
            let hits = hits(&Pem, &bytes[from..to]);
            assert_eq!(hits.len(), 1, "{width:?} {from} {to}");
            assert!(hits.iter().all(|hit| hit.range.end <= to - from));
        }
    }
}

#[test]
fn hostile_text_is_read_in_proportion_to_its_length() {
    let work = crate::detect::testing::Work::begin();
    for unit in [
        "-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----AAAA",
        "PRIVATE KEY-----",
        "A-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: A,B\n",
        "\\u000aPRIVATE KEY-----",
    ] {
        for width in WIDTHS {
            let bytes = encode(&unit.repeat(200_000 / unit.len()), width);
            assert!(hits(&Pem, &bytes).is_empty());
        }
    }
    assert!(work.seconds() < 20);
}
