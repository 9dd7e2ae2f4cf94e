//! Finds the function that would have been called without the observer: the first definition of the name in a library
//! behind ours. By our own search and not by `dlsym`, which some C libraries keep in a library of its own, and which
//! would tie the observer to the version of the C library it was built with.
use core::ffi::{CStr, c_char, c_int, c_ulong, c_void};
use core::sync::atomic::{AtomicUsize, Ordering};

/// As `link.h` begins it.
#[repr(C)]
pub struct LoadedObject {
    pub base: usize,
    pub name: *const c_char,
    pub headers: *const ProgramHeader,
    pub n_headers: u16,
}

/// As in `elf.h`, for 64 bits.
#[repr(C)]
pub struct ProgramHeader {
    pub kind: u32,
    _flags: u32,
    _offset: u64,
    pub address: usize,
    _physical: u64,
    pub size_in_file: usize,
    pub size: usize,
    _align: u64,
}

#[repr(C)]
struct Symbol {
    name: u32,
    info: u8,
    _other: u8,
    section: u16,
    value: usize,
    _size: u64,
}

pub const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
pub const PT_NOTE: u32 = 4;
const DT_HASH: usize = 4;
const DT_STRTAB: usize = 5;
const DT_SYMTAB: usize = 6;
const DT_GNU_HASH: usize = 0x6fff_fef5;
const DT_VERSYM: usize = 0x6fff_fff0;
const STT_FUNC: u8 = 2;
/// A function that tells which one is meant, by what the machine can do: glibc's `time` is one.
const STT_GNU_IFUNC: u8 = 10;
const AT_HWCAP: c_ulong = 16;
/// An old version of a function, kept for programs that were linked long ago.
const HIDDEN: u16 = 0x8000;

type Visit = unsafe extern "C" fn(*const LoadedObject, usize, *mut c_void) -> c_int;

unsafe extern "C" {
    /// Of the C library.
    pub fn dl_iterate_phdr(visit: Visit, data: *mut c_void) -> c_int;
    fn getauxval(kind: c_ulong) -> c_ulong;
}

/// The address of a function behind ours, once it was looked for.
pub struct Slot(AtomicUsize);

const NOT_LOOKED_FOR: usize = 0;
const NOT_THERE: usize = 1;

impl Slot {
    pub const fn new() -> Self {
        Slot(AtomicUsize::new(NOT_LOOKED_FOR))
    }

    /// The function `name`, which ends with a zero; `None` if no library behind ours has it.
    pub fn address(&self, name: &'static [u8]) -> Option<usize> {
        let mut address = self.0.load(Ordering::Relaxed);
        if address == NOT_LOOKED_FOR {
            let mut search = Search { name, is_behind: false, found: NOT_THERE };
            // SAFETY: `visit` gets what it is written for, and `search` lives as long as the call.
            unsafe { dl_iterate_phdr(visit, (&raw mut search).cast()) };
            address = search.found;
            self.0.store(address, Ordering::Relaxed);
        }
        (address != NOT_THERE).then_some(address)
    }
}

struct Search {
    name: &'static [u8],
    is_behind: bool,
    found: usize,
}

unsafe extern "C" fn visit(object: *const LoadedObject, _size: usize, data: *mut c_void) -> c_int {
    // SAFETY: called by `dl_iterate_phdr` with the data of `address`.
    let (object, search) = unsafe { (&*object, &mut *data.cast::<Search>()) };
    if search.is_behind {
        // SAFETY: the object is mapped while it is visited.
        if let Some(found) = unsafe { lookup(object, search.name) } {
            search.found = found;
            return 1;
        }
    } else {
        search.is_behind = is_ours(object);
    }
    0
}

/// The program headers of a mapped object.
pub fn headers(object: &LoadedObject) -> &[ProgramHeader] {
    if object.headers.is_null() {
        return &[];
    }
    // SAFETY: the loader says so.
    unsafe { core::slice::from_raw_parts(object.headers, object.n_headers.into()) }
}

/// Whether an object is the observer.
pub fn is_ours(object: &LoadedObject) -> bool {
    let address = visit as *const () as usize;
    headers(object).iter().any(|header| {
        let offset = address.wrapping_sub(object.base.wrapping_add(header.address));
        header.kind == PT_LOAD && offset < header.size
    })
}

/// The tables of an object that tell its functions.
struct Tables {
    strings: usize,
    symbols: usize,
    /// The GNU hash section, or 0.
    hashes: usize,
    /// The hash section of all systems, or 0; only there if the other is not.
    old_hashes: usize,
    versions: usize,
}

