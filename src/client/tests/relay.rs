//! Streams passed on.
use crate::relay::{Relay, write_whole};
use std::io::{Read, Write, pipe};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// Whether the other side of a pipe is closed, which is what ends a compiler that writes on.
fn is_refused(mut writer: impl Write) -> bool {
    // Test programs ignore SIGPIPE.
    writer.write_all(b"x").is_err()
}

#[test]
fn bytes_are_passed_on_and_kept() {
    let (from, mut compiler) = pipe().unwrap();
    let (mut reader, to) = pipe().unwrap();
    let mut relay = Relay::new(from, to.as_fd());
    compiler.write_all(b"one\xff\0").unwrap();
    assert_eq!(relay.step(), 5);
    compiler.write_all(b"two").unwrap();
    drop(compiler);
    while relay.descriptor().is_some() {
        relay.step();
    }
    assert_eq!((relay.kept.as_slice(), relay.cut), (&b"one\xff\0two"[..], false));
    drop(relay);
    drop(to);
    let mut seen = Vec::new();
    reader.read_to_end(&mut seen).unwrap();
    assert_eq!(seen, b"one\xff\0two");
}

/// Trap T228: nobody reads any more, so the compiler meets a closed pipe as it would without us.
#[test]
fn a_closed_reader_closes_the_compiler_s_pipe() {
    let (from, mut compiler) = pipe().unwrap();
    let (reader, to) = pipe().unwrap();
    drop(reader);
    let mut relay = Relay::new(from, to.as_fd());
    compiler.write_all(b"text").unwrap();
    relay.step();
    assert!(relay.descriptor().is_none() && relay.cut);
    assert!(is_refused(compiler));
}

/// Trap T93: more than is kept is still passed on.
#[test]
fn long_streams_are_passed_on_but_not_kept() {
    let (from, mut compiler) = pipe().unwrap();
    let null = std::fs::File::create("/dev/null").unwrap();
    let mut relay = Relay::new(from, null.as_fd());
    let writer = std::thread::spawn(move || {
        for _ in 0..33 {
            compiler.write_all(&vec![b'x'; 1 << 20]).unwrap();
        }
    });
    let mut total = 0;
    while relay.descriptor().is_some() {
        total += relay.step();
    }
    writer.join().unwrap();
    assert_eq!(total, 33 << 20);
    assert!(relay.cut && relay.kept.len() <= 32 << 20);
}

/// A terminal that another program made non-blocking loses nothing.
#[test]
fn non_blocking_streams_are_waited_for() {
    let (here, mut there) = UnixStream::pair().unwrap();
    here.set_nonblocking(true).unwrap();
    let writer = std::thread::spawn(move || write_whole(&here, &vec![7; 4 << 20]).unwrap());
    let mut seen = Vec::new();
    there.read_to_end(&mut seen).unwrap();
    writer.join().unwrap();
    assert_eq!(seen.len(), 4 << 20);
}
