//! Environment variables that rustc, Clippy and the linker read.
//!
//! What a compile asks for is observed and decides with the inputs whether its result stands. The key holds what would
//! otherwise lead to many results under one key, and what no observer sees: a variable read by the C library itself.
use crate::job::{Driver, Family, Job};
use cachepot_wire::EnvBlock;

/// Variables whose values enter the key of every Rust job, sorted.
pub const KEY_VARIABLES: &[&str] = &[
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "IPHONEOS_DEPLOYMENT_TARGET",
    "LLVM_OVERRIDE_PRODUCER",
    "MACOSX_DEPLOYMENT_TARGET",
    "NO_COLOR",
    "RUSTC_BOOTSTRAP",
    "RUSTC_FORCE_RUSTC_VERSION",
    "RUST_TARGET_PATH",
    "SDKROOT",
    "SOURCE_DATE_EPOCH",
    "TVOS_DEPLOYMENT_TARGET",
    "WATCHOS_DEPLOYMENT_TARGET",
    "XROS_DEPLOYMENT_TARGET",
];

/// Beginnings of the names that cargo gives to what a package says about itself. Its other variables hold paths or
/// the state of the build, and count only where a compile reads them.
const KEY_PREFIXES: [&str; 3] = ["CARGO_CFG_", "CARGO_FEATURE_", "CARGO_PKG_"];

/// Variables that enter the key under clippy-driver, too, sorted.
pub const CLIPPY_VARIABLES: &[&str] = &[
    "CARGO_PRIMARY_PACKAGE",
    "CLIPPY_ARGS",
    "CLIPPY_CONF_DIR",
    "CLIPPY_DISABLE_DOCS_LINKS",
    "CLIPPY_TERMINAL_WIDTH",
    "SYSROOT",
    "__CLIPPY_INTERNAL_TESTS",
];

/// Variables that enter the key where a linker runs, too, sorted: its warnings are in the user's language, which the C
/// library finds out without a call that could be observed.
pub const LINKER_VARIABLES: &[&str] = &["LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES"];

/// Variables that make a compile write further files or times, or see another clock than ours, sorted. Even an
/// empty value counts.
pub const REFUSED_VARIABLES: &[&str] = &["FAKETIME", "FAKETIME_TIMESTAMP_FILE", "LLD_REPRODUCE", "RUSTC_LOG"];

/// Variables that rustc and the linker always ask for and that reach no result of a compile that succeeds, sorted: the
/// jobserver, the folder for temporary files, the size of stacks, backtraces, and the terminal, which a compile
/// with its streams in pipes does not have. What was seen of them is no condition unless
/// the crate itself reads them, as its dep-info says; most change from build to build.
pub const INDIFFERENT_VARIABLES: &[&str] = &[
    "CARGO_MAKEFLAGS",
    "MAKEFLAGS",
    "MFLAGS",
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
    "RUST_MIN_STACK",
    "TEMP",
    "TERM",
    "TMP",
    "TMPDIR",
];

/// Beginnings of the names of variables that may change what rustc says to a question: its own, those of the loader and of
/// memory; and the variables among them that do not, sorted.
const OF_ANSWERS: [&str; 7] = ["GLIBC_", "LD_", "LLVM_", "MALLOC_", "RUSTC_", "RUST_", "_RJEM_"];
const NOT_OF_ANSWERS: [&str; 6] = [
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
    "RUST_RECURSION_COUNT",
    "RUST_TEST_THREADS",
];

/// Whether rustc answers under these variables as under none, but for where the loader finds its libraries
/// (`LD_LIBRARY_PATH`), of which the caller knows.
pub fn answers_as_ever(env: &EnvBlock) -> bool {
    env.iter().all(|(name, _)| {
        let name = name.to_string_lossy();
        name == "LD_LIBRARY_PATH"
            || NOT_OF_ANSWERS.binary_search(&&*name).is_ok()
            || !OF_ANSWERS.iter().any(|start| name.starts_with(start))
    })
}

/// Whether the value of a variable enters the key of a job.
pub fn is_key_variable(job: &Job, driver: &Driver, name: &str) -> bool {
    let is_in = |table: &[&str]| table.binary_search(&name).is_ok();
    is_in(KEY_VARIABLES)
        || KEY_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || (driver.family == Family::Clippy && is_in(CLIPPY_VARIABLES))
        || (is_in(LINKER_VARIABLES) && job.outputs.iter().any(|output| output.role.is_linked()))
}

/// Whether the user switched something on by a variable: any value but nothing and `0`.
pub fn is_on(env: &EnvBlock, variable: &str) -> bool {
    env.get(variable).is_some_and(|value| !value.is_empty() && value != "0")
}

/// The first variable set that makes a compile not cacheable.
pub(super) fn refused(env: &EnvBlock) -> Option<&'static str> {
    env.iter().find_map(|(name, _)| {
        let at = REFUSED_VARIABLES.binary_search(&name.to_str()?).ok()?;
        REFUSED_VARIABLES.get(at).copied()
    })
}
