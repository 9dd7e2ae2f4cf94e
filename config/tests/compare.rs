//! What a client is told whose settings differ.

use crate::{Environment, differences};

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::new(variables.iter().copied(), 1000)
}

#[test]
fn only_what_the_coordinator_reads_at_start_is_compared() {
    let client = environment(&[
        ("PATH", "/bin"),
        ("RUST_LOG", "trace"),
        ("CACHEPOT_RECACHE", "1"),
        ("CACHEPOT_NO_DAEMON", "1"),
        ("CACHEPOT_SERVER_UDS", "/run/s"),
        ("CACHEPOT_COORDINATOR_PORT", "4000"),
        ("CACHEPOT_ERROR_LOG", ""),
        ("CACHEPOT_MAX_FRAME_LENGTH", "1G"),
        ("CACHEPOT_CACHED_CONF", "/else"),
        ("CACHEPOT_CACHE_SIZE", "10G"),
        ("CACHEPOT_DIR", "relative"),
    ]);
    let found = differences(&environment(&[]), &client);
    let found: Vec<_> = found.iter().map(|one| (one.variable, one.client.as_deref().unwrap())).collect();
    assert_eq!(found, [("CACHEPOT_DIR", "relative"), ("CACHEPOT_CACHE_SIZE", "10737418240 (10 GiB)")]);
}

#[test]
fn differences_name_the_variable_and_both_values() {
    let started = environment(&[("CACHEPOT_DIR", "/a"), ("CACHEPOT_LOG", "info")]);
    let client =
        environment(&[("CACHEPOT_DIR", "/b"), ("CACHEPOT_CACHE_SIZE", "junk"), ("CACHEPOT_RECACHE", "1")]);
    let found: Vec<String> = differences(&started, &client).iter().map(ToString::to_string).collect();
    let advice = "`cachepot --stop-coordinator` lets the next compile start one with the new value";
    assert_eq!(
        found,
        [
            format!("`CACHEPOT_DIR` is `/b` here but `/a` in the running coordinator; {advice}"),
            format!("`CACHEPOT_CACHE_SIZE` is `junk` here but not set in the running coordinator; {advice}"),
            format!("`CACHEPOT_LOG` is not set here but `info` in the running coordinator; {advice}"),
        ]
    );
}

#[test]
fn other_spellings_of_a_value_are_no_difference() {
    let started = environment(&[("CACHEPOT_CACHE_SIZE", "10G"), ("CACHEPOT_IDLE_TIMEOUT", "10m")]);
    let client = environment(&[("CACHEPOT_CACHE_SIZE", " 10240 MiB"), ("CACHEPOT_IDLE_TIMEOUT", "600")]);
    assert_eq!(differences(&started, &client), []);
    // Nor are other names.
    let started = environment(&[("CACHEPOT_REDIS_ENDPOINT", "h"), ("CACHEPOT_REDIS_TTL", "60")]);
    let client = environment(&[("CACHEPOT_REDIS", "h"), ("CACHEPOT_REDIS_TTL", "50")]);
    let found: Vec<_> = differences(&started, &client).iter().map(|one| one.variable).collect();
    assert_eq!(found, ["CACHEPOT_REDIS_TTL"]);
}
