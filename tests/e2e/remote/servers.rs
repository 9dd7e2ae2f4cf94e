//! Remotes that are servers: what several machines and users see of them.
use super::dav::Dav;
use super::{flush, objects, sandbox};
use crate::harness::Went::{Hit, Stored};
use crate::harness::{Sandbox, wait_until};
use cachepot_engine::stats::Stat;
use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

/// A server that takes connections and never answers: it costs the first requests a moment, and nothing after that.
#[test]
fn t266_t271_a_remote_that_never_answers_stops_nothing() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let sandbox = sandbox("silent").without("CACHEPOT_FOLDER");
    let sandbox = sandbox.env("CACHEPOT_REDIS", format!("redis://:s3cret@127.0.0.1:{port}"));
    sandbox.expect(Stored, "gcc -c a.c");
    sandbox.expect(Hit, "gcc -c a.c");
    sandbox.expect(Stored, "gcc -c -O1 a.c");
    let report = sandbox.stats();
    assert!(report.remotes[0].pending_writes == 2 && !format!("{report:?}").contains("s3cret"), "{report:?}");
    // What is pending at a dead remote keeps no coordinator.
    wait_until("the first try", || sandbox.stats().remotes[0].is_left_alone);
    let said = sandbox.cachepot(["--stop-coordinator"]).succeeds();
    assert!(said.stdout().contains("left alone"), "{said}");
}

/// A server that ends with the test.
struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A redis-server that asks for a password, in the sandbox's folder.
fn redis(sandbox: &Sandbox, port: u16) -> Server {
    let words =
        format!("--bind 127.0.0.1 --port {port} --requirepass s3cret --save  --appendonly no --dir .");
    let mut command = sandbox.command("redis-server");
    command.args(words.split(' ')).current_dir(sandbox.root());
    started(command, port)
}

