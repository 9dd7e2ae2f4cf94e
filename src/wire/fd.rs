//! Bytes and descriptors over a Unix socket (`SCM_RIGHTS`, see unix(7)). The one place of this package with
//! `unsafe`: the standard library's version of it is not stable.
#![allow(unsafe_code)]
use crate::frame::{self, HEAD_BYTES, WireError};
use std::io;
use std::mem::{offset_of, size_of, size_of_val};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

/// The kernel's bound of descriptors in one message (`SCM_MAX_FD`).
pub const MAX_DESCRIPTORS: usize = 253;
const CONTROL_BYTES: usize = 1088;

/// Room for the control message of [`MAX_DESCRIPTORS`], aligned as `cmsghdr` wants it.
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

/// Sends bytes with descriptors; answers how many bytes went. Descriptors go with the first byte.
///
/// # Errors
/// As `sendmsg(2)`; `WouldBlock` on a non-blocking socket that is full.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[RawFd]) -> io::Result<usize> {
    let mut io_vector = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = Control([0; CONTROL_BYTES]);
    // SAFETY: msghdr is plain data for which all zeroes is a valid value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut io_vector;
    header.msg_iovlen = 1;
    if !descriptors.is_empty() {
        if descriptors.len() > MAX_DESCRIPTORS {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let payload = size_of_val(descriptors);
        header.msg_control = control.0.as_mut_ptr().cast();
        // SAFETY: CMSG_SPACE and CMSG_LEN only compute; the control buffer holds MAX_DESCRIPTORS and is
        // aligned, so the first header and its data lie inside it.
        unsafe {
            header.msg_controllen = libc::CMSG_SPACE(payload as u32) as _;
            let first = libc::CMSG_FIRSTHDR(&raw const header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(payload as u32) as _;
            std::ptr::copy_nonoverlapping(descriptors.as_ptr().cast::<u8>(), libc::CMSG_DATA(first), payload);
        }
    }
    // SAFETY: all pointers in the header are valid for the call; MSG_NOSIGNAL turns SIGPIPE into EPIPE.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Receives bytes and the descriptors that came with them (close-on-exec); 0 bytes is the end of the stream.
///
/// # Errors
/// As `recvmsg(2)`; `WouldBlock` on a non-blocking socket with nothing to read. `InvalidData` where the kernel
/// had to leave descriptors out, which it does when this process may open no more: without an error, the ones
/// that did come would be taken for others.
pub fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    let mut io_vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = Control([0; CONTROL_BYTES]);
    // SAFETY: as in `send`.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut io_vector;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = CONTROL_BYTES as _;
    // SAFETY: the buffers outlive the call and their lengths are stated.
    let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC) };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the kernel wrote whole control messages into the aligned buffer; each descriptor in them is
    // new and owned by nobody else.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(&raw const header);
        while !message.is_null() {
            if (*message).cmsg_level == libc::SOL_SOCKET && (*message).cmsg_type == libc::SCM_RIGHTS {
                let data = libc::CMSG_DATA(message);
                let bytes = (*message).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                for at in 0..bytes / size_of::<RawFd>() {
                    let raw = data.cast::<RawFd>().add(at).read_unaligned();
                    descriptors.push(OwnedFd::from_raw_fd(raw));
                }
            }
            message = libc::CMSG_NXTHDR(&raw const header, message);
        }
    }
    if header.msg_flags & libc::MSG_CTRUNC != 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "descriptors were lost on the way"));
    }
    Ok(received)
}

/// Connects to a listening socket. A listener that takes no more connections, its queue being full, is waited for no
/// longer than `limit`, which stays the limit of every later write.
///
/// # Errors
/// As `connect(2)`; `WouldBlock` after the limit; `InvalidInput` for a path too long for a socket.
pub fn connect(path: &Path, limit: Duration) -> io::Result<UnixStream> {
    let bytes = path.as_os_str().as_bytes();
    // SAFETY: sockaddr_un is plain data for which all zeroes is a valid value.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    if bytes.len() >= address.sun_path.len() || bytes.contains(&0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    let length = offset_of!(libc::sockaddr_un, sun_path) + bytes.len() + 1;
    // SAFETY: the call takes three numbers; the descriptor is new and ours.
    let stream = unsafe {
        match libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) {
            raw if raw >= 0 => UnixStream::from(OwnedFd::from_raw_fd(raw)),
            _ => return Err(io::Error::last_os_error()),
        }
    };
    stream.set_write_timeout(Some(limit))?;
    loop {
        // SAFETY: the address outlives the call and `length` is the part of it in use.
        let status = unsafe {
            libc::connect(stream.as_raw_fd(), (&raw const address).cast(), length as libc::socklen_t)
        };
        match (status, io::Error::last_os_error()) {
            (0, _) => return Ok(stream),
            (_, error) if error.kind() == io::ErrorKind::Interrupted => {}
            (_, error) => return Err(error),
        }
    }
}

/// The user id of the process at the other end.
///
/// # Errors
/// As `getsockopt(2)`.
pub fn peer(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let mut credentials = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the buffer is a ucred and its length is stated.
    let status = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    };
    if status == 0 {
        Ok(Peer { uid: credentials.uid, pid: credentials.pid })
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Who is at the other end of a socket.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The user id when it connected.
    pub uid: u32,
    /// The process id, as seen from here; 0 where it lives in a PID namespace we do not see.
    pub pid: i32,
}

