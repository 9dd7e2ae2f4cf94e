//! What the files of the model tree say: tiny units whose objects show which header was read.
//!
//! Every number is one of `10..14`, so that earlier contents come back by chance and a change of
//! one digit keeps the size.

use crate::random::Random;

/// Names of headers; each defines `<LETTER>_VALUE`.
pub(crate) const HEADERS: &[&str] = &["a.h", "b.h", "c.h", "d.h", "n.h", "r.h", "comp.h", "force.h", "opt.h"];

/// Macros that read a clock or a file time. Rare: such a tree allows fewer kinds of checks.
const CLOCKS: &[&str] = &["__TIME__", "__DATE__", "__TIMESTAMP__", "__TIME__ __DATE__"];

/// A new content that suits the name of the file at `path`.
pub(crate) fn fresh(path: &str, random: &mut Random) -> Vec<u8> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let text = match name {
        "cc" => wrapper(random),
        "args.rsp" => response_file(random),
        _ if name.ends_with(".h") => header(name, random),
        _ if name.ends_with(".s") || name.ends_with(".S") => assembler(name, random),
        _ if name.ends_with(".i") => preprocessed(random),
        _ if name.ends_with(".c") || name.ends_with(".cpp") => source(random),
        _ => format!("blob {}", number(random)),
    };
    text.into_bytes()
}

fn number(random: &mut Random) -> usize {
    10 + random.below(4)
}

fn wrapper(random: &mut Random) -> String {
    format!("#!/bin/sh\nexec gcc -DWRAPPER={} \"$@\"\n", number(random))
}

fn response_file(random: &mut Random) -> String {
    let folder = random.pick(&["inc0", "inc1", "inc2", "link"]);
    format!("-DRESPONSE={} \"-I{folder}\"\n", number(random))
}

fn assembler(name: &str, random: &mut Random) -> String {
    let include = if name.ends_with(".S") { "#include \"a.h\"\n" } else { "" };
    let value = if name.ends_with(".S") { "A_VALUE".to_owned() } else { number(random).to_string() };
    let data = if random.chance(30) { "\t.incbin \"asm/blob.bin\"\n" } else { "" };
    format!("{include}\t.globl asm_value\n\t.data\nasm_value:\n\t.long {value}\n{data}")
}

fn preprocessed(random: &mut Random) -> String {
    let marker = if random.chance(50) { "# 1 \"origin.c\"\n" } else { "" };
    format!("{marker}int preprocessed = {};\nstatic int unused;\n", number(random))
}

fn header(name: &str, random: &mut Random) -> String {
    let letter = name.trim_end_matches(".h").to_uppercase();
    let value = number(random);
    let define = format!("#undef {letter}_VALUE\n#define {letter}_VALUE {value}\n");
    let blank = "\n".repeat(random.below(3));
    let extra = header_extra(name, &letter, value, random);
    if extra.contains("include_next") {
        return format!("{blank}{define}{extra}");
    }
    format!(
        "{blank}#ifndef {letter}_H\n#define {letter}_H\n{define}#ifndef __ASSEMBLER__\n{extra}#endif\n#endif\n"
    )
}

fn header_extra(name: &str, letter: &str, value: usize, random: &mut Random) -> String {
    let other = random.pick(HEADERS);
    if random.below(200) == 0 {
        return format!("char {letter}_time[] = {};\n", random.pick(CLOCKS));
    }
    match random.below(60) {
        0..=5 => format!("char {letter}_file[] = __FILE__;\n"),
        6..=9 => format!("int {letter}_line = __LINE__;\n"),
        10..=12 => format!("int {letter}_count = __COUNTER__;\n"),
        13..=16 => format!("#warning about {letter} {value}\n"),
        17..=21 => format!("#if __has_include(\"{other}\")\n#include \"{other}\"\n#endif\n"),
        22..=25 => format!("#if __has_include(<{other}>)\n#include <{other}>\n#endif\n"),
        26..=29 => "#if __has_include(<opt.h>)\nint opt_seen = 1;\n#endif\n".to_owned(),
        30..=34 => format!("#if __has_include_next(<{name}>)\n#include_next <{name}>\n#endif\n"),
        35..=37 => format!("static int {letter}_unused = {value}; /* comment {value} */\n"),
        41 => format!("#error broken {value}\n"),
        42 => format!("__asm__(\".data\\n.incbin \\\"asm/blob.bin\\\"\\n.text\");\n/* {value} */\n"),
        _ => String::new(),
    }
}

fn source(random: &mut Random) -> String {
    let mut text = String::new();
    let mut used = Vec::new();
    for _ in 0..2 + random.below(3) {
        let name = *random.pick(HEADERS);
        let letter = name.trim_end_matches(".h").to_uppercase();
        // Mostly absent, so a source that needs it would hardly ever compile.
        let form = if name == "opt.h" { 4 + random.below(2) } else { random.below(6) };
        text += &match form {
            0 | 1 => format!("#include \"{name}\"\n"),
            2 => format!("#include <{name}>\n"),
            3 => format!("#define WHICH_{letter} \"{name}\"\n#include WHICH_{letter}\n"),
            4 => format!("#if __has_include(\"{name}\")\n#include \"{name}\"\n#endif\n"),
            _ => format!("#if __has_include(<{name}>)\n#include <{name}>\n#endif\n"),
        };
        used.push(letter);
    }
    text += "#ifndef WRAPPER\n#define WRAPPER 0\n#endif\n#ifndef RESPONSE\n#define RESPONSE 0\n#endif\n";
    text += "#ifndef FLAG\n#define FLAG 0\n#endif\n";
    for letter in &used {
        text += &format!("#ifndef {letter}_VALUE\n#define {letter}_VALUE 0\n#endif\n");
    }
    let values: Vec<String> = used.iter().map(|letter| format!("{letter}_VALUE")).collect();
    text += &format!(
        "int values[] = {{ WRAPPER, RESPONSE, FLAG, {}, {} }};\n",
        number(random),
        values.join(", ")
    );
    if random.below(200) == 0 {
        return text + &format!("char unit_time[] = {};\n", random.pick(CLOCKS));
    }
    text += match random.below(40) {
        0..=4 => "char unit_file[] = __FILE__;\n",
        5..=7 => "int unit_line = __LINE__;\n",
        8..=11 => "static int unused_here;\n",
        12..=14 => "int function(int x) { return x * values[0]; }\n",
        16 => "int broken = ;\n",
        _ => "",
    };
    text
}
