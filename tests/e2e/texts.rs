//! Texts that make a compile depend on what its inputs do not tell.
use crate::harness::Sandbox;
use crate::harness::Went::{Hit, Refused, Stored, Uses};

/// gcc quotes the lines of the file that a text names, which is none of its inputs.
#[test]
fn t038_messages_that_quote_another_file() {
    let source = "int f(void){\n#line 2 \"g.y\"\nint unused;\nreturn 1;}\n";
    let quiet = source.replace("int unused;", "int used = 1;").replace("return 1", "return used");
    let (old, new) = ("one\nint old_line;\n", "one\nint new_line;\n");
    let sandbox = Sandbox::new("quoted")
        .file("g.y", old)
        .file("a.c", source)
        .file("quiet.c", quiet)
        .file("same.c", "int f(void){\n#line 2\nint unused;\nreturn 1;}\n")
        .file("computed.c", "#define G \"g.y\"\nint f(void){\n#line 2 G\nint unused;\nreturn 1;}\n")
        .file("up.c", "int f(void){\n#line 2 \"../quoted.y\"\nint unused;\nreturn 1;}\n");
    for line in ["gcc -Wall -c a.c", "g++ -Wall -c a.c"] {
        sandbox.hits(line);
        let seen = sandbox.write("g.y", new).expect(Stored, line);
        assert!(seen.stderr.contains("2 | int new_line;"), "{seen:?}");
        sandbox.expect(Hit, line);
        sandbox.sh("rm g.y").expect(Stored, line);
        sandbox.expect(Hit, line);
        sandbox.write("g.y", new).expect(Hit, line);
        sandbox.write("g.y", old).expect(Hit, line);
    }
    // In the comments of an assembler text.
    let line = "gcc -S -fverbose-asm quiet.c";
    sandbox.hits(line);
    sandbox.write("g.y", new).expect(Stored, line);
    sandbox.write("g.y", old).expect(Hit, line);
    // Nothing is quoted without a message, and clang quotes the text that it has.
    for line in ["gcc -Wall -c quiet.c", "gcc -Wall -c same.c", "gcc -c a.c", "clang -Wall -c a.c"] {
        sandbox.hits(line);
        sandbox.write("g.y", new).expect(Hit, line);
        sandbox.write("g.y", old);
    }
    // Preprocessed texts name all their files.
    sandbox.sh("gcc -E same.c -o a.i");
    sandbox.hits("gcc -Wall -c a.i");
    for source in ["computed.c", "up.c"] {
        sandbox.expect(Uses("messages that quote another file"), format!("gcc -Wall -c {source}"));
    }
}

/// Names of directives that nobody spells.
#[test]
fn t021_names_of_directives_that_are_put_together() {
    let rows = [
        ("a.S", "#define D(x) .x\n.data\nD(incbin) \"d.bin\"\n", "gcc clang"),
        ("b.S", "#define CAT(a,b) .a##b\n.data\nCAT(inc,bin) \"d.bin\"\n", "gcc clang"),
        ("c.s", ".data\n.macro D x\n.\\x \"d.bin\"\n.endm\nD incbin\n", "gcc clang"),
        ("m.S", ".data\n.macro D x y\n.\\x\\y \"d.bin\"\n.endm\nD inc bin\n", "gcc clang"),
        (
            "d.c",
            "#define S2(x) #x\n#define S(x) S2(x)\n#define K incbin\nasm(\".data\\n.\" S(K) \" \\\"d.bin\\\"\\n.text\");\n",
            "gcc clang",
        ),
        ("e.c", "asm(\".data\\n.irp x,incbin\\n.\\\\x \\\"d.bin\\\"\\n.endr\\n.text\");\n", "gcc clang"),
        ("f.c", "asm(\".data\\n.inc\\142in \\\"d.bin\\\"\\n.text\");\n", "gcc clang"),
        ("g.S", ".data\n.inc/**/bin \"d.bin\"\n", "gcc"),
        ("n.c", "void f(void) { asm(\".data\\n.{incbin|x} \\\"d.bin\\\"\\n.text\" : : ); }\n", "gcc clang"),
        ("o.c", "void f(void) { asm(\".data\\n.inc{bin|x} \\\"d.bin\\\"\\n.text\" : : ); }\n", "gcc clang"),
        ("h.i", "asm(\".data\\n.inc\" \"bin \\\"d.bin\\\"\\n.text\");\n", "gcc clang"),
        // Parentheses that another text closes.
        (
            "p.c",
            "#define S(x) #x\n#define D(a, x, b) asm(\".data\\n.\" S(x) \" \\\"d.bin\\\"\\n.text\");\n#define BEGIN D(\nBEGIN a, incbin, b )\n",
            "gcc clang",
        ),
    ];
    for (source, text, compilers) in rows {
        let sandbox = Sandbox::new("built").file(source, text).file("d.bin", "12345");
        let words = if source == "g.S" { " -traditional-cpp" } else { "" };
        for compiler in compilers.split(' ') {
            let line = format!("{compiler} -c {source}{words}");
            // Not every compiler takes every form; what fails is not kept.
            if sandbox.plain(&*line).stderr.contains("error") {
                continue;
            }
            let (_, went) = sandbox.cached(&*line);
            assert!(matches!(went, Uses(".incbin") | Refused(_)), "{line}: {went:?}");
            sandbox.write("d.bin", "67890").expect(went, &*line);
            sandbox.write("d.bin", "12345");
        }
    }
    let sandbox = Sandbox::new("unbuilt")
        .file("c.s", ".globl include\n.type include, @function\ninclude: nop\n")
        .file("a.S", ".data\n.macro D x\n.long \\x\n.endm\nD 5\n").file(
        "b.c",
        "int f(int incbin, int inc, int bin) { return incbin + inc + bin; }\nconst char *s = \"\\x69\";\n",
    );
    for compiler in ["gcc", "clang"] {
        sandbox.hits(format!("{compiler} -c a.S"));
        sandbox.hits(format!("{compiler} -c b.c"));
        sandbox.hits(format!("{compiler} -c c.s"));
    }
}

