//! Hasher pool: looks results up; the only place that reads source files. Owns nothing but its thread; what it
//! learns about files lies in the shared [`Memory`]. Called by `drive.rs`, `miss.rs` and `behind.rs`, and by another
//! Hasher that shares a look; bounded by `Permits::hashing`; when one dies, its request is answered with an error and the client
//! compiles by itself.
use crate::inputs::{
    Compiled, Early, Help, Look, Memory, NotStorable, Observed, Place, Stamp, Young, early, observe, stat,
};
use crate::keeper::PoolObituary;
use crate::manifests::Manifests;
use crate::permits::{Deadline, Permit};
use crate::pool::{Internal, contain};
use crate::pulse;
use actix::{Actor, Handler, Message, SyncContext};
use cachepot_engine::digest::Digest;
use cachepot_engine::job::{Driver, Job};
use cachepot_engine::key::{JobFacts, job_key};
use cachepot_storage::local::{Fetched, LocalStore};
use cachepot_wire::EnvBlock;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};

/// A job with everything its key is made from, except what lies in files.
pub struct Subject {
    /// The job.
    pub job: Box<Job>,
    /// The compiler's identity.
    pub identity: Digest,
    /// What it says of itself.
    pub driver: Driver,
    /// The variables that enter the key, by name.
    pub variables: Vec<(OsString, OsString)>,
    /// The client's `PWD`.
    pub pwd: Option<OsString>,
    /// The client's working directory.
    pub place: Place,
    /// The client's environment, where a compile is observed: what it reads of it decides, too.
    pub env: EnvBlock,
    /// Where files may be that are as young as the request.
    pub young: Young,
}

/// Whether `PWD` leads to the working directory. Only then do gcc and clang write it down (libiberty's `getpwd`,
/// LLVM's `current_path`); its text alone does not tell.
pub(crate) fn pwd_leads_here(pwd: Option<&OsStr>, place: &Place) -> bool {
    let pwd = pwd.map(OsStr::as_bytes).filter(|pwd| pwd.starts_with(b"/"));
    let identity = |path: &CStr| stat(place, path).ok().map(|stat| Stamp::of(&stat).identity());
    let named = pwd.and_then(|pwd| CString::new(pwd).ok()).and_then(|pwd| identity(&pwd));
    named.is_some() && named == identity(c".")
}

/// Looks for a result that stands.
#[derive(Message)]
#[rtype(result = "Result<LookUp, Internal>")]
pub struct FindResult {
    /// What for.
    pub subject: Arc<Subject>,
    /// Only the key is wanted: the result is to be made anew.
    pub recache: bool,
    /// When the answer is of no use any more.
    pub deadline: Deadline,
    /// Given back with the message.
    #[expect(dead_code, reason = "it is given back when the message is dropped")]
    pub permit: Permit,
}

/// The outcome of a look-up; keys are the job's, for a record to come.
pub enum LookUp {
    /// This result stands.
    Found(Digest, Box<Fetched>),
    /// One stands, but its entry is not there or cannot be read. Beside the key: what was young.
    Lost(Digest, Early),
    /// None does.
    Unknown(Digest, Early),
    /// The deadline passed.
    Expired,
}

/// From one Hasher to another: share this, if it is not over by now. It holds nothing, and so needs no permit.
#[derive(Message)]
#[rtype(result = "()")]
struct ShareLook(Weak<Look>);

/// Looks at the inputs of a finished compile.
#[derive(Message)]
#[rtype(result = "Result<Result<Observed, NotStorable>, Internal>")]
pub struct Observe {
    /// Where.
    pub subject: Arc<Subject>,
    /// What.
    pub compiled: Arc<Compiled>,
    /// Given back with the message.
    #[expect(dead_code, reason = "it is given back when the message is dropped")]
    pub permit: Arc<Permit>,
}

/// Looks at the inputs of a result once more, long after its compile: whether all is as it was seen then.
#[derive(Message)]
#[rtype(result = "Result<bool, Internal>")]
pub struct Confirm {
    /// The working directory of the compile.
    pub cwd: PathBuf,
    /// What to look at.
    pub compiled: Arc<Compiled>,
    /// What was seen.
    pub seen: Observed,
    /// Given back with the message.
    #[expect(dead_code, reason = "it is given back when the message is dropped")]
    pub permit: Arc<Permit>,
}

