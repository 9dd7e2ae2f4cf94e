//! gcc and clang called by build scripts of two checkouts in different folders, which share results.
use crate::harness::{CLIENT, Finished, Sandbox, finish};
use cachepot_engine::stats::Stat;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// A checkout: its root, the folder of the package, `CARGO_HOME` and the target folder, below the work folder.
#[derive(Clone, Copy)]
struct Checkout {
    root: &'static str,
    package: &'static str,
    home: &'static str,
    target: &'static str,
}

const ONE: Checkout = Checkout { root: "one", package: "one/pro", home: "home", target: "one/target" };
const TWO: Checkout =
    Checkout { root: "two/far/off", package: "two/far/off/pro", home: "two/h", target: "two/far/off/target" };

/// Files of the package in both checkouts.
const FILES: &[(&str, &str)] = &[
    ("include/h.h", "#define H 1\nstatic inline int h(int a) { return a + H; }\n"),
    ("include/s.h", "#define NAME f\n"),
    ("own/file.h", "static const unsigned long length = sizeof(__FILE__);\n"),
    ("own/line.h", "#line 7 \"WORK/two/far/off/x.y\"\nstatic int line(void) { return 7; }\n"),
    ("own/from.h", "#include \"WORK/one/pro/include/h.h\"\n"),
];

/// What a call left, its folders left out of nothing.
#[derive(PartialEq, Eq)]
struct Left {
    code: Option<i32>,
    streams: (String, String),
    outputs: BTreeMap<PathBuf, Vec<u8>>,
}

struct World {
    sandbox: Sandbox,
    compiler: &'static str,
}

impl World {
    fn new(compiler: &'static str, checkouts: &[Checkout]) -> World {
        let sandbox = Sandbox::new("c-elsewhere").env("CACHEPOT_REMAP_RELATIVE", "1").env("LC_ALL", "C");
        let world = World { sandbox, compiler };
        for checkout in checkouts {
            FILES.iter().for_each(|(name, text)| world.write(*checkout, name, text));
        }
        world
    }

    /// Writes a file of a package; `WORK` in it is the folder of both checkouts.
    fn write(&self, checkout: Checkout, name: &str, text: &str) {
        let text = text.replace("WORK", self.sandbox.work().to_str().unwrap());
        self.sandbox.write(&format!("{}/{name}", checkout.package), text);
    }

    fn out_dir(&self, checkout: Checkout) -> PathBuf {
        self.sandbox.work().join(checkout.target).join("debug/build/pro-0123456789abcdef/out")
    }

    /// Runs a line as a build script does: `P` is the package, `O` its output folder, `W` the folder of both checkouts.
    fn run(&self, checkout: Checkout, line: &str, recache: bool) -> Finished {
        let (work, out_dir) = (self.sandbox.work(), self.out_dir(checkout));
        let package = work.join(checkout.package);
        let _ = fs::remove_dir_all(&out_dir);
        fs::create_dir_all(&out_dir).unwrap();
        self.sandbox.settle();
        let folders = [("P/", "\u{1}", &package), ("O/", "\u{2}", &out_dir), ("W/", "\u{3}", &work)];
        let words = line.split_whitespace().map(|word| {
            // The letters may stand in the names of the folders, too.
            let word =
                folders.iter().fold(word.to_owned(), |word, (letter, mark, _)| word.replace(letter, mark));
            let real = |word: String, (_, mark, folder): &(&str, &str, &PathBuf)| {
                word.replace(mark, &format!("{}/", folder.display()))
            };
            folders.iter().fold(word, real)
        });
        let mut command = self.sandbox.command(CLIENT);
        command.args(words).current_dir(&package);
        command.env("OUT_DIR", &out_dir).env("CARGO_MANIFEST_DIR", &package);
        command.env("CARGO_HOME", work.join(checkout.home)).env("PWD", work.join(checkout.root));
        if recache {
            command.env("CACHEPOT_RECACHE", "1");
        }
        finish(&mut command)
    }

