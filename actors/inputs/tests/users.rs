//! Which inputs are system headers, by folders and texts. The built-in folder is `//s`.
use super::*;
use crate::inputs::{Sides, observe_sides};
use cachepot_engine::job::Family::{self, Clang, Gcc};
use std::sync::Arc;

/// What `system` says of a compile that read these, `1` for a system header; `?` where it is not sure.
fn told(family: Family, given: &[&str], read: &[(&str, &str)], prepare: fn(&World)) -> String {
    let world = World::new();
    world.folder("//s");
    read.iter().filter(|(_, text)| !text.is_empty()).for_each(|(name, text)| world.write(name, text));
    prepare(&world);
    let built_in = Arc::new(vec![bytes(&world.path("//s"))]);
    let given = given.iter().map(|name| bytes(&world.spelled(name))).collect();
    let unit = Unit { folders: &[], inputs: &[] };
    let compiled = Compiled {
        inputs: read.iter().map(|(name, _)| world.spelled(name)).collect(),
        sides: Some(Sides { family, built_in, given }),
        watched: None,
        ..world.compiled(&unit, world.start())
    };
    let flags = system(&world, &compiled);
    let flags = flags.map(|flags| flags.iter().map(|&flag| if flag { '1' } else { '0' }).collect());
    flags.unwrap_or_else(|| "?".to_owned())
}

/// The answer, which is the same where the rest of the look has time, wherever the compiler's files are.
fn system(world: &World, compiled: &Compiled) -> Option<Vec<bool>> {
    let place = world.place();
    let (_, system) = observe_sides(&world.memory, &place, compiled).unwrap();
    for brought in [Vec::new(), vec![bytes(&world.path("//s"))]] {
        let compiled = Compiled { brought, ..compiled.clone() };
        let sight = Sight::take(&world.memory, &place, &compiled).unwrap();
        assert_eq!(sight.system(&world.memory, &place, &compiled), Ok(system.clone()));
    }
    system
}

const A: (&str, &str) = ("a.c", "int a;\n");
const S: (&str, &str) = ("//s/s.h", "int s;\n");

