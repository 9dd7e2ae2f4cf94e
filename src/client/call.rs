//! What the user asked for, and the story of one call.
use crate::connect::{Answer, Attempt};
use crate::prepare::Prepared;
use crate::{bypass, compile, connect, place, process, replay};
use cachepot_wire::{CompileRequest, EnvBlock, HitReply, Message, Reply};
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

/// The program's name: any other name it is called by is the name of a compiler.
const OWN_NAME: &str = "cachepot";

/// What [`early`] began and [`main`] is to end.
static KEPT: Mutex<Option<Kept>> = Mutex::new(None);

/// What to become when all else fails.
static COMPILER: OnceLock<(Vec<OsString>, EnvBlock)> = OnceLock::new();

/// Variables to set on top of the client's environment.
type Added = Vec<(OsString, OsString)>;

enum Kept {
    /// The answer, or the lack of one, is there already.
    Asked(CompileRequest, Box<Attempt>),
    /// The compiler is to run, and could not be run at once.
    Yours(CompileRequest, Added),
}

/// Does what takes no more than system calls: a hit, a miss, or becoming the compiler. The value is the exit status;
/// without one [`main`] goes on from here, with the same words and environment. For a process without a C library yet:
/// no thread, no fork.
pub fn early(words: Vec<OsString>, env: EnvBlock) -> Option<i32> {
    let argv = command(words);
    let is_compile = argv.first().is_some_and(|first| !is_option(first));
    if !is_compile || env.get(UNDER_RR).is_some() {
        return None;
    }
    if bypass::wanted(&argv, &env) || !process::has_three_streams() {
        bypass::become_quickly(&argv, &env, &[]);
        return None;
    }
    let request = Message::Compile(ask_for(argv, env)?);
    let Attempt { stream, answer } = connect::attempt(&request)?;
    let Message::Compile(request) = request else { return None };
    let added = match answer {
        Ok(Answer { reply: Reply::Hit(hit), descriptors, prepared }) => {
            if replay_hit(&hit, descriptors, prepared) {
                // The end of the process closes it.
                std::mem::forget(stream);
                return Some(hit.status);
            }
            Vec::new()
        }
        Ok(Answer { reply: Reply::RunItYourself { env, notice }, .. }) => {
            replay::notice(&notice);
            env
        }
        Ok(Answer { reply: Reply::CompileAndTellMe(plan), .. }) => {
            replay::notice(&plan.notice);
            if let Some(status) = compile::run(&plan, &request.env, &stream) {
                std::mem::forget(stream);
                return Some(status);
            }
            Vec::new()
        }
        answer => {
            keep(Kept::Asked(request, Box::new(Attempt { stream, answer })));
            return None;
        }
    };
    bypass::become_quickly(&request.argv, &request.env, &added);
    keep(Kept::Yours(request, added));
    None
}

fn keep(kept: Kept) {
    if let Ok(mut place) = KEPT.lock() {
        *place = Some(kept);
    }
}

/// Runs the client; the value is the exit status of the process. A failure of ours ends in the compiler.
pub fn main(words: Vec<OsString>, env: EnvBlock) -> i32 {
    let argv = command(words);
    let env = without_recorder(env);
    match argv.first() {
        Some(first) if is_option(first) => bypass::coordinator_command(&argv),
        None if !starts_coordinator(&env) => {
            println!("{OWN_NAME}: No compile command\n");
            1
        }
        None => bypass::coordinator_command(&argv),
        Some(_) => {
            let _ = COMPILER.set((argv.clone(), env.clone()));
            call(argv, env)
        }
    }
}

/// What a panic has to end in, for there is no unwinding in this program (`build.rs` leaves its tables out): the
/// compiler, as for any other failure of ours.
pub fn panicked() -> ! {
    let status = COMPILER.get().map_or(2, |(argv, env)| bypass::exec(argv, env, &[]));
    std::process::exit(status)
}

