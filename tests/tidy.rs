//! Properties of the source tree: who may import whom, where each outside crate lives, how long a file may be.
//!
//! The tables are the rules. A new module, a new crate or a new import that they do not know fails here, so that the
//! decision is made on purpose and in one place.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

#[path = "tidy/house.rs"]
mod house;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use house::{HOMES, MAY_IMPORT, UNIX};

/// A file that is longer asks for another design.
const MOST_LINES: usize = 500;

#[test]
fn modules_import_only_what_lies_below_them() {
    let mut wrong = Vec::new();
    for file in sources() {
        let module = module_of(&file.path);
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!("{}: module `{module}` is not in MAY_IMPORT", file.path));
            continue;
        };
        for import in imports(&file.code) {
            if import != module && import != "span" && !allowed.iter().any(|group| group.contains(&import.as_str())) {
                wrong.push(format!("{}: `{module}` must not import `{import}`", file.path));
            }
        }
    }
    report(&wrong);
}

#[test]
fn every_outside_crate_has_one_home() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let crates: Vec<String> =
        manifest["dependencies"].as_table().unwrap().keys().map(|k| k.replace('-', "_")).collect();
    let known = |name: &str| HOMES.iter().find(|(home, _)| *home == name);
    let mut wrong: Vec<String> =
        crates.iter().filter(|name| known(name).is_none()).map(|name| format!("crate `{name}` has no home")).collect();
    let stale = HOMES.iter().filter(|(name, _)| !crates.iter().any(|known| known == name));
    wrong.extend(stale.map(|(name, _)| format!("`{name}` has a home and is no dependency")));
    for file in sources() {
        for (name, homes) in HOMES {
            if names_crate(&file.code, name) && !homes.iter().any(|home| file.path.starts_with(home)) {
                wrong.push(format!("{}: `{name}` lives in {}", file.path, homes.join(", ")));
            }
        }
    }
    report(&wrong);
}

#[test]
fn files_are_short() {
    let long = |file: &Source| (file.lines > MOST_LINES).then(|| format!("{}: {} lines", file.path, file.lines));
    let wrong: Vec<String> =
        rust_files(&["src", "tests", "benches", "fuzz", "examples"]).iter().filter_map(long).collect();
    report(&wrong);
}

#[test]
fn what_only_unix_has_stays_in_its_places() {
    let mut wrong = Vec::new();
    for file in rust_files(&["src"]) {
        if file.code.contains("std::os::unix") && !UNIX.iter().any(|home| file.path.starts_with(home)) {
            wrong.push(format!("{}: std::os::unix lives in {}", file.path, UNIX.join(", ")));
        }
    }
    report(&wrong);
}

#[test]
fn no_shortcuts_are_taken() {
    // Written in two halves, so that this file does not find itself.
    let words = [
        (concat!("uns", "afe {"), "unsafe code"),
        (concat!("uns", "afe fn"), "unsafe code"),
        (concat!("uns", "afe impl"), "unsafe code"),
        (concat!("uns", "afe extern"), "unsafe code"),
        (concat!("to", "do!("), "unfinished code"),
        (concat!("unimple", "mented!("), "unfinished code"),
        (concat!("#[al", "low("), "use #[expect(lint, reason = \"...\")]"),
        (concat!("#![al", "low("), "use #![expect(lint, reason = \"...\")]"),
    ];
    let mut wrong = Vec::new();
    for file in rust_files(&["src", "tests", "benches", "fuzz", "examples"]) {
        for (word, why) in words {
            if file.code.contains(word) {
                wrong.push(format!("{}: `{word}`: {why}", file.path));
            }
        }
    }
    report(&wrong);
}

#[test]
fn no_file_tells_of_the_machine_it_was_written_on() {
    let words = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];
    let mut wrong = Vec::new();
    for path in files(Path::new(""), &|_| true) {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for word in words {
            if let Some(line) = text.lines().position(|line| line.contains(word)) {
                wrong.push(format!("{}:{}: `{word}`", path.display(), line + 1));
            }
        }
    }
    report(&wrong);
}

