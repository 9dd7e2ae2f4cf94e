//! Compiles the observer (`src/observe/`) and the stub (`src/stub/`), and links the client statically.
//!
//! The observer is a library for other programs and no part of ours, as is the stub of a build script, so they are compiled by
//! themselves, with the compiler that cargo uses; `CACHEPOT_OBSERVER` and `CACHEPOT_STUB` then name the files for
//! `include_bytes!`. Where that cannot be done the configuration `observer` is missing, and so are both.
//!
//! The client is linked statically where the C library can be had so: starting a dynamic program costs more than a
//! hit. Only the client: the coordinator needs the system's name service.
//!
//! The standard library asks for `libc.so` and `libgcc_s.so`. For the client, empty linker scripts of these names
//! stand before the real ones in the search path, and the static archives follow.
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;
use std::{env, fs};

const NO_UNWINDING: &str = "SECTIONS { /DISCARD/ : { \
    *(EXCLUDE_FILE(*crtbegin*.o *crtend*.o) .eh_frame) *(.gcc_except_table .gcc_except_table.*) \
} } INSERT BEFORE .rodata;\n";

fn archive(name: &str) -> Option<String> {
    let output = Command::new("cc").arg(format!("-print-file-name={name}")).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    Path::new(&path).is_absolute().then_some(path)
}

/// What `rustc` gets for the observer. No start files, no libraries: it takes what it needs from the process that it is
/// in. Small, since it is mapped into every program of a compile.
const OBSERVER_ARGS: &str = "--edition 2024 --crate-name cachepot_observer --crate-type cdylib \
    -C panic=abort -C opt-level=s -C lto=fat -C codegen-units=1 -C strip=symbols \
    -C link-arg=-nostartfiles -C link-arg=-nostdlib \
    -C link-arg=-Wl,-z,norelro,-z,noseparate-code,--build-id=none";

/// The same for the program that stands in place of a build script.
const STUB_ARGS: &str = "--edition 2024 --crate-name cachepot_stub --crate-type bin \
    -C panic=abort -C opt-level=s -C codegen-units=1 -C strip=symbols -C relocation-model=static \
    -C link-arg=-nostartfiles -C link-arg=-nostdlib -C link-arg=-static -C link-arg=-no-pie \
    -C link-arg=-Wl,-z,norelro,-z,noseparate-code,--build-id=none";

fn compile_observer(out: &str) -> Option<()> {
    println!("cargo:rerun-if-changed=src/observe");
    println!("cargo:rerun-if-changed=src/stub");
    println!("cargo:rerun-if-changed=src/engine/observed/format.rs");
    println!("cargo:rustc-check-cfg=cfg(observer)");
    let (library, stub) = (format!("{out}/cachepot-observer.so"), format!("{out}/cachepot-stub"));
    compile(OBSERVER_ARGS, "src/observe/preload.rs", &library)?;
    compile(STUB_ARGS, "src/stub/stub.rs", &stub)?;
    println!("cargo:rustc-cfg=observer");
    println!("cargo:rustc-env=CACHEPOT_OBSERVER={library}");
    println!("cargo:rustc-env=CACHEPOT_STUB={stub}");
    Some(())
}

/// Compiles something that stands alone, for the target; `None` where that cannot be done.
fn compile(words: &str, source: &str, made: &str) -> Option<()> {
    let of_target = |key: &str| env::var(format!("CARGO_CFG_TARGET_{key}")).ok();
    let is_known = of_target("OS")? == "linux" && of_target("ENV")? == "gnu";
    if !is_known || !["x86_64", "aarch64"].contains(&of_target("ARCH")?.as_str()) {
        return None;
    }
    let mut rustc = Command::new(env::var_os("RUSTC")?);
    rustc.args(words.split_whitespace()).arg(source).arg("-o").arg(made);
    rustc.arg("--target").arg(env::var_os("TARGET")?);
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        rustc.arg("-C").arg([OsStr::new("linker="), &linker].into_iter().collect::<OsString>());
    }
    if !rustc.status().ok()?.success() {
        println!("cargo:warning={source} cannot be built here: Rust will not be cached");
        return None;
    }
    Some(())
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let Ok(out) = env::var("OUT_DIR") else { return };
    // Without the observer there is less to keep, and nothing else.
    let _ = compile_observer(&out);
    link_client(&out);
}

fn link_client(out: &str) {
    println!("cargo:rustc-check-cfg=cfg(early_start)");
    let target = |key: &str| env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    let native = env::var("TARGET") == env::var("HOST") && target("OS") == "linux" && target("ENV") == "gnu";
    let has_all = ["libc.a", "libgcc.a", "libgcc_eh.a", "crt1.o"].iter().all(|name| archive(name).is_some());
    if !native || !has_all {
        return;
    }
    for name in ["libc.so", "libgcc_s.so", "libm.so"] {
        if fs::write(Path::new(out).join(name), "/* the static archive follows */\n").is_err() {
            return;
        }
    }
    let search = format!("-L{out}");
    // Linked to fixed addresses: relocating costs time and space, and nobody hands the client data to attack it with
    // but its own user. Read-only data after relocation there is then hardly any, nor pages between the parts.
    let layout = "-Wl,-z,norelro,-z,noseparate-code,--build-id=none";
    let archives = "-Wl,--start-group,-Bstatic";
    for arg in [
        "-fuse-ld=bfd",
        "-static",
        "-no-pie",
        layout,
        &search,
        archives,
        "-lc",
        "-lgcc",
        "-lgcc_eh",
        "-Wl,--end-group",
    ] {
        println!("cargo:rustc-link-arg-bin=cachepot={arg}");
    }
    // A panic of the client ends in the compiler before anything is unwound (`panicked`): the tables for it, a
    // tenth of the program, stay out. The compiler's own start files refer to theirs.
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        let script = Path::new(out).join("no-unwinding.ld");
        if fs::write(&script, NO_UNWINDING).is_ok() {
            println!("cargo:rustc-link-arg-bin=cachepot=-Wl,--no-eh-frame-hdr,-T,{}", script.display());
        }
    }
    if target("ARCH") == "x86_64" {
        // See `src/bin/cachepot/early.rs`. Its `memcpy` and the like come first; a C library that wants others of
        // its own beside them may have them.
        println!("cargo:rustc-cfg=early_start");
        println!("cargo:rustc-link-arg-bin=cachepot=-Wl,-e,cachepot_early_start,-z,muldefs");
    }
}
