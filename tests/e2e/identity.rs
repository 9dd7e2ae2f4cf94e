//! Another compiler under the same name is another compiler, whatever its time and size.
use crate::harness::Sandbox;
use crate::harness::Went::{Hit, Stored};
use std::path::PathBuf;

#[test]
fn t113_a_compiler_replaced_in_place() {
    let wrapper = |value: u32| format!("#!/bin/sh\nexec /usr/bin/gcc -DV={value} \"$@\"\n");
    let sandbox = Sandbox::new("replaced").file("a.c", "int x = V;\n");
    let put = |value| {
        sandbox.write("gcc", wrapper(value)).sh("chmod +x gcc; touch -d @1 gcc");
    };
    put(1);
    sandbox.hits("./gcc -c a.c");
    put(2);
    sandbox.hits("./gcc -c a.c");
    // By rename, as package managers do it.
    sandbox.write("new", wrapper(3)).sh("chmod +x new; touch -d @1 new; mv new gcc").hits("./gcc -c a.c");
    put(1);
    sandbox.expect(Hit, "./gcc -c a.c");
}

/// A private `cc1` in front of the real one.
fn with_private_part(name: &str, variable: &str) -> Sandbox {
    let sandbox = Sandbox::new(name).file("a.c", "int x = V;\n");
    let folder = sandbox.work().join("parts").into_os_string();
    sandbox.env(variable, folder)
}

#[test]
fn t114_t015_a_part_replaced_in_place() {
    let sandbox = with_private_part("part", "COMPILER_PATH");
    let plain = Sandbox::new("which").run(&"gcc -print-prog-name=cc1").succeeds().stdout();
    let real = PathBuf::from(plain.trim());
    let part = |value: u32| format!("#!/bin/sh\nexec {} -DV={value} \"$@\"\n", real.display());
    for value in [1, 2] {
        sandbox.write("parts/cc1", part(value)).sh("chmod +x parts/cc1; touch -d @1 parts/cc1");
        sandbox.hits("gcc -c a.c");
    }
    sandbox.write("parts/cc1", part(1)).sh("touch -d @1 parts/cc1").expect(Hit, "gcc -c a.c");
    // Without the variable: the real part again.
    let sandbox = sandbox.without("COMPILER_PATH");
    sandbox.expect(Stored, "gcc -c a.c -DV=1");
}

/// gcc in `own/bin` with parts of its own in `parts`, found by where it lies; they are links to the real ones.
fn private_gcc(name: &str) -> Sandbox {
    let sandbox = Sandbox::new(name);
    sandbox.sh(
        "of=$(dirname $(gcc -print-prog-name=cc1)); own=own/lib/gcc/$(gcc -dumpmachine)/$(basename $of); \
         mkdir -p own/bin $own; cp -L $(command -v gcc) $(command -v g++) own/bin; cp -rs $of/* $own; \
         ln -s $PWD/$own parts",
    );
    let told = sandbox.run(&"own/bin/gcc -print-prog-name=cc1").succeeds().stdout();
    assert!(told.contains("own/bin/../lib"), "{told}");
    sandbox
}

#[test]
fn t114_a_front_end_replaced_in_place() {
    let sandbox = private_gcc("front_end").file("a.c", "int x;\n").file("b.cc", "int y;\n");
    sandbox.sh("for f in cc1 cc1plus; do rm parts/$f; cp $(gcc -print-prog-name=$f) parts; done");
    // What follows the last section of a program is not loaded.
    let replace = |name: &str| sandbox.sh(&format!("printf x >>parts/{name}; touch -d @1 parts/{name}"));
    let c = ["own/bin/gcc -c a.c", "own/bin/g++ -x none -c a.c"];
    let plus_plus = ["own/bin/gcc -c b.cc", "own/bin/g++ -c a.c"];
    let all_hit = |lines: [&str; 2]| lines.map(|line| sandbox.hits(line));
    let still_hit = |lines: [&str; 2]| lines.map(|line| sandbox.expect(Hit, line));
    all_hit(c);
    all_hit(plus_plus);
    replace("cc1plus");
    still_hit(c);
    all_hit(plus_plus);
    replace("cc1");
    still_hit(plus_plus);
    all_hit(c);
}

