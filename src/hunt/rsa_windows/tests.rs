//! Tests of the hunt for bare numbers.

use super::*;
use crate::dump::{Label, Region};
use crate::image::Image;
use crate::keys::testing::{noise, rsa_key};
use crate::memory::AddressSpace;
use crate::span::{Address, Span};
use ::rsa::traits::PrivateKeyParts as _;

fn key(bits: usize) -> RsaNumbers {
    let key = rsa_key(bits);
    let [p, q] = key.primes() else { panic!() };
    let (p, q) = (Number::from_be(&p.to_be_bytes()), Number::from_be(&q.to_be_bytes()));
    let (p, q) = if p > q { (p, q) } else { (q, p) };
    RsaNumbers::from_primes(p, q, Number::from(USUAL_E), None).unwrap()
}

fn clues(keys: &[&RsaNumbers]) -> Clues {
    let mut clues = Clues::new(1000);
    for key in keys {
        clues.add(Clue::RsaPublicKey { modulus: key.n.to_be(), exponent: key.e.to_be() });
    }
    clues
}

/// What windows that own so many bytes each tell together: range and form.
fn hunt(clues: &Clues, bytes: &[u8], window: usize, phase: u64) -> Vec<(Range<usize>, Form)> {
    let region = Region {
        span: Span::new(0, bytes.len() as u64),
        address: Some(Address(0x7f00_0000_0000 + phase)),
        label: Label::Memory,
        protection: None,
    };
    let (memory, image) = (AddressSpace::new(&[region]), Image::from_bytes("t", Vec::new()));
    let hunt = RsaWindows.prepare(clues);
    let mut out = Hits::default();
    let pieces = [Span::new(0, bytes.len() as u64)];
    for from in (0..bytes.len()).step_by(window) {
        let owned = from..(from + window).min(bytes.len());
        let window = Window::new(bytes, owned, &pieces, &[]);
        hunt.hunt(&Shown::new(&window, &memory, &image), &mut out);
    }
    assert!(out.hits.iter().all(|hit| hit.evidence == Evidence::Proven));
    out.hits.into_iter().map(|hit| (hit.range, hit.form)).collect()
}

/// A number in one of the four forms, by another way than the one that it is read by.
fn write(number: &Number, encoding: Encoding) -> Vec<u8> {
    let mut bytes = number.to_be();
    match encoding {
        Encoding::LittleEndian => bytes.reverse(),
        Encoding::Words32 => {
            bytes.splice(..0, vec![0; bytes.len().next_multiple_of(4) - bytes.len()]);
            bytes.chunks_exact_mut(4).for_each(<[u8]>::reverse);
        }
        Encoding::Digits30 => {
            let (mut rest, mut digits) = (number.clone(), Vec::new());
            while !rest.is_zero() {
                let (next, digit) = rest.div_rem(&Number::from(1 << 30)).unwrap();
                digits.extend((digit.to_u64().unwrap() as u32).to_le_bytes());
                rest = next;
            }
            return digits;
        }
        _ => {}
    }
    bytes
}

const ENCODINGS: [Encoding; 4] = [Encoding::LittleEndian, Encoding::Plain, Encoding::Words32, Encoding::Digits30];

#[test]
fn primes_and_exponents_are_found_in_every_form_whatever_the_windows() {
    for bits in [1024, 1536, 2048] {
        let (other, key) = (key(1024), key(bits));
        let clues = clues(&[&other, &key]);
        let numbers = [(&key.p, Piece::P), (&key.q, Piece::Q), (&key.d, Piece::D)];
        for encoding in ENCODINGS {
            let (mut bytes, mut want) = (vec![0; 40], Vec::new());
            for (number, piece) in numbers {
                let written = write(number, encoding);
                if piece == Piece::D && written.len() != write(&key.n, encoding).len() {
                    continue;
                }
                want.push((bytes.len()..bytes.len() + written.len(), Form { layout: Layout::Bare, encoding, piece }));
                bytes.extend(written);
                bytes.extend([0x7f12_3456_7890_u64, 17, 0].map(u64::to_le_bytes).concat());
                bytes.resize(bytes.len().next_multiple_of(8), 0);
            }
            // One exponent in some hundreds is out of reach, which is why the primes are looked for too.
            let exponent = |(_, form): &(Range<usize>, Form)| form.piece == Piece::D;
            for window in [bytes.len(), 64, 24] {
                let got = hunt(&clues, &bytes, window, 0);
                assert!(got.iter().all(|site| want.contains(site)), "{bits} {encoding:?}");
                assert!(want.iter().all(|site| got.contains(site) || exponent(site)), "{bits} {encoding:?}");
            }
        }
    }
}

