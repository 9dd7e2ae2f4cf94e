//! What a text includes, and what may hide it.
use crate::scan::{Findings, may_define};

fn of(text: &str) -> Findings {
    Findings::of(text.as_bytes())
}

#[test]
fn includes_that_are_not_spelled_out_are_told() {
    for text in [
        "#include MACRO(x)\n",
        "#include_next MACRO MORE\n",
        "%:include MACRO\n",
        "#include MACRO // x\n",
        "%:include <a.h>\n",
        "??=include <a.h>\n",
        "#inc\\\nlude <a.h>\n",
        "#include \\\n<a.h>\n",
        "#\\\ninclude <a.h>\n",
        "#\\\nin\\\nclude <a.h>\n",
        "#in??/\nclude <a.h>\n",
        "#inc/**/lude <a.h>\n",
        "# /* c */ include <a.h>\n",
        "#include /* c */ <a.h>\n",
        "#include <a\\\n.h>\n",
        "%\\\n:include <a.h>\n",
        "#pragma include_alias(\"a.h\", \"b.h\")\n",
    ] {
        let found = of(text);
        assert!(found.includes_unspelled || found.includes.contains(&b"a.h"[..]), "{text}");
    }
    for text in [
        "#include <a.h>\n",
        " # include \"a.h\" // x\n",
        "#if 1\n#endif\nint include;\n",
        "/*\n#include X\n*/\n",
    ] {
        assert!(!of(text).includes_unspelled, "{text}");
    }
    let found = of("#include ONE\n # include_next  TWO \n");
    assert!(!found.includes_unspelled);
    assert!(found.include_macros.iter().eq([b"ONE", b"TWO"]));
}

#[test]
fn definitions_are_never_missed() {
    for text in [
        "#define M <a.h>\n",
        "# define\tM\n",
        "#define /* c */ M 1\n",
        "%:define M\n",
        "#def\\\nine M\n",
        "#define \\\nM 1\n",
        "#define XX\\\nM 1\n",
        "#define X\\  \nM 1\n",
        "??/\n",
        "#pragma push_macro(\"M\")\n",
        "int x = M;",
        "M",
    ] {
        assert!(may_define(text.as_bytes(), b"M"), "{text}");
    }
    for text in [
        "#ifdef M\n#include M\n#endif\n",
        "#if defined(M) || defined M\n",
        "#undef M\n",
        "int MM, mM, M1;",
        "#define X \\\n 1\n",
        "#define X {\\\n1}\n",
        "",
    ] {
        assert!(!may_define(text.as_bytes(), b"M"), "{text}");
    }
}

#[test]
fn includes_are_found_as_spelled() {
    let text = "#include <a.h>\n # include \"b/../c.h\"\n#include_next <d.h>\n#import <e.h>\n#include N\n/*\n#include <no.h>\n*/";
    let found: Vec<_> = of(text).includes.into_iter().map(|name| String::from_utf8(name).unwrap()).collect();
    assert_eq!(found, ["a.h", "b/../c.h", "d.h", "e.h"]);
}
