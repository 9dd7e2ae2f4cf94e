//! How coordinators begin and end.
use crate::harness::{CLIENT, COORDINATOR, Sandbox, finish, wait_for, wait_until};
use cachepot_client::start::{
    StartError, coordinator_program, jobserver_descriptors, replace, start, start_new,
};
use cachepot_wire::EnvBlock;
use cachepot_wire::fd::{own_uid, peer};
use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

const STARTING: &str = "cachepot: Starting the server...\n";

#[test]
fn t219_starts_once_stops_and_starts_again() {
    let sandbox = Sandbox::new("start_stop");
    let socket = sandbox.places().socket;
    let started = sandbox.cachepot(["--start-coordinator"]).succeeds();
    assert_eq!(started.stdout(), format!("{STARTING}cachepot: Listening on socket {}\n", socket.display()));
    let first = sandbox.coordinators();
    assert_eq!(first.len(), 1);

    let twice = sandbox.cachepot(["--start-server"]).fails_with(2);
    assert_eq!(twice.stdout(), STARTING);
    let _ = twice.says("cachepot: error: Coordinator startup failed: Address in use\n");

    let stopped = sandbox.cachepot(["--stop-coordinator"]).succeeds().stdout();
    assert!(
        stopped.starts_with("Stopping cachepot server...\nCompile requests                      0\n"),
        "{stopped}"
    );
    assert!(!socket.exists());
    assert!(sandbox.coordinators().is_empty());

    let _ = sandbox.cachepot(["--start-server"]).succeeds();
    assert_ne!(sandbox.coordinators(), first);
    let _ = sandbox.cachepot(["--stop-server"]).succeeds();
}

#[test]
fn the_default_socket_is_private_and_not_mentioned() {
    let sandbox = Sandbox::new("default").without("CACHEPOT_SERVER_UDS");
    assert_eq!(sandbox.cachepot(["--start-coordinator"]).succeeds().stdout(), STARTING);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let places = sandbox.places();
    assert_eq!(places.folder, sandbox.root().join("run/cachepot"));
    assert_eq!((mode(&places.folder), mode(&places.socket)), (0o700, 0o600));
    let _ = sandbox.cachepot(["--stop-coordinator"]).succeeds();

    let numbered = sandbox.env("CACHEPOT_COORDINATOR_PORT", "4227");
    let started = numbered.cachepot(["--start-coordinator"]).succeeds().stdout();
    assert!(started.ends_with("/run/cachepot/coordinator-4227.sock\n"), "{started}");
    assert!(!places.socket.exists());
}

