//! What goes straight to the compiler, and which program that is.
use crate::bypass::{Found, find, wanted};
use cachepot_wire::EnvBlock;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::{PermissionsExt, symlink};

fn is_bypass(env: &[(&str, &str)], line: &str) -> bool {
    let env = EnvBlock::from_pairs(env.iter().map(|(n, v)| (OsStr::new(*n), OsStr::new(*v))));
    let argv: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
    wanted(&argv, &env)
}

#[test]
fn calls_that_ask_nobody() {
    type Row<'a> = (&'a [(&'a str, &'a str)], &'a str, bool);
    let rows: &[Row<'_>] = &[
        (&[], "gcc -c a.c", false),
        (&[], "gcc --version", true),
        (&[], "gcc -v", true),
        (&[], "gcc -print-file-name=x", true),
        (&[], "gcc -v -c a.c", false),
        (&[], "gcc", false),
        (&[("CACHEPOT_DISABLE", "1")], "gcc -c a.c", true),
        (&[("CACHEPOT_DISABLE", "0")], "gcc -c a.c", false),
        (&[("CACHEPOT_DISABLE", "")], "gcc -c a.c", false),
        (&[("CACHEPOT_DEPTH", "1")], "gcc -c a.c", true),
        (&[("CACHEPOT_DEPTH", "x")], "gcc -c a.c", false),
    ];
    for (env, line, expected) in rows {
        assert_eq!(is_bypass(env, line), *expected, "{env:?} {line}");
    }
}

/// Trap T119: links to ourselves are left out; a link to anything else is the compiler.
#[test]
fn compilers_are_found_beyond_ourselves() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["a", "b", "c"] {
        std::fs::create_dir(path(name)).unwrap();
    }
    symlink("/proc/self/exe", path("a/gcc")).unwrap();
    std::fs::write(path("b/gcc"), "").unwrap();
    std::fs::write(path("c/gcc"), "").unwrap();
    std::fs::set_permissions(path("c/gcc"), PermissionsExt::from_mode(0o755)).unwrap();
    let search = |folders: &[&str]| std::env::join_paths(folders.iter().map(|name| path(name))).unwrap();
    let all = search(&["a", "b", "absent", "c"]);
    let found = |name: &OsStr, path: &OsString| match find(name, Some(path)) {
        Found::Program { path, .. } => path,
        Found::Nothing => "nothing".into(),
        Found::OnlyOurselves => "ourselves".into(),
    };
    assert_eq!(found("gcc".as_ref(), &all), path("c/gcc"));
    assert_eq!(found(path("a/gcc").as_ref(), &all), path("c/gcc"));
    assert_eq!(found(path("c/gcc").as_ref(), &all), path("c/gcc"));
    assert_eq!(found("gcc".as_ref(), &search(&["a"])), path("ourselves").file_name().unwrap());
    assert_eq!(found("gcc".as_ref(), &search(&["b"])), path("nothing").file_name().unwrap());
}
