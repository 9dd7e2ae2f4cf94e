//! The programs of a compiler of which each compiles one language: they are large, and a build needs one or two of them.
use super::stamps::{Stamped, stand};
use crate::compiler_parts::is_elf;
use crate::settled::Settled;
use cachepot_engine::digest::{Digest, KeyBuilder};
use cachepot_engine::job::Language;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
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
    /// None where the language is not installed.
    file: Option<Stamped>,
    identity: OnceCell<Digest>,
}

impl FrontEnds {
    /// Takes them out of the parts of a compiler that it finds by itself: these, and the others. None where it ran
    /// something else for a `.c` file, `c` being the language that it takes one for, where one is a script, which may run
    /// another, or where two bear one name.
    pub(super) fn among<'a>(
        parts: &[Stamped],
        c: Language,
        mut ran: impl Iterator<Item = &'a Path>,
    ) -> (Self, Vec<Stamped>) {
        let is_named = |path: &Path, name: &str| path.file_name() == Some(OsStr::new(name));
        let is_own = |(path, _): &&Stamped| PROGRAMS.iter().any(|program| is_named(path, program));
        let is_usual = |ran: &Path| program(c).is_some_and(|name| is_named(ran, name));
        let is_part = |ran: &Path| parts.iter().any(|(path, _)| path == ran);
        let can_be_told = ran.any(|ran| is_usual(ran) && is_part(ran));
        let is_program = |(path, _): &Stamped| is_elf(path);
        let n_named = |name| parts.iter().filter(|(path, _)| is_named(path, name)).count();
        let are_plain = parts.iter().filter(is_own).all(is_program);
        if !can_be_told || !are_plain || PROGRAMS.iter().any(|name| n_named(name) > 1) {
            return (FrontEnds::default(), parts.to_vec());
        }
        let own = PROGRAMS.map(|program| {
            let file = parts.iter().find(|(path, _)| is_named(path, program)).cloned();
            FrontEnd { program, file, identity: OnceCell::new() }
        });
        let others = parts.iter().filter(|part| !is_own(part)).cloned().collect();
        (FrontEnds(own.into()), others)
    }

    /// Where those that are not there would be, beside the others.
    pub(super) fn absent(&self) -> impl Iterator<Item = PathBuf> {
        let folder = self.0.iter().find_map(|own| own.file.as_ref()?.0.parent());
        let absent = self.0.iter().filter(|own| own.file.is_none());
        absent.filter_map(move |own| Some(folder?.join(own.program)))
    }

    /// The identity of the compiler for a language, `rest` being that of its other parts; `None` where its program
    /// is not there, cannot be read, or is another one by now.
    pub(super) async fn identity(
        &self,
        rest: Digest,
        language: Language,
        settled: &Arc<Settled>,
    ) -> Option<Digest> {
        let Some(own) = self.0.iter().find(|own| program(language) == Some(own.program)) else {
            return Some(rest);
        };
        let file = own.file.as_ref()?;
        let read = || async {
            let (path, reader) = (file.0.clone(), Arc::clone(settled));
            let digest = tokio::task::spawn_blocking(move || reader.digest(&path)).await.ok().flatten();
            let digest = digest.filter(|_| stand(std::slice::from_ref(file))).ok_or(())?;
            settled.save_behind();
            let mut key = KeyBuilder::new("cachepot compiler for a language 1");
            Ok::<_, ()>(key.field("rest", &rest.0).field("front end", &digest.0).finish())
        };
        own.identity.get_or_try_init(read).await.ok().copied()
    }
}

fn program(language: Language) -> Option<&'static str> {
    match language {
        // Only what is preprocessed needs it.
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
    use std::fs;

    #[test]
    fn they_are_apart_only_where_the_compiler_runs_what_is_usual() {
        let folder = tempfile::tempdir().unwrap();
        let parts = ["gcc", "cc1", "cc1plus", "as"].map(|name| (folder.path().join(name), None));
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        ["cc1", "cc1plus"].into_iter().for_each(|name| write(name, "\x7fELF"));
        let n_others = |ran: &str, c| {
            let ran = folder.path().join(ran);
            let (own, others) = FrontEnds::among(&parts, c, [ran.as_path()].into_iter());
            assert_eq!(own.0.is_empty(), others.len() == parts.len());
            others.len()
        };
        assert_eq!([n_others("cc1", Language::C), n_others("cc1plus", Language::Cxx)], [2, 2]);
        // Who knows what it runs for other languages.
        for (ran, c) in [
            ("cc1plus", Language::C),
            ("cc1obj", Language::C),
            ("other/cc1", Language::C),
            ("as", Language::C),
        ] {
            assert_eq!(n_others(ran, c), 4, "{ran} for {c:?}");
        }
        write("cc1plus", "#!/bin/sh\n");
        assert_eq!(n_others("cc1", Language::C), 4);
        let twice = [parts[1].clone(), (folder.path().join("lib/cc1"), None)];
        let own = FrontEnds::among(&twice, Language::C, [twice[1].0.as_path()].into_iter()).0;
        assert!(own.0.is_empty(), "one of them may be the driver");
    }
}