#[test]
fn t217_a_hundred_commands_at_once_share_one_coordinator() {
    let sandbox = Sandbox::new("hundred");
    let mut children: Vec<_> = (0..100)
        .map(|_| {
            let mut command = sandbox.command(COORDINATOR);
            command.arg("--show-stats").stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for child in &mut children {
        assert!(wait_for(child).success());
    }
    assert_eq!(sandbox.coordinators().len(), 1);
}

#[test]
fn t217_three_hundred_clients_at_once_reach_the_same_coordinator() {
    let sandbox = Sandbox::new("clients");
    let (places, env, gate) = (sandbox.places(), sandbox.env_block(), Barrier::new(300));
    let client = || {
        gate.wait();
        peer(start(&places, &env, Path::new(COORDINATOR)).unwrap().as_fd()).unwrap().pid
    };
    let pids: Vec<i32> = thread::scope(|scope| {
        let clients: Vec<_> = (0..300).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let running = sandbox.coordinators();
    assert_eq!(running.len(), 1);
    assert!(pids.iter().all(|&pid| pid.cast_unsigned() == running[0]));
}

#[test]
fn of_many_explicit_starts_one_succeeds() {
    let sandbox = Sandbox::new("explicit");
    let mut children: Vec<_> = (0..30)
        .map(|_| {
            let mut command = sandbox.command(COORDINATOR);
            command.arg("--start-coordinator").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    let codes: Vec<_> = children.iter_mut().map(|child| wait_for(child).code().unwrap()).collect();
    assert_eq!(codes.iter().filter(|&&code| code == 0).count(), 1, "{codes:?}");
    assert!(codes.iter().all(|&code| code == 0 || code == 2), "{codes:?}");
    assert_eq!(sandbox.coordinators().len(), 1);
}

#[test]
fn t218_a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let sandbox = Sandbox::new("stale");
    let socket = sandbox.places().socket;
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    let _ = sandbox.cachepot(["--show-stats"]).succeeds();

    // Killed: it leaves its socket file behind.
    let killed = sandbox.coordinators()[0];
    let _ = sandbox.shell(&format!("kill -KILL {killed}")).succeeds();
    wait_until("the end of the coordinator", || UnixStream::connect(&socket).is_err());
    assert!(socket.exists());
    let _ = sandbox.cachepot(["--show-stats"]).succeeds();

    let mut foreground = sandbox.command(COORDINATOR);
    foreground.env("CACHEPOT_START_COORDINATOR", "1").env("CACHEPOT_NO_DAEMON", "1");
    let _ = finish(&mut foreground).fails_with(2).says("cachepot: error: Address in use\n");
    assert_eq!(sandbox.coordinators().len(), 1);
    let _ = sandbox.cachepot(["--show-stats"]).succeeds();
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let sandbox = Sandbox::new("file");
    let socket = sandbox.places().socket;
    fs::write(&socket, "precious").unwrap();
    let said = sandbox.cachepot(["--show-stats"]).fails_with(2).stderr();
    assert!(said.contains("is there and is no socket; remove it or set CACHEPOT_SERVER_UDS"), "{said}");
    assert_eq!(fs::read(&socket).unwrap(), b"precious");
}

#[test]
fn t222_t223_the_coordinator_holds_nothing_of_the_build() {
    let sandbox = Sandbox::new("descriptors");
    // The pipeline ends although a coordinator was started in it; so does `finish`, which reads both streams.
    let line = "exec 7>/dev/null 9<&0; { \"$CACHEPOT\" --start-coordinator; \"$CACHEPOT\" -s; } 2>&1 | cat";
    let _ = sandbox.shell(line).succeeds();
    let process = Path::new("/proc").join(sandbox.coordinators()[0].to_string());
    assert_eq!(fs::read_link(process.join("cwd")).unwrap(), Path::new("/"));
    for entry in fs::read_dir(process.join("fd")).unwrap() {
        let path = entry.unwrap().path();
        let number: i32 = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let Ok(target) = fs::read_link(&path) else { continue };
        let target = target.to_string_lossy().into_owned();
        if number <= 2 {
            assert_eq!(target, "/dev/null");
        } else {
            let is_own = ["socket:", "anon_inode:", "pipe:"].iter().any(|kind| target.starts_with(kind))
                || target.starts_with(&*sandbox.root().join("cache").to_string_lossy())
                // Its own jobserver, in its private folder.
                || target.contains(".sock.d/jobserver-");
            assert!(is_own, "{number} -> {target}");
        }
    }
    // Its own session: field 6 of stat, counted after the name.
    let session = |stat: String| stat.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap().to_owned();
    let ours = session(fs::read_to_string("/proc/self/stat").unwrap());
    assert_ne!(session(fs::read_to_string(process.join("stat")).unwrap()), ours);
}

#[test]
fn t242_starting_leaves_no_zombie() {
    let sandbox = Sandbox::new("zombie");
    drop(start(&sandbox.places(), &sandbox.env_block(), Path::new(COORDINATOR)).unwrap());
    let parent = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse::<u32>().unwrap()
    };
    assert_ne!(parent(sandbox.coordinators()[0]), std::process::id());
}

#[test]
fn an_early_death_is_noticed_at_once_and_remembered_for_a_moment() {
    let sandbox = Sandbox::new("death");
    let (places, env) = (sandbox.places(), sandbox.env_block());
    let begin = Instant::now();
    let error = start(&places, &env, Path::new("/bin/true")).unwrap_err();
    assert!(matches!(error, StartError::Ended), "{error}");
    let error = start(&places, &env, Path::new(COORDINATOR)).unwrap_err();
    assert!(matches!(error, StartError::FailedBefore(_)), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(5));
    // The user's own order is tried in any case, and its success is known to all.
    let stream = start_new(&places, &env, Path::new(COORDINATOR)).unwrap();
    assert!(peer(start(&places, &env, Path::new("/bin/true")).unwrap().as_fd()).is_ok());
    assert!(matches!(start_new(&places, &env, Path::new(COORDINATOR)), Err(StartError::AddressInUse)));
    drop(stream);
}

#[test]
fn a_missing_program_is_named_as_such() {
    let sandbox = Sandbox::new("missing");
    let error =
        start(&sandbox.places(), &sandbox.env_block(), Path::new("/nonexistent/coordinator")).unwrap_err();
    assert_eq!(error.to_string(), "Coordinator startup failed: the program does not exist");
}

#[test]
fn t220_a_coordinator_is_replaced_once() {
    let sandbox = Sandbox::new("replace");
    let (places, env, program) = (sandbox.places(), sandbox.env_block(), Path::new(COORDINATOR));
    let pid = |stream: UnixStream| peer(stream.as_fd()).unwrap().pid;
    let old = pid(start(&places, &env, program).unwrap());
    let successors: Vec<i32> = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..20).map(|_| scope.spawn(|| pid(replace(&places, &env, program, old).unwrap()))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert!(successors.iter().all(|&new| new == successors[0] && new != old), "{old} {successors:?}");
    wait_until("the end of the old one", || sandbox.coordinators() == [successors[0].cast_unsigned()]);
}

#[test]
fn a_folder_that_cannot_be_used_is_told() {
    let sandbox = Sandbox::new("folder").env("CACHEPOT_SERVER_UDS", "/proc/cachepot/c.sock");
    let said = sandbox.cachepot(["--show-stats"]).fails_with(2).stderr();
    assert!(said.starts_with("cachepot: error: use the folder `/proc/cachepot` for the socket: "), "{said}");

    let sandbox = sandbox.file("plain", "").env("CACHEPOT_SERVER_UDS", "plain/c.sock");
    let said = sandbox.cachepot(["--start-coordinator"]).fails_with(2).stderr();
    assert!(said.starts_with("cachepot: error: use the "), "{said}");
}

#[test]
fn t237_the_folder_of_another_user_is_refused() {
    if own_uid() != 0 {
        eprintln!("skipped: only root can make a folder of another user");
        return;
    }
    let sandbox = Sandbox::new("other_user");
    std::os::unix::fs::chown(sandbox.root().join("run"), Some(12345), None).unwrap();
    let said = sandbox.cachepot(["--show-stats"]).fails_with(2).stderr();
    assert!(said.contains("it belongs to user 12345"), "{said}");
    assert!(sandbox.coordinators().is_empty());
}

#[test]
fn t238_a_path_too_long_for_a_socket_still_works() {
    let sandbox = Sandbox::new("long");
    let long = sandbox.root().join("run").join("x".repeat(120));
    let sandbox = sandbox.env("CACHEPOT_SERVER_UDS", long);
    let _ = sandbox.cachepot(["--show-stats"]).succeeds();
    let _ = sandbox.cachepot(["--stop-coordinator"]).succeeds();
    for left in [sandbox.places().lock, sandbox.places().socket.with_extension("sock.bind")] {
        fs::remove_file(left).unwrap();
    }
}

#[test]
fn t239_a_missing_home_is_a_warning() {
    for home in [None, Some(""), Some("/nonexistent")] {
        let sandbox =
            Sandbox::new("home").without("HOME").without("CACHEPOT_CONF").without("XDG_RUNTIME_DIR");
        let runtime = sandbox.root().join("run").into_os_string();
        let sandbox = sandbox.env("TMPDIR", runtime);
        let sandbox = match home {
            Some(home) => sandbox.env("HOME", home),
            None => sandbox,
        };
        let shown = sandbox.cachepot(["--show-stats"]).fails_with(0);
        assert!(shown.stdout().starts_with("Compile requests "), "{shown}");
        assert!(shown.stderr().is_empty() || shown.stderr().starts_with("cachepot: warning: "), "{shown}");
    }
}

#[test]
fn t224_a_removed_directory_is_no_obstacle() {
    let sandbox = Sandbox::new("removed");
    let line = "mkdir gone && cd gone && rmdir ../gone && \"$CACHEPOT\" --show-stats >/dev/null";
    let _ = sandbox.shell(line).succeeds();
}

#[test]
fn the_error_log_is_relative_to_where_the_user_is() {
    let sandbox = Sandbox::new("log").env("CACHEPOT_ERROR_LOG", "logs/here.log").env("CACHEPOT_LOG", "warn");
    let sandbox = sandbox.env("CACHEPOT_COORDINATOR_PORT", "junk");
    let _ = sandbox.cachepot(["--start-coordinator"]).fails_with(0);
    let log = fs::read_to_string(sandbox.work().join("logs/here.log")).unwrap();
    let line = log.lines().next().unwrap();
    let pid = sandbox.coordinators()[0];
    // 2024-05-01T12:00:00.123 WARN  [PID 1]    coordinator `CACHEPOT_COORDINATOR_PORT` ...
    let (time, rest) = line.split_at(23);
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000");
    assert!(
        rest.starts_with(&format!(" WARN  [PID {pid}]    coordinator `CACHEPOT_COORDINATOR_PORT`")),
        "{line}"
    );
}

#[test]
fn an_error_log_that_cannot_be_opened_is_reported() {
    let sandbox = Sandbox::new("bad_log").env("CACHEPOT_ERROR_LOG", "/proc/cachepot.log");
    let said = sandbox.cachepot(["--start-coordinator"]).fails_with(2).stderr();
    let expected = "cachepot: error: Coordinator startup failed: open the error log `/proc/cachepot.log`: ";
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn in_the_foreground_it_stays_until_it_is_stopped() {
    for variable in ["CACHEPOT_START_COORDINATOR", "CACHEPOT_START_SERVER"] {
        let sandbox = Sandbox::new("foreground");
        let mut command = sandbox.command(COORDINATOR);
        let mut foreground = command.env(variable, "1").env("CACHEPOT_NO_DAEMON", "1").spawn().unwrap();
        wait_until("the socket", || UnixStream::connect(sandbox.places().socket).is_ok());
        assert_eq!(sandbox.coordinators(), [foreground.id()]);
        // A client that inherits the variable starts a background one all the same; here it finds this one.
        let sandbox = sandbox.env("CACHEPOT_NO_DAEMON", "1");
        let _ = sandbox.cachepot(["--show-stats"]).succeeds();
        let _ = sandbox.cachepot(["--stop-coordinator"]).fails_with(0);
        assert!(wait_for(&mut foreground).success());
    }
}

#[test]
fn by_the_variable_alone_it_goes_to_the_background() {
    let sandbox = Sandbox::new("background");
    let _ = finish(sandbox.command(COORDINATOR).env("CACHEPOT_START_SERVER", "1")).succeeds();
    assert_eq!(sandbox.coordinators().len(), 1);
}

#[test]
fn t234_only_a_jobserver_that_is_really_there_is_found() {
    let (read, write) = std::io::pipe().unwrap();
    let pair = [read.as_raw_fd(), write.as_raw_fd()];
    let found = |flags: String| {
        jobserver_descriptors(&EnvBlock::from_pairs([(OsStr::new("MAKEFLAGS"), OsStr::new(&flags))]))
    };
    assert_eq!(found(format!(" -j8 --jobserver-auth={},{}", pair[0], pair[1])), pair);
    assert_eq!(found(format!("w -- --jobserver-fds={},{}", pair[0], pair[1])), pair);
    for none in
        ["", " -j8 --jobserver-auth=fifo:/tmp/GMfifo1", "--jobserver-auth=-2,-2", "--jobserver-auth=0,1"]
    {
        assert!(found(none.to_owned()).is_empty());
    }
    assert!(found(format!("--jobserver-auth={},9999", pair[0])).is_empty());
}

#[test]
fn t234_a_coordinator_started_by_a_build_has_nothing_of_its_jobserver() {
    let sandbox = Sandbox::new("jobserver");
    let makefile = "stats:\n\t+\"$(CACHEPOT)\" --show-stats >/dev/null\nstart:\n\t+\"$(CACHEPOT)\" --start-coordinator\n";
    let sandbox = sandbox.file("Makefile", makefile);
    let make = |target: &str| {
        let mut make = sandbox.command("make");
        make.env("CACHEPOT", COORDINATOR).args(["-sj3", target]).stdin(Stdio::null());
        finish(&mut make).succeeds()
    };
    for target in ["stats", "start"] {
        // Make ends: it waits for whoever holds its pipe.
        let _ = make(target);
        let process = Path::new("/proc").join(sandbox.coordinators()[0].to_string());
        let environment = fs::read(process.join("environ")).unwrap();
        assert!(!String::from_utf8_lossy(&environment).contains("MAKEFLAGS"));
        let _ = sandbox.cachepot(["--stop-coordinator"]).succeeds();
    }
}

#[test]
fn the_coordinator_is_found_beside_the_client() {
    let found = coordinator_program(Some(&Path::new(COORDINATOR).with_file_name("cachepot")));
    assert_eq!(found.unwrap(), Path::new(COORDINATOR));
}

#[test]
fn a_stop_that_nobody_waits_for_is_one_all_the_same() {
    let slow = "#!/bin/sh\nwhile [ -e busy ]; do sleep 0.05; done\nexec gcc \"$@\"\n";
    let sandbox = Sandbox::new("unattended").file("a.c", "int a;\n").file("slow", slow);
    let _ = sandbox.shell(&format!("chmod +x slow && {CLIENT} ./slow -c a.c && touch busy")).succeeds();
    let mut compile = sandbox.command(CLIENT).args(["./slow", "-c", "a.c", "-DA"]).spawn().unwrap();
    let mut stop = sandbox.command(COORDINATOR).arg("--stop-coordinator").spawn().unwrap();
    // It waits for the compile, and is given up by then.
    thread::sleep(Duration::from_secs(1));
    stop.kill().unwrap();
    stop.wait().unwrap();
    let _ = sandbox.shell("rm busy").succeeds();
    assert!(wait_for(&mut compile).success());
    wait_until("the end of the coordinator", || sandbox.coordinators().is_empty());
}