fn started(mut command: Command, port: u16) -> Server {
    let server = Server(command.stdout(Stdio::null()).spawn().unwrap());
    wait_until("the server", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    server
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn t284_redis_is_shared_and_its_password_is_told_to_nobody() {
    let port = free_port();
    let one = sandbox("redis").without("CACHEPOT_FOLDER");
    let one = one.env("CACHEPOT_REDIS", format!("redis://:s3cret@127.0.0.1:{port}"));
    let one = one.env("CACHEPOT_LOG", "trace").env("CACHEPOT_ERROR_LOG", one_log());
    let server = redis(&one, port);
    one.expect(Stored, "gcc -c a.c");
    flush(&one);
    let other = one.on_machine("other");
    other.expect(Hit, "gcc -c a.c");
    for options in [["--show-stats"], ["--show-config"], ["--storage-check"]] {
        let said = other.cachepot(options).succeeds();
        assert!(said.stdout().contains("*****@127.0.0.1") && !said.stdout().contains("s3cret"), "{said}");
    }
    let log = fs::read_to_string(other.work().join(one_log())).unwrap();
    assert!(log.contains("hit") && !log.contains("s3cret"));
    // Killed in the middle of a build, and back again.
    drop(server);
    other.expect(Stored, "gcc -c -O1 a.c");
    other.expect(Stored, "gcc -c -O2 a.c");
    other.expect(Hit, "gcc -c a.c");
    let _server = redis(&other, port);
    flush(&other);
    other.on_machine("third").expect(Hit, "gcc -c -O2 a.c");
}

#[test]
fn t284_what_sccache_calls_these_settings_is_understood() {
    let port = free_port();
    let one = sandbox("names").without("CACHEPOT_FOLDER");
    let server = redis(&one, port);
    one.sh(&format!(
        "redis-cli -p {port} --no-auth-warning -a s3cret ACL SETUSER cache on '>p@ss/w0rd' '~cc:*' +getrange +set"
    ));
    let one = one.env("CACHEPOT_REDIS_ENDPOINT", format!("tcp://127.0.0.1:{port}"));
    let one = one.env("CACHEPOT_REDIS_USERNAME", "cache").env("CACHEPOT_REDIS_PASSWORD", "p@ss/w0rd");
    let one = one.env("CACHEPOT_REDIS_KEY_PREFIX", "cc:").env("CACHEPOT_REDIS_TTL", "600");
    one.expect(Stored, "gcc -c a.c");
    flush(&one);
    let other = one.on_machine("other").env("CACHEPOT_LOG", "trace").env("CACHEPOT_ERROR_LOG", one_log());
    other.expect(Hit, "gcc -c a.c");
    for options in [["--show-stats"], ["--show-config"], ["--storage-check"]] {
        let said = other.cachepot(options).succeeds();
        assert!(said.stdout().contains("127.0.0.1") && !said.stdout().contains("w0rd"), "{said}");
    }
    assert!(!fs::read_to_string(other.work().join(one_log())).unwrap().contains("w0rd"));
    let seconds = format!(
        "redis-cli -p {port} --no-auth-warning -a s3cret --scan | head -1 | xargs redis-cli -p {port} --no-auth-warning -a s3cret TTL"
    );
    let seconds = other.shell(&seconds).succeeds().stdout().trim().parse::<u32>().unwrap();
    assert!((500..=600).contains(&seconds), "{seconds}");
    // Twice is once too often.
    let twice = other.env("CACHEPOT_REDIS_ENDPOINT", format!("redis://:s3cret@127.0.0.1:{port}"));
    let said = twice.cachepot(["--storage-check"]).fails_with(2);
    assert!(said.stdout().contains("password: stands in the URL as well"), "{said}");
    assert!(!format!("{said}").contains("s3cret"), "{said}");
    let twice = twice.env("CACHEPOT_REDIS", "redis://elsewhere");
    let said = twice.cachepot(["--show-config"]).fails_with(2);
    let text = "`CACHEPOT_REDIS` and `CACHEPOT_REDIS_ENDPOINT` contradict each other";
    assert!(said.stderr().contains(text), "{said}");
    drop(server);
}

#[test]
fn t275_memcached_has_an_endpoint() {
    let port = free_port();
    let one = sandbox("memcached").without("CACHEPOT_FOLDER");
    let mut command = one.command("memcached");
    command.args(["-u", "root", "-l", "127.0.0.1", "-U", "0", "-p", &port.to_string()]);
    let _server = started(command, port);
    let one = one.config(&format!("[cache.memcached]\nendpoint = '127.0.0.1:{port}'\nexpiration = 600\n"));
    one.expect(Stored, "gcc -c a.c");
    flush(&one);
    let other = one.config("").on_machine("other");
    let other = other.env("CACHEPOT_MEMCACHED_ENDPOINT", format!("tcp://127.0.0.1:{port}"));
    other.expect(Hit, "gcc -c a.c");
}

fn one_log() -> &'static str {
    "../log"
}

#[test]
fn storage_check_says_what_is_wrong_and_how_to_mend_it() {
    let fine = sandbox("check");
    let said = fine.cachepot(["--storage-check"]).succeeds().stdout();
    assert_eq!(said.lines().filter(|line| line.contains(": can be read and written")).count(), 2, "{said}");
    let (port, nobody) = (free_port(), free_port());
    let wrong = fine.env("CACHEPOT_REDIS", format!("redis://:wr0ng@127.0.0.1:{port}"));
    let wrong = wrong.env("CACHEPOT_MEMCACHED", format!("tcp://127.0.0.1:{nobody}"));
    let _server = redis(&wrong, port);
    let said = wrong.cachepot(["--storage-check"]).fails_with(2);
    let (out, error) = (said.stdout(), said.stderr());
    assert!(
        out.contains("neither read nor written") && out.contains("check user, password and rights"),
        "{out}"
    );
    assert!(out.contains("cannot be reached") && out.contains("check address, port"), "{out}");
    assert!(error.contains("redis, memcached") && !format!("{out}{error}").contains("wr0ng"), "{error}");
    let unusable = wrong.env("CACHEPOT_REDIS", "http://:wr0ng@host");
    let said = unusable.cachepot(["--storage-check"]).fails_with(2).stdout();
    assert!(said.contains("its settings cannot be used: URL") && !said.contains("wr0ng"), "{said}");
    let said = unusable.cachepot(["--show-stats"]).succeeds().stdout();
    assert!(said.contains("redis: not used, because its settings cannot be: URL"), "{said}");
    assert!(said.contains("memcached: Memcached: ") && !said.contains("wr0ng"), "{said}");
}

#[test]
fn storage_check_says_what_the_server_limits_and_which_host_is_not_found() {
    let dav = Dav::start();
    dav.refuse_writes_above(1 << 20);
    let one = sandbox("limits").without("CACHEPOT_FOLDER").env("CACHEPOT_WEBDAV_ENDPOINT", &dav.address);
    let said = one.cachepot(["--storage-check"]).succeeds().stdout();
    assert!(said.contains("can be read and written") && said.contains("`client_max_body_size`"), "{said}");
    dav.refuse_writes_above(8 << 20);
    let said = one.cachepot(["--storage-check"]).succeeds().stdout();
    assert!(said.contains("can be read and written") && !said.contains("2 MiB"), "{said}");
    let lost = one.env("CACHEPOT_WEBDAV_ENDPOINT", "http://user:s3cret@no-such-host.invalid/a");
    let said = lost.cachepot(["--storage-check"]).fails_with(2).stdout();
    assert!(
        said.contains("the host `no-such-host.invalid` is not found") && !said.contains("s3cret"),
        "{said}"
    );
}

/// A server that says yes to all.
#[test]
fn t273_storage_check_compares_what_it_reads() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        }
    });
    let said = sandbox("yes").env("CACHEPOT_WEBDAV_ENDPOINT", address);
    let said = said.cachepot(["--storage-check"]).fails_with(2).stdout();
    assert!(said.contains("answers with something else"), "{said}");
}

