//! The proof is tested by sabotage: a thousand seeded faults, each of which must be refused.
//!
//! Two kinds. A fault in the *file* is what a broken disk or a bug in the writer does: the plan is right and the file is not
//! what it says. A fault in the *plan* is what a bug in the planner or in a fill does: file and plan agree, so comparing
//! bytes shows nothing, and another check must see it.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests may fail loudly, and tell what they saw"
)]

#[expect(dead_code, reason = "these tests need a part of the builder")]
mod synth;

use std::collections::BTreeMap;

use dumpscrub::dump::{self, DumpMap};
use dumpscrub::image::Image;
use dumpscrub::limits::Limits;
use dumpscrub::redact::plan::{Edit, Options};
use dumpscrub::redact::prove::{Case, Manner};
use dumpscrub::redact::{self, Plan, Proof, Written};
use dumpscrub::scan::{self, Engine, Outcome, Quiet};
use dumpscrub::span::Span;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};
use synth::forms::{self, Lines};
use synth::{Cpu, Memory, MinidumpBuilder, Module, Stack, System, Thread, What, der, headers, keys};

/// Faults of each kind; there are eleven kinds.
const EACH: usize = 100;

const MODULE: u64 = 0x40_0000;
const STACK: u64 = 0x7ffd_0000_1000;

/// A dump, what was found in it, and a proven plan.
struct Bench {
    old: Image,
    map: DumpMap,
    outcome: Outcome,
    plan: Plan,
    options: Options,
    engine: Engine,
    /// File offsets of the return addresses on the stack.
    returns: Vec<usize>,
    /// File offset of the module.
    module: usize,
    /// Numbers in the planted structures that are no secrets: to leave them is no fault.
    public: Vec<Vec<u8>>,
}

/// Something that goes wrong: the plan that is proven, and what is done to the file afterwards.
struct Fault {
    plan: Plan,
    file: Vec<u8>,
}

fn dump() -> (Vec<u8>, Vec<usize>, usize, Vec<Vec<u8>>) {
    let key = keys::rsa(1024);
    let pair = keys::p256();
    let password = keys::password();
    let url = format!("postgres://app:{password}@db.internal:5432/crm\0");
    let pem = forms::pem("RSA PRIVATE KEY", &der::pkcs1(&key), Lines::Lf);
    let mut heap = Memory::noise(0x10_0000, 0x8000, rand::random());
    heap = heap.with(0x101, pem.as_bytes()).with(0x1003, &der::pkcs8_rsa(&key)).with(0x2005, url.as_bytes());
    heap = heap.with(0x3001, &[0; 4]).with(0x3005, &forms::utf16le(&url)).with(0x4000, &pair.p256_pkcs8());
    heap = heap.with(0x5009, forms::base64(password.as_bytes()).as_bytes());
    heap = heap.with(0x6002, &forms::reversed(&key.p)).with(0x6403, forms::hex(&key.q).as_bytes());
    let (mut frames, mut stack) = (Vec::new(), vec![0; 0x800]);
    for depth in 0..6 {
        let at = depth * 0x100;
        let next = STACK + (at + 0x100) as u64;
        stack[at..at + 8].copy_from_slice(&next.to_le_bytes());
        stack[at + 8..at + 16].copy_from_slice(&(MODULE + 0x1100 + 0x40 * depth as u64).to_le_bytes());
        frames.push(at + 8);
    }
    stack[0x600..0x610].fill(0);
    let module = Module::new("/usr/lib/app", MODULE, 0x1_0000);
    let header = headers::elf_with_tables(0x1_0000);
    let builder = MinidumpBuilder {
        threads: vec![Thread::new(7, Stack::Here(Memory::new(STACK, stack)))],
        modules: vec![module],
        memory: vec![heap, Memory::new(MODULE, header)],
        ..MinidumpBuilder::new(Cpu::Amd64, System::Linux)
    };
    let built = builder.build();
    let stack = built.place(What::Stack(0)).at;
    let image = built.place(What::Memory(1)).at;
    (built.bytes, frames.into_iter().map(|at| stack + at).collect(), image, vec![key.n, pair.public])
}

fn engine() -> Engine {
    Engine::new(dumpscrub::detect::detectors().unwrap()).unwrap()
}

