//! Proc macros that read what rustc does not tell of.
use crate::harness::{Place, RUSTC};
use cachepot_engine::observed::Distrust;
use cachepot_engine::observed::direct::{calls_kernel, names_environment};
use std::fs;

/// A crate with a macro of this body, which evaluates to a string, and a library that uses it.
fn place(name: &str, body: &str) -> Place {
    let text = format!(
        "extern crate proc_macro; #[proc_macro] pub fn ask(_: proc_macro::TokenStream) -> proc_macro::TokenStream {{ \
         let answer: String = {{ {body} }}; format!(\"{{answer:?}}\").parse().unwrap() }}"
    );
    Place::new(name)
        .file("ask.rs", &text)
        .file("lib.rs", "pub const ANSWER: &str = ask::ask!();")
        .file("query.sql", "select 1")
        .run(&[&RUSTC, "--crate-type", "proc-macro", "-Cprefer-dynamic", "ask.rs"])
}

const LINE: [&str; 6] = ["--crate-type", "lib", "--extern", "ask=libask.so", "-Ldependency=.", "lib.rs"];

fn line() -> Vec<&'static str> {
    [&[RUSTC.as_str()], &LINE[..]].concat()
}

#[test]
fn files_and_variables_that_a_macro_reads() {
    let body = "let here = std::env::current_dir().unwrap(); \
        let state = std::fs::read_dir(\"/usr/share\").unwrap().count() > 0; \
        let gone = std::path::Path::new(\"sqlx.json\").exists(); \
        let text = std::fs::read_to_string(here.join(\"query.sql\")).unwrap(); \
        format!(\"{text} {state} {gone} {}\", std::env::var(\"VALUE\").unwrap())";
    let place = place("macro", body);
    let facts = place.compile(&line(), &["liblib.rlib"]);
    for name in ["query.sql", "lib.rs", "libask.so"] {
        let is_there = facts.read.contains(&place.path(name)) || facts.libraries.contains(&place.path(name));
        assert!(is_there, "{name}: {:?} {:?}", facts.read, facts.libraries);
    }
    assert!(facts.absent.contains(&place.path("sqlx.json")));
    assert!(facts.variables.contains(&b"VALUE"[..]));
    assert!(facts.listed.contains_key(&b"/usr/share"[..]));
}

#[test]
fn files_that_a_macro_reads_by_another_program() {
    let body = "let run = std::process::Command::new(\"cat\").arg(\"query.sql\").output().unwrap(); \
        String::from_utf8(run.stdout).unwrap()";
    let place = place("child", body);
    let facts = place.compile(&line(), &["liblib.rlib"]);
    assert!(facts.read.contains(&place.path("query.sql")), "{:?}", facts.read);
}

#[test]
fn a_macro_that_leaves_something_behind() {
    let body = "std::fs::write(\"left.txt\", \"x\").unwrap(); String::new()";
    let place = place("leaves", body);
    let facts = place.observe(&line()).read().unwrap();
    assert!(facts.written.contains_key(&place.path("left.txt")), "{:?}", facts.written);
}

#[test]
fn a_static_program_that_a_macro_runs_makes_the_log_worthless() {
    let body = "let run = std::process::Command::new(\"./helper\").output().unwrap(); \
        String::from_utf8(run.stdout).unwrap()";
    let place = place("static", body)
        .file("helper.c", "#include <stdio.h>\nint main(void) { puts(\"static\"); }")
        .run(&["gcc", "-static", "helper.c", "-o", "helper"]);
    assert_eq!(place.observe(&line()).read(), Err(Distrust::Silent(b"./helper".to_vec())));
}

#[test]
fn a_macro_that_clears_the_environment_or_uses_the_network_makes_the_log_worthless() {
    let clears = "std::process::Command::new(\"/bin/true\").env_clear().status().unwrap().to_string()";
    let went = place("clears", clears).observe(&line());
    assert_eq!(went.read(), Err(Distrust::Silent(b"/bin/true".to_vec())));
    let connects = "std::net::TcpStream::connect(\"127.0.0.1:9\").is_ok().to_string()";
    let went = place("connects", connects).observe(&line());
    assert!(matches!(went.read(), Err(Distrust::Network(_))), "{:?}", went.read());
}

/// What the files of a macro tell: as cargo links it, with what it uses of the standard library.
fn told(name: &str, body: &str) -> [bool; 2] {
    let place = place(name, body).run(&[&RUSTC, "--crate-type", "proc-macro", "ask.rs", "-oother.so"]);
    let file = fs::read(place.work().join("other.so")).unwrap();
    [calls_kernel(&file), names_environment(&file)]
}

#[test]
fn what_a_macro_can_do_past_the_observer_shows_in_its_code() {
    let plain = "std::fs::read_to_string(\"query.sql\").unwrap() + &std::env::var(\"VALUE\").unwrap()";
    assert_eq!(told("plain", plain), [false, false]);
    let call = if cfg!(target_arch = "x86_64") {
        "let mut r = 39_u64; unsafe { std::arch::asm!(\"syscall\", inout(\"rax\") r, out(\"rcx\") _, out(\"r11\") _) }"
    } else {
        "let mut r = 0_u64; unsafe { std::arch::asm!(\"svc 0\", in(\"x8\") 172, inout(\"x0\") r) }"
    };
    assert_eq!(told("direct", &format!("{call}; r.to_string()")), [true, false]);
    assert_eq!(told("lists", "format!(\"{:?}\", std::env::vars().count())"), [false, true]);
    assert!(calls_kernel(b"#!/bin/sh"));
}
