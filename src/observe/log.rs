//! The log: memory that all observed processes share, so that a record costs no system call, needs no descriptor that
//! the program could close, and is there whatever becomes of the process. A record that this process wrote before is
//! left out. Where there is no room, the log is marked.
use crate::format::{ALIGN, BROKEN_AT, HEAD_BYTES, LOG_BYTES, LOG_HEAD_BYTES, MAGIC, USED_AT};
use crate::kernel::{self, Piece};
use core::ffi::{CStr, c_char, c_int};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Names the log, in the environment of whoever is observed.
const VARIABLE: &[u8] = b"CACHEPOT_OBSERVE=";

const UNKNOWN: u8 = 0;
const READY: u8 = 1;
const OFF: u8 = 2;
/// Whether this process is observed.
static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);
/// Where the log is mapped, once `STATE` is `READY`. It stays there to the end.
static MAP: AtomicPtr<u8> = AtomicPtr::new(null_mut());
static SIZE: AtomicUsize = AtomicUsize::new(0);

/// What is written once per process and what each time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Often {
    /// The same record twice says no more than once.
    Once,
    /// Order and number matter.
    Always,
}

/// The numbers of a record.
#[derive(Clone, Copy)]
pub struct Head {
    pub op: u8,
    pub detail: u8,
    pub error: c_int,
    pub number: u32,
}

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// Whether there is a log; looks for it when first asked.
pub fn is_on() -> bool {
    if STATE.load(Ordering::Acquire) == UNKNOWN {
        // SAFETY: the C library's own list, or null if it has none yet.
        unsafe { begin(environ) };
    }
    STATE.load(Ordering::Acquire) == READY
}

/// Finds the log in an environment. Two threads that do it at once map it twice, which is no harm.
///
/// # Safety
/// `variables` is null or a list of strings that ends with null.
pub unsafe fn begin(mut variables: *const *const c_char) {
    if variables.is_null() || STATE.load(Ordering::Acquire) != UNKNOWN {
        return;
    }
    // SAFETY: as the caller says.
    let path = unsafe {
        loop {
            if (*variables).is_null() {
                break None;
            }
            let text = CStr::from_ptr(*variables).to_bytes_with_nul();
            if text.starts_with(VARIABLE) {
                break text.get(VARIABLE.len()..);
            }
            variables = variables.add(1);
        }
    };
    let is_ready = path.and_then(|path| kernel::map(path, LOG_BYTES)).is_some_and(|(map, size)| {
        // SAFETY: as large as `size` says. Whatever else it is, it is not written to.
        let is_log = size > LOG_HEAD_BYTES && unsafe { *map.cast::<[u8; MAGIC.len()]>() } == MAGIC;
        if is_log {
            SIZE.store(size, Ordering::Relaxed);
            MAP.store(map, Ordering::Relaxed);
        }
        is_log
    });
    STATE.store(if is_ready { READY } else { OFF }, Ordering::Release);
}

/// Writes a record; the texts follow each other as they are.
pub fn write(often: Often, head: Head, texts: &[Piece]) {
    if !is_on() {
        return;
    }
    let hash = if often == Often::Once { hash(head, texts) } else { 0 };
    if hash != 0 && is_known(hash) {
        return;
    }
    let length = texts.iter().fold(HEAD_BYTES, |sum, text| sum + text.len());
    let Some(place) = take_room(length) else { return give_up() };
    let [[p, q, r, s], [w, x, y, z]] = [kernel::process_id().to_le_bytes(), head.number.to_le_bytes()];
    let [e, f] = (head.error as u16).to_le_bytes();
    let start = [head.op, head.detail, e, f, p, q, r, s, w, x, y, z];
    // SAFETY: `length` bytes from `place` on are this record's, and callers keep their texts until this is over. The
    // room is aligned, and its length comes last.
    unsafe {
        let mut to = place.add(HEAD_BYTES - start.len());
        for bytes in [Piece::of(&start)].iter().chain(texts).map(|piece| piece.bytes()) {
            to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            to = to.add(bytes.len());
        }
        AtomicU32::from_ptr(place.cast()).store((length as u32).to_le(), Ordering::Release);
    }
    if hash != 0 {
        remember(hash);
    }
}

/// Room for a record of this length, at the end of the log.
fn take_room(length: usize) -> Option<*mut u8> {
    let map = MAP.load(Ordering::Relaxed);
    let taken = length.next_multiple_of(ALIGN);
    // SAFETY: aligned, in the head of the log. Both machines are little-endian.
    let used = unsafe { AtomicU64::from_ptr(map.add(USED_AT).cast()) };
    let at = used.fetch_add(taken as u64, Ordering::Relaxed) as usize + LOG_HEAD_BYTES;
    let is_in_it = at + taken <= SIZE.load(Ordering::Relaxed);
    is_in_it.then(|| map.wrapping_add(at))
}

/// Marks the log: something is missing.
pub fn give_up() {
    if is_on() {
        // SAFETY: aligned, in the head of the log.
        let broken = unsafe { AtomicU32::from_ptr(MAP.load(Ordering::Relaxed).add(BROKEN_AT).cast()) };
        broken.store(1, Ordering::Relaxed);
    }
}

/// Hashes of records that were written, at the place that follows from the hash or behind it.
static KNOWN: [AtomicU64; N_KNOWN] = [const { AtomicU64::new(0) }; N_KNOWN];
const N_KNOWN: usize = 8192;
/// With more than this there is no more remembering.
const MAX_KNOWN: usize = N_KNOWN / 4 * 3;
static N_REMEMBERED: AtomicUsize = AtomicUsize::new(0);

fn places(hash: u64) -> impl Iterator<Item = &'static AtomicU64> {
    let first = hash as usize % N_KNOWN;
    (0..N_KNOWN).map(move |step| &KNOWN[(first + step) % N_KNOWN])
}

fn is_known(hash: u64) -> bool {
    let mut taken = places(hash).map(|place| place.load(Ordering::Relaxed)).take_while(|&known| known != 0);
    taken.any(|known| known == hash)
}

/// After the write: of two threads with the same record both may write it, but none may leave it to the other.
fn remember(hash: u64) {
    if N_REMEMBERED.fetch_add(1, Ordering::Relaxed) >= MAX_KNOWN {
        return;
    }
    for place in places(hash) {
        let found = place.compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed);
        if found.is_ok() || found == Err(hash) {
            return;
        }
    }
}

/// Never 0, which stands for a free place.
fn hash(head: Head, texts: &[Piece]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let numbers = [u64::from(head.op), u64::from(head.detail), head.error as u64, u64::from(head.number)];
    let mix = |hash: u64, value: u64| {
        let wide = u128::from(hash ^ value).wrapping_mul(u128::from(FACTOR));
        (wide as u64) ^ ((wide >> 64) as u64).rotate_left(23)
    };
    let mut hash = numbers.into_iter().fold(FACTOR, mix);
    for text in texts {
        // SAFETY: callers keep their texts until `write` is over.
        let bytes = unsafe { text.bytes() };
        for chunk in bytes.chunks(8) {
            let value = chunk.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
            hash = mix(hash, value);
        }
        hash = mix(hash, bytes.len() as u64);
    }
    hash | 1
}
