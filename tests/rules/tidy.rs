//! How sources look: their length, and what must not stand in them.
use crate::{code, expect_none, read, sources};

/// Longer files are split, or stand in [`LONG`] with a reason.
const MAX_LINES: usize = 400;

/// Files that may be longer: path, lines they may have, reason.
const LONG: [(&str, usize, &str); 0] = [];

/// Work that was left: done now, or written down as a gap.
const LEFT: [&str; 3] = ["todo!", "unimplemented!", "#[ignore"];

/// What panics on data from outside.
const PANICS: [&str; 2] = [".unwrap()", ".expect("];

/// Tests and examples may panic.
fn is_test(path: &str) -> bool {
    let in_folder = path.split('/').rev().skip(1).any(|part| part == "tests" || part == "examples");
    in_folder || path.ends_with("_test.rs") || path.ends_with("/tests.rs")
}

/// The lines of a source that are neither comments nor items of its own tests.
fn without_tests(text: &str) -> Vec<(usize, &str)> {
    let mut kept = Vec::new();
    let mut lines = code(text);
    while let Some((number, line)) = lines.next() {
        let attribute = line.trim_start();
        if !attribute.starts_with("#[cfg(test)") && !attribute.starts_with("#[cfg(all(test,") {
            kept.push((number, line));
            continue;
        }
        // An item ends in its first line, or where a brace stands at its depth.
        let end = line.replace(attribute, "}");
        let mut is_first = true;
        for (_, line) in lines.by_ref() {
            if line == end || (is_first && line.ends_with(';')) {
                break;
            }
            is_first = is_first && line.trim_start().starts_with('#');
        }
    }
    kept
}

#[test]
fn files_are_short() {
    let mut findings = Vec::new();
    for path in sources() {
        let n_lines = read(&path).lines().count();
        let most = LONG.iter().find(|(long, ..)| *long == path).map_or(MAX_LINES, |(_, most, _)| *most);
        if n_lines > most {
            findings.push(format!("{path}: {n_lines} lines, at most {most}: split it, or give a reason"));
        }
    }
    expect_none(&findings);
}

#[test]
fn the_list_of_long_files_names_files() {
    let all = sources();
    let gone =
        LONG.iter().filter(|(path, _, reason)| !all.iter().any(|file| file == path) || reason.is_empty());
    expect_none(
        &gone.map(|(path, ..)| format!("{path}: not there, or without a reason")).collect::<Vec<_>>(),
    );
}

#[test]
fn nothing_is_left_undone_or_ignored() {
    let mut findings = Vec::new();
    // The words themselves stand here.
    for path in sources().iter().filter(|path| !path.starts_with("tests/rules/")) {
        let text = read(path);
        let found = code(&text).filter(|(_, line)| LEFT.iter().any(|word| line.contains(word)));
        findings.extend(found.map(|(number, line)| format!("{path}:{number}: {}", line.trim())));
    }
    expect_none(&findings);
}

#[test]
fn nothing_panics_on_purpose_outside_of_tests() {
    let mut findings = Vec::new();
    for path in sources().iter().filter(|path| !is_test(path)) {
        let text = read(path);
        let found = without_tests(&text)
            .into_iter()
            .filter(|(_, line)| PANICS.iter().any(|word| line.contains(word)));
        findings.extend(found.map(|(number, line)| format!("{path}:{number}: {}", line.trim())));
    }
    expect_none(&findings);
}

#[test]
fn gaps_have_a_name_and_are_listed() {
    let mut findings = Vec::new();
    for path in sources().iter().filter(|path| !path.starts_with("tests/rules/")) {
        for (number, line) in (1..).zip(read(path).lines()) {
            let Some((_, gap)) = line.split_once("// GAP") else { continue };
            println!("{path}:{number}: GAP{gap}");
            if !gap.starts_with('(') || !gap.contains("): ") {
                findings.push(format!("{path}:{number}: write `// GAP(name): what it leads to`"));
            }
        }
    }
    expect_none(&findings);
}
