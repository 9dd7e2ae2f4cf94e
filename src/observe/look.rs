//! Asking what is at a path.
use crate::format::{FILE, FOLDER, ITSELF, LINK, LOOK, OTHER, READ_LINK, REAL_PATH, UNKNOWN};
use crate::kernel::AT_FDCWD;
use crate::pass::pass;
use crate::record::{error_number, error_of, path, path_here, resolved, set_no_such_function};
use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use core::ptr::null_mut;

/// Where `st_mode` stands.
#[cfg(target_arch = "x86_64")]
const STAT_MODE: usize = 24;
#[cfg(target_arch = "aarch64")]
const STAT_MODE: usize = 16;
/// Where `stx_mode` stands.
const STATX_MODE: usize = 28;

/// # Safety
/// The structure is filled in if the call went well.
unsafe fn kind(error: c_int, structure: *const c_void, mode: usize) -> u8 {
    if error != 0 {
        return UNKNOWN;
    }
    // SAFETY: as the caller says.
    let mode = unsafe { structure.byte_add(mode).cast::<u16>().read_unaligned() };
    match mode >> 12 {
        0o10 => FILE,
        0o4 => FOLDER,
        0o12 => LINK,
        _ => OTHER,
    }
}

/// # Safety
/// As [`path`] and [`kind`].
unsafe fn seen(place: (c_int, *const c_char), structure: *const c_void, result: c_int) {
    // SAFETY: as the caller says.
    unsafe { path(LOOK, kind(error_of(result), structure, STAT_MODE), error_of(result), place) };
}

/// # Safety
/// As [`seen`].
unsafe fn seen_itself(place: (c_int, *const c_char), structure: *const c_void, result: c_int) {
    // SAFETY: as the caller says.
    unsafe { path(LOOK, ITSELF | kind(error_of(result), structure, STAT_MODE), error_of(result), place) };
}

/// # Safety
/// As [`seen`].
unsafe fn seen_by_flags(
    place: (c_int, *const c_char),
    structure: *const c_void,
    flags: c_int,
    result: c_int,
) {
    // SAFETY: as the caller says.
    unsafe {
        match itself(flags) {
            0 => seen(place, structure, result),
            _ => seen_itself(place, structure, result),
        }
    }
}

/// What `AT_SYMLINK_NOFOLLOW` means.
fn itself(flags: c_int) -> u8 {
    if flags & 0x100 == 0 { 0 } else { ITSELF }
}

/// # Safety
/// As [`path`]. The buffer holds what was read, if anything was.
unsafe fn link_read(place: (c_int, *const c_char), buffer: *const c_char, length: isize) {
    if length < 0 {
        // SAFETY: as the caller says.
        return unsafe { path(LOOK, ITSELF | UNKNOWN, error_number(), place) };
    }
    // SAFETY: as the caller says.
    unsafe { resolved(READ_LINK, place, core::slice::from_raw_parts(buffer.cast(), length as usize)) };
}

/// # Safety
/// As [`path`]. `result` is null or a string.
unsafe fn path_resolved(name: *const c_char, result: *const c_char) {
    // SAFETY: as the caller says.
    unsafe {
        if result.is_null() {
            path_here(LOOK, UNKNOWN, error_number(), name);
        } else {
            resolved(REAL_PATH, (AT_FDCWD, name), CStr::from_ptr(result).to_bytes());
        }
    }
}

type Path = *const c_char;
type Out = *mut c_void;

