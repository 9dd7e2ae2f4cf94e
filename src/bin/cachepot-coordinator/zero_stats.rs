//! `--zero-stats`: sets the statistics to zero and shows them.
use crate::print;
use crate::talk::{Context, ask_stats};
use cachepot_wire::Admin;

pub(crate) fn run(context: &Context) -> anyhow::Result<()> {
    print(&ask_stats(context, Admin::ZeroStats)?.to_text())
}
