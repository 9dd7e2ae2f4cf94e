//! The log: each record is one write at its end, so that processes do not mix. A record that this process wrote
//! before is left out. What cannot be written makes the log go away: without it nothing is kept.
use crate::format::{HEAD_BYTES, TAIL_BYTES};
use crate::kernel::{self, Piece};
use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_int};
use core::sync::atomic::{AtomicI32, AtomicU8, AtomicU64, AtomicUsize, Ordering};

/// Names the log, in the environment of whoever is observed.
const VARIABLE: &[u8] = b"CACHEPOT_OBSERVE=";
const MAX_PATH_BYTES: usize = 512;
const MAX_TEXTS: usize = 7;

const UNKNOWN: u8 = 0;
const READY: u8 = 1;
const OFF: u8 = 2;
/// Whether this process is observed.
static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);
static FD: AtomicI32 = AtomicI32::new(-1);
static DEVICE: AtomicU64 = AtomicU64::new(0);
static INODE: AtomicU64 = AtomicU64::new(0);

/// The log's path, ending with a zero.
struct LogPath(UnsafeCell<[u8; MAX_PATH_BYTES]>);

// SAFETY: written while `STATE` is `UNKNOWN`, always with the same bytes; read when it is `READY`.
unsafe impl Sync for LogPath {}
static PATH: LogPath = LogPath(UnsafeCell::new([0; MAX_PATH_BYTES]));

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

/// Finds the log in an environment.
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
    let is_ready = path.is_some_and(|path| {
        let is_short = path.len() <= MAX_PATH_BYTES;
        // SAFETY: see `LogPath`; there is room.
        unsafe {
            PATH.0
                .get()
                .cast::<u8>()
                .copy_from_nonoverlapping(path.as_ptr(), path.len() * usize::from(is_short))
        };
        is_short && open()
    });
    STATE.store(if is_ready { READY } else { OFF }, Ordering::Release);
}

fn path() -> &'static [u8] {
    // SAFETY: see `LogPath`.
    unsafe { &*PATH.0.get() }
}

fn open() -> bool {
    let Some(fd) = kernel::open_log(path()) else { return false };
    let (device, inode) = kernel::identity(fd).unwrap_or_default();
    DEVICE.store(device, Ordering::Relaxed);
    INODE.store(inode, Ordering::Relaxed);
    FD.store(fd, Ordering::Relaxed);
    true
}

/// Programs close descriptors that they do not know, and the number may be another file by now.
fn is_still_the_log() -> bool {
    kernel::identity(FD.load(Ordering::Relaxed))
        == Some((DEVICE.load(Ordering::Relaxed), INODE.load(Ordering::Relaxed)))
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
    let length = texts.iter().fold(HEAD_BYTES + TAIL_BYTES, |sum, text| sum + text.len());
    let size = (length as u32).to_le_bytes();
    let [[a, b, c, d], [p, q, r, s], [w, x, y, z]] =
        [size, kernel::process_id().to_le_bytes(), head.number.to_le_bytes()];
    let [e, f] = (head.error as u16).to_le_bytes();
    let start: [u8; HEAD_BYTES] = [a, b, c, d, head.op, head.detail, e, f, p, q, r, s, w, x, y, z];
    let mut pieces = [Piece::of(&[]); MAX_TEXTS + 2];
    pieces[0] = Piece::of(&start);
    let n_texts = texts.len().min(MAX_TEXTS);
    for (piece, text) in pieces[1..].iter_mut().zip(texts) {
        *piece = *text;
    }
    pieces[n_texts + 1] = Piece::of(&size);
    let is_open = is_still_the_log() || open();
    if !is_open || !kernel::write(FD.load(Ordering::Relaxed), &pieces[..n_texts + 2], length) {
        give_up();
        return;
    }
    if hash != 0 {
        remember(hash);
    }
}

/// Takes the log away.
pub fn give_up() {
    if is_on() {
        kernel::remove(path());
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
