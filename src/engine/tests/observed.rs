//! The observer's log, written by hand. With real programs: `tests/observe/`.
use crate::observed::direct::calls_kernel;
use crate::observed::{Call, Clients, Distrust, Kind, Observed, format::*, harmless, read};
use proptest::prelude::*;
use std::slice;

/// Records of one process and its children.
#[derive(Clone, Debug, Default)]
struct Log(Vec<u8>);

impl Log {
    /// The first program, process 10.
    fn new() -> Self {
        Log::default().record((START, 0, 0), (10, 1), b"/bin/cc\0/bin/gcc\0/work")
    }

    fn record(
        mut self,
        (op, detail, error): (u8, u8, u16),
        (process, number): (u32, u32),
        text: &[u8],
    ) -> Self {
        self.0.extend(((HEAD_BYTES + text.len()) as u32).to_le_bytes());
        self.0.extend([op, detail]);
        self.0.extend(error.to_le_bytes());
        self.0.extend(process.to_le_bytes());
        self.0.extend(number.to_le_bytes());
        self.0.extend(text);
        self.0.resize(self.0.len().next_multiple_of(ALIGN), 0);
        self
    }

    /// With its head.
    fn whole(&self) -> Vec<u8> {
        let mut whole = MAGIC.to_vec();
        whole.extend((self.0.len() as u64).to_le_bytes());
        whole.resize(LOG_HEAD_BYTES, 0);
        whole.extend(&self.0);
        whole.resize(whole.len() + 100, 0);
        whole
    }

    fn file(self, op: u8, detail: u8, error: u16, text: &str) -> Self {
        self.record((op, detail, error), (10, 0), text.as_bytes())
    }

    fn read(&self) -> Result<Observed, Distrust> {
        self.read_with(&[])
    }

    /// Where `/own/cachepot` was called so.
    fn read_with(&self, calls: &[Call]) -> Result<Observed, Distrust> {
        of(&self.whole(), calls)
    }

    fn facts(&self) -> Observed {
        self.read().unwrap()
    }
}

fn of(whole: &[u8], calls: &[Call]) -> Result<Observed, Distrust> {
    read(whole, &[], &Clients { is_client: &|path| path.starts_with(b"/own/"), calls })
}

fn paths<'a>(list: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<&'a str> {
    list.into_iter().map(|path| std::str::from_utf8(path).unwrap()).collect()
}

/// Our client reports nothing. What it was asked for is known from its request, and no other program counts for it.
#[test]
fn a_client_counts_by_what_it_becomes() {
    let call = |process, compiler: &str| Call {
        process,
        compiler: compiler.into(),
        missing: vec![b"/first/gcc".to_vec()],
    };
    let became = Log::new().record((EXEC, 0, 0), (11, 0), b"gcc\0/none:/own:/usr/bin").record(
        (START, 0, 0),
        (11, 10),
        b"/usr/bin/gcc\0/usr/bin/gcc-12\0/work",
    );
    let started = Log::new().record((EXEC, 0, 0), (11, 0), b"/own/cachepot\0").record(
        (START, 0, 0),
        (12, 11),
        b"/usr/bin/gcc\0/usr/bin/gcc-12\0/work",
    );
    let silent = |name: &[u8]| Err(Distrust::Silent(name.to_vec()));
    let gcc = call(11, "/usr/bin/gcc");
    assert_eq!(paths(&became.read_with(slice::from_ref(&gcc)).unwrap().absent), ["/first/gcc", "/none/gcc"]);
    assert_eq!(paths(&started.read_with(slice::from_ref(&gcc)).unwrap().absent), ["/first/gcc"]);
    // Nobody knows what it was asked for, or it was another process, another compiler, or a hit.
    assert_eq!(started.read(), silent(b"/own/cachepot"));
    assert_eq!(started.read_with(&[call(13, "/usr/bin/gcc")]), silent(b"/own/cachepot"));
    assert_eq!(started.read_with(&[call(11, "/usr/bin/cc")]), silent(b"/own/cachepot"));
    let hit = Log::new().record((EXEC, 0, 0), (11, 0), b"/own/cachepot\0");
    assert_eq!(hit.read_with(slice::from_ref(&gcc)), silent(b"/own/cachepot"));
    // Another program is not excused by it.
    let other = Log::new().record((EXEC, 0, 0), (11, 0), b"/usr/bin/gcc\0");
    assert_eq!(other.read_with(slice::from_ref(&gcc)), silent(b"/usr/bin/gcc"));
    // Two calls are two reports.
    let twice = Log(became.0.clone()).record((SPAWN, 0, 0), (10, 11), b"/own/cachepot\0");
    assert_eq!(twice.read_with(&[gcc.clone(), gcc]), silent(b"/own/cachepot"));
}

