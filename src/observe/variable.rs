//! Reading environment variables by name. Who walks through the list itself is not seen. Those by which the observer
//! came in are as they would be without it.
use crate::format::ENV;
use crate::kernel::Piece;
use crate::log::{self, Head, Often};
use crate::pass::pass;
use crate::resolve::own_name;
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

/// The value without what is ours in it.
///
/// # Safety
/// `name` is a string, and `value` is null or one.
unsafe fn of_user(name: *const c_char, value: *mut c_char) -> *mut c_char {
    if value.is_null() || !log::is_on() {
        return value;
    }
    // SAFETY: as the caller says; where a part is left out, the rest is a string.
    unsafe {
        match CStr::from_ptr(name).to_bytes() {
            b"CACHEPOT_OBSERVE" | b"CACHEPOT_DEPTH" => null_mut(),
            b"LD_PRELOAD" => {
                let own = own_name();
                match CStr::from_ptr(value).to_bytes_with_nul().strip_prefix(own).and_then(<[u8]>::first) {
                    Some(0) => null_mut(),
                    Some(b':') => value.add(own.len() + 1),
                    _ => value,
                }
            }
            _ => value,
        }
    }
}

pass! {
    fn getenv(name: *const c_char) -> *mut c_char, else null_mut() => |r| asked(name), gives of_user(name, r);
    fn secure_getenv(name: *const c_char) -> *mut c_char, else null_mut()
        => |r| asked(name), gives of_user(name, r);
    fn __secure_getenv(name: *const c_char) -> *mut c_char, else null_mut()
        => |r| asked(name), gives of_user(name, r);
}
