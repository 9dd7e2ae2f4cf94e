//! `--stop-coordinator`: stops the coordinator gracefully and shows its last statistics. Never starts one.
use crate::print;
use crate::talk::{self, Context};

pub(crate) fn run(context: &Context) -> anyhow::Result<()> {
    print("Stopping cachepot server...\n")?;
    match talk::stop(context)? {
        Some(report) => print(&report.to_text()),
        None => Ok(()),
    }
}
