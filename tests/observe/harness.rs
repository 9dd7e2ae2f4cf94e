//! A folder to compile in, with and without the observer.
use cachepot_engine::observed::format::{LOG_BYTES, LOG_HEAD_BYTES, MAGIC};
use cachepot_engine::observed::{self, Clients, Distrust, Observed};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use tempfile::TempDir;

const OBSERVER: &[u8] = include_bytes!(env!("CACHEPOT_OBSERVER"));

/// The compiler itself, behind rustup's proxy.
pub(crate) static RUSTC: LazyLock<String> = LazyLock::new(|| {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    format!("{}/bin/rustc", String::from_utf8(output.stdout).unwrap().trim())
});

/// A folder with an observer beside it.
pub(crate) struct Place {
    root: TempDir,
    log_bytes: u64,
}

/// How an observed command went.
pub(crate) struct Went {
    pub(crate) output: Output,
    pub(crate) log: Vec<u8>,
}

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let root = tempfile::Builder::new().prefix(&format!("cachepot-observe-{name}-")).tempdir().unwrap();
        fs::create_dir(root.path().join("work")).unwrap();
        fs::write(root.path().join("observer.so"), OBSERVER).unwrap();
        Place { root, log_bytes: LOG_BYTES as u64 }
    }

    /// With a log of this size.
    pub(crate) fn room(self, log_bytes: u64) -> Self {
        Place { log_bytes, ..self }
    }

    /// The folder of the sources, without links in its name.
    pub(crate) fn work(&self) -> PathBuf {
        self.root.path().canonicalize().unwrap().join("work")
    }

    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Runs a command that must go well, without the observer.
    pub(crate) fn run(self, line: &[&str]) -> Self {
        let output = self.command(line).output().unwrap();
        assert!(output.status.success(), "{line:?}: {output:?}");
        self
    }

    pub(crate) fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(line[0]);
        command.args(&line[1..]).current_dir(self.work()).env("VALUE", "from outside");
        command
    }

    /// Runs a command with the observer.
    pub(crate) fn observe(&self, line: &[&str]) -> Went {
        self.observe_with(line, &[])
    }

    /// Runs a command with the observer and other preloaded libraries behind it.
    pub(crate) fn observe_with(&self, line: &[&str], libraries: &[&Path]) -> Went {
        let log = self.root.path().join("log");
        let file = File::create(&log).unwrap();
        file.set_len(self.log_bytes).unwrap();
        file.write_all_at(&MAGIC, 0).unwrap();
        let mut preload = self.root.path().join("observer.so").into_os_string();
        for library in libraries {
            preload.push(":");
            preload.push(library);
        }
        let output =
            self.command(line).env("LD_PRELOAD", preload).env("CACHEPOT_OBSERVE", &log).output().unwrap();
        let mut head = [0; LOG_HEAD_BYTES];
        let file = File::open(&log).unwrap();
        file.read_exact_at(&mut head, 0).unwrap();
        let Ok(used) = observed::used_bytes(&head) else { return Went { output, log: head.to_vec() } };
        let mut log = vec![0; used as usize];
        file.read_exact_at(&mut log, 0).unwrap();
        Went { output, log }
    }

    /// Runs a compile twice: first as it is, then observed. Status, messages and outputs must be the same.
    pub(crate) fn compile(&self, line: &[&str], outputs: &[&str]) -> Observed {
        let read = |_: ()| outputs.iter().map(|name| fs::read(self.work().join(name)).unwrap()).collect();
        let plain = self.command(line).output().unwrap();
        assert!(plain.status.success(), "{plain:?}");
        let expected: Vec<Vec<u8>> = read(());
        for output in outputs {
            fs::remove_file(self.work().join(output)).unwrap();
        }
        let went = self.observe(line);
        assert_eq!(went.output, plain);
        let found: Vec<Vec<u8>> = read(());
        assert!(found == expected, "the outputs differ");
        let observed = went.read().unwrap();
        let written: Vec<&[u8]> = observed.written.keys().map(Vec::as_slice).collect();
        let mut outputs: Vec<PathBuf> = outputs.iter().map(|name| self.work().join(name)).collect();
        outputs.sort();
        assert_eq!(written, outputs.iter().map(|path| path.as_os_str().as_bytes()).collect::<Vec<_>>());
        observed
    }

    /// A path in the folder, as it stands in a log.
    pub(crate) fn path(&self, name: &str) -> Vec<u8> {
        self.work().join(name).into_os_string().into_encoded_bytes()
    }
}

impl Went {
    /// What the log says.
    pub(crate) fn read(&self) -> Result<Observed, Distrust> {
        observed::read(&self.log, &[], &Clients { is_client: &|_| false, calls: &[] })
    }

    /// The output of a command that went well.
    pub(crate) fn text(&self) -> &str {
        assert!(self.output.status.success(), "{:?}", self.output);
        std::str::from_utf8(&self.output.stdout).unwrap()
    }
}

/// Whether one of the paths ends with a file of this name.
pub(crate) fn names<'a>(paths: impl IntoIterator<Item = &'a Vec<u8>>, name: &str) -> bool {
    paths.into_iter().any(|path| Path::new(OsStr::from_bytes(path)).file_name() == Some(OsStr::new(name)))
}
