//! Puts a dump together. What a record points at is written before the record, so nothing has to be patched later.

use super::blob::Blob;
use super::bytes::Out;
use super::records::{self, Descriptor, Location};
use super::{Dump, Memory, MinidumpBuilder, Place, Planted, Stack, What, kind};

pub fn assemble(builder: &MinidumpBuilder) -> Dump {
    let mut work = Work::new(builder);
    work.small_streams();
    work.threads();
    work.modules();
    work.slack(&builder.slack_before_memory);
    work.memory();
    builder.streams.iter().for_each(|stream| work.stream(stream.kind, |work| work.blob(&stream.blob)));
    work.memory64();
    work.copies();
    work.slack(&builder.slack_at_end);
    work.finish()
}

struct Work<'a> {
    from: &'a MinidumpBuilder,
    out: Out,
    directory: Vec<(u32, Location)>,
    room: usize,
    stacks: Vec<Descriptor>,
    places: Vec<Place>,
    whole: Vec<Planted>,
    /// Pieces of secrets that regions cut: name, part, offset, length.
    cut: Vec<(String, usize, usize, usize)>,
}

impl<'a> Work<'a> {
    fn new(from: &'a MinidumpBuilder) -> Self {
        let room = count_streams(from);
        let mut out = Out::new(from.order);
        records::header(&mut out, u32::try_from(room).unwrap());
        out.zeros(room * 12);
        let header = Place { what: What::Header, at: 0, len: 32, address: None };
        let directory = Place { what: What::Directory, at: 32, len: room * 12, address: None };
        let places = vec![header, directory];
        Self { from, out, directory: Vec::new(), room, stacks: Vec::new(), places, whole: Vec::new(), cut: Vec::new() }
    }

    fn small_streams(&mut self) {
        let from = self.from;
        let service_pack = self.out.string("");
        self.stream(kind::SYSTEM_INFO, |w| records::system_info(&mut w.out, from.cpu, from.system, service_pack));
        if let Some(id) = from.process_id {
            self.stream(kind::MISC_INFO, |w| [24, 1, id, 0, 0, 0].into_iter().for_each(|n| w.out.u32(n)));
        }
        if let Some(exception) = &from.exception {
            let context = self.context(What::ExceptionContext, &exception.registers);
            self.stream(kind::EXCEPTION, |w| records::exception(&mut w.out, exception, context));
        }
        if let Some(comment) = &from.comment_a {
            self.stream(kind::COMMENT_A, |w| w.out.raw(comment.as_bytes()));
        }
        if let Some(comment) = &from.comment_w {
            self.stream(kind::COMMENT_W, |w| comment.encode_utf16().for_each(|unit| w.out.u16(unit)));
        }
        self.memory_info();
        self.handles();
    }

    fn memory_info(&mut self) {
        let infos = &self.from.memory_info;
        if infos.is_empty() {
            return;
        }
        self.stream(kind::MEMORY_INFO_LIST, |w| {
            w.out.u32(16);
            w.out.u32(48);
            w.out.u64(infos.len() as u64);
            infos.iter().for_each(|info| records::memory_info(&mut w.out, info));
        });
    }

    fn handles(&mut self) {
        let handles = &self.from.handles;
        if handles.is_empty() {
            return;
        }
        let names: Vec<(u32, u32)> =
            handles.iter().map(|h| (self.out.string(&h.type_name), self.out.string(&h.object_name))).collect();
        self.stream(kind::HANDLE_DATA, |w| {
            [16, 32, u32::try_from(handles.len()).unwrap(), 0].into_iter().for_each(|n| w.out.u32(n));
            for (handle, (type_name, object_name)) in handles.iter().zip(names) {
                records::handle(&mut w.out, handle.handle, type_name, object_name);
            }
        });
    }

    fn threads(&mut self) {
        let threads = &self.from.threads;
        if threads.is_empty() {
            return;
        }
        let mut parts = Vec::new();
        for (i, thread) in threads.iter().enumerate() {
            let context = self.context(What::Context(i), &thread.registers);
            parts.push((self.stack(i, &thread.stack), context));
        }
        self.stream(kind::THREAD_LIST, |w| {
            w.out.u32(u32::try_from(threads.len()).unwrap());
            for (thread, (stack, context)) in threads.iter().zip(parts) {
                records::thread(&mut w.out, thread.id, thread.teb, stack, context);
            }
        });
        self.thread_names();
    }

