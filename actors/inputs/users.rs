//! Under `-MMD` run as `-MD`: which of the files that a compile read are system headers.
//!
//! Both compilers go by where a header was found, and by who included it: whatever a system header takes in is one as
//! well. So the answer is sure where the folders of the two kinds are apart, where no system header names a file of
//! the user's, and where no text declares itself a system header. Everything else is left to the compiler.
//!
//! Source: libcpp, `_cpp_stack_file` and `_cpp_find_file`; clang, `Preprocessor::HandleHeaderIncludeOrImport` and
//! `DependencyCollector::sawDependency`.
use super::files::is_link;
use super::paths::{Place, normal, parent, strip};
use super::texts::Seen;
use cachepot_engine::job::Family;
use cachepot_engine::scan::Findings;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::ffi::CString;
use std::sync::Arc;

/// What decides beside the files themselves.
#[derive(Clone, Debug)]
pub struct Sides {
    /// The compiler.
    pub family: Family,
    /// Its built-in folders, as it names them: those of system headers.
    pub built_in: Arc<Vec<Vec<u8>>>,
    /// The folders given by `-I` and `-iquote`, as spelled.
    pub given: Vec<Vec<u8>>,
}

/// For each file, the source first, whether it is a system header; `None` where that is not sure. `words` is what the
/// command line says.
pub(super) fn system_headers(
    place: &Place,
    sides: &Sides,
    words: &Findings,
    read: &[Seen<'_>],
) -> Option<Vec<bool>> {
    // A folder that is not there is told as well; it holds nothing.
    let present = sides.built_in.iter().filter_map(|folder| Some((folder, canonical(place, folder)?)));
    let (named, canonical): (Vec<Vec<u8>>, BTreeSet<Vec<u8>>) =
        present.map(|(folder, canonical)| (normal(folder).into_owned(), canonical)).unzip();
    // gcc names a system header by its path without links where that is shorter.
    let built_in: Vec<Vec<u8>> = named.into_iter().chain(canonical.iter().cloned()).collect();
    let paths: Vec<Cow<'_, [u8]>> = read.iter().map(|seen| normal(seen.path)).collect();
    let in_system = |path: &[u8]| built_in.iter().any(|folder| strip(path, folder).is_some());
    let is_system: Vec<bool> = paths.iter().map(|path| in_system(path)).collect();
    let all = || paths.iter().zip(&is_system).zip(read);
    let users = || all().filter(|((_, is_system), _)| !**is_system).map(|((path, _), seen)| (path, seen));
    let system = || all().filter(|((_, is_system), _)| **is_system).map(|(_, seen)| seen);

    let absolute = built_in.iter().all(|folder| folder.starts_with(b"/"));
    let texts = || read.iter().map(|seen| &seen.known.findings).chain([words]);
    // What a system header includes is one, too, be it one of the user's. What the user's include is told by its folder.
    let spelled =
        !texts().any(|found| found.unread) && !system().any(|seen| seen.known.findings.computed_include);
    let turned = words.may_turn_system || users().any(|(_, seen)| seen.known.findings.may_turn_system);
    // `#include "/usr/include/stdio.h"` is no system header, though it lies among them.
    let mut names = texts().flat_map(|found| &found.includes);
    let may_compute = texts().any(|found| found.computed_include)
        && may_spell(&built_in, texts().flat_map(|found| &found.paths));
    let by_path = may_compute || names.any(|name| name.starts_with(b"/") && in_system(&normal(name)));
    let sure = absolute
        && is_system.first() == Some(&false)
        && spelled
        && !turned
        && !by_path
        && users().all(|(path, seen)| is_plain(seen) && is_explained(sides, path, &paths))
        && are_apart(place, sides, &canonical, users().map(|(path, _)| path.as_ref()))
        && !reaches_users(system(), users().map(|(path, _)| path.as_ref()));
    sure.then_some(is_system)
}

/// Whether one of these paths may be put together to one in one of the folders.
fn may_spell<'a>(folders: &[Vec<u8>], mut paths: impl Iterator<Item = &'a Vec<u8>>) -> bool {
    let conflict =
        |path: &[u8]| folders.iter().any(|folder| folder.starts_with(path) || path.starts_with(folder));
    paths.any(|path| conflict(&normal(path)))
}

/// No second name, through which it could be found elsewhere: compilers remember of a file, and not of its name,
/// where that was.
fn is_plain(seen: &Seen<'_>) -> bool {
    !is_link(&seen.link) && seen.link.st_nlink == 1
}

/// By a link in a built-in folder, the path of a system header without links may lie outside of them all (gcc); and
/// clang lists files of its own (ignore lists of sanitizers). Such paths are absolute.
fn is_explained(sides: &Sides, path: &[u8], all: &[Cow<'_, [u8]>]) -> bool {
    if !path.starts_with(b"/") {
        return true;
    }
    let is_source = all.first().is_some_and(|source| **source == *path);
    let by_folder = || sides.given.iter().any(|folder| strip(path, &normal(folder)).is_some());
    let beside_source = || all.first().is_some_and(|source| strip(path, parent(source)).is_some());
    is_source || (sides.family == Family::Clang && (by_folder() || beside_source()))
}

/// No folder of one kind lies in a folder of the other.
fn are_apart<'a>(
    place: &Place,
    sides: &'a Sides,
    system: &BTreeSet<Vec<u8>>,
    users: impl Iterator<Item = &'a [u8]>,
) -> bool {
    let users: BTreeSet<&[u8]> = users.map(parent).chain(sides.given.iter().map(Vec::as_slice)).collect();
    let users: Vec<Vec<u8>> = users.into_iter().filter_map(|folder| canonical(place, folder)).collect();
    let within = |one: &Vec<u8>, other: &Vec<u8>| one == other || strip(one, other).is_some();
    !users.iter().any(|user| system.iter().any(|system| within(user, system) || within(system, user)))
}

/// The path of a folder without links.
fn canonical(place: &Place, folder: &[u8]) -> Option<Vec<u8>> {
    place.canonical(&CString::new(folder).ok()?)
}

/// Whether a system header names what may be one of the user's files, which would be a system header then.
fn reaches_users<'a>(
    mut system: impl Iterator<Item = &'a Seen<'a>>,
    users: impl Iterator<Item = &'a [u8]>,
) -> bool {
    let mut by_name: HashMap<&[u8], Vec<&[u8]>> = HashMap::new();
    users.for_each(|path| by_name.entry(last(path)).or_default().push(path));
    system.any(|seen| {
        seen.known.findings.includes.iter().any(|name| {
            let paths = by_name.get(last(name)).map(Vec::as_slice).unwrap_or_default();
            !paths.is_empty() && may_be_one(&normal(name), paths)
        })
    })
}

/// Whether a name, searched in some folder, may lead to one of these paths.
fn may_be_one(name: &[u8], paths: &[&[u8]]) -> bool {
    let is_tail = |path: &&[u8]| {
        path.strip_suffix(name).is_some_and(|folder| folder.is_empty() || folder.ends_with(b"/"))
    };
    name.starts_with(b"/")
        || name.split(|&byte| byte == b'/').any(|part| part == b"..")
        || paths.iter().any(is_tail)
}

fn last(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}
