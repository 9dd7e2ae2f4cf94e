//! Paths as they go into the log: absolute, whatever the working directory or the folder's descriptor.
use crate::kernel::{self, AT_FDCWD, Piece};
use core::ffi::{CStr, c_char, c_int};

/// A longer name of a folder is none.
pub const MAX_FOLDER_BYTES: usize = 1024;

/// A path that a program gave, and what stands before it if it is relative.
pub struct Place {
    folder: [u8; MAX_FOLDER_BYTES],
    n_folder: usize,
    rest: *const c_char,
}

impl Place {
    /// `None` if it cannot be told where it is.
    ///
    /// # Safety
    /// `path` is a string that lives as long as the place.
    pub unsafe fn new(folder: c_int, path: *const c_char) -> Option<Self> {
        let mut place = Place { folder: [0; MAX_FOLDER_BYTES], n_folder: 0, rest: path };
        // SAFETY: a string has a first byte.
        if unsafe { *path } as u8 == b'/' {
            return Some(place);
        }
        let room = &mut place.folder[..MAX_FOLDER_BYTES - 1];
        let length = if folder == AT_FDCWD {
            kernel::working_directory(room)?
        } else {
            let mut name = [0; 32];
            kernel::read_link(descriptor_link(folder, &mut name), room)?
        };
        // A pipe or the like has a name without a slash in front.
        if place.folder[0] != b'/' {
            return None;
        }
        place.folder[length] = b'/';
        place.n_folder = length + 1;
        Some(place)
    }

    /// What stands before, and what was given.
    pub fn pieces(&self) -> [Piece; 2] {
        // SAFETY: see `new`.
        let rest = unsafe { CStr::from_ptr(self.rest) };
        [Piece::of(&self.folder[..self.n_folder]), Piece::of(rest.to_bytes())]
    }
}

/// The link in `/proc` that leads to what a descriptor stands for, ending with a zero.
fn descriptor_link(fd: c_int, buffer: &mut [u8; 32]) -> &[u8] {
    const PREFIX: &[u8] = b"/proc/self/fd/";
    buffer[..PREFIX.len()].copy_from_slice(PREFIX);
    let mut digits = [0; 10];
    let mut n_digits = 0;
    let mut left = fd.unsigned_abs();
    loop {
        digits[n_digits] = b'0' + (left % 10) as u8;
        n_digits += 1;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    for at in 0..n_digits {
        buffer[PREFIX.len() + at] = digits[n_digits - 1 - at];
    }
    buffer
}