#[test]
fn what_is_read_looked_at_and_missed() {
    let facts = Log::new()
        .file(OPEN, READ, 0, "/work/./a//b.rs")
        .file(LOOK, FILE, 0, "/work/a/b.rs")
        .file(OPEN, READ, 2, "/work/b.rs")
        .file(LOOK, FOLDER, 0, "/lib/x/../y/")
        .file(LOOK, UNKNOWN, 20, "/work/a/b.rs/")
        .file(LIST, 0, 0, "/work/deps/.")
        .file(LIST, 0, 0, "/work/deps")
        .file(RESOLVE, READ_LINK, 0, "/bin/cc\0gcc")
        .file(RESOLVE, REAL_PATH, 0, "/bin/cc\0/usr/bin/gcc")
        .file(LOAD, 0, 0, "/lib/libc.so.6")
        .file(ENV, 0, 0, "OUT_DIR")
        .file(ENV, 0, 0, "MAKEFLAGS")
        .file(OPEN, READ, 0, "/dev/null")
        .facts();
    assert_eq!(paths(&facts.read), ["/work/a/b.rs"]);
    assert_eq!(Vec::from_iter(facts.looked_at), [(b"/lib/x/../y".to_vec(), Kind::Folder)]);
    assert_eq!(paths(&facts.absent), ["/work/a/b.rs/", "/work/b.rs"]);
    assert_eq!(Vec::from_iter(facts.listed), [(b"/work/deps".to_vec(), 2)]);
    assert_eq!(facts.links[&b"/bin/cc"[..]], b"gcc");
    assert_eq!(facts.resolved[&b"/bin/cc"[..]], b"/usr/bin/gcc");
    assert_eq!(paths(&facts.libraries), ["/lib/libc.so.6"]);
    assert_eq!(paths(&facts.variables), ["OUT_DIR"]);
    assert_eq!(paths(&facts.programs), ["/bin/cc", "/bin/gcc"]);
    assert!(facts.written.is_empty());
}

#[test]
fn what_is_made_is_no_input() {
    let facts = Log::new()
        .file(LOOK, UNKNOWN, 2, "/work/out")
        .file(MAKE, FOLDER, 0, "/tmp/rustc1")
        .file(LOOK, UNKNOWN, 2, "/tmp/rustc1/lib.o")
        .file(OPEN, WRITE, 0, "/tmp/rustc1/lib.o")
        .file(OPEN, READ, 0, "/tmp/rustc1/lib.o")
        .file(RENAME, 0, 0, "/tmp/rustc1/lib.o\0/work/out")
        .file(OPEN, READ, 0, "/work/out")
        .file(REMOVE, 0, 0, "/tmp/rustc1")
        .file(REMOVE, 0, 0, "/work/old")
        .file(REMOVE, 0, 0, "/work/log")
        .file(OPEN, WRITE, 0, "/work/log")
        .facts();
    assert!(facts.read.is_empty() && facts.absent.is_empty(), "{facts:?}");
    assert_eq!(paths(facts.written.keys()), ["/work/log", "/work/out"]);
    assert_eq!(paths(&facts.removed), ["/work/old"]);
}

#[test]
fn a_way_out_of_what_is_made_leads_to_inputs() {
    let made = || Log::new().file(MAKE, FOLDER, 0, "/tmp/t");
    let rows = [
        (made().file(OPEN, READ, 0, "/tmp/t/../a"), "/tmp/a"),
        (made().file(OPEN, READ, 0, "/tmp/too"), "/tmp/too"),
        (made().file(MAKE, LINK, 0, "/tmp/t/l").file(OPEN, READ, 0, "/tmp/t/l/a"), "/tmp/t/l/a"),
        (made().file(MAKE, LINK, 0, "/tmp/t/l").file(OPEN, READ, 0, "/tmp/t/l"), "/tmp/t/l"),
        (made().file(MAKE, FILE, 0, "/tmp/t/hard\0/work/a"), "/work/a"),
        (made().file(OPEN, UPDATE, 0, "/work/notes"), "/work/notes"),
        (made().file(REMOVE, 0, 0, "/tmp/t").file(OPEN, READ, 0, "/tmp/t/a"), "/tmp/t/a"),
    ];
    for (log, expected) in rows {
        assert_eq!(paths(&log.facts().read), [expected]);
    }
    let moved = Log::new().file(RENAME, 0, 0, "/work/src\0/work/lib").read();
    assert_eq!(moved, Err(Distrust::Moved(b"/work/src".to_vec())));
}