/// See the file's head.
pub struct Hasher {
    /// Shared by all Hashers.
    pub memory: Arc<Memory>,
    /// Manifests, read through the local store.
    pub manifests: Arc<Manifests>,
    /// The local store: a result that stands is opened where it was found, without a further hop.
    pub store: Arc<LocalStore>,
    /// Tells the keeper of its end.
    pub(crate) _obituary: PoolObituary,
}

impl Actor for Hasher {
    type Context = SyncContext<Self>;
}

pulse::lives!(Hasher, poisoned_in_pool);

impl Handler<FindResult> for Hasher {
    type Result = Result<LookUp, Internal>;

    fn handle(&mut self, message: FindResult, ctx: &mut Self::Context) -> Self::Result {
        if message.deadline.has_passed() {
            return Ok(LookUp::Expired);
        }
        let colleagues = ctx.address();
        let help = |look: &Arc<Look>| colleagues.do_send(ShareLook(Arc::downgrade(look)));
        contain(ctx, || self.find(&message.subject, message.recache, &help))
    }
}

impl Handler<ShareLook> for Hasher {
    type Result = ();

    fn handle(&mut self, ShareLook(look): ShareLook, _: &mut Self::Context) {
        if let Some(look) = look.upgrade() {
            look.share();
        }
    }
}

impl Handler<Observe> for Hasher {
    type Result = Result<Result<Observed, NotStorable>, Internal>;

    fn handle(&mut self, message: Observe, ctx: &mut Self::Context) -> Self::Result {
        contain(ctx, || observe(&self.memory, &message.subject.place, &message.compiled))
    }
}

impl Handler<Confirm> for Hasher {
    type Result = Result<bool, Internal>;

    fn handle(&mut self, message: Confirm, ctx: &mut Self::Context) -> Self::Result {
        contain(ctx, || {
            let place = Place::open(&message.cwd).ok();
            let now = place.and_then(|place| observe(&self.memory, &place, &message.compiled).ok());
            now.is_some_and(|now| now == message.seen)
        })
    }
}

impl Hasher {
    fn find(&self, subject: &Subject, recache: bool, help: Help<'_>) -> LookUp {
        let key = self.key(subject);
        let client = (&subject.place, &subject.env);
        let find = || self.manifests.find(&key, &self.memory, client, help);
        let early = || early(&self.memory, &subject.place, &subject.young);
        match if recache { None } else { find() } {
            Some(result) => match self.store.fetch(&result) {
                Ok(Some(fetched)) => LookUp::Found(key, Box::new(fetched)),
                Ok(None) | Err(_) => LookUp::Lost(key, early()),
            },
            None => LookUp::Unknown(key, early()),
        }
    }

    fn key(&self, subject: &Subject) -> Digest {
        let digest = |path: &PathBuf| {
            let path = self.memory.paths.intern(path.as_os_str().as_bytes())?;
            self.memory.files.digest(&subject.place, &path).map(|known| known.digest)
        };
        let key_files: Vec<Option<Digest>> = subject.job.key_files.iter().map(digest).collect();
        let variables: Vec<_> =
            subject.variables.iter().map(|(n, v)| (n.as_os_str(), v.as_os_str())).collect();
        job_key(&JobFacts {
            identity: subject.identity,
            driver: &subject.driver,
            job: &subject.job,
            variables: &variables,
            key_files: &key_files,
            cpu: subject.job.native_cpu.then(processor),
            pwd_leads_here: subject.job.key_directory.is_some()
                && pwd_leads_here(subject.pwd.as_deref(), &subject.place),
        })
    }
}

/// Names this machine's processor: what `-march=native` looks at.
fn processor() -> Digest {
    static DIGEST: OnceLock<Digest> = OnceLock::new();
    *DIGEST.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        // Lines that change from moment to moment (`cpu MHz`) or from core to core stay out.
        let kept =
            ["vendor_id", "cpu family", "model", "stepping", "flags", "cache size", "Features", "CPU "];
        let first = text.lines().take_while(|line| !line.is_empty());
        let lines: Vec<&str> =
            first.filter(|line| kept.iter().any(|start| line.starts_with(start))).collect();
        Digest::of(lines.join("\n").as_bytes())
    })
}
