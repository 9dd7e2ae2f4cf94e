//! What clang's driver finds by itself: folders of targets and installations that appear.
use crate::harness::Sandbox;
use crate::harness::Went::Hit;

/// A unit whose value the header `zz` tells.
fn unit(name: &str) -> Sandbox {
    Sandbox::new(name).file("a.cc", "#include <zz>\nint v = V;\n").file("i/zz", "#define V 1\n")
}

#[test]
fn a_folder_of_a_target_that_appears() {
    for sysroot in ["--sysroot=sr", "-isysroot sr", "--sysroot $PWD/sr"] {
        let sandbox = unit("target").file("sr/usr/include/x", "");
        let sysroot = sysroot.replace("$PWD", sandbox.work().to_str().unwrap());
        let line = format!("clang++ {sysroot} -idirafter i -c a.cc");
        let appears = "sr/usr/include/x86_64-linux-gnu/zz";
        sandbox.hits(&*line);
        sandbox.write(appears, "#define V 2\n").hits(&*line);
        sandbox.sh("rm -r sr/usr/include/x86_64-linux-gnu").expect(Hit, &*line);
        // What the driver does not look for changes nothing.
        sandbox.write("sr/usr/include/other/zz", "#define V 3\n").expect(Hit, &*line);
    }
}

#[test]
fn a_newer_gcc_below_a_root() {
    for (word, base) in [("--gcc-toolchain=sr", ""), ("--sysroot=sr", "usr/")] {
        let sandbox = unit("newer");
        let gcc = |version: u32| {
            let start = format!("sr/{base}lib/gcc/x86_64-linux-gnu/{version}/crtbegin.o");
            let header = format!("sr/{base}include/c++/{version}/zz");
            sandbox.write(&start, "").write(&header, format!("#define V {version}\n"));
        };
        let line = format!("clang++ {word} -c a.cc");
        gcc(11);
        sandbox.hits(&*line);
        gcc(12);
        sandbox.hits(&*line);
        sandbox.write(&format!("sr/{base}lib/gcc/x86_64-linux-gnu/12/32/crtbegin.o"), "").hits(&*line);
        sandbox.sh(&format!("rm -r sr/{base}lib/gcc/x86_64-linux-gnu/12/32")).expect(Hit, &*line);
        sandbox.sh(&format!("rm sr/{base}lib/gcc/x86_64-linux-gnu/12/crtbegin.o")).hits(&*line);
        sandbox.sh(&format!("rm -r sr/{base}*/*/*/12 sr/{base}include/c++/12")).expect(Hit, &*line);
    }
}

#[test]
fn another_version_of_the_library() {
    let sandbox = unit("library").file("sr/usr/include/c++/v1/zz", "#define V 1\n");
    let line = "clang++ -stdlib=libc++ --sysroot=sr -c a.cc";
    sandbox.hits(line);
    sandbox.write("sr/usr/include/c++/v2/zz", "#define V 2\n").hits(line);
    sandbox.sh("rm -r sr/usr/include/c++/v2").expect(Hit, line);
}

#[test]
fn a_folder_of_resources_that_appears() {
    let sandbox = unit("resources");
    let line = "clang++ -resource-dir=res -idirafter i -c a.cc";
    sandbox.hits(line);
    sandbox.write("res/include/zz", "#define V 2\n").hits(line);
    sandbox.sh("rm -r res").expect(Hit, line);
}

#[test]
fn a_library_of_the_compiler_that_appears() {
    let sandbox = unit("own_library");
    let script = "mkdir -p own/bin own/lib/clang; cp $(readlink -f $(command -v clang)) own/bin/clang++;
        resources=$(clang -print-resource-dir); ln -s $resources own/lib/clang/;
        for library in $(dirname $resources)/../*.so*; do ln -s $library own/lib/; done";
    sandbox.sh(&script.replace('\n', " "));
    let line = "own/bin/clang++ -stdlib=libc++ -idirafter i -c a.cc";
    sandbox.hits(line);
    sandbox.write("own/include/c++/v1/zz", "#define V 2\n").hits(line);
    sandbox.sh("rm -r own/include").expect(Hit, line);
}
