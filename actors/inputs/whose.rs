//! Whose a file is that an observed compile used: the compiler's, the system's or the user's.
use super::Memory;
use super::observed::Watched;
use super::paths::Place;
use super::surroundings::{real_path, value_of};

/// Where files are that no checkout brings along.
const SYSTEM_FOLDERS: [&str; 6] =
    ["/etc/", "/lib", "/usr/include/", "/usr/lib", "/usr/local/lib", "/usr/share/"];

impl Watched {
    /// Whether the compiler's identity covers it, or we brought it along.
    pub(super) fn is_ours(&self, path: &[u8]) -> bool {
        self.covered.contains(path) || path == self.observer
    }

    /// The same for the file that a path leads to: also by a way back up, or through a link to the whole toolchain, as
    /// rustup has them, by which the loader finds libraries.
    pub(super) fn leads_to_ours(&self, memory: &Memory, place: &Place, path: &[u8]) -> bool {
        let real = || real_path(place, &memory.paths.intern(path)?);
        let is_elsewhere = || self.seen.libraries.contains(path) && !is_of_system(path);
        self.is_ours(path)
            || ((leads_back(path) || is_elsewhere()) && real().is_some_and(|real| self.is_ours(&real)))
    }

    /// Whether a path is a part of the system or a program, wherever the checkout is: also one that the user has
    /// installed (`~/.pyenv`).
    pub(super) fn is_tool(&self, path: &[u8]) -> bool {
        is_of_system(path)
            || self.in_home(path).is_some()
            || self.seen.programs.contains(path)
            || self.seen.libraries.contains(path)
    }

    /// Whether it is of the system, or was installed by the user; sources of crates and of the package are neither, and
    /// what else is in the hidden folder in which they are counts as such. A path with a step back may lead to any of them.
    pub(super) fn is_installed(&self, path: &[u8]) -> bool {
        let of_sources = |folder| {
            let named = ["CARGO_HOME", "CARGO_MANIFEST_DIR"].into_iter();
            let named = named.filter_map(|name| value_of(&self.env, name.as_bytes()));
            named
                .filter_map(|value| self.hidden_folder(value))
                .chain([b".cargo".as_slice()])
                .any(|one| one == folder)
        };
        !leads_back(path)
            && (is_of_system(path) || self.hidden_folder(path).is_some_and(|folder| !of_sources(folder)))
    }

    /// The hidden folder in the user's home in which a path is.
    fn hidden_folder<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        self.in_home(path)?.split(|&byte| byte == b'/').nth(1)
    }

    /// The rest of a path below something hidden in the user's home.
    fn in_home<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        let home = value_of(&self.env, b"HOME").filter(|home| !home.is_empty())?;
        path.strip_prefix(home).filter(|rest| rest.starts_with(b"/.") && !rest.starts_with(b"/../"))
    }
}

fn leads_back(path: &[u8]) -> bool {
    path.windows(4).any(|part| part == b"/../")
}

fn is_of_system(path: &[u8]) -> bool {
    SYSTEM_FOLDERS.iter().any(|folder| path.starts_with(folder.as_bytes()))
}
