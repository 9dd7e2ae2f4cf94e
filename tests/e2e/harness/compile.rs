//! Compiles with and without the cache. The plain compiler is always the measure: status, streams, and the names,
//! bytes and modes of everything in the work folder.
use super::{Finished, Sandbox, finish, wait_until};
use cachepot_engine::stats::{Snapshot, Stat};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The program in front of a compiler.
pub(crate) const CLIENT: &str = env!("CARGO_BIN_EXE_cachepot");

/// A command line, compiler first: a text without quoting, or words.
pub(crate) trait Words {
    fn words(&self) -> Vec<OsString>;
}

impl Words for &str {
    fn words(&self) -> Vec<OsString> {
        self.split_whitespace().map(OsString::from).collect()
    }
}

impl Words for String {
    fn words(&self) -> Vec<OsString> {
        self.as_str().words()
    }
}

impl<const N: usize> Words for [&OsStr; N] {
    fn words(&self) -> Vec<OsString> {
        self.iter().map(OsString::from).collect()
    }
}

impl Words for Vec<OsString> {
    fn words(&self) -> Vec<OsString> {
        self.clone()
    }
}

/// What the statistics say of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Went {
    Hit,
    /// Compiled, and kept.
    Stored,
    /// Compiled by our order, and failed.
    Failed,
    /// Compiled, and not kept because of this.
    Uses(&'static str),
    TooNew,
    /// Not cacheable for this reason.
    Refused(&'static str),
    NoCompile,
    Unsupported,
    /// Nobody asked the coordinator.
    Unasked,
    /// Anything else: what it was.
    Odd(String),
}

impl Went {
    fn between(before: &Snapshot, after: &Snapshot) -> Went {
        let grew = |stat| after.count(stat) - before.count(stat);
        let names_before: BTreeMap<_, _> = before.names(Stat::NotCached).collect();
        let grown = |(name, count): &(&str, u64)| names_before.get(name).copied().unwrap_or(0) < *count;
        let reason = || {
            let name = after.names(Stat::NotCached).find(grown).map(|(name, _)| name.to_owned());
            &*name.unwrap_or_default().leak()
        };
        let only = |stat| grew(stat) == 1 && grew(Stat::CompileRequests) == 1;
        match () {
            () if grew(Stat::CompileRequests) == 0 => Went::Unasked,
            () if only(Stat::CacheHits) && grew(Stat::Compiles) == 0 => Went::Hit,
            () if only(Stat::CacheWrites) && grew(Stat::CacheMisses) == 1 => Went::Stored,
            () if only(Stat::CompileFails) => Went::Failed,
            () if only(Stat::NonCacheableCompilations) => Went::Uses(reason()),
            () if only(Stat::InputsTooNew) => Went::TooNew,
            () if only(Stat::RequestsNotCacheable) => Went::Refused(reason()),
            () if only(Stat::RequestsNotCompile) => Went::NoCompile,
            () if only(Stat::RequestsUnsupportedCompiler) => Went::Unsupported,
            () => Went::Odd(format!("{before:?}\n{after:?}")),
        }
    }
}

/// A thing in the work folder: its mode and what it holds.
#[derive(Clone, PartialEq, Eq)]
enum Node {
    /// Mode and group, and the bytes.
    File((u32, u32), Vec<u8>),
    Link(PathBuf),
    Other(u32),
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Node::File((mode, _), bytes) if bytes.len() < 400 => {
                write!(f, "{mode:o} {:?}", bytes.escape_ascii().to_string())
            }
            Node::File((mode, group), bytes) => {
                let sum =
                    bytes.iter().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
                write!(f, "{mode:o} {group} {} bytes, sum {sum:x}", bytes.len())
            }
            Node::Link(to) => write!(f, "-> {}", to.display()),
            Node::Other(mode) => write!(f, "{mode:o}"),
        }
    }
}

type Tree = BTreeMap<PathBuf, Node>;

fn tree(folder: &Path) -> Tree {
    let mut found = Tree::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let metadata = fs::symlink_metadata(&path).unwrap();
            let node = if metadata.is_file() {
                Node::File((metadata.mode(), metadata.gid()), fs::read(&path).unwrap())
            } else if metadata.is_symlink() {
                Node::Link(fs::read_link(&path).unwrap())
            } else {
                Node::Other(metadata.mode())
            };
            if metadata.is_dir() {
                open.push(path.clone());
            }
            found.insert(path, node);
        }
    }
    found
}

/// Brings the folder back to an earlier state; only what differs is touched.
fn restore(folder: &Path, before: &Tree) {
    for (path, node) in tree(folder).into_iter().rev() {
        if before.get(&path) == Some(&node) {
            continue;
        }
        match (&node, before.get(&path)) {
            // In place: other names of the file keep it.
            (Node::File(..), Some(Node::File((mode, _), bytes))) => {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
                fs::write(&path, bytes).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
            }
            (Node::Other(_), _) if path.is_dir() => fs::remove_dir(&path).unwrap(),
            _ => fs::remove_file(&path).unwrap(),
        }
    }
    for (path, node) in before {
        match node {
            _ if fs::symlink_metadata(path).is_ok() => {}
            Node::File((mode, _), bytes) => {
                fs::write(path, bytes).unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(*mode)).unwrap();
            }
            Node::Link(to) => std::os::unix::fs::symlink(to, path).unwrap(),
            Node::Other(_) => panic!("the compile removed `{}`", path.display()),
        }
    }
}