/// The assembler writes the working directory beside places that a text tells it.
#[test]
fn places_that_a_text_tells_the_assembler() {
    let text = "asm(\".file 1 \\\"x.c\\\"\\n.loc 1 1\\nnop\");\n";
    let sandbox = Sandbox::new("places").file("a.c", text).file("a.s", ".file 1 \"x.c\"\n.loc 1 1\nnop\n");
    sandbox.expect(Uses(".loc"), "gcc -c a.c");
    sandbox.hits("gcc -c a.s");
    sandbox.hits("gcc -c a.c -g");
    sandbox.hits("clang -c a.s");
    sandbox.sh("mkdir other; cp a.s other");
    sandbox.prelude("cd other").hits("gcc -c a.s");
}

/// clang knows macros even where a source is read as it is, and no preprocessor run shows them.
#[test]
fn time_macros_in_preprocessed_sources() {
    let sandbox = Sandbox::new("as_it_is")
        .file("c.s", ".globl include\n.type include, @function\ninclude: nop\n")
        .file("a.i", "const char *t = __TIME__;\n")
        .file("b.i", "const char *t = __DATE__;\n")
        .file("c.i", "const char *t = \"10:11:12\";\n");
    assert_eq!(sandbox.cached("clang -c a.i").1, Uses("__TIME__"));
    assert_eq!(sandbox.cached("clang -c b.i").1, Uses("__DATE__"));
    sandbox.hits("clang -c c.i");
}

#[test]
fn t104_a_precompiled_header_in_preprocessed_text() {
    let sandbox = Sandbox::new("pch_text").file("x.h", "#define V 1\nint f(void);\n");
    sandbox.sh("gcc -x c-header x.h -o x.h.gch");
    let sandbox = sandbox.file("a.i", "#pragma GCC pch_preprocess \"x.h.gch\"\nint x;\n");
    sandbox.expect(Uses("precompiled header"), "gcc -c a.i");
}

#[test]
fn encodings_that_are_not_ascii() {
    let sandbox = Sandbox::new("charset").file("a.c", "const char *t = +AF8AXw-TIME+AF8AXw-;\n");
    let line = "gcc -c a.c -finput-charset=UTF-7";
    assert_eq!(sandbox.cached(line).1, Refused("-finput-charset="));
    sandbox.write("a.c", "const char *t = \"\u{e9}\";\n").hits("gcc -c a.c -finput-charset=latin1");
    assert_eq!(sandbox.cached("gcc -c a.c -finput-charset=Utf-8").1, Stored);
}

/// The warning depends on the age of a file.
#[test]
fn pragmas_that_compare_the_age_of_files() {
    let rows = [
        "#pragma GCC/**/dependency \"x.h\"\n",
        "#define D dependency\n#define P(x) _Pragma(#x)\n#define PP(x) P(x)\nPP(GCC D \"x.h\")\n",
    ];
    for text in rows {
        let sandbox = Sandbox::new("age").file("x.h", "").file("a.c", text);
        sandbox.expect(Uses("#pragma GCC dependency"), "gcc -c a.c");
    }
}

/// What seems to be a comment lies in the name of a header.
#[test]
fn t006_comments_in_names_of_headers() {
    let text = "const char *t = __TIME__;/**/\n";
    let rows = ["#inc\\\nlude <a/*b.h>\n", "#define H __has_include\n#if H(<a/*b.h>)\n#endif\n"];
    for head in rows {
        let sandbox = Sandbox::new("names").file("a/*b.h", "").file("a.c", [head, text].concat());
        assert_eq!(sandbox.cached("gcc -c a.c -I.").1, Uses("__TIME__"), "{head}");
    }
}
