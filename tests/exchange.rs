//! What goes to other services is what their formats ask for: SARIF by the schema of OASIS, JUnit as XML, GitLab's report
//! by what its schema asks for, GitHub's commands line by line.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// What `gate` prints of all samples, of a file with a gap, of one that is not there and of one with an odd name, by a preset
/// and with a baseline that accepts what `small.dmp` holds.
fn printed(format: &str, preset: &str) -> String {
    let folder = TempDir::new().unwrap();
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/samples");
    let run = |args: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_dumpscrub"));
        let done =
            program.current_dir(folder.path()).args(args).env("SOURCE_DATE_EPOCH", "1600000000").output().unwrap();
        String::from_utf8(done.stdout).unwrap()
    };
    run(&["key", "new", "fingerprint", "-o", "key"]);
    let small = format!("{samples}/small.dmp");
    run(&["baseline", "write", &small, "-o", "b.json", "--fingerprint-key", "key"]);
    let odd = "a b,c:%\u{e4}.dmp";
    fs::copy(format!("{samples}/process.dmp"), folder.path().join(odd)).unwrap();
    fs::write(folder.path().join("cut.gz"), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff]).unwrap();
    let with = ["--baseline", "b.json", "--fingerprint-key", "key", "-f", format, "--preset", preset, "--no-progress"];
    run(&[&["gate", samples, odd, "cut.gz", "nothing.dmp"][..], &with].concat())
}

fn json(format: &str, preset: &str) -> Value {
    let text = printed(format, preset);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn all<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("{key}: {value}"))
}

/// The schema of OASIS has one pattern, for names of languages, that is no regular expression: a bracket too many.
const SLIP: &str = "^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$";

/// Takes out the pattern that is none.
fn without_slip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("pattern").is_some_and(|pattern| pattern == SLIP) {
                fields.remove("pattern");
            }
            fields.values_mut().for_each(without_slip);
        }
        Value::Array(items) => items.iter_mut().for_each(without_slip),
        _ => {}
    }
}

/// The schema of OASIS, as the crate that has our SARIF types carries it in its source.
fn sarif_schema() -> Value {
    let tool = |name: &str| std::env::var_os(name.to_uppercase()).map_or_else(|| PathBuf::from(name), PathBuf::from);
    // Of other systems not all packages are there.
    let version = Command::new(tool("rustc")).arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let asked = ["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", host];
    let done = Command::new(tool("cargo")).current_dir(env!("CARGO_MANIFEST_DIR")).args(asked).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let metadata: Value = serde_json::from_slice(&done.stdout).unwrap();
    let package = all(&metadata, "packages").iter().find(|package| package["name"] == "serde-sarif").unwrap();
    let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap());
    let schema = fs::read_to_string(manifest.with_file_name("src").join("schema.json")).unwrap();
    let mut schema = serde_json::from_str(&schema).unwrap();
    without_slip(&mut schema);
    schema
}

