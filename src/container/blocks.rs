//! Streams made of blocks that can be decoded without each other: several threads decode ahead of the one who reads, and who
//! reads gets them in order.
//!
//! A list of blocks is a guess: an index may lie, and what looks like the mark of a block may be none. So it is nothing but a way to
//! be faster. Where one block does not come out as it should, the ordinary decoder begins again at the front, what was read
//! already is passed over, and what is read from there on is its own. So what comes out, and what is told of damage, does not depend on
//! whether there were blocks.
//!
//! ```text
//! list -> a block for each thread -> steps of each block, in a queue of its own -> InOrder -> spool
//!                                    where that fails: the ordinary decoder ------^
//! ```

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Memory that decoding ahead may take in this process, in bytes: decoders with their windows, and what nobody has read yet.
const BUDGET: u64 = 96 << 20;
/// Bytes that go from a decoder to the reader at once.
const STEP: usize = 1 << 20;

/// Whether somebody in this process decodes ahead. One at a time may, because [`BUDGET`] is for all; where several inputs are worked on
/// beside each other, no core is idle anyway.
static BUSY: AtomicBool = AtomicBool::new(false);

/// A block.
pub struct Block<'a> {
    /// Decodes it, and ends where it does.
    pub decoder: Box<dyn Read + Send + 'a>,
    /// How many bytes must come out, where that is known.
    pub len: Option<u64>,
}

/// What a list tells.
pub enum Listed<'a> {
    /// The next block.
    Block(Block<'a>),
    /// There is none, and the stream ends at this byte of the image.
    End(u64),
}

/// The blocks of a stream, one after the other.
pub trait List<'a>: Send {
    /// The next one.
    ///
    /// # Errors
    /// When the stream is not what it should be. Nothing more is asked then.
    fn next(&mut self) -> io::Result<Listed<'a>>;
    /// Memory that decoding a block takes at most, with what comes out of it.
    fn memory(&self) -> u64;
}

/// Shows `sink` what `list` comes to, decoded by as many threads as there are or the budget allows; where that is one, or where something
/// is wrong with a block, what `ordinary` comes to. Also says where the stream ended, when it was read to its end by blocks.
pub fn read<'a, R>(
    list: Box<dyn List<'a> + 'a>,
    threads: usize,
    ordinary: &mut (dyn Read + Send),
    sink: impl FnOnce(&mut (dyn Read + Send)) -> R,
) -> (R, Option<u64>) {
    let affordable = usize::try_from(BUDGET / list.memory().max(1)).unwrap_or(usize::MAX);
    let threads = threads.min(affordable);
    match (threads > 1).then(Turn::take).flatten() {
        Some(_turn) => ahead(list, threads, ordinary, sink),
        None => (sink(ordinary), None),
    }
}

/// As [`read`], by blocks.
fn ahead<'a, R>(
    list: Box<dyn List<'a> + 'a>,
    threads: usize,
    ordinary: &mut (dyn Read + Send),
    sink: impl FnOnce(&mut (dyn Read + Send)) -> R,
) -> (R, Option<u64>) {
    // A block has room for all of its steps, so that whoever decodes it need not wait for those before it.
    let room = usize::try_from(list.memory()).unwrap_or(usize::MAX).div_ceil(STEP);
    std::thread::scope(|scope| {
        let (queue, blocks) = sync_channel(threads.saturating_sub(1));
        let list = Arc::new(Mutex::new(Some(list)));
        let decoder = || {
            let (list, queue) = (list.clone(), queue.clone());
            scope.spawn(move || while let Some(()) = decode_next(&list, &queue, room) {})
        };
        let decoders: Vec<_> = (0..threads).map(|_| decoder()).collect();
        drop(queue);
        let mut reader = InOrder { from: Source::Blocks(blocks, None), ordinary, step: Vec::new(), used: 0, given: 0 };
        let read = sink(&mut reader);
        let end = match reader.from {
            Source::End(end) => Some(end),
            Source::Blocks(..) | Source::Ordinary => None,
        };
        // Nobody reads any more: whoever still decodes finds that out. A decoder that panicked is one that failed.
        drop(reader);
        decoders.into_iter().for_each(|decoder| drop(decoder.join()));
        (read, end)
    })
}

