//! `--storage-check`: tries each tier that is set. Needs no coordinator.
use crate::print;
use crate::talk::Context;
use anyhow::bail;
use cachepot_config::Environment;
use cachepot_wire::fd::own_uid;

/// Tries each tier and says how it went, a line each. One that is not as the settings want it is an error.
pub(crate) fn run(context: &Context) -> anyhow::Result<()> {
    let environment = Environment::new(context.env.iter(), own_uid());
    let findings = cachepot_actors::check_storage(&context.loaded, &environment)?;
    let mut text = String::new();
    for finding in &findings {
        let place =
            if finding.location.is_empty() { String::new() } else { format!(" ({})", finding.location) };
        text.push_str(&format!("{}{place}: {}\n", finding.name, finding.text));
    }
    print(&text)?;
    let wrong: Vec<&str> =
        findings.iter().filter(|finding| !finding.is_fine).map(|finding| finding.name).collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        bail!("not all tiers can be used as they are set: {}", wrong.join(", "))
    }
}