#[test]
fn t272_one_that_takes_no_writes_is_read_and_the_others_are_written() {
    let port = free_port();
    let one = sandbox("no-writes").env("CACHEPOT_REDIS", format!("redis://:s3cret@127.0.0.1:{port}"));
    let _server = redis(&one, port);
    one.expect(Stored, "gcc -c a.c");
    flush(&one);
    one.sh(&format!(
        "redis-cli -p {port} --no-auth-warning -a s3cret ACL SETUSER reader on '>pw' '~*' +get +getrange"
    ));
    let other = one.on_machine("other").env("CACHEPOT_REDIS", format!("redis://reader:pw@127.0.0.1:{port}"));
    let before = objects(&other).len();
    // From Redis, with no folder beside it.
    let apart = other.env("CACHEPOT_CHAIN", "redis");
    apart.expect(Hit, "gcc -c a.c");
    let both = apart.on_machine("both").env("CACHEPOT_CHAIN", "redis, folder");
    both.expect(Stored, "gcc -c -O1 a.c");
    let stats = flush(&both);
    assert_eq!((objects(&both).len(), stats.count(Stat::RemoteWrites)), (before + 1, 1));
}

#[test]
fn a_read_fills_the_remotes_above() {
    let port = free_port();
    let one = sandbox("above");
    one.expect(Stored, "gcc -c a.c");
    flush(&one);
    let two = one.on_machine("two").env("CACHEPOT_REDIS", format!("redis://:s3cret@127.0.0.1:{port}"));
    let _server = redis(&two, port);
    let two = two.env("CACHEPOT_CHAIN", "redis folder");
    two.expect(Hit, "gcc -c a.c");
    wait_until("the write", || two.stats().stats.count(Stat::RemoteWrites) == 1);
    let three = two.on_machine("three").env("CACHEPOT_CHAIN", "redis");
    three.expect(Hit, "gcc -c a.c");
}
