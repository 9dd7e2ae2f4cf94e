//! What the user sees of a hit: the compiler's own words.
use crate::relay::write_whole;
use crate::signals;
use cachepot_wire::HitReply;
use std::io::Write;

/// Writes the recorded messages.
pub(crate) fn messages(hit: &HitReply) {
    if hit.stdout.is_empty() && hit.stderr.is_empty() {
        return;
    }
    signals::survive_broken_pipes();
    // The reader of a pipe may have gone: the compiler would not have cared either.
    let _ = write_whole(std::io::stdout(), &hit.stdout);
    let _ = write_whole(std::io::stderr(), &hit.stderr);
}

/// Writes a line of our own, if there is one to say.
pub(crate) fn notice(text: &str) {
    if !text.is_empty() {
        let _ = writeln!(std::io::stderr(), "cachepot: {text}");
    }
}