impl Bench {
    fn new() -> Self {
        let (bytes, returns, module, public) = dump();
        let old = Image::from_bytes("old.dmp", bytes);
        let map = dump::map(&old, &Limits::default()).unwrap();
        let engine = engine();
        let outcome = scan::scan(&old, &map, &engine, &scan::Options::default(), &Quiet).unwrap();
        let options = Options::default();
        let plan = redact::plan(&old, &map, &outcome, &options).unwrap();
        assert!(plan.refusals().is_empty() && plan.edits().len() >= 8, "{:?}", plan.edits());
        Self { old, map, outcome, plan, options, engine, returns, module, public }
    }

    fn bytes(&self) -> Vec<u8> {
        self.old.bytes(0, usize::try_from(self.old.len()).unwrap()).unwrap()
    }

    fn painted(&self, plan: &Plan) -> Vec<u8> {
        let mut bytes = self.bytes();
        plan.paint(0, &mut bytes);
        bytes
    }

    /// Proves a file against a plan; the hash agrees with the file, so that no check is saved by them.
    fn prove(&self, fault: Fault) -> Proof {
        let hash = |bytes: &[u8]| -> [u8; 32] { Sha256::digest(bytes).into() };
        let mut covered = Vec::new();
        fault.plan.covered(0, &self.bytes(), |part| covered.extend_from_slice(part));
        let written = Written { bytes: self.old.len(), covered: hash(&covered) };
        let case = Case {
            old: &self.old,
            map: &self.map,
            outcome: &self.outcome,
            plan: &fault.plan,
            options: &self.options,
            written: &written,
        };
        let new = Image::from_bytes("new.dmp", fault.file);
        redact::prove(&case, &new, &self.engine, &Manner::default(), &Quiet).unwrap()
    }

    fn wrong_file(&self, file: Vec<u8>) -> Fault {
        Fault { plan: self.plan.with_edits(self.plan.edits().to_vec()), file }
    }

    fn wrong_plan(&self, edits: Vec<Edit>) -> Fault {
        let plan = self.plan.with_edits(edits);
        let file = self.painted(&plan);
        Fault { plan, file }
    }

    fn any_edit(&self, random: &mut StdRng, least: u64) -> (usize, Edit) {
        loop {
            let i = random.random_range(0..self.plan.edits().len());
            let edit = self.plan.edits()[i];
            if edit.span.len >= least && !self.is_public(&edit) {
                return (i, edit);
            }
        }
    }

    /// An edit may begin before a public number, and inside of one: a point whose second byte is its length behind it reads
    /// as one more structure of DER.
    fn is_public(&self, edit: &Edit) -> bool {
        let bytes = self.bytes();
        let old = without_zeros(&bytes[range(edit.span)]);
        self.public.iter().any(|public| old.ends_with(public) || (old.len() >= 32 && public.ends_with(old)))
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|&&byte| byte == 0).count()..]
}

fn range(span: Span) -> std::ops::Range<usize> {
    usize::try_from(span.from()).unwrap()..usize::try_from(span.end()).unwrap()
}

type Make = fn(&Bench, &mut StdRng) -> Fault;