/// The user id of this process, which never changes it.
pub fn own_uid() -> u32 {
    static OWN: OnceLock<u32> = OnceLock::new();
    // SAFETY: geteuid has no preconditions and cannot fail.
    *OWN.get_or_init(|| unsafe { libc::geteuid() })
}

/// Sends a whole frame on a blocking socket.
///
/// # Errors
/// [`WireError::Io`].
pub fn send_all(socket: BorrowedFd<'_>, frame: &[u8], descriptors: &[RawFd]) -> Result<(), WireError> {
    let mut rest = frame;
    let mut descriptors = descriptors;
    while !rest.is_empty() {
        match send(socket, rest, descriptors) {
            Ok(count) => {
                rest = rest.get(count..).unwrap_or_default();
                descriptors = &[];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A whole frame: kind, payload, descriptors.
pub type Frame = (u8, Vec<u8>, Vec<OwnedFd>);

/// Receives a whole frame on a blocking socket.
///
/// # Errors
/// [`WireError`] of every kind; an end of the stream is [`WireError::Io`] with `UnexpectedEof`.
pub fn receive_frame(socket: BorrowedFd<'_>) -> Result<Frame, WireError> {
    let mut assembly = Assembly::default();
    let (kind, payload) = assembly.receive_first(socket)?;
    Ok((kind, payload, assembly.end()?))
}

/// Puts frames together from what a socket gives piece by piece.
///
/// One read may bring several frames. Their descriptors stand in one line then: the kernel tells only that they came,
/// and who understands a frame takes those that are its own.
#[derive(Default)]
pub struct Assembly {
    buffer: Vec<u8>,
    filled: usize,
    descriptors: Vec<OwnedFd>,
}

/// The first read takes a whole ordinary message, so that a hit needs one `recvmsg` on each side.
const FIRST_READ_BYTES: usize = 32 << 10;

impl Assembly {
    /// Reads once through `receive` (buffer, descriptors → count).
    ///
    /// # Errors
    /// [`WireError::Io`], with `UnexpectedEof` at the end of the stream.
    pub fn fill(
        &mut self,
        receive: impl FnOnce(&mut [u8], &mut Vec<OwnedFd>) -> io::Result<usize>,
    ) -> Result<(), WireError> {
        let wanted = self.wanted().unwrap_or(FIRST_READ_BYTES).max(FIRST_READ_BYTES);
        if self.buffer.len() < wanted {
            // Grown by what was announced but at most by 16 MiB at a time: the announcement alone costs nothing.
            let grown = wanted.min(self.filled + (16 << 20));
            let grown = grown.max(FIRST_READ_BYTES);
            if self.filled == 0 {
                // Fresh memory is zero already.
                self.buffer = vec![0; grown];
            }
            self.buffer.resize(grown, 0);
        }
        let space = self.buffer.get_mut(self.filled..).unwrap_or_default();
        match receive(space, &mut self.descriptors)? {
            0 => Err(WireError::Io(io::ErrorKind::UnexpectedEof.into())),
            count => {
                self.filled += count;
                Ok(())
            }
        }
    }

    fn wanted(&self) -> Option<usize> {
        let head = self.buffer.get(..self.filled)?.first_chunk::<HEAD_BYTES>()?;
        frame::decode_head(head).ok().map(|(_, length)| HEAD_BYTES + length)
    }

    /// The only frame, if it is whole.
    ///
    /// # Errors
    /// As [`Assembly::take_first`] and [`Assembly::end`].
    pub fn take(&mut self) -> Result<Option<Frame>, WireError> {
        match self.take_first()? {
            Some((kind, payload)) => Ok(Some((kind, payload, self.end()?))),
            None => Ok(None),
        }
    }

    /// Kind and payload of the first frame, if it is whole; what came behind it stays.
    ///
    /// # Errors
    /// As [`frame::decode_head`].
    pub fn take_first(&mut self) -> Result<Option<(u8, Vec<u8>)>, WireError> {
        let filled = self.buffer.get(..self.filled).unwrap_or_default();
        let Some(head) = filled.first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        let (kind, length) = frame::decode_head(head)?;
        let end = HEAD_BYTES + length;
        let Some(payload) = filled.get(HEAD_BYTES..end) else { return Ok(None) };
        let payload = payload.to_vec();
        self.buffer.copy_within(end..self.filled, 0);
        self.filled -= end;
        Ok(Some((kind, payload)))
    }

    /// As [`Assembly::take_first`], waiting for it on a blocking socket.
    ///
    /// # Errors
    /// [`WireError`] of every kind; an end of the stream is [`WireError::Io`] with `UnexpectedEof`.
    pub fn receive_first(&mut self, socket: BorrowedFd<'_>) -> Result<(u8, Vec<u8>), WireError> {
        loop {
            if let Some(first) = self.take_first()? {
                return Ok(first);
            }
            match self.fill(|buffer, descriptors| receive(socket, buffer, descriptors)) {
                Ok(()) => {}
                Err(WireError::Io(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The next descriptors in line, for a frame that is not the last one; fewer where fewer came.
    pub fn next_descriptors(&mut self, count: usize) -> Vec<OwnedFd> {
        let count = count.min(self.descriptors.len());
        self.descriptors.drain(..count).collect()
    }

    /// The descriptors of the last frame: all that are left.
    ///
    /// # Errors
    /// [`WireError::Malformed`] where more bytes came: it was not the last one.
    pub fn end(&mut self) -> Result<Vec<OwnedFd>, WireError> {
        if self.filled > 0 { Err(WireError::Malformed) } else { Ok(std::mem::take(&mut self.descriptors)) }
    }
}