/// Names of one folder: as it was told, and the one that the kernel knows.
#[test]
fn what_was_made_bears_two_names() {
    let log = Log::new()
        .file(MAKE, FOLDER, 0, "/work/link/../o/tmp")
        .file(OPEN, WRITE, 0, "/work/link/../o/tmp/a")
        .file(LIST, 0, 0, "/real/o/tmp/.")
        .file(REMOVE, 0, 0, "/real/o/tmp/a")
        .file(REMOVE, 0, 0, "/work/link/../o/tmp")
        .file(LOOK, FILE, 0, "/real/o/other");
    let names = [(b"/real/o".to_vec(), b"/work/link/../o".to_vec())];
    let clients = Clients { is_client: &|_| false, calls: &[] };
    let facts = read(&log.whole(), &names, &clients).unwrap();
    assert!(facts.removed.is_empty() && facts.listed.is_empty() && facts.written.is_empty());
    assert_eq!(paths(facts.looked_at.iter().map(|(path, _)| path)), ["/real/o/other"]);
    assert_eq!(paths(&log.facts().removed), ["/real/o/tmp/a"]);
}

#[test]
fn a_step_back_out_of_what_was_made() {
    let log = Log::new()
        .file(MAKE, FOLDER, 0, "/work/d")
        .file(OPEN, READ, 2, "/work/d/../data")
        .file(OPEN, READ, 2, "/work/e/../data")
        .file(REMOVE, 0, 0, "/work/d");
    assert_eq!(paths(&log.facts().absent), ["/work/data", "/work/e/../data"]);
}

#[test]
fn who_asks_about_a_path_itself_learns_that_it_is_no_link() {
    let log = Log::new()
        .file(LOOK, ITSELF | FILE, 0, "/work/a")
        .file(LOOK, FILE, 0, "/work/b")
        .file(LOOK, ITSELF | LINK, 0, "/work/c")
        .file(LOOK, ITSELF, 22, "/work/d")
        .file(LOOK, ITSELF, 17, "/work/e");
    assert_eq!(paths(&log.facts().no_links), ["/work/a", "/work/d"]);
}

#[test]
fn every_program_reports() {
    let start = |log: Log, process, parent, given: &[u8]| {
        log.record((START, 0, 0), (process, parent), &[given, b"\0/x\0/work"].concat())
    };
    let search = b"ld\0/a:/b:/c";
    let found = start(Log::new().record((EXEC, 0, 0), (11, 0), search), 11, 10, b"/b/ld").facts();
    assert_eq!(paths(&found.absent), ["/a/ld"]);
    let late = start(Log::new(), 12, 10, b"/bin/as").record((SPAWN, 0, 0), (10, 12), b"/bin/as\0");
    assert!(late.read().is_ok());
    let shell = start(Log::new().record((SPAWN, 0, 0), (10, 0), b"/bin/sh\0"), 13, 10, b"/bin/sh");
    assert!(shell.read().is_ok());
    let failed =
        Log::new().record((EXEC, 0, 0), (11, 0), b"/a/ld\0").record((EXEC_FAILED, 0, 2), (11, 0), b"/a/ld\0");
    assert_eq!(paths(&failed.facts().absent), ["/a/ld"]);

    let silent = |name: &[u8]| Err(Distrust::Silent(name.to_vec()));
    assert_eq!(Log::new().record((EXEC, 0, 0), (11, 0), b"/a/ld\0").read(), silent(b"/a/ld"));
    assert_eq!(Log::new().record((SPAWN, 0, 0), (10, 0), b"/bin/sh\0").read(), silent(b"/bin/sh"));
    // A silent program that becomes another one.
    let hidden = start(Log::new().record((EXEC, 0, 0), (11, 0), b"/a/ld\0"), 11, 10, b"/b/ld");
    assert_eq!(hidden.read(), silent(b"/a/ld"));
    let unseen = start(Log::new(), 11, 10, b"/b/ld");
    assert_eq!(unseen.read(), Err(Distrust::Unexplained(b"/b/ld".to_vec())));
    let searched = || Log::new().record((EXEC, 0, 0), (11, 0), b"ld\0:n:/b");
    let unplaced = searched().record((START, 0, 0), (11, 10), b"/b/ld\0/x\0");
    assert_eq!(unplaced.read(), Err(Distrust::Relative(b"ld".to_vec())));
    assert_eq!(paths(&start(searched(), 11, 10, b"/b/ld").facts().absent), ["/work/ld", "/work/n/ld"]);
    let failed = searched().record((EXEC_FAILED, 0, 2), (11, 0), b"ld\0\0/work");
    assert_eq!(paths(&failed.facts().absent), ["/b/ld", "/work/ld", "/work/n/ld"]);
}

