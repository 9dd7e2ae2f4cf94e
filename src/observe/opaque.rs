//! What cannot be followed: the network, system calls without a function of their own, and functions of the C library
//! that look for files by themselves. That they were used is all that is written.
use crate::format::{LIST, NETWORK};
use crate::kernel::AT_FDCWD;
use crate::log::{self, Head, Often};
use crate::open::{opened, would_stay};
use crate::pass::pass;
use crate::record::{opaque, path, set_no_such_function};
use core::ffi::{c_char, c_int, c_long, c_void};
use core::ptr::null_mut;

fn network(family: u16) {
    log::write(Often::Once, Head { op: NETWORK, detail: 0, error: 0, number: family.into() }, &[]);
}

/// # Safety
/// `address` is null or a socket address that the call has read.
unsafe fn reached(address: *const c_void) {
    if !address.is_null() && log::is_on() {
        // SAFETY: every address begins with its family.
        network(unsafe { address.cast::<u16>().read_unaligned() });
    }
}

/// System calls from 424 on have the same numbers everywhere. These do nothing with files, nor start programs.
const HARMLESS_SINCE_424: [c_long; 15] = [
    424, // pidfd_send_signal
    434, // pidfd_open
    435, // clone3
    436, // close_range
    440, // process_madvise
    441, // epoll_pwait2
    449, // futex_waitv
    450, // set_mempolicy_home_node
    451, // cachestat
    453, // map_shadow_stack
    454, // futex_wake
    455, // futex_wait
    456, // futex_requeue
    459, // lsm_get_self_attr
    462, // mseal
];

/// Older ones that take a path, list a folder, start a program, use the network or shared memory, or change what paths
/// mean: those below 424.
#[cfg(target_arch = "x86_64")]
const OPAQUE: &[c_long] = &[
    2, 4, 6, 21, // open, stat, lstat, access
    29, 30, 68, 240, // shmget, shmat, msgget, mq_open
    42, 44, 46, 49, 307, // connect, sendto, sendmsg, bind, sendmmsg
    59, 322, 101, 310, 321, // execve, execveat, ptrace, process_vm_readv, bpf
    76, 82, 83, 84, 85, 86, 87, 88,
    89, // truncate, rename, mkdir, rmdir, creat, link, unlink, symlink, readlink
    78, 217, // getdents, getdents64
    133, 134, 137, // mknod, uselib, statfs
    155, 161, 165, 272, 308, // pivot_root, chroot, mount, unshare, setns
    191, 192, 194, // getxattr, lgetxattr, listxattr
    257, 258, 259, 262, 263, 264, 265, 266, 267, 269, // openat to faccessat
    303, 304, 316, 332, // name_to_handle_at, open_by_handle_at, renameat2, statx
];
#[cfg(target_arch = "aarch64")]
const OPAQUE: &[c_long] = &[
    8, 9, 11, 12, // getxattr, lgetxattr, listxattr, llistxattr
    33, 34, 35, 36, 37, 38, 276, // mknodat, mkdirat, unlinkat, symlinkat, linkat, renameat, renameat2
    40, 41, 51, 97, 268, // mount, pivot_root, chroot, unshare, setns
    43, 45, 48, 56, 61, 78, 79,
    291, // statfs, truncate, faccessat, openat, getdents64, readlinkat, fstatat, statx
    117, 221, 270, 280, 281, // ptrace, execve, process_vm_readv, bpf, execveat
    180, 186, 194, 196, // mq_open, msgget, shmget, shmat
    200, 203, 206, 211, 269, // bind, connect, sendto, sendmsg, sendmmsg
    264, 265, // name_to_handle_at, open_by_handle_at
];

/// Opening a file, which memory allocators do past the C library's function.
#[cfg(target_arch = "x86_64")]
const SYS_OPEN: c_long = 2;
/// There is none.
#[cfg(target_arch = "aarch64")]
const SYS_OPEN: c_long = -1;
#[cfg(target_arch = "x86_64")]
const SYS_OPENAT: c_long = 257;
#[cfg(target_arch = "aarch64")]
const SYS_OPENAT: c_long = 56;

/// The file that a system call is about to open: folder, path and flags.
fn file_of(number: c_long, [a, b, c]: [c_long; 3]) -> Option<(c_int, Path, c_int)> {
    match number {
        SYS_OPEN => Some((AT_FDCWD, a as Path, b as c_int)),
        SYS_OPENAT => Some((a as c_int, b as Path, c as c_int)),
        _ => None,
    }
}

/// # Safety
/// The call has been made with these arguments.
unsafe fn called(number: c_long, args: [c_long; 3], stays: bool, result: c_long) {
    if let Some((folder, name, flags)) = file_of(number, args) {
        // SAFETY: the kernel has read the path, or has said that it is none.
        return unsafe { opened((folder, name), flags, stays, result as c_int) };
    }
    let is_harmless =
        if number < 424 { !OPAQUE.contains(&number) } else { HARMLESS_SINCE_424.contains(&number) };
    if !is_harmless {
        opaque(b"syscall");
    }
}