#[test]
fn every_sample_is_explained() {
    let explained = if root().join("samples").exists() { read("samples/README.md") } else { String::new() };
    let is_dump = |path: &Path| path.extension().is_some_and(|end| end == "dmp");
    let samples: BTreeSet<String> = files(Path::new("samples"), &is_dump)
        .iter()
        .map(|p| p.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    let named: BTreeSet<String> = explained
        .split('`')
        .filter(|word| word.ends_with(".dmp") && !word.contains(['/', ' ']))
        .map(str::to_owned)
        .collect();
    assert_eq!(samples, named, "samples/*.dmp on the left, what samples/README.md names on the right");
}

#[test]
fn the_checks_see_what_they_look_for() {
    let code =
        "use crate::{span::Span, dump::{Region, map}};\nuse crate::window::Window;\nfn f() { crate::vault::g() }\n";
    assert_eq!(imports(code).into_iter().collect::<Vec<_>>(), ["dump", "span", "vault", "window"]);
    assert!(names_crate("use rayon::prelude::*;", "rayon"));
    assert!(names_crate("let x = der::Encode::to_der(&y);", "der"));
    assert!(!names_crate("use super::der;\nlet x = der::walk(&y);", "der"), "a module of the same name");
    assert!(!names_crate("let header::decoder::X = y;", "coder"), "a part of a word");
    assert_eq!(module_of("src/detect/text/rules.rs"), "detect");
    assert_eq!(module_of("src/span.rs"), "span");
    assert_eq!(code_of("a // crate::x\n//! crate::y\nb\n#[cfg(test)]\nmod tests { crate::z }"), "a\nb\n");
}

/// A file of Rust: its path from the root of the package, its code without comments and unit tests, its length.
struct Source {
    path: String,
    code: String,
    lines: usize,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The program itself, without its unit tests.
fn sources() -> impl Iterator<Item = Source> {
    rust_files(&["src"]).into_iter().filter(|file| !is_tests(&file.path))
}

fn rust_files(folders: &[&str]) -> Vec<Source> {
    let is_rust = |path: &Path| path.extension().is_some_and(|end| end == "rs");
    let mut sources = Vec::new();
    for folder in folders {
        for path in files(Path::new(folder), &is_rust) {
            let path = path.to_str().unwrap().to_owned();
            let text = read(&path);
            sources.push(Source { lines: text.lines().count(), code: code_of(&text), path });
        }
    }
    sources
}

/// Files below a folder of the package, by path from its root; what is built or fetched is left out.
fn files(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    const NOT_OURS: [&str; 5] = ["target", ".git", "corpus", "artifacts", "coverage"];
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(root().join(folder)) else { return found };
    for entry in entries {
        let entry = entry.unwrap();
        let (name, path) = (entry.file_name(), folder.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            if !NOT_OURS.iter().any(|skip| *skip == name) {
                found.extend(files(&path, wanted));
            }
        } else if wanted(&path) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Whether the file is a module of unit tests, or of what they share.
fn is_tests(path: &str) -> bool {
    ["tests.rs", "testing.rs"].iter().any(|name| path.ends_with(&format!("/{name}"))) || path.contains("/tests/")
}

/// The text without comments, and without the unit tests at its end: they may reach further.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        code.push_str(line.split(" // ").next().unwrap());
        code.push('\n');
    }
    let tests = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
    code[..tests].to_owned()
}

fn module_of(path: &str) -> &str {
    let inside = path.strip_prefix("src/").unwrap();
    inside.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The modules of this crate that the code names, by path or by `use`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(['$', '_']) {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(first_names(group)),
            None => found.extend([word(rest)]),
        }
    }
    found
}

/// The first name of each path in `a::b, c::{d, e}, f}`.
fn first_names(group: &str) -> Vec<String> {
    let (mut names, mut depth, mut fresh) = (Vec::new(), 0_i32, true);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            _ if fresh && letter.is_alphabetic() => {
                names.push(word(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Whether the code names the outside crate `name`: `name::` at the start of a path, unless a module of the same name is
/// declared or imported in the file.
fn names_crate(code: &str, name: &str) -> bool {
    let starts_path = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c));
    let path = format!("{name}::");
    let named = code.match_indices(&path).any(|(at, _)| starts_path(at)) || code.contains(&format!("use {name};"));
    named && !is_local(code, name)
}

fn is_local(code: &str, name: &str) -> bool {
    let declared = ["mod", "pub mod", "pub(crate) mod"].iter().any(|m| code.contains(&format!("{m} {name};")));
    let uses = code.split("use ").skip(1).map(|rest| rest.split(';').next().unwrap());
    let ours = uses.filter(|path| ["crate::", "super::", "self::"].iter().any(|start| path.starts_with(start)));
    declared || ours.flat_map(|path| path.split(|c: char| !(c.is_alphanumeric() || c == '_'))).any(|part| part == name)
}