/// What a compile left behind.
#[derive(PartialEq, Eq)]
pub(crate) struct Seen {
    code: Option<i32>,
    stdout: String,
    pub(crate) stderr: String,
    tree: Tree,
}

impl Seen {
    /// The bytes of a file, by the end of its path.
    #[track_caller]
    pub(crate) fn file(&self, name: &str) -> &[u8] {
        let found = self.tree.iter().find(|(path, _)| path.ends_with(name));
        let Some((_, Node::File(_, bytes))) = found else { panic!("no file `{name}`") };
        bytes
    }
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:?}\n--- stdout\n{}\n--- stderr\n{}\n--- files", self.code, self.stdout, self.stderr)?;
        self.tree.iter().try_for_each(|(path, node)| writeln!(f, "{} {node:?}", path.display()))
    }
}

impl Sandbox {
    /// Shell commands to run before each compile, in its process.
    pub(crate) fn prelude(mut self, line: &str) -> Self {
        line.clone_into(&mut self.prelude);
        self
    }

    /// Writes a file below the work folder, over what is there.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Runs a shell line in the work folder, which must go well.
    #[track_caller]
    pub(crate) fn sh(&self, line: &str) -> &Self {
        let _ = self.shell(line).succeeds();
        self
    }

    /// Runs a command line as a compile is run; what it printed.
    #[track_caller]
    pub(crate) fn run(&self, words: &impl Words) -> Finished {
        let line = format!("{}\nexec \"$@\"", self.prelude);
        finish(self.command("/bin/sh").args(["-c", &line, "sh"]).args(words.words()))
    }

    fn seen(&self, words: &impl Words, before: &Tree) -> Seen {
        let ended = self.run(words);
        let tree = tree(&self.work());
        restore(&self.work(), before);
        Seen { code: ended.status.code(), stdout: ended.stdout(), stderr: ended.stderr(), tree }
    }

    /// What the plain compiler does. The work folder is as before afterwards.
    #[track_caller]
    pub(crate) fn plain(&self, words: impl Words) -> Seen {
        self.seen(&words, &tree(&self.work()))
    }

    /// What the compiler does behind the cache. The work folder is as before afterwards.
    #[track_caller]
    pub(crate) fn cached(&self, words: impl Words) -> (Seen, Went) {
        self.settle();
        let before = self.stats().stats;
        let words: Vec<OsString> = [OsString::from(CLIENT)].into_iter().chain(words.words()).collect();
        let seen = self.seen(&words, &tree(&self.work()));
        (seen, Went::between(&before, &self.quiet()))
    }

    /// Compares a cached compile with the plain one, and how it went with what is expected.
    #[track_caller]
    pub(crate) fn expect(&self, went: Went, words: impl Words) -> Seen {
        let plain = self.plain(words.words());
        let (cached, really) = self.cached(words.words());
        assert_eq!(plain, cached, "{:?}", words.words());
        assert_eq!(really, went, "{:?}\n{plain:?}", words.words());
        cached
    }

    /// The compile is stored, and found the next time; both look like the plain one.
    #[track_caller]
    pub(crate) fn hits(&self, words: impl Words) -> Seen {
        self.expect(Went::Stored, words.words());
        self.expect(Went::Hit, words.words())
    }

    /// The compile, and what is found of it the next time if it was stored, look like the plain one.
    #[track_caller]
    pub(crate) fn expect_same(&self, words: impl Words) {
        let words = words.words();
        let (seen, went) = self.cached(words.clone());
        assert_eq!(seen, self.plain(words.clone()), "{words:?}");
        if went == Went::Stored {
            self.expect(Went::Hit, words);
        }
    }

    /// Waits until the work folder is older than a compile that begins now: younger inputs are not stored.
    #[track_caller]
    pub(crate) fn settle(&self) {
        let changed = |path: &PathBuf| {
            let metadata = fs::symlink_metadata(path).unwrap();
            Duration::new(metadata.ctime().unsigned_abs(), metadata.ctime_nsec().unsigned_abs() as u32)
        };
        let last = tree(&self.work()).keys().map(changed).max().unwrap_or_default();
        // File systems stamp with a clock that ticks every 10 ms or faster.
        let tick = Duration::from_millis(20);
        wait_until("the clock", || SystemTime::UNIX_EPOCH.elapsed().unwrap() > last + tick);
    }

    /// The statistics once nothing is being stored any more.
    #[track_caller]
    pub(crate) fn quiet(&self) -> Snapshot {
        use Stat::{CacheWriteErrors, CacheWrites, InputsTooNew, NonCacheableCompilations, StoreSkipped};
        let ends = [CacheWrites, NonCacheableCompilations, InputsTooNew, StoreSkipped, CacheWriteErrors];
        let mut stats = self.stats().stats;
        wait_until("the end of all stores", || {
            stats = self.stats().stats;
            ends.iter().map(|&stat| stats.count(stat)).sum::<u64>() == stats.count(Stat::Compiles)
        });
        stats
    }
}
