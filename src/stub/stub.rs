//! What stands in place of a build script until it has run, where runs are cached: a program of a few kilobytes that has no library and
//! changes nothing that the script could see. Where the user still wants cached runs it becomes the coordinator's program, which asks
//! for this one and puts the script in its place; else, or where that cannot be run, it becomes the script, which lies beside it. `build.rs` compiles it, and
//! the coordinator writes two names into each copy.
#![no_std]
#![no_main]
#![no_builtins]

use core::arch::{asm, naked_asm};
use core::mem::MaybeUninit;

/// Room for names.
const NAME_BYTES: usize = 4096;
/// More words than that no script is given.
const MAX_WORDS: usize = 64;

/// What stands before the names: `STUB_MARK` of `src/wire/message.rs`.
const MARK: [u8; 32] = *b"cachepot stub: two names follow\n";

/// The script's name in this folder and the path of the coordinator's program, each with a zero behind it.
#[repr(C)]
struct Names {
    mark: [u8; 32],
    names: [u8; 2 * NAME_BYTES],
}

#[used]
static mut NAMES: Names = Names { mark: MARK, names: [1; 2 * NAME_BYTES] };

type Text = *const u8;

#[cfg(target_arch = "x86_64")]
mod number {
    pub const WRITE: usize = 1;
    pub const EXECVE: usize = 59;
    pub const EXIT: usize = 231;
    pub const READLINKAT: usize = 267;
}
#[cfg(target_arch = "aarch64")]
mod number {
    pub const WRITE: usize = 64;
    pub const EXECVE: usize = 221;
    pub const EXIT: usize = 94;
    pub const READLINKAT: usize = 78;
}

/// # Safety
/// The arguments must be what the kernel takes for `number`.
unsafe fn call(number: usize, args: [usize; 4]) -> isize {
    let [a, b, c, d] = args;
    let result: isize;
    // SAFETY: the kernel's own convention; the caller vouches for the arguments.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b, in("rdx") c,
             in("r10") d, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a as isize => result, in("x1") b, in("x2") c, in("x3") d,
             options(nostack));
    }
    result
}

/// Where the kernel begins: the words and the environment are on the stack.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn _start() -> ! {
    #[cfg(target_arch = "x86_64")]
    naked_asm!("mov rdi, rsp", "and rsp, -16", "call {main}", main = sym main);
    #[cfg(target_arch = "aarch64")]
    naked_asm!("mov x0, sp", "bl {main}", main = sym main);
}

/// # Safety
/// `stack` is as the kernel makes it: a count, so many words and null, the environment and null.
unsafe extern "C" fn main(stack: *const usize) -> ! {
    // SAFETY: as the caller says; the names end with zeros, and paths have room.
    unsafe {
        let n_words = *stack;
        let words = stack.add(1).cast::<Text>();
        let env = words.add(n_words + 1);
        let script = (&raw const NAMES.names).cast::<u8>();
        let runner = script.add(length(script) + 1);
        let mut path = MaybeUninit::<[u8; 2 * NAME_BYTES]>::uninit();
        let path = beside(path.as_mut_ptr().cast(), script, *words);
        if is_on(env) && n_words <= MAX_WORDS {
            let mut handed = MaybeUninit::<[Text; MAX_WORDS + 4]>::uninit();
            let handed = handed.as_mut_ptr().cast::<Text>();
            let first = [runner, c"--run-build-script".as_ptr().cast(), *words, path];
            let mut at = 0;
            while at < first.len() {
                handed.add(at).write(first[at]);
                at += 1;
            }
            // The words behind the name, and null.
            let mut word = 1;
            while word <= n_words {
                handed.add(at).write(*words.add(word));
                (at, word) = (at + 1, word + 1);
            }
            call(number::EXECVE, [runner as usize, handed as usize, env as usize, 0]);
        }
        call(number::EXECVE, [path as usize, words as usize, env as usize, 0]);
        let text = c"cachepot: error: the build script beside this stub cannot be run\n";
        call(number::WRITE, [2, text.as_ptr() as usize, text.count_bytes(), 0]);
        loop {
            call(number::EXIT, [127, 0, 0, 0]);
        }
    }
}

/// The path of a file in the folder of this program.
///
/// # Safety
/// `name` and `called` are texts; `path` has room for two names.
unsafe fn beside(path: *mut u8, name: Text, called: Text) -> Text {
    const AT_FDCWD: usize = -100_isize as usize;
    // SAFETY: as the caller says; at most one name is read.
    unsafe {
        let own = c"/proc/self/exe".as_ptr() as usize;
        let mut length = call(number::READLINKAT, [AT_FDCWD, own, path as usize, NAME_BYTES]);
        if length <= 0 {
            // Without /proc: as it was called.
            length = 0;
            while *called.offset(length) != 0 && (length as usize) < NAME_BYTES {
                path.offset(length).write_volatile(*called.offset(length));
                length += 1;
            }
        }
        while length > 0 && *path.offset(length - 1) != b'/' {
            length -= 1;
        }
        let mut at = 0;
        loop {
            path.offset(length + at).write_volatile(*name.offset(at));
            if *name.offset(at) == 0 {
                return path;
            }
            at += 1;
        }
    }
}

/// Whether the user wants cached runs: unless told otherwise.
///
/// # Safety
/// A list of texts that ends with null.
unsafe fn is_on(mut env: *const Text) -> bool {
    let variable = c"CACHEPOT_BUILD_SCRIPTS=".as_ptr().cast::<u8>();
    // SAFETY: as the caller says.
    unsafe {
        while !(*env).is_null() {
            let mut at = 0;
            while *variable.add(at) != 0 && *variable.add(at) == *(*env).add(at) {
                at += 1;
            }
            if *variable.add(at) == 0 {
                let (first, second) =
                    (*(*env).add(at), *(*env).add(at).add(usize::from(*(*env).add(at) != 0)));
                return first != 0 && !(first == b'0' && second == 0);
            }
            env = env.add(1);
        }
    }
    true
}

/// # Safety
/// A text.
unsafe fn length(text: Text) -> usize {
    let mut length = 0;
    // SAFETY: as the caller says.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        // SAFETY: takes a number.
        unsafe { call(number::EXIT, [127, 0, 0, 0]) };
    }
}
