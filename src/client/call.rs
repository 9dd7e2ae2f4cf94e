//! What the user asked for, and the story of one call.
use crate::{bypass, compile, connect, place, process, replay};
use cachepot_wire::{CompileRequest, EnvBlock, Message, Reply};
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The program's name: any other name it is called by is the name of a compiler.
const OWN_NAME: &str = "cachepot";

/// Runs the client; the value is the exit status of the process. A failure of ours ends in the compiler.
pub fn main() -> i32 {
    let mut args = std::env::args_os();
    let own_name = args.next().unwrap_or_default();
    let masquerade = Path::new(&own_name).file_name().filter(|name| !is_own_name(name));
    let mut argv: Vec<OsString> = Vec::with_capacity(args.len() + 1);
    argv.extend(masquerade.map(OsStr::to_owned));
    argv.extend(args);
    // `cachepot cachepot gcc`: once is enough.
    while argv.len() > 1 && Path::new(&argv[0]).file_name() == Some(OsStr::new(OWN_NAME)) {
        argv.remove(0);
    }
    let env = environment();
    match argv.first() {
        Some(first) if first.as_bytes().first() == Some(&b'-') => bypass::coordinator_command(&argv),
        None if !starts_coordinator(&env) => {
            println!("{OWN_NAME}: No compile command\n");
            1
        }
        None => bypass::coordinator_command(&argv),
        Some(_) => {
            let (again, same_env) = (argv.clone(), env.clone());
            std::panic::catch_unwind(|| call(argv, env))
                .unwrap_or_else(|_| bypass::exec(&again, &same_env, &[]))
        }
    }
}

fn is_own_name(name: &OsStr) -> bool {
    name.as_bytes().starts_with(OWN_NAME.as_bytes())
}

fn starts_coordinator(env: &EnvBlock) -> bool {
    ["CACHEPOT_START_COORDINATOR", "CACHEPOT_START_SERVER"]
        .iter()
        .any(|name| env.get(name) == Some(OsStr::new("1")))
}

/// The environment as the kernel gave it; `LD_PRELOAD` of the recorder `rr` is not the compiler's business.
fn environment() -> EnvBlock {
    let under_rr = std::env::var_os("RUNNING_UNDER_RR").is_some();
    let kept = std::env::vars_os()
        .filter(|(name, _)| !(under_rr && (name == "LD_PRELOAD" || name == "RUNNING_UNDER_RR")));
    let pairs: Vec<_> = kept.collect();
    EnvBlock::from_pairs(pairs.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())))
}

fn call(argv: Vec<OsString>, env: EnvBlock) -> i32 {
    // With a closed stream the next file we open would take its place, and messages would end up in it.
    if bypass::wanted(&argv, &env) || !process::has_three_streams() {
        return bypass::exec(&argv, &env, &[]);
    }
    // A working directory that has no path any more can be used by the compiler, not by us.
    let Ok(cwd) = std::env::current_dir() else { return bypass::exec(&argv, &env, &[]) };
    let request = Message::Compile(CompileRequest {
        argv,
        cwd,
        env,
        stderr_is_terminal: std::io::stderr().is_terminal(),
    });
    let reply = connect::ask(&request);
    let Message::Compile(CompileRequest { argv, env, .. }) = request else { return 2 };
    match reply {
        Ok((Reply::Hit(hit), descriptors, _)) => {
            replay::notice(&hit.notice);
            match place::place(&hit.outputs, descriptors) {
                Ok(()) => replay::hit(&hit),
                // The compiler itself tells best what is wrong with the place.
                Err(_) => bypass::exec(&argv, &env, &[]),
            }
        }
        Ok((Reply::CompileAndTellMe(plan), _, connection)) => {
            replay::notice(&plan.notice);
            compile::run(&plan, &argv, &env, connection)
        }
        Ok((Reply::RunItYourself { env: added, notice }, _, _)) => {
            replay::notice(&notice);
            bypass::exec(&argv, &env, &added)
        }
        Ok((Reply::Stored | Reply::Admin(_), ..)) | Err(_) => bypass::exec(&argv, &env, &[]),
    }
}