#[test]
fn limbs_stand_on_the_grid_of_addresses_and_bytes_anywhere() {
    let key = key(1024);
    let clues = clues(&[&key]);
    for phase in 0..8 {
        let bytes = [vec![0; 64 + 8 - phase], write(&key.p, Encoding::LittleEndian), vec![0; 64]].concat();
        assert_eq!(hunt(&clues, &bytes, bytes.len(), phase as u64).len(), 1, "{phase}");
        let bytes = [vec![0; 64 + phase], write(&key.q, Encoding::Plain), vec![0; 64]].concat();
        assert_eq!(hunt(&clues, &bytes, bytes.len(), 0).len(), 1, "{phase}");
    }
}

#[test]
fn numbers_in_the_midst_of_noise_are_found_and_noise_is_none() {
    let key = key(2048);
    let clues = clues(&[&key]);
    let mut bytes = noise(1 << 20, 9);
    assert!(hunt(&clues, &bytes, 1 << 18, 0).is_empty());
    for (i, encoding) in ENCODINGS.into_iter().enumerate() {
        let written = write(&key.p, encoding);
        bytes[80_000 * (i + 1)..][..written.len()].copy_from_slice(&written);
    }
    let got: Vec<Encoding> = hunt(&clues, &bytes, 1 << 18, 0).into_iter().map(|(_, form)| form.encoding).collect();
    assert_eq!(got, ENCODINGS);
}

#[test]
fn a_modulus_without_an_exponent_is_hunted_and_the_guess_is_told() {
    let key = key(1024);
    let mut clues = Clues::new(9);
    assert!(!RsaWindows.needs(&clues));
    clues.add(Clue::RsaModulus { modulus: key.n.to_be() });
    let bytes = [vec![0; 64], write(&key.p, Encoding::LittleEndian), vec![0; 64]].concat();
    let (mut out, pieces) = (Hits::default(), [Span::new(0, bytes.len() as u64)]);
    let image = Image::from_bytes("t", Vec::new());
    let window = Window::new(&bytes, 0..bytes.len(), &pieces, &[]);
    RsaWindows.prepare(&clues).hunt(&Shown::new(&window, &AddressSpace::new(&[]), &image), &mut out);
    let [hit] = &out.hits[..] else { panic!() };
    assert!(hit.public.context.iter().any(|line| line.contains("65537")));
}

#[test]
fn too_many_moduli_are_a_gap() {
    let mut clues = Clues::new(2000);
    for i in 0..=MOST_KEYS as u64 {
        let modulus = [&[0x80], &noise(126, i)[..], &[1]].concat();
        clues.add(Clue::RsaPublicKey { modulus, exponent: vec![1, 0, 1] });
    }
    assert!(RsaWindows.prepare(&clues).left_out().unwrap().contains("of 1 were not"));
}

/// Of "COMODO Certification Authority", whose certificate is in every bundle.
const AUTHORITY: &str = concat!(
    "d0408b8b72e3911bf751c11b540498d3a9bfc1e68a5d3b87fbbb88ce0de32f3f0696f0a2295099aedb3ba157b0745171cded",
    "42914d41fea9c8d86a867744bb596697505eb4d42c7044cfda379542693c30c471b352f0214da1d8ba397c1c9ea3249df283",
    "1698aa167c439b155bb7ae3491fed4622618469a3febc1f9f19057ebac7a0d8bdb72306a66d5e046a370dc68d9ff04488977",
    "deb5e9fb676d41e9bc39bd32d96202f1b1a83d6e379ce22fe2d3a2268bc6b8554388e1233ea5d224396a47ab00d4a1b3a925",
    "fe0d3fa71dbad351c10ba4daac38ef55502405654693344f2d8dadc6d42119d28eca056171077347e58a1912bd044dce4e9c",
    "a548acbb26f7",
);

