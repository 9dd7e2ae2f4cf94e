//! Making, renaming and removing: only so that what a compile made itself can be told from what it found. And changes of
//! permissions, owners, times and attributes, which are changes of what was there.
use crate::format::{FILE, FOLDER, LINK, LOOK, MAKE, OPEN, OTHER, REMOVE, RENAME, UNKNOWN, UPDATE};
use crate::kernel::AT_FDCWD;
use crate::pass::pass;
use crate::record::{error_of, opaque, path, paths, set_no_such_function};
use core::ffi::{c_char, c_int, c_uint, c_ulong, c_void};
use core::ptr::null_mut;

type Path = *const c_char;
type Place = (c_int, Path);

/// A call that failed has still told what is there.
///
/// # Safety
/// As [`path`].
unsafe fn changed(op: u8, kind: u8, place: Place, result: c_int) {
    // SAFETY: as the caller says.
    unsafe {
        if result < 0 {
            path(LOOK, UNKNOWN, error_of(result), place);
        } else {
            path(op, kind, 0, place);
        }
    }
}

/// # Safety
/// As [`path`].
unsafe fn renamed(old: Place, new: Place, result: c_int) {
    // SAFETY: as the caller says.
    unsafe {
        if result < 0 {
            path(LOOK, UNKNOWN, error_of(result), old);
        } else {
            paths(RENAME, UNKNOWN, old, new);
        }
    }
}

/// # Safety
/// As [`path`].
unsafe fn linked(old: Place, new: Place, result: c_int) {
    // SAFETY: as the caller says.
    unsafe {
        if result < 0 {
            path(LOOK, UNKNOWN, error_of(result), new);
        } else {
            paths(MAKE, FILE, new, old);
        }
    }
}

/// # Safety
/// `name` is a string.
unsafe fn temporary(kind: u8, name: Path, is_made: bool) {
    if is_made {
        // SAFETY: as the caller says.
        unsafe { path(MAKE, kind, 0, (AT_FDCWD, name)) };
    }
}

/// What an open descriptor is, in the form of a path.
fn open(descriptor: c_int) -> Place {
    (descriptor, c".".as_ptr())
}

/// What a call means that takes no path for the descriptor itself.
fn place(folder: c_int, name: Path) -> Place {
    if name.is_null() { open(folder) } else { (folder, name) }
}

type Template = *mut c_char;
type Data = *const c_void;

