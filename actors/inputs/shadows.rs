//! Where the loader would have found libraries first: it tells nobody of a search in vain.
use super::observed::Watched;
use super::paths::{Place, below};
use super::surroundings::value_of;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// In each folder libraries for newer processors come first (ld.so(8)).
const NEWER: &[u8] = b"glibc-hwcaps";
const NEWER_FIRST: [&[u8]; 3] = [b"x86-64-v4", b"x86-64-v3", b"x86-64-v2"];

impl Watched {
    /// All such places by `LD_LIBRARY_PATH`, in which an element may be named from the working directory or be that. Where the
    /// folder for newer processors is absent, so is what would be in it.
    pub(super) fn shadows(&self, place: &Place) -> Vec<Vec<u8>> {
        let folders = value_of(&self.env, b"LD_LIBRARY_PATH").unwrap_or_default();
        if folders.is_empty() {
            return Vec::new();
        }
        let here = place.name().as_os_str().as_bytes();
        let folders = folders.split(|byte| b":;".contains(byte)).map(|folder| {
            let folder = if folder.starts_with(b"/") { folder.to_vec() } else { below(here, folder) };
            let end = folder.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
            folder.get(..end).unwrap_or_default().to_vec()
        });
        let mut shadows = Vec::new();
        for library in self.seen.libraries.iter().filter(|path| **path != self.observer) {
            let name = library.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
            let searched = folders.clone().flat_map(|folder| {
                let newer = below(&folder, NEWER);
                let is_there = Path::new(OsStr::from_bytes(&newer)).exists();
                let in_it = NEWER_FIRST.map(|form| below(&below(&newer, form), name));
                let in_it = in_it.into_iter().filter(|_| is_there).collect::<Vec<_>>();
                [newer].into_iter().chain(in_it).chain([below(&folder, name)])
            });
            shadows.extend(searched.take_while(|path| path != library));
        }
        shadows
    }
}
