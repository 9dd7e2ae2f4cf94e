//! The files that a compile makes, with the names that rustc gives them.
//!
//! Source: `rustc_session::{config, output}`; names and ways of writing were tried with 1.95.
use super::line::Line;
use crate::compiler::gnu::{plain_file, reason};
use crate::job::{Output, Reason, Role};
use cachepot_wire::Existing;
use std::path::{Path, PathBuf};

/// What `--emit` can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Emit {
    Link,
    Metadata,
    DepInfo,
    Object,
    Assembly,
    LlvmIr,
    LlvmBitcode,
    Mir,
}

impl Emit {
    const ALL: [Emit; 8] = [
        Emit::Link,
        Emit::Metadata,
        Emit::DepInfo,
        Emit::Object,
        Emit::Assembly,
        Emit::LlvmIr,
        Emit::LlvmBitcode,
        Emit::Mir,
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Emit::ALL.into_iter().find(|emit| emit.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Emit::Link => "link",
            Emit::Metadata => "metadata",
            Emit::DepInfo => "dep-info",
            Emit::Object => "obj",
            Emit::Assembly => "asm",
            Emit::LlvmIr => "llvm-ir",
            Emit::LlvmBitcode => "llvm-bc",
            Emit::Mir => "mir",
        }
    }

    /// The role and the extension of what is named after the crate alone; nothing for what has rules of its own.
    fn plain(self) -> Option<(Role, &'static str)> {
        Some(match self {
            Emit::Link | Emit::Metadata => return None,
            Emit::DepInfo => (Role::Dependencies, "d"),
            Emit::Object => (Role::Object, "o"),
            Emit::Assembly => (Role::Assembly, "s"),
            Emit::LlvmIr => (Role::LlvmIr, "ll"),
            Emit::LlvmBitcode => (Role::LlvmBitcode, "bc"),
            Emit::Mir => (Role::Mir, "mir"),
        })
    }

    /// Whether rustc makes one for each unit of code generation.
    fn is_of_a_unit(self) -> bool {
        matches!(self, Emit::Object | Emit::Assembly | Emit::LlvmIr | Emit::LlvmBitcode)
    }
}

/// What `--crate-type` can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CrateType {
    Bin,
    Rlib,
    Dylib,
    Cdylib,
    Staticlib,
    ProcMacro,
}

impl CrateType {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bin" => CrateType::Bin,
            "lib" | "rlib" => CrateType::Rlib,
            "dylib" => CrateType::Dylib,
            "cdylib" => CrateType::Cdylib,
            "staticlib" => CrateType::Staticlib,
            "proc-macro" => CrateType::ProcMacro,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            CrateType::Bin => "bin",
            CrateType::Rlib => "rlib",
            CrateType::Dylib => "dylib",
            CrateType::Cdylib => "cdylib",
            CrateType::Staticlib => "staticlib",
            CrateType::ProcMacro => "proc-macro",
        }
    }

    fn role(self) -> Role {
        match self {
            CrateType::Bin => Role::Executable,
            CrateType::Rlib => Role::Rlib,
            CrateType::Dylib | CrateType::Cdylib | CrateType::ProcMacro => Role::SharedLibrary,
            CrateType::Staticlib => Role::StaticLibrary,
        }
    }
}

/// Everything that the line makes rustc write, linked files first.
///
/// # Errors
/// A reason where the names are not known before the compile.
pub(super) fn outputs(line: &Line<'_>) -> Result<Vec<Output>, Reason> {
    let names = Names::new(line)?;
    let mut outputs = Vec::new();
    let default = [(Emit::Link, None)].into();
    for (&emit, &path) in if line.emits.is_empty() { &default } else { &line.emits } {
        let given = path.or(names.single).map(PathBuf::from);
        match emit.plain() {
            Some((role, extension)) => {
                if emit.is_of_a_unit() && line.units.is_some_and(|units| units != "1") {
                    return reason("-C codegen-units");
                }
                let path = given.unwrap_or_else(|| names.beside_crate(extension));
                // What is made for a unit of code generation has a name of its own at first, and is copied.
                let existing = if emit.is_of_a_unit() { Existing::CopiedOver } else { Existing::WrittenInto };
                outputs.push(Output { role, path, optional: false, existing });
            }
            None if emit == Emit::Metadata => {
                outputs.push(made_anew(Role::Metadata, given.unwrap_or_else(|| names.library("rmeta"))));
            }
            None => outputs.extend(linked(line, &names, given.as_deref())?),
        }
    }
    outputs.iter().try_for_each(|output| plain_file(output.path.as_os_str()))?;
    Ok(outputs)
}

