//! Results that are still to be recorded. What takes time there waits while all processors compile: until one of them has
//! nothing to do, or nobody has compiled for a second, but not for long. Whoever asks for such a result meanwhile has it recorded first.
use crate::permits::{Deadline, max_waiting};
use crate::shared::Shared;
use crate::traffic::n_running;
use cachepot_engine::digest::Digest;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

/// Between two looks at what the machine does, at least and at most: less often while it is full.
const TICK: Duration = Duration::from_millis(20);
const LONG_TICK: Duration = Duration::from_millis(100);
/// Between two compiles of a job of make's, a processor has nothing to do for less than this.
const QUIET_TICKS: u8 = 5;
/// Others who share the cache folder or a remote wait for it, too.
const LONGEST: Duration = Duration::from_secs(30);
/// How long somebody who asks for a result waits at most until it is recorded.
const PATIENCE: Duration = Duration::from_secs(2);
/// Of all that wait: what the coordinator may have in memory for a while.
const MAX_MEMORY: u64 = 16 << 20;
/// Of all that wait: outputs beside the cache.
const MAX_ON_DISK: u64 = 256 << 20;

/// See the file's head.
pub struct Backlog {
    queue: Mutex<Queue>,
    /// One is recorded.
    recorded: Notify,
}

struct Queue {
    /// More than these do not wait: each holds memory and files.
    max_waiting: usize,
    waiting: VecDeque<Waiting>,
    /// What they hold together.
    held: Held,
    /// All that are not recorded yet, by their job.
    jobs: HashMap<Digest, usize>,
    is_watched: bool,
    quiet_ticks: u8,
    /// So many may be recorded at once, by what the machine did last.
    n_free: usize,
}

/// About so many bytes, while a result waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) in_memory: u64,
    /// Beside the cache.
    pub(crate) on_disk: u64,
}

impl Held {
    fn is_too_much(self) -> bool {
        self.in_memory > MAX_MEMORY || self.on_disk > MAX_ON_DISK
    }
}

impl std::ops::AddAssign for Held {
    fn add_assign(&mut self, more: Held) {
        self.in_memory += more.in_memory;
        self.on_disk += more.on_disk;
    }
}

struct Waiting {
    job: Digest,
    held: Held,
    since: Instant,
    turn: oneshot::Sender<()>,
}

impl Waiting {
    fn go_on(self) {
        // Nobody listens where the coordinator ends.
        let _ = self.turn.send(());
    }
}

/// One that is still to be recorded; it is when this is dropped.
pub struct Entered {
    shared: Arc<Shared>,
    job: Digest,
    turn: Option<oneshot::Receiver<()>>,
}

impl Default for Backlog {
    fn default() -> Self {
        Backlog { queue: Mutex::new(Queue::new(max_waiting())), recorded: Notify::new() }
    }
}

