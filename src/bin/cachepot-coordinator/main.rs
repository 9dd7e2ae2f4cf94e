//! The coordinator and all administration commands. The client `cachepot` execs this program when its first
//! argument is an option, so messages speak of `cachepot`.

mod clear_cache;
mod cli;
mod dist_status;
mod generate_keys;
mod listen;
mod logging;
mod memory;
mod serve;
mod show_config;
mod show_stats;
mod start;
mod stop;
mod storage_check;
mod talk;
mod zero_stats;

use anyhow::bail;
use cachepot_wire::EnvBlock;
use cachepot_wire::message::RUN_OPTION;
use cli::Command;
use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use talk::Context;

const EXIT_ERROR: u8 = 2;
const EXIT_NO_COMMAND: u8 = 1;

fn main() -> ExitCode {
    let variables: Vec<(OsString, OsString)> = env::vars_os().collect();
    let env =
        EnvBlock::from_pairs(variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())));
    if serve::is_ordered(&env) {
        return serve::main(env);
    }
    let mut words = env::args_os().skip(1);
    if words.next().is_some_and(|word| word == RUN_OPTION) {
        let status = cachepot_client::build_script::run(words, &env);
        return ExitCode::from(u8::try_from(status).unwrap_or(EXIT_ERROR));
    }
    let Some(command) = cli::parse() else {
        // As documented: this one goes to standard output.
        let _ = print("cachepot: No compile command\n\n");
        return ExitCode::from(EXIT_NO_COMMAND);
    };
    finish(run(&command, env))
}

fn run(command: &Command, env: EnvBlock) -> anyhow::Result<()> {
    // Not all of them need the settings, which may be wrong.
    let context = || Context::new(env);
    match command {
        Command::ShowStats(format) => show_stats::run(&context()?, *format),
        Command::ZeroStats => zero_stats::run(&context()?),
        Command::StartCoordinator => start::run(&context()?),
        Command::StopCoordinator => stop::run(&context()?),
        Command::ClearCache => clear_cache::run(&context()?),
        Command::ShowConfig => show_config::run(&context()?),
        Command::StorageCheck => storage_check::run(&context()?),
        Command::GenerateKeys(folder) => generate_keys::run(folder),
        Command::PackObjects => Ok(cachepot_actors::pack_objects(io::stdin().lock(), io::stdout().lock())?),
        Command::DistStatus => dist_status::run(),
        Command::DistAuth => {
            bail!("`--dist-auth` needs the feature `dist-client`, which this build does not have")
        }
        Command::PackageToolchain => {
            bail!("`--package-toolchain` needs the feature `dist-client`, which this build does not have")
        }
    }
}

/// Shows an error with its causes, a line each.
fn finish(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let mut text = format!("cachepot: error: {error}\n");
    for cause in error.chain().skip(1) {
        text.push_str(&format!("cachepot: caused by: {cause}\n"));
    }
    // Nobody can be told when standard error is closed.
    let _ = io::stderr().write_all(text.as_bytes());
    ExitCode::from(EXIT_ERROR)
}

/// Writes to standard output. A reader that has seen enough (`| head -1`) is no error.
fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::Error::from(error).context("write to standard output"))
        }
        _ => Ok(()),
    }
}
