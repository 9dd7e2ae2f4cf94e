//! Links the client statically where the C library can be had so: starting a dynamic program costs more than a
//! hit. Only the client: the coordinator needs the system's name service.
//!
//! The standard library asks for `libc.so` and `libgcc_s.so`. For the client, empty linker scripts of these names
//! stand before the real ones in the search path, and the static archives follow.
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

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(early_start)");
    let target = |key: &str| env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    let native = env::var("TARGET") == env::var("HOST") && target("OS") == "linux" && target("ENV") == "gnu";
    let has_all = ["libc.a", "libgcc.a", "libgcc_eh.a", "crt1.o"].iter().all(|name| archive(name).is_some());
    let Ok(out) = env::var("OUT_DIR") else { return };
    if !native || !has_all {
        return;
    }
    for name in ["libc.so", "libgcc_s.so", "libm.so"] {
        if fs::write(Path::new(&out).join(name), "/* the static archive follows */\n").is_err() {
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
        let script = Path::new(&out).join("no-unwinding.ld");
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
