//! Settings of one call, settings of the coordinator, and what a build hears of them.
use crate::harness::Sandbox;
use crate::harness::Went::{Hit, Refused, Stored, Unasked};
use cachepot_engine::stats::Stat;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn t136_switched_off_by_the_call() {
    let sandbox = Sandbox::new("off").file("a.c", "int x;\n");
    sandbox.hits("gcc -c a.c");
    for value in ["1", "true", "yes"] {
        let plain = sandbox.plain("gcc -c a.c");
        let off =
            sandbox.plain(format!("env CACHEPOT_DISABLE={value} {} gcc -c a.c", crate::harness::CLIENT));
        assert_eq!(plain, off);
    }
    let sandbox = sandbox.env("CACHEPOT_DISABLE", "1");
    sandbox.expect(Unasked, "gcc -c a.c");
    for value in ["0", ""] {
        let sandbox = Sandbox::new("not_off").file("a.c", "int x;\n").env("CACHEPOT_DISABLE", value);
        sandbox.hits("gcc -c a.c");
    }
}

#[test]
fn the_log_tells_what_came_of_each_call() {
    let sandbox = Sandbox::new("told").file("a.c", "int x;\n").env("CACHEPOT_LOG", "debug");
    let log = sandbox.root().join("log");
    let sandbox = sandbox.env("CACHEPOT_ERROR_LOG", &log);
    sandbox.hits("gcc -c a.c");
    sandbox.expect(Refused("multiple input files"), "gcc -c a.c a.c");
    let text = std::fs::read_to_string(&log).unwrap();
    for expected in ["miss source=a.c", "hit source=a.c", "not cacheable reason=\"multiple input files\""] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn t136_recache_takes_the_place_of_what_is_there() {
    let sandbox = Sandbox::new("recache").file("a.c", "int x;\n");
    sandbox.hits("gcc -c a.c");
    let sandbox = sandbox.env("CACHEPOT_RECACHE", "1");
    sandbox.expect(Stored, "gcc -c a.c");
    sandbox.expect(Stored, "gcc -c a.c");
    let sandbox = sandbox.without("CACHEPOT_RECACHE");
    sandbox.expect(Hit, "gcc -c a.c").file("a.o");
    sandbox.expect_stat(Stat::ForcedRecaches, 2);
}

#[test]
fn t240_a_wrong_setting_costs_no_compile() {
    let wrong = Sandbox::new("wrong").config("[cache.disk]\nsise = 1\n").file("a.c", "int x;\n");
    let plain = wrong.plain("gcc -c a.c");
    let line = format!("{} gcc -c a.c", crate::harness::CLIENT);
    let seen = wrong.plain(&*line);
    assert_eq!(plain.file("a.o"), seen.file("a.o"));
    assert!(wrong.coordinators().is_empty());
}

#[test]
fn t286_sizes_have_one_form() {
    let sizes = [
        ("10G", 10u64 << 30),
        ("10GiB", 10 << 30),
        ("512M", 512 << 20),
        ("2048K", 2 << 20),
        ("1048576", 1 << 20),
    ];
    for (text, bytes) in sizes {
        let sandbox = Sandbox::new("sizes").env("CACHEPOT_CACHE_SIZE", text);
        assert_eq!(sandbox.stats().max_cache_size, Some(bytes), "{text}");
        let sandbox = Sandbox::new("sizes").config(&format!("[cache.disk]\nsize = \"{text}\"\n"));
        assert_eq!(sandbox.stats().max_cache_size, Some(bytes), "{text}");
    }
}

#[test]
fn results_survive_the_coordinator() {
    let sandbox = Sandbox::new("survive").file("a.c", "int x;\n");
    sandbox.hits("gcc -c a.c");
    let _ = sandbox.cachepot(["--stop-coordinator"]).succeeds();
    let (_, _) = sandbox.cached("gcc -c a.c");
    sandbox.expect(Hit, "gcc -c a.c");
    sandbox.expect_stat(Stat::CacheWrites, 1).expect_stat(Stat::CacheHits, 3);
}

/// The lines to paste of a page: variables and a configuration file.
fn examples(page: &str) -> (Vec<(String, String)>, String) {
    let block = |language: &str| {
        let (_, rest) = page.split_once(&format!("```{language}\n"))?;
        Some(rest.split_once("```")?.0.to_owned())
    };
    let variables = block("sh").unwrap();
    let variables = variables.lines().map(|line| {
        let (name, value) = line.strip_prefix("export ").and_then(|line| line.split_once('=')).unwrap();
        (name.to_owned(), value.trim_matches('"').to_owned())
    });
    (variables.collect(), block("toml").unwrap())
}

#[test]
fn the_examples_of_all_remotes_are_taken() {
    let pages = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/storage")).unwrap().flatten();
    let mut count = 0;
    for page in pages {
        let name = page.file_name().into_string().unwrap();
        let name = name.strip_suffix(".md").unwrap();
        let (variables, file) = examples(&fs::read_to_string(page.path()).unwrap());
        let from_file = Sandbox::new("example").config(&file);
        fs::set_permissions(from_file.root().join("config"), fs::Permissions::from_mode(0o600)).unwrap();
        let from_variables =
            variables.iter().fold(Sandbox::new("example"), |sandbox, (name, value)| sandbox.env(name, value));
        for sandbox in [from_file, from_variables] {
            let said = sandbox.cachepot(["--show-config"]).succeeds();
            assert!(
                said.stderr().is_empty() && said.stdout().contains(&format!("cache.{name}.")),
                "{name}: {said}"
            );
            assert!(
                !said.stdout().contains("secret") && !said.stdout().contains("password@"),
                "{name}: {said}"
            );
            // They are enough to make one.
            let remotes = sandbox.stats().remotes;
            let usable = remotes.iter().filter(|one| one.unusable.is_none());
            assert_eq!(usable.map(|one| &*one.name).collect::<Vec<_>>(), [name]);
        }
        count += 1;
    }
    assert_eq!(count, 7);
}
