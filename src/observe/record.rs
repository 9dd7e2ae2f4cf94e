//! Records as the functions of the other modules make them.
use crate::kernel::{self, AT_FDCWD, Piece};
use crate::log::{self, Head, Often};
use crate::place::{MAX_FOLDER_BYTES, Place};
use crate::{format, libraries};
use core::ffi::{CStr, c_char, c_int};

const EFAULT: c_int = 14;
const SEPARATOR: &[u8] = &[0];

unsafe extern "C" {
    fn __errno_location() -> *mut c_int;
}

/// The error number of the last call.
pub fn error_number() -> c_int {
    // SAFETY: of the C library, always valid.
    unsafe { *__errno_location() }
}

/// Says that there is no such function.
pub fn set_no_such_function() -> c_int {
    const ENOSYS: c_int = 38;
    // SAFETY: of the C library, always valid.
    unsafe { *__errno_location() = ENOSYS };
    -1
}

/// 0 for a call that went well, else its error number.
pub fn error_of(result: c_int) -> c_int {
    if result < 0 { error_number() } else { 0 }
}

fn often(op: u8) -> Often {
    match op {
        format::LOAD | format::OPEN | format::LOOK | format::RESOLVE | format::ENV => Often::Once,
        _ => Often::Always,
    }
}

/// What was done with one path.
///
/// # Safety
/// `path` is a string, unless the call failed or it is null.
pub unsafe fn path(op: u8, detail: u8, error: c_int, (folder, path): (c_int, *const c_char)) {
    if path.is_null() || error == EFAULT || !log::is_on() {
        return;
    }
    libraries::look_again();
    // An empty path means the descriptor itself, or nothing.
    // SAFETY: as the caller says.
    if unsafe { *path } == 0 {
        return;
    }
    // SAFETY: as the caller says.
    let Some(place) = (unsafe { Place::new(folder, path) }) else {
        return opaque(b"a relative path");
    };
    let is_written = op == format::OPEN && detail != format::READ;
    let often = if is_written { Often::Always } else { often(op) };
    log::write(often, Head { op, detail, error, number: 0 }, &place.pieces());
}

/// What was done with two paths.
///
/// # Safety
/// As [`path`].
pub unsafe fn paths(op: u8, detail: u8, first: (c_int, *const c_char), second: (c_int, *const c_char)) {
    if !log::is_on() {
        return;
    }
    // SAFETY: as the caller says.
    let (first, second) = unsafe { (Place::new(first.0, first.1), Place::new(second.0, second.1)) };
    let (Some(first), Some(second)) = (first, second) else { return opaque(b"a relative path") };
    let ([a, b], [c, d]) = (first.pieces(), second.pieces());
    log::write(often(op), Head { op, detail, error: 0, number: 0 }, &[a, b, Piece::of(SEPARATOR), c, d]);
}

/// What came of following links.
///
/// # Safety
/// As [`path`], of a call that went well.
pub unsafe fn resolved(detail: u8, (folder, path): (c_int, *const c_char), result: &[u8]) {
    if !log::is_on() {
        return;
    }
    // SAFETY: as the caller says.
    if unsafe { *path } == 0 {
        return opaque(b"a link by its descriptor");
    }
    // SAFETY: as the caller says.
    let Some(place) = (unsafe { Place::new(folder, path) }) else { return opaque(b"a relative path") };
    let [a, b] = place.pieces();
    log::write(
        Often::Once,
        Head { op: format::RESOLVE, detail, error: 0, number: 0 },
        &[a, b, Piece::of(SEPARATOR), Piece::of(result)],
    );
}

/// A program is to run, is running, or did not start.
///
/// # Safety
/// `program` is null or a string, `search` is null or a string.
pub unsafe fn program(op: u8, error: c_int, child: u32, program: *const c_char, search: *const c_char) {
    if program.is_null() || error == EFAULT || !log::is_on() {
        return;
    }
    let text = |text: *const c_char| {
        // SAFETY: as the caller says.
        if text.is_null() { Piece::of(&[]) } else { Piece::of(unsafe { CStr::from_ptr(text) }.to_bytes()) }
    };
    let mut folder = [0; MAX_FOLDER_BYTES];
    // Who has started says by itself where.
    let length = if op == format::EXEC_FAILED { kernel::working_directory(&mut folder) } else { None };
    let separator = Piece::of(SEPARATOR);
    let folder = Piece::of(&folder[..length.unwrap_or_default()]);
    log::write(
        Often::Always,
        Head { op, detail: 0, error, number: child },
        &[text(program), separator, text(search), separator, folder],
    );
}

/// Something happened that does not show in full.
pub fn opaque(what: &[u8]) {
    log::write(Often::Once, Head { op: format::OPAQUE, detail: 0, error: 0, number: 0 }, &[Piece::of(what)]);
}

/// As [`path`], from the working directory.
///
/// # Safety
/// As [`path`].
pub unsafe fn path_here(op: u8, detail: u8, error: c_int, name: *const c_char) {
    // SAFETY: as the caller says.
    unsafe { path(op, detail, error, (AT_FDCWD, name)) }
}