impl Backlog {
    /// One comes; it waits in a build that keeps all processors busy, if it may: then `held` says how large it is.
    pub(crate) fn enter(shared: &Arc<Shared>, job: Digest, held: Option<Held>) -> Entered {
        let held = held.filter(|_| shared.traffic.is_full());
        let mut queue = shared.backlog.queue();
        *queue.jobs.entry(job).or_default() += 1;
        let turn = held.map(|held| queue.add(job, held, Instant::now()));
        if turn.is_some() && !std::mem::replace(&mut queue.is_watched, true) {
            actix::spawn(watch(Arc::clone(shared)));
        }
        Entered { shared: Arc::clone(shared), job, turn }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nothing of a job is still to be recorded, but not until the deadline. Whether there was something.
    pub(crate) async fn settle(&self, job: &Digest, deadline: Deadline) -> bool {
        if !self.queue().jobs.contains_key(job) {
            return false;
        }
        let patience = Deadline::after(PATIENCE.min(deadline.left() / 2));
        self.wait_while(|queue| queue.hurry(Some(job)), patience).await;
        true
    }

    /// The same for all jobs that are there now.
    pub(crate) async fn flush(&self) {
        let mut jobs: Vec<Digest> = {
            let mut queue = self.queue();
            queue.hurry(None);
            queue.jobs.keys().copied().collect()
        };
        let is_left = |queue: &mut Queue| {
            jobs.retain(|job| queue.jobs.contains_key(job));
            !jobs.is_empty()
        };
        self.wait_while(is_left, Deadline::after(PATIENCE)).await;
    }

    /// From now on nothing waits: the coordinator ends.
    pub(crate) fn close(&self) {
        let mut queue = self.queue();
        queue.max_waiting = 0;
        queue.hurry(None);
    }

    async fn wait_while(&self, mut is_so: impl FnMut(&mut Queue) -> bool, deadline: Deadline) {
        loop {
            let recorded = self.recorded.notified();
            tokio::pin!(recorded);
            // Before the look: whatever is recorded after it wakes us.
            recorded.as_mut().enable();
            let waits = is_so(&mut self.queue());
            if !waits || tokio::time::timeout(deadline.left(), recorded).await.is_err() {
                return;
            }
        }
    }
}

impl Entered {
    /// Waits for its turn.
    pub(crate) async fn turn(&mut self) {
        if let Some(turn) = self.turn.take() {
            // Without a sender nobody would ever say so.
            let _ = turn.await;
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let backlog = &self.shared.backlog;
        backlog.queue().end(&self.job);
        backlog.recorded.notify_waiters();
    }
}

/// Lets some go on now and then, until none waits.
async fn watch(shared: Arc<Shared>) {
    let (mut is_over, mut tick) = (false, TICK);
    while !is_over {
        tokio::time::sleep(tick).await;
        let running = match shared.traffic.is_calm() {
            // Whatever else runs here: the build is over.
            true => 0,
            // Where the kernel does not tell, compiles that we know are what runs.
            false => n_running().unwrap_or_else(|| shared.traffic.n_compiles()),
        };
        let n_free = shared.backlog.queue().free_processors(running);
        tick = if n_free == 0 { LONG_TICK.min(tick + TICK / 4) } else { TICK };
        is_over = shared.backlog.queue().tick(n_free, Instant::now());
    }
}

impl Queue {
    fn new(max_waiting: usize) -> Self {
        let (waiting, jobs) = (VecDeque::new(), HashMap::new());
        let held = Held::default();
        Queue { max_waiting, waiting, held, jobs, is_watched: false, quiet_ticks: 0, n_free: 0 }
    }

    fn add(&mut self, job: Digest, held: Held, since: Instant) -> oneshot::Receiver<()> {
        let (turn, told) = oneshot::channel();
        self.waiting.push_back(Waiting { job, held, since, turn });
        self.held += held;
        while self.waiting.len() > self.max_waiting || self.held.is_too_much() {
            self.first_goes_on();
        }
        told
    }

    /// Whether there was one.
    fn first_goes_on(&mut self) -> bool {
        let Some(first) = self.waiting.pop_front() else { return false };
        self.held.in_memory -= first.held.in_memory;
        self.held.on_disk -= first.held.on_disk;
        first.go_on();
        true
    }

    /// How many processors have nothing to do but what is recorded here, while so many programs run.
    fn free_processors(&self, running: usize) -> usize {
        let cores = crate::cores();
        cores.saturating_sub(running.saturating_sub(self.n_at_work().min(cores)))
    }

    /// How many are being recorded.
    fn n_at_work(&self) -> usize {
        self.jobs.values().sum::<usize>().saturating_sub(self.waiting.len())
    }

    /// Those whose time has come go on, where so many processors are free; whether none waits any more.
    fn tick(&mut self, n_free: usize, now: Instant) -> bool {
        self.quiet_ticks = if n_free == 0 { 0 } else { self.quiet_ticks.saturating_add(1) };
        self.n_free = if self.quiet_ticks < QUIET_TICKS { 0 } else { n_free };
        self.fill();
        while self.waiting.front().is_some_and(|first| now.duration_since(first.since) >= LONGEST) {
            self.first_goes_on();
        }
        if self.waiting.is_empty() {
            // The next build is another one.
            (self.is_watched, self.quiet_ticks, self.n_free) = (false, 0, 0);
        }
        self.waiting.is_empty()
    }

    /// As many go on as there are processors for.
    fn fill(&mut self) {
        for _ in self.n_at_work()..self.n_free {
            if !self.first_goes_on() {
                return;
            }
        }
    }

    /// Those of a job, or all, go on. Whether anything of the job is not recorded yet.
    fn hurry(&mut self, job: Option<&Digest>) -> bool {
        let is_meant = |of: &Digest| job.is_none_or(|job| job == of);
        if !self.waiting.is_empty() {
            let all = std::mem::take(&mut self.waiting).into_iter();
            let (meant, others): (VecDeque<_>, _) = all.partition(|it| is_meant(&it.job));
            self.waiting = others;
            self.held = Held::default();
            self.waiting.iter().for_each(|left| self.held += left.held);
            meant.into_iter().for_each(Waiting::go_on);
        }
        self.jobs.keys().any(is_meant)
    }

