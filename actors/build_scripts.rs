//! What is particular about build scripts: the stub in the place of one, its run, and compiles that it starts.
use crate::inputs::Young;
use crate::observer::{Log, unobserved};
use crate::program;
use crate::shared::Shared;
use cachepot_engine::compiler::build_script;
use cachepot_engine::job::{Job, Parsed, Reason};
use cachepot_engine::observed::Call;
use cachepot_wire::{CompileRequest, HitReply, Stub};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

/// The compiler that stands for a run: the one that cargo names to the script.
pub(crate) fn compiler(request: &CompileRequest) -> Option<OsString> {
    if build_script::is_run(request) {
        request.env.get("RUSTC").map(Into::into)
    } else {
        request.argv.first().cloned()
    }
}

/// Finds the run in a request.
pub(crate) fn parse(shared: &Shared, request: &CompileRequest) -> Parsed {
    let parsed = build_script::parse(request, shared.scratch_name());
    let is_empty = || {
        let mut entries = std::fs::read_dir(build_script::out_dir(&request.env)?).ok()?;
        Some(entries.next().is_none())
    };
    match parsed {
        Parsed::Compile(_) if is_empty() != Some(true) => {
            Parsed::NotCacheable(Reason("OUT_DIR is not empty".to_owned()))
        }
        parsed => parsed,
    }
}

/// Files that the build may have made just before a run: the script, and what other scripts left for it.
pub(crate) fn young(request: &CompileRequest, job: &Job) -> Young {
    Young {
        // Another run of it may end meanwhile, and put it in its place.
        renamed: Some(job.source.clone()),
        files: Vec::new(),
        folders: Vec::new(),
        trees: build_script::left_by_others(&request.env),
    }
}

/// What to put in place of the program that a compile makes.
pub(crate) fn stub(shared: &Shared, job: &Job, request: &CompileRequest) -> Option<Stub> {
    // Asked once: most requests are for no build script.
    static RUNNER: LazyLock<Option<PathBuf>> = LazyLock::new(|| std::env::current_exe().ok());
    build_script::stub(job, request, shared.stub?, RUNNER.as_deref()?)
}

/// The hit of such a program.
pub(crate) fn with_stub(mut hit: HitReply, stub: Option<Stub>) -> HitReply {
    let Some(Stub { beside, stub }) = stub else { return hit };
    if let Some(program) = hit.outputs.iter_mut().find(|output| output.path == stub.path) {
        program.path = beside;
        hit.outputs.push(stub);
    }
    hit
}

/// A call by something that is observed itself: it is answered as any other, but what it read is to be seen by the outer
/// observer.
pub(crate) struct Inner(Arc<Log>);

impl Inner {
    /// Looks whether a request is such a call; from then on its environment is as if it were none.
    pub(crate) fn take(shared: &Shared, request: &mut CompileRequest, client: i32) -> Option<Self> {
        let log = shared.observer.outer(&request.env)?;
        request.env = unobserved(&request.env);
        let name = request.argv.first()?;
        if let Some(compiler) = program::find(name, request) {
            let missing = program::tried_before(name, request, &compiler);
            let bytes = |path: PathBuf| path.into_os_string().into_vec();
            let missing = missing.into_iter().map(bytes).collect();
            log.note(Call { process: client.cast_unsigned(), compiler: bytes(compiler), missing });
        }
        Some(Inner(log))
    }

    /// Nobody will see what it depends on.
    pub(crate) fn is_hit(&self) {
        self.0.note_hit();
    }
}