    fn stack(&mut self, i: usize, stack: &Stack) -> Descriptor {
        match stack {
            Stack::None => Descriptor::default(),
            Stack::Claimed { address, size, rva } => {
                Descriptor { address: *address, location: Location { size: *size, rva: *rva } }
            }
            Stack::Here(memory) => {
                let descriptor = self.region(What::Stack(i), memory);
                self.stacks.push(descriptor);
                descriptor
            }
        }
    }

    fn thread_names(&mut self) {
        let mut names = Vec::new();
        for (i, thread) in self.from.threads.iter().enumerate() {
            if let Some(name) = &thread.name {
                names.push((thread.id, self.string(What::ThreadName(i), name)));
            }
        }
        if names.is_empty() {
            return;
        }
        self.stream(kind::THREAD_NAMES, |w| {
            w.out.u32(u32::try_from(names.len()).unwrap());
            for (id, rva) in names {
                w.out.u32(id);
                w.out.u64(u64::from(rva));
            }
        });
    }

    fn modules(&mut self) {
        let modules = &self.from.modules;
        if modules.is_empty() {
            return;
        }
        let mut parts = Vec::new();
        for (i, module) in modules.iter().enumerate() {
            let name = self.string(What::ModuleName(i), &module.name);
            let codeview = self.located(What::CodeView(i), &module.codeview);
            parts.push((name, codeview));
        }
        self.stream(kind::MODULE_LIST, |w| {
            w.out.u32(u32::try_from(modules.len()).unwrap());
            for (module, (name, codeview)) in modules.iter().zip(parts) {
                records::module(&mut w.out, module, name, codeview);
            }
        });
    }

    /// The regions stand where they come, without alignment: in a real dump memory often starts at an odd place too.
    fn memory(&mut self) {
        let from = self.from;
        if !has_memory_list(from) {
            return;
        }
        let mut descriptors = self.stacks.clone();
        for (i, memory) in from.memory.iter().enumerate() {
            descriptors.push(self.region(What::Memory(i), memory));
        }
        for &(address, size, rva) in &from.lies.memory {
            descriptors.push(Descriptor { address, location: Location { size, rva } });
        }
        self.stream(kind::MEMORY_LIST, |w| {
            w.out.u32(u32::try_from(descriptors.len()).unwrap());
            descriptors.iter().for_each(|&descriptor| records::descriptor(&mut w.out, descriptor));
        });
    }

    fn memory64(&mut self) {
        let from = self.from;
        if !has_memory64_list(from) {
            return;
        }
        let count = from.memory64.len() + from.lies.memory64.len();
        self.stream(kind::MEMORY64_LIST, |w| {
            w.out.u64(count as u64);
            let data = w.out.at() + 8 + 16 * count;
            w.out.u64((data as u64).checked_add_signed(from.lies.base_rva).unwrap());
            from.memory64.iter().for_each(|m| [m.address, m.len() as u64].into_iter().for_each(|n| w.out.u64(n)));
            from.lies.memory64.iter().for_each(|&(a, len)| [a, len].into_iter().for_each(|n| w.out.u64(n)));
        });
        for (i, memory) in from.memory64.iter().enumerate() {
            self.region(What::Memory64(i), memory);
        }
    }

    fn copies(&mut self) {
        for &kind in &self.from.lies.twice {
            let (_, first) = *self.directory.iter().find(|(known, _)| *known == kind).unwrap();
            let from = first.rva as usize;
            let copy = self.out.bytes[from..from + first.size as usize].to_vec();
            self.stream(kind, |w| w.out.raw(&copy));
        }
    }

    fn slack(&mut self, blob: &Blob) {
        let at = self.out.at();
        self.blob(blob);
        self.place(What::Slack, at, None);
    }

