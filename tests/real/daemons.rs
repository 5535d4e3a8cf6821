//! Daemons whose keys are in layouts of their own: every copy that a plain search of bytes knows of is a site.

use std::fs;

use base64ct::{Base64, Encoding as _};

use crate::real::{Scanned, Victim, command, first_missing, missing};
use crate::servers::password;
use crate::{NOT_ALLOWED, digits60, secret};

#[test]
fn dropbear_keeps_its_host_key_in_digits() {
    if let Some(tool) = first_missing(&[&["dropbear", "-V"], &["gdb", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut keys = command("dropbearkey", folder);
    assert!(keys.args(["-t", "ecdsa", "-s", "256", "-f", "key"]).status().unwrap().success());
    // The file ends with the number, behind its length.
    let file = fs::read(folder.join("key")).unwrap();
    let ends_with = |len: usize| file[..file.len() - len].ends_with(&(len as u32).to_be_bytes());
    let len = (24..=33).rev().find(|len| ends_with(*len)).unwrap();
    let number: Vec<u8> = file[file.len() - len..].iter().copied().skip_while(|byte| *byte == 0).collect();
    let mut dropbear = command("dropbear", folder);
    let victim = dropbear.args(["-F", "-s", "-p", "127.0.0.1:0", "-r", "key", "-P", "ready"]);
    let victim = Victim::with_file(victim, &folder.join("ready"));
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    assert_eq!(scanned.proven("P-256"), 1);
    assert!(scanned.copies(&digits60(&number)) > 0);
    scanned.copies_of_number(&number);
}

#[test]
fn tor_keeps_the_hash_of_a_seed_behind_the_public_key() {
    if let Some(tool) = first_missing(&[&["tor", "--version"], &["gdb", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [data, service] = ["data", "service"].map(|name| folder.join(name).display().to_string());
    // It needs no network to make the key of a service, which it goes on holding.
    let lines = [
        format!("DataDirectory {data}\nHiddenServiceDir {service}\nHiddenServicePort 80 127.0.0.1:9\n"),
        "SocksPort 0\nDisableNetwork 1\nPidFile ready\n".to_owned(),
    ];
    fs::write(folder.join("torrc"), lines.concat()).unwrap();
    let victim = Victim::with_file(command("tor", folder).args(["-f", "torrc"]), &folder.join("service/hostname"));
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    // A header of 32 bytes stands before the scalar and what signatures begin with.
    let file = fs::read(folder.join("service/hs_ed25519_secret_key")).unwrap();
    let (_, hash) = file.split_at(32);
    let scanned = Scanned::of(&core);
    assert!(scanned.copies(hash) > 0 && scanned.copies(&hash[..32]) > 0);
    assert!(scanned.proven("Ed25519") > 0);
}

#[test]
fn a_server_of_kerberos_keeps_the_master_key_of_its_realm() {
    if let Some(tool) = first_missing(&[&["gdb", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let at = folder.display();
    let lines = ["[libdefaults]\n default_realm = EXAMPLE.ORG\n[realms]\n EXAMPLE.ORG = {\n  kdc = 127.0.0.1\n }\n"];
    fs::write(folder.join("krb5.conf"), lines.concat()).unwrap();
    let lines = [
        format!("[realms]\n EXAMPLE.ORG = {{\n  database_name = {at}/principal\n  key_stash_file = {at}/stash\n"),
        "  kdc_listen = 127.0.0.1:0\n  kdc_tcp_listen = 127.0.0.1:0\n }\n".to_owned(),
    ];
    fs::write(folder.join("kdc.conf"), lines.concat()).unwrap();
    let of_realm = |name: &str| {
        let mut command = command(name, folder);
        command.env("KRB5_CONFIG", folder.join("krb5.conf")).env("KRB5_KDC_PROFILE", folder.join("kdc.conf"));
        command
    };
    let made = of_realm("kdb5_util").args(["create", "-s", "-P", &password(20)]).status();
    if made.is_err() {
        return missing("krb5kdc is not there");
    }
    assert!(made.unwrap().success());
    let victim = Victim::with_file(of_realm("krb5kdc").args(["-n", "-P", "ready"]), &folder.join("ready"));
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    // The stash is a keytab: the kind of the key, how long it is, and the key.
    let stash = fs::read(folder.join("stash")).unwrap();
    let behind = memchr::memmem::find(&stash, &[0, 18, 0, 32]).unwrap() + 4;
    assert!(Scanned::of(&core).copies(&stash[behind..behind + 32]) > 0);
}

#[test]
fn strongswan_keeps_shared_secrets_without_a_name() {
    const CHARON: &str = "/usr/lib/ipsec/charon";
    let tools: [&[&str]; 3] = [&["gdb", "--version"], &[CHARON, "--version"], &["swanctl", "--help"]];
    if let Some(tool) = first_missing(&tools) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let socket = format!("unix://{}/vici", folder.display());
    let lines = [
        "charon {\n port = 0\n port_nat_t = 0\n load = random nonce openssl vici kernel-netlink socket-default\n",
        &format!(" plugins {{\n  vici {{\n   socket = {socket}\n  }}\n }}\n}}\n"),
    ];
    fs::write(folder.join("conf"), lines.concat()).unwrap();
    let [shared, eap] = [20, 16].map(password);
    let lines = [
        format!("secrets {{\n ike-a {{\n  secret = \"{shared}\"\n }}\n"),
        format!(" eap-b {{\n  id = carol\n  secret = \"{eap}\"\n }}\n}}\n"),
    ];
    fs::write(folder.join("secrets"), lines.concat()).unwrap();
    let with_conf = |name: &str| {
        let mut command = command(name, folder);
        command.env("STRONGSWAN_CONF", folder.join("conf"));
        command
    };
    let victim = Victim::with_file(&mut with_conf(CHARON), &folder.join("vici"));
    let loaded = with_conf("swanctl").args(["--load-creds", "--uri", &socket, "--file", "secrets"]).status();
    assert!(loaded.unwrap().success());
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    for text in [&shared, &eap] {
        assert!(scanned.copies(text.as_bytes()) > 0, "{} letters", text.len());
    }
}

#[test]
fn bind_keeps_keys_of_tsig_as_bytes() {
    if let Some(tool) = first_missing(&[&["gdb", "--version"], &["named", "-v"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [short, long] = [secret(folder, "short", 32), secret(folder, "long", 64)];
    let at = folder.display();
    let key = |name: &str, hash: &str, key: &[u8]| {
        format!("key {name} {{ algorithm {hash}; secret \"{}\"; }};\n", Base64::encode_string(key))
    };
    let lines = [
        format!("options {{ directory \"{at}\"; pid-file \"{at}/ready\"; session-keyfile none;\n"),
        " listen-on { none; }; listen-on-v6 { none; }; recursion no; dnssec-validation no; };\ncontrols { };\n"
            .to_owned(),
        key("a", "hmac-sha256", &short),
        key("b", "hmac-sha512", &long),
    ];
    fs::write(folder.join("conf"), lines.concat()).unwrap();
    let mut named = command("named", folder);
    let victim = Victim::with_file(named.args(["-g", "-n", "1", "-c", "conf"]), &folder.join("ready"));
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    for key in [&short, &long] {
        assert!(scanned.copies(key) > 0, "{} bytes", key.len());
    }
}