    /// What a line leaves behind.
    fn left(&self, checkout: Checkout, line: &str, recache: bool) -> Left {
        let ended = self.run(checkout, line, recache);
        let files = fs::read_dir(self.out_dir(checkout)).unwrap().map(|entry| entry.unwrap().path());
        let outputs = files.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        Left { code: ended.status.code(), streams: (ended.stdout(), ended.stderr()), outputs }
    }

    /// Runs a line; whether it was a hit. What it leaves is what the compiler makes there by itself.
    #[track_caller]
    fn hits(&self, checkout: Checkout, line: &str) -> bool {
        let line = line.replace("CC", self.compiler);
        let before = self.sandbox.quiet().count(Stat::CacheHits);
        let found = self.left(checkout, &line, false);
        let is_hit = self.sandbox.quiet().count(Stat::CacheHits) > before;
        let made = self.left(checkout, &line, true);
        assert_eq!(found.code, Some(0), "{line}: {}", found.streams.1);
        assert_eq!(found.streams, made.streams, "{line}");
        assert!(found.outputs.keys().eq(made.outputs.keys()), "{line}");
        for (path, bytes) in &made.outputs {
            assert!(found.outputs[path] == *bytes, "{line}: {} differs", path.display());
        }
        is_hit
    }
}

/// Lines with the text of their source, and whether the other checkout hits with gcc and with clang.
const ROWS: &[(&str, &str, &str)] = &[
    ("hh", "CC -g -Iinclude -c S.c -o O/x.o", "#include <h.h>\nint f(int a) { return h(a); }\n"),
    (
        "hh",
        "CC -g -O2 -fPIC -ffunction-sections -IP/include -c P/S.c -o O/x.o",
        "#include <h.h>\nint f(int a) { return h(a); }\n",
    ),
    ("hh", "CC -IP/include -c P/S.c -o O/x.o", "#include <h.h>\nint f(int a) { return h(a); }\n"),
    // Its name is in it, or something that is made of it.
    ("hh", "CC -g -c S.c -o O/x.o", "#include <assert.h>\nint f(int a) { assert(a); return a; }\n"),
    ("mm", "CC -g -c P/S.c -o O/x.o", "#include <assert.h>\nint f(int a) { assert(a); return a; }\n"),
    ("hh", "CC -g -c S.c -o O/x.o", "int f(void) { return sizeof(__FILE__); }\n"),
    ("mm", "CC -g -c P/S.c -o O/x.o", "int f(void) { return sizeof(__FILE__); }\n"),
    ("mm", "CC -g -IP/own -c S.c -o O/x.o", "#include <file.h>\nint f(void) { return length; }\n"),
    ("mm", "CC -g -DN=__FILE__ -c P/S.c -o O/x.o", "int f(void) { return sizeof(N); }\n"),
    (
        "mm",
        "CC -g -DN=\"P/\" -c S.c -o O/x.o",
        "#define S(x) #x\n#define T(x) S(x)\nint f(void) { return sizeof(T(N)); }\n",
    ),
    // A file that includes itself by its name.
    (
        "mm",
        "CC -g -c P/S.c -o O/x.o",
        "#ifndef A\n#define A\n#include __FILE__\n#else\nint f(void) { return 1; }\n#endif\n",
    ),
    // A map of the user's own, of macros.
    (
        "hh",
        "CC -g -fmacro-prefix-map=P/=x/ -c P/S.c -o O/x.o",
        "const char *f(void) { return __FILE__; }\nint g(void) { return sizeof(__FILE__); }\n",
    ),
    (
        "mm",
        "CC -g -fmacro-prefix-map=P/=x/ -c P/S.c -o O/x.o",
        "const char *f(void) { return __builtin_FILE(); }\n",
    ),
    ("mm", "CC -g -fmacro-prefix-map=W/=x/ -c P/S.c -o O/x.o", "int f(void) { return sizeof(__FILE__); }\n"),
    (
        "mm",
        "CC -g -fmacro-prefix-map=P/include/=x/ -c P/S.c -o O/x.o",
        "int f(void) { return sizeof(__FILE__); }\n",
    ),
    // Texts that name a folder.
    ("mm", "CC -g -c S.c -o O/x.o", "#include \"WORK/one/pro/include/h.h\"\nint f(int a) { return h(a); }\n"),
    ("mm", "CC -g -Iown -c S.c -o O/x.o", "#include <from.h>\nint f(int a) { return h(a); }\n"),
    ("mm", "CC -g -Iown -c S.c -o O/x.o", "#include <line.h>\nint f(void) { return line(); }\n"),
    ("mm", "CC -g -c S.c -o O/x.o", "# 7 \"WORK/two/far/off/x.y\"\nint f(void) { return 7; }\n"),
    // Messages.
    (
        "hh",
        "CC -g -Wall -c P/S.c -o O/x.o",
        "static int unused(void) { return 1; }\nint f(int a) { return a; }\n",
    ),
    // Dependency files.
    ("hh", "CC -g -MD -MT x -MF O/x.d -c S.c -o O/x.o", "int f(int a) { return a; }\n"),
    ("mm", "CC -g -MD -MF O/x.d -c P/S.c -o O/x.o", "int f(int a) { return a; }\n"),
    (
        "mm",
        "CC -g -MMD -MF O/x.d -IP/include -c S.c -o O/x.o",
        "#include <h.h>\nint f(int a) { return h(a); }\n",
    ),
    // C++.
    ("hh", "CC -x c++ -g -c S.cpp -o O/x.o", "namespace { struct A { A(); } a; A::A() {} }\n"),
    (
        "hh",
        "CC -x c++ -g -c P/S.cpp -o O/x.o",
        "#include <string>\nstatic std::string a = \"x\";\nint f() { return a.size(); }\n",
    ),
    (
        "hm",
        "CC -x c++ -g -c P/S.cpp -o O/x.o",
        "template <class T> const char *f(T) { return __PRETTY_FUNCTION__; }\nconst char *g() { return f([] { return 1; }); }\n",
    ),
    ("mm", "CC -x c++ -g -c P/S.cpp -o O/x.o", "const char *f() { return __builtin_FILE(); }\n"),
    // Assembler.
    ("hm", "CC -g -Iinclude -c S.S -o O/x.o", "#include <s.h>\n.text\nNAME: ret\n"),
    ("hm", "CC -c P/S.S -o O/x.o", ".text\nf: ret\n"),
    // What a text makes up.
    (
        "mm",
        "CC -O2 -c P/S.c -o O/x.o",
        "#include <assert.h>\n#include <string.h>\nunsigned long n;\nvoid __assert_fail(const char *e, const char *f, unsigned l, const char *c) { n = strlen(f); __builtin_trap(); }\nint g(int a) { assert(a); return a; }\n",
    ),
    ("mm", "CC -c P/S.c -o O/x.o", "int f(void) { return sizeof(__FI\\\nLE__); }\n"),
    (
        "mm",
        "CC -c S.c -o O/x.o",
        "__attribute__((deprecated(\"WORK/on\" \"e/pro z\"))) int d(void);\nint f(void) { return d(); }\n",
    ),
    (
        "mm",
        "CC -IP/include -c P/S.c -o O/x.o",
        "__attribute__((deprecated(\"WORK/on\" \"e/pro z\"))) int d(void);\nint f(void) { return d(); }\n",
    ),
    (
        "mm",
        "CC -c S.c -o O/x.o",
        "#define S(x) T(x)\n#define T(x) #x\n#define R WORK/one\n#include S(R/pro/include/h.h)\nint f(int a) { return h(a); }\n",
    ),
    ("mm", "CC -g -c S.c -o O/x.o", "#line/**/7 \"WORK/two/far/off/x.y\"\nint f(void) { return 7; }\n"),
    // Words that nobody is sure of.
    ("mm", "CC -g -fopenmp -c S.c -o O/x.o", "int f(int a) { return a; }\n"),
    ("mm", "CC -g -gz -c S.c -o O/x.o", "int f(int a) { return a; }\n"),
    ("mm", "CC -g -gsplit-dwarf -c S.c -o O/x.o", "int f(int a) { return a; }\n"),
    ("mm", "CC -g -flto -frandom-seed=1 -c S.c -o O/x.o", "int f(int a) { return a; }\n"),
    ("mm", "CC -g -ffile-prefix-map=P/=x -c S.c -o O/x.o", "int f(int a) { return a; }\n"),
    ("mm", "CC -g -isystem P/include -c S.c -o O/x.o", "#include <h.h>\nint f(int a) { return h(a); }\n"),
    ("mm", "CC -g -S P/S.c -o O/x.s", "int f(int a) { return a; }\n"),
];

