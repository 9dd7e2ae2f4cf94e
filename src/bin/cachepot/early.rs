//! The client's life before the C library. glibc asks the processor some eighty times what it can do (CPUID), and
//! in a virtual machine each question costs microseconds: half a millisecond in all, several times what a hit needs.
//! So the program is entered here. What can be done at once is done (a hit, becoming the compiler); for all else
//! the stack is put back as the kernel made it and the C library's own entry goes on as if nothing had been.
//!
//! What works in between: system calls through the C library, `errno` and thread-local values (a block of ours
//! stands for those of the only thread), memory (`arena.rs`), everything in Rust that needs no more. What does not:
//! functions that the C library chooses by the processor; `memory.rs` replaces those that Rust uses. Threads and
//! fork. A panic, like a fault, goes on at the C library's entry.
use crate::arena;
use std::ffi::{c_char, c_int};
use std::mem::{size_of, zeroed};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes for thread-local values, and as many for what the C library keeps about a thread.
const SIDE_BYTES: usize = 4096;

#[repr(C, align(64))]
struct ThreadBlock([u8; 2 * SIDE_BYTES]);

/// Only touched before the C library starts, by the one thread there is.
static mut BLOCK: ThreadBlock = ThreadBlock([0; 2 * SIDE_BYTES]);

/// Whether the C library has still to start.
static IS_EARLY: AtomicBool = AtomicBool::new(false);

std::arch::global_asm!(
    ".globl cachepot_early_start",
    "cachepot_early_start:",
    "mov qword ptr [rip + cachepot_stack], rsp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {enter}",
    ".globl cachepot_late_start",
    "cachepot_late_start:",
    "mov rsp, qword ptr [rip + cachepot_stack]",
    // As the kernel leaves them: no function to call at the end, no caller.
    "xor edx, edx",
    "xor ebp, ebp",
    "jmp _start",
    ".local cachepot_stack",
    ".comm cachepot_stack, 8, 8",
    enter = sym enter,
);

/// Gives up being early: the C library starts, and `main` does everything from the beginning.
pub(crate) fn leave() -> ! {
    IS_EARLY.store(false, Ordering::Relaxed);
    arena::close();
    // SAFETY: nothing on this stack is needed any more; what it owned is leaked.
    unsafe { std::arch::asm!("jmp cachepot_late_start", options(noreturn)) }
}

/// Comes back where the C library is to go on.
///
/// # Safety
/// Only as the entry of the program, with the stack as the kernel made it.
unsafe extern "C" fn enter(stack: *const usize) {
    // SAFETY: the stack holds argc, the words, null, the environment, null, pairs, as the ABI says.
    unsafe {
        let argv = stack.add(1).cast::<*const c_char>();
        let envp = argv.add(*stack + 1);
        let mut end = envp;
        while !(*end).is_null() {
            end = end.add(1);
        }
        if !make_thread(end.add(1).cast()) {
            return;
        }
        let before = catch_faults();
        IS_EARLY.store(true, Ordering::Relaxed);
        arena::open();
        crate::hold_panics();
        let (words, env) = cachepot_client::process::invocation(argv, envp);
        if let Some(status) = cachepot_client::early(words, env) {
            libc::_exit(status);
        }
        arena::close();
        IS_EARLY.store(false, Ordering::Relaxed);
        libc::sigaction(libc::SIGSEGV, &raw const before, ptr::null_mut());
    }
}

/// For a panic: early, the compiler cannot be run in every case.
pub(crate) fn leave_if_early() {
    if IS_EARLY.load(Ordering::Relaxed) {
        leave();
    }
}

/// Makes thread-local values and `errno` work, as the C library will do again for itself.
///
/// # Safety
/// The argument is the list of pairs from the kernel.
unsafe fn make_thread(mut pairs: *const [usize; 2]) -> bool {
    let (mut headers, mut count) = (ptr::null::<libc::Elf64_Phdr>(), 0);
    // SAFETY: the list ends with a zero key; the program's headers are where it says.
    unsafe {
        while (*pairs)[0] != 0 {
            match (*pairs)[0] as u64 {
                libc::AT_PHDR => headers = (*pairs)[1] as *const libc::Elf64_Phdr,
                libc::AT_PHNUM => count = (*pairs)[1],
                _ => {}
            }
            pairs = pairs.add(1);
        }
        let block = (&raw mut BLOCK).cast::<u8>();
        let thread = block.add(SIDE_BYTES);
        for at in 0..count {
            let header = headers.add(at);
            if (*header).p_type == libc::PT_TLS {
                let align = (*header).p_align.max(1);
                let size = (*header).p_memsz.next_multiple_of(align) as usize;
                if size > SIDE_BYTES || align > 64 {
                    return false;
                }
                // The program is linked to fixed addresses.
                let from = (*header).p_vaddr as *const u8;
                ptr::copy_nonoverlapping(from, thread.sub(size), (*header).p_filesz as usize);
            }
        }
        // The ABI wants its own address at the pointer; the C library looks for it at the third word too.
        thread.cast::<*mut u8>().write(thread);
        thread.cast::<*mut u8>().add(2).write(thread);
        const ARCH_SET_FS: c_int = 0x1002;
        let status: usize;
        // Not through the C library, which has no place for `errno` before this.
        std::arch::asm!(
            "syscall",
            inlateout("rax") libc::SYS_arch_prctl as usize => status,
            in("rdi") ARCH_SET_FS, in("rsi") thread, out("rcx") _, out("r11") _,
            options(nostack),
        );
        status == 0
    }
}

/// A fault here, for a function that this C library chooses by the processor and that nobody has met before, must
/// not end a build: the C library starts, and all is done once more.
fn catch_faults() -> libc::sigaction {
    extern "C" fn fault(_: c_int) {
        leave()
    }
    // SAFETY: sigaction is plain data; the handler has the right signature and never returns. It is gone as soon as
    // it is called, and the signal is not held back meanwhile.
    unsafe {
        let (mut action, mut before): (libc::sigaction, libc::sigaction) = (zeroed(), zeroed());
        action.sa_sigaction = fault as extern "C" fn(c_int) as usize;
        action.sa_flags = libc::SA_RESETHAND | libc::SA_NODEFER;
        libc::sigaction(libc::SIGSEGV, &raw const action, &raw mut before);
        before
    }
}

const _: () = assert!(size_of::<usize>() == 8, "the addresses above are 64 bits");
