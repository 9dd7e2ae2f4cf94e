//! Asking what time it is. Not how much of it has passed, which every compiler does.
use crate::format::CLOCK;
use crate::log::{self, Head, Often};
use crate::pass::pass;
use crate::record::set_no_such_function;
use core::ffi::{c_int, c_long, c_void};

/// Each time: when it is asked decides whether it counts.
fn told() {
    log::write(Often::Always, Head { op: CLOCK, detail: 0, error: 0, number: 0 }, &[]);
}

/// The time of day, as exact as can be, by the tick, with an alarm, without leap seconds: `linux/time.h`.
const TIMES_OF_DAY: [c_int; 4] = [0, 5, 8, 11];

type Out = *mut c_void;

pass! {
    fn clock_gettime(clock: c_int, out: Out) -> c_int, else set_no_such_function()
        => |_r| if TIMES_OF_DAY.contains(&clock) { told() };
    fn gettimeofday(out: Out, zone: Out) -> c_int, else set_no_such_function() => |_r| told();
    fn time(out: Out) -> c_long, else -1 => |_r| told();
    fn timespec_get(out: Out, base: c_int) -> c_int, else 0 => |_r| told();
}
