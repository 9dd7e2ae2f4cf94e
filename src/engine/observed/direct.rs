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
    let Some((machine, parts)) = executable_parts(file) else { return true };
    parts.iter().any(|part| match machine {
        MACHINE_X86_64 => memmem::find_iter(part, SYSCALL).any(|at| is_instruction(part, at)),
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

/// Whether a crate may ask for this variable: it names it, or has the standard library do so.
pub fn names_variable(file: &[u8], name: &str) -> bool {
    let says = |text: &str| memmem::find(file, text.as_bytes()).is_some();
    says(name) || (name == "TMPDIR" && says("temp_dir"))
}

const SYSCALL: &[u8] = b"\x0f\x05";
/// `mov $15, %rax`, which is `rt_sigreturn`.
const RETURN: &[u8] = b"\xc7\xc0\x0f\x00\x00\x00";
const SVC: &[u8] = b"\x01\x00\x00\xd4";

/// Instructions are not to be told from what stands in them without decoding all that come before. But nearly all other
/// places where the two bytes stand are in the middle or at the beginning of a distance of four bytes whose last is 0,
/// and no compiler writes an instruction that begins with 0.
fn is_instruction(code: &[u8], at: usize) -> bool {
    let byte = |place: Option<usize>| place.and_then(|place| code.get(place)).copied();
    let (next, after) = (byte(at.checked_add(2)), byte(at.checked_add(3)));
    let before = byte(at.checked_sub(1)).unwrap_or_default();
    let is_jump = byte(at.checked_sub(2)) == Some(0x0f) && before & 0xf0 == 0x80;
    // A call, a jump, an operand whose place is told from here.
    let has_distance = matches!(before, 0xe8 | 0xe9) || is_jump || before & 0xc7 == 0x05;
    // The way out of a signal's handler, or the unwinder's search for it: libgcc compares code with these bytes.
    let is_return = at.checked_sub(RETURN.len()).and_then(|start| code.get(start..at)) == Some(RETURN);
    // As far ahead, or back.
    next != Some(0) && !(has_distance && matches!(after, Some(0 | 0xff))) && !is_return
}

/// The machine, and what is mapped to be executed: `elf(5)`, 64 bits, little-endian.
fn executable_parts(file: &[u8]) -> Option<(u16, Vec<&[u8]>)> {
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let machine = u16::from_le_bytes(*file.get(18..)?.first_chunk()?);
    let start = usize::try_from(word(file, 32)?).ok()?;
    let size = usize::from(u16::from_le_bytes(*file.get(54..)?.first_chunk()?));
    let count = usize::from(u16::from_le_bytes(*file.get(56..)?.first_chunk()?));
    let mut parts = Vec::new();
    for number in 0..count {
        let header = file.get(start.checked_add(number.checked_mul(size)?)?..)?;
        let kind = u32::from_le_bytes(*header.first_chunk()?);
        let flags = u32::from_le_bytes(*header.get(4..)?.first_chunk()?);
        if kind == PT_LOAD && flags & EXECUTABLE != 0 {
            let offset = usize::try_from(word(header, 8)?).ok()?;
            let length = usize::try_from(word(header, 32)?).ok()?;
            parts.push(file.get(offset..offset.checked_add(length)?)?);
        }
    }
    Some((machine, parts))
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
