//! Words that the driver passes on to what it runs: the preprocessor, the assembler, the compiler proper and its code
//! generator. Only those are taken that neither read nor write a file of their own.
use super::line::{Depth, Line};
use crate::job::Family;
use crate::options::{self, Sort, Token, Treatment};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

impl Line<'_> {
    /// `-Wp,a,b`: the words `a` and `b` for the preprocessor. Only those that cannot surprise are taken.
    pub(super) fn preprocessor(&mut self, family: Family, token: &Token<'_>) {
        let mut parts = token.value.as_bytes().split(|&byte| byte == b',').map(OsStr::from_bytes);
        let n_parts = parts.clone().count();
        while let Some(part) = parts.next() {
            let depth = match part.as_bytes() {
                b"-MD" => Some(Depth::All),
                b"-MMD" => Some(Depth::User),
                _ => None,
            };
            match (depth, part.as_bytes()) {
                (Some(depth), _) => {
                    let taken = self.dependencies.depth.is_some() || self.dependencies.dangling.is_some();
                    // clang's driver knows the form with one name and nothing else.
                    if taken || (family == Family::Clang && n_parts != 2) {
                        self.refuse("-Wp,");
                    }
                    self.dependencies.file = parts.next().map(OsStr::to_owned);
                    self.dependencies.depth = Some(depth);
                    self.dependencies.by_preprocessor = true;
                    // gcc's driver does not know of it, so the target comes from the source, not from `-o` (T83).
                    self.dependencies.target = family == Family::Gcc;
                    self.key.push("-Wp,".into());
                    self.key.push(part.to_owned());
                }
                (None, b"-MT" | b"-MQ") if self.dependencies.by_preprocessor => {
                    self.dependencies.target = true;
                    self.key.extend(["-Wp,".into(), part.to_owned()]);
                    self.key.extend(parts.next().map(OsStr::to_owned));
                }
                (None, [b'-', b'D' | b'U', _, ..]) => self.key.extend(["-Wp,".into(), part.to_owned()]),
                (None, b"-MP") if self.dependencies.by_preprocessor => {
                    self.key.extend(["-Wp,".into(), part.to_owned()]);
                }
                _ => self.refuse("-Wp,"),
            }
        }
        if self.dependencies.by_preprocessor && self.dependencies.file.is_none() {
            self.refuse("-Wp,");
        }
    }

    /// `-Wa,a,b`: words for the assembler. Some write listings or read files; only known ones are taken.
    pub(super) fn assembler_words(&mut self, token: &Token<'_>) {
        const PLAIN: &[&str] = &[
            "--noexecstack",
            "--execstack",
            "--fatal-warnings",
            "--warn",
            "--no-warn",
            "--64",
            "--32",
            "--x32",
            "--strip-local-absolute",
            "--reduce-memory-overheads",
            "--keep-locals",
            "-L",
            "-W",
            "-Z",
            "-n",
        ];
        const STARTS: &[&str] = &[
            "--gdwarf",
            "-g",
            "-m",
            "--compress-debug-sections",
            "--nocompress",
            "--debug-prefix-map=",
            "-D",
        ];
        for part in token.value.as_bytes().split(|&byte| byte == b',') {
            let plain = PLAIN.iter().any(|word| word.as_bytes() == part);
            if !plain && !STARTS.iter().any(|start| part.starts_with(start.as_bytes())) {
                self.refuse("-Wa,");
            }
            // Assembler debug information names the working directory.
            self.whole_directory |= part.starts_with(b"-g") || part.starts_with(b"--g");
        }
        self.key.push(token.word.to_owned());
    }

    /// `-Xclang value`: a word for the compiler proper. Texts as in the behaviour specification, 5.5.
    pub(super) fn xclang(&mut self, value: &OsStr) {
        let follows = std::mem::replace(&mut self.xclang_value, value == "-target-feature");
        self.key.extend(["-Xclang".into(), value.to_owned()]);
        if follows || self.xclang_value || value == "-disable-llvm-passes" || value == "-disable-O0-optnone" {
            return;
        }
        // The driver's own words do not take back what is said here.
        let is_debug = value.as_bytes().starts_with(b"-debug-info-kind=");
        if is_debug || value.as_bytes().starts_with(b"-g") {
            self.debug = true;
            self.debug_stays = true;
        }
        if is_debug {
            return;
        }
        match options::cut(Family::Clang, value, None).sort {
            Sort::Input => self.refuse("Can't handle Raw arguments with -Xclang"),
            Sort::Unknown => self.refuse("Can't handle UnknownFlag arguments with -Xclang"),
            // Some of the compiler proper's own name a file.
            Sort::Family if value.as_bytes().starts_with(b"-f") && value.as_bytes().contains(&b'=') => {
                self.refuse("Can't handle UnknownFlag arguments with -Xclang");
            }
            Sort::Family => {}
            Sort::Known(row) if matches!(row.does, Treatment::Key | Treatment::Debug) => {}
            Sort::Known(row) | Sort::Truncated(row) => self.refuse(row.word),
        }
    }
}

/// Whether an option of LLVM reads and writes no file and prints no measured time, as far as its name tells. It has
/// thousands; those that name a file say so.
pub(super) fn is_plain_of_llvm(word: &OsStr) -> bool {
    const WHOLE: &[&[u8]] = &[b"basic-block-sections", b"load", b"print-changed", b"use-ctx-profile"];
    const STARTS: &[&[u8]] =
        &[b"load-", b"polly-export", b"polly-import", b"stats", b"time-", b"track-", b"view-"];
    const SANITIZERS: &[&[u8]] = &[b"asan-", b"hwasan-", b"msan-", b"tsan-"];
    const PARTS: &[&[u8]] = &[
        b"channel",
        b"dir",
        b"directory",
        b"dot",
        b"dump",
        b"file",
        b"filename",
        b"files",
        b"input",
        b"json",
        b"jscop",
        b"log",
        b"map",
        b"mapping",
        b"output",
        b"path",
        b"paths",
        b"plugin",
        b"read",
        b"replay",
        b"summary",
        b"training",
        b"view",
        b"write",
    ];
    let text = word.as_bytes();
    let name = text.split(|&byte| byte == b'=').next().unwrap_or_default();
    // Without a dash it is the value of the word before.
    let name = name.iter().position(|&byte| byte != b'-').and_then(|at| name.get(at..)).unwrap_or_default();
    // These speak of the program's own reads, writes and maps.
    let of_sanitizer = SANITIZERS.iter().any(|start| name.starts_with(start));
    let names_file = |part: &[u8]| {
        let is_own = of_sanitizer && [&b"mapping"[..], b"read", b"write"].contains(&part);
        (PARTS.contains(&part) && !is_own) || part.ends_with(b"list") || part.ends_with(b"file")
    };
    !text.starts_with(b"@")
        && !WHOLE.contains(&name)
        && !STARTS.iter().any(|start| name.starts_with(start))
        && !name.split(|&byte| byte == b'-').any(names_file)
}

/// Whether a word may make clang find another assembler than the one that it names when it is asked.
pub(super) fn chooses_programs(word: &OsStr) -> bool {
    const STARTS: [&str; 14] = [
        "--gcc-",
        "--prefix=",
        "--sysroot",
        "--target",
        "-B",
        "-EB",
        "-EL",
        "-arch",
        "-gcc-",
        "-isysroot",
        "-m16",
        "-m32",
        "-mx32",
        "-target",
    ];
    STARTS.iter().any(|start| word.as_bytes().starts_with(start.as_bytes()))
}
