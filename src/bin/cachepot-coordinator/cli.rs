//! The options of `cachepot`. Their names and what excludes what are documented; users' scripts depend on them.
use cachepot_config::PARTS;
use clap::{ArgGroup, Parser, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    ShowStats(StatsFormat),
    ZeroStats,
    StartCoordinator,
    StopCoordinator,
    ClearCache,
    ShowConfig,
    StorageCheck,
    GenerateKeys(PathBuf),
    DistStatus,
    DistAuth,
    PackageToolchain,
    PackObjects,
}

/// How statistics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatsFormat {
    Text,
    Json,
}

/// The block at the end of the help text: one line per part that a build may lack.
fn features() -> String {
    let backends = PARTS.iter().filter_map(|part| Some((part.what.strip_suffix(" backend")?, part.is_built)));
    let lines = backends.map(|(name, is_built)| format!("\n    {:<10} {is_built}", format!("{name}:")));
    format!("Enabled features:{}", lines.collect::<String>())
}

/// A shared compilation cache
#[derive(Debug, Parser)]
#[command(name = "cachepot", bin_name = "cachepot", version, after_help = features())]
#[command(override_usage = "cachepot [OPTION]\n       cachepot <COMPILER> [ARGUMENT]...")]
#[command(group(ArgGroup::new("action").multiple(false)))]
struct Options {
    /// Show the statistics
    #[arg(short, long, group = "action")]
    show_stats: bool,
    /// Set the statistics to zero
    #[arg(short, long, group = "action")]
    zero_stats: bool,
    /// Format for --show-stats
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    stats_format: StatsFormat,
    /// Start the coordinator
    #[arg(long, alias = "start-server", group = "action")]
    start_coordinator: bool,
    /// Stop the coordinator when all that is in flight is done, and show the statistics
    #[arg(long, alias = "stop-server", group = "action")]
    stop_coordinator: bool,
    /// Empty the cache
    #[arg(long, group = "action")]
    clear_cache: bool,
    /// Show every setting and where it comes from
    #[arg(long, group = "action")]
    show_config: bool,
    /// Try each cache that is set: reach, rights, speed
    #[arg(long, group = "action")]
    storage_check: bool,
    /// Write new keys for signed and encrypted results into a folder
    #[arg(long, group = "action", value_name = "FOLDER")]
    generate_keys: Option<PathBuf>,
    /// Show the status of distributed compilation, as JSON
    #[arg(long, group = "action")]
    dist_status: bool,
    /// Log in for distributed compilation
    #[arg(long, group = "action")]
    dist_auth: bool,
    /// Write a toolchain archive
    #[arg(long, group = "action", num_args = 2, value_names = ["EXECUTABLE", "ARCHIVE"])]
    package_toolchain: Option<Vec<OsString>>,
    /// The coordinator starts this: pack what comes by standard input
    #[arg(long, group = "action", hide = true)]
    pack_objects: bool,
}

/// Reads the command line; `None` when it orders nothing. Usage errors end the process with status 2, help and
/// version with 0.
pub(crate) fn parse() -> Option<Command> {
    Options::parse().command()
}

impl Options {
    fn command(&self) -> Option<Command> {
        if let Some(folder) = &self.generate_keys {
            return Some(Command::GenerateKeys(folder.clone()));
        }
        let table = [
            (self.show_stats, Command::ShowStats(self.stats_format)),
            (self.zero_stats, Command::ZeroStats),
            (self.start_coordinator, Command::StartCoordinator),
            (self.stop_coordinator, Command::StopCoordinator),
            (self.clear_cache, Command::ClearCache),
            (self.show_config, Command::ShowConfig),
            (self.storage_check, Command::StorageCheck),
            (self.dist_status, Command::DistStatus),
            (self.dist_auth, Command::DistAuth),
            (self.package_toolchain.is_some(), Command::PackageToolchain),
            (self.pack_objects, Command::PackObjects),
        ];
        table.into_iter().find(|(ordered, _)| *ordered).map(|(_, command)| command)
    }
}
