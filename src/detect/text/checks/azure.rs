//! Azure's identifiable keys: random letters in which four stand for the service that issued the key, always at one place.
//!
//! Source: the patterns that Microsoft publishes for its own secret scanning (`microsoft/security-utilities`).

/// Where a kind of key has its signature.
struct Kind {
    signature: &'static [u8],
    /// Letters before the signature.
    at: usize,
    /// Letters of the key, padding included.
    len: &'static [usize],
    /// Letters that may follow the signature.
    next: &'static [u8],
}

const A_TO_P: &[u8] = b"ABCDEFGHIJKLMNOP";
const A_TO_D: &[u8] = b"ABCD";
/// Any letter: nothing is known of it.
const ANY: &[u8] = &[];

const fn kind(signature: &'static [u8], at: usize, len: &'static [usize], next: &'static [u8]) -> Kind {
    Kind { signature, at, len, next }
}

const KINDS: &[Kind] = &[
    // 64 bytes in base64: storage, Cosmos DB, Batch, API Management, machine learning.
    kind(b"+ASt", 76, &[88], ANY),
    kind(b"ACDb", 76, &[88], ANY),
    kind(b"+ABa", 76, &[88], ANY),
    kind(b"APIM", 76, &[88], ANY),
    kind(b"+AMC", 76, &[88], ANY),
    // 32 bytes in base64: IoT Hub, Service Bus, Event Hubs, Relay, Event Grid, Redis.
    kind(b"AIoT", 33, &[44], A_TO_P),
    kind(b"+ASb", 33, &[44], A_TO_P),
    kind(b"+AEh", 33, &[44], A_TO_P),
    kind(b"+ARm", 33, &[44], A_TO_P),
    kind(b"AZEG", 33, &[44], A_TO_P),
    kind(b"AzCa", 33, &[44], A_TO_P),
    // Search, container registry, functions.
    kind(b"AzSe", 42, &[52], A_TO_D),
    kind(b"+ACR", 42, &[52], A_TO_D),
    kind(b"AzFu", 44, &[56], ANY),
    // The common annotated key of all newer services.
    kind(b"JQQJ9", 52, &[84, 88], b"9DH"),
];

/// Whether a kind of key of this length has its signature where this value has it.
pub(super) fn is_identifiable(value: &[u8]) -> bool {
    KINDS.iter().any(|kind| {
        let behind = value.get(kind.at..).and_then(|rest| rest.strip_prefix(kind.signature));
        let next = behind.and_then(<[u8]>::first);
        let follows = next.is_some_and(|next| kind.next.is_empty() || kind.next.contains(next));
        kind.len.contains(&value.len()) && follows && pads(value, kind)
    })
}

/// Whether padding stands where a key of this length has it, and nowhere else.
fn pads(value: &[u8], kind: &Kind) -> bool {
    let wanted = match (value.len(), kind.at) {
        (44, _) => 1,
        (88, _) | (56, _) => 2,
        _ => 0,
    };
    let padding = value.iter().rev().take_while(|b| **b == b'=').count();
    let elsewhere = value.iter().take(value.len() - padding).any(|b| *b == b'=');
    padding == wanted && !elsewhere
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_counts_at_its_place_only() {
        let key = |before: usize, signature: &str, after: usize, padding: &str| {
            format!("{}{signature}A{}{padding}", "x".repeat(before), "y".repeat(after))
        };
        for good in [
            key(76, "+ASt", 5, "=="),
            key(33, "AIoT", 5, "="),
            key(42, "AzSe", 5, ""),
            key(44, "AzFu", 5, "=="),
            key(52, "JQQJ99", 25, ""),
            key(52, "JQQJ99", 27, "=="),
        ] {
            assert!(is_identifiable(good.as_bytes()), "{good}");
            let moved = format!("x{}", &good[..good.len() - 1]);
            assert!(!is_identifiable(moved.as_bytes()), "{moved}");
        }
        for bad in [key(76, "+ASb", 5, "=="), key(33, "+ASt", 5, "="), key(42, "AzSe", 6, "=")] {
            assert!(!is_identifiable(bad.as_bytes()), "{bad}");
        }
    }
}