/// The right to decode ahead.
struct Turn;

impl Turn {
    fn take() -> Option<Self> {
        (!BUSY.swap(true, Ordering::AcqRel)).then_some(Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        BUSY.store(false, Ordering::Release);
    }
}

/// What stands in the queue of blocks.
enum Queued {
    Block(Receiver<Step>),
    End(u64),
}

/// What comes out of a block.
enum Step {
    Bytes(Vec<u8>),
    /// It was decoded to its end, and is as it should be.
    Whole,
}

type Shared<'a> = Mutex<Option<Box<dyn List<'a> + 'a>>>;

/// Decodes the next block of the list; `None` where there is none or nobody waits for it.
fn decode_next(list: &Shared<'_>, queue: &SyncSender<Queued>, room: usize) -> Option<()> {
    let (steps, block) = {
        // Blocks are queued in the order of the list: nobody else takes one meanwhile.
        let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
        match list.as_mut()?.next() {
            Ok(Listed::Block(block)) => {
                let (steps, stepped) = sync_channel(room);
                queue.send(Queued::Block(stepped)).ok()?;
                (steps, block)
            }
            Ok(Listed::End(end)) => {
                *list = None;
                queue.send(Queued::End(end)).ok()?;
                return None;
            }
            // The queue ends without an end, which is how the reader learns of it.
            Err(_) => {
                *list = None;
                return None;
            }
        }
    };
    decode(block, &steps)
}

/// Sends what comes out of a block. Where something is wrong with it, the last word is missing, and the step before that: the ordinary
/// decoder may lose some of what stands before an error.
fn decode(block: Block<'_>, steps: &SyncSender<Step>) -> Option<()> {
    let Block { mut decoder, len } = block;
    let (mut given, mut held) = (0, Vec::new());
    loop {
        let mut bytes = Vec::with_capacity(STEP);
        let got = decoder.by_ref().take(STEP as u64).read_to_end(&mut bytes).ok()? as u64;
        given += got;
        if len.is_some_and(|len| given > len || (got == 0 && given < len)) {
            return None;
        }
        let before = std::mem::replace(&mut held, bytes);
        if !before.is_empty() {
            steps.send(Step::Bytes(before)).ok()?;
        }
        if got == 0 {
            return steps.send(Step::Whole).ok();
        }
    }
}

/// Reads the blocks in order.
struct InOrder<'o> {
    from: Source,
    ordinary: &'o mut (dyn Read + Send),
    /// What was decoded last, and how much of it was read.
    step: Vec<u8>,
    used: usize,
    /// Bytes that were read.
    given: u64,
}

/// Where bytes come from.
enum Source {
    /// Blocks, and the one that is being read.
    Blocks(Receiver<Queued>, Option<Receiver<Step>>),
    /// All blocks were whole, and the stream ends at this byte.
    End(u64),
    /// Something was wrong with a block.
    Ordinary,
}

impl Read for InOrder<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.used == self.step.len() {
            match &mut self.from {
                Source::End(_) => return Ok(0),
                Source::Ordinary => return self.ordinary.read(into),
                Source::Blocks(queue, block) => match next(queue, block) {
                    Some(Ok(step)) => (self.step, self.used) = (step, 0),
                    Some(Err(end)) => self.from = Source::End(end),
                    None => self.begin_again()?,
                },
            }
        }
        let got = self.step.get(self.used..).unwrap_or_default().read(into)?;
        self.used += got;
        self.given += got as u64;
        Ok(got)
    }
}

/// The next step of the blocks, or where the stream ends; `None` where something is wrong.
fn next(queue: &Receiver<Queued>, block: &mut Option<Receiver<Step>>) -> Option<Result<Vec<u8>, u64>> {
    loop {
        let Some(steps) = block else {
            match queue.recv().ok()? {
                Queued::Block(steps) => *block = Some(steps),
                Queued::End(end) => return Some(Err(end)),
            }
            continue;
        };
        match steps.recv().ok()? {
            Step::Bytes(bytes) => return Some(Ok(bytes)),
            Step::Whole => *block = None,
        }
    }
}

