//! Links and steps back on the way to what a compile reads and writes.
use super::hidden::with_macro;
use super::{lib, library, rustc};
use crate::harness::Sandbox;

/// rustc names what it removes by its folder's descriptor, which knows the real path only.
#[test]
fn outputs_by_a_link_and_by_a_step_back() {
    let sandbox = library("out", "pub const A: i32 = 1;").file("main.rs", "fn main() {}");
    sandbox.sh("mkdir -p real/deps; ln -s real link");
    for folder in ["real/deps", "link/deps", "real/../link/deps", "real/../real/deps"] {
        sandbox.hits(lib(&format!("--out-dir {folder}")));
        sandbox.hits(rustc(&format!("main --crate-type bin --out-dir {folder}")));
    }
}

#[test]
fn inputs_by_a_link_of_the_same_name() {
    let sandbox = Sandbox::new("in")
        .file("s/a.rs", "pub const A: i32 = b::B;")
        .file("b.rs", "pub const B: i32 = 1;")
        .file("other/a.rs", "pub const A: i32 = 2;");
    sandbox.sh(&format!(
        "{} && mkdir r f && mv libb.* r && ln -s ../r/libb.rlib f && ln -s s/a.rs a.rs",
        rustc("b --crate-type lib")
    ));
    sandbox.hits(lib("--extern b=f/libb.rlib"));
    sandbox.sh("ln -sf other/a.rs a.rs").hits(lib("--extern b=f/libb.rlib"));
}

/// What was asked about the path itself is another thing than what it leads to.
#[test]
fn a_link_comes_in_place_of_what_it_leads_to() {
    let line = || lib("--extern ask=libask.so");
    for (name, body) in [
        ("folder", "std::fs::symlink_metadata(\"d\").unwrap().file_type().is_symlink().to_string()"),
        ("file", "std::fs::symlink_metadata(\"f\").unwrap().is_file().to_string()"),
        ("read", "std::fs::read_link(\"f\").is_ok().to_string() + &std::fs::read_to_string(\"f\").unwrap()"),
    ] {
        let sandbox = with_macro(name, body).file("d/x", "").file("f", "text");
        sandbox.hits(line());
        sandbox.sh("mv d e; ln -s e d; mv f g; ln -s g f").hits(line());
    }
}