const KINDS: &[(&str, Make)] = &[
    ("file: an edit is dropped", |bench, random| {
        let (_, edit) = bench.any_edit(random, 1);
        let mut file = bench.painted(&bench.plan);
        file[range(edit.span)].copy_from_slice(&bench.bytes()[range(edit.span)]);
        bench.wrong_file(file)
    }),
    ("file: an edit is shifted", |bench, random| {
        let (i, edit) = bench.any_edit(random, 2);
        let by = random.random_range(1..=edit.span.len.min(64));
        let mut edits = bench.plan.edits().to_vec();
        edits[i].span = Span::new(edit.span.from().saturating_sub(by), edit.span.len);
        bench.wrong_file(bench.painted(&bench.plan.with_edits(edits)))
    }),
    ("file: an edit is shortened", |bench, random| {
        let (_, edit) = bench.any_edit(random, 2);
        let keep = random.random_range(1..edit.span.len);
        let rest = Span::between(edit.span.from() + keep, edit.span.end());
        let mut file = bench.painted(&bench.plan);
        file[range(rest)].copy_from_slice(&bench.bytes()[range(rest)]);
        bench.wrong_file(file)
    }),
    ("file: a byte outside of the plan is flipped", |bench, random| {
        let mut file = bench.painted(&bench.plan);
        let at = loop {
            let at = random.random_range(0..file.len());
            if bench.plan.edits_in(Span::new(at as u64, 1)).next().is_none() {
                break at;
            }
        };
        file[at] ^= 1 << random.random_range(0..8);
        bench.wrong_file(file)
    }),
    ("file: cut off or longer", |bench, random| {
        let mut file = bench.painted(&bench.plan);
        match random.random_range(1..100) {
            more @ 1..50 => file.extend(vec![0; more]),
            less => file.truncate(file.len() - less),
        }
        bench.wrong_file(file)
    }),
    ("plan: an edit is missing", |bench, random| {
        let (i, _) = bench.any_edit(random, 1);
        let mut edits = bench.plan.edits().to_vec();
        edits.remove(i);
        bench.wrong_plan(edits)
    }),
    ("plan: 8 bytes and more of a secret are left", |bench, random| {
        let (i, edit) = bench.any_edit(random, 20);
        let keep = random.random_range(0..=edit.span.len - 16);
        let mut edits = bench.plan.edits().to_vec();
        edits[i].span.len = keep;
        bench.wrong_plan(edits)
    }),
    ("plan: a return address is overwritten", |bench, random| {
        let at = bench.returns[random.random_range(0..bench.returns.len())] as u64;
        let (from, len) = (random.random_range(0..4), random.random_range(1..=4));
        let edit = Edit { span: Span::new(at + from, len), ..bench.plan.edits()[0] };
        bench.wrong_plan([bench.plan.edits(), &[edit]].concat())
    }),
    ("plan: an unwind table is touched", |bench, random| {
        let at = (bench.module + random.random_range(headers::TABLES)) as u64;
        let edit = Edit { span: Span::new(at, random.random_range(1..=4)), ..bench.plan.edits()[0] };
        bench.wrong_plan([bench.plan.edits(), &[edit]].concat())
    }),
    ("plan: the map is overwritten", |bench, random| {
        // The directory: kind, size and place of each stream.
        let at = random.random_range(32..32 + 3 * 12);
        let edit = Edit { span: Span::new(at, 4), ..bench.plan.edits()[0] };
        bench.wrong_plan([bench.plan.edits(), &[edit]].concat())
    }),
    ("plan: one form of one secret is left", |bench, random| {
        let (_, edit) = bench.any_edit(random, 1);
        let of = |e: &&Edit| (e.finding, e.form) != (edit.finding, edit.form);
        bench.wrong_plan(bench.plan.edits().iter().filter(of).copied().collect())
    }),
];

#[test]
fn what_is_right_is_proven() {
    let bench = Bench::new();
    let proof = bench.prove(bench.wrong_file(bench.painted(&bench.plan)));
    assert!(proof.holds(), "{:#?}", proof.checks);
    let stacks = proof.stacks.unwrap();
    assert_eq!((stacks.threads, stacks.equal, stacks.not_shown), (1, 1, 0));
    assert!(stacks.frames >= 6 && stacks.tables == 2, "{stacks:?}");
}

/// A fault that changes a byte: to restore the padding of a PEM text, which the plan keeps, is none.
fn a_real_fault(bench: &Bench, random: &mut StdRng, make: Make) -> Fault {
    let right = bench.painted(&bench.plan);
    loop {
        let fault = make(bench, random);
        if fault.file != right {
            return fault;
        }
    }
}

fn told(bench: &Bench, proof: &Proof) -> String {
    format!("{:?} {:#?}", bench.plan.edits(), proof.checks)
}

#[test]
fn more_than_a_thousand_faults_are_refused() {
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let bench = Bench::new();
    let mut table: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for (kind, (name, make)) in KINDS.iter().enumerate() {
        for n in 0..EACH {
            let proof = bench.prove(a_real_fault(&bench, &mut random, *make));
            let failed: Vec<&str> = proof.failures().map(|check| check.name).collect();
            assert!(
                !failed.is_empty(),
                "{name}, number {n} of seed {seed}, is not refused: {:#?}",
                told(&bench, &proof)
            );
            failed.iter().for_each(|check| *table.entry((kind, check)).or_default() += 1);
        }
    }
    for (kind, (name, _)) in KINDS.iter().enumerate() {
        let by: Vec<String> =
            table.range((kind, "")..(kind + 1, "")).map(|((_, check), count)| format!("{check} {count}")).collect();
        println!("{EACH} of {EACH} refused  {name:45} by {}", by.join(", "));
    }
}
