//! The start of a program, and the libraries that the loader maps into it: the loader opens them by itself, past us.
use crate::format::{LOAD, LOOK, START, UNKNOWN};
use crate::kernel::{self, AT_FDCWD, Piece};
use crate::log::{self, Head, Often};
use crate::pass::pass_by;
use crate::record::{opaque, path};
use crate::resolve::{LoadedObject, PT_NOTE, Slot, dl_iterate_phdr, headers, is_ours};
use crate::start;
use core::ffi::{CStr, c_char, c_int, c_ulong, c_void};
use core::ptr::null;
use core::sync::atomic::{AtomicBool, Ordering};

/// The path of the program as `execve` got it: `getauxval(3)`.
const AT_EXECFN: c_ulong = 31;

unsafe extern "C" {
    fn getauxval(kind: c_ulong) -> c_ulong;
}

type Start = unsafe extern "C" fn(c_int, *const *const c_char, *const *const c_char);

#[used]
#[unsafe(link_section = ".init_array")]
static STARTS: Start = starts;
#[used]
#[unsafe(link_section = ".fini_array")]
static ENDS: extern "C" fn() = look_again;

/// Called by the loader. glibc's gives the environment along, and may do so before `environ` is set; others have set it,
/// and give nothing.
unsafe extern "C" fn starts(_n_args: c_int, _args: *const *const c_char, variables: *const *const c_char) {
    static IS_GLIBC: Slot = Slot::new();
    if !log::is_on() && IS_GLIBC.address(b"gnu_get_libc_version\0").is_some() {
        // SAFETY: the loader's own list.
        unsafe { log::begin(variables) };
    }
    if !log::is_on() {
        return;
    }
    // SAFETY: the kernel's string, which stays.
    let given = unsafe { getauxval(AT_EXECFN) as *const c_char };
    // SAFETY: as above.
    let given = if given.is_null() { &[] } else { unsafe { CStr::from_ptr(given) }.to_bytes() };
    let (mut program, mut folder) = ([0; 1024], [0; 1024]);
    let n_program = kernel::read_link(b"/proc/self/exe\0", &mut program).unwrap_or(0);
    let n_folder = kernel::working_directory(&mut folder).unwrap_or(0);
    let head = Head { op: START, detail: 0, error: 0, number: kernel::parent_id() };
    let zero = Piece::of(&[0]);
    let (program, folder) = (&program[..n_program], &folder[..n_folder]);
    log::write(Often::Always, head, &[Piece::of(given), zero, Piece::of(program), zero, Piece::of(folder)]);
    write_libraries();
    start::prepare();
}

/// A library was asked for since they were last looked at.
static IS_STALE: AtomicBool = AtomicBool::new(false);

/// Writes down libraries that have come since.
pub extern "C" fn look_again() {
    if IS_STALE.load(Ordering::Relaxed) && log::is_on() {
        IS_STALE.store(false, Ordering::Relaxed);
        write_libraries();
    }
}

fn write_libraries() {
    // SAFETY: `visit` is made for it and needs no data.
    unsafe { dl_iterate_phdr(visit, null::<c_void>().cast_mut()) };
}

unsafe extern "C" fn visit(object: *const LoadedObject, _size: usize, _data: *mut c_void) -> c_int {
    // SAFETY: the loader's own, for as long as this call.
    let object = unsafe { &*object };
    // SAFETY: as above; a name is a string.
    let is_file = !object.name.is_null() && unsafe { CStr::from_ptr(object.name) }.to_bytes().contains(&b'/');
    if is_file && !is_ours(object) {
        // SAFETY: as above.
        unsafe { path(LOAD, 0, 0, (AT_FDCWD, object.name)) };
    }
    if is_go(object) {
        opaque(b"a program in Go");
    }
    0
}

/// Programs in Go make their system calls themselves.
fn is_go(object: &LoadedObject) -> bool {
    // Length of the name, some length, kind, name: the note with the build's id.
    const NAME: [u8; 4] = *b"Go\0\0";
    headers(object).iter().filter(|header| header.kind == PT_NOTE && header.size_in_file >= 16).any(
        |header| {
            // SAFETY: notes are part of what is mapped.
            let start = unsafe { *(object.base.wrapping_add(header.address) as *const [[u8; 4]; 4]) };
            start[0] == [4, 0, 0, 0] && start[3] == NAME
        },
    )
}

/// # Safety
/// `name` is null or a string.
unsafe fn will_load(name: *const c_char) {
    const ENOENT: c_int = 2;
    // SAFETY: as the caller says.
    unsafe {
        if !name.is_null() && CStr::from_ptr(name).to_bytes().contains(&b'/') {
            if kernel::exists(AT_FDCWD, name) {
                path(LOAD, 0, 0, (AT_FDCWD, name));
            } else {
                path(LOOK, UNKNOWN, ENOENT, (AT_FDCWD, name));
            }
        }
    }
    // Names without a slash are searched for; what comes along is not named at all.
    IS_STALE.store(true, Ordering::Relaxed);
}

/// # Safety
/// None is needed.
unsafe fn elsewhere(_name: *const c_char) {
    opaque(b"dlmopen");
}

extern "C" fn not_there() -> *const c_void {
    null()
}

// Whoever looks for a library does so by the search path of its caller, which must stay the caller.
pass_by! {
    fn dlopen, note will_load, else not_there;
    fn dlmopen, note elsewhere, else not_there;
}
