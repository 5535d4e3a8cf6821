//! The kinds of stream that are known by name, and what of each a debugger cannot do without.

use minidump_common::format::MINIDUMP_STREAM_TYPE as Kind;

use crate::dump::Class;

/// Every kind of `MINIDUMP_STREAM_TYPE` with the class of the stream's own bytes, and the reason for it.
///
/// What a stream merely points at (names, contexts, memory) is classed where it is read; a stream of a kind that is not
/// in the table is `Free`: no reader can depend on what no reader knows.
const STREAMS: &[(Kind, Class)] = &[
    // Says of itself that it holds nothing.
    (Kind::UnusedStream, Class::Free),
    (Kind::ReservedStream0, Class::Free),
    (Kind::ReservedStream1, Class::Free),
    // Ids, stacks and contexts: without them there is no thread to unwind.
    (Kind::ThreadListStream, Class::Frozen),
    (Kind::ThreadExListStream, Class::Frozen),
    // Bases, sizes, versions and where the CodeView records are: symbols are looked up by them.
    (Kind::ModuleListStream, Class::Frozen),
    // Where memory lies; one wrong byte moves everything behind it.
    (Kind::MemoryListStream, Class::Frozen),
    (Kind::Memory64ListStream, Class::Frozen),
    // The crash itself.
    (Kind::ExceptionStream, Class::Frozen),
    // Processor and system: every context is read by them.
    (Kind::SystemInfoStream, Class::Frozen),
    // Free text of whoever wrote the dump.
    (Kind::CommentStreamA, Class::Free),
    (Kind::CommentStreamW, Class::Free),
    // The descriptors are a structure; the objects' names, which stand elsewhere, are free.
    (Kind::HandleDataStream, Class::Keep),
    // Unwinding of generated code.
    (Kind::FunctionTable, Class::Frozen),
    // Frames in modules that are gone are named by it.
    (Kind::UnloadedModuleListStream, Class::Frozen),
    // Process id, times, and the layout of extended contexts.
    (Kind::MiscInfoStream, Class::Frozen),
    // What is stack, heap or code, and with which rights.
    (Kind::MemoryInfoListStream, Class::Frozen),
    (Kind::ThreadInfoListStream, Class::Frozen),
    // Structures that a debugger shows but does not unwind by.
    (Kind::HandleOperationListStream, Class::Keep),
    (Kind::TokenStream, Class::Keep),
    // Script values, as text.
    (Kind::JavaScriptDataStream, Class::Free),
    // Counters.
    (Kind::SystemMemoryInfoStream, Class::Keep),
    (Kind::ProcessVmCountersStream, Class::Keep),
    // A packet stream of the processor, useless with a hole in it.
    (Kind::IptTraceStream, Class::Keep),
    // Pairs of id and place.
    (Kind::ThreadNamesStream, Class::Keep),
    // Windows CE: structures that only its own debugger reads.
    (Kind::ceStreamNull, Class::Free),
    (Kind::ceStreamSystemInfo, Class::Keep),
    (Kind::ceStreamException, Class::Keep),
    (Kind::ceStreamModuleList, Class::Keep),
    (Kind::ceStreamProcessList, Class::Keep),
    (Kind::ceStreamThreadList, Class::Keep),
    (Kind::ceStreamThreadContextList, Class::Keep),
    (Kind::ceStreamThreadCallStackList, Class::Keep),
    (Kind::ceStreamMemoryVirtualList, Class::Keep),
    (Kind::ceStreamMemoryPhysicalList, Class::Keep),
    (Kind::ceStreamBucketParameters, Class::Keep),
    (Kind::ceStreamProcessModuleMap, Class::Keep),
    (Kind::ceStreamDiagnosisList, Class::Keep),
    (Kind::LastReservedStream, Class::Free),
    // Which thread wrote the dump and which asked for it: processors leave the first one out.
    (Kind::BreakpadInfoStream, Class::Frozen),
    // The text of a failed assertion.
    (Kind::AssertionInfoStream, Class::Free),
    // Text files of /proc that readers parse for the processor, the process and the system.
    (Kind::LinuxCpuInfo, Class::Keep),
    (Kind::LinuxProcStatus, Class::Keep),
    (Kind::LinuxLsbRelease, Class::Keep),
    // Where secrets are handed over.
    (Kind::LinuxCmdLine, Class::Free),
    (Kind::LinuxEnviron, Class::Free),
    // Entry point, page size, vDSO: the loader's view.
    (Kind::LinuxAuxv, Class::Keep),
    // Module ranges and rights.
    (Kind::LinuxMaps, Class::Keep),
    // r_debug and the dynamic section.
    (Kind::LinuxDsoDebug, Class::Keep),
    // Places of annotations; the values, which stand elsewhere, are free.
    (Kind::CrashpadInfoStream, Class::Keep),
    // Breadcrumbs and key-value pairs of the application, serialized.
    (Kind::StabilityReportStream, Class::Free),
    // Places of records; the records' messages, which stand elsewhere, are free.
    (Kind::MozMacosCrashInfoStream, Class::Keep),
    (Kind::MozMacosBootargsStream, Class::Keep),
    // Text of /proc/self/limits.
    (Kind::MozLinuxLimits, Class::Keep),
    // JSON of whoever wrote the dump.
    (Kind::MozSoftErrors, Class::Free),
];

/// The known kind with this number.
pub(super) fn known(number: u32) -> Option<Kind> {
    row(number).map(|(kind, _)| *kind)
}

/// The name of the kind: the format's own, or its number.
pub(super) fn name(number: u32) -> String {
    known(number).map_or_else(|| format!("stream {number:#x}"), |kind| format!("{kind:?}"))
}

/// The class of the stream's own bytes.
pub(super) fn class(number: u32) -> Class {
    row(number).map_or(Class::Free, |(_, class)| *class)
}

fn row(number: u32) -> Option<&'static (Kind, Class)> {
    STREAMS.iter().find(|(kind, _)| *kind as u32 == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_have_the_formats_names_or_their_number() {
        assert_eq!(name(5), "MemoryListStream");
        assert_eq!(name(0x4767_0007), "LinuxEnviron");
        assert_eq!(name(0x1234_5678), "stream 0x12345678");
    }

    #[test]
    fn no_kind_stands_in_the_table_twice() {
        let mut numbers: Vec<u32> = STREAMS.iter().map(|(kind, _)| *kind as u32).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), STREAMS.len());
    }

    #[test]
    fn what_holds_secrets_may_be_edited_and_what_unwinds_may_not() {
        assert_eq!(class(Kind::LinuxEnviron as u32), Class::Free);
        assert_eq!(class(Kind::ThreadListStream as u32), Class::Frozen);
        assert_eq!(class(0x1234_5678), Class::Free);
    }
}
