//! A real ssh-agent, its keys made for the test: a dump of it gives every one of them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dumpscrub::finding::{Evidence, Layout, Piece, Severity};
use dumpscrub::limits::Limits;
use dumpscrub::scan::{self, Engine, Options, Outcome, Quiet};
use dumpscrub::{detect, dump, image};

/// Kinds of keys as ssh-keygen names them, and what they are told as.
const KINDS: [(&str, &str, &str); 4] = [
    ("rsa", "rsa-private-key", "RSA-3072"),
    ("ecdsa", "ec-private-key", "P-256"),
    ("ecdsa521", "ec-private-key", "P-521"),
    ("ed25519", "ed25519-private-key", "Ed25519"),
];

/// Without the tool a test has nothing to look at; where all tools must be there that is a failure.
fn missing(what: &str) {
    assert!(std::env::var_os("DUMPSCRUB_REQUIRE_TOOLS").is_none(), "{what}");
}

fn command(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(name);
    command.current_dir(folder).env("SSH_AUTH_SOCK", folder.join("socket"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Ends the agent, also where the test fails.
struct Agent(Child);

impl Agent {
    /// An agent that holds a key of each kind; the files of the keys are gone. `None` where there is no OpenSSH.
    fn with_keys(folder: &Path) -> Option<Self> {
        let agent = command("ssh-agent", folder).args(["-D", "-a"]).arg(folder.join("socket")).spawn().ok()?;
        let agent = Self(agent);
        let started = Instant::now();
        while !folder.join("socket").exists() && started.elapsed().as_secs() < 30 {
            std::thread::sleep(Duration::from_millis(20));
        }
        for (kind, ..) in KINDS {
            let bits: &[&str] = match kind {
                "rsa" => &["-b", "3072"],
                "ecdsa521" => &["-b", "521"],
                _ => &[],
            };
            let made = command("ssh-keygen", folder)
                .args(["-q", "-N", "", "-C", "a test", "-t", kind.trim_end_matches("521"), "-f", kind])
                .args(bits)
                .status()
                .ok()?;
            assert!(made.success(), "{kind}");
            assert!(command("ssh-add", folder).args(["-q", kind]).status().unwrap().success(), "{kind}");
            fs::remove_file(folder.join(kind)).unwrap();
        }
        Some(agent)
    }

    fn dump(&self, folder: &Path) -> Option<PathBuf> {
        let id = self.0.id().to_string();
        let made = command("gcore", folder).args(["-o", "core", &id]).status().ok()?;
        let core = folder.join(format!("core.{id}"));
        (made.success() && core.exists()).then_some(core)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn scan(core: &Path) -> Outcome {
    let image = image::open(core).unwrap();
    let map = dump::map(&image, &Limits::default()).unwrap();
    let engine = Engine::new(detect::detectors().unwrap()).unwrap();
    scan::scan(&image, &map, &engine, &Options::default(), &Quiet).unwrap()
}

#[test]
fn every_key_of_an_agent_is_unshielded_and_its_prekey_is_a_site() {
    let folder = tempfile::tempdir().unwrap();
    let Some(agent) = Agent::with_keys(folder.path()) else {
        return missing("ssh-agent is not there: it comes with openssh-client");
    };
    if command("gcore", folder.path()).arg("-h").status().is_err() {
        return missing("gcore is not there: it comes with gdb");
    }
    // An agent lets only the system's administrator look at it. That is no fault of ours, with or without tools.
    let Some(core) = agent.dump(folder.path()) else { return };
    let outcome = scan(&core);
    for (_, rule, kind) in KINDS {
        let is_kind = |i: &usize| outcome.findings.get(*i).is_some_and(|f| f.public.kind == kind);
        let found: Vec<usize> = (0..outcome.findings.len()).filter(is_kind).collect();
        let [at] = found[..] else { panic!("{kind}: {} findings", found.len()) };
        let finding = outcome.findings.get(at).unwrap();
        assert_eq!(outcome.rules.get(finding.rule.0).unwrap().id, rule);
        assert_eq!((finding.evidence, finding.severity), (Evidence::Proven, Severity::Critical));
        let sites: Vec<_> = outcome.sites.of(at).map(Result::unwrap).collect();
        let shielded = sites.iter().filter(|site| site.form.layout == Layout::Shielded);
        let (prekeys, keys): (Vec<_>, Vec<_>) = shielded.partition(|site| site.form.piece == Piece::Prekey);
        assert_eq!(prekeys.iter().map(|site| site.len()).collect::<Vec<_>>(), [16384], "{kind}");
        assert!(keys.len() == 1 && keys.iter().all(|site| site.len() % 16 == 0), "{kind}");
    }
    // The agent's random generators are AES in counter mode.
    let counted = outcome.findings.iter().filter(|finding| finding.severity > Severity::Info).count();
    assert_eq!(counted, KINDS.len(), "nothing else counts");
}
