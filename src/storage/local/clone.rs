//! Copies inside the kernel. The only unsafe code of the store: two system calls without a safe wrapper in std.
#![allow(unsafe_code, reason = "ioctl(FICLONE) and copy_file_range(2)")]
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Makes `to` share the blocks of `from`. Fails where the file system cannot, with nothing changed.
#[cfg(target_os = "linux")]
pub(crate) fn reflink(from: &File, to: &File) -> io::Result<()> {
    // SAFETY: both descriptors are open for the whole call, and FICLONE takes a descriptor by value: the kernel
    // neither reads nor writes memory of ours.
    let status = unsafe { libc::ioctl(to.as_raw_fd(), libc::FICLONE, from.as_raw_fd()) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Copies up to `length` bytes from `offset` of `from` to the same offset of `to`; says how many it were.
#[cfg(target_os = "linux")]
pub(crate) fn copy_range(from: &File, to: &File, offset: u64, length: u64) -> io::Result<u64> {
    let start = libc::off64_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(1 << 30);
    let (mut at, mut to_at) = (start, start);
    // SAFETY: both descriptors are open for the whole call; the two pointers are to live, distinct, properly
    // aligned off64_t on this stack frame, which the kernel only reads and writes during the call.
    let copied = unsafe {
        libc::copy_file_range(from.as_raw_fd(), &raw mut at, to.as_raw_fd(), &raw mut to_at, length, 0)
    };
    u64::try_from(copied).map_err(|_| io::Error::last_os_error())
}

/// Not on this system: the caller falls back to a plain copy.
#[cfg(not(target_os = "linux"))]
pub(crate) fn reflink(_: &File, _: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not on this system: the caller falls back to a plain copy.
#[cfg(not(target_os = "linux"))]
pub(crate) fn copy_range(_: &File, _: &File, _: u64, _: u64) -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::{Read, Seek, Write};

    #[test]
    fn a_range_arrives_at_its_place_and_the_end_is_noticed() {
        let (mut from, mut to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        from.write_all(b"0123456789").unwrap();
        let mut copied = 0;
        while copied < 10 {
            copied += copy_range(&from, &to, copied, 10 - copied).unwrap();
        }
        assert_eq!(copy_range(&from, &to, 10, 5).unwrap(), 0);
        to.rewind().unwrap();
        let mut text = String::new();
        to.read_to_string(&mut text).unwrap();
        assert_eq!(text, "0123456789");
    }

    #[test]
    fn a_reflink_is_whole_or_refused() {
        let (mut from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        from.write_all(&[7; 5000]).unwrap();
        let length = if reflink(&from, &to).is_ok() { 5000 } else { 0 };
        assert_eq!(to.metadata().unwrap().len(), length);
    }
}
