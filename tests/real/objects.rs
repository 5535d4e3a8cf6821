//! Values of objects of language runtimes, far from their names: attributes of instances and named tuples of CPython, arrays and properties of PHP, hashes of Perl, hashes and variables of Ruby, tables of Lua,
//! maps and fields of OpenJDK. Each value is fresh, every copy of it that a plain search of bytes knows of is a site, and nothing else counts.

use std::path::Path;

use crate::processes::text;
use crate::real::{Scanned, Victim, command, first_missing, missing};
use dumpscrub::finding::Severity;

use crate::{NOT_ALLOWED, secret};

/// Starts a program that takes its values, which are texts, from files, and looks for each of them.
fn values<const N: usize>(start: impl Fn(&Path) -> Victim, names: [&str; N]) {
    values_of(|folder, name| text(folder, name).into_bytes(), start, names);
}

/// The same with values of any kind.
fn values_of<const N: usize>(make: impl Fn(&Path, &str) -> Vec<u8>, start: impl Fn(&Path) -> Victim, names: [&str; N]) {
    if let Some(tool) = first_missing(&[&["gdb", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let values = names.map(|name| make(folder, name));
    let victim = start(folder);
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    for (value, name) in values.iter().zip(names) {
        assert!(scanned.copies(value) > 0, "{name}");
    }
    let counts = scanned.outcome.findings.iter().filter(|finding| finding.severity > Severity::Info);
    assert_eq!(counts.count(), values.len());
    assert!(scanned.outcome.coverage.gaps.is_empty(), "{:?}", scanned.outcome.coverage.gaps);
}

fn source(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real").join(name).to_string_lossy().into_owned()
}

const FIVE: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];
const THREE: [&str; 3] = ["first", "second", "third"];
const EIGHT: [&str; 8] = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"];

#[test]
fn python_keeps_values_of_attributes_and_named_tuples_apart_from_their_names() {
    let python = ["/usr/bin/python3", "python3"].into_iter().find(|python| first_missing(&[&[python, "-V"]]).is_none());
    let Some(python) = python else { return missing("Python is not there") };
    for program in ["attributes.py", "tuples.py"] {
        values(|folder| Victim::start(command(python, folder).arg(source(program))), FIVE);
    }
}

#[test]
fn python_keeps_values_of_variables_apart_from_their_names() {
    // Before 3.11 frames are another thing.
    let is_new = |python: &&str| {
        let program = "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))";
        first_missing(&[&[python, "-V"]]).is_none()
            && command(python, Path::new("/")).args(["-c", program]).status().is_ok_and(|status| status.success())
    };
    let Some(python) = ["/usr/bin/python3", "python3"].into_iter().find(is_new) else {
        return missing("Python 3.11 to 3.13 is not there");
    };
    values(|folder| Victim::start(command(python, folder).arg(source("locals.py"))), FIVE);
    values(|folder| Victim::start(command(python, folder).arg(source("closures.py"))), THREE);
}

#[test]
fn lua_keeps_values_of_tables_far_from_their_names() {
    if let Some(tool) = first_missing(&[&["lua5.4", "-v"]]) {
        return missing(&format!("{tool} is not there"));
    }
    values(|folder| Victim::start(command("lua5.4", folder).arg(source("tables.lua"))), THREE);
}

#[test]
fn php_keeps_values_of_arrays_and_properties_far_from_their_names() {
    if let Some(tool) = first_missing(&[&["php", "-v"]]) {
        return missing(&format!("{tool} is not there"));
    }
    values(|folder| Victim::start(command("php", folder).arg(source("arrays.php"))), EIGHT);
}

#[test]
fn perl_keeps_values_of_hashes_far_from_their_names() {
    if let Some(tool) = first_missing(&[&["perl", "-v"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let [first, second, third, fourth, _] = FIVE;
    let names = [first, second, third, fourth];
    values(|folder| Victim::start(command("perl", folder).arg(source("hashes.pl"))), names);
}

/// Ruby, of a version before strings and instances were laid out otherwise.
fn ruby() -> Option<&'static str> {
    let program = ["-e", "exit RUBY_VERSION.start_with?('3.1.')"];
    let status = command("ruby", Path::new("/")).args(program).status();
    status.is_ok_and(|status| status.success()).then_some("ruby")
}

#[test]
fn ruby_keeps_values_of_hashes_and_variables_far_from_their_names() {
    let Some(ruby) = ruby() else { return missing("Ruby 3.1 is not there") };
    values(|folder| Victim::start(command(ruby, folder).arg(source("objects.rb"))), FIVE);
}

#[test]
fn keys_that_are_no_text_are_values_too() {
    let python = ["/usr/bin/python3", "python3"].into_iter().find(|python| first_missing(&[&[python, "-V"]]).is_none());
    let programs = [
        ("octets.py", python),
        ("octets.php", Some("php")),
        ("octets.pl", Some("perl")),
        ("octets.rb", ruby()),
        ("octets.js", Some("node")),
    ];
    for (program, tool) in programs {
        let Some(tool) = tool.filter(|tool| first_missing(&[&[tool, "-v"]]).is_none()) else {
            missing(&format!("nothing is there that runs {program}"));
            continue;
        };
        let start =
            |folder: &Path| Victim::start(command(tool, folder).env("MALLOC_ARENA_MAX", "1").arg(source(program)));
        values_of(octets, start, THREE);
    }
}

#[test]
fn node_keeps_values_of_objects_far_from_their_names() {
    if let Some(tool) = first_missing(&[&["node", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    values(
        |folder| Victim::start(command("node", folder).env("MALLOC_ARENA_MAX", "1").arg(source("properties.js"))),
        EIGHT,
    );
}

#[test]
fn openjdk_keeps_values_of_maps_and_fields_far_from_their_names() {
    if let Some(tool) = first_missing(&[&["java", "-version"], &["javac", "-version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let ways: [&[&str]; 6] = [
        &["-XX:+UseSerialGC", "Maps"],
        &["-XX:+UseSerialGC", "Fields"],
        // Classes that were loaded before, in other memory.
        &["-Xshare:auto", "-XX:+UseG1GC", "Fields", "collect", "twice"],
        &["-XX:+UseSerialGC", "-XX:-UseCompressedOops", "Fields"],
        // Pointers that are shifted.
        &["-XX:+UseG1GC", "-XX:HeapBaseMinAddress=8g", "Maps", "collect", "twice"],
        &["-XX:+UseSerialGC", "-XX:-UseCompressedOops", "Maps"],
    ];
    for way in ways {
        values(|folder| java(folder, way), FIVE);
    }
}

/// A process of OpenJDK, with these arguments. What is set aside and not used is in the dump too, so little is.
fn java(folder: &Path, way: &[&str]) -> Victim {
    let small = ["-Xmx32m", "-Xss512k", "-XX:ReservedCodeCacheSize=16m", "-XX:TieredStopAtLevel=1", "-Xshare:off"];
    let sources = ["Maps.java", "Fields.java", "Octets.java"].map(source);
    assert!(command("javac", folder).args(["-d", "."]).args(sources).status().unwrap().success());
    let mut java = command("java", folder);
    Victim::start(java.env("MALLOC_ARENA_MAX", "1").args(small).arg("-XX:CompressedClassSpaceSize=16m").args(way))
}

/// A fresh key of a length of its own.
fn octets(folder: &Path, name: &str) -> Vec<u8> {
    let len = THREE.iter().zip([32, 24, 64]).find(|(other, _)| **other == name).map_or(20, |(_, len)| len);
    secret(folder, name, len)
}

#[test]
fn openjdk_keeps_keys_in_fields() {
    if let Some(tool) = first_missing(&[&["java", "-version"], &["javac", "-version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    values_of(octets, |folder| java(folder, &["-XX:+UseSerialGC", "Octets"]), THREE);
}
