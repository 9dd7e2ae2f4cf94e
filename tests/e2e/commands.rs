//! The administration commands: texts, exit codes, and which of them start a coordinator.
use crate::harness::{COORDINATOR, Sandbox, finish};
use cachepot_client::start::start;
use cachepot_engine::stats::Stat;
use std::path::Path;

#[test]
fn stopping_never_starts_one() {
    let sandbox = Sandbox::new("stop");
    let stopped = sandbox.cachepot(["--stop-coordinator"]).fails_with(2);
    assert_eq!(stopped.stdout(), "Stopping cachepot server...\n");
    let _ = stopped.says(
        "cachepot: error: couldn't connect to server\ncachepot: caused by: No such file or directory (os error 2)\n",
    );
    assert!(sandbox.coordinators().is_empty());
}

#[test]
fn t240_a_wrong_setting_stops_commands_with_its_place() {
    let sandbox = Sandbox::new("config").config("[cache.disk]\nsise = 1\n");
    for option in ["--show-stats", "--start-coordinator", "--stop-coordinator", "--show-config"] {
        let said = sandbox.cachepot([option]).fails_with(2);
        assert_eq!(said.stdout(), "");
        assert!(said.stderr().starts_with("cachepot: error: "), "{said}");
        assert!(said.stderr().contains("/config:2: unknown key `cache.disk.sise`"), "{said}");
    }
    // A client does not read settings: it hears of them from the coordinator that it starts.
    let error = start(&sandbox.places(), &sandbox.env_block(), Path::new(COORDINATOR)).unwrap_err();
    assert!(error.to_string().contains("/config:2: unknown key"), "{error}");
}

#[test]
fn commands_that_need_a_coordinator_start_one() {
    for options in [["--show-stats"], ["--zero-stats"], ["--clear-cache"]] {
        let sandbox = Sandbox::new("on_demand");
        let finished = sandbox.cachepot(options).succeeds();
        assert_eq!(finished.stdout().is_empty(), options == ["--clear-cache"]);
        assert_eq!(sandbox.coordinators().len(), 1);
    }
}

#[test]
fn statistics_have_two_forms() {
    let sandbox = Sandbox::new("stats");
    let location = format!("Local disk: {:?}", sandbox.root().join("cache"));
    let text = sandbox.cachepot(["-s"]).succeeds().stdout();
    assert!(text.starts_with("Compile requests                      0\n"), "{text}");
    assert!(text.contains(&format!("\nCache location                  {location}\n")), "{text}");
    assert_eq!(sandbox.cachepot(["-z"]).succeeds().stdout(), text);
    assert_eq!(sandbox.cachepot(["-s", "--stats-format", "text"]).succeeds().stdout(), text);
    let json = sandbox.cachepot(["-s", "--stats-format=json"]).succeeds().stdout();
    assert!(json.starts_with("{\"stats\":{\"compile_requests\":0,"), "{json}");
    assert_eq!(sandbox.expect_stat(Stat::CacheHits, 0).stats().cache_location, location);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let sandbox = Sandbox::new("pipe");
    let _ = sandbox.shell("\"$CACHEPOT\" --show-config | true").succeeds();
    let _ = sandbox.shell("\"$CACHEPOT\" -s >/dev/full").fails_with(2);
}

#[test]
fn texts_and_exit_codes_of_the_rest() {
    let sandbox = Sandbox::new("rest");
    assert_eq!(sandbox.cachepot([]).fails_with(1).says("").stdout(), "cachepot: No compile command\n\n");
    assert_eq!(
        sandbox.cachepot(["--stats-format=json"]).fails_with(1).stdout(),
        "cachepot: No compile command\n\n"
    );
    let version = format!("cachepot {}\n", env!("CARGO_PKG_VERSION"));
    for option in ["-V", "--version"] {
        assert_eq!(sandbox.cachepot([option]).succeeds().stdout(), version);
    }
    for option in ["-h", "--help"] {
        let help = sandbox.cachepot([option]).succeeds().stdout();
        let features = help.split_once("\nEnabled features:\n    S3:        ").map(|(_, rest)| rest);
        assert!(features.is_some_and(|rest| rest.contains("\n    Redis:     true\n")), "{help}");
        assert!(!help.contains("--start-server"), "{help}");
    }
    for options in [["-s", "-z"], ["--start-server", "--stop-server"], ["-s", "--nonsense"], ["-s", "gcc"]] {
        let said = sandbox.cachepot(options).fails_with(2);
        assert!(said.stdout().is_empty() && said.stderr().starts_with("error: "), "{said}");
    }
    let _ = sandbox.cachepot(["--show-stats", "--stats-format=xml"]).fails_with(2);
    assert_eq!(sandbox.cachepot(["--dist-status"]).succeeds().stdout(), "{\"Disabled\":\"disabled\"}\n");
    for options in [vec!["--dist-auth"], vec!["--package-toolchain", "gcc", "out.tar"]] {
        let said = finish(sandbox.command(COORDINATOR).args(options)).fails_with(2).stderr();
        assert!(said.starts_with("cachepot: error: ") && said.contains("`dist-client`"), "{said}");
    }
    let shown = sandbox.cachepot(["--show-config"]).succeeds().stdout();
    assert!(
        shown.contains(&format!("{}  (CACHEPOT_DIR)\n", sandbox.root().join("cache").display())),
        "{shown}"
    );
    assert!(sandbox.coordinators().is_empty());
}
