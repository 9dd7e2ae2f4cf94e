//! Whether what an observer saw besides the content of files is as it was.
use super::Memory;
use super::files::{is_file, is_folder, is_link, link_stat, stat};
use super::folders::Listing;
use super::paths::Place;
use super::variables::{is_met, leads_there};
use cachepot_engine::digest::Digest;
use cachepot_engine::manifest::SEARCHED;
use cachepot_engine::manifest::surroundings::{Kind, Surroundings, listing_digest};
use cachepot_wire::EnvBlock;
use nix::fcntl::{OFlag, openat, readlink, readlinkat};
use nix::sys::stat::{FileStat, Mode};
use std::ffi::CStr;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::Arc;

type Path = Arc<CStr>;

/// Surroundings in the form that is checked.
#[derive(Debug)]
pub(super) struct KnownSurroundings {
    absent: Vec<Path>,
    kinds: Vec<(Path, Kind)>,
    links: Vec<(Path, Vec<u8>)>,
    resolved: Vec<(Path, Vec<u8>)>,
    listings: Vec<(Path, Digest)>,
    variables: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Names, and where `PATH` leads for them.
    searched: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl KnownSurroundings {
    /// `None` where a path cannot be one.
    pub(super) fn new(seen: Surroundings, memory: &Memory) -> Option<Self> {
        let intern = |path: &[u8]| memory.paths.intern(path);
        let pairs = |pairs: Vec<(Vec<u8>, Vec<u8>)>| {
            pairs.into_iter().map(|(path, text)| Some((intern(&path)?, text))).collect::<Option<Vec<_>>>()
        };
        let is_searched = |(name, _): &(Vec<u8>, Option<Vec<u8>>)| name.starts_with(&SEARCHED);
        let (mut searched, variables): (Vec<_>, Vec<_>) = seen.variables.into_iter().partition(is_searched);
        for (name, _) in &mut searched {
            name.drain(..SEARCHED.len());
        }
        let (kinds, listings) = (seen.kinds.iter(), seen.listings.iter());
        Some(KnownSurroundings {
            absent: seen.absent.iter().map(|path| intern(path)).collect::<Option<_>>()?,
            kinds: kinds.map(|(path, kind)| Some((intern(path)?, *kind))).collect::<Option<_>>()?,
            links: pairs(seen.links)?,
            resolved: pairs(seen.resolved)?,
            listings: listings.map(|(path, digest)| Some((intern(path)?, *digest))).collect::<Option<_>>()?,
            variables,
            searched,
        })
    }

    /// What it weighs in memory.
    pub(super) fn weight(&self) -> usize {
        let n_paths = self.absent.len() + self.kinds.len() + self.listings.len();
        let texts = self.links.iter().chain(&self.resolved).map(|(_, text)| text.len() + 64);
        let values = self.variables.iter().chain(&self.searched);
        let values = values.map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len) + 2 * 40);
        n_paths * 48 + texts.chain(values).sum::<usize>()
    }

    /// Whether all is as it was.
    pub(super) fn stand(&self, memory: &Memory, place: &Place, env: &EnvBlock) -> bool {
        let other = self.other(memory, place, env);
        if let Some((what, name)) = other {
            tracing::trace!(what, name = %name.escape_ascii(), "not as it was");
        }
        other.is_none()
    }

    /// What is not as it was. What tells most records apart, and costs least, comes first.
    fn other(&self, memory: &Memory, place: &Place, env: &EnvBlock) -> Option<(&'static str, &[u8])> {
        let variable = self.variables.iter().find(|(name, value)| !is_met(env, name, value.as_deref()));
        let searched = || {
            let leads = |file: &Option<Vec<u8>>, name: &[u8]| {
                leads_there(&memory.paths, place, env, name, file.as_deref())
            };
            self.searched.iter().find(|(name, file)| !leads(file, name))
        };
        let absent = || self.absent.iter().find(|path| link_stat(place, path).is_ok());
        let kind = || self.kinds.iter().find(|(path, kind)| !is_of_kind(place, path, *kind));
        let link = || self.links.iter().find(|(path, text)| !leads_to(place, path, text));
        let real = || self.resolved.iter().find(|(path, text)| real_path(place, path).as_ref() != Some(text));
        let listing =
            || self.listings.iter().find(|(path, digest)| list(memory, place, path) != Some(*digest));
        variable
            .map(|(name, _)| ("variable", name.as_slice()))
            .or_else(|| searched().map(|(name, _)| ("program", name.as_slice())))
            .or_else(|| absent().map(|path| ("present", path.to_bytes())))
            .or_else(|| kind().map(|(path, _)| ("kind", path.to_bytes())))
            .or_else(|| link().map(|(path, _)| ("link", path.to_bytes())))
            .or_else(|| real().map(|(path, _)| ("way", path.to_bytes())))
            .or_else(|| listing().map(|(path, _)| ("listing", path.to_bytes())))
    }
}

/// The value of a variable of any name.
pub(super) fn value_of<'a>(env: &'a EnvBlock, name: &[u8]) -> Option<&'a [u8]> {
    env.iter().find(|(other, _)| other.as_bytes() == name).map(|(_, value)| value.as_bytes())
}

fn is_of_kind(place: &Place, path: &CStr, kind: Kind) -> bool {
    let seen = match kind {
        Kind::Link | Kind::NoLink => link_stat(place, path),
        _ => stat(place, path),
    };
    seen.is_ok_and(|seen| match kind {
        Kind::Something => true,
        Kind::File => is_file(&seen),
        Kind::Folder => is_folder(&seen),
        Kind::Link => is_link(&seen),
        Kind::Other => !is_file(&seen) && !is_folder(&seen),
        Kind::NoLink => !is_link(&seen),
        Kind::Executable | Kind::NotExecutable => is_file(&seen) && may_run(&seen) == kind,
    })
}

/// Whether somebody may run a file.
pub(super) fn may_run(file: &FileStat) -> Kind {
    if file.st_mode & 0o111 != 0 { Kind::Executable } else { Kind::NotExecutable }
}

fn leads_to(place: &Place, path: &CStr, text: &[u8]) -> bool {
    readlinkat(place.folder(), path).is_ok_and(|now| now.as_bytes() == text)
}

/// A path without links: the kernel knows the name of what is open.
pub(super) fn real_path(place: &Place, path: &CStr) -> Option<Vec<u8>> {
    let open = openat(place.folder(), path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).ok()?;
    let name = readlink(format!("/proc/self/fd/{}", open.as_raw_fd()).as_str()).ok()?;
    Some(name.into_vec())
}

/// The digest of a folder's entries; `None` where it cannot be listed.
fn list(memory: &Memory, place: &Place, path: &CStr) -> Option<Digest> {
    let listing = memory.folders.list(place, path, &stat(place, path).ok()?)?;
    Some(digest_of(&listing))
}

/// Stands for the entries of a folder.
pub(super) fn digest_of(listing: &Listing) -> Digest {
    listing_digest(listing.entries().map(|entry| (entry.name, entry.kind as u8)))
}