/// The compiler and its arguments.
fn command(words: Vec<OsString>) -> Vec<OsString> {
    let mut words = words.into_iter();
    let own_name = words.next().unwrap_or_default();
    let masquerade = Path::new(&own_name).file_name().filter(|name| !is_own_name(name));
    let mut argv: Vec<OsString> = Vec::with_capacity(words.len() + 1);
    argv.extend(masquerade.map(OsStr::to_owned));
    argv.extend(words);
    // `cachepot cachepot gcc`: once is enough.
    while argv.len() > 1
        && argv.first().and_then(|first| Path::new(first).file_name()) == Some(OsStr::new(OWN_NAME))
    {
        argv.remove(0);
    }
    argv
}

fn is_option(word: &OsStr) -> bool {
    word.as_bytes().first() == Some(&b'-')
}

fn is_own_name(name: &OsStr) -> bool {
    name.as_bytes().starts_with(OWN_NAME.as_bytes())
}

fn starts_coordinator(env: &EnvBlock) -> bool {
    ["CACHEPOT_START_COORDINATOR", "CACHEPOT_START_SERVER"]
        .iter()
        .any(|name| env.get(name) == Some(OsStr::new("1")))
}

/// Set by the recorder `rr`.
const UNDER_RR: &str = "RUNNING_UNDER_RR";

/// `LD_PRELOAD` of the recorder `rr` is not the compiler's business.
fn without_recorder(env: EnvBlock) -> EnvBlock {
    if env.get(UNDER_RR).is_none() {
        return env;
    }
    EnvBlock::from_pairs(env.iter().filter(|(name, _)| *name != "LD_PRELOAD" && *name != UNDER_RR))
}

/// A working directory that has no path any more can be used by the compiler, not by us.
fn ask_for(argv: Vec<OsString>, env: EnvBlock) -> Option<CompileRequest> {
    let cwd = std::env::current_dir().ok()?;
    Some(CompileRequest { argv, cwd, env, stderr_is_terminal: std::io::stderr().is_terminal() })
}

/// Puts a hit in place and repeats its messages. False where the place is not for it: the compiler itself tells best
/// what is wrong.
fn replay_hit(hit: &HitReply, descriptors: Vec<OwnedFd>, prepared: Prepared) -> bool {
    replay::notice(&hit.notice);
    let is_placed = place::place(&hit.outputs, descriptors, prepared).is_ok();
    if is_placed {
        replay::messages(hit);
    }
    is_placed
}

fn call(argv: Vec<OsString>, env: EnvBlock) -> i32 {
    match KEPT.lock().ok().and_then(|mut kept| kept.take()) {
        Some(Kept::Asked(request, attempt)) => return ask(request, Some(*attempt)),
        Some(Kept::Yours(CompileRequest { argv, env, .. }, added)) => {
            return bypass::exec(&argv, &env, &added);
        }
        None => {}
    }
    // With a closed stream the next file we open would take its place, and messages would end up in it.
    if bypass::wanted(&argv, &env) || !process::has_three_streams() {
        return bypass::exec(&argv, &env, &[]);
    }
    match ask_for(argv.clone(), env.clone()) {
        Some(request) => ask(request, None),
        None => bypass::exec(&argv, &env, &[]),
    }
}

fn ask(request: CompileRequest, attempt: Option<Attempt>) -> i32 {
    let request = Message::Compile(request);
    let answer = connect::ask(&request, attempt);
    let Message::Compile(CompileRequest { argv, env, .. }) = request else { return 2 };
    let Ok((Answer { reply, descriptors, prepared }, connection)) = answer else {
        return bypass::exec(&argv, &env, &[]);
    };
    match reply {
        Reply::Hit(hit) => {
            if replay_hit(&hit, descriptors, prepared) {
                return hit.status;
            }
            bypass::exec(&argv, &env, &[])
        }
        Reply::CompileAndTellMe(plan) => {
            replay::notice(&plan.notice);
            compile::run(&plan, &env, &connection).unwrap_or_else(|| bypass::exec(&argv, &env, &[]))
        }
        Reply::RunItYourself { env: added, notice } => {
            replay::notice(&notice);
            bypass::exec(&argv, &env, &added)
        }
        Reply::Stored { .. } | Reply::Admin(_) | Reply::Coming(_) | Reply::Grown(_) => {
            bypass::exec(&argv, &env, &[])
        }
    }
}
