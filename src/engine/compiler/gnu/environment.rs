//! Environment variables that gcc, clang and what they start read.
use crate::job::{Driver, Family};
use cachepot_wire::EnvBlock;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Variables that list folders in which gcc and clang search for headers; [`KEY_VARIABLES`] holds them, too.
pub const FOLDER_VARIABLES: [&str; 5] =
    ["CPATH", "CPLUS_INCLUDE_PATH", "C_INCLUDE_PATH", "OBJCPLUS_INCLUDE_PATH", "OBJC_INCLUDE_PATH"];

/// Variables whose values enter the key of a C-family job, sorted. `PWD` is not among them: it enters by
/// [`crate::job::Job::key_directory`] where it can reach an output.
pub const KEY_VARIABLES: &[&str] = &[
    "CLANG_NO_DEFAULT_CONFIG",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COMPILER_PATH",
    "CPATH",
    "CPLUS_INCLUDE_PATH",
    "C_INCLUDE_PATH",
    "DEVELOPER_DIR",
    "DRIVERKIT_DEPLOYMENT_TARGET",
    "EXTERNAL_INCLUDE",
    "GCC_COLORS",
    "GCC_EXEC_PREFIX",
    "GCC_EXTRA_DIAGNOSTIC_OUTPUT",
    "GCC_ROOT",
    "GCC_URLS",
    "GCONV_PATH",
    "INCLUDE",
    "IPHONEOS_DEPLOYMENT_TARGET",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LLVM_OVERRIDE_PRODUCER",
    "MACOSX_DEPLOYMENT_TARGET",
    "NO_COLOR",
    "OBJCPLUS_INCLUDE_PATH",
    "OBJC_INCLUDE_PATH",
    "POSIXLY_CORRECT",
    "RC_DEBUG_OPTIONS",
    "RC_DEBUG_PREFIX_MAP",
    "SDKROOT",
    "SOURCE_DATE_EPOCH",
    "TERM_URLS",
    "TVOS_DEPLOYMENT_TARGET",
    "TZ",
    "TZDIR",
    "UCRTVersion",
    "UniversalCRTSdkDir",
    "VCINSTALLDIR",
    "VCToolsInstallDir",
    "VCToolsVersion",
    "WATCHOS_DEPLOYMENT_TARGET",
    "WindowsSDKVersion",
    "WindowsSdkDir",
    "XROS_DEPLOYMENT_TARGET",
];

/// Variables that make a compiler write further files, compile twice, rewrite its own command line or see another
/// clock than ours (libfaketime), sorted.
/// Even an empty value counts: some are tested for presence only.
pub const REFUSED_VARIABLES: &[&str] = &[
    "AS_SECURE_LOG_FILE",
    "CCC_ADD_ARGS",
    "CCC_OVERRIDE_OPTIONS",
    "CC_LOG_DIAGNOSTICS",
    "CC_LOG_DIAGNOSTICS_FILE",
    "CC_PRINT_HEADERS",
    "CC_PRINT_HEADERS_FILE",
    "CC_PRINT_HEADERS_FILTERING",
    "CC_PRINT_HEADERS_FORMAT",
    "CC_PRINT_INTERNAL_STAT",
    "CC_PRINT_INTERNAL_STAT_FILE",
    "CC_PRINT_OPTIONS",
    "CC_PRINT_OPTIONS_FILE",
    "CC_PRINT_PROC_STAT",
    "CC_PRINT_PROC_STAT_FILE",
    "CLANG_CRASH_DIAGNOSTICS_DIR",
    "DEPENDENCIES_OUTPUT",
    "EXPERIMENTAL_SARIF_SOCKET",
    "FAKETIME",
    "FAKETIME_TIMESTAMP_FILE",
    "GCC_COMPARE_DEBUG",
    "QA_OVERRIDE_GCC3_OPTIONS",
    "SUNPRO_DEPENDENCIES",
];

/// Whether a variable adds folders in which headers are searched.
pub(super) fn names_folders(env: &EnvBlock) -> bool {
    FOLDER_VARIABLES.iter().any(|name| env.get(name).is_some())
}

/// Whether `SOURCE_DATE_EPOCH` decides what `__DATE__` and `__TIME__` are: gcc obeys it since 7, clang since 16.
pub fn date_is_fixed(driver: &Driver, env: &EnvBlock) -> bool {
    let since = match driver.family {
        Family::Gcc => 7,
        Family::Clang => 16,
        Family::Rustc | Family::Clippy => return false,
    };
    driver.major >= since && env.get("SOURCE_DATE_EPOCH").is_some_and(|value| !value.is_empty())
}

/// The first variable set that makes a compile not cacheable. One pass over the environment, which is long.
pub(super) fn refused(family: Family, env: &EnvBlock) -> Option<&'static str> {
    env.iter().find_map(|(name, value)| {
        let name = name.to_str()?;
        if name == "TZ" {
            return has_odd_minutes(value).then_some("TZ");
        }
        let at = REFUSED_VARIABLES.binary_search(&name).ok()?;
        let variable = REFUSED_VARIABLES.get(at).copied()?;
        let of_clang = ["AS", "CC", "CLANG", "QA"].iter().any(|start| variable.starts_with(start));
        (!of_clang || family == Family::Clang).then_some(variable)
    })
}

/// Whether a time zone is spelled with minutes that are no whole quarters: a day there does not begin with one of our
/// quarters of an hour.
fn has_odd_minutes(zone: &OsStr) -> bool {
    let parts = zone.as_bytes().split(|&byte| byte == b':').skip(1);
    let digits = parts.map(|part| part.split(|byte| !byte.is_ascii_digit()).next().unwrap_or_default());
    digits
        .filter(|digits| !digits.is_empty())
        .any(|digits| !matches!(digits, b"0" | b"00" | b"15" | b"30" | b"45"))
}
