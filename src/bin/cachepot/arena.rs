//! Memory before the C library has any: blocks, each taken from its beginning to its end, nothing given back. A hit
//! needs some 100 KiB of the first and only what is touched is real. Afterwards the C library's memory is used; what was
//! taken here stays valid.
use crate::early;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// A command line with its environment is at most 2 MiB on most systems, and is copied a few times.
const FIRST_BYTES: usize = 16 << 20;
/// Each block has twice the size of the one before: more than any machine's memory in all.
const BLOCKS: usize = 16;

#[repr(C, align(64))]
struct First(UnsafeCell<[u8; FIRST_BYTES]>);

// SAFETY: bytes are handed out once each; while the arena is open there is one thread.
unsafe impl Sync for First {}

static FIRST: First = First(UnsafeCell::new([0; FIRST_BYTES]));

struct Arena {
    /// Where the blocks begin; the first is at zero until the arena is opened.
    starts: [AtomicUsize; BLOCKS],
    /// The block that is taken from, and how much of it is.
    current: AtomicUsize,
    used: AtomicUsize,
    is_open: AtomicBool,
}

#[global_allocator]
static ARENA: Arena = Arena {
    starts: [const { AtomicUsize::new(0) }; BLOCKS],
    current: AtomicUsize::new(0),
    used: AtomicUsize::new(0),
    is_open: AtomicBool::new(false),
};

/// From here on memory comes from the blocks.
pub(crate) fn open() {
    if let Some(start) = ARENA.starts.first() {
        start.store(FIRST.0.get() as usize, Relaxed);
    }
    ARENA.is_open.store(true, Relaxed);
}

/// From here on memory comes from the C library.
pub(crate) fn close() {
    ARENA.is_open.store(false, Relaxed);
}

fn bytes_of(block: usize) -> usize {
    FIRST_BYTES << block
}

impl Arena {
    fn start(&self, block: usize) -> usize {
        self.starts.get(block).map_or(0, |start| start.load(Relaxed))
    }

    fn has(&self, pointer: *mut u8) -> bool {
        let is_in = |block| {
            let start = self.start(block);
            start != 0 && (pointer as usize).wrapping_sub(start) < bytes_of(block)
        };
        (0..=self.current.load(Relaxed)).any(is_in)
    }

    fn take(&self, layout: Layout) -> *mut u8 {
        loop {
            let block = self.current.load(Relaxed);
            let at = self.used.load(Relaxed).next_multiple_of(layout.align());
            let end = at.checked_add(layout.size()).filter(|_| layout.align() <= 64);
            if let Some(end) = end.filter(|&end| end <= bytes_of(block)) {
                self.used.store(end, Relaxed);
                return (self.start(block) + at) as *mut u8;
            }
            if end.is_none() || !self.grow(block + 1) {
                // More than the system gives: the C library tells.
                early::leave()
            }
        }
    }

    /// Begins a further block; false where there is none to be had.
    fn grow(&self, block: usize) -> bool {
        let Some(place) = self.starts.get(block) else { return false };
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a fresh mapping at a place of the kernel's choice touches nothing that is there.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes_of(block), access, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            return false;
        }
        place.store(start as usize, Relaxed);
        self.current.store(block, Relaxed);
        self.used.store(0, Relaxed);
        true
    }
}

// SAFETY: pieces of the blocks do not overlap, are aligned as asked (blocks are for 64) and live for ever; all other
// memory is the system's.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        if self.is_open.load(Relaxed) { self.take(layout) } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // A piece of a block has never been used before.
        // SAFETY: the caller's promise.
        if self.is_open.load(Relaxed) { self.take(layout) } else { unsafe { System.alloc_zeroed(layout) } }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if !self.has(pointer) {
            // SAFETY: not from a block, so from the system.
            unsafe { System.dealloc(pointer, layout) }
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.has(pointer) {
            // SAFETY: not from a block, so from the system.
            return unsafe { System.realloc(pointer, layout, size) };
        }
        let block = self.current.load(Relaxed);
        let at = (pointer as usize).wrapping_sub(self.start(block));
        let is_last = at.wrapping_add(layout.size()) == self.used.load(Relaxed);
        let fits = at.checked_add(size).is_some_and(|end| end <= bytes_of(block));
        if self.is_open.load(Relaxed) && is_last && size >= layout.size() && fits {
            self.used.store(at + size, Relaxed);
            return pointer;
        }
        if size <= layout.size() {
            return pointer;
        }
        // SAFETY: the caller promises that the size is one for this alignment; the old piece has `layout.size()`
        // bytes, which is less than the new one.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                std::ptr::copy_nonoverlapping(pointer, new, layout.size());
            }
            new
        }
    }
}
