//! System calls that the observer makes for itself. Not through the C library: the observed program must not see an
//! error number of ours, and the library may not be ready yet.
use core::arch::asm;
use core::ffi::{c_char, c_int};

/// The numbers of the calls.
#[cfg(target_arch = "x86_64")]
mod number {
    pub const CLOSE: usize = 3;
    pub const MMAP: usize = 9;
    pub const GETPID: usize = 39;
    pub const GETCWD: usize = 79;
    pub const GETPPID: usize = 110;
    pub const OPENAT: usize = 257;
    pub const NEWFSTATAT: usize = 262;
    pub const READLINKAT: usize = 267;
    pub const FACCESSAT: usize = 269;
}
#[cfg(target_arch = "aarch64")]
mod number {
    pub const CLOSE: usize = 57;
    pub const MMAP: usize = 222;
    pub const GETPID: usize = 172;
    pub const GETCWD: usize = 17;
    pub const GETPPID: usize = 173;
    pub const OPENAT: usize = 56;
    pub const NEWFSTATAT: usize = 79;
    pub const READLINKAT: usize = 78;
    pub const FACCESSAT: usize = 48;
}

pub const AT_FDCWD: c_int = -100;
const O_RDWR: usize = 2;
const O_CLOEXEC: usize = 0o2_000_000;
const AT_EMPTY_PATH: usize = 0x1000;
/// A piece of what is written.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Piece {
    base: *const u8,
    length: usize,
}

impl Piece {
    pub const fn of(bytes: &[u8]) -> Self {
        Piece { base: bytes.as_ptr(), length: bytes.len() }
    }

    pub const fn len(self) -> usize {
        self.length
    }

    /// # Safety
    /// What the piece was made of must still be there.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: made by `of` from a slice that the caller says is still there.
        unsafe { core::slice::from_raw_parts(self.base, self.length) }
    }
}

/// # Safety
/// The arguments must be what the kernel takes for `number`.
unsafe fn call(number: usize, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    let result: isize;
    // SAFETY: the kernel's own convention; the caller vouches for the arguments.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b, in("rdx") c,
             in("r10") d, in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a as isize => result, in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
             options(nostack));
    }
    result
}

fn at(folder: c_int) -> usize {
    folder as isize as usize
}

pub fn process_id() -> u32 {
    // SAFETY: takes nothing.
    unsafe { call(number::GETPID, [0; 6]) as u32 }
}

pub fn parent_id() -> u32 {
    // SAFETY: takes nothing.
    unsafe { call(number::GETPPID, [0; 6]) as u32 }
}

/// The working directory without the zero at its end; `None` if it does not fit or has no name.
pub fn working_directory(buffer: &mut [u8]) -> Option<usize> {
    // SAFETY: writes at most the length of the buffer.
    let length = unsafe { call(number::GETCWD, [buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0, 0]) };
    // "(unreachable)/..." is no path.
    (length > 1 && buffer.first() == Some(&b'/')).then_some(length as usize - 1)
}

/// Where a link leads; `None` if there is none or it does not fit. `path` ends with a zero.
pub fn read_link(path: &[u8], buffer: &mut [u8]) -> Option<usize> {
    let args = [at(AT_FDCWD), path.as_ptr() as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0];
    // SAFETY: writes at most the length of the buffer; the path ends with a zero.
    let length = unsafe { call(number::READLINKAT, args) };
    (length > 0 && (length as usize) < buffer.len()).then_some(length as usize)
}

/// Whether there is something at a path.
///
/// # Safety
/// `path` ends with a zero.
pub unsafe fn exists(folder: c_int, path: *const c_char) -> bool {
    // SAFETY: reads the path, and nothing else.
    unsafe { call(number::FACCESSAT, [at(folder), path as usize, 0, 0, 0, 0]) == 0 }
}

/// Maps the whole of a file, shared with all others who do: address and size. `None` if it is not there or larger
/// than `max_size`. `path` ends with a zero.
pub fn map(path: &[u8], max_size: usize) -> Option<(*mut u8, usize)> {
    const READ_WRITE: usize = 3;
    const MAP_SHARED: usize = 1;
    let args = [at(AT_FDCWD), path.as_ptr() as usize, O_RDWR | O_CLOEXEC, 0, 0, 0];
    // SAFETY: the path ends with a zero.
    let fd = unsafe { call(number::OPENAT, args) };
    if fd < 0 {
        return None;
    }
    let size = size(fd as c_int).filter(|&size| size <= max_size);
    // SAFETY: a new mapping at a place that the kernel chooses; the descriptor is ours alone.
    let address = unsafe {
        let address = size.map(|size| call(number::MMAP, [0, size, READ_WRITE, MAP_SHARED, fd as usize, 0]));
        call(number::CLOSE, [fd as usize, 0, 0, 0, 0, 0]);
        address?
    };
    (address > 0).then_some((address as *mut u8, size?))
}

/// The size of an open file.
fn size(fd: c_int) -> Option<usize> {
    // Larger than the kernel's `struct stat` on both machines, where `st_size` has the same place.
    let mut stat = [0_u64; 32];
    let args = [at(fd), c"".as_ptr() as usize, stat.as_mut_ptr() as usize, AT_EMPTY_PATH, 0, 0];
    // SAFETY: the kernel writes one `struct stat`, for which there is room.
    let result = unsafe { call(number::NEWFSTATAT, args) };
    (result == 0).then_some(stat[6] as usize)
}
