//! What is run on a miss, and what is read from it afterwards.
use super::*;

fn argv(line: &str) -> String {
    let (request, driver) = call(line);
    let plan = plan(&job(line), &driver, Path::new("/s/1"), &request);
    let mut words: Vec<_> =
        plan.env.iter().map(|(name, value)| format!("{}={}", name.display(), value.display())).collect();
    words.extend(plan.argv.iter().map(|word| word.display().to_string()));
    words.join(" ")
}

#[test]
fn words_are_added() {
    const ROWS: &[(&str, &str)] = &[
        ("gcc -c a.c", "gcc -c a.c -MD -MF /s/1.d"),
        ("gcc -c a.c -MD", "gcc -c a.c -MD"),
        ("gcc -c a.c -MMD", "gcc -c a.c -MD"),
        ("gcc -c a.c -MMD -isystem i", "gcc -c a.c -MMD -isystem i"),
        ("gcc -c a.s", "gcc -c a.s"),
        ("clang -c a.c", "clang -c a.c -MD -MF /s/1.d"),
        ("clang -c -- a.c", "clang -c -MD -MF /s/1.d -- a.c"),
        ("clang -c a.c -MMD", "clang -c a.c -MD"),
        ("clang -c a.i", "CC_PRINT_HEADERS=1 CC_PRINT_HEADERS_FILE=/s/1.h clang -c a.i"),
        ("tty gcc -c a.c -MD", "gcc -c a.c -MD -fdiagnostics-color=always"),
        (
            "tty gcc -c a.c -MD -fdiagnostics-color=auto",
            "gcc -c a.c -MD -fdiagnostics-color=auto -fdiagnostics-color=always",
        ),
        ("tty gcc -c a.c -MD -fdiagnostics-color=never", "gcc -c a.c -MD -fdiagnostics-color=never"),
        ("tty GCC_COLORS= gcc -c a.c -MD", "gcc -c a.c -MD"),
        ("TERM=dumb gcc -c a.c -MD", "gcc -c a.c -MD"),
        ("tty clang -c a.c -MD", "clang -c a.c -MD -fcolor-diagnostics"),
        ("tty clang -c a.c -MD -fno-color-diagnostics", "clang -c a.c -MD -fno-color-diagnostics"),
    ];
    for (line, expected) in ROWS {
        assert_eq!(argv(line), *expected, "{line}");
    }
}

#[test]
fn a_widened_file_has_a_line_of_its_own() {
    let (request, driver) = call("clang -c -MMD -o o/a.o -- a.c");
    let plan = plan(&job("clang -c -MMD -o o/a.o -- a.c"), &driver, Path::new("/s/1"), &request);
    assert_eq!(plan.argv.join(OsStr::new(" ")), "clang -c -MD -o o/a.o -- a.c");
    assert_eq!(plan.widened.as_deref(), Some(Path::new("o/a.d")));
    const ROWS: &[(&str, &str)] = &[
        ("gcc -g -c a.c -MMD", "gcc -g a.c -MM -MF /s/1.d"),
        ("gcc -c a.c -o a$.o -MMD -MP -Iinc", "gcc a.c -Iinc -MP -MQ a$.o -MM -MF /s/1.d"),
        ("clang -c -MMD -- a.c", "clang -MM -MF /s/1.d -- a.c"),
        ("gcc -c a.c -o a.o -MMD -MT x -MQ y -MF z", "gcc a.c -MT x -MQ y -MM -MF /s/1.d"),
    ];
    for (line, expected) in ROWS {
        let (request, driver) = call(line);
        let words = narrow_scan(&driver, &request.argv, Path::new("/s/1.d"));
        assert_eq!(words.join(OsStr::new(" ")), *expected);
    }
}

#[test]
fn private_files_are_watched_last_and_removed() {
    let (request, driver) = call("gcc -c a.c -o o/a.o -gsplit-dwarf -g");
    let job = job("gcc -c a.c -o o/a.o -gsplit-dwarf -g");
    let plan = plan(&job, &driver, Path::new("/s/1"), &request);
    let watched: Vec<_> = plan.watched.iter().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(watched, ["o/a.o", "o/a.dwo", "/s/1.d"]);
    assert_eq!(plan.scratch, [Path::new("/s/1.d")]);
    assert_eq!(job.outputs[1].role, Role::SplitDwarf);
}

