//! The tables: who may import whom, and where each outside crate lives.

/// Each module of `src/` and what it may import, lowest first; itself is understood, and so is `span`, which imports
/// nothing.
pub const MAY_IMPORT: &[(&str, &[&[&str]])] = &[
    ("span", &[]),
    ("limits", &[]),
    ("fill", &[]),
    // Text from a dump is made inert wherever it is written down: in reports and in receipts.
    ("inert", &[]),
    // How HTTP/2 writes text.
    ("huffman", &[]),
    ("error", &[]),
    ("image", &[&["error"]]),
    // A finding refers to the vault by number, and the vault names parts of secrets in a finding's words.
    ("parallel", &[&["error"]]),
    ("vault", &[&["limits", "finding"]]),
    ("finding", &[&["vault"]]),
    ("window", &[&["image"]]),
    // Formats know nothing of secrets; the address space is made of their regions.
    ("memory", &[&["error", "image", "dump"]]),
    ("dump", &[&["error", "limits", "image", "memory"]]),
    // What is peeled is described; a container knows nothing of what is in it.
    ("container", &[&["error", "limits", "image", "dump"]]),
    // Detectors, hunters and keys know nothing of formats, and are each other's neighbours.
    (
        "detect",
        &[&[
            "parallel", "huffman", "fill", "error", "limits", "image", "vault", "finding", "window", "memory", "hunt",
            "keys",
        ]],
    ),
    ("hunt", &[&["error", "limits", "image", "vault", "finding", "window", "memory", "detect", "keys"]]),
    ("keys", &[&["error", "limits", "image", "vault", "finding", "window", "memory", "detect", "hunt"]]),
    // What the user knows is read by the detectors that read it in dumps.
    ("known", &[&["error", "vault", "finding", "window", "detect", "hunt", "keys"]]),
    ("scan", &[BELOW_SCAN]),
    ("redact", &[BELOW_SCAN, &["container", "inert", "scan"]]),
    // Rules of other scanners are rewritten, and proven by what proves the program's own.
    ("rules_import", &[&["error", "finding", "detect", "scan"]]),
    ("policy", &[BELOW_SCAN, BELOW_USES]),
    // A hook takes dumps out of containers, and does what a policy says.
    ("hook", &[BELOW_USES, &["container", "policy", "error", "limits", "image", "vault", "finding", "dump"]]),
    ("audit", &[BELOW_SCAN, BELOW_USES]),
    // A report is given what it prints: findings, what is known of the dump, the outcome; the vault only opens for
    // `--show-secrets`.
    ("report", &[&["error", "vault", "finding", "inert", "dump", "known", "scan", "redact"]]),
    ("commands", &[BELOW_SCAN, BELOW_USES, BELOW_COMMANDS]),
    ("lib", &[BELOW_SCAN, BELOW_USES, BELOW_COMMANDS]),
    ("main", &[&["commands"]]),
];

const BELOW_SCAN: &[&str] = &[
    "parallel", "huffman", "fill", "error", "limits", "image", "vault", "finding", "window", "memory", "dump",
    "detect", "hunt", "keys", "known",
];
/// Besides what a scan may.
const BELOW_USES: &[&str] = &["inert", "scan", "redact", "report"];
/// Besides what uses of the library may.
const BELOW_COMMANDS: &[&str] = &["container", "rules_import", "policy", "hook", "audit"];