#[test]
fn folders_and_texts_decide() {
    type Row = (&'static str, Family, &'static [&'static str], &'static [(&'static str, &'static str)]);
    const ROWS: &[Row] = &[
        ("001", Gcc, &["i"], &[A, ("i/h.h", "#include <s.h>\n"), S]),
        ("001", Clang, &["i"], &[A, ("i/h.h", "#include <s.h>\n"), S]),
        ("0001", Gcc, &["i"], &[A, ("i/h.h", "#include \"../i/h.h\"\n"), ("i/../i/h.h", ""), S]),
        // One of the user's texts turns; one of the system's may.
        ("?", Gcc, &["i"], &[A, ("i/h.h", "#pragma GCC system_header\n"), S]),
        ("001", Gcc, &["i"], &[A, ("i/h.h", "int h;\n"), ("//s/s.h", "#pragma GCC system_header\n")]),
        // A name that is not spelled out may be a path.
        ("001", Gcc, &["i"], &[A, ("i/h.h", "#include H\n#define H </other/s.h>\n"), S]),
        ("?", Gcc, &["i"], &[A, ("i/h.h", "#include H\n#define H <TOP/s/s.h>\n#define TOP /tmp\n"), S]),
        ("?", Gcc, &["i"], &[("a.c", "#define H </tmp\n"), ("i/h.h", "#include H\n"), S]),
        // A string is one as it is: none of the folders, but what lies in one.
        ("001", Gcc, &["i"], &[A, ("i/h.h", "#include H\n#define TOP \"/tmp/\"\n"), S]),
        ("?", Gcc, &["i"], &[A, ("i/h.h", "#include H\n#define TOP \"/tmp/\\\n\"\n"), S]),
        ("?", Gcc, &["i"], &[A, ("i/h.h", "int h;\n"), ("//s/s.h", "#include H\n")]),
        // A system header names one of the user's.
        ("?", Gcc, &["i"], &[A, ("i/h.h", "int h;\n"), ("//s/s.h", "#include <h.h>\n")]),
        ("?", Gcc, &["i"], &[A, ("i/b/h.h", "int h;\n"), ("//s/s.h", "#include <b/h.h>\n")]),
        ("?", Gcc, &["i"], &[A, ("i/b/h.h", "int h;\n"), ("//s/s.h", "#include <../b/h.h>\n")]),
        ("001", Gcc, &["i"], &[A, ("i/b/h.h", "int h;\n"), ("//s/s.h", "#include <c/h.h>\n")]),
        ("001", Gcc, &["i"], &[A, ("i/bh.h", "int h;\n"), ("//s/s.h", "#include <h.h>\n")]),
        // Folders in one another.
        ("?", Gcc, &["//s"], &[A, ("i/h.h", "int h;\n"), S]),
        ("?", Gcc, &["//s/t"], &[A, ("//s/t/h.h", "int h;\n"), S]),
        ("?", Gcc, &["//"], &[A, ("i/h.h", "int h;\n"), S]),
        ("?", Gcc, &["../s"], &[A, ("../s/h.h", "int h;\n"), S]),
        ("?", Gcc, &[], &[("//s/a.c", "int a;\n"), S]),
        // By a path of its own.
        ("?", Gcc, &[], &[("//w/a.c", "int a;\n"), ("//w/h.h", "int h;\n"), S]),
        ("001", Clang, &[], &[("//w/a.c", "int a;\n"), ("//w/h.h", "int h;\n"), S]),
        ("01", Gcc, &[], &[("//w/a.c", "int a;\n"), S]),
        ("?", Clang, &["i"], &[A, ("//list", "int h;\n"), S]),
        ("001", Clang, &["//i"], &[A, ("//i/h.h", "int h;\n"), S]),
    ];
    for (expected, family, given, read) in ROWS {
        assert_eq!(
            told(*family, given, read, |world| world.folder("//s/t")),
            *expected,
            "{given:?} {read:?}"
        );
    }
}

#[test]
fn links_make_it_unsure() {
    type Row = (&'static str, fn(&World));
    let rows: [Row; 4] = [
        ("i/h.h", |world| world.write("i/h.h", "int h;\n")),
        ("i/h.h", |world| {
            world.write("i/x.h", "int h;\n");
            world.link("x.h", "i/h.h");
        }),
        ("i/h.h", |world| {
            world.write("i/x.h", "int h;\n");
            fs::hard_link(world.path("i/x.h"), world.path("i/h.h")).unwrap();
        }),
        ("j/s.h", |world| world.link("//s", "j")),
    ];
    for ((name, prepare), expected) in rows.into_iter().zip(["001", "?", "?", "?"]) {
        assert_eq!(told(Gcc, &["i"], &[A, (name, ""), S], prepare), expected, "{name}");
    }
}

#[test]
fn a_system_header_by_its_path() {
    let world = World::new();
    let absolute = format!("#include \"{}\"\n", world.path("//s/s.h").display());
    world.write("a.c", &absolute);
    world.write("//s/s.h", "int s;\n");
    let sides = |folder: &str| Sides {
        family: Gcc,
        built_in: Arc::new(vec![bytes(&world.path(folder))]),
        given: Vec::new(),
    };
    let unit = Unit { folders: &[], inputs: &["a.c", "//s/s.h"] };
    let compiled = Compiled { sides: Some(sides("//s")), ..world.compiled(&unit, world.start()) };
    assert_eq!(system(&world, &compiled), None);
    // The compiler may name its folder by a link, and the header by the path behind it.
    world.link("//s", "//link");
    world.write("a.c", "#include <s.h>\n");
    let compiled = Compiled { sides: Some(sides("//link")), ..world.compiled(&unit, world.start()) };
    assert_eq!(system(&world, &compiled), Some(vec![false, true]));
}

#[test]
fn a_string_names_a_system_header() {
    let world = World::new();
    world.write("//s/s.h", "int s;\n");
    let told = |path: &str, words: &[&str]| {
        world.write("a.c", &format!("#include H\n#define H \"{}\"\n", world.path(path).display()));
        let unit = Unit { folders: &[], inputs: &["a.c", "//s/s.h"] };
        let built_in = Arc::new(vec![bytes(&world.path("//s"))]);
        let sides = Some(Sides { family: Gcc, built_in, given: Vec::new() });
        let words = Words::new(words.iter().map(Into::into).collect(), Vec::new());
        system(&world, &Compiled { sides, words, ..world.compiled(&unit, world.start()) })
    };
    assert_eq!(told("//s/s.h", &[]), None);
    assert_eq!(told("//t/s.h", &[]), Some(vec![false, true]));
    // There a parameter in a string may become the rest of the path.
    assert_eq!(told("//t/s.h", &["-traditional-cpp"]), None);
}

/// What keeps a result from being kept keeps its dependency file from being narrowed by rule: clang lists what
/// `__has_include` finds.
#[test]
fn who_asks_for_a_file_by_its_path_is_not_told() {
    let world = World::new();
    world.write("a.c", "#if __has_include(\"/s/s.h\")\nint a;\n#endif\n");
    let unit = Unit { folders: &[], inputs: &["a.c"] };
    let sides =
        Sides { family: Clang, built_in: Arc::new(vec![bytes(&world.path("//s"))]), given: Vec::new() };
    let compiled = Compiled { sides: Some(sides), ..world.compiled(&unit, world.start()) };
    let sight = Sight::take(&world.memory, &world.place(), &compiled).unwrap();
    let told = sight.system(&world.memory, &world.place(), &compiled);
    assert_eq!(told, Err(NotStorable::Uses("__has_include")));
}
