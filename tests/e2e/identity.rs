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

/// gcc with parts of its own, found by where it lies.
#[test]
fn t114_a_front_end_replaced_in_place() {
    let sandbox = Sandbox::new("front_end").file("a.c", "int x;\n").file("b.cc", "int y;\n");
    sandbox.sh(
        "of=$(dirname $(gcc -print-prog-name=cc1)); own=own/lib/gcc/$(gcc -dumpmachine)/$(basename $of); \
         mkdir -p own/bin $own; cp -L $(command -v gcc) $(command -v g++) own/bin; cp -rs $of/* $own; \
         rm $own/cc1 $own/cc1plus; cp $of/cc1 $of/cc1plus $own; ln -s $own/cc1 $own/cc1plus .",
    );
    // What follows the last section of a program is not loaded.
    let replace = |name: &str| sandbox.sh(&format!("f=$(readlink {name}); printf x >>$f; touch -d @1 $f"));
    for name in ["cc1", "cc1plus"] {
        let line = format!("own/bin/gcc -print-prog-name={name}");
        assert!(sandbox.run(&line.as_str()).succeeds().stdout().contains("own/bin/../lib"));
    }
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

#[test]
fn t114_a_front_end_that_appears() {
    let sandbox = Sandbox::new("appears_later").file("a.c", "int x;\n").file("a.m", "int x;\n");
    sandbox.sh(
        "of=$(dirname $(gcc -print-prog-name=cc1)); own=own/lib/gcc/$(gcc -dumpmachine)/$(basename $of); \
         mkdir -p own/bin $own; cp -L $(command -v gcc) own/bin; cp -rs $of/* $own; rm -f $own/cc1obj",
    );
    sandbox.hits("own/bin/gcc -c a.c");
    sandbox.sh("cc1=$(own/bin/gcc -print-prog-name=cc1); cp -L $cc1 $(dirname $cc1)/cc1obj");
    sandbox.hits("own/bin/gcc -c a.m");
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
