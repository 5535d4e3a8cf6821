//! What `--format json` and `--format jsonl` print is what `docs/report.schema.json` says, and receipts are what
//! `docs/receipt.schema.json` says.
//!
//! The checker below knows the words that the schema uses and refuses others, so that the schema cannot come to say more
//! than is checked.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

fn schema() -> Value {
    schema_of("report")
}

fn schema_of(what: &str) -> Value {
    let path = format!("{}/docs/{what}.schema.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// What `scan` prints of the samples, of a file that is not there, and of a folder with a link in it.
fn printed(format: &str, more: &[&str]) -> String {
    let folder = tempfile::TempDir::new().unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/samples");
    let mut program = Command::new(env!("CARGO_BIN_EXE_dumpscrub"));
    program.args(["scan", "-f", format, samples, "nothing.dmp"]).arg(folder.path()).args(more);
    String::from_utf8(program.output().unwrap().stdout).unwrap()
}

#[test]
fn the_document_is_what_the_schema_says() {
    let schema = schema();
    for more in [&[][..], &["--show-secrets"]] {
        let document: Value = serde_json::from_str(&printed("json", more)).unwrap();
        assert!(document["findings"][0]["sites"][0]["form"].is_object());
        assert_eq!(document["summary"]["unreadable"], 1);
        check(&document, &schema, &schema).unwrap();
    }
}

#[test]
fn every_line_is_what_the_schema_says() {
    let schema = schema();
    let text = printed("jsonl", &["--show-secrets"]);
    let mut kinds = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        check(&line, &schema["$defs"]["line"], &schema).unwrap();
        kinds.push(line["type"].as_str().unwrap().to_owned());
    }
    assert_eq!((kinds.first().unwrap().as_str(), kinds.last().unwrap().as_str()), ("start", "summary"));
    for kind in ["dump", "gap", "skipped", "finding", "site"] {
        assert!(kinds.iter().any(|k| k == kind), "{kind}");
    }
}

#[test]
fn receipts_are_what_their_schema_says() {
    use base64ct::Encoding as _;
    let schema = schema_of("receipt");
    let folder = tempfile::TempDir::new().unwrap();
    let program = |args: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_dumpscrub"));
        let output = program.current_dir(folder.path()).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}");
    };
    program(&["key", "new", "signing", "-o", "key"]);
    program(&["key", "new", "fingerprint", "-o", "fingerprints"]);
    for sample in ["full-memory", "process", "small", "clean"] {
        let dump = format!("{}/samples/{sample}.dmp", env!("CARGO_MANIFEST_DIR"));
        let more = ["--fail-on", "high", "--fingerprint-key", "fingerprints"];
        for (signed, name) in [(&[][..], "plain"), (&["--sign", "key"], "signed")] {
            let args = [&["redact", &dump, "-o", "out.dmp", "--force", "--receipt", name][..], &more, signed].concat();
            program(&args);
        }
        let read = |name: &str| serde_json::from_slice::<Value>(&fs::read(folder.path().join(name)).unwrap()).unwrap();
        check(&read("plain"), &schema, &schema).unwrap();
        let envelope = read("signed");
        check(&envelope, &schema["$defs"]["envelope"], &schema).unwrap();
        let payload = base64ct::Base64::decode_vec(envelope["payload"].as_str().unwrap()).unwrap();
        check(&serde_json::from_slice(&payload).unwrap(), &schema, &schema).unwrap();
    }
}

#[test]
fn the_schemas_agree_on_what_they_share() {
    for name in ["severity", "evidence", "form", "public"] {
        assert_eq!(schema()["$defs"][name], schema_of("receipt")["$defs"][name], "{name}");
    }
}

#[test]
fn the_pages_name_every_field() {
    for (schema, page) in [(schema(), "json.md"), (schema_of("receipt"), "receipt.md")] {
        let text = fs::read_to_string(format!("{}/docs/{page}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let mut names = Vec::new();
        properties(&schema, &mut names);
        let missing: Vec<_> = names.iter().filter(|name| !text.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "docs/{page} does not name {missing:?}");
    }
}

#[test]
fn the_checker_refuses_what_is_wrong() {
    let schema = schema();
    let good = json!({"layout": "pem", "encoding": "plain", "piece": "whole"});
    check(&good, &schema["$defs"]["form"], &schema).unwrap();
    for bad in
        [json!({"layout": "pem", "encoding": "plain"}), json!({"layout": "x", "encoding": "plain", "piece": "p"})]
    {
        assert!(check(&bad, &schema["$defs"]["form"], &schema).is_err(), "{bad}");
    }
    let extra = json!({"layout": "pem", "encoding": "plain", "piece": "p", "more": 1});
    assert!(check(&extra, &schema["$defs"]["form"], &schema).is_err());
    assert!(check(&json!(-1), &schema["$defs"]["gap"]["properties"]["offset"], &schema).is_err());
    assert!(check(&json!({"type": "dump"}), &schema["$defs"]["line"], &schema).is_err());
}

fn properties(schema: &Value, names: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get("properties") {
                names.extend(properties.keys().cloned());
            }
            fields.values().for_each(|field| properties(field, names));
        }
        Value::Array(items) => items.iter().for_each(|item| properties(item, names)),
        _ => {}
    }
}

/// Whether `value` is what `schema` says; `root` is where references point into.
fn check(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    for (word, says) in schema.as_object().unwrap() {
        let holds = match word.as_str() {
            "$schema" | "$defs" | "title" | "description" | "additionalProperties" => true,
            "$ref" => {
                let name = says.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                check(value, &root["$defs"][name], root)?;
                true
            }
            "type" => is_of(value, says.as_str().unwrap()),
            "const" => value == says,
            "enum" => says.as_array().unwrap().contains(value),
            "minimum" => value.as_u64() >= says.as_u64(),
            "minItems" => value.as_array().unwrap().len() as u64 >= says.as_u64().unwrap(),
            "maxItems" => value.as_array().unwrap().len() as u64 <= says.as_u64().unwrap(),
            "pattern" => {
                regex::bytes::Regex::new(says.as_str().unwrap()).unwrap().is_match(value.as_str().unwrap().as_bytes())
            }
            "required" => says.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
            "properties" => {
                check_fields(value, says, root)?;
                true
            }
            "items" => {
                value.as_array().unwrap().iter().try_for_each(|item| check(item, says, root))?;
                true
            }
            "oneOf" => says.as_array().unwrap().iter().filter(|one| check(value, one, root).is_ok()).count() == 1,
            unknown => panic!("the schema uses `{unknown}`, which this test does not check"),
        };
        if !holds {
            return Err(format!("`{word}: {says}` does not hold for {value}"));
        }
    }
    Ok(())
}

/// Checks every field; objects of this schema hold no others than they name.
fn check_fields(value: &Value, properties: &Value, root: &Value) -> Result<(), String> {
    for (name, field) in value.as_object().ok_or_else(|| format!("{value} is no object"))? {
        let says = properties.get(name).ok_or_else(|| format!("the schema does not know `{name}` of {value}"))?;
        check(field, says, root)?;
    }
    Ok(())
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        _ => false,
    }
}
