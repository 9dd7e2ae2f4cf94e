//! The folders in which a compiler searches by itself, as it tells them.
use crate::detect::{CompilerQuery, Known};
use crate::jobserver_actor::Slots;
use cachepot_engine::digest::Digest;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// Folders, existing or not, by path.
pub type Folders = Arc<Vec<Vec<u8>>>;

/// Everything that the built-in folders depend on.
pub fn key(
    query: &CompilerQuery,
    known: &Known,
    (identity, language): (Digest, &str),
    (words, probed): (&[OsString], Option<Digest>),
) -> Digest {
    let mut key = query.builder("cachepot built-in folders 2");
    key.field("identity", &identity.0).field("language", language.as_bytes());
    // A script may do anything; another compiler needs a word or a variable that names a folder.
    if known.folders.is_none() || query.names_folders() || !words.iter().all(is_plain) {
        key.field("cwd", query.cwd.as_os_str().as_bytes());
    }
    if let Some(probed) = probed {
        key.field("probed", &probed.0);
    }
    key.list("words", words.iter().map(|word| word.as_bytes())).finish()
}

/// Whether a word names no folder.
fn is_plain(word: &OsString) -> bool {
    [&b"-m"[..], b"-nostd", b"-pthread", b"-ansi"].iter().any(|start| word.as_bytes().starts_with(start))
}

/// What the compiler told already when it was asked who it is, if that is the answer.
pub fn told(query: &CompilerQuery, known: &Known, language: &str, words: &[OsString]) -> Option<Folders> {
    let is_told = words.is_empty() && language == known.language_of_c() && !query.names_folders();
    known.folders.as_ref().filter(|_| is_told).cloned()
}

/// The folders in which the compiler searches by itself, existing or not, as `-E -v` tells them: none at all under
/// `-nostdinc`. `None` where it does not tell.
pub async fn ask(
    query: &CompilerQuery,
    language: &str,
    words: &[OsString],
    slots: &Slots,
) -> Option<Vec<Vec<u8>>> {
    let _slot = slots.take().await;
    let fixed = ["-E", "-v", "-x", language, "/dev/null", "-o", "/dev/null"].map(OsString::from);
    let question = query.question().with(words.iter().chain(&fixed)).variable("LC_ALL", "C");
    read(&question.ask().await.ok()?.stderr)
}

/// Reads them from what a compiler tells with `-v`; `None` where the list is not whole.
pub fn read(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut folders = Vec::new();
    let (mut listing, mut whole) = (false, false);
    for line in text.split(|&byte| byte == b'\n') {
        if line.starts_with(b"#include ") {
            listing = true;
        } else if line.starts_with(b"End of search list") {
            (listing, whole) = (false, true);
        } else if listing && line.starts_with(b" ") {
            folders.push(line.trim_ascii().to_vec());
        } else if line.starts_with(b"ignoring ") {
            // ignoring nonexistent directory "/usr/local/include/x86_64-linux-gnu"
            folders.extend(line.split(|&byte| byte == b'"').nth(1).map(<[u8]>::to_vec));
        }
    }
    whole.then_some(folders)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cachepot_engine::job::{Driver, Family};
    use cachepot_wire::EnvBlock;
    use std::ffi::OsStr;

    /// Asks in two working directories whether the answer counts for both.
    fn is_one_answer(variable: &str, word: &str, is_script: bool) -> bool {
        let query = |cwd: &str| CompilerQuery {
            program: "/usr/bin/gcc".into(),
            name: "gcc".into(),
            env: EnvBlock::from_pairs([(OsStr::new(variable), OsStr::new("sub"))]),
            cwd: cwd.into(),
            named: Vec::new(),
            here: None,
        };
        let driver = Driver { family: Family::Gcc, major: 12, plus_plus: false };
        let folders = if is_script { None } else { Some(Folders::default()) };
        let (rest, front_ends, version, covered) = (Digest([0; 32]), Arc::default(), None, Arc::default());
        let known = Known { rest, front_ends, driver, folders, version, covered };
        let key = |cwd| key(&query(cwd), &known, (known.rest, "c"), (&[word.into()], None));
        key("/one") == key("/other")
    }

    #[test]
    fn one_answer_counts_for_all_folders_where_nothing_names_one() {
        assert!(is_one_answer("PATH", "-m32", false));
        assert!(!is_one_answer("CPATH", "-m32", false));
        assert!(!is_one_answer("PATH", "--sysroot=sub", false));
        assert!(!is_one_answer("PATH", "-m32", true));
    }

    #[test]
    fn folders_are_read_existing_or_not() {
        let text = b"ignoring nonexistent directory \"/gone\"\n#include \"...\" search starts here:\n#include <...> search starts here:\n /usr/include/c++/12\n /usr/include\nEnd of search list.\n # 0\n";
        let expected = [&b"/gone"[..], b"/usr/include/c++/12", b"/usr/include"].map(<[u8]>::to_vec);
        assert_eq!(read(text), Some(expected.to_vec()));
        // Under `-nostdinc`, and where the compiler failed.
        let none = b"#include \"...\" search starts here:\n#include <...> search starts here:\nEnd of search list.\n";
        assert_eq!(read(none), Some(Vec::new()));
        assert_eq!(read(b"gcc: error\n"), None);
    }
}
