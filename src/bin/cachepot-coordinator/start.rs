//! `--start-coordinator`: starts the coordinator in the background; one that already runs is an error.
use crate::print;
use crate::talk::Context;
use cachepot_client::start;
use cachepot_wire::EnvBlock;
use cachepot_wire::fd::own_uid;
use cachepot_wire::socket::places;

pub(crate) fn run(context: &Context) -> anyhow::Result<()> {
    print("cachepot: Starting the server...\n")?;
    quietly(context)?;
    if !is_default_socket(context) {
        print(&format!("cachepot: Listening on socket {}\n", context.places.socket.display()))?;
    }
    Ok(())
}

/// The same without a word, for `CACHEPOT_START_COORDINATOR=1 cachepot`.
pub(crate) fn quietly(context: &Context) -> anyhow::Result<()> {
    start::start_new(&context.places, &context.env, &context.program()?)?;
    Ok(())
}

fn is_default_socket(context: &Context) -> bool {
    let is_choice =
        |name| ["CACHEPOT_SERVER_UDS", "CACHEPOT_COORDINATOR_PORT"].iter().any(|&choice| name == choice);
    let plain = EnvBlock::from_pairs(context.env.iter().filter(|&(name, _)| !is_choice(name)));
    context.places.socket == places(&plain, own_uid()).socket
}
