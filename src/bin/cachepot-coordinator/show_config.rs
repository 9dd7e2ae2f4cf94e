//! `--show-config`: every setting and where it comes from. Needs no coordinator.
use crate::print;
use crate::talk::Context;

pub(crate) fn run(context: &Context) -> anyhow::Result<()> {
    print(&cachepot_config::show(&context.loaded))
}
