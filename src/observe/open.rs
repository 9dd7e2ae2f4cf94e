//! Opening files and folders.
use crate::format::{FOLDER, LIST, LOOK, OPEN, READ, UPDATE, WRITE};
use crate::kernel::{AT_FDCWD, exists};
use crate::pass::pass;
use crate::record::{error_number, error_of, path, path_here, set_no_such_function};
use core::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use core::ptr::null_mut;

const O_ACCMODE: c_int = 3;
const O_CREAT: c_int = 0o100;
const O_EXCL: c_int = 0o200;
const O_TRUNC: c_int = 0o1000;
const O_PATH: c_int = 0o10_000_000;
/// Alone, or in `O_TMPFILE`, which makes a file without a name in the folder.
#[cfg(target_arch = "x86_64")]
const O_DIRECTORY: c_int = 0o200_000;
#[cfg(target_arch = "aarch64")]
const O_DIRECTORY: c_int = 0o40_000;

/// Whether an earlier content would stay. Only where the flags leave that open is it looked at.
///
/// # Safety
/// None: the kernel checks the address.
pub unsafe fn would_stay(folder: c_int, name: *const c_char, flags: c_int) -> bool {
    let is_open_question = flags & O_ACCMODE != 0 && flags & (O_TRUNC | O_EXCL) == 0;
    // SAFETY: as above.
    is_open_question && (flags & O_CREAT == 0 || unsafe { exists(folder, name) })
}

/// # Safety
/// As [`path`].
pub unsafe fn opened((folder, name): (c_int, *const c_char), flags: c_int, stays: bool, result: c_int) {
    let (op, detail) = match flags & O_ACCMODE {
        _ if flags & O_DIRECTORY != 0 => (LOOK, FOLDER),
        _ if flags & O_PATH != 0 => (LOOK, crate::format::UNKNOWN),
        0 => (OPEN, READ),
        _ if stays => (OPEN, UPDATE),
        _ => (OPEN, WRITE),
    };
    // SAFETY: as the caller says.
    unsafe { path(op, detail, error_of(result), (folder, name)) };
}

/// What the mode of `fopen` means.
///
/// # Safety
/// `mode` is a string.
unsafe fn of_mode(mode: *const c_char, name: *const c_char) -> u8 {
    // SAFETY: as the caller says; the kernel checks the other.
    unsafe {
        let mode = CStr::from_ptr(mode).to_bytes();
        match mode.first() {
            Some(b'w') => WRITE,
            Some(b'a') if !exists(AT_FDCWD, name) => WRITE,
            Some(b'a') => UPDATE,
            _ if mode.contains(&b'+') => UPDATE,
            _ => READ,
        }
    }
}

/// # Safety
/// As [`path`].
unsafe fn stream_opened(name: *const c_char, detail: u8, stream: *mut c_void) {
    let error = if stream.is_null() { error_number() } else { 0 };
    // SAFETY: as the caller says.
    unsafe { path_here(OPEN, detail, error, name) };
}

/// # Safety
/// As [`path`].
unsafe fn listed(folder: c_int, name: *const c_char, stream: *mut c_void) {
    let error = if stream.is_null() { error_number() } else { 0 };
    // SAFETY: as the caller says.
    unsafe { path(LIST, 0, error, (folder, name)) };
}

type Path = *const c_char;

// `mode` is there or not, as the flags say; passing on what is in its place harms nothing.
pass! {
    fn open(name: Path, flags: c_int, mode: c_uint) -> c_int, else set_no_such_function(),
        before stays = would_stay(AT_FDCWD, name, flags) => |result| opened((AT_FDCWD, name), flags, stays, result);
    fn open64(name: Path, flags: c_int, mode: c_uint) -> c_int, else set_no_such_function(),
        before stays = would_stay(AT_FDCWD, name, flags) => |result| opened((AT_FDCWD, name), flags, stays, result);
    fn __open(name: Path, flags: c_int, mode: c_uint) -> c_int, else set_no_such_function(),
        before stays = would_stay(AT_FDCWD, name, flags) => |result| opened((AT_FDCWD, name), flags, stays, result);
    fn __open64(name: Path, flags: c_int, mode: c_uint) -> c_int, else set_no_such_function(),
        before stays = would_stay(AT_FDCWD, name, flags) => |result| opened((AT_FDCWD, name), flags, stays, result);
    fn __open_2(name: Path, flags: c_int) -> c_int, else set_no_such_function(),
        before stays = would_stay(AT_FDCWD, name, flags) => |result| opened((AT_FDCWD, name), flags, stays, result);
    fn __open64_2(name: Path, flags: c_int) -> c_int, else set_no_such_function(),
        before stays = would_stay(AT_FDCWD, name, flags) => |result| opened((AT_FDCWD, name), flags, stays, result);
    fn openat(folder: c_int, name: Path, flags: c_int, mode: c_uint) -> c_int, else set_no_such_function(),
        before stays = would_stay(folder, name, flags) => |result| opened((folder, name), flags, stays, result);
    fn openat64(folder: c_int, name: Path, flags: c_int, mode: c_uint) -> c_int, else set_no_such_function(),
        before stays = would_stay(folder, name, flags) => |result| opened((folder, name), flags, stays, result);
    fn __openat_2(folder: c_int, name: Path, flags: c_int) -> c_int, else set_no_such_function(),
        before stays = would_stay(folder, name, flags) => |result| opened((folder, name), flags, stays, result);
    fn __openat64_2(folder: c_int, name: Path, flags: c_int) -> c_int, else set_no_such_function(),
        before stays = would_stay(folder, name, flags) => |result| opened((folder, name), flags, stays, result);
    fn creat(name: Path, mode: c_uint) -> c_int, else set_no_such_function()
        => |result| path_here(OPEN, WRITE, error_of(result), name);
    fn creat64(name: Path, mode: c_uint) -> c_int, else set_no_such_function()
        => |result| path_here(OPEN, WRITE, error_of(result), name);
    fn truncate(name: Path, length: c_long) -> c_int, else set_no_such_function()
        => |result| path_here(OPEN, UPDATE, error_of(result), name);
    fn truncate64(name: Path, length: c_long) -> c_int, else set_no_such_function()
        => |result| path_here(OPEN, UPDATE, error_of(result), name);
    fn fopen(name: Path, mode: Path) -> *mut c_void, else null_mut(),
        before detail = of_mode(mode, name) => |result| stream_opened(name, detail, result);
    fn fopen64(name: Path, mode: Path) -> *mut c_void, else null_mut(),
        before detail = of_mode(mode, name) => |result| stream_opened(name, detail, result);
    fn freopen(name: Path, mode: Path, stream: *mut c_void) -> *mut c_void, else null_mut(),
        before detail = of_mode(mode, name) => |result| stream_opened(name, detail, result);
    fn freopen64(name: Path, mode: Path, stream: *mut c_void) -> *mut c_void, else null_mut(),
        before detail = of_mode(mode, name) => |result| stream_opened(name, detail, result);
    fn opendir(name: Path) -> *mut c_void, else null_mut() => |result| listed(AT_FDCWD, name, result);
    fn fdopendir(folder: c_int) -> *mut c_void, else null_mut() => |result| listed(folder, c".".as_ptr(), result);
}
