//! The crates and the lines that make them, as cargo writes them.

use std::path::PathBuf;
use std::process::Command as Process;
use std::sync::LazyLock;

use crate::flags::Flags;
use crate::model::Model;
use crate::project;

/// The compiler itself: rustup would look at the home folder, which is not the user's.
static RUSTC: LazyLock<String> = LazyLock::new(|| {
    let output = Process::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    format!("{}/bin/rustc", String::from_utf8(output.stdout).unwrap().trim())
});

/// One call of rustc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A library that reads files and variables.
    Leaf,
    /// The macros.
    Ask,
    /// A library that uses both.
    Mid,
    /// Its metadata, as `cargo check` asks.
    Check,
    /// Its tests.
    Test,
    /// A program that links everything and an archive of C.
    Main,
    /// A library for C, likewise, that finds the leaf by itself.
    Shared,
    /// The same as an archive, beside objects and assembler texts.
    Archive,
}

/// Where a unit is compiled.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    /// Which.
    pub(crate) unit: Unit,
    /// With what.
    pub(crate) flags: &'a Flags,
}

impl Unit {
    /// All that somebody may ask for.
    pub(crate) const ALL: [Unit; 8] =
        [Unit::Leaf, Unit::Ask, Unit::Mid, Unit::Check, Unit::Test, Unit::Main, Unit::Shared, Unit::Archive];

    /// What is made before, in order.
    pub(crate) fn dependencies(self) -> &'static [Unit] {
        match self {
            Unit::Leaf | Unit::Ask => &[],
            Unit::Mid | Unit::Check | Unit::Test => &[Unit::Leaf, Unit::Ask],
            Unit::Main | Unit::Shared | Unit::Archive => &[Unit::Leaf, Unit::Ask, Unit::Mid],
        }
    }

    fn crate_name(self) -> &'static str {
        match self {
            Unit::Leaf => "leaf",
            Unit::Ask => "ask",
            Unit::Mid | Unit::Check | Unit::Test => "mid",
            Unit::Main => "main",
            Unit::Shared | Unit::Archive => "cd",
        }
    }

    fn extra(self, flags: &Flags) -> &'static str {
        match self {
            Unit::Leaf => flags.leaf,
            Unit::Check => "-check",
            Unit::Test => "-test",
            Unit::Archive => "-st",
            _ => "-0f",
        }
    }

    fn is_for_c(self) -> bool {
        matches!(self, Unit::Shared | Unit::Archive)
    }

    fn links(self) -> bool {
        !matches!(self, Unit::Leaf | Unit::Mid | Unit::Check | Unit::Archive)
    }

    /// Type and outputs.
    fn kind(self) -> &'static [&'static str] {
        match self {
            Unit::Leaf | Unit::Mid => &["--crate-type", "lib", "--emit=dep-info,metadata,link"],
            Unit::Check => &["--crate-type", "lib", "--emit=dep-info,metadata"],
            Unit::Ask => &["--crate-type", "proc-macro", "--emit=dep-info,link", "-C", "prefer-dynamic"],
            Unit::Test => &["--test", "--emit=dep-info,link"],
            Unit::Main => &["--crate-type", "bin", "--emit=dep-info,link"],
            Unit::Shared => &["--crate-type", "cdylib", "--emit=dep-info,link"],
            Unit::Archive => {
                &["--crate-type", "staticlib", "--emit=dep-info,link,obj,asm", "-Ccodegen-units=1"]
            }
        }
    }

    /// How others name its file.
    fn external(self, user: Unit, flags: &Flags) -> String {
        let end = match self {
            Unit::Ask => "so",
            // Who does not link needs no more, and cargo starts it as soon as that is there.
            _ if matches!(user, Unit::Mid | Unit::Check) => "rmeta",
            _ => "rlib",
        };
        let name = self.crate_name();
        format!("{name}={{out}}/lib{name}{}.{end}", self.extra(flags))
    }
}

impl Call<'_> {
    /// The words as they are run in the present checkout.
    pub(crate) fn words(&self, model: &Model) -> Vec<String> {
        let Call { unit, flags } = *self;
        let (name, extra) = (unit.crate_name(), unit.extra(flags));
        let up = if flags.folder.is_empty() { "" } else { "../" };
        let file = if unit == Unit::Main { "main" } else { "lib" };
        let mut words: Vec<String> = vec![RUSTC.clone(), "--crate-name".to_owned(), name.to_owned()];
        words.extend(["--edition=2021".to_owned(), format!("{up}{name}/{file}.rs")]);
        let mut add = |list: &[&str]| words.extend(list.iter().map(|word| (*word).to_owned()));
        add(flags.messages);
        add(unit.kind());
        add(&["-C", "embed-bitcode=no"]);
        add(flags.profile);
        add(if unit == Unit::Ask { &[] } else { flags.target });
        add(flags.features);
        add(&["-C", &format!("metadata={name}{extra}")]);
        if !extra.is_empty() {
            add(&["-C", &format!("extra-filename={extra}")]);
        }
        add(&["--out-dir", "{out}"]);
        add(flags.search);
        add(&["-L", "dependency={out}"]);
        for dependency in unit.dependencies() {
            if !unit.is_for_c() || *dependency == Unit::Mid {
                add(&["--extern", &dependency.external(unit, flags)]);
            }
        }
        if unit == Unit::Ask {
            add(&["--extern", "proc_macro"]);
        }
        if unit == Unit::Main || unit.is_for_c() {
            add(&["-L", "native={root}/first", "-L", "native={root}/second", "-l", "static=two"]);
        }
        add(if unit.links() { flags.link } else { &[] });
        let (root, out) = (model.root(), self.out(model));
        let fill = |word: String| {
            word.replace("{root}", &root.to_string_lossy()).replace("{out}", &out.to_string_lossy())
        };
        words.into_iter().map(fill).collect()
    }

    /// What cargo says about the package.
    pub(crate) fn set_environment(&self, model: &Model, process: &mut Process) {
        let root = model.root();
        let name = self.unit.crate_name();
        process.env("CARGO_PKG_NAME", name).env("CARGO_CRATE_NAME", name);
        process.env("CARGO_PKG_VERSION", self.flags.version);
        process.env("CARGO_MANIFEST_DIR", &root).env("OUT_DIR", root.join(self.flags.made));
        if self.unit == Unit::Main {
            process.env("CARGO_BIN_NAME", name);
        }
        if self.flags.shares {
            process.env("CACHEPOT_REMAP_RELATIVE", "1");
        }
        if self.flags.tool_in_path {
            let path = std::env::var("PATH").unwrap_or_default();
            process.env("PATH", format!("{}:{path}", root.join("tool").display()));
        }
    }

    /// Where its outputs go.
    pub(crate) fn out(&self, model: &Model) -> PathBuf {
        project::out(model, model.checkout)
    }

    /// Whether a file in there is one of its outputs.
    pub(crate) fn made(&self, file: &str) -> bool {
        let name = format!("{}{}", self.unit.crate_name(), self.unit.extra(self.flags));
        let file = file.strip_prefix("lib").unwrap_or(file);
        file.strip_prefix(&name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}
