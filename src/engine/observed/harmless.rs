//! What a compile asks for without its result depending on the answer. Each row says why. Not in here: what only
//! changes messages, since messages are part of a result.

enum Paths {
    /// This path, but not the list of what lies there.
    Is(&'static str),
    /// Everything below this folder.
    Below(&'static str),
    /// This folder and its entries, but not what is below them.
    Each(&'static str),
    /// Every path whose last part is this and a number.
    Numbered(&'static str),
}
use Paths::{Below, Each, Is, Numbered};

const PATHS: &[(Paths, &str)] = &[
    (Is("/dev/null"), "always empty"),
    (Is("/dev/tty"), "only written to, or asked whether it is there"),
    (Is("/dev/urandom"), "random numbers, which differ from run to run anyway"),
    (Is("/dev/random"), "as above"),
    (Is("/tmp"), "gcc: is there a place for temporary files?"),
    (Is("/var/tmp"), "as above"),
    (Is("/usr/tmp"), "as above"),
    (Is("/proc/filesystems"), "libselinux: is this a system with SELinux?"),
    (Is("/proc/self/exe"), "the program itself, which reports"),
    (Is("/proc/self/maps"), "glibc: where the stack of the first thread ends"),
    (Is("/proc/self/statm"), "rustc: how much memory it uses"),
    (
        Each("/dev/fd"),
        "open descriptors, which were seen to be opened or come from outside, as a jobserver's",
    ),
    (Each("/proc/self/fd"), "as above"),
    (Is("/proc/self/cgroup"), "the number of cores that may be used, for the number of threads"),
    (Is("/proc/self/mountinfo"), "as above"),
    (Below("/sys/fs/cgroup"), "as above"),
    (Is("/sys/devices/system/cpu/online"), "as above"),
    (Is("/sys/devices/system/cpu/possible"), "as above"),
    (Is("/proc/sys/vm/overcommit_memory"), "jemalloc: how to ask for memory"),
    (Is("/sys/kernel/mm/transparent_hugepage/enabled"), "as above"),
    (Is("/etc/malloc.conf"), "jemalloc: settings of the memory allocator"),
    (Numbered("GMfifo"), "make's jobserver: a pipe with a token for each job"),
];

const VARIABLES: &[(&str, &str)] = &[
    ("CACHEPOT_OBSERVE", "where the observer writes"),
    ("LD_PRELOAD", "how the observer comes in"),
    ("TMPDIR", "where temporary files lie; their names are random, and what is made there is seen"),
    ("TMP", "as above"),
    ("TEMP", "as above"),
    ("MAKEFLAGS", "the jobserver"),
    ("MFLAGS", "as above"),
    ("CARGO_MAKEFLAGS", "as above"),
    ("MALLOC_CONF", "jemalloc: settings of the memory allocator"),
    ("RUST_MIN_STACK", "how large the stacks of threads are"),
];

/// Whether a path, absolute and tidy, is such; `is_listed` where its entries were asked for.
pub fn is_path(path: &[u8], is_listed: bool) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    PATHS.iter().any(|(paths, _)| match paths {
        Is(one) => !is_listed && path == one.as_bytes(),
        Below(folder) => {
            let rest = path.strip_prefix(folder.as_bytes());
            rest.is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
                && !path.split(|&byte| byte == b'/').any(|part| part == b"..")
        }
        Each(folder) => {
            let rest = path.strip_prefix(folder.as_bytes());
            let is_entry =
                |rest: &[u8]| rest.starts_with(b"/") && !rest.get(1..).unwrap_or_default().contains(&b'/');
            rest.is_some_and(|rest| rest.is_empty() || (is_entry(rest) && rest != b"/.."))
        }
        Numbered(start) => name
            .strip_prefix(start.as_bytes())
            .is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit)),
    })
}

/// Whether an environment variable is such.
pub fn is_variable(name: &[u8]) -> bool {
    VARIABLES.iter().any(|(harmless, _)| harmless.as_bytes() == name)
}

/// Libraries that look as if they made system calls themselves ([`super::direct`]), by the beginnings of their names.
const LIBRARIES: &[(&str, &str)] = &[
    ("libLLVM", "so large that distances in it look so"),
    ("libclang", "as above"),
    ("libcrypto.so", "tables between its functions; it calls the C library"),
];

/// Whether a library is such.
pub fn is_library(path: &[u8]) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    LIBRARIES.iter().any(|(start, _)| name.starts_with(start.as_bytes()))
}

/// Programs that ask for the time whatever they are to do.
const CLOCKS: &[(&str, Clock, &str)] = &[
    ("bash", Clock::Always, "for the variable SECONDS and as a seed of random numbers"),
    ("cc1", Clock::Always, "as a seed for names; a text that asks for it is told by itself"),
    ("cc1obj", Clock::Always, "as above"),
    ("cc1objplus", Clock::Always, "as above"),
    ("cc1plus", Clock::Always, "as above"),
    ("clippy-driver", Clock::AtStart, "as rustc"),
    ("git", Clock::Always, "for its trace"),
    ("lto1", Clock::Always, "as cc1"),
    ("make", Clock::Always, "to warn of files of the future"),
    ("perl", Clock::Always, "for the variable $^T"),
    ("python", Clock::Always, "as a seed of random numbers"),
    ("rustc", Clock::AtStart, "of nightly: names the file that it would write if it broke"),
];

/// When a program asks for the time by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Before it has loaded a macro, which may ask later.
    AtStart,
    /// At any time.
    Always,
}

/// Whether and when a program does so; there may be a version behind its name.
pub fn clock(program: &[u8]) -> Option<Clock> {
    let name = program.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let is_version = |rest: &[u8]| rest.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let is_it = |clock: &str| name.strip_prefix(clock.as_bytes()).is_some_and(is_version);
    CLOCKS.iter().find(|(clock, ..)| is_it(clock)).map(|&(_, when, _)| when)
}
