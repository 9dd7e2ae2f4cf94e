//! `--show-stats`: the statistics as text, or as one JSON object.
use crate::cli::StatsFormat;
use crate::print;
use crate::talk::{Context, ask_stats};
use cachepot_wire::Admin;

pub(crate) fn run(context: &Context, format: StatsFormat) -> anyhow::Result<()> {
    let report = ask_stats(context, Admin::ShowStats)?;
    match format {
        StatsFormat::Text => print(&report.to_text()),
        StatsFormat::Json => print(&format!("{}\n", report.to_json()?)),
    }
}
