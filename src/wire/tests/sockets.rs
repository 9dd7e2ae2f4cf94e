//! Bytes and descriptors through real sockets.
use crate::fd::{self, MAX_DESCRIPTORS, own_uid, peer, receive, receive_frame, send, send_all};
use crate::frame::{WireError, encode};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

fn same_file(one: &impl AsFd, other: &impl AsFd) -> bool {
    let id = |fd: &dyn Fn() -> OwnedFd| {
        let metadata = File::from(fd()).metadata().unwrap();
        (metadata.dev(), metadata.ino())
    };
    id(&|| one.as_fd().try_clone_to_owned().unwrap()) == id(&|| other.as_fd().try_clone_to_owned().unwrap())
}

fn files(count: usize) -> Vec<File> {
    (0..count).map(|_| tempfile::tempfile().unwrap()).collect()
}

#[test]
fn descriptors_arrive_in_order_and_close_on_exec() {
    let (here, there) = UnixStream::pair().unwrap();
    for count in [0, 1, 3, MAX_DESCRIPTORS] {
        let files = files(count);
        let raw: Vec<RawFd> = files.iter().map(AsRawFd::as_raw_fd).collect();
        let frame = encode((9, b"payload".to_vec())).unwrap();
        send_all(here.as_fd(), &frame, &raw).unwrap();
        let (kind, payload, arrived) = receive_frame(there.as_fd()).unwrap();
        assert_eq!((kind, payload.as_slice(), arrived.len()), (9, &b"payload"[..], count));
        assert!(files.iter().zip(&arrived).all(|(sent, arrived)| same_file(sent, arrived)));
        for descriptor in &arrived {
            let info =
                std::fs::read_to_string(format!("/proc/self/fdinfo/{}", descriptor.as_raw_fd())).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
            let flags = i32::from_str_radix(flags.trim(), 8).unwrap();
            assert_ne!(flags & libc::O_CLOEXEC, 0);
        }
    }
}

#[test]
fn a_received_descriptor_reads_what_was_written() {
    let (here, there) = UnixStream::pair().unwrap();
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    send(here.as_fd(), b"x", &[writer.as_raw_fd()]).unwrap();
    let mut arrived = Vec::new();
    receive(there.as_fd(), &mut [0; 8], &mut arrived).unwrap();
    File::from(arrived.remove(0)).write_all(b"through").unwrap();
    writer.write_all(b"!").unwrap();
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "through!");
}

#[test]
fn too_many_descriptors_are_refused() {
    let (here, _there) = UnixStream::pair().unwrap();
    let many = vec![here.as_raw_fd(); MAX_DESCRIPTORS + 1];
    assert_eq!(send(here.as_fd(), b"x", &many).unwrap_err().kind(), ErrorKind::InvalidInput);
}

/// Descriptors travel with the first byte of a frame, however small the pieces are that it is read in.
#[test]
fn descriptors_come_with_frames_in_pieces() {
    let (here, there) = UnixStream::pair().unwrap();
    let files = files(2);
    let raw: Vec<RawFd> = files.iter().map(AsRawFd::as_raw_fd).collect();
    let frame = encode((1, vec![7; 500])).unwrap();
    send_all(here.as_fd(), &frame, &raw).unwrap();
    let mut assembly = fd::Assembly::default();
    let frame = loop {
        if let Some(frame) = assembly.take().unwrap() {
            break frame;
        }
        assembly.fill(|buffer, descriptors| receive(there.as_fd(), &mut buffer[..17], descriptors)).unwrap();
    };
    assert_eq!((frame.1, frame.2.len()), (vec![7; 500], 2));
}