/// Each outside crate and the only places that may name it. `src` is everywhere: vocabulary, not machinery.
pub const HOMES: &[(&str, &[&str])] = &[
    ("aes", &["src/keys/shield.rs"]),
    ("aho_corasick", &["src/scan/prefilter", "src/scan/propagate"]),
    ("anstream", &["src/report", "src/commands"]),
    ("anstyle", &["src/report", "src/commands"]),
    // The unwinder's trait for symbols is asynchronous; that is the one place where anything is.
    ("async_trait", &["src/redact/unwind"]),
    (
        "base64ct",
        &[
            "src/container/apport.rs",
            "src/detect",
            // Keys of HMAC are written so.
            "src/hunt/signing_keys.rs",
            // SSH's fingerprints are base64.
            "src/keys/public.rs",
            "src/scan/forms",
            "src/scan/propagate",
            "src/scan/forms.rs",
            "src/scan/prefilter/encoded.rs",
            "src/redact/receipt/envelope.rs",
        ],
    ),
    ("bech32", &["src/detect/text/checks"]),
    ("bip39", &["src/detect"]),
    ("bs58", &["src/detect/text/checks"]),
    ("base16ct", &["src/scan/prefilter/encoded.rs", "src/scan/decode", "src/hunt/redis_passwords.rs"]),
    ("bzip2", &["src/container"]),
    ("chacha20", &["src/keys/chacha.rs"]),
    ("clap", &["src/commands"]),
    ("clap_complete", &["src/commands"]),
    ("clap_mangen", &["src/commands"]),
    ("const_oid", &["src/keys"]),
    ("crc32fast", &["src/container", "src/detect/text/checks"]),
    // Big numbers of any length, and numbers of the fields of curves.
    (
        "crypto_bigint",
        &[
            "src/keys/number.rs",
            "src/keys/curve_points.rs",
            "src/keys/point_join.rs",
            "src/keys/fixed_base.rs",
            "src/keys/curve25519_base.rs",
            "src/keys/mont_scalars.rs",
        ],
    ),
    ("ctr", &["src/keys/shield.rs"]),
    ("der", &["src/keys"]),
    // Keys that are looked for, and the key that signs receipts.
    ("curve25519_dalek", &["src/keys", "src/hunt/ec_scalars/tests.rs"]),
    ("ed25519_dalek", &["src/keys", "src/redact/receipt"]),
    ("elliptic_curve", &["src/keys"]),
    ("flate2", &["src/container", "src/detect/gzip_streams.rs"]),
    ("getrandom", &["src/redact/receipt/keys.rs"]),
    ("gimli", &["src/redact/unwind/elf.rs"]),
    (
        "goblin",
        &[
            "src/dump/module_header.rs",
            "src/dump/minidump/images.rs",
            "src/dump/elf_core",
            "src/dump/macho_core",
            "src/redact/unwind",
        ],
    ),
    ("hkdf", &["src/keys/tls.rs"]),
    ("hmac", &["src/keys/mac.rs", "src/vault"]),
    // The code of header fields in HTTP/2.
    ("httlib_huffman", &["src/huffman.rs"]),
    ("humantime", &["src/policy", "src/redact/receipt", "src/report/gitlab.rs"]),
    ("indicatif", &["src/report", "src/commands"]),
    ("k256", &["src/keys"]),
    ("lz4_flex", &["src/container/lz4.rs"]),
    ("lzma_rust2", &["src/container"]),
    ("lzxd", &["src/container/cab"]),
    ("memchr", &["src/detect", "src/fill.rs", "src/hunt", "src/keys", "src/known", "src/scan"]),
    ("minidump", &["src/dump/minidump", "src/redact/unwind"]),
    ("minidump_common", &["src/dump/minidump", "src/redact/unwind"]),
    ("minidump_unwind", &["src/redact/unwind"]),
    ("miniz_oxide", &["src/container/cab"]),
    ("multiversion", &["src/scan", "src/detect", "src/hunt", "src/keys/limbs.rs"]),
    ("p256", &["src/keys"]),
    ("p384", &["src/keys"]),
    ("p521", &["src/keys"]),
    ("pe_unwind_info", &["src/redact/unwind/pe.rs"]),
    ("pkcs1", &["src/keys"]),
    ("pkcs8", &["src/keys"]),
    ("prometheus_client", &["src/hook/told.rs"]),
    ("rawzip", &["src/container/zip"]),
    ("quick_junit", &["src/report/junit.rs"]),
    ("rayon", &["src/parallel.rs"]),
    ("regex", &["src/detect/text", "src/rules_import/sample.rs"]),
    (
        "rustix",
        &[
            "src/container/spool.rs",
            "src/image/open.rs",
            "src/image/holes.rs",
            "src/known/read.rs",
            "src/policy/trust.rs",
            "src/redact/draft.rs",
            "src/hook",
            "src/redact/write",
        ],
    ),
    ("scroll", &["src/dump", "src/redact/unwind"]),
    ("sec1", &["src/keys"]),
    ("serde", &["src"]),
    ("serde_sarif", &["src/report/sarif.rs"]),
    (
        "serde_json",
        &[
            "src/inert.rs",
            "src/container/envelope.rs",
            "src/report",
            "src/rules_import",
            "src/audit",
            "src/hook",
            "src/redact/receipt",
            "src/policy",
            "src/commands",
            "src/detect",
        ],
    ),
    ("serde_saphyr", &["src/rules_import/yaml.rs"]),
    ("pbkdf2", &["src/keys/mac.rs"]),
    ("sha1", &["src/keys/mac.rs"]),
    ("sha2", &["src/keys", "src/vault", "src/redact", "src/report", "src/detect/text/checks"]),
    ("regex_automata", &["src/detect/text/gate.rs"]),
    ("regex_syntax", &["src/detect/text", "src/rules_import"]),
    ("smallvec", &["src/hunt/bits.rs"]),
    ("spki", &["src/keys"]),
    ("ssh_key", &["src/keys/ssh.rs"]),
    ("tar", &["src/container/tar.rs"]),
    ("tempfile", &["src/container/spool.rs", "src/scan/sites.rs", "src/redact/draft.rs", "src/commands/output.rs"]),
    ("thiserror", &["src/error.rs"]),
    ("toml", &["src/detect/text", "src/policy", "src/rules_import"]),
    ("tracing", &["src/hook/told.rs"]),
    ("tracing_subscriber", &["src/commands/hook_log.rs"]),
    ("walkdir", &["src/commands", "src/audit"]),
    ("x25519_dalek", &["src/keys"]),
    ("x509_cert", &["src/keys/certificate.rs"]),
    ("yara_x", &["src/detect/yara"]),
    ("yara_x_parser", &["src/detect/yara"]),
    ("zeroize", &["src"]),
    ("zstd", &["src/container"]),
];

/// Where `std::os::unix` may be named: all else runs on other systems too.
pub const UNIX: &[&str] = &["src/image", "src/known/read.rs", "src/policy/trust.rs", "src/redact/draft.rs", "src/hook"];