/// Calls `REAL` with `WORDS` in front of its own.
const WRAPPER: &str = "#include <unistd.h>\nint main(int count, char **words)\n{\n\
     char *all[count + 8], *more[] = {WORDS 0};\nint n = 0;\nall[n++] = REAL;\n\
     for (char **word = more; *word; word++) all[n++] = *word;\n\
     for (int i = 1; i <= count; i++) all[n++] = words[i];\nreturn execv(REAL, all);\n}\n";

/// Programs before gcc may add words, and a driver may bear any name.
#[test]
fn t114_a_front_end_behind_another_program() {
    let text = "#ifdef V\nint x = V;\n#endif\n";
    let sandbox = private_gcc("wrapped").file("a.c", text).file("b.cc", text).file("wrap.c", WRAPPER);
    let wrap = |real: &str, words: &str, name: &str| {
        let words = format!("-DREAL='\"'{real}'\"' -DWORDS='{words}'");
        sandbox.sh(&format!("rm -f {name}; gcc {words} wrap.c -o {name}"));
    };
    sandbox.sh("ln -s gcc own/bin/cc1");
    wrap("$PWD/own/bin/gcc", "\"-x\", \"c\",", "as_c");
    for value in [1, 2] {
        wrap("$(gcc -print-prog-name=cc1)", &format!("\"-DV={value}\","), "parts/cc1");
        sandbox.hits("own/bin/cc1 -c a.c");
        sandbox.hits("./as_c -c b.cc");
    }
}

#[test]
fn t114_a_front_end_that_appears() {
    let sandbox = private_gcc("appears_later").file("a.c", "int x;\n").file("a.m", "int x;\n");
    sandbox.sh("rm -f parts/cc1obj").hits("own/bin/gcc -c a.c");
    sandbox.sh("cp -L parts/cc1 parts/cc1obj").hits("own/bin/gcc -c a.m");
}

#[test]
fn t113_clang_replaced_behind_a_script() {
    let sandbox = Sandbox::new("behind").file("a.c", "int x;\n");
    sandbox.sh("mkdir real; cp $(readlink -f $(command -v clang)) real/clang; touch -d @1 real/clang");
    let real = sandbox.work().join("real/clang");
    sandbox.write("cc", format!("#!/bin/sh\nexec {} \"$@\"\n", real.display())).sh("chmod +x cc");
    sandbox.hits("./cc -c a.c");
    // What follows the last section of a program is not loaded.
    sandbox.sh("printf x >>real/clang; touch -d @1 real/clang").hits("./cc -c a.c");
}

#[test]
fn t114_a_part_that_appears() {
    let sandbox = with_private_part("appears", "COMPILER_PATH");
    sandbox.write("a.c", "#ifndef V\n#define V 0\n#endif\nint x = V;\n").sh("mkdir parts").hits("gcc -c a.c");
    let real = sandbox.run(&"gcc -print-prog-name=cc1").succeeds().stdout();
    sandbox
        .write("parts/cc1", format!("#!/bin/sh\nexec {} -DV=7 \"$@\"\n", real.trim()))
        .sh("chmod +x parts/cc1");
    sandbox.hits("gcc -c a.c");
}

#[test]
fn t115_an_assembler_replaced_in_place() {
    let sandbox = with_private_part("assembler", "COMPILER_PATH").file("a.c", "int x;\n");
    let part = |words: &str| format!("#!/bin/sh\nexec /usr/bin/as {words} \"$@\"\n");
    for words in ["--defsym one=1", "--defsym two=2"] {
        sandbox
            .write("parts/as", part(words))
            .sh("chmod +x parts/as; touch -d @1 parts/as")
            .hits("gcc -c a.c");
    }
}

