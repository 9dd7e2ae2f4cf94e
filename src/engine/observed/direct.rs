//! What a library or program can do past the observer, by what is in its file: system calls of its own, as the crate
//! `rustix` makes them, which a proc macro may hold, and a walk through the list of environment variables. When in
//! doubt, it can.
//!
//! Not meant for the C library and the loader, which make system calls for all others, nor for programs that hand their
//! environment on: what a compiler does by itself is known.
use memchr::memmem;

const MACHINE_X86_64: u16 = 62;
const MACHINE_AARCH64: u16 = 183;
const PT_LOAD: u32 = 1;
const EXECUTABLE: u32 = 1;

/// Whether an ELF file has an instruction for system calls; true for what is none, or for another machine.
pub fn calls_kernel(file: &[u8]) -> bool {
    let Some(Loaded { machine, end, parts }) = loaded(file) else { return true };
    let far = u8::try_from(end >> 24).unwrap_or(u8::MAX);
    let code = parts.iter().filter(|(_, is_code)| *is_code);
    code.map(|(part, _)| part).any(|part| match machine {
        MACHINE_X86_64 => memmem::find_iter(part, SYSCALL).any(|at| is_instruction(part, at, far)),
        MACHINE_AARCH64 => part.chunks_exact(4).any(|word| word == SVC),
        _ => true,
    })
}

/// Whether a file names the list of all environment variables: who does can read them without asking for a name. The
/// standard library of Rust does for `std::env::vars` and for starting programs, and is linked into a proc macro only as
/// far as it is used.
pub fn names_environment(file: &[u8]) -> bool {
    const NAME: &[u8] = b"environ\0";
    let is_whole = |at: usize| {
        let before = file.get(..at).unwrap_or_default();
        // As `environ`, `_environ` and `__environ`.
        let name = before.iter().rposition(|&byte| byte != b'_').and_then(|last| before.get(last));
        name.is_none_or(|&byte| byte == 0)
    };
    memmem::find_iter(file, NAME).any(is_whole)
}

/// Whether a crate may ask for this variable: it names it in what is loaded, or has the standard library do so.
pub fn names_variable(file: &[u8], name: &str) -> bool {
    let parts = loaded(file).map_or_else(|| vec![(file, false)], |loaded| loaded.parts);
    parts.iter().any(|(part, _)| memmem::find(part, name.as_bytes()).is_some())
        || (name == "TMPDIR" && memmem::find(file, b"temp_dir").is_some())
}

const SYSCALL: &[u8] = b"\x0f\x05";
/// `mov $15, %rax`, which is `rt_sigreturn`.
const RETURN: &[u8] = b"\xc7\xc0\x0f\x00\x00\x00";
const SVC: &[u8] = b"\x01\x00\x00\xd4";

/// Instructions are not to be told from what stands in them without decoding all that come before. But nearly all other
/// places where the two bytes stand are in a distance or an address of four bytes, whose last one is at most `far`, or as
/// near to 255; and no compiler writes an instruction that begins with 0.
fn is_instruction(code: &[u8], at: usize, far: u8) -> bool {
    let byte = |place: Option<usize>| place.and_then(|place| code.get(place)).copied();
    let (next, after) = (byte(at.checked_add(2)), byte(at.checked_add(3)));
    let is_in_code = |last: u8| last <= far || last >= u8::MAX - far;
    // Each place where one may begin.
    let is_distance = (0..3_usize).any(|step| {
        let Some(start) = at.checked_sub(step) else { return false };
        byte(start.checked_add(3)).is_some_and(is_in_code) && has_distance(code, start)
    });
    // The way out of a signal's handler, or the unwinder's search for it: libgcc compares code with these bytes.
    let is_return = at.checked_sub(RETURN.len()).and_then(|start| code.get(start..at)) == Some(RETURN);
    // `test $0x50f...., %eax` and a jump.
    let is_test = byte(at.checked_sub(3)) == Some(0xa9)
        && next == Some(0x0f)
        && after.is_some_and(|byte| byte & 0xf0 == 0x80);
    next != Some(0) && !is_distance && !is_return && !is_test
}

/// Whether what stands before a place is the beginning of an instruction that ends with a distance or an address.
fn has_distance(code: &[u8], start: usize) -> bool {
    let before = |back: usize| start.checked_sub(back).and_then(|place| code.get(place)).copied();
    let last = before(1).unwrap_or_default();
    let is_jump = before(2) == Some(0x0f) && last & 0xf0 == 0x80;
    let is_table = before(2).is_some_and(|byte| byte & 0xc7 == 0x04) && last & 0x07 == 0x05;
    // A call, a jump, an address, an operand whose place is told from here.
    matches!(last, 0xe8 | 0xe9 | 0xb8..=0xbf) || is_jump || is_table || last & 0xc7 == 0x05
}

struct Loaded<'a> {
    machine: u16,
    /// Where all that is mapped ends.
    end: u64,
    /// What is mapped, and whether to be executed.
    parts: Vec<(&'a [u8], bool)>,
}

/// Of an ELF file: `elf(5)`, 64 bits, little-endian.
fn loaded(file: &[u8]) -> Option<Loaded<'_>> {
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let machine = u16::from_le_bytes(*file.get(18..)?.first_chunk()?);
    let start = usize::try_from(word(file, 32)?).ok()?;
    let size = usize::from(u16::from_le_bytes(*file.get(54..)?.first_chunk()?));
    let count = usize::from(u16::from_le_bytes(*file.get(56..)?.first_chunk()?));
    let (mut parts, mut end) = (Vec::new(), 0);
    for number in 0..count {
        let header = file.get(start.checked_add(number.checked_mul(size)?)?..)?;
        let kind = u32::from_le_bytes(*header.first_chunk()?);
        let flags = u32::from_le_bytes(*header.get(4..)?.first_chunk()?);
        if kind == PT_LOAD {
            end = end.max(word(header, 16)?.checked_add(word(header, 40)?)?);
            let offset = usize::try_from(word(header, 8)?).ok()?;
            let length = usize::try_from(word(header, 32)?).ok()?;
            parts.push((file.get(offset..offset.checked_add(length)?)?, flags & EXECUTABLE != 0));
        }
    }
    Some(Loaded { machine, end, parts })
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