    fn end(&mut self, job: &Digest) {
        if let Some(left) = self.jobs.get_mut(job) {
            *left -= 1;
            if *left == 0 {
                self.jobs.remove(job);
            }
        }
        self.fill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(n: u8) -> Digest {
        Digest([n; 32])
    }

    const SMALL: Held = Held { in_memory: 1000, on_disk: 0 };

    /// Adds jobs, and tells which of them may go on.
    fn all(queue: &mut Queue, n_jobs: u8) -> impl FnMut() -> Vec<u8> + use<> {
        let mut told: Vec<_> = (0..n_jobs).map(|n| (n, queue.add(job(n), SMALL, Instant::now()))).collect();
        (0..n_jobs).for_each(|n| *queue.jobs.entry(job(n)).or_default() += 1);
        move || {
            let mut gone = Vec::new();
            told.retain_mut(|(n, turn)| {
                let waits = turn.try_recv().is_err();
                if !waits {
                    gone.push(*n);
                }
                waits
            });
            gone
        }
    }

    #[test]
    fn a_full_machine_is_left_alone_for_a_while() {
        let mut queue = Queue::new(256);
        let mut gone = all(&mut queue, 6);
        let now = Instant::now();
        let moments = [0, 1, 0, 2, 0].into_iter().chain((1..QUIET_TICKS).map(|_| 1));
        for n_free in moments {
            assert!(!queue.tick(n_free, now) && gone().is_empty(), "a moment without work is not enough");
        }
        assert!(!queue.tick(2, now));
        assert_eq!(gone(), [0, 1]);
        assert!(!queue.tick(0, now) && gone().is_empty());
        assert!(queue.tick(0, now + LONGEST));
        assert_eq!(gone(), [2, 3, 4, 5]);
    }

    #[test]
    fn one_after_the_other_is_recorded_on_what_is_free() {
        let mut queue = Queue::new(256);
        let mut gone = all(&mut queue, 5);
        let (now, cores) = (Instant::now(), crate::cores());
        assert!((0..QUIET_TICKS).all(|_| !queue.tick(2, now)));
        assert_eq!((gone(), queue.n_at_work()), (vec![0, 1], 2));
        let free = [0, 1, cores, cores + 9].map(|running| queue.free_processors(running));
        assert_eq!(free, [cores, cores, 2.min(cores), 0], "our own work is none of theirs");
        queue.end(&job(0));
        queue.end(&job(1));
        assert_eq!(gone(), [2, 3]);
        assert!(!queue.tick(0, now));
        queue.end(&job(2));
        assert!(gone().is_empty(), "others want the processors");
    }

    #[test]
    fn only_so_many_wait() {
        let mut queue = Queue::new(256);
        let mut gone = all(&mut queue, 200);
        let mut others = all(&mut queue, 60);
        assert_eq!((gone(), others().len(), queue.waiting.len()), (vec![0, 1, 2, 3], 0, 256));
    }

    #[test]
    fn so_many_bytes_wait() {
        for quarter in [
            Held { in_memory: MAX_MEMORY / 4, on_disk: 0 },
            Held { in_memory: 1000, on_disk: MAX_ON_DISK / 4 },
        ] {
            let mut queue = Queue::new(256);
            let mut told: Vec<_> = (0..5).map(|n| queue.add(job(n), quarter, Instant::now())).collect();
            let is_told = |turn: &mut oneshot::Receiver<()>| turn.try_recv().is_ok();
            assert_eq!(told.iter_mut().map(is_told).collect::<Vec<_>>(), [true, false, false, false, false]);
            queue.jobs.insert(job(2), 1);
            assert!(queue.hurry(Some(&job(2))));
            drop(queue.add(job(5), quarter, Instant::now()));
            let all = Held { in_memory: quarter.in_memory * 4, on_disk: quarter.on_disk * 4 };
            assert_eq!((queue.waiting.len(), queue.held), (4, all), "the third had gone already");
        }
    }

    #[test]
    fn who_is_asked_for_goes_on_at_once() {
        let mut queue = Queue::new(256);
        let mut gone = all(&mut queue, 3);
        *queue.jobs.entry(job(1)).or_default() += 1;
        assert!(queue.hurry(Some(&job(1))) && !queue.hurry(Some(&job(9))));
        assert_eq!(gone(), [1]);
        queue.end(&job(1));
        assert!(queue.hurry(Some(&job(1))), "one of two is still to be recorded");
        queue.end(&job(1));
        assert!(!queue.hurry(Some(&job(1))));
        queue.hurry(None);
        assert_eq!(gone(), [0, 2]);
    }
}