#[test]
fn t118_a_script_that_reads_the_environment() {
    let script = "#!/bin/sh\nexec ${REAL:-/usr/bin/gcc} $WORDS \"$@\"\n";
    let sandbox = Sandbox::new("script").file("a.c", "int x = V;\n").file("cc", script);
    sandbox.sh("chmod +x cc");
    let sandbox = sandbox.env("WORDS", "-DV=1");
    sandbox.hits("./cc -c a.c");
    let sandbox = sandbox.env("WORDS", "-DV=2");
    sandbox.hits("./cc -c a.c");
    let sandbox = sandbox.env("REAL", "clang");
    sandbox.hits("./cc -c a.c");
    let sandbox = sandbox.without("REAL").env("WORDS", "-DV=1").env("OTHER", "1");
    sandbox.expect(Hit, "./cc -c a.c");
}

/// gcc reads a `specs` file where it looks for libraries.
#[test]
fn specs_in_a_folder_of_libraries() {
    let sandbox = Sandbox::new("specs").file("a.c", "int x;\n").file("lib/x", "");
    sandbox.expect(Stored, "gcc -c a.c");
    let specs = "*cc1:\n+ -fno-ident\n";
    let folder = sandbox.work().join("lib");
    let sandbox = sandbox.env("LIBRARY_PATH", folder);
    sandbox.expect(Hit, "gcc -c a.c");
    sandbox.write("lib/specs", specs).hits("gcc -c a.c");
    sandbox.sh("rm lib/specs").expect(Hit, "gcc -c a.c");
    sandbox.write("lib/specs", "*cc1:\n+ -fno-common\n").hits("gcc -c a.c");
    sandbox.sh("mkdir other; mv lib/specs other");
    let sandbox = sandbox.env("LIBRARY_PATH", "other");
    sandbox.hits("gcc -c a.c");
}

/// The same where gcc lies.
#[test]
fn specs_beside_a_compiler() {
    let sandbox = private_gcc("own_specs").file("a.c", "int x;\n");
    let line = "own/bin/gcc -c a.c";
    sandbox.hits(line);
    for words in ["-fno-ident", "-fno-common"] {
        sandbox.write("parts/specs", format!("*cc1:\n+ {words}\n")).hits(line);
    }
    sandbox.sh("rm parts/specs").expect(Hit, line);
    // Behind other folders.
    let sandbox = sandbox.env("LIBRARY_PATH", "/opt");
    sandbox.expect(Hit, line);
    sandbox.write("parts/specs", "*cc1:\n+ -fno-plt\n").hits(line);
}

/// clang's sanitizers read lists beside its own headers, if there are any.
#[test]
fn lists_of_sanitizers_that_appear() {
    let sandbox = Sandbox::new("lists").file("a.c", "int g[4];\nint f(int i) { return g[i]; }\n");
    sandbox.sh("mkdir -p own/share; ln -s $(clang -print-resource-dir)/include own/include");
    let list = "own/share/asan_ignorelist.txt";
    let line = "clang -c a.c -fsanitize=address -resource-dir=own";
    sandbox.hits(line);
    sandbox.write(list, "fun:f\n").hits(line);
    sandbox.write(list, "fun:x\n").hits(line);
    sandbox.sh(&format!("rm {list}")).expect(Hit, line);
}

#[test]
fn lists_of_sanitizers_of_a_compiler() {
    let sandbox = Sandbox::new("own_lists").file("a.c", "int g[4];\nint f(int i) { return g[i]; }\n");
    sandbox.sh("cp -rL $(clang -print-resource-dir) own; rm -f own/share/*; mkdir -p own/share");
    let script = "#!/bin/sh\nexec clang -resource-dir=$OWN \"$@\"\n";
    let folder = sandbox.work().join("own");
    let sandbox = sandbox.file("cc", script).env("OWN", folder);
    let line = "./cc -c a.c -fsanitize=address";
    sandbox.sh("chmod +x cc").hits(line);
    sandbox.write("own/share/asan_ignorelist.txt", "fun:f\n").hits(line);
    sandbox.write("own/share/asan_ignorelist.txt", "fun:x\n").hits(line);
    sandbox.sh("rm own/share/asan_ignorelist.txt").expect(Hit, line);
}