#[test]
fn a_scan_writes_nothing_but_its_file() {
    const ROWS: &[(&str, &str)] = &[
        ("gcc -g -MMD -MF a.d -MT x -MP -Iinc -c a.c -o a.o", "gcc -g -Iinc a.c -M -MF /s/1.d"),
        ("gcc -Wp,-MMD,a.d -DX -c a.c -o a.o", "gcc -DX a.c -M -MF /s/1.d"),
        ("gcc -Wp,-DY,-UZ -MMD -I inc -fstack-usage -S a.c", "gcc -Wp,-DY -Wp,-UZ -I inc a.c -M -MF /s/1.d"),
    ];
    for (line, expected) in ROWS {
        let (request, driver) = call(line);
        let words = dependency_scan(&driver, &request.argv, Path::new("/s/1.d"));
        assert_eq!(words.join(OsStr::new(" ")), *expected);
    }
}

fn found(line: &str, text: Option<&str>, trace: Option<&str>) -> String {
    match inputs(&job(line), text.map(str::as_bytes), trace.map(str::as_bytes)) {
        Ok(files) => files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(" "),
        Err(reason) => format!("!{}", reason.0),
    }
}

#[test]
fn inputs_of_a_finished_compile() {
    assert_eq!(found("gcc -c a.s", None, None), "a.s");
    assert_eq!(found("gcc -c a.c", None, None), "!no dependency file");
    assert_eq!(found("gcc -c a.c", Some("a.o: a.c h.h a.c\n\nh.h:\n"), None), "a.c h.h");
    assert_eq!(found("gcc -c a.c", Some("a.o: h.h\n"), None), "!dependency file without the source");
    assert_eq!(found("clang -c ./a.c", Some("a.o: a.c h.h\n"), None), "./a.c a.c h.h");
    assert_eq!(found("gcc -c a.c", Some(""), None), "!no rule in the dependency text");
    assert_eq!(found("gcc -c a.c", Some("a.o: a.c p.h.gch\n"), None), "!precompiled header");
    assert_eq!(found("gcc -MMD -isystem i -c a.c", Some("a.o: a.c\n"), None), "!no dependency file");
    assert_eq!(
        found("gcc -MMD -isystem i -c a.c", Some("a.o: a.c h\n"), Some("a.o: a.c h /s\n")),
        "a.c h /s"
    );
    assert_eq!(
        found("clang -MMD -isystem i -c a.c", Some("a.o: a.c h\n"), Some("a.o: a.c h /s\n")),
        "a.c h /s"
    );
    assert_eq!(
        found("gcc -MMD -isystem i -c a.c", Some("a.o: a.c h\n"), Some("a.o: a.c i /s\n")),
        "!headers changed during the compile"
    );
    assert_eq!(found("clang -c a.i", None, Some("./h\n")), "a.i ./h");
    assert_eq!(found("clang -c a.i", None, Some("")), "a.i");
}

/// A header that the key does not know, below a folder that a map took out of the key.
#[test]
fn an_unspelled_header_below_a_mapped_folder_is_not_stored() {
    let text = Some("a.o: a.c /w/gen.h\n");
    assert_eq!(
        found("gcc -g -ffile-prefix-map=/w=. -c a.c", text, None),
        "!header below a mapped folder by absolute path"
    );
    assert_eq!(found("gcc -g -ffile-prefix-map=/w=. -I/w -c a.c", text, None), "a.c /w/gen.h");
    assert_eq!(found("gcc -g -c a.c", text, None), "a.c /w/gen.h");
}

/// Trap T5: only compilers that know the variable obey it.
#[test]
fn dates_are_fixed_by_those_who_obey() {
    use crate::compiler::gnu::date_is_fixed;
    use crate::job::{Driver, Family};
    let rows = [
        (Family::Gcc, 12, Some("1"), true),
        (Family::Gcc, 6, Some("1"), false),
        (Family::Gcc, 12, Some(""), false),
        (Family::Gcc, 12, None, false),
        (Family::Clang, 14, Some("1"), false),
        (Family::Clang, 16, Some("1"), true),
    ];
    for (family, major, value, expected) in rows {
        let env = value.map(|value| (OsStr::new("SOURCE_DATE_EPOCH"), OsStr::new(value)));
        let driver = Driver { family, major, plus_plus: false };
        assert_eq!(
            date_is_fixed(&driver, &EnvBlock::from_pairs(env)),
            expected,
            "{family:?} {major} {value:?}"
        );
    }
}
