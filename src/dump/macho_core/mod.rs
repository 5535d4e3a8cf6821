//! Mach-O cores: macOS kernels, lldb, gcore of macOS.
//!
//! A core is a header and load commands: `LC_SEGMENT(_64)` is memory, `LC_THREAD` a thread's registers, `LC_NOTE` anything
//! else, named by its owner. Modules are found by their headers in memory, and by lldb's note `all image infos`, which
//! has their paths. Layouts are those of `mach-o/loader.h`, `mach/machine/thread_status.h`, and of lldb's
//! `ObjectFileMachO.cpp` for the notes.
//!
//! | file | reads |
//! |---|---|
//! | `commands` | the header, and the load commands one after the other |
//! | `threads` | registers |
//! | `modules` | Mach-O headers in memory, `all image infos` |

mod commands;
mod modules;
mod threads;

use goblin::container::Ctx;

use crate::dump::loads::{self, Load};
use crate::dump::{DumpMap, Format, build};
use crate::error::Result;
use crate::image::Image;
use crate::limits::Limits;
use crate::span::Span;

/// The map in the making.
type Builder<'a> = build::Builder<'a, Own>;

/// What was read of the core itself.
struct Own {
    context: Ctx,
    /// `cputype` of the header.
    cpu: u32,
    /// Memory segments, sorted by address once all are read.
    loads: Vec<Load>,
    /// The note with the modules' paths.
    image_infos: Option<Span>,
}

/// The Mach-O core format, of either width and byte order.
pub struct MachoCore;

impl Format for MachoCore {
    fn name(&self) -> &'static str {
        "Mach-O core"
    }

    fn probe(&self, head: &[u8]) -> bool {
        commands::is_core(head)
    }

    fn map(&self, image: &Image, limits: &Limits) -> Result<DumpMap> {
        let head = image.bytes(0, 64)?;
        let context = commands::context(&head).unwrap_or_default();
        let own = Own { context, cpu: 0, loads: Vec::new(), image_infos: None };
        let mut build = Builder::new(self.name(), image, limits, context.le, own);
        build.map.pointer_width = context.size();
        commands::read(&mut build, &head)?;
        build.own.loads.sort_unstable();
        modules::read(&mut build)?;
        loads::stacks(&mut build.map.threads, &mut build.memory_labels, &build.own.loads, |_| false);
        Ok(build.finish(limits))
    }
}