pass! {
    fn rename(old: Path, new: Path) -> c_int, else set_no_such_function()
        => |r| renamed((AT_FDCWD, old), (AT_FDCWD, new), r);
    fn renameat(from: c_int, old: Path, to: c_int, new: Path) -> c_int, else set_no_such_function()
        => |r| renamed((from, old), (to, new), r);
    fn renameat2(from: c_int, old: Path, to: c_int, new: Path, flags: c_uint) -> c_int,
        else set_no_such_function() => |r| {
            renamed((from, old), (to, new), r);
            // Anything but "not over an existing one" exchanges two files or leaves something behind.
            if flags > 1 {
                opaque(b"renameat2");
            }
        };
    fn link(old: Path, new: Path) -> c_int, else set_no_such_function()
        => |r| linked((AT_FDCWD, old), (AT_FDCWD, new), r);
    fn linkat(from: c_int, old: Path, to: c_int, new: Path, flags: c_int) -> c_int, else set_no_such_function()
        => |r| linked((from, old), (to, new), r);
    fn symlink(old: Path, new: Path) -> c_int, else set_no_such_function()
        => |r| changed(MAKE, LINK, (AT_FDCWD, new), r);
    fn symlinkat(old: Path, to: c_int, new: Path) -> c_int, else set_no_such_function()
        => |r| changed(MAKE, LINK, (to, new), r);
    fn unlink(name: Path) -> c_int, else set_no_such_function()
        => |r| changed(REMOVE, UNKNOWN, (AT_FDCWD, name), r);
    fn unlinkat(folder: c_int, name: Path, flags: c_int) -> c_int, else set_no_such_function()
        => |r| changed(REMOVE, UNKNOWN, (folder, name), r);
    fn remove(name: Path) -> c_int, else set_no_such_function()
        => |r| changed(REMOVE, UNKNOWN, (AT_FDCWD, name), r);
    fn rmdir(name: Path) -> c_int, else set_no_such_function()
        => |r| changed(REMOVE, UNKNOWN, (AT_FDCWD, name), r);
    fn mkdir(name: Path, mode: c_uint) -> c_int, else set_no_such_function()
        => |r| changed(MAKE, FOLDER, (AT_FDCWD, name), r);
    fn mkdirat(folder: c_int, name: Path, mode: c_uint) -> c_int, else set_no_such_function()
        => |r| changed(MAKE, FOLDER, (folder, name), r);
    fn mkfifo(name: Path, mode: c_uint) -> c_int, else set_no_such_function()
        => |r| changed(MAKE, OTHER, (AT_FDCWD, name), r);
    fn mkfifoat(folder: c_int, name: Path, mode: c_uint) -> c_int, else set_no_such_function()
        => |r| changed(MAKE, OTHER, (folder, name), r);
    fn mknod(name: Path, mode: c_uint, device: c_ulong) -> c_int, else set_no_such_function()
        => |r| changed(MAKE, OTHER, (AT_FDCWD, name), r);
    fn mknodat(folder: c_int, name: Path, mode: c_uint, device: c_ulong) -> c_int,
        else set_no_such_function() => |r| changed(MAKE, OTHER, (folder, name), r);
    fn mkstemp(name: Template) -> c_int, else set_no_such_function() => |r| temporary(FILE, name, r >= 0);
    fn mkstemp64(name: Template) -> c_int, else set_no_such_function() => |r| temporary(FILE, name, r >= 0);
    fn mkostemp(name: Template, flags: c_int) -> c_int, else set_no_such_function()
        => |r| temporary(FILE, name, r >= 0);
    fn mkostemp64(name: Template, flags: c_int) -> c_int, else set_no_such_function()
        => |r| temporary(FILE, name, r >= 0);
    fn mkstemps(name: Template, ending: c_int) -> c_int, else set_no_such_function()
        => |r| temporary(FILE, name, r >= 0);
    fn mkstemps64(name: Template, ending: c_int) -> c_int, else set_no_such_function()
        => |r| temporary(FILE, name, r >= 0);
    fn mkostemps(name: Template, ending: c_int, flags: c_int) -> c_int, else set_no_such_function()
        => |r| temporary(FILE, name, r >= 0);
    fn mkostemps64(name: Template, ending: c_int, flags: c_int) -> c_int, else set_no_such_function()
        => |r| temporary(FILE, name, r >= 0);
    fn chmod(name: Path, mode: c_uint) -> c_int, else set_no_such_function()
        => |r| changed(OPEN, UPDATE, (AT_FDCWD, name), r);
    fn fchmod(fd: c_int, mode: c_uint) -> c_int, else set_no_such_function()
        => |r| changed(OPEN, UPDATE, open(fd), r);
    fn fchmodat(folder: c_int, name: Path, mode: c_uint, flags: c_int) -> c_int, else set_no_such_function()
        => |r| changed(OPEN, UPDATE, (folder, name), r);
    fn chown(name: Path, user: c_uint, group: c_uint) -> c_int, else set_no_such_function()
        => |r| changed(OPEN, UPDATE, (AT_FDCWD, name), r);
    fn lchown(name: Path, user: c_uint, group: c_uint) -> c_int, else set_no_such_function()
        => |r| changed(OPEN, UPDATE, (AT_FDCWD, name), r);
    fn fchown(fd: c_int, user: c_uint, group: c_uint) -> c_int, else set_no_such_function()
        => |r| changed(OPEN, UPDATE, open(fd), r);
    fn fchownat(folder: c_int, name: Path, user: c_uint, group: c_uint, flags: c_int) -> c_int,
        else set_no_such_function() => |r| changed(OPEN, UPDATE, (folder, name), r);
    fn utime(name: Path, times: Data) -> c_int, else set_no_such_function()
        => |r| changed(OPEN, UPDATE, (AT_FDCWD, name), r);
    fn utimes(name: Path, times: Data) -> c_int, else set_no_such_function()
        => |r| changed(OPEN, UPDATE, (AT_FDCWD, name), r);
    fn lutimes(name: Path, times: Data) -> c_int, else set_no_such_function()
        => |r| changed(OPEN, UPDATE, (AT_FDCWD, name), r);
    fn futimes(fd: c_int, times: Data) -> c_int, else set_no_such_function()
        => |r| changed(OPEN, UPDATE, open(fd), r);
    fn futimens(fd: c_int, times: Data) -> c_int, else set_no_such_function()
        => |r| changed(OPEN, UPDATE, open(fd), r);
    fn utimensat(folder: c_int, name: Path, times: Data, flags: c_int) -> c_int, else set_no_such_function()
        => |r| changed(OPEN, UPDATE, place(folder, name), r);
    fn setxattr(name: Path, key: Path, value: Data, size: usize, flags: c_int) -> c_int,
        else set_no_such_function() => |r| changed(OPEN, UPDATE, (AT_FDCWD, name), r);
    fn lsetxattr(name: Path, key: Path, value: Data, size: usize, flags: c_int) -> c_int,
        else set_no_such_function() => |r| changed(OPEN, UPDATE, (AT_FDCWD, name), r);
    fn fsetxattr(fd: c_int, key: Path, value: Data, size: usize, flags: c_int) -> c_int,
        else set_no_such_function() => |r| changed(OPEN, UPDATE, open(fd), r);
    fn mkdtemp(name: Template) -> Template, else null_mut() => |r| temporary(FOLDER, name, !r.is_null());
}
