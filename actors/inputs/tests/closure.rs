//! Lists that leave headers out: everything that the texts may include is an input.
use super::*;
use crate::inputs::Open;

/// What is read for a source in `w`, with `ia` and the absolute `//sys` searched; `Err` where it cannot be told.
fn closed(world: &World, forced: &[&str]) -> Result<Vec<String>, NotStorable> {
    let unit = Unit { folders: &["ia", "//sys"], inputs: &["a.c"] };
    let forced = forced.iter().map(|name| name.as_bytes().to_vec()).collect();
    let words = ["-DGIVEN=\"other.h\"", "-DODD=other.h"].map(|word| word.as_bytes().to_vec());
    let open = Open { forced, words: words.to_vec() };
    let compiled = Compiled { open: Some(open), ..world.compiled(&unit, world.start()) };
    let observed = observe(&world.memory, &world.place(), &compiled)?;
    let root = world.path("//").to_string_lossy().into_owned();
    let name =
        |path: &[u8]| String::from_utf8(path.to_vec()).unwrap().replace(root.trim_end_matches('/'), "/");
    let read = observed.record.inputs.iter().take(observed.record.n_read as usize);
    let mut names: Vec<_> = read.map(|input| name(&input.path)).collect();
    names.sort();
    Ok(names)
}

fn world(source: &str) -> World {
    let world = World::new();
    world.write("a.c", source);
    world.write("//sys/s.h", "#if 0\n#include <sub/t.h>\n#endif\n#include_next <missing.h>\n");
    world.write("//sys/sub/t.h", "#include \"u.h\"\n");
    world.write("//sys/sub/u.h", "");
    world.write("//sys/other.h", "");
    world.write("ia/u.h", "");
    world
}

#[test]
fn whatever_may_be_included_is_an_input() {
    let world = world("#include <s.h>\n");
    let all = ["//sys/s.h", "//sys/sub/t.h", "//sys/sub/u.h", "a.c", "ia/u.h"];
    assert_eq!(closed(&world, &[]).unwrap(), all);
    // Once more, with everything remembered.
    assert_eq!(closed(&world, &[]).unwrap(), all);
    world.write("//sys/stdc-predef.h", "");
    assert_eq!(closed(&world, &["other.h"]).unwrap().len(), all.len() + 2);
    world.remove("//sys/sub");
    assert_eq!(closed(&world, &[]).unwrap(), ["//sys/s.h", "//sys/stdc-predef.h", "a.c"]);
}

#[test]
fn names_of_all_kinds_are_followed() {
    let world = world("");
    let absolute = world.path("//sys/other.h");
    world.write("a.c", &format!("#include \"{}\"\n#include \"ia/../ia/./u.h\"\n", absolute.display()));
    assert_eq!(closed(&world, &[]).unwrap(), ["//sys/other.h", "a.c", "ia/../ia/u.h"]);
    world.write("ia/more.h", "#import \"../b.h\"\n");
    world.write("b.h", "");
    world.write("a.c", "#include <more.h>\n");
    assert_eq!(closed(&world, &[]).unwrap(), ["a.c", "ia/../b.h", "ia/more.h"]);
}

#[test]
fn macros_that_words_define_are_followed() {
    let world = world("#ifdef GIVEN\n#include GIVEN\n#endif\n");
    assert_eq!(closed(&world, &[]).unwrap(), ["//sys/other.h", "a.c"]);
    // In quotes: beside the text that asks.
    world.write("a.c", "#include <deep/m.h>\n");
    world.write("ia/deep/m.h", "#include GIVEN\n");
    world.write("ia/deep/other.h", "");
    assert_eq!(closed(&world, &[]).unwrap(), ["//sys/other.h", "a.c", "ia/deep/m.h", "ia/deep/other.h"]);
    world.write("//sys/other.h", "#undef GIVEN\n#define GIVEN <s.h>\n");
    assert!(closed(&world, &[]).is_err());
}

#[test]
fn what_cannot_be_followed_is_told() {
    for text in [
        "#include ODD\n",
        "#include __FILE__\n",
        "#include M(x)\n",
        "%:include <s.h>\n",
        "#inc\\\nlude <s.h>\n",
        "#pragma include_alias(\"a\", \"b\")\n",
    ] {
        assert!(closed(&world(text), &[]).is_err(), "{text}");
    }
    // In a header that is perhaps not included, too.
    let world = world("#include <s.h>\n");
    world.write("//sys/sub/u.h", "#include NAME\n");
    assert!(closed(&world, &[]).is_ok(), "no text defines it");
    world.write("//sys/sub/u.h", "#define NAME <s.h>\n#include NAME\n");
    assert!(closed(&world, &[]).is_err());
    // A header map instead of a folder.
    world.write("//sys/sub/u.h", "");
    assert!(closed(&world, &[]).is_ok());
    world.remove("ia");
    world.write("ia", "map");
    assert!(closed(&world, &[]).is_err());
}