pass! {
    fn stat(name: Path, out: Out) -> c_int, else set_no_such_function() => |r| seen((AT_FDCWD, name), out, r);
    fn stat64(name: Path, out: Out) -> c_int, else set_no_such_function() => |r| seen((AT_FDCWD, name), out, r);
    fn lstat(name: Path, out: Out) -> c_int, else set_no_such_function() => |r| seen_itself((AT_FDCWD, name), out, r);
    fn lstat64(name: Path, out: Out) -> c_int, else set_no_such_function()
        => |r| seen_itself((AT_FDCWD, name), out, r);
    fn fstatat(folder: c_int, name: Path, out: Out, flags: c_int) -> c_int, else set_no_such_function()
        => |r| seen_by_flags((folder, name), out, flags, r);
    fn fstatat64(folder: c_int, name: Path, out: Out, flags: c_int) -> c_int, else set_no_such_function()
        => |r| seen_by_flags((folder, name), out, flags, r);
    fn __xstat(form: c_int, name: Path, out: Out) -> c_int, else set_no_such_function()
        => |r| seen((AT_FDCWD, name), out, r);
    fn __xstat64(form: c_int, name: Path, out: Out) -> c_int, else set_no_such_function()
        => |r| seen((AT_FDCWD, name), out, r);
    fn __lxstat(form: c_int, name: Path, out: Out) -> c_int, else set_no_such_function()
        => |r| seen_itself((AT_FDCWD, name), out, r);
    fn __lxstat64(form: c_int, name: Path, out: Out) -> c_int, else set_no_such_function()
        => |r| seen_itself((AT_FDCWD, name), out, r);
    fn __fxstatat(form: c_int, folder: c_int, name: Path, out: Out, flags: c_int) -> c_int,
        else set_no_such_function() => |r| seen_by_flags((folder, name), out, flags, r);
    fn __fxstatat64(form: c_int, folder: c_int, name: Path, out: Out, flags: c_int) -> c_int,
        else set_no_such_function() => |r| seen_by_flags((folder, name), out, flags, r);
    fn statx(folder: c_int, name: Path, flags: c_int, mask: c_uint, out: Out) -> c_int,
        else set_no_such_function()
        => |r| path(LOOK, itself(flags) | kind(error_of(r), out, STATX_MODE), error_of(r), (folder, name));
    fn statfs(name: Path, out: Out) -> c_int, else set_no_such_function()
        => |r| path_here(LOOK, UNKNOWN, error_of(r), name);
    fn statfs64(name: Path, out: Out) -> c_int, else set_no_such_function()
        => |r| path_here(LOOK, UNKNOWN, error_of(r), name);
    fn statvfs(name: Path, out: Out) -> c_int, else set_no_such_function()
        => |r| path_here(LOOK, UNKNOWN, error_of(r), name);
    fn statvfs64(name: Path, out: Out) -> c_int, else set_no_such_function()
        => |r| path_here(LOOK, UNKNOWN, error_of(r), name);
    fn access(name: Path, mode: c_int) -> c_int, else set_no_such_function()
        => |r| path_here(LOOK, UNKNOWN, error_of(r), name);
    fn euidaccess(name: Path, mode: c_int) -> c_int, else set_no_such_function()
        => |r| path_here(LOOK, UNKNOWN, error_of(r), name);
    fn eaccess(name: Path, mode: c_int) -> c_int, else set_no_such_function()
        => |r| path_here(LOOK, UNKNOWN, error_of(r), name);
    fn faccessat(folder: c_int, name: Path, mode: c_int, flags: c_int) -> c_int, else set_no_such_function()
        => |r| path(LOOK, UNKNOWN, error_of(r), (folder, name));
    fn readlink(name: Path, buffer: *mut c_char, size: usize) -> isize, else set_no_such_function() as isize
        => |r| link_read((AT_FDCWD, name), buffer, r);
    fn __readlink_chk(name: Path, buffer: *mut c_char, size: usize, room: usize) -> isize,
        else set_no_such_function() as isize => |r| link_read((AT_FDCWD, name), buffer, r);
    fn readlinkat(folder: c_int, name: Path, buffer: *mut c_char, size: usize) -> isize,
        else set_no_such_function() as isize => |r| link_read((folder, name), buffer, r);
    fn __readlinkat_chk(folder: c_int, name: Path, buffer: *mut c_char, size: usize, room: usize) -> isize,
        else set_no_such_function() as isize => |r| link_read((folder, name), buffer, r);
    fn realpath(name: Path, buffer: *mut c_char) -> *mut c_char, else null_mut() => |r| path_resolved(name, r);
    fn __realpath_chk(name: Path, buffer: *mut c_char, room: usize) -> *mut c_char, else null_mut()
        => |r| path_resolved(name, r);
    fn canonicalize_file_name(name: Path) -> *mut c_char, else null_mut() => |r| path_resolved(name, r);
}
