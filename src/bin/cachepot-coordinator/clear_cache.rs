//! `--clear-cache`: empties the cache; says nothing.
use crate::talk::{Context, ask};
use cachepot_wire::Admin;

pub(crate) fn run(context: &Context) -> anyhow::Result<()> {
    ask(context, Admin::ClearCache).map(drop)
}
