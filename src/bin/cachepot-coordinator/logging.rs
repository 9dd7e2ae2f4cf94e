//! The log: to standard error, which is the terminal, the error log, or nothing.
//!
//! ```text
//! line = YYYY-MM-DDTHH:MM:SS.mmm LEVEL [PID n]           role message fields
//! ```
//! Level padded to 5, role right-aligned to 14, local time. Absent without `CACHEPOT_LOG`; panics are always told.
use cachepot_client::process::local_time;
use std::fmt;
use std::io::{self, IsTerminal};
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Starts logging under a filter (`info`, `module=level,...`); `None` logs nothing.
pub(crate) fn start(filter: Option<&str>) {
    if let Some(filter) = filter {
        // Module names have underscores where users write the name of the program.
        let filter = EnvFilter::builder().parse_lossy(filter.replace('-', "_"));
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal())
            // It would report a full disk by a macro that panics when standard error cannot be written.
            .log_internal_errors(false)
            .event_format(Line { pid: std::process::id() })
            .finish();
        // Fails only where a logger is already set, which cannot be: this is called once.
        let _ = tracing::subscriber::set_global_default(subscriber);
    }
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if tracing::enabled!(Level::ERROR) {
            let backtrace = std::backtrace::Backtrace::capture();
            tracing::error!(%backtrace, "{panic}");
        } else {
            default(panic);
        }
    }));
}

struct Line {
    pid: u32,
}

/// ANSI colours; none where it is not a terminal.
fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut w: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let level = *event.metadata().level();
        let (on, role_on, off) =
            if w.has_ansi_escapes() { (colour(level), "\x1b[36m", "\x1b[0m") } else { ("", "", "") };
        write_time(&mut w, i64::try_from(now.as_secs()).unwrap_or_default(), now.subsec_millis())?;
        write!(w, " {on}{level:<5}{off} [PID {}] {role_on}{:>14}{off} ", self.pid, "coordinator")?;
        ctx.format_fields(w.by_ref(), event)?;
        writeln!(w)
    }
}

fn write_time(w: &mut impl fmt::Write, seconds: i64, millis: u32) -> fmt::Result {
    let [year, month, day, hour, minute, second] = local_time(seconds);
    write!(w, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}")
}