impl InOrder<'_> {
    /// Goes over to the ordinary decoder, behind what was read. It comes to the same bytes: blocks that were read so far were those
    /// that it finds.
    fn begin_again(&mut self) -> io::Result<()> {
        self.from = Source::Ordinary;
        io::copy(&mut (&mut self.ordinary).take(self.given), &mut io::sink()).map(drop)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What is read by blocks, and where the stream ended; what the ordinary decoder would give is told too, and must not be asked
    /// where all is well.
    pub fn decoded<'a>(list: impl List<'a> + 'a, ordinary: &[u8]) -> (io::Result<Vec<u8>>, Option<u64>) {
        let mut ordinary = ordinary;
        ahead(Box::new(list), 3, &mut ordinary, |from| {
            let mut all = Vec::new();
            from.read_to_end(&mut all).map(|_| all)
        })
    }

    /// Blocks of these bytes. One that begins with `lies` says that it has a byte more, the decoder of one that begins with
    /// `fails` has a bug, and where the list does not hold it says so at its end.
    struct Fakes(std::vec::IntoIter<Vec<u8>>, bool);

    impl<'a> List<'a> for Fakes {
        fn next(&mut self) -> io::Result<Listed<'a>> {
            let Some(bytes) = self.0.next() else {
                return if self.1 { Ok(Listed::End(7)) } else { Err(io::ErrorKind::InvalidData.into()) };
            };
            let len = bytes.len() as u64 + u64::from(bytes.starts_with(b"lies"));
            let decoder: Box<dyn Read + Send> = match bytes.starts_with(b"fails") {
                true => Box::new(io::Cursor::new(bytes).chain(Fails)),
                false => Box::new(io::Cursor::new(bytes)),
            };
            Ok(Listed::Block(Block { decoder, len: Some(len) }))
        }

        fn memory(&self) -> u64 {
            2 << 20
        }
    }

    /// A decoder with a bug.
    struct Fails;

    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("a bug")
        }
    }

    fn blocks(odd: Option<(usize, &[u8])>) -> Vec<Vec<u8>> {
        let mut blocks: Vec<Vec<u8>> = (0..40_u8).map(|i| vec![i; usize::from(i % 7) * 300_000]).collect();
        if let Some((at, begins)) = odd {
            blocks[at] = [begins, &blocks[at]].concat();
        }
        blocks
    }

    #[test]
    fn blocks_come_in_order_and_the_ordinary_decoder_is_not_asked() {
        let blocks = blocks(None);
        let (all, end) = decoded(Fakes(blocks.clone().into_iter(), true), b"nothing");
        assert_eq!((all.unwrap() == blocks.concat(), end), (true, Some(7)));
    }

    #[test]
    fn what_does_not_hold_is_read_by_the_ordinary_decoder() {
        for odd in [b"lies".as_slice(), b"fails"] {
            for at in [0, 1, 20, 39] {
                let blocks = blocks(Some((at, odd)));
                let whole = [blocks.concat(), b"and more".to_vec()].concat();
                let (all, end) = decoded(Fakes(blocks.into_iter(), true), &whole);
                assert_eq!((all.unwrap() == whole, end), (true, None), "{at}");
            }
        }
        // A list that fails at its end.
        let whole = blocks(None).concat();
        let (all, end) = decoded(Fakes(blocks(None).into_iter(), false), &whole);
        assert_eq!((all.unwrap() == whole, end), (true, None));
    }

    #[test]
    fn who_reads_no_further_is_not_waited_for() {
        let list = Box::new(Fakes(blocks(None).into_iter(), true));
        let (got, end) = ahead(list, 3, &mut io::empty(), |from| from.read(&mut [0; 100]));
        assert_eq!((got.unwrap(), end), (100, None));
    }
}