type Path = *const c_char;
type Any = *mut c_void;

pass! {
    fn connect(socket: c_int, address: *const c_void, length: u32) -> c_int, else set_no_such_function()
        => |_r| reached(address);
    fn bind(socket: c_int, address: *const c_void, length: u32) -> c_int, else set_no_such_function()
        => |_r| reached(address);
    fn sendto(socket: c_int, data: *const c_void, size: usize, flags: c_int, address: *const c_void, length: u32)
        -> isize, else set_no_such_function() as isize => |_r| reached(address);
    fn accept(socket: c_int, address: Any, length: *mut u32) -> c_int, else set_no_such_function()
        => |_r| network(0);
    fn accept4(socket: c_int, address: Any, length: *mut u32, flags: c_int) -> c_int,
        else set_no_such_function() => |_r| network(0);
    fn getaddrinfo(node: Path, service: Path, hints: *const c_void, out: Any) -> c_int, else -1
        => |_r| network(0);
    fn gethostbyname(name: Path) -> Any, else null_mut() => |_r| network(0);
    // With six arguments, whatever the call takes: the rest is not looked at.
    fn syscall(number: c_long, a: c_long, b: c_long, c: c_long, d: c_long, e: c_long, f: c_long) -> c_long,
        else set_no_such_function().into(), before stays = file_of(number, [a, b, c]).is_some_and(|(folder, name, flags)| would_stay(folder, name, flags)) => |r| called(number, [a, b, c], stays, r);
    fn scandir(name: Path, list: Any, filter: Any, order: Any) -> c_int, else set_no_such_function()
        => |_r| path(LIST, 0, 0, (AT_FDCWD, name));
    fn scandir64(name: Path, list: Any, filter: Any, order: Any) -> c_int, else set_no_such_function()
        => |_r| path(LIST, 0, 0, (AT_FDCWD, name));
    fn scandirat(folder: c_int, name: Path, list: Any, filter: Any, order: Any) -> c_int,
        else set_no_such_function() => |_r| path(LIST, 0, 0, (folder, name));
    fn getdents64(fd: c_int, buffer: Any, size: usize) -> isize, else set_no_such_function() as isize
        => |_r| path(LIST, 0, 0, (fd, c".".as_ptr()));
    fn glob(pattern: Path, flags: c_int, on_error: Any, out: Any) -> c_int, else -1 => |_r| opaque(b"glob");
    fn glob64(pattern: Path, flags: c_int, on_error: Any, out: Any) -> c_int, else -1 => |_r| opaque(b"glob");
    fn wordexp(words: Path, out: Any, flags: c_int) -> c_int, else -1 => |_r| opaque(b"wordexp");
    fn ftw(name: Path, visit: Any, depth: c_int) -> c_int, else -1 => |_r| opaque(b"ftw");
    fn ftw64(name: Path, visit: Any, depth: c_int) -> c_int, else -1 => |_r| opaque(b"ftw");
    fn nftw(name: Path, visit: Any, depth: c_int, flags: c_int) -> c_int, else -1 => |_r| opaque(b"nftw");
    fn nftw64(name: Path, visit: Any, depth: c_int, flags: c_int) -> c_int, else -1 => |_r| opaque(b"nftw");
    fn fts_open(names: Any, options: c_int, order: Any) -> Any, else null_mut() => |_r| opaque(b"fts_open");
    fn fts64_open(names: Any, options: c_int, order: Any) -> Any, else null_mut() => |_r| opaque(b"fts_open");
    fn shm_open(name: Path, flags: c_int, mode: u32) -> c_int, else set_no_such_function()
        => |_r| opaque(b"shm_open");
    fn shmat(id: c_int, address: *const c_void, flags: c_int) -> Any, else null_mut() => |_r| opaque(b"shmat");
    fn mq_open(name: Path, flags: c_int, mode: u32, attributes: Any) -> c_int, else set_no_such_function()
        => |_r| opaque(b"mq_open");
    fn chroot(name: Path) -> c_int, else set_no_such_function() => |_r| opaque(b"chroot");
    fn unshare(flags: c_int) -> c_int, else set_no_such_function() => |_r| opaque(b"unshare");
    fn setns(fd: c_int, kind: c_int) -> c_int, else set_no_such_function() => |_r| opaque(b"setns");
    fn mount(from: Path, to: Path, kind: Path, flags: u64, data: *const c_void) -> c_int,
        else set_no_such_function() => |_r| opaque(b"mount");
    fn open_by_handle_at(mount: c_int, handle: Any, flags: c_int) -> c_int, else set_no_such_function()
        => |_r| opaque(b"open_by_handle_at");
    fn posix_spawn_file_actions_addopen(actions: Any, fd: c_int, name: Path, flags: c_int, mode: u32) -> c_int,
        else 38 => |_r| opaque(b"posix_spawn_file_actions_addopen");
}
