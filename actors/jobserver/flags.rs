//! Where a build offers its jobserver: in the options that make and cargo hand down in the environment.
//! See the GNU make manual, "Sharing Job Slots with GNU make".
use cachepot_wire::EnvBlock;
use std::ffi::OsStr;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The variables, in the order in which cargo and rustc look at them.
pub(crate) const VARIABLES: [&str; 3] = ["CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS"];

/// What the options name; whether it is there is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    /// A pipe that was inherited: the descriptors to read and to write.
    Pipe(RawFd, RawFd),
    /// A fifo.
    Fifo(PathBuf),
}

/// The jobserver that an environment names.
pub(crate) fn named(env: &EnvBlock) -> Option<Auth> {
    VARIABLES.iter().filter_map(|name| env.get(name)).find_map(in_options)
}

/// The last one counts, as for make; negative descriptors are make's way to say "none".
fn in_options(options: &OsStr) -> Option<Auth> {
    let words = options.as_bytes().split(u8::is_ascii_whitespace);
    let value = |word: &'_ [u8]| {
        word.strip_prefix(b"--jobserver-auth=").or(word.strip_prefix(b"--jobserver-fds=")).map(<[u8]>::to_vec)
    };
    let value = words.filter_map(value).next_back()?;
    if let Some(path) = value.strip_prefix(b"fifo:") {
        return (!path.is_empty()).then(|| Auth::Fifo(OsStr::from_bytes(path).into()));
    }
    let (read, write) = std::str::from_utf8(&value).ok()?.split_once(',')?;
    let (read, write) = (read.parse().ok()?, write.parse().ok()?);
    (read >= 0 && write >= 0).then_some(Auth::Pipe(read, write))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], expected: Option<Auth>) {
        let pairs = variables.iter().map(|(name, value)| (OsStr::new(name), OsStr::new(value)));
        assert_eq!(named(&EnvBlock::from_pairs(pairs)), expected, "{variables:?}");
    }

    #[test]
    fn options_name_a_jobserver_or_none() {
        let pipe = |read, write| Some(Auth::Pipe(read, write));
        let fifo = |path: &str| Some(Auth::Fifo(path.into()));
        let rows = [
            ("", None),
            (" -j3 --jobserver-auth=3,4", pipe(3, 4)),
            ("-j3 --jobserver-auth=fifo:/tmp/GMfifo7", fifo("/tmp/GMfifo7")),
            // make 3.81 to 4.1, and what cargo writes.
            ("w -- --jobserver-fds=5,6 -j", pipe(5, 6)),
            ("-j --jobserver-fds=3,4 --jobserver-auth=3,4", pipe(3, 4)),
            // The last one wins, of whichever form, and also when it says "none".
            ("--jobserver-auth=3,4 --jobserver-auth=fifo:/f", fifo("/f")),
            ("--jobserver-auth=fifo:/f --jobserver-fds=8,9", pipe(8, 9)),
            ("-j1 --jobserver-auth=3,4 --jobserver-auth=-2,-2", None),
            ("--jobserver-auth=3,-1", None),
            // Nothing that we know, or cut off.
            ("--jobserver-auth=gmake_semaphore_12", None),
            ("--jobserver-auth=fifo:", None),
            ("--jobserver-auth=", None),
            ("--jobserver-auth=3", None),
            ("--jobserver-auth=3,x", None),
            ("--jobserver-auth=99999999999,4", None),
            // A variable that the user defined is no option.
            ("k -- X=--jobserver-auth=3,4", None),
        ];
        for (options, expected) in rows {
            check(&[("MAKEFLAGS", options)], expected);
        }
    }

    #[test]
    fn the_first_variable_that_names_one_counts() {
        check(&[], None);
        let (make, cargo) =
            (("MAKEFLAGS", "-j --jobserver-auth=3,4"), ("CARGO_MAKEFLAGS", "-j --jobserver-fds=5,6"));
        check(&[make, cargo], Some(Auth::Pipe(5, 6)));
        check(&[make, ("CARGO_MAKEFLAGS", "")], Some(Auth::Pipe(3, 4)));
        check(&[("MFLAGS", "-j --jobserver-auth=7,8")], Some(Auth::Pipe(7, 8)));
    }
}
