//! Starting programs. That a program runs is said by itself, from within (`libraries.rs`); here it is said that one will,
//! so that one that says nothing is missed.
use crate::format::{EXEC, EXEC_FAILED, SPAWN};
use crate::log;
use crate::pass::{pass, pass_by};
use crate::record::{error_number, opaque, program, set_no_such_function};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::{null, null_mut};

type Path = *const c_char;
type List = *const *const c_char;

unsafe extern "C" {
    static environ: List;
}

/// The folders that are searched for a name without a slash; null for one with.
///
/// # Safety
/// `name` is null or a string.
unsafe fn search_path(name: Path) -> Path {
    const VARIABLE: &[u8] = b"PATH=";
    // SAFETY: the C library's own list of strings, or null.
    unsafe {
        if name.is_null() || CStr::from_ptr(name).to_bytes().contains(&b'/') {
            return null();
        }
        let mut variable = environ;
        while !variable.is_null() && !(*variable).is_null() {
            if CStr::from_ptr(*variable).to_bytes().starts_with(VARIABLE) {
                return (*variable).add(VARIABLE.len());
            }
            variable = variable.add(1);
        }
    }
    // As the C library says if nobody says otherwise.
    c"/bin:/usr/bin".as_ptr()
}

/// # Safety
/// As [`program`].
unsafe fn failed(name: Path) {
    // SAFETY: as the caller says.
    unsafe { program(EXEC_FAILED, error_number(), 0, name, null()) };
}

/// # Safety
/// As [`program`]; `child` is null or holds a process id if `result` is 0.
unsafe fn spawned(child: *const c_int, name: Path, search: Path, result: c_int) {
    if result == 0 {
        // SAFETY: as the caller says. Who did not ask for the id gets one that says it is not known.
        unsafe { program(SPAWN, 0, if child.is_null() { 0 } else { *child as u32 }, name, search) };
    }
}

/// # Safety
/// `name` is null or a string.
unsafe fn will_run(name: Path) {
    // SAFETY: as the caller says.
    unsafe { program(EXEC, 0, 0, name, null()) };
}

/// # Safety
/// `name` is null or a string.
unsafe fn will_run_found(name: Path) {
    // SAFETY: as the caller says.
    unsafe { program(EXEC, 0, 0, name, search_path(name)) };
}

/// The shell that the C library starts by itself.
fn shell_runs() {
    if log::is_on() {
        // SAFETY: strings.
        unsafe { program(SPAWN, 0, 0, c"/bin/sh".as_ptr(), null()) };
    }
}

/// Looks for the functions that a forked child may call before it becomes a program. In the child it may be too late:
/// the search takes a lock of the loader, and the thread that holds it may not be there any more.
pub fn prepare() {
    next::execve.address(b"execve\0");
    next::execv.address(b"execv\0");
    next::execvp.address(b"execvp\0");
    next::execvpe.address(b"execvpe\0");
}

unsafe extern "C" fn not_there() -> c_int {
    set_no_such_function()
}

pass! {
    fn execve(name: Path, args: List, variables: List) -> c_int, else set_no_such_function(),
        before _said = will_run(name) => |_r| failed(name);
    fn execv(name: Path, args: List) -> c_int, else set_no_such_function(),
        before _said = will_run(name) => |_r| failed(name);
    fn execvp(name: Path, args: List) -> c_int, else set_no_such_function(),
        before _said = will_run_found(name) => |_r| failed(name);
    fn execvpe(name: Path, args: List, variables: List) -> c_int, else set_no_such_function(),
        before _said = will_run_found(name) => |_r| failed(name);
    fn fexecve(fd: c_int, args: List, variables: List) -> c_int, else set_no_such_function(),
        before _said = opaque(b"fexecve");
    fn execveat(folder: c_int, name: Path, args: List, variables: List, flags: c_int) -> c_int,
        else set_no_such_function(), before _said = opaque(b"execveat");
    fn posix_spawn(child: *mut c_int, name: Path, actions: *const c_void, attributes: *const c_void, args: List,
        variables: List) -> c_int, else not_supported() => |r| spawned(child, name, null(), r);
    fn posix_spawnp(child: *mut c_int, name: Path, actions: *const c_void, attributes: *const c_void, args: List,
        variables: List) -> c_int, else not_supported(), before search = search_path(name)
        => |r| spawned(child, name, search, r);
    fn system(command: Path) -> c_int, else set_no_such_function(),
        before _said = if !command.is_null() { shell_runs() };
    fn popen(command: Path, mode: Path) -> *mut c_void, else null_mut(), before _said = shell_runs();
}

pass_by! {
    fn execl, note will_run, else not_there;
    fn execle, note will_run, else not_there;
    fn execlp, note will_run_found, else not_there;
}

/// `posix_spawn` returns its error.
const fn not_supported() -> c_int {
    38
}