/// One read may bring several frames: each is found, and descriptors are handed out in the order they were sent in.
#[test]
fn frames_that_come_together_are_taken_one_by_one() {
    let (here, there) = UnixStream::pair().unwrap();
    let files = files(3);
    let raw: Vec<RawFd> = files.iter().map(AsRawFd::as_raw_fd).collect();
    let sent: [(u8, usize, &[RawFd]); 5] =
        [(6, 50_000, &raw[..1]), (7, 8, &[]), (7, 0, &[]), (6, 40, &raw[1..2]), (2, 100, &raw[2..])];
    for (kind, length, descriptors) in sent {
        let frame = encode((kind, vec![kind; length])).unwrap();
        send_all(here.as_fd(), &frame, descriptors).unwrap();
    }
    drop(here);
    let mut assembly = fd::Assembly::default();
    for ((kind, length, descriptors), at) in sent.into_iter().zip(1..) {
        let first = assembly.receive_first(there.as_fd()).unwrap();
        assert_eq!(first, (kind, vec![kind; length]));
        let arrived = match at {
            5 => assembly.end().unwrap(),
            _ => assembly.next_descriptors(descriptors.len()),
        };
        assert_eq!(arrived.len(), descriptors.len());
        let sent = files.iter().filter(|file| descriptors.contains(&file.as_raw_fd()));
        assert!(sent.zip(&arrived).all(|(sent, arrived)| same_file(sent, arrived)));
    }
    assert!(matches!(assembly.receive_first(there.as_fd()), Err(WireError::Io(_))));
}

#[test]
fn the_last_frame_is_the_last() {
    let (here, there) = UnixStream::pair().unwrap();
    for kind in [1, 2] {
        send_all(here.as_fd(), &encode((kind, Vec::new())).unwrap(), &[]).unwrap();
    }
    let mut assembly = fd::Assembly::default();
    assembly.receive_first(there.as_fd()).unwrap();
    assert!(matches!(assembly.end(), Err(WireError::Malformed)));
    assert_eq!(assembly.receive_first(there.as_fd()).unwrap().0, 2);
    assert_eq!(assembly.end().unwrap().len(), 0);
}

#[test]
fn a_frame_larger_than_the_socket_goes_through() {
    let (here, there) = UnixStream::pair().unwrap();
    let frame = encode((1, vec![1; 4 << 20])).unwrap();
    let sender = std::thread::spawn(move || send_all(here.as_fd(), &frame, &[]).unwrap());
    assert_eq!(receive_frame(there.as_fd()).unwrap().1.len(), 4 << 20);
    sender.join().unwrap();
}

#[test]
fn a_peer_that_goes_away_is_an_error_on_both_sides() {
    let (here, there) = UnixStream::pair().unwrap();
    send_all(here.as_fd(), b"cachep", &[]).unwrap();
    drop(here);
    assert!(matches!(receive_frame(there.as_fd()), Err(WireError::Io(_))));
    // Not SIGPIPE, which would end the program.
    assert!(matches!(send_all(there.as_fd(), b"x", &[]), Err(WireError::Io(_))));
}

#[test]
fn the_peer_is_told() {
    let (here, _there) = UnixStream::pair().unwrap();
    let peer = peer(here.as_fd()).unwrap();
    assert_eq!((peer.uid, peer.pid), (own_uid(), std::process::id().cast_signed()));
}

/// Trap T230: a coordinator that is stopped accepts nobody and reads nothing. (A full queue of the listener ends
/// `connect` by the same limit; to fill one takes more descriptors than a test may have.)
#[test]
fn a_deaf_listener_is_not_waited_for_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let limit = Duration::from_millis(20);
    let first = fd::connect(&path, limit).unwrap();
    let sent = send_all(first.as_fd(), &vec![0; 8 << 20], &[]);
    assert!(matches!(sent, Err(WireError::Io(error)) if error.kind() == ErrorKind::WouldBlock));
    drop(listener);
}

#[test]
fn connect_tells_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let kind =
        |name: &str| fd::connect(&folder.path().join(name), Duration::from_secs(1)).unwrap_err().kind();
    assert_eq!(kind("absent"), ErrorKind::NotFound);
    assert_eq!(kind(&"x".repeat(108)), ErrorKind::InvalidInput);
    assert_eq!(kind("a\0b"), ErrorKind::InvalidInput);
    drop(UnixListener::bind(folder.path().join("dead")).unwrap());
    assert_eq!(kind("dead"), ErrorKind::ConnectionRefused);
}
