//! The edits of the crates' sources and of what is hidden from rustc.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::content;
use crate::edits::{self, Edit, shown, some_file};
use crate::model::{Model, SCRIPT};
use crate::project;
use crate::random::Random;

/// Weight, name and code of each edit.
pub(crate) const EDITS: &[(usize, &str, Edit)] = &[
    (14, "change with the same size", edits::change_same_size),
    (5, "change with the same size and the old mtime", edits::change_keep_mtime),
    (12, "change to new content", edits::change_content),
    (5, "touch", edits::touch),
    (3, "rewrite the same bytes", edits::rewrite),
    (14, "revert", edits::revert),
    (8, "revert with the old mtime", edits::revert_with_mtime),
    (4, "write twice in one tick", edits::write_twice),
    (3, "copy a file from the other checkout with its mtime", edits::copy_across),
    (4, "go to the other checkout", edits::change_checkout),
    (2, "change PWD", edits::change_pwd),
    (2, "change the umask", edits::change_umask),
    (16, "change the environment", change_environment),
    (5, "move the module between its two places", move_module),
    (3, "a second file of the module comes or goes", second_module),
    (20, "a file that somebody looks for comes or goes", toggle),
    (6, "delete a file, or bring it back", delete),
    (4, "swap two files by rename", swap),
    (4, "replace a file by a link to its content", file_to_link),
    (3, "the linker's script comes or goes", toggle_script),
    (4, "a crate comes or goes in an earlier folder", toggle_early),
    (2, "a stray file comes or goes beside the crates", toggle_stray),
    (2, "a folder changes to a link to it, or back", folder_to_link),
];

/// Files that are not there at first and that a macro, rustc or the linker asks for.
const OPTIONAL: &[&str] = &[
    "data/opt.txt",
    "data/opt.txt",
    "data/list/c",
    "data/list/d",
    "first/libtwo.a",
    "first/libtwo.a",
    "early/x",
];

fn change_environment(model: &mut Model, _: usize, random: &mut Random) -> io::Result<String> {
    let root = model.root().to_string_lossy().into_owned();
    let (name, values): (&str, &[&str]) = *random.pick(&[
        ("HIDDEN", &["10", "11", ""] as &[&str]),
        ("HIDDEN", &["10", "11", ""]),
        ("LEAF_OPTION", &["10", "11", ""]),
        ("UNRELATED", &["10", "11"]),
        ("LANG", &["C", "C.UTF-8", "de_DE.UTF-8"]),
        ("SOURCE_DATE_EPOCH", &["1000000000", "1100000000"]),
        ("RUST_BACKTRACE", &["1", "full"]),
        ("LIBRARY_PATH", &["{root}/first", "{root}/second"]),
        ("LD_LIBRARY_PATH", &["{root}/first", "{root}/none"]),
        ("CARGO_MAKEFLAGS", &["-j4", "-j5"]),
        ("CARGO_PKG_AUTHORS", &["10", "11"]),
        ("RUSTC_BOOTSTRAP", &["1"]),
        ("COLLECT_GCC", &["10"]),
    ]);
    if model.env.remove(name).is_some() {
        return Ok(format!("{name} unset"));
    }
    let value = random.pick(values).replace("{root}", &root);
    model.env.insert(name.to_owned(), value.clone());
    Ok(format!("{name}={value}"))
}

fn module(model: &Model, checkout: usize) -> [PathBuf; 2] {
    let leaf = model.root_of(checkout).join("leaf");
    [leaf.join("part.rs"), leaf.join("part/mod.rs")]
}

fn move_module(model: &mut Model, checkout: usize, _: &mut Random) -> io::Result<String> {
    let [one, other] = module(model, checkout);
    let (from, to) = if one.exists() { (one, other) } else { (other, one) };
    fs::create_dir_all(to.parent().unwrap())?;
    fs::rename(&from, &to)?;
    Ok(shown(model, &to))
}

fn second_module(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let mut places = module(model, checkout);
    if random.chance(50) {
        places.swap(0, 1);
    }
    let [one, other] = places;
    fs::create_dir_all(other.parent().unwrap())?;
    if one.exists() && other.exists() {
        model.remember(&one);
        fs::remove_file(&one)?;
        return Ok(format!("{} deleted", shown(model, &one)));
    }
    let absent = if one.exists() { other } else { one };
    model.write_in_place(&absent, &content::fresh("part.rs", random))?;
    Ok(shown(model, &absent))
}

