//! What the words of a command line say: macros may be defined there, too.
use cachepot_engine::job::Job;
use cachepot_engine::scan::Findings;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::OnceLock;

/// In options by which a preprocessor takes other things for comments and strings.
const OTHER_RULES: [&[u8]; 6] = [b"traditional", b"-fms-", b"-ansi", b"c89", b"c90", b"iso9899:19"];

/// Words that are read when somebody first wants to know what they say: seldom while a client waits.
#[derive(Clone, Debug, Default)]
pub struct Words {
    words: Vec<OsString>,
    /// The files that they include.
    forced: Vec<PathBuf>,
    said: OnceLock<Said>,
}

/// What the words say.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) findings: Findings,
    /// Their texts, in lines.
    pub(super) texts: Vec<u8>,
}

impl Words {
    /// Those of a job.
    pub fn of(job: &Job) -> Self {
        Words::new(job.key_words.clone(), job.search.forced.clone())
    }

    pub(super) fn new(words: Vec<OsString>, forced: Vec<PathBuf>) -> Self {
        Words { words, forced, said: OnceLock::new() }
    }

    pub(super) fn said(&self) -> &Said {
        self.said.get_or_init(|| self.read())
    }

    fn read(&self) -> Said {
        let (mut findings, mut texts) = (Findings::default(), Vec::new());
        let holds = |word: &[u8], text: &[u8]| word.windows(text.len()).any(|part| part == text);
        let mut defines_next = false;
        for word in self.words.iter().map(|word| word.as_bytes()) {
            if OTHER_RULES.iter().any(|name| holds(word, name)) {
                findings.doubt_parens();
            }
            if holds(word, b"traditional") {
                findings.doubt_paths();
            }
            let defines = holds(word, b"-D") || holds(word, b"define");
            let start = texts.len();
            // What stands for a `#define` is scanned as one.
            if defines || defines_next {
                texts.extend_from_slice(b"#define ");
            }
            texts.extend_from_slice(word);
            findings.merge(Findings::of(texts.get(start..).unwrap_or_default()));
            texts.push(b'\n');
            defines_next = defines;
        }
        findings.includes.extend(self.forced.iter().map(|name| name.as_os_str().as_bytes().to_vec()));
        Said { findings, texts }
    }
}
