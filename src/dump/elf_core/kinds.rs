//! The notes that are known: names, and what is done with their content.

use goblin::elf::header::{EM_386, EM_AARCH64, EM_S390, EM_X86_64};

/// What is done with the content of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Linux's NT_PRSTATUS: begins a thread.
    Status,
    /// The process: ids and 80 bytes of command line.
    Process,
    /// The signal that ended it.
    Signal,
    Auxv,
    Files,
    /// Pointers and numbers that a debugger needs.
    Frozen,
    /// The thread's registers of a kind that unwinding needs.
    Registers,
    /// The thread's vector registers, where keys are found; by processor, what of them is not.
    Vectors(VectorParts),
    /// The thread pointer of ARM and AArch64.
    ThreadPointer,
    /// Segment descriptors of i386, among them the one that the thread pointer comes from.
    Descriptors,
    /// Words about the machine whose memory it is.
    VmCoreInfo,
    /// A note of FreeBSD, NetBSD or OpenBSD: see `bsd`.
    Bsd(Bsd),
    /// Nothing is known of it.
    Unknown,
}

/// Which bytes of a note with vector registers are no vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VectorParts {
    /// None.
    None,
    /// The floating point note, which is another one on each processor.
    FloatingPoint,
    /// `fxsave`: control words before the registers.
    Fxsave,
    /// `xsave`: as before, and which registers follow, in the reserved bytes and behind them.
    Xsave,
    /// 16 bytes of `user_sve_header`, without which the length of a vector is unknown.
    Sve,
}

/// The notes of the BSDs of which more than the name is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bsd {
    FreeStatus,
    FreeProcess,
    FreeThread,
    NetProcess,
    NetRegisters,
    OpenProcess,
    OpenRegisters,
}

/// A note that is known.
pub(super) struct Kind {
    owner: &'static str,
    number: u32,
    pub name: &'static str,
    pub content: Content,
}

/// The note with this owner and number. `NetBSD-CORE@12` is the owner `NetBSD-CORE@`: the rest is a thread.
pub(super) fn of(owner: &str, number: u32) -> Option<&'static Kind> {
    let system = owner.split_inclusive('@').next().unwrap_or(owner);
    KINDS.iter().find(|kind| kind.owner == system && kind.number == number)
}

impl VectorParts {
    /// The ranges of bytes that are no vectors: control words and sizes.
    pub fn frozen(self, machine: u16) -> &'static [(u64, u64)] {
        const FXSAVE: &[(u64, u64)] = &[(0, 32)];
        match (self, machine) {
            (Self::None, _) => &[],
            (Self::Fxsave, _) | (Self::FloatingPoint, EM_X86_64) => FXSAVE,
            // `fsave`: seven control words.
            (Self::FloatingPoint, EM_386) => &[(0, 28)],
            // `user_fpsimd_state`: 32 registers, then fpsr and fpcr.
            (Self::FloatingPoint, EM_AARCH64) => &[(512, 528)],
            (Self::FloatingPoint, EM_S390) => &[(0, 8)],
            (Self::FloatingPoint, _) => &[],
            // gdb reads XCR0 from byte 464, and the header behind the legacy area says what is in use.
            (Self::Xsave, _) => &[(0, 32), (464, 576)],
            (Self::Sve, _) => &[(0, 16)],
        }
    }
}

const fn kind(owner: &'static str, number: u32, name: &'static str, content: Content) -> Kind {
    Kind { owner, number, name, content }
}

use Content::{Auxv, Descriptors, Files, Frozen, Process, Registers, Signal, Status, ThreadPointer, VmCoreInfo};

const VECTORS: Content = Content::Vectors(VectorParts::None);
const SVE: Content = Content::Vectors(VectorParts::Sve);