fn toggle(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let path = model.root_of(checkout).join(random.pick(OPTIONAL));
    toggle_with(model, path, random)
}

fn toggle_with(model: &mut Model, path: PathBuf, random: &mut Random) -> io::Result<String> {
    let name = shown(model, &path);
    if path.exists() {
        model.remember(&path);
        fs::remove_file(&path)?;
        return Ok(format!("{name} deleted"));
    }
    model.write_in_place(&path, &content::fresh(&name, random))?;
    Ok(name)
}

fn delete(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    // Where one is gone, few crates compile.
    let gone = model
        .remembered(checkout)
        .into_iter()
        .find(|path| !path.exists() && !OPTIONAL.iter().any(|name| path.ends_with(name)));
    if let Some((path, (bytes, _))) =
        gone.and_then(|path| Some((path.clone(), model.earlier(&path).last()?.clone())))
    {
        fs::create_dir_all(path.parent().unwrap())?;
        model.write_in_place(&path, &bytes)?;
        return Ok(format!("{} is back", shown(model, &path)));
    }
    let (path, shown) = some_file(model, checkout, random);
    if path.ends_with(SCRIPT) {
        return Err(io::Error::other("the script has an edit of its own"));
    }
    model.remember(&path);
    fs::remove_file(&path)?;
    Ok(shown)
}

/// Files of one kind, so that most still compile; their old mtimes move with them.
fn swap(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let ((one, shown), (other, others)) =
        (some_file(model, checkout, random), some_file(model, checkout, random));
    if one == other || one.file_name() != other.file_name() && random.chance(80) || one.ends_with(SCRIPT) {
        return Err(io::Error::other("no pair"));
    }
    let aside = model.base.join("aside");
    fs::rename(&one, &aside)?;
    fs::rename(&other, &one)?;
    fs::rename(&aside, &other)?;
    Ok(format!("{shown} and {others}"))
}

fn file_to_link(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (path, shown) = some_file(model, checkout, random);
    if path.ends_with(SCRIPT) {
        return Err(io::Error::other("the script stays"));
    }
    let moved = path.with_extension("real");
    fs::rename(&path, &moved)?;
    symlink(&moved, &path)?;
    Ok(shown)
}

fn toggle_script(model: &mut Model, checkout: usize, _: &mut Random) -> io::Result<String> {
    let path = model.root_of(checkout).join(SCRIPT);
    let aside = path.with_extension("off");
    let (from, to) = if path.exists() { (path, aside) } else { (aside, path) };
    fs::rename(&from, &to)?;
    Ok(shown(model, &to))
}

/// One that was made before, perhaps from other sources.
fn toggle_early(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let early = model.root_of(checkout).join("early");
    for entry in fs::read_dir(&early)?.flatten() {
        if random.chance(60) {
            fs::remove_file(entry.path())?;
            return Ok(format!("{} deleted", shown(model, &entry.path())));
        }
    }
    let from = some_crate(model, checkout, random)?;
    let to = early.join(from.file_name().unwrap_or_default());
    fs::copy(&from, &to)?;
    Ok(shown(model, &to))
}

fn some_crate(model: &Model, checkout: usize, random: &mut Random) -> io::Result<PathBuf> {
    let entries = fs::read_dir(project::out(model, checkout))?.flatten().map(|entry| entry.path());
    let is_crate =
        |path: &PathBuf| path.extension().is_some_and(|end| end == "rlib" || end == "rmeta" || end == "so");
    let mut crates: Vec<_> = entries.filter(is_crate).collect();
    crates.sort();
    if crates.is_empty() { Err(io::Error::other("none")) } else { Ok(random.pick(&crates).clone()) }
}

fn toggle_stray(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let name = random.pick(&["libleaf-9z.rmeta", "libleaf-9z.rlib", "libother-0f.rlib", "libtwo.a", "leaf"]);
    let path = project::out(model, checkout).join(name);
    toggle_with(model, path, random)
}

fn folder_to_link(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let path = model.root_of(checkout).join(random.pick(&["data", "leaf", "second"]));
    let kept = path.with_extension("kept");
    if path.is_symlink() {
        fs::remove_file(&path)?;
        fs::rename(&kept, &path)?;
    } else {
        fs::rename(&path, &kept)?;
        symlink(&kept, &path)?;
    }
    Ok(shown(model, &path))
}
