//! Reading environment variables by name. Who walks through the list itself is not seen.
use crate::format::ENV;
use crate::kernel::Piece;
use crate::log::{self, Head, Often};
use crate::pass::pass;
use core::ffi::{CStr, c_char};
use core::ptr::null_mut;

/// # Safety
/// `name` is a string.
unsafe fn asked(name: *const c_char) {
    if log::is_on() {
        // SAFETY: as the caller says.
        let name = unsafe { CStr::from_ptr(name) }.to_bytes();
        log::write(Often::Once, Head { op: ENV, detail: 0, error: 0, number: 0 }, &[Piece::of(name)]);
    }
}

pass! {
    fn getenv(name: *const c_char) -> *mut c_char, else null_mut() => |_r| asked(name);
    fn secure_getenv(name: *const c_char) -> *mut c_char, else null_mut() => |_r| asked(name);
    fn __secure_getenv(name: *const c_char) -> *mut c_char, else null_mut() => |_r| asked(name);
}
