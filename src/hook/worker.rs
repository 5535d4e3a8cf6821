//! The process that looks at dumps. A dump is hostile, and whatever it does to who reads it (a crash, no end, too much memory)
//! must end in a decision: so another process reads it, within limits, and one that gives no answer means quarantine.
//!
//! A worker is given the numbers of items, one a line, and answers each with a verdict. It is kept for the next dump, because
//! making an engine takes longer than scanning a small dump.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::hook::verdict::Verdict;

/// The longest answer: reasons and rules, no sites.
const LONGEST: u64 = 4 << 20;

/// What a worker is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// The item.
    pub id: String,
    /// Whether it may be a file that is no dump.
    pub any: bool,
}

/// How workers are started, and how long they may take for one dump.
#[derive(Clone, Debug)]
pub struct How {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// For one dump.
    pub time: Duration,
}

impl How {
    /// This very program, as a worker with the policy at `policy` and so many threads.
    #[must_use]
    pub fn this_program(policy: &Path, threads: usize, time: Duration) -> Self {
        // Not by its path: while it is being updated another program may stand there.
        let words = ["/proc/self/exe", "hook", "work", "--threads"].map(OsString::from);
        let mut command = words.to_vec();
        command.extend([threads.to_string().into(), "--policy".into(), policy.as_os_str().to_owned()]);
        Self { command, time }
    }
}

/// A worker, started when it is first asked.
#[derive(Debug)]
pub struct Worker<'a> {
    how: &'a How,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
}

impl<'a> Worker<'a> {
    /// One that is not started yet.
    #[must_use]
    pub fn new(how: &'a How) -> Self {
        Self { how, running: None }
    }

    /// Asks about an item. No answer is an answer too: then the dump does not go on, and the reason says why.
    pub fn ask(&mut self, id: &str, any: bool) -> Verdict {
        match self.try_ask(&Request { id: id.to_owned(), any }) {
            Ok(verdict) => verdict,
            Err(reason) => {
                self.stop();
                Verdict::quarantine(reason)
            }
        }
    }

    fn try_ask(&mut self, request: &Request) -> Result<Verdict, String> {
        let time = self.how.time;
        let running = self.running().map_err(|error| format!("no worker could be started: {error}"))?;
        let mut line = serde_json::to_vec(request).map_err(|error| error.to_string())?;
        line.push(b'\n');
        // Where it has died meanwhile, the missing answer says so.
        let _ = running.input.write_all(&line).and_then(|()| running.input.flush());
        match running.answers.recv_timeout(time) {
            Ok(answer) => serde_json::from_str(&answer).map_err(|_| "the worker's answer was none".to_owned()),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("it was not decided within {} seconds, the limit of the policy", time.as_secs()))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(running.child.wait().map_or_else(|error| error.to_string(), died))
            }
        }
    }

    fn running(&mut self) -> io::Result<&mut Running> {
        if self.running.is_none() {
            self.running = Some(start(&self.how.command)?);
        }
        self.running.as_mut().ok_or_else(|| io::Error::other("it ended at once"))
    }

    fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start(command: &[OsString]) -> io::Result<Running> {
    let (program, args) = command.split_first().ok_or_else(|| io::Error::other("there is no program"))?;
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("it has no pipes"));
    };
    let (tell, answers) = sync_channel(1);
    std::thread::Builder::new().name("answers".to_owned()).spawn(move || {
        let mut output = BufReader::new(output);
        loop {
            let mut line = String::new();
            match (&mut output).take(LONGEST).read_line(&mut line) {
                Ok(got) if got > 0 && line.ends_with('\n') => {
                    if tell.send(line).is_err() {
                        break;
                    }
                }
                _ => break,
            }
        }
    })?;
    Ok(Running { child, input, answers })
}

fn died(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(6), _) => {
            "the worker ended itself (signal 6): the memory that the policy allows was not enough, or it has a bug \
                         that this dump meets"
                .to_owned()
        }
        (Some(signal), _) => format!("the worker was ended by signal {signal}"),
        (None, code) => format!("the worker ended with exit code {} and no answer", code.unwrap_or(-1)),
    }
}

/// The worker's side: answers every request with what `judge` says, until there are no more.
///
/// # Errors
/// When a request cannot be read, or an answer cannot be written though somebody listens.
pub fn serve(
    requests: impl BufRead,
    mut answers: impl Write,
    mut judge: impl FnMut(&Request) -> Verdict,
) -> io::Result<()> {
    for line in requests.lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let mut answer = serde_json::to_vec(&judge(&request))?;
        answer.push(b'\n');
        match answers.write_all(&answer).and_then(|()| answers.flush()) {
            // The hook was killed, and this is what it leaves behind.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            written => written?,
        }
    }
    Ok(())
}

/// Makes this process one that ends with the one that started it, leaves no core, and has at most `memory` bytes.
///
/// # Errors
/// What the system says.
pub fn confine(memory: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, Signal};
    leave_no_core()?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let limit = Rlimit { current: Some(memory), maximum: Some(memory) };
    Ok(rustix::process::setrlimit(Resource::Data, limit)?)
}

/// A core of a process that reads dumps would hold what they hold, and where the hook is the kernel's, would call it again.
///
/// # Errors
/// What the system says.
pub fn leave_no_core() -> io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?)
}

/// Whether this process has the rights of root, so that it must not trust what others can write.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::verdict::Choice;

    fn worker(script: &str, time: Duration) -> How {
        How { command: ["/bin/sh", "-c", script].map(OsString::from).to_vec(), time }
    }

    #[test]
    fn no_answer_is_quarantine() {
        let reason = |script: &str| {
            let how = worker(script, Duration::from_millis(300));
            let verdict = Worker::new(&how).ask("1", false);
            assert_eq!(verdict.choice, Choice::Quarantine, "{script}");
            verdict.reasons.join("")
        };
        assert!(reason("read x; exit 3").contains("exit code 3"));
        assert!(reason("read x; kill -6 $$").contains("signal 6"));
        assert!(reason("read x; sleep 60").contains("not decided within"));
        assert!(reason("read x; echo pass; sleep 60").contains("was none"));
        let how = How { command: vec!["/does/not/exist".into()], time: Duration::from_secs(1) };
        assert_eq!(Worker::new(&how).ask("1", false).choice, Choice::Quarantine);
    }

    #[test]
    fn a_worker_is_kept_and_one_that_died_is_replaced() {
        let pass = r#"{"choice":"pass","reasons":[],"found":{},"format":"raw","bytes":1,"edited":0}"#;
        let how =
            worker(&format!("read x; echo '{pass}'; read x; echo '{pass}'; read x; exit 1"), Duration::from_secs(20));
        let mut worker = Worker::new(&how);
        let choices: Vec<Choice> = (0..4).map(|_| worker.ask("1", false).choice).collect();
        assert_eq!(choices, [Choice::Pass, Choice::Pass, Choice::Quarantine, Choice::Pass]);
    }

    #[test]
    fn every_request_is_answered() {
        let (mut told, requests) = (Vec::new(), "{\"id\":\"1\",\"any\":false}\n{\"id\":\"2\",\"any\":true}\n");
        serve(requests.as_bytes(), &mut told, |request| Verdict::quarantine(&request.id)).unwrap();
        assert_eq!(told.iter().filter(|&&byte| byte == b'\n').count(), 2);
    }

    #[test]
    fn a_worker_whose_hook_is_gone_ends_in_silence() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let requests = "{\"id\":\"1\",\"any\":false}\n";
        serve(requests.as_bytes(), Gone, |request| Verdict::quarantine(&request.id)).unwrap();
    }
}
