//! What ties results of gcc and clang to their folders besides names that are found in their outputs: what the units may
//! make of names, names that compilers spell otherwise, outputs in which nothing can be found.
use super::NotNeutral;
use crate::inputs::Compiled;
use crate::subject::Subject;
use cachepot_engine::bases::{Base, MARK};
use cachepot_engine::compiler::gnu::{Asks, names_origin};
use cachepot_engine::digest::Digest;
use cachepot_engine::job::{Job, Role, Search};
use cachepot_engine::manifest::Record;
use cachepot_storage::local::{EntryMeta, Ingested};
use memchr::memmem;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Folders of headers that come with the system, the last as clang names that of libstdc++. They name no checkout.
const SYSTEM: [&[u8]; 3] = [b"/usr/include/", b"/usr/lib/", b"/usr/bin/../lib/"];

/// For each base, whether the result is good for it alone.
///
/// # Errors
/// An output that cannot be read.
pub(super) fn in_c(
    subject: &Subject,
    compiled: &Compiled,
    record: &Record,
    meta: &EntryMeta,
    outputs: &[(Role, bool, Ingested)],
) -> Result<Vec<bool>, NotNeutral> {
    let bases: Vec<&Base> = subject.job.bases.iter().collect();
    let symbols: Vec<Vec<u8>> = bases.iter().map(|base| symbol(&base.folder)).collect();
    let symbols: Vec<&[u8]> = symbols.iter().map(Vec::as_slice).collect();
    let mut named = vec![false; bases.len()];
    let mut is_bound = false;
    for (_, _, copy) in outputs.iter().filter(|(role, ..)| *role == Role::Main) {
        is_bound |= !is_open(&copy.read()?);
        named.iter_mut().zip(copy.holds(&symbols)?).for_each(|(named, held)| *named |= held);
    }
    named
        .iter_mut()
        .zip(&bases)
        .for_each(|(named, base)| *named |= is_made_up(base, subject, compiled, meta));
    let family = subject.driver.family;
    let mut asks = Asks::default();
    subject.job.key_words.iter().for_each(|word| asks.merge(Asks::of(word.as_bytes(), family)));
    let is_mapped = |path: &[u8]| {
        let mut folders = subject.job.mapped_folders.iter().map(|folder| folder.as_os_str().as_bytes());
        folders.any(|folder| path.starts_with(folder))
    };
    let spelled = spelled_folders(&subject.job);
    let (mut any_in_base, mut is_unmapped) = (false, false);
    // Those behind the ones that were read are equal to them, or may be quoted in messages, which are searched.
    for (path, input) in compiled.inputs.iter().zip(&record.inputs) {
        let bytes = path.as_os_str().as_bytes();
        let is_in_base = subject.job.bases.holding(bytes).is_some();
        any_in_base |= is_in_base;
        is_unmapped |= is_in_base && !is_mapped(bytes);
        // A name that a text makes up from pieces leads there from all checkouts.
        is_bound |= is_in_base && !spelled.iter().any(|folder| path.starts_with(folder));
        if !is_in_base && SYSTEM.iter().any(|folder| bytes.starts_with(folder)) {
            continue;
        }
        let text = std::fs::read(subject.place.name().join(path)).ok();
        let Some(text) = text.filter(|text| Digest::of(text) == input.digest) else {
            // The build has changed it since; nobody can tell what it said.
            is_bound = true;
            continue;
        };
        for (named, base) in named.iter_mut().zip(&bases) {
            *named |= memmem::find(&text, &base.folder).is_some();
        }
        is_bound |= names_origin(&text);
        asks.merge(Asks::of(&text, family));
    }
    is_bound |= (asks.by_macro && is_unmapped) || (asks.by_compiler && any_in_base);
    Ok(named.into_iter().map(|named| named || is_bound).collect())
}

/// Whether a message names a base otherwise than in the name of a file that was read or of a folder of the call: then the
/// name stands in a text, in pieces.
fn is_made_up(base: &Base, subject: &Subject, compiled: &Compiled, meta: &EntryMeta) -> bool {
    let Search { folders, forced, .. } = &subject.job.search;
    let names = compiled.inputs.iter().chain(folders).chain(forced);
    let names: Vec<_> = names.map(|name| subject.job.bases.neutral(name.as_os_str().as_bytes())).collect();
    let mark = [MARK, base.letter];
    let is_name = |text: &[u8]| names.iter().any(|name| text.starts_with(name.as_ref()));
    [&meta.stdout, &meta.stderr].into_iter().any(|text| {
        let mut places = memmem::find_iter(text, &mark).filter_map(|at| text.get(at..));
        !places.all(is_name)
    })
}

/// Absolute folders below which the words of a call lead to files.
fn spelled_folders(job: &Job) -> Vec<&Path> {
    let files = job.search.forced.iter().chain([&job.source]).filter_map(|file| file.parent());
    let folders = job.search.folders.iter().map(PathBuf::as_path).chain(files);
    folders.filter(|folder| folder.is_absolute()).collect()
}

/// A name as gcc puts it into the name of a symbol.
fn symbol(folder: &[u8]) -> Vec<u8> {
    folder
        .iter()
        .map(|&byte| if byte.is_ascii_alphanumeric() || byte == b'.' { byte } else { b'_' })
        .collect()
}

/// Whether texts can be found in an object: an ELF file of 64 bits and little-endian numbers without compressed sections
/// (those for LTO are without a flag that says so).
fn is_open(file: &[u8]) -> bool {
    const SHF_COMPRESSED: u64 = 0x800;
    let number = |at: usize, length: usize| {
        let bytes = file.get(at..at.checked_add(length)?)?;
        Some(bytes.iter().rev().fold(0u64, |number, &byte| number << 8 | u64::from(byte)))
    };
    let place = |at, length| usize::try_from(number(at, length)?).ok();
    let open = || {
        let (start, size, count) = (place(0x28, 8)?, place(0x3a, 2)?, place(0x3c, 2)?);
        let flags = |index: usize| number(start.checked_add(index.checked_mul(size)?)?.checked_add(8)?, 8);
        // A count of none says that there are more than the field can tell.
        (count > 0 && (0..count).all(|index| flags(index).is_some_and(|flags| flags & SHF_COMPRESSED == 0)))
            .then_some(())
    };
    file.starts_with(b"\x7fELF\x02\x01")
        && [&b".zdebug"[..], b".gnu.lto_"].iter().all(|name| memmem::find(file, name).is_none())
        && open().is_some()
}
