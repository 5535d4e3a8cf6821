//! Clients of databases that really run and are logged in at a server that knows no more than the login (`databases.py`).

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::NOT_ALLOWED;
use crate::real::{Scanned, Victim, command, first_missing, missing};
use crate::servers::password;
use dumpscrub::finding::RuleId;

/// A server that lets one client in. It is ended, also where the test fails.
struct Database(Child);

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Database {
    /// The server, and its port. It makes the file `in` when the client is in.
    fn start(kind: &str, password: &str, folder: &std::path::Path) -> (Self, String) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/databases.py");
        let mut server = command("python3", folder);
        let mut server = Self(server.args([script, kind, password, "in"]).stdout(Stdio::piped()).spawn().unwrap());
        let mut port = String::new();
        BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
        (server, port.trim().to_owned())
    }
}

#[test]
fn clients_of_databases_keep_the_password_that_they_logged_in_with() {
    let tools: [&[&str]; 4] =
        [&["psql", "--version"], &["mariadb", "--version"], &["python3", "--version"], &["gdb", "--version"]];
    if let Some(tool) = first_missing(&tools) {
        return missing(&format!("{tool} is not there"));
    }
    for kind in ["postgresql", "mysql"] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let password = password(19);
        let (_server, port) = Database::start(kind, &password, folder);
        let secrets = folder.join("secrets");
        // Files of passwords that nobody else may read, as both clients want them.
        let mut client = if kind == "mysql" {
            fs::write(&secrets, format!("[client]\npassword={password}\n")).unwrap();
            let mut client = command("mariadb", folder);
            client.args(["--defaults-file=secrets", "--skip-ssl", "-h127.0.0.1", "-uann", "-P", &port]);
            client
        } else {
            fs::write(&secrets, format!("*:*:*:*:{password}\n")).unwrap();
            let mut client = command("psql", folder);
            client.env("PGPASSFILE", &secrets).args(["-X", "-h", "127.0.0.1", "-U", "ann", "-d", "shop", "-p", &port]);
            client.env("PGSSLMODE", "disable").env("PGGSSENCMODE", "disable");
            client
        };
        let only_mine = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&secrets, only_mine).unwrap();
        let victim = Victim::with_file(client.stdin(Stdio::piped()), &folder.join("in"));
        let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
        let scanned = Scanned::of(&core);
        assert!(scanned.copies(password.as_bytes()) >= 1, "{kind}");
        let is_of_client = |rule: RuleId| scanned.outcome.rules[rule.0].id == "database-client-password";
        assert!(scanned.outcome.findings.iter().any(|finding| is_of_client(finding.rule)), "{kind}");
    }
}
