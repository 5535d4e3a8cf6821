//! Servers that really run, with passwords made for the test: every copy that a plain search of bytes knows of is a site.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::NOT_ALLOWED;
use crate::real::{Scanned, Victim, command, first_missing, missing};
use dumpscrub::finding::Evidence;

/// A password of so many letters.
pub fn password(len: usize) -> String {
    let letters = b"abcdefghkmnpqrstuvwxyzABCDEFGHKLMNPQRSTUVWXYZ23456789";
    (0..len).map(|_| char::from(letters[rand::random_range(0..letters.len())])).collect()
}

#[test]
fn redis_keeps_passwords_without_a_name() {
    if let Some(tool) = first_missing(&[&["redis-server", "--version"], &["gdb", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // The byte with the length of the second one is a letter.
    let [own, short, long, master] = [18, 11, 40, 20].map(password);
    let lines = [
        "port 0\nunixsocket socket\nsave \"\"\n".to_owned(),
        format!("requirepass {own}\nmasterauth {master}\n"),
        format!("user ann on >{short} ~* +@all\nuser bob on >{long} ~* +@all\n"),
    ];
    fs::write(folder.join("redis.conf"), lines.concat()).unwrap();
    let victim = Victim::with_file(command("redis-server", folder).arg("redis.conf"), &folder.join("socket"));
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    for text in [&own, &short, &long, &master] {
        assert!(scanned.copies(text.as_bytes()) >= 1, "{} letters", text.len());
    }
    let of_redis = scanned.outcome.findings.iter().filter(|finding| finding.public.kind == "Redis");
    assert_eq!(of_redis.filter(|finding| finding.evidence == Evidence::Proven).count(), 3);
}

#[test]
fn openvpn_keeps_what_it_was_told_in_structures() {
    if let Some(tool) = first_missing(&[&["openssl", "version"], &["gdb", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    // It ends with 1 where it says its version.
    if Command::new("openvpn").arg("--version").output().is_err() {
        return missing("openvpn is not there");
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [user, passphrase, management] = [14, 12, 16].map(password);
    fs::write(folder.join("user"), format!("ann\n{user}\n")).unwrap();
    fs::write(folder.join("passphrase"), format!("{passphrase}\n")).unwrap();
    fs::write(folder.join("management"), format!("{management}\n")).unwrap();
    let pass = format!("pass:{passphrase}");
    let how = ["req", "-x509", "-newkey", "rsa:2048", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=a"];
    assert!(command("openssl", folder).args(how).args(["-passout", &pass]).status().unwrap().success());
    // Nobody answers, so it goes on asking.
    let lines = [
        "client\ndev null\nremote 127.0.0.1 9 udp\nca cert.pem\ncert cert.pem\nkey key.pem\n",
        "askpass passphrase\nauth-user-pass user\nnobind\nwritepid ready\n",
        "management socket unix management\n",
    ];
    fs::write(folder.join("conf"), lines.concat()).unwrap();
    let victim = Victim::with_file(command("openvpn", folder).arg("conf"), &folder.join("ready"));
    thread::sleep(Duration::from_secs(1));
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    for text in [&user, &passphrase, &management] {
        assert!(scanned.copies(text.as_bytes()) >= 1, "{} letters", text.len());
    }
}

#[test]
fn slapd_keeps_the_password_of_its_administrator_without_a_name() {
    if let Some(tool) = first_missing(&[&["slapd", "-VV"], &["gdb", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let administrator = password(14);
    let lines = [
        "include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile ready\n"
            .to_owned(),
        "database mdb\nmaxsize 1048576\nsuffix dc=x\nrootdn cn=admin,dc=x\ndirectory .\n".to_owned(),
        format!("rootpw {administrator}\n"),
    ];
    fs::write(folder.join("conf"), lines.concat()).unwrap();
    let address = format!("ldapi://{}", folder.join("socket").display().to_string().replace('/', "%2F"));
    let mut slapd = command("slapd", folder);
    let victim = Victim::with_file(slapd.args(["-f", "conf", "-d", "0", "-h", &address]), &folder.join("ready"));
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    assert!(Scanned::of(&core).copies(administrator.as_bytes()) >= 1);
}

#[test]
fn hostapd_keeps_secrets_of_an_access_point_without_a_name() {
    if let Some(tool) = first_missing(&[&["gdb", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    // It ends with 1 where it says its version.
    if Command::new("hostapd").arg("-v").output().is_err() {
        return missing("hostapd is not there");
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [passphrase, server, client, user] = [14, 13, 12, 11].map(password);
    fs::write(folder.join("users"), format!("\"ann\" MD5 \"{user}\"\n")).unwrap();
    fs::write(folder.join("clients"), format!("127.0.0.0/8 {client}\n")).unwrap();
    let lines = [
        "interface=lo\ndriver=none\nctrl_interface=control\nssid=corp\nwpa=2\nwpa_key_mgmt=WPA-PSK\n".to_owned(),
        format!("wpa_passphrase={passphrase}\nauth_server_addr=127.0.0.1\nauth_server_port=18129\n"),
        format!("auth_server_shared_secret={server}\nieee8021x=1\neap_server=1\neap_user_file=users\n"),
        "radius_server_clients=clients\nradius_server_auth_port=18128\n".to_owned(),
    ];
    fs::write(folder.join("conf"), lines.concat()).unwrap();
    let victim = Victim::with_file(command("hostapd", folder).arg("conf"), &folder.join("control/lo"));
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    for text in [&passphrase, &server, &client, &user] {
        assert!(scanned.copies(text.as_bytes()) >= 1, "{} letters", text.len());
    }
    let of_network = scanned.outcome.findings.iter().filter(|finding| finding.public.kind == "hostapd");
    assert_eq!(of_network.filter(|finding| finding.evidence == Evidence::Proven).count(), 2);
}

#[test]
fn snmpd_keeps_communities_and_keys_of_users_without_a_name() {
    if let Some(tool) = first_missing(&[&["snmpd", "--version"], &["gdb", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [community, authentication, privacy] = [12, 14, 16].map(password);
    let lines = [
        format!("rocommunity {community} 127.0.0.1\nagentaddress unix:agent\n"),
        format!("createUser ann SHA \"{authentication}\" AES \"{privacy}\"\nrouser ann priv\n"),
    ];
    fs::write(folder.join("conf"), lines.concat()).unwrap();
    let mut snmpd = command("snmpd", folder);
    snmpd.env("SNMP_PERSISTENT_DIR", folder.join("state"));
    let victim =
        Victim::with_file(snmpd.args(["-f", "-C", "-c", "conf", "-Lf", "log", "-p", "ready"]), &folder.join("ready"));
    thread::sleep(Duration::from_secs(1));
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    assert!(scanned.copies(community.as_bytes()) >= 1);
    let of_agent = scanned.outcome.findings.iter().filter(|finding| finding.public.kind == "net-snmp");
    assert_eq!(of_agent.count(), 3);
}