    fn finish(mut self) -> Dump {
        let lies = self.from.lies.directory.iter().map(|&(kind, size, rva)| (kind, Location { size, rva }));
        let entries: Vec<(u32, Location)> = self.directory.iter().copied().chain(lies).collect();
        assert_eq!(entries.len(), self.room, "the directory has room for what was counted");
        let mut directory = Out::new(self.from.order);
        for (kind, location) in entries {
            directory.u32(kind);
            records::location(&mut directory, location);
        }
        self.out.bytes[32..32 + directory.at()].copy_from_slice(&directory.bytes);
        let planted = join(self.whole, self.cut);
        Dump { bytes: self.out.bytes, order: self.from.order, places: self.places, planted }
    }

    fn stream(&mut self, kind: u32, write: impl FnOnce(&mut Self)) {
        self.out.align(4);
        let at = self.out.at();
        write(self);
        let size = u32::try_from(self.out.at() - at).unwrap();
        self.directory.push((kind, Location { size, rva: u32::try_from(at).unwrap() }));
        self.place(What::Stream(kind), at, None);
    }

    fn context(&mut self, what: What, registers: &super::Registers) -> Location {
        self.out.align(16);
        self.located(what, &self.from.cpu.context(self.from.order, registers))
    }

    fn located(&mut self, what: What, bytes: &[u8]) -> Location {
        if bytes.is_empty() {
            return Location::default();
        }
        let rva = self.out.rva();
        self.out.raw(bytes);
        self.place(what, rva as usize, None);
        Location { size: u32::try_from(bytes.len()).unwrap(), rva }
    }

    fn string(&mut self, what: What, text: &str) -> u32 {
        let rva = self.out.string(text);
        self.place(what, rva as usize, None);
        rva
    }

    fn region(&mut self, what: What, memory: &Memory) -> Descriptor {
        let rva = self.out.rva();
        self.blob(&memory.blob);
        self.place(what, rva as usize, Some(memory.address));
        Descriptor { address: memory.address, location: Location { size: u32::try_from(memory.len()).unwrap(), rva } }
    }

    fn blob(&mut self, blob: &Blob) {
        let start = self.out.at();
        for plant in &blob.plants {
            let (name, at) = (plant.name.clone(), start + plant.at);
            match plant.part {
                None => self.whole.push(Planted { name, pieces: vec![(at, plant.len)] }),
                Some(part) => self.cut.push((name, part, at, plant.len)),
            }
        }
        self.out.raw(&blob.bytes);
    }

    fn place(&mut self, what: What, at: usize, address: Option<u64>) {
        let len = self.out.at() - at;
        if len > 0 {
            self.places.push(Place { what, at, len, address });
        }
    }
}

/// How many directory entries there will be.
fn count_streams(from: &MinidumpBuilder) -> usize {
    let there = [
        true,
        from.process_id.is_some(),
        from.exception.is_some(),
        from.comment_a.is_some(),
        from.comment_w.is_some(),
        !from.memory_info.is_empty(),
        !from.handles.is_empty(),
        !from.threads.is_empty(),
        from.threads.iter().any(|thread| thread.name.is_some()),
        !from.modules.is_empty(),
        has_memory_list(from),
        has_memory64_list(from),
    ];
    let own = there.into_iter().filter(|&there| there).count();
    own + from.streams.len() + from.lies.twice.len() + from.lies.directory.len()
}

fn has_memory_list(from: &MinidumpBuilder) -> bool {
    let stacks = from.threads.iter().any(|thread| matches!(thread.stack, Stack::Here(_)));
    stacks || !from.memory.is_empty() || !from.lies.memory.is_empty()
}

fn has_memory64_list(from: &MinidumpBuilder) -> bool {
    !from.memory64.is_empty() || !from.lies.memory64.is_empty()
}

/// The pieces of one name make one secret, in the order of their parts; then everything by its first place.
fn join(mut planted: Vec<Planted>, mut cut: Vec<(String, usize, usize, usize)>) -> Vec<Planted> {
    cut.sort();
    type Piece = (String, usize, usize, usize);
    let same = |a: &Piece, b: &Piece| a.0 == b.0;
    for pieces in cut.chunk_by(same) {
        let name = pieces[0].0.clone();
        planted.push(Planted { name, pieces: pieces.iter().map(|&(_, _, at, len)| (at, len)).collect() });
    }
    planted.sort_by_key(|planted| planted.pieces.iter().map(|piece| piece.0).min());
    planted
}