/// Linux: `include/uapi/linux/elf.h`. FreeBSD: `sys/elf_common.h`. NetBSD and OpenBSD: `sys/exec_elf.h`; there the numbers
/// from 32 on are the machine's ptrace requests: PT_GETREGS is 33, PT_GETFPREGS 35 on all machines that are known here.
const KINDS: &[Kind] = &[
    kind("CORE", 1, "NT_PRSTATUS", Status),
    kind("CORE", 2, "NT_FPREGSET", Content::Vectors(VectorParts::FloatingPoint)),
    kind("CORE", 3, "NT_PRPSINFO", Process),
    kind("CORE", 4, "NT_TASKSTRUCT", Frozen),
    kind("CORE", 6, "NT_AUXV", Auxv),
    kind("CORE", 0x5349_4749, "NT_SIGINFO", Signal),
    kind("CORE", 0x4649_4c45, "NT_FILE", Files),
    kind("LINUX", 0x46e6_2b7f, "NT_PRXFPREG", Content::Vectors(VectorParts::Fxsave)),
    kind("LINUX", 0x100, "NT_PPC_VMX", VECTORS),
    kind("LINUX", 0x101, "NT_PPC_SPE", VECTORS),
    kind("LINUX", 0x102, "NT_PPC_VSX", VECTORS),
    kind("LINUX", 0x103, "NT_PPC_TAR", Registers),
    kind("LINUX", 0x104, "NT_PPC_PPR", Registers),
    kind("LINUX", 0x105, "NT_PPC_DSCR", Registers),
    kind("LINUX", 0x106, "NT_PPC_EBB", Registers),
    kind("LINUX", 0x107, "NT_PPC_PMU", Registers),
    kind("LINUX", 0x10f, "NT_PPC_PKEY", Registers),
    kind("LINUX", 0x200, "NT_386_TLS", Descriptors),
    kind("LINUX", 0x201, "NT_386_IOPERM", Registers),
    kind("LINUX", 0x202, "NT_X86_XSTATE", Content::Vectors(VectorParts::Xsave)),
    kind("LINUX", 0x204, "NT_X86_SHSTK", Registers),
    kind("LINUX", 0x205, "NT_X86_XSAVE_LAYOUT", Frozen),
    kind("LINUX", 0x300, "NT_S390_HIGH_GPRS", Registers),
    kind("LINUX", 0x301, "NT_S390_TIMER", Registers),
    kind("LINUX", 0x302, "NT_S390_TODCMP", Registers),
    kind("LINUX", 0x303, "NT_S390_TODPREG", Registers),
    kind("LINUX", 0x304, "NT_S390_CTRS", Registers),
    kind("LINUX", 0x305, "NT_S390_PREFIX", Registers),
    kind("LINUX", 0x306, "NT_S390_LAST_BREAK", Registers),
    kind("LINUX", 0x307, "NT_S390_SYSTEM_CALL", Registers),
    kind("LINUX", 0x308, "NT_S390_TDB", Registers),
    kind("LINUX", 0x309, "NT_S390_VXRS_LOW", VECTORS),
    kind("LINUX", 0x30a, "NT_S390_VXRS_HIGH", VECTORS),
    kind("LINUX", 0x30b, "NT_S390_GS_CB", Registers),
    kind("LINUX", 0x400, "NT_ARM_VFP", VECTORS),
    kind("LINUX", 0x401, "NT_ARM_TLS", ThreadPointer),
    kind("LINUX", 0x402, "NT_ARM_HW_BREAK", Registers),
    kind("LINUX", 0x403, "NT_ARM_HW_WATCH", Registers),
    kind("LINUX", 0x404, "NT_ARM_SYSTEM_CALL", Registers),
    kind("LINUX", 0x405, "NT_ARM_SVE", SVE),
    // Return addresses are signed: without the mask a debugger does not know which of their bits are address.
    kind("LINUX", 0x406, "NT_ARM_PAC_MASK", Registers),
    // The keys that they are signed with: no debugger needs them.
    kind("LINUX", 0x407, "NT_ARM_PACA_KEYS", VECTORS),
    kind("LINUX", 0x408, "NT_ARM_PACG_KEYS", VECTORS),
    kind("LINUX", 0x409, "NT_ARM_TAGGED_ADDR_CTRL", Registers),
    kind("LINUX", 0x40a, "NT_ARM_PAC_ENABLED_KEYS", Registers),
    kind("LINUX", 0x40b, "NT_ARM_SSVE", SVE),
    kind("LINUX", 0x40c, "NT_ARM_ZA", SVE),
    kind("LINUX", 0x40d, "NT_ARM_ZT", VECTORS),
    kind("LINUX", 0x40e, "NT_ARM_FPMR", Registers),
    kind("LINUX", 0x40f, "NT_ARM_POE", Registers),
    kind("LINUX", 0x410, "NT_ARM_GCS", Registers),
    kind("LINUX", 0x800, "NT_MIPS_DSP", Registers),
    kind("LINUX", 0x801, "NT_MIPS_FP_MODE", Registers),
    kind("LINUX", 0x802, "NT_MIPS_MSA", VECTORS),
    kind("LINUX", 0x900, "NT_RISCV_CSR", Registers),
    kind("LINUX", 0x901, "NT_RISCV_VECTOR", VECTORS),
    kind("LINUX", 0xa00, "NT_LOONGARCH_CPUCFG", Registers),
    kind("LINUX", 0xa02, "NT_LOONGARCH_LSX", VECTORS),
    kind("LINUX", 0xa03, "NT_LOONGARCH_LASX", VECTORS),
    // A description of the processor's registers, in XML, without which gdb guesses.
    kind("GDB", 0xff00_0000, "NT_GDB_TDESC", Frozen),
    kind("VMCOREINFO", 0, "VMCOREINFO", VmCoreInfo),
    kind("GNU", 3, "NT_GNU_BUILD_ID", Frozen),
    kind("FreeBSD", 1, "NT_PRSTATUS", Content::Bsd(Bsd::FreeStatus)),
    kind("FreeBSD", 2, "NT_FPREGSET", VECTORS),
    kind("FreeBSD", 3, "NT_PRPSINFO", Content::Bsd(Bsd::FreeProcess)),
    kind("FreeBSD", 7, "NT_THRMISC", Content::Bsd(Bsd::FreeThread)),
    kind("FreeBSD", 8, "NT_PROCSTAT_PROC", Frozen),
    kind("FreeBSD", 9, "NT_PROCSTAT_FILES", Frozen),
    kind("FreeBSD", 10, "NT_PROCSTAT_VMMAP", Frozen),
    kind("FreeBSD", 11, "NT_PROCSTAT_GROUPS", Frozen),
    kind("FreeBSD", 12, "NT_PROCSTAT_UMASK", Frozen),
    kind("FreeBSD", 13, "NT_PROCSTAT_RLIMIT", Frozen),
    kind("FreeBSD", 14, "NT_PROCSTAT_OSREL", Frozen),
    kind("FreeBSD", 15, "NT_PROCSTAT_PSSTRINGS", Frozen),
    kind("FreeBSD", 16, "NT_PROCSTAT_AUXV", Frozen),
    kind("FreeBSD", 17, "NT_PTLWPINFO", Registers),
    kind("FreeBSD", 0x200, "NT_X86_SEGBASES", Registers),
    kind("FreeBSD", 0x202, "NT_X86_XSTATE", Content::Vectors(VectorParts::Xsave)),
    kind("FreeBSD", 0x400, "NT_ARM_VFP", VECTORS),
    kind("FreeBSD", 0x401, "NT_ARM_TLS", ThreadPointer),
    kind("NetBSD-CORE", 1, "NT_NETBSDCORE_PROCINFO", Content::Bsd(Bsd::NetProcess)),
    kind("NetBSD-CORE", 2, "NT_NETBSDCORE_AUXV", Frozen),
    kind("NetBSD-CORE@", 24, "NT_NETBSDCORE_LWPSTATUS", Frozen),
    kind("NetBSD-CORE@", 33, "PT_GETREGS", Content::Bsd(Bsd::NetRegisters)),
    kind("NetBSD-CORE@", 35, "PT_GETFPREGS", VECTORS),
    kind("OpenBSD", 10, "NT_OPENBSD_PROCINFO", Content::Bsd(Bsd::OpenProcess)),
    kind("OpenBSD", 11, "NT_OPENBSD_AUXV", Frozen),
    kind("OpenBSD@", 20, "NT_OPENBSD_REGS", Content::Bsd(Bsd::OpenRegisters)),
    kind("OpenBSD@", 21, "NT_OPENBSD_FPREGS", VECTORS),
    kind("OpenBSD@", 22, "NT_OPENBSD_XFPREGS", VECTORS),
    kind("OpenBSD@", 23, "NT_OPENBSD_WCOOKIE", Registers),
];
