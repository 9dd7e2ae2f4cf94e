//! Whether a script or a source of C may put the time into what is made of it. Its interpreter or compiler asks for the time
//! whatever it says ([`super::harmless::clock`]), so the text has to tell. Programs that a script starts are seen by themselves.

/// In which language a script is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Perl,
    Python,
    Shell,
}
use Language::{Perl, Python, Shell};

/// Ends of names, and what stands behind `#!`, by which a script is known.
const LANGUAGES: [(Language, &[&str], &str); 3] =
    [(Perl, &[".pl", ".pm"], "perl"), (Python, &[".py"], "python"), (Shell, &[".sh", ".bash"], "sh")];

/// How sources for compilers of C ask for the time.
const OF_C: [&str; 3] = ["__DATE__", "__TIME__", "__TIMESTAMP__"];

/// Words by which Python gets at the time.
const OF_PYTHON: [&str; 12] = [
    "asctime",
    "ctime",
    "date",
    "datetime",
    "formatdate",
    "gmtime",
    "localtime",
    "strftime",
    "time",
    "time_ns",
    "today",
    "utcnow",
];

/// Whether a file is a script that may.
pub fn may_be(path: &[u8], text: &[u8]) -> bool {
    // A program is none, and compilers know these words.
    if text.starts_with(b"\x7fELF") {
        return false;
    }
    if OF_C.iter().any(|name| memchr::memmem::find(text, name.as_bytes()).is_some()) {
        return true;
    }
    let language = language(path, text);
    let mut lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let has = |line: &[u8], wanted: &[&str]| {
        words(line).any(|word| wanted.iter().any(|one| one.as_bytes() == word))
    };
    match language {
        None => false,
        Some(Perl) => lines.any(|line| {
            !line.starts_with(b"#") && has(line, &["gmtime", "localtime", "strftime", "time", "times"])
        }),
        Some(Python) => lines.any(|line| !line.starts_with(b"#") && has(line, &OF_PYTHON)),
        Some(Shell) => lines.any(|line| {
            has(line, &["EPOCHREALTIME", "EPOCHSECONDS", "SECONDS"])
                || memchr::memmem::find(line, b"%(").is_some()
        }),
    }
}

fn language(path: &[u8], text: &[u8]) -> Option<Language> {
    let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let says =
        |name: &str| first.starts_with(b"#!") && memchr::memmem::find(first, name.as_bytes()).is_some();
    let is_it = |ends: &[&str], name| ends.iter().any(|end| path.ends_with(end.as_bytes())) || says(name);
    LANGUAGES.iter().find(|(_, ends, name)| is_it(ends, name)).map(|(language, ..)| *language)
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
}
