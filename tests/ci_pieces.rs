//! The action, the GitLab template and the pre-commit hooks: what they would run is taken out of their files and run.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn yaml(path: &str) -> Value {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn sample(name: &str) -> String {
    format!("{}/samples/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A folder in which `dumpscrub` is found, as on a build server that has it.
fn place() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("bin")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_dumpscrub"), folder.path().join("bin/dumpscrub")).unwrap();
    folder
}

fn bash(script: &str, folder: &Path, variables: &BTreeMap<String, String>) -> Output {
    let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]).current_dir(folder);
    bash.env("PATH", path).envs(variables).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs the gate's step of the action with these inputs, as GitHub would: its variables are made of the inputs.
fn action(folder: &Path, inputs: &[(&str, &str)]) -> (Output, String) {
    let action = yaml("action.yml");
    let given = |name: &str| {
        let default = action["inputs"][name]["default"].as_str().unwrap_or_default();
        inputs.iter().find(|(input, _)| *input == name).map_or(default, |(_, value)| value).to_owned()
    };
    let steps = action["runs"]["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["id"] == "gate").unwrap();
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in step["env"].as_object().unwrap() {
        let input = value.as_str().unwrap().strip_prefix("${{ inputs.").unwrap().strip_suffix(" }}").unwrap();
        assert!(action["inputs"][input].is_object(), "{input}");
        variables.insert(name.clone(), given(input));
    }
    let output = folder.join("outputs");
    fs::write(&output, "").unwrap();
    variables.insert("GITHUB_OUTPUT".to_owned(), output.display().to_string());
    variables.insert("RUNNER_TEMP".to_owned(), folder.display().to_string());
    let done = bash(step["run"].as_str().unwrap(), folder, &variables);
    (done, fs::read_to_string(output).unwrap())
}

#[test]
fn the_action_ends_with_the_exit_code_of_the_gate_and_leaves_its_report() {
    let place = place();
    let program = env!("CARGO_BIN_EXE_dumpscrub");
    let clean = sample("clean.dmp");
    let both = format!("{clean}\n{}\n", sample("full-memory.dmp"));
    for (paths, preset, code) in [
        (clean.as_str(), "quarantine", 0),
        (&both, "quarantine", 1),
        (&both, "report", 0),
        ("nothing.dmp", "report", 2),
    ] {
        let inputs = [("paths", paths), ("preset", preset), ("program", program)];
        let (done, outputs) = action(place.path(), &inputs);
        assert_eq!(done.status.code(), Some(code), "{}", text(&done));
        assert_eq!(outputs, format!("exit-code={code}\n"));
        let sarif = fs::read_to_string(place.path().join("dumpscrub.sarif")).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&sarif).unwrap()["runs"][0]["invocations"][0]["exitCode"], code);
        assert!(String::from_utf8_lossy(&done.stdout).lines().all(|line| line.starts_with("::")), "{}", text(&done));
    }
}