#[test]
fn reasons_for_distrust() {
    assert_eq!(of(b"", &[]), Err(Distrust::Damaged));
    assert_eq!(Log::default().read(), Err(Distrust::NoStart));
    let changed = |at: usize, value: u8| {
        let mut log = Log::new().whole();
        log[at] = value;
        of(&log, &[])
    };
    assert_eq!(changed(MAGIC.len() - 1, 77), Err(Distrust::Version));
    assert_eq!(changed(BROKEN_AT, 1), Err(Distrust::Incomplete));
    assert_eq!(changed(LOG_HEAD_BYTES, 0), Err(Distrust::Damaged));
    let network = Log::new().record((NETWORK, 0, 0), (10, 2), b"").read();
    assert_eq!(network, Err(Distrust::Network(2)));
    let opaque = Log::new().file(OPAQUE, 0, 0, "glob").read();
    assert_eq!(opaque, Err(Distrust::Opaque(b"glob".to_vec())));
    let failed = Log::new().file(OPEN, READ, 24, "/a").read();
    assert_eq!(failed, Err(Distrust::Failed { path: b"/a".to_vec(), error: 24 }));
    assert_eq!(Log::new().file(99, 0, 0, "/a").read(), Err(Distrust::Damaged));
    assert_eq!(Log::new().file(OPEN, READ, 0, "a").read(), Err(Distrust::Damaged));
    let log = Log::new().file(OPEN, READ, 0, "/a");
    let end = LOG_HEAD_BYTES + log.0.len();
    assert!(of(&log.whole()[..end], &[]).is_ok());
    for length in 0..end {
        assert_eq!(of(&log.whole()[..length], &[]), Err(Distrust::Damaged), "{length}");
    }
}

#[test]
fn harmless_paths_end_where_they_should() {
    for path in ["/proc/self/fd/3", "/proc/self/fd", "/sys/fs/cgroup/a/cpu.max", "/tmp/GMfifo12"] {
        assert!(harmless::is_path(path.as_bytes(), false), "{path}");
    }
    for path in ["/proc/self/fdx", "/sys/fs/cgroup/../x", "/tmp/a", "/proc/cpuinfo", "/dev/nullx"] {
        assert!(!harmless::is_path(path.as_bytes(), false), "{path}");
    }
}

#[test]
fn what_is_harmless_but_for_its_list_or_number() {
    assert!(harmless::is_path(b"/tmp", false) && !harmless::is_path(b"/tmp", true));
    assert!(harmless::is_path(b"/proc/self/fd", true));
    assert!(harmless::is_library(b"/lib/libcrypto.so.3") && !harmless::is_library(b"/lib/libLLVM/libc.so.6"));
    for path in ["/tmp/GMfifo", "/work/GMfifo.txt", "/work/GMfifo12x"] {
        assert!(!harmless::is_path(path.as_bytes(), false), "{path}");
    }
}

#[test]
fn who_asks_for_the_time() {
    let asks = |program: &str| {
        let start = format!("{program}\0{program}\0/work");
        let started = Log::new().record((SPAWN, 0, 0), (10, 11), program.as_bytes());
        started.record((START, 0, 0), (11, 10), start.as_bytes()).record((CLOCK, 0, 0), (11, 0), b"").read()
    };
    assert_eq!(Log::new().record((CLOCK, 0, 0), (10, 0), b"").read(), Err(Distrust::Clock));
    assert_eq!(asks("/bin/date"), Err(Distrust::Clock));
    assert_eq!(asks("/bin/bashful"), Err(Distrust::Clock));
    assert!(asks("/bin/bash").is_ok() && asks("/bin/python3.11").is_ok());
    let rustc = || Log(Vec::new()).record((START, 0, 0), (10, 1), b"/bin/rustc\0/bin/rustc\0/work");
    let started = rustc().file(LOAD, 0, 0, "/lib/rustc.so").record((CLOCK, 0, 0), (10, 0), b"");
    let loaded = started.file(OPEN, READ, 0, "/work/ask.so").file(LOAD, 0, 0, "/work/ask.so");
    assert!(loaded.read().is_ok());
    assert_eq!(loaded.record((CLOCK, 0, 0), (10, 0), b"").read(), Err(Distrust::Clock));
}

