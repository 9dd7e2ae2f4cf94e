//! The programs of a compiler of which each compiles one language: they are large, and a build needs one or two of them.
use super::stamps::{Stamped, stand};
use crate::settled::Settled;
use cachepot_engine::digest::{Digest, KeyBuilder};
use cachepot_engine::job::Language;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// What gcc runs for one language (GCC Internals, "Front End").
const PROGRAMS: [&str; 4] = ["cc1", "cc1plus", "cc1obj", "cc1objplus"];

/// Those of one compiler, read when their language is first met.
#[derive(Debug, Default)]
pub struct FrontEnds(Vec<FrontEnd>);

#[derive(Debug)]
struct FrontEnd {
    program: &'static str,
    /// One, or none where the language is not installed.
    files: Vec<Stamped>,
    identity: OnceCell<Digest>,
}

impl FrontEnds {
    /// Takes them out of the parts of a compiler that it finds by itself: these, and the others. None where it runs
    /// something else for a `.c` file, `c` being the language that it takes one for.
    pub(super) fn among<'a>(
        parts: &[Stamped],
        c: Language,
        mut ran: impl Iterator<Item = &'a Path>,
    ) -> (Self, Vec<Stamped>) {
        let is_named = |path: &Path, name| path.file_name() == Some(OsStr::new(name));
        let is_own = |path: &Path| PROGRAMS.iter().any(|program| is_named(path, *program));
        let is_usual = |ran: &Path| program(c).is_some_and(|name| is_named(ran, name));
        if !ran.any(|ran| is_usual(ran) && parts.iter().any(|(path, _)| path == ran)) {
            return (FrontEnds::default(), parts.to_vec());
        }
        let own = PROGRAMS.map(|program| {
            let files = parts.iter().filter(|(path, _)| is_named(path, program)).cloned().collect();
            FrontEnd { program, files, identity: OnceCell::new() }
        });
        let others = parts.iter().filter(|(path, _)| !is_own(path)).cloned().collect();
        (FrontEnds(own.into()), others)
    }

    /// The identity of the compiler for a language, `rest` being that of its other parts; `None` where its program
    /// cannot be read, or is another one by now.
    pub(super) async fn identity(
        &self,
        rest: Digest,
        language: Language,
        settled: &Arc<Settled>,
    ) -> Option<Digest> {
        let Some(found) = self.0.iter().find(|one| program(language) == Some(one.program)) else {
            return Some(rest);
        };
        let read = || async {
            let (files, reader) = (found.files.clone(), Arc::clone(settled));
            let digests = tokio::task::spawn_blocking(move || {
                let digests: Option<Vec<_>> = files.iter().map(|(path, _)| reader.digest(path)).collect();
                digests.filter(|_| stand(&files))
            });
            let digests = digests.await.ok().flatten().ok_or(())?;
            let writer = Arc::clone(settled);
            // Nobody waits for it.
            drop(tokio::task::spawn_blocking(move || writer.save()));
            let mut key = KeyBuilder::new("cachepot compiler for a language 1");
            key.field("rest", &rest.0).list("front end", digests.iter().map(|digest| &digest.0[..]));
            Ok::<_, ()>(key.finish())
        };
        found.identity.get_or_try_init(read).await.ok().copied()
    }
}

fn program(language: Language) -> Option<&'static str> {
    match language {
        // Assembler that is preprocessed.
        Language::C | Language::Assembler => Some("cc1"),
        Language::Cxx => Some("cc1plus"),
        Language::ObjC => Some("cc1obj"),
        Language::ObjCxx => Some("cc1objplus"),
        Language::Rust | Language::BuildScript => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn they_are_apart_only_where_the_compiler_runs_what_is_usual() {
        let parts =
            ["/bin/gcc", "/lib/cc1", "/lib/cc1plus", "/bin/as"].map(|path| (PathBuf::from(path), None));
        let rows = [
            (Some("/lib/cc1"), Language::C, 2),
            (Some("/lib/cc1plus"), Language::Cxx, 2),
            // It may run others for other languages, too.
            (Some("/lib/cc1plus"), Language::C, 4),
            (Some("/lib/cc1obj"), Language::C, 4),
            (Some("/other/cc1"), Language::C, 4),
            (Some("/bin/as"), Language::C, 4),
            (None, Language::C, 4),
        ];
        for (ran, c, others) in rows {
            let (own, rest) = FrontEnds::among(&parts, c, ran.into_iter().map(Path::new));
            assert_eq!(rest.len(), others, "{ran:?} for {c:?}");
            assert_eq!(own.0.is_empty(), others == parts.len(), "{ran:?} for {c:?}");
        }
    }
}