/// # Safety
/// The object must be mapped.
unsafe fn tables(object: &LoadedObject) -> Option<Tables> {
    let dynamic = headers(object).iter().find(|header| header.kind == PT_DYNAMIC)?;
    let mut entry = object.base.wrapping_add(dynamic.address) as *const [usize; 2];
    let mut tables = Tables { strings: 0, symbols: 0, hashes: 0, old_hashes: 0, versions: 0 };
    // SAFETY: the section ends with an entry of tag 0.
    while let [tag, value] = unsafe { *entry }
        && tag != 0
    {
        // Some loaders put in addresses, others leave what the file says.
        let address = if value < object.base { value.wrapping_add(object.base) } else { value };
        match tag {
            DT_STRTAB => tables.strings = address,
            DT_SYMTAB => tables.symbols = address,
            DT_HASH => tables.old_hashes = address,
            DT_GNU_HASH => tables.hashes = address,
            DT_VERSYM => tables.versions = address,
            _ => {}
        }
        entry = entry.wrapping_add(1);
    }
    (tables.strings != 0 && tables.symbols != 0).then_some(tables)
}

/// # Safety
/// The object must be mapped. `name` ends with a zero.
unsafe fn lookup(object: &LoadedObject, name: &[u8]) -> Option<usize> {
    // SAFETY: as the caller says.
    unsafe {
        let tables = tables(object)?;
        let index = if tables.hashes != 0 {
            index(&tables, name)?
        } else if tables.old_hashes != 0 {
            // Two words at the front: buckets, and symbols.
            let n_symbols = *(tables.old_hashes as *const u32).add(1);
            (0..n_symbols).find(|&index| is_default(&tables, index, name))?
        } else {
            return None;
        };
        let symbol = &*(tables.symbols as *const Symbol).add(index as usize);
        let address = object.base.wrapping_add(symbol.value);
        if symbol.info & 0xf != STT_GNU_IFUNC {
            return Some(address);
        }
        // As the loader calls it; x86-64 gives it nothing.
        let which =
            core::mem::transmute::<usize, unsafe extern "C" fn(c_ulong, *const c_void) -> usize>(address);
        Some(which(getauxval(AT_HWCAP), core::ptr::null()))
    }
}

/// # Safety
/// The tables are those of a mapped object, with a GNU hash section. `name` ends with a zero.
unsafe fn index(tables: &Tables, name: &[u8]) -> Option<u32> {
    let hash = name
        .iter()
        .take_while(|&&byte| byte != 0)
        .fold(5381_u32, |hash, &byte| hash.wrapping_mul(33).wrapping_add(byte.into()));
    // SAFETY: the section has a head of four words, a bloom filter of 64-bit words, buckets, and chains whose last hash
    // is odd.
    unsafe {
        let head = tables.hashes as *const u32;
        let [n_buckets, first, n_bloom, shift] = *head.cast::<[u32; 4]>();
        if n_buckets == 0 || n_bloom == 0 {
            return None;
        }
        let bloom = head.add(4).cast::<u64>();
        let word = bloom.add((hash / 64 % n_bloom) as usize).read_unaligned();
        if word >> (hash % 64) & word >> (hash.wrapping_shr(shift) % 64) & 1 == 0 {
            return None;
        }
        let buckets = bloom.add(n_bloom as usize).cast::<u32>();
        let chains = buckets.add(n_buckets as usize);
        let mut index = *buckets.add((hash % n_buckets) as usize);
        while index >= first {
            let chain = *chains.add((index - first) as usize);
            if chain | 1 == hash | 1 && is_default(tables, index, name) {
                return Some(index);
            }
            if chain & 1 == 1 {
                break;
            }
            index += 1;
        }
    }
    None
}

/// Whether a symbol is the function of this name, in the version that new programs get.
///
/// # Safety
/// The tables are those of a mapped object, and the index is in them.
unsafe fn is_default(tables: &Tables, index: u32, name: &[u8]) -> bool {
    // SAFETY: as the caller says; names end with a zero.
    unsafe {
        let symbol = &*(tables.symbols as *const Symbol).add(index as usize);
        let is_hidden =
            tables.versions != 0 && *(tables.versions as *const u16).add(index as usize) & HIDDEN != 0;
        let text = (tables.strings as *const u8).add(symbol.name as usize);
        let is_function = symbol.section != 0 && [STT_FUNC, STT_GNU_IFUNC].contains(&(symbol.info & 0xf));
        is_function && !is_hidden && name.iter().enumerate().all(|(at, &byte)| *text.add(at) == byte)
    }
}

/// The path by which the loader knows the observer.
pub fn own_name() -> &'static [u8] {
    unsafe extern "C" fn visit(object: *const LoadedObject, _size: usize, name: *mut c_void) -> c_int {
        // SAFETY: called by `dl_iterate_phdr` with the address of `found`.
        let (object, name) = unsafe { (&*object, &mut *name.cast::<*const c_char>()) };
        let is_it = is_ours(object) && !object.name.is_null();
        if is_it {
            *name = object.name;
        }
        is_it.into()
    }
    let mut found = c"".as_ptr();
    // SAFETY: `visit` gets what it is written for; the name stays for as long as the observer does.
    unsafe {
        dl_iterate_phdr(visit, (&raw mut found).cast());
        CStr::from_ptr(found).to_bytes()
    }
}