/// Few paths, so that the records have to do with each other.
fn records() -> impl Strategy<Value = Log> {
    let path = "(/[ab]|/[.]|/[.][.]|//){1,3}\0?(/[ab]){0,2}";
    let record = (0_u8..18, 0_u8..5, prop_oneof![Just(0_u16), 0_u16..45], 9_u32..12, path);
    proptest::collection::vec(record, 0..30).prop_map(|list| {
        list.into_iter().fold(Log::new(), |log, (op, detail, error, process, path)| {
            log.record((op, detail, error), (process, process + 1), path.as_bytes())
        })
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(log in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = of(&log, &[]);
        let _ = calls_kernel(&[b"\x7fELF\x02\x01".to_vec(), log.clone()].concat());
        let _ = Log(log).read();
    }

    #[test]
    fn any_records_are_read_without_a_panic(log in records(), cut in any::<prop::sample::Index>()) {
        let _ = log.read();
        let whole = log.whole();
        let _ = of(&whole[..cut.index(whole.len())], &[]);
    }

    /// Nothing but what the compile made is left out, and that only of what was not read before.
    #[test]
    fn what_was_read_first_is_kept(log in records()) {
        let first = Log::new().file(OPEN, READ, 0, "/a/b");
        let all = Log([first.0, log.0[Log::new().0.len()..].to_vec()].concat());
        if let Ok(facts) = all.read() {
            prop_assert!(facts.read.contains(&b"/a/b"[..]));
        }
    }
}

/// An ELF file of one part, mapped so that it ends there.
fn elf(code: &[u8], end: u64) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01".to_vec();
    file.resize(64, 0);
    file[18] = 62;
    file[32] = 64;
    (file[54], file[56]) = (56, 1);
    let fields = [(1 | 1 << 32), 120, end - code.len() as u64, 0, code.len() as u64, code.len() as u64, 1];
    file.extend(fields.iter().flat_map(|field: &u64| field.to_le_bytes()));
    file.extend(code);
    file
}

#[test]
fn system_calls_are_told_from_what_stands_in_addresses() {
    const LARGE: u64 = 40 << 20;
    let rows: [(&[u8], u64, bool); 16] = [
        (b"\xb8\x3c\0\0\0\x0f\x05\x48\x3d\0\xf0\xff\xff", 1 << 20, true),
        (b"\xb8\x3c\0\0\0\x0f\x05\x48\x3d\0\xf0\xff\xff", LARGE, true),
        (b"\x49\x89\xca\x0f\x05\xc3\x90\x90", LARGE, true),
        (b"\x31\xff\x89\xd0\x0f\x05\xeb\xf8\x31\xc0", LARGE, true),
        (b"\x90\x90\x90\x0f\x05\x00\x90\x90", 1 << 20, false),
        // A call, an operand, an address, a table: as far as this program reaches.
        (b"\x90\x90\xe8\x0f\x05\x03\x00\x90\x90", 1 << 20, false),
        (b"\x90\x90\xe8\x0f\x05\x03\x01\x90\x90", 1 << 20, true),
        (b"\x90\x90\xe8\x0f\x05\x03\x01\x90\x90", LARGE, false),
        (b"\x90\x90\xe8\x0f\x05\x03\xfe\x90\x90", LARGE, false),
        (b"\x48\x8b\x3d\x0f\x05\xc0\x01\x4c\x8d", LARGE, false),
        (b"\x48\x8b\x1d\x8f\x0f\x05\x01\xe8\x52", LARGE, false),
        (b"\x90\x90\xbf\x28\x0f\x05\x02\xe8\xf7", LARGE, false),
        (b"\x90\xff\x24\xc5\x18\x0f\x05\x02\x48\x89", LARGE, false),
        (b"\x90\xff\x24\xc5\x18\x0f\x05\x03\x48\x89", LARGE, true),
        (b"\xe0\xa9\xfc\xff\x0f\x05\x0f\x85\xb7\xfd", LARGE, false),
        (b"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05\x90\x90", LARGE, false),
    ];
    for (code, end, expected) in rows {
        assert_eq!(calls_kernel(&elf(code, end)), expected, "{}", code.escape_ascii());
    }
}