#[test]
fn sarif_is_what_its_schema_says() {
    let schema = sarif_schema();
    assert!(schema["title"].as_str().unwrap().contains("SARIF") && schema["$id"].as_str().unwrap().contains("2.1.0"));
    let schema = jsonschema::validator_for(&schema).unwrap();
    for preset in ["report", "quarantine"] {
        let log = json("sarif", preset);
        let wrong: Vec<String> =
            schema.iter_errors(&log).map(|error| format!("{error} at {}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
    // The schema can fail: a log that is no log.
    assert!(!schema.is_valid(&serde_json::json!({ "version": "2.1.0", "runs": [{ "results": [{}] }] })));
}

#[test]
fn sarif_tells_places_rules_and_what_was_not_scanned() {
    let log = json("sarif", "quarantine");
    let run = &log["runs"][0];
    let (results, rules) = (all(run, "results"), all(&run["tool"]["driver"], "rules"));
    assert!(results.len() > 20);
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(rule["help"]["text"].as_str().unwrap().len() > 20);
        let region = &all(result, "locations")[0]["physicalLocation"]["region"];
        assert_eq!(region["startLine"], 1);
        assert!(region["byteOffset"].is_u64() && region["byteLength"].as_u64().unwrap() > 0);
        assert!(result["partialFingerprints"]["dumpscrubSecret/1"].as_str().unwrap().starts_with("fp1:"));
    }
    // The DER key of `samples/README.md` that stands at 0x2760c, and where it stood in memory.
    let places = results.iter().flat_map(|result| {
        let related = result["relatedLocations"].as_array().into_iter().flatten();
        all(result, "locations").iter().chain(related).map(|place| &place["physicalLocation"])
    });
    let key = places.clone().find(|at| {
        let file = at["artifactLocation"]["uri"].as_str().unwrap();
        at["region"]["byteOffset"] == 0x2760c && file.ends_with("full-memory.dmp")
    });
    let address = &key.unwrap()["address"];
    assert_eq!(address["fullyQualifiedName"], format!("{:#x}", address["absoluteAddress"].as_u64().unwrap()));
    // What the baseline accepts is suppressed: all of small.dmp, and nothing else.
    let suppressed = results.iter().filter(|result| result["suppressions"].is_array());
    assert!(suppressed.clone().count() >= 3);
    let is_small = |result: &Value| {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap().ends_with("small.dmp")
    };
    assert!(suppressed.clone().all(is_small) && suppressed.clone().all(|result| result["level"] == "note"));
    let invocation = &all(run, "invocations")[0];
    assert_eq!((&invocation["executionSuccessful"], &invocation["exitCode"]), (&false.into(), &2.into()));
    let told: Vec<&str> = all(invocation, "toolExecutionNotifications")
        .iter()
        .map(|told| told["descriptor"]["id"].as_str().unwrap())
        .collect();
    assert!(told.contains(&"gap") && told.contains(&"unreadable") && told.contains(&"fault"), "{told:?}");
    let uris: Vec<&str> = all(run, "artifacts").iter().map(|a| a["location"]["uri"].as_str().unwrap()).collect();
    assert!(uris.contains(&"a%20b%2Cc%3A%25%C3%A4.dmp"), "{uris:?}");
}

#[test]
fn junit_is_xml_in_which_every_secret_that_counts_is_a_failure() {
    for (preset, fails) in [("quarantine", true), ("report", false)] {
        let text = printed("junit", preset);
        let xml = roxmltree::Document::parse(&text).unwrap();
        let root = xml.root_element();
        assert_eq!((root.tag_name().name(), root.attribute("name")), ("testsuites", Some("dumpscrub")));
        let named = |tag: &'static str| xml.descendants().filter(move |node| node.has_tag_name(tag));
        let attribute = |name: &str| root.attribute(name).unwrap().parse::<usize>().unwrap();
        assert_eq!(attribute("tests"), named("testcase").count());
        assert_eq!((attribute("failures"), attribute("errors")), (named("failure").count(), named("error").count()));
        assert_eq!(named("error").count(), 1, "one input is not there");
        let secrets = named("failure").filter(|failure| failure.attribute("type") != Some("gap")).count();
        assert_eq!(secrets > 10, fails);
        assert!(named("skipped").count() >= 3, "what the baseline accepts");
        assert!(named("testsuite").all(|suite| suite.attribute("name").is_some()));
    }
}

/// By the schema of GitLab, version 15.0.4: what it requires, and the values that it allows.
#[test]
fn gitlab_gets_what_its_schema_asks_for() {
    let report = json("gitlab", "quarantine");
    assert_eq!(report["version"], "15.0.4");
    let scan = &report["scan"];
    assert_eq!((&scan["type"], &scan["status"]), (&"secret_detection".into(), &"failure".into()));
    assert_eq!(
        (&scan["start_time"], &scan["end_time"]),
        (&"2020-09-13T12:26:40".into(), &"2020-09-13T12:26:40".into())
    );
    for program in ["analyzer", "scanner"] {
        for field in ["id", "name", "version"] {
            assert!(!scan[program][field].as_str().unwrap().is_empty());
        }
        assert!(!scan[program]["vendor"]["name"].as_str().unwrap().is_empty());
    }
    let levels: Vec<&str> = all(scan, "messages").iter().map(|message| message["level"].as_str().unwrap()).collect();
    assert!(["info", "warn", "fatal"].iter().all(|level| levels.contains(level)), "{levels:?}");
    let found = all(&report, "vulnerabilities");
    let mut ids = std::collections::HashSet::new();
    let mut names = std::collections::HashSet::new();
    for one in found {
        assert!(ids.insert(one["id"].as_str().unwrap()), "{one}");
        assert!(one["name"].as_str().unwrap().chars().count() <= 255);
        assert!(["Info", "Low", "High", "Critical"].contains(&one["severity"].as_str().unwrap()));
        assert!(one["solution"].as_str().unwrap().len() <= 7000 && one["description"].is_string());
        let identifiers = all(one, "identifiers");
        for field in ["type", "name", "value"] {
            assert!(identifiers.iter().all(|identifier| !identifier[field].as_str().unwrap().is_empty()));
        }
        let (file, sha) = (&one["location"]["file"], &one["location"]["commit"]["sha"]);
        assert_eq!((sha.as_str().unwrap().len(), &one["location"]["start_line"]), (40, &1.into()));
        // GitLab would take two for one where these are the same.
        assert!(names.insert((file.as_str().unwrap(), identifiers[0]["value"].as_str().unwrap())), "{one}");
    }
    assert!(
        found.len() > 20 && found.iter().all(|one| !one["location"]["file"].as_str().unwrap().ends_with("small.dmp"))
    );
}

#[test]
fn github_gets_one_command_a_line() {
    let text = printed("github", "quarantine");
    assert!(text.lines().count() > 20);
    for line in text.lines() {
        let level = line.strip_prefix("::").and_then(|rest| rest.split(' ').next()).unwrap();
        assert!(["error", "warning", "notice"].contains(&level), "{line}");
        assert!(line.splitn(3, "::").nth(2).is_some_and(|words| !words.is_empty()), "{line}");
    }
    assert!(text.contains("::error file=a b%2Cc%3A%25\u{e4}.dmp,line=1,title="), "{text}");
    assert!(text.contains("::warning file=cut.gz") && text.contains("::error file=nothing.dmp"), "{text}");
    assert!(text.lines().last().unwrap().starts_with("::error title=dumpscrub::exit code 2"), "{text}");
}