#[test]
fn t145_calls_of_build_scripts_share_what_does_not_name_their_folder() {
    // Side by side: there are many.
    std::thread::scope(|threads| {
        threads.spawn(|| calls_are_shared("gcc", 0));
        threads.spawn(|| calls_are_shared("clang", 1));
    });
}

/// All rows with a compiler, which has this place in what is expected.
fn calls_are_shared(compiler: &'static str, at: usize) {
    let world = World::new(compiler, &[ONE, TWO]);
    let mut wrong = Vec::new();
    for (number, (expected, line, text)) in ROWS.iter().enumerate() {
        let line = line.replace("S.", &format!("src/s{number}."));
        let source = line.split_whitespace().find_map(|word| word.find("src/").map(|at| &word[at..]));
        [ONE, TWO].into_iter().for_each(|checkout| world.write(checkout, source.unwrap(), text));
        assert!(!world.hits(ONE, &line), "{line}");
        assert!(world.hits(ONE, &line), "{line}");
        let is_expected = expected.as_bytes()[at] == b'h';
        if world.hits(TWO, &line) != is_expected {
            wrong.push(format!("{compiler}: {line}: {text}"));
        }
        // The one does not take what the other made then.
        assert!(world.hits(ONE, &line) && world.hits(TWO, &line), "{line}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Packages of which no folder holds the target folder, and whose folders sort in another order.
const THREE: Checkout = Checkout { root: "x", package: "x/pro", home: "h3", target: "y/t/target" };
const FOUR: Checkout = Checkout { root: "z", package: "z/u/pro", home: "h4", target: "b/target" };
const TEXT: &str = "#include <h.h>\nint f(int a) { return h(a); }\n";

#[test]
fn t145_what_is_in_the_other_checkout_counts() {
    for compiler in ["gcc", "clang"] {
        let world = World::new(compiler, &[THREE, FOUR]);
        let line = "CC -g -Wall -IO/gen -IP/first -IP/include -IP/absent -c src/a.c -o O/a.o";
        for checkout in [THREE, FOUR] {
            world.write(checkout, "src/a.c", TEXT);
            world.write(checkout, "first/other.h", "");
        }
        assert!(!world.hits(THREE, line) && world.hits(FOUR, line));
        // Another text, and one that comes before it.
        world.write(FOUR, "include/h.h", "static int h(int a) { return a + 2; }\n");
        assert!(!world.hits(FOUR, line) && world.hits(FOUR, line) && world.hits(THREE, line));
        world.write(FOUR, "first/h.h", "static int h(int a) { return a + 3; }\n");
        assert!(!world.hits(FOUR, line) && world.hits(THREE, line));
        // Two names of one folder, of which the compiler uses the first.
        fs::remove_dir_all(world.sandbox.work().join(FOUR.package).join("first")).unwrap();
        std::os::unix::fs::symlink("include", world.sandbox.work().join(FOUR.package).join("first")).unwrap();
        world.write(FOUR, "include/h.h", FILES[0].1);
        assert!(!world.hits(FOUR, line) && world.hits(THREE, line));
    }
}

#[test]
fn t145_packages_of_a_registry_are_the_same_under_another_cargo_home() {
    const FIRST: Checkout =
        Checkout { root: "one", package: "h/registry/src/i/p-1.0", home: "h", target: "one/target" };
    const OTHER: Checkout =
        Checkout { root: "two", package: "a/b/registry/src/i/p-1.0", home: "a/b", target: "t/target" };
    for compiler in ["gcc", "clang"] {
        let world = World::new(compiler, &[FIRST, OTHER]);
        [FIRST, OTHER].into_iter().for_each(|checkout| world.write(checkout, "src/a.c", TEXT));
        for line in ["CC -g -Iinclude -c src/a.c -o O/a.o", "CC -IP/include -c P/src/a.c -o O/a.o"] {
            assert!(!world.hits(FIRST, line) && world.hits(OTHER, line));
        }
        let text = world.left(OTHER, &format!("{compiler} -g -Iinclude -c src/a.c -o O/a.o"), false);
        let object = text.outputs.values().next().unwrap();
        let holds = |text: &[u8]| object.windows(text.len()).any(|part| part == text);
        assert!(holds(b"/cargo/registry/src/i/p-1.0") && !holds(b"a/b/registry"));
    }
}

/// Compilers take the beginning of a name for a folder that they are to map.
#[test]
fn t089_t145_a_name_that_begins_like_a_folder_is_not_that_folder() {
    const PLAIN: Checkout = Checkout { root: "q", package: "q/pro", home: "h5", target: "b/target" };
    for compiler in ["gcc", "clang"] {
        for (first, second) in [(THREE, PLAIN), (PLAIN, THREE)] {
            let world = World::new(compiler, &[first, second]);
            world.sandbox.write("x/project/p.h", "static int p(void) { return 1; }\n");
            let line = "CC -g -IW/x/project -c src/a.c -o O/a.o";
            for checkout in [first, second] {
                world.write(checkout, "src/a.c", "#include <p.h>\nint f(void) { return p(); }\n");
            }
            assert!(!world.hits(first, line) && !world.hits(second, line));
            assert!(world.hits(first, line) && world.hits(second, line));
        }
    }
}

#[test]
fn t145_without_the_setting_or_a_build_script_folders_count() {
    for compiler in ["gcc", "clang"] {
        let mut world = World::new(compiler, &[ONE, TWO]);
        world.sandbox = world.sandbox.without("CACHEPOT_REMAP_RELATIVE");
        [ONE, TWO].into_iter().for_each(|checkout| world.write(checkout, "src/a.c", TEXT));
        let line = "CC -g -Iinclude -c src/a.c -o O/a.o";
        assert!(!world.hits(ONE, line) && !world.hits(TWO, line) && world.hits(ONE, line));
    }
}

/// What fails says what it says without the cache.
#[test]
fn t145_a_failing_compile_speaks_of_its_own_folder() {
    for compiler in ["gcc", "clang"] {
        let world = World::new(compiler, &[ONE, TWO]);
        for checkout in [ONE, TWO, ONE] {
            world.write(checkout, "src/a.c", "int f(int a) { int unused; return a; }\n");
            let line = format!("{compiler} -g -Wall -Werror -c P/src/a.c -o O/a.o");
            let left = world.left(checkout, &line, false);
            let source = world.sandbox.work().join(checkout.package).join("src/a.c");
            assert_eq!((left.code, left.outputs.len()), (Some(1), 0));
            assert!(
                left.streams.1.contains(&format!("{}:1:20: error:", source.display())),
                "{}",
                left.streams.1
            );
        }
    }
}

/// configure scripts remove what they compiled at once; here it is what is looked at last.
#[test]
fn t145_an_input_that_is_gone_at_once_ties_a_result_to_its_folder() {
    let world = World::new("gcc", &[ONE]);
    let headers: Vec<String> = (0..400).map(|number| format!("n{number}.h")).collect();
    let include = |name: &String| format!("#include <{name}>\n");
    world.write(ONE, "src/a.c", &headers.iter().map(include).collect::<String>());
    headers.iter().for_each(|name| {
        world.write(ONE, &format!("include/{name}"), &format!("/* {} */\n", name.repeat(1000)))
    });
    let last = format!("include/{}", headers.last().unwrap());
    assert!(world.run(ONE, "gcc -g -Iinclude -c src/a.c -o O/a.o", false).status.success());
    let path = world.sandbox.work().join(ONE.package).join(&last);
    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    world.sandbox.quiet();
    world.write(ONE, &last, &text);
    assert!(world.hits(ONE, "CC -g -Iinclude -c src/a.c -o O/a.o"));
}
