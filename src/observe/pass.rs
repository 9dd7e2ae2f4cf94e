//! How a function of ours stands before one of the C library: it calls that, and makes a record.

/// Makes functions that call the one behind them and then evaluate the expression after `=>`, which gets the result.
/// `before` is evaluated first. The result is passed on, or what stands after `gives` in its place. What stands after `else` is the result where nothing is behind: on an
/// older C library, whose users look whether they have the function.
macro_rules! pass {
    ($(fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $ret:ty, else $missing:expr
       $(, before $before:ident = $first:expr)? $(=> |$result:ident| $record:expr $(, gives $given:expr)?)?;)*) => {
        /// The functions behind ours.
        #[allow(non_upper_case_globals)]
        mod next {
            $(pub static $name: $crate::resolve::Slot = $crate::resolve::Slot::new();)*
        }
        $(
        /// As in the C library.
        ///
        /// # Safety
        /// As there.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $type),*) -> $ret {
            let Some(address) = next::$name.address(concat!(stringify!($name), "\0").as_bytes()) else {
                return $missing;
            };
            // SAFETY: the function of this name has this form, and gets what the caller gave; what is recorded is
            // what it has just read.
            unsafe {
                let next =
                    core::mem::transmute::<usize, unsafe extern "C" fn($($type),*) -> $ret>(address);
                $(let $before = $first;)?
                let result = next($($arg),*);
                $(
                    let $result = result;
                    $record;
                    $(let result = $given;)?
                )?
                result
            }
        }
        )*
    };
}

/// Makes functions that call `$note` with their first argument and then become the one behind them, with all arguments
/// and the caller's return address in place. For those that take any number of arguments or look at who called.
macro_rules! pass_by {
    ($(fn $name:ident, note $note:path, else $missing:path;)*) => {$(
        /// As in the C library.
        ///
        /// # Safety
        /// As there.
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            unsafe extern "C" fn note(first: *const core::ffi::c_char) -> usize {
                static NEXT: $crate::resolve::Slot = $crate::resolve::Slot::new();
                // SAFETY: the caller gave the function a string, or null.
                unsafe { $note(first) };
                NEXT.address(concat!(stringify!($name), "\0").as_bytes())
                    .unwrap_or($missing as *const () as usize)
            }
            #[cfg(target_arch = "x86_64")]
            core::arch::naked_asm!(
                "push rdi", "push rsi", "push rdx", "push rcx", "push r8", "push r9", "push rax",
                "call {note}", "mov r11, rax",
                "pop rax", "pop r9", "pop r8", "pop rcx", "pop rdx", "pop rsi", "pop rdi",
                "jmp r11", note = sym note
            );
            #[cfg(target_arch = "aarch64")]
            core::arch::naked_asm!(
                "stp x29, x30, [sp, #-80]!", "stp x0, x1, [sp, #16]", "stp x2, x3, [sp, #32]",
                "stp x4, x5, [sp, #48]", "stp x6, x7, [sp, #64]", "mov x29, sp",
                "bl {note}", "mov x16, x0",
                "ldp x0, x1, [sp, #16]", "ldp x2, x3, [sp, #32]", "ldp x4, x5, [sp, #48]",
                "ldp x6, x7, [sp, #64]", "ldp x29, x30, [sp], #80",
                "br x16", note = sym note
            );
        }
    )*};
}

pub(crate) use {pass, pass_by};
