//! What cargo would say besides the crate: profile, features, package and linker.

use crate::random::Random;

/// The same for all crates of a build.
#[derive(Clone, Debug)]
pub(crate) struct Flags {
    /// Folder that rustc runs in; empty for the root of the checkout.
    pub(crate) folder: &'static str,
    /// Words of the profile.
    pub(crate) profile: &'static [&'static str],
    /// Words about the target.
    pub(crate) target: &'static [&'static str],
    /// Features and the like.
    pub(crate) features: &'static [&'static str],
    /// Words where a linker runs.
    pub(crate) link: &'static [&'static str],
    /// Words about messages.
    pub(crate) messages: &'static [&'static str],
    /// Words about where other crates are.
    pub(crate) search: &'static [&'static str],
    /// What the leaf is told apart by from another build of it.
    pub(crate) leaf: &'static str,
    /// `CARGO_PKG_VERSION`.
    pub(crate) version: &'static str,
    /// Folder of what a build script made.
    pub(crate) made: &'static str,
    /// The folder with a linker script comes first in `PATH`.
    pub(crate) tool_in_path: bool,
    /// Both checkouts share results, and rustc itself is given the words that make them neutral.
    pub(crate) shares: bool,
}

const CARGO_MESSAGES: &[&str] =
    &["--error-format=json", "--json=diagnostic-rendered-ansi,artifacts,future-incompat"];

impl Flags {
    /// Those of a `dev` build, with some changes.
    pub(crate) fn new(random: &mut Random) -> Self {
        let mut flags = Self {
            folder: "",
            profile: &["-C", "debuginfo=2"],
            target: &[],
            features: &[],
            link: &[],
            messages: CARGO_MESSAGES,
            search: &[],
            leaf: "-1a",
            version: "1.0.10",
            made: "gen1",
            tool_in_path: false,
            shares: random.chance(40),
        };
        for _ in 0..random.below(6) {
            flags.change(random);
        }
        flags
    }

    /// Changes one of them and says which.
    pub(crate) fn change(&mut self, random: &mut Random) -> String {
        match random.below(12) {
            0 => self.folder = *random.pick(&["", "", "work"]),
            1 => self.profile = *random.pick(PROFILES),
            2 => self.target = *random.pick(TARGETS),
            3 => self.features = *random.pick(FEATURES),
            4 => self.link = *random.pick(LINKS),
            5 => self.messages = *random.pick(MESSAGES),
            6 => self.search = *random.pick(SEARCHES),
            7 => self.leaf = *random.pick(&["-1a", "-2b", ""]),
            8 => self.version = *random.pick(&["1.0.10", "1.0.11", ""]),
            9 => self.made = *random.pick(&["gen1", "gen2", "gen1/../gen2"]),
            10 => self.shares = !self.shares,
            _ => self.tool_in_path = !self.tool_in_path,
        }
        format!("{self:?}")
    }
}

const PROFILES: &[&[&str]] = &[
    &["-C", "debuginfo=2"],
    &["-C", "debuginfo=0", "-C", "strip=debuginfo"],
    &["-C", "opt-level=3"],
    &["-C", "opt-level=s", "-C", "debuginfo=line-tables-only", "-C", "panic=abort"],
    &["-C", "debuginfo=1", "-C", "overflow-checks=off", "-C", "codegen-units=1"],
    &["-C", "opt-level=1", "-C", "debug-assertions=on"],
    &["-C", "debuginfo=1", "--remap-path-prefix={root}=/src"],
];

const TARGETS: &[&[&str]] = &[
    &[],
    &["-C", "target-cpu=native"],
    &["-C", "target-cpu=x86-64-v3"],
    &["-C", "target-feature=+avx2"],
    &["--target", "x86_64-unknown-linux-gnu"],
    &["-C", "relocation-model=pic"],
];

const FEATURES: &[&[&str]] = &[
    &[],
    &["--cfg", "feature=\"one\""],
    &["--cfg", "feature=\"two\""],
    &["--cfg", "feature=\"one\"", "--cfg", "feature=\"two\""],
    &["--check-cfg", "cfg(feature, values(\"one\"))"],
    &["--cfg", "feature=\"one\"", "--check-cfg", "cfg(feature, values(\"one\", \"two\"))", "-Dwarnings"],
];

const LINKS: &[&[&str]] = &[
    &[],
    &["-C", "link-arg=-Wl,--build-id=0x12"],
    &["-C", "link-arg=-Wl,--build-id=0x13"],
    &["-C", "link-arg=-fuse-ld=bfd"],
    &["-C", "link-args=-Wl,-rpath,/a -Wl,--as-needed"],
    &["-C", "linker={root}/tool/cc"],
    &["-C", "linker=cc"],
    &["-C", "link-dead-code"],
    &["-C", "prefer-dynamic"],
    &["-C", "link-arg={root}/second/libtwo.a"],
    &["-C", "link-arg=-Wl,--version-script={root}/data/hidden.txt"],
];

const MESSAGES: &[&[&str]] = &[
    CARGO_MESSAGES,
    CARGO_MESSAGES,
    &["--error-format=json", "--json=diagnostic-short", "--cap-lints", "warn"],
    &["--cap-lints", "allow"],
    &["--color", "always", "-W", "missing-docs"],
    &["--error-format=short", "-A", "dead_code"],
];

/// The folders that macros list are among them.
const SEARCHES: &[&[&str]] = &[
    &[],
    &["-L", "dependency={root}/early"],
    &["-L", "{root}/early"],
    &["-L", "native={root}/data/list"],
    &["-L", "dependency={root}/none"],
];