fn made_anew(role: Role, path: PathBuf) -> Output {
    Output { role, path, optional: false, existing: Existing::Replaced }
}

/// What `--emit link` makes: one file for each crate type. A test is a program, whatever the types are.
fn linked(line: &Line<'_>, names: &Names<'_>, given: Option<&Path>) -> Result<Vec<Output>, Reason> {
    let roles: Vec<Role> = match (line.test, line.crate_types.is_empty()) {
        (true, _) => vec![Role::Executable],
        // The source may name the type.
        (false, true) => return reason("crate-type"),
        (false, false) => line.crate_types.iter().map(|kind| kind.role()).collect(),
    };
    if roles.iter().any(|role| *role != Role::Rlib) && !line.target.is_none_or(has_unix_names) {
        return reason("--target");
    }
    let output = |role: &Role| {
        let path = given.map_or_else(|| names.linked(*role), Path::to_owned);
        // A target without shared libraries drops that type with a warning and makes the others.
        let optional = *role == Role::SharedLibrary && roles.len() > 1 && line.target.is_some();
        Output { optional, ..made_anew(*role, path) }
    };
    Ok(roles.iter().map(output).collect())
}

/// Whether the linked files of a target are named as on Linux: no suffix, `lib*.so`, `lib*.a`. A specification file may
/// say anything. Source: `rustc --print target-spec-json` of all targets of 1.97.
fn has_unix_names(target: &str) -> bool {
    let is_known = ["-linux", "-none", "bsd"].iter().any(|part| target.contains(part));
    is_known && !target.starts_with("wasm") && !target.ends_with(".json")
}

/// What file names are made from.
struct Names<'a> {
    /// Where files go that have no path of their own.
    folder: &'a Path,
    /// What objects, texts and programs are named after.
    stem: &'a str,
    crate_name: &'a str,
    extra: &'a str,
    /// The path of the only output, given by `-o`.
    single: Option<&'a str>,
}

impl<'a> Names<'a> {
    fn new(line: &Line<'a>) -> Result<Self, Reason> {
        let Some(crate_name) = line.crate_name else { return reason("missing crate_name") };
        let extra = line.extra_filename;
        // rustc takes the last dot for that of an extension, and not in all versions.
        if extra.contains(['.', '/']) {
            return reason("extra-filename");
        }
        let Some(output) = line.output else {
            let folder = Path::new(line.out_dir.unwrap_or_default());
            return Ok(Names { folder, stem: crate_name, crate_name, extra, single: None });
        };
        // `-o` names the one output that has no path; with several of them, only its folder and stem count.
        let n_unnamed = line.emits.values().filter(|path| path.is_none()).count();
        let path = Path::new(output);
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let single = (n_unnamed <= 1).then_some(output);
        if single.is_none() && (stem.is_empty() || stem.contains('.')) {
            return reason("-o");
        }
        Ok(Names { folder: path.parent().unwrap_or(path), stem, crate_name, extra, single })
    }

    fn beside_crate(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}{}.{extension}", self.stem, self.extra))
    }

    fn library(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("lib{}{}.{extension}", self.crate_name, self.extra))
    }

    fn linked(&self, role: Role) -> PathBuf {
        match role {
            Role::Rlib => self.library("rlib"),
            Role::SharedLibrary => self.library("so"),
            Role::StaticLibrary => self.library("a"),
            _ => self.folder.join(format!("{}{}", self.stem, self.extra)),
        }
    }
}
