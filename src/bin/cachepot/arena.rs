//! Memory before the C library has any: one block, taken from its beginning to its end, nothing given back. A hit
//! needs some 100 KiB and only what is touched is real. Afterwards the C library's memory is used; what was taken
//! here stays valid.
use crate::early;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// A command line with its environment is at most 2 MiB on most systems, and is copied a few times.
const BYTES: usize = 16 << 20;

#[repr(C, align(64))]
struct Arena {
    block: UnsafeCell<[u8; BYTES]>,
    used: AtomicUsize,
    is_open: AtomicBool,
}

// SAFETY: bytes are handed out once each; while the arena is open there is one thread.
unsafe impl Sync for Arena {}

#[global_allocator]
static ARENA: Arena =
    Arena { block: UnsafeCell::new([0; BYTES]), used: AtomicUsize::new(0), is_open: AtomicBool::new(false) };

/// From here on memory comes from the block.
pub(crate) fn open() {
    ARENA.is_open.store(true, Relaxed);
}

/// From here on memory comes from the C library.
pub(crate) fn close() {
    ARENA.is_open.store(false, Relaxed);
}

impl Arena {
    fn start(&self) -> *mut u8 {
        self.block.get().cast()
    }
    fn has(&self, pointer: *mut u8) -> bool {
        (pointer as usize).wrapping_sub(self.start() as usize) < BYTES
    }
    fn take(&self, layout: Layout) -> *mut u8 {
        let at = self.used.load(Relaxed).next_multiple_of(layout.align());
        match at.checked_add(layout.size()).filter(|&end| end <= BYTES && layout.align() <= 64) {
            Some(end) => {
                self.used.store(end, Relaxed);
                self.start().wrapping_add(at)
            }
            // Far more than a hit needs: the C library has it.
            None => early::leave(),
        }
    }
}

// SAFETY: pieces of the block do not overlap, are aligned as asked (the block is for 64) and live for ever; all other
// memory is the system's.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        if self.is_open.load(Relaxed) { self.take(layout) } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // A piece of the block has never been used before.
        // SAFETY: the caller's promise.
        if self.is_open.load(Relaxed) { self.take(layout) } else { unsafe { System.alloc_zeroed(layout) } }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if !self.has(pointer) {
            // SAFETY: not from the block, so from the system.
            unsafe { System.dealloc(pointer, layout) }
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.has(pointer) {
            // SAFETY: not from the block, so from the system.
            return unsafe { System.realloc(pointer, layout, size) };
        }
        let at = pointer as usize - self.start() as usize;
        let is_last = at + layout.size() == self.used.load(Relaxed);
        if self.is_open.load(Relaxed) && is_last && size >= layout.size() && at + size <= BYTES {
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