#[test]
fn the_action_takes_a_policy_and_a_baseline_and_leaves_no_key() {
    let place = place();
    let program = env!("CARGO_BIN_EXE_dumpscrub");
    let run = |args: &[&str]| assert!(Command::new(program).current_dir(&place).args(args).status().unwrap().success());
    run(&["key", "new", "fingerprint", "-o", "key"]);
    let small = sample("small.dmp");
    run(&["baseline", "write", &small, "-o", "b.json", "--fingerprint-key", "key"]);
    let key = fs::read_to_string(place.path().join("key")).unwrap();
    let inputs =
        [("paths", small.as_str()), ("baseline", "b.json"), ("fingerprint-key", key.trim()), ("program", program)];
    let (done, _) = action(place.path(), &inputs);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    let left = |name: &str| name.starts_with("dumpscrub-key");
    assert!(!fs::read_dir(&place).unwrap().any(|entry| left(&entry.unwrap().file_name().to_string_lossy())));
    fs::write(place.path().join("policy.toml"), "preset = \"report\"\n").unwrap();
    let (done, _) = action(place.path(), &[("paths", &small), ("policy", "policy.toml"), ("program", program)]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    fs::write(place.path().join("policy.toml"), "preset = \"rapport\"\n").unwrap();
    let (done, _) = action(place.path(), &[("paths", &small), ("policy", "policy.toml"), ("program", program)]);
    assert_eq!(done.status.code(), Some(2), "{}", text(&done));
}

#[test]
fn what_an_input_of_the_action_holds_is_never_a_command() {
    let place = place();
    let evil = "$(touch pwned) `touch pwned`; touch pwned";
    let program = env!("CARGO_BIN_EXE_dumpscrub");
    for input in ["paths", "policy", "preset", "baseline", "fingerprint-key", "sarif"] {
        let mut inputs = vec![("program", program), (input, evil)];
        if input != "paths" {
            inputs.push(("paths", "--help"));
        }
        let (done, _) = action(place.path(), &inputs);
        assert_eq!(done.status.code(), Some(2), "{input}: {}", text(&done));
        assert!(!place.path().join("pwned").exists(), "{input}");
    }
    // No script has an input in its text.
    let action = yaml("action.yml");
    for step in action["runs"]["steps"].as_array().unwrap() {
        assert!(!step["run"].as_str().unwrap().contains("${{"), "{step}");
    }
}

#[test]
fn the_gitlab_job_ends_with_the_exit_code_of_the_gate_and_leaves_its_reports() {
    let place = place();
    let template = yaml("ci/dumpscrub.gitlab-ci.yml");
    let job = &template[".dumpscrub"];
    let reports: Vec<&str> =
        job["artifacts"]["reports"].as_object().unwrap().values().map(|r| r.as_str().unwrap()).collect();
    assert_eq!((reports.len(), &job["artifacts"]["when"]), (2, &"always".into()));
    let script: Vec<&str> = job["script"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    let defaults = job["variables"].as_object().unwrap().iter();
    let defaults: BTreeMap<String, String> =
        defaults.map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())).collect();
    let run = |set: &[(&str, &str)]| {
        let mut variables = defaults.clone();
        variables.extend(set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        bash(&script.join("\n"), place.path(), &variables)
    };
    for (sample, code) in [(sample("clean.dmp"), 0), (sample("full-memory.dmp"), 1)] {
        let done = run(&[("DUMPSCRUB_PATHS", &sample)]);
        assert_eq!(done.status.code(), Some(code), "{}", text(&done));
        for report in &reports {
            assert!(fs::metadata(place.path().join(report)).unwrap().len() > 100);
            fs::remove_file(place.path().join(report)).unwrap();
        }
    }
    // A file of CI/CD variables can be read by all; the job takes it all the same.
    let program = |args: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_dumpscrub"));
        assert!(program.current_dir(&place).args(args).status().unwrap().success());
    };
    program(&["key", "new", "fingerprint", "-o", "key"]);
    let small = sample("small.dmp");
    program(&["baseline", "write", &small, "-o", "b.json", "--fingerprint-key", "key"]);
    fs::set_permissions(place.path().join("key"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let done = run(&[("DUMPSCRUB_PATHS", &small), ("DUMPSCRUB_BASELINE", "b.json"), ("DUMPSCRUB_KEY", "key")]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
}

#[test]
fn the_hooks_of_pre_commit_take_dumps_and_refuse_secrets() {
    let place = place();
    let hooks = yaml(".pre-commit-hooks.yaml");
    let hooks = hooks.as_array().unwrap();
    assert_eq!(hooks.len(), 2);
    for hook in hooks {
        let entry = hook["entry"].as_str().unwrap();
        for (sample, code) in [(sample("clean.dmp"), 0), (sample("small.dmp"), 1)] {
            // pre-commit runs the entry with the names of the files behind it.
            let done = bash(&format!("{entry} '{sample}'"), place.path(), &BTreeMap::new());
            assert_eq!(done.status.code(), Some(code), "{}", text(&done));
        }
        let files = regex::Regex::new(hook["files"].as_str().unwrap()).unwrap();
        for taken in ["core", "a/core.1234", "x.dmp", "a/b.mdmp", "crash.dmp.zst", "x.core.gz", "y.crash"] {
            assert!(files.is_match(taken), "{taken}");
        }
        for left in ["score", "core.rs", "src/core/mod.rs", "a.dmp.md", "hardcore"] {
            assert!(!files.is_match(left), "{left}");
        }
    }
}