#[test]
fn keys_of_well_known_authorities_are_not_looked_for_unless_the_user_asks() {
    let digits = AUTHORITY.as_bytes().as_chunks::<2>().0;
    let modulus = digits.iter().map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap()).collect();
    let clue = Clue::RsaPublicKey { modulus, exponent: vec![1, 0, 1] };
    let (mut seen, mut asked) = (Clues::new(9), Clues::new(9));
    seen.add(clue.clone());
    asked.bring(clue.clone());
    asked.add(clue);
    assert!(!RsaWindows.needs(&seen) && RsaWindows.needs(&asked));
    assert!(RsaWindows.prepare(&seen).notes().iter().any(|note| note.starts_with("1 RSA keys of well-known")));
    assert!(RsaWindows.prepare(&asked).notes().is_empty());
}

#[test]
fn inside_of_noise_numbers_are_found_at_whole_words_and_where_the_user_asks_anywhere() {
    let key = key(1024);
    let mut asked = Clues::new(9);
    asked.bring(Clue::RsaPublicKey { modulus: key.n.to_be(), exponent: key.e.to_be() });
    // One place in thirty is not taken for noise; five of them all are next to never.
    let found = |clues: &Clues, odd: usize| -> usize {
        let mut hits = 0;
        for round in 0..5 {
            let mut bytes = noise(16 << 10, 7 + round);
            let at = 8000 + odd;
            bytes[at..at + 64].copy_from_slice(&key.p.to_be());
            hits += hunt(clues, &bytes, 1 << 16, 0).len();
        }
        hits
    };
    let seen = clues(&[&key]);
    assert_eq!((found(&seen, 0), found(&asked, 3)), (5, 5));
    assert!(found(&seen, 3) < 4);
}

#[test]
fn where_there_is_much_noise_a_number_in_it_has_another_word_beside_it() {
    let key = key(1024);
    let (mut noisy, mut asked) = (clues(&[&key]), Clues::new(9));
    noisy.add_noise(MOST_PRODUCTS);
    asked.bring(Clue::RsaPublicKey { modulus: key.n.to_be(), exponent: key.e.to_be() });
    asked.add_noise(MOST_PRODUCTS);
    let mut bytes = noise(16 << 10, 3);
    bytes[8000..8064].copy_from_slice(&write(&key.p, Encoding::LittleEndian));
    assert_eq!(hunt(&clues(&[&key]), &bytes, 1 << 16, 0).len(), 1);
    assert_eq!((hunt(&noisy, &bytes, 1 << 16, 0).len(), hunt(&asked, &bytes, 1 << 16, 0).len()), (0, 1));
    for beside in [7992, 8064] {
        let mut bytes = bytes.clone();
        bytes[beside..beside + 8].copy_from_slice(&0x91_u64.to_le_bytes());
        assert_eq!(hunt(&noisy, &bytes, 1 << 16, 0).len(), 1, "{beside}");
    }
    // Near the end of the noise it is tried as ever, at whole words.
    assert_eq!(hunt(&noisy, &bytes[..10_000], 1 << 16, 0).len(), 1);
    let mut odd = noise(400, 4);
    odd[155..219].copy_from_slice(&write(&key.p, Encoding::Plain));
    assert_eq!((hunt(&noisy, &odd, 1 << 16, 0).len(), hunt(&asked, &odd, 1 << 16, 0).len()), (0, 1));
    for beside in [147, 219] {
        let mut odd = odd.clone();
        odd[beside..beside + 8].copy_from_slice(&[0, 0, 0, 65, 0, 0, 0, 0]);
        assert_eq!(hunt(&noisy, &odd, 1 << 16, 0).len(), 1, "{beside}");
    }
}

#[test]
fn between_instructions_a_number_is_found_and_instructions_are_passed_over() {
    let key = key(1024);
    let code: Vec<u8> = noise(4096, 9)
        .chunks(4)
        .flat_map(|some| [0x48, 0x8b, some[0] | 1, some[1], some[2], 0x0f, some[3], 0x89])
        .collect();
    for at in [2000, 2005] {
        let mut bytes = code.clone();
        bytes[at..at + 64].copy_from_slice(&write(&key.p, Encoding::Plain));
        assert_eq!(hunt(&clues(&[&key]), &bytes, 1 << 16, 0).len(), 1, "{at}");
    }
    // What stands before its beginning and behind its end is not judged.
    let (stretches, _) = dense::stretches(&code, 0..code.len(), 8);
    assert!(stretches.iter().all(|range| range.end <= 100 || range.start >= code.len() - 100), "{stretches:?}");
}
