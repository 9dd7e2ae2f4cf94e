//! Many clients, and clients that do not keep to the protocol.
use super::build::{Build, UNITS, plain_object};
use super::{CLIENT, HELD, compiler, expect_nobody};
use crate::harness::{COORDINATOR, Sandbox, finish, wait_for, wait_until};
use cachepot_engine::stats::Stat;
use cachepot_wire::{CompileRequest, Message, Reply, fd, frame};
use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

const CROWD: usize = 300;

/// Starts a crowd at once; each compiles one of `units` to a name of its own. All end well with the right bytes.
#[track_caller]
fn crowd(build: &Build, units: usize) {
    let mut clients: Vec<_> = (0..CROWD)
        .map(|number| {
            let unit = format!("u{:02}.c", 1 + number % units);
            let mut command = build.sandbox.command(CLIENT);
            command.args(["gcc", "-O1", "-Wall", "-Iinc", "-c", &unit, "-o", &format!("c{number}.o")]);
            command.stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    assert!(clients.iter_mut().all(|client| wait_for(client).success()));
    for number in 0..CROWD {
        let object = build.sandbox.work().join(format!("c{number}.o"));
        assert!(fs::read(&object).unwrap() == plain_object(1 + number % units), "{number}");
        fs::remove_file(object).unwrap();
    }
    expect_nobody(&build.sandbox);
}

#[test]
fn t217_t235_t324_three_hundred_first_clients_and_few_descriptors() {
    let build = Build::new("crowd");
    crowd(&build, 3);
    assert_eq!(build.sandbox.coordinators().len(), 1);
    let _ = build.sandbox.cachepot(["--stop-coordinator"]).succeeds();
    let limited = format!("ulimit -n 256; '{COORDINATOR}' --start-coordinator >/dev/null");
    let _ = finish(build.sandbox.command("/bin/sh").args(["-c", &limited])).succeeds();
    let pids = build.sandbox.coordinators();
    let before = build.sandbox.stats().stats.count(Stat::CacheHits);
    crowd(&build, 3);
    assert_eq!(build.sandbox.coordinators(), pids);
    let hits = build.sandbox.stats().stats.count(Stat::CacheHits) - before;
    assert!(hits > CROWD as u64 / 2, "{hits}\n{}", build.sandbox.cachepot(["-s"]).stdout());
    // Nothing is used up.
    build.run();
    assert!(build.again() >= UNITS as u64 - 1);
}

fn request(sandbox: &Sandbox, output: &str) -> Vec<u8> {
    let argv = ["gcc", "-c", "unit.c", "-o", output].map(Into::into).to_vec();
    let (cwd, env) = (sandbox.work(), sandbox.env_block());
    frame::encode(Message::Compile(CompileRequest { argv, cwd, env, stderr_is_terminal: false }).encode())
        .unwrap()
}

#[test]
fn t235_clients_that_vanish_give_everything_back() {
    let sandbox = compiler(Sandbox::new("vanish"), "cc1st", ":");
    let _ = sandbox.cachepot(["--start-coordinator"]).succeeds();
    let connect = || UnixStream::connect(sandbox.places().socket).unwrap();
    for round in 0..4 {
        // Eighty at a time in mid-compile, eighty that end in mid-request, eighty that say nothing.
        let mut open = Vec::new();
        for number in 0..80 {
            let bytes = request(&sandbox, &format!("v{round}-{number}.o"));
            let half = connect();
            (&half).write_all(&bytes[..bytes.len() / 2]).unwrap();
            let whole = connect();
            (&whole).write_all(&bytes).unwrap();
            open.push((half, whole, connect()));
        }
        for (_, whole, _) in &open {
            whole.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let (kind, payload, _) = fd::receive_frame(whole.as_fd()).unwrap();
            assert!(matches!(Reply::decode(kind, &payload).unwrap(), Reply::CompileAndTellMe(_)));
        }
    }
    let process = format!("/proc/{}/fd", sandbox.coordinators()[0]);
    wait_until("the descriptors", || fs::read_dir(&process).unwrap().count() < 60);
    for hits in [0, 1] {
        let _ = finish(sandbox.command(CLIENT).args(["gcc", "-c", "unit.c"])).succeeds();
        wait_until("the store", || sandbox.stats().stats.count(Stat::CacheWrites) == 1);
        sandbox.expect_stat(Stat::CacheHits, hits);
    }
}

#[test]
fn nonsense_on_the_socket_harms_nobody() {
    let sandbox = compiler(Sandbox::new("nonsense"), "cc1st", ":");
    let _ = sandbox.cachepot(["--start-coordinator"]).succeeds();
    let whole = request(&sandbox, "n.o");
    let mut texts: Vec<Vec<u8>> =
        vec![b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0; 4096], vec![0xff; 1 << 16]];
    // The right head with an enormous length, and with a payload that is none.
    texts.push([&whole[..25], &u32::MAX.to_le_bytes()].concat());
    texts.push([&whole[..29], &vec![0xff; whole.len() - 29][..]].concat());
    for text in texts {
        let stream = UnixStream::connect(sandbox.places().socket).unwrap();
        // It may have hung up before it has all.
        let _ = (&stream).write_all(&text);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // The end, or a reset where it did not read all.
        assert!(!matches!((&stream).read(&mut [0; 64]), Ok(1..)));
    }
    let _ = finish(sandbox.command(CLIENT).args(["gcc", "-c", "unit.c"])).succeeds();
    sandbox.expect_stat(Stat::CacheMisses, 1);
}

#[test]
fn t220_a_client_of_another_build_makes_the_coordinator_retire_unharmed() {
    let sandbox = compiler(Sandbox::new("other_build").file("hold", ""), "held", HELD);
    let line = ["./held", "-c", "unit.c"];
    let mut client = sandbox.command(CLIENT).args(line).spawn().unwrap();
    wait_until("the compiler", || sandbox.work().join("began").exists());
    let old = sandbox.coordinators();
    let mut other = request(&sandbox, "o.o");
    other[8] ^= 0xff;
    let stream = UnixStream::connect(sandbox.places().socket).unwrap();
    (&stream).write_all(&other).unwrap();
    // It answers with its own head, which is all that two builds understand of each other.
    let mut head = [0; 24];
    (&stream).read_exact(&mut head).unwrap();
    assert_eq!(head[8..], frame::BUILD_ID);
    wait_until("the socket to go", || !sandbox.places().socket.exists());
    // The next one starts a successor; the compile that runs is still the old one's.
    let _ = finish(sandbox.command(CLIENT).args(["gcc", "-c", "unit.c", "-o", "n.o"])).succeeds();
    assert_eq!(sandbox.coordinators().len(), 2);
    fs::remove_file(sandbox.work().join("hold")).unwrap();
    assert!(wait_for(&mut client).success());
    wait_until("the end of the old one", || !sandbox.coordinators().contains(&old[0]));
    let _ = finish(sandbox.command(CLIENT).args(line)).succeeds();
    // Stored by the old one, found by the new one.
    sandbox.expect_stat(Stat::CacheHits, 1);
}
