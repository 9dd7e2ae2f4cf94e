//! The edits: one random change of the model tree or of what surrounds a compile.
//!
//! An edit that does not apply to the present tree (nothing to delete, a parent that is a file)
//! changes nothing; it is still a step. Each edit answers with a line for the history.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::content::{self, HEADERS};
use crate::layout;
use crate::model::{self, HEADER_FOLDERS, Model, Pwd};
use crate::random::Random;

type Edit = fn(&mut Model, usize, &mut Random) -> io::Result<String>;

/// Weight, name and code of each edit. The second argument of the code is the checkout to edit.
const EDITS: &[(usize, &str, Edit)] = &[
    (14, "change with the same size", change_same_size),
    (5, "change with the same size and the old mtime", change_keep_mtime),
    (8, "change to new content", change_content),
    (6, "touch", touch),
    (3, "rewrite the same bytes", rewrite),
    (14, "revert", revert),
    (8, "revert with the old mtime", revert_with_mtime),
    (5, "write twice in one tick", write_twice),
    (10, "add a header", add_header),
    (4, "delete a header", delete_header),
    (3, "rename a header", layout::rename_header),
    (6, "swap two files by rename", layout::swap_files),
    (3, "replace a file by a link to its content", layout::file_to_link),
    (2, "replace a header by a folder", layout::header_to_folder),
    (3, "replace a file by a hard link", layout::hard_link),
    (4, "replace a folder by a link, or undo it", layout::folder_to_link),
    (4, "retarget the linked folder", layout::retarget),
    (2, "swap two folders by rename", layout::swap_folders),
    (4, "make a missing folder appear with a header", layout::folder_appears),
    (4, "make a folder vanish", layout::folder_vanishes),
    (4, "toggle a header that __has_include looks for", layout::toggle_optional),
    (4, "edit the wrapper script, same size and old mtime", edit_wrapper),
    (3, "edit the response file", edit_response_file),
    (2, "edit the file of .incbin", edit_blob),
    (3, "copy a file from the other checkout with its mtime", copy_across),
    (7, "change the environment", change_environment),
    (2, "change PWD", change_pwd),
    (5, "go to the other checkout", change_checkout),
    (2, "change the umask", change_umask),
];

/// Makes one random edit and says what it was.
pub(crate) fn edit(model: &mut Model, random: &mut Random) -> String {
    let total = EDITS.iter().map(|(weight, ..)| weight).sum();
    let mut at = random.below(total);
    let mut chosen = &EDITS[0];
    for row in EDITS {
        chosen = row;
        if at < row.0 {
            break;
        }
        at -= row.0;
    }
    let checkout = if random.chance(85) { model.checkout } else { 1 - model.checkout };
    match chosen.2(model, checkout, random) {
        Ok(detail) => format!("{}: {detail}", chosen.1),
        Err(error) => format!("{}: does not apply ({error})", chosen.1),
    }
}

/// A random file of the project (not an output), with its path relative to the base folder.
pub(crate) fn some_file(model: &Model, checkout: usize, random: &mut Random) -> (PathBuf, String) {
    let files = model.files(checkout);
    let headers: Vec<&String> = files.iter().filter(|path| path.ends_with(".h")).collect();
    let name = if random.chance(65) && !headers.is_empty() {
        (*random.pick(&headers)).clone()
    } else {
        random.pick(&files).clone()
    };
    let path = model.root_of(checkout).join(&name);
    let shown = shown(model, &path);
    (path, shown)
}

/// A random header that is a regular file.
pub(crate) fn some_header(model: &Model, checkout: usize, random: &mut Random) -> io::Result<PathBuf> {
    let files: Vec<String> = model.files(checkout).into_iter().filter(|path| path.ends_with(".h")).collect();
    if files.is_empty() {
        return Err(io::Error::other("no header"));
    }
    Ok(model.root_of(checkout).join(random.pick(&files)))
}

/// The path of a file as the history shows it.
pub(crate) fn shown(model: &Model, path: &Path) -> String {
    path.strip_prefix(&model.base).unwrap_or(path).display().to_string()
}

fn write(model: &mut Model, path: &Path, bytes: &[u8], random: &mut Random) -> io::Result<()> {
    if random.chance(60) { model.write_in_place(path, bytes) } else { model.write_by_rename(path, bytes) }
}

fn changed(path: &Path, random: &mut Random) -> io::Result<Vec<u8>> {
    content::same_size(&fs::read(path)?, random).ok_or_else(|| io::Error::other("no number"))
}

fn change_same_size(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (path, shown) = some_file(model, checkout, random);
    let bytes = changed(&path, random)?;
    write(model, &path, &bytes, random)?;
    Ok(shown)
}

fn change_keep_mtime(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (path, shown) = some_file(model, checkout, random);
    let (bytes, written) = (changed(&path, random)?, model::modified(&path)?);
    write(model, &path, &bytes, random)?;
    model::set_modified(&path, written)?;
    Ok(shown)
}

fn change_content(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (path, shown) = some_file(model, checkout, random);
    let bytes = content::fresh(&shown, random);
    write(model, &path, &bytes, random)?;
    Ok(shown)
}

fn touch(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (path, shown) = some_file(model, checkout, random);
    model::set_modified(&path, SystemTime::now())?;
    Ok(shown)
}

fn rewrite(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (path, shown) = some_file(model, checkout, random);
    let bytes = fs::read(&path)?;
    write(model, &path, &bytes, random)?;
    Ok(shown)
}

fn revert(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (path, shown, (bytes, _)) = earlier_state(model, checkout, random)?;
    write(model, &path, &bytes, random)?;
    Ok(shown)
}

fn revert_with_mtime(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (path, shown, (bytes, written)) = earlier_state(model, checkout, random)?;
    write(model, &path, &bytes, random)?;
    model::set_modified(&path, written)?;
    Ok(shown)
}

type State = (Vec<u8>, SystemTime);

fn earlier_state(
    model: &Model,
    checkout: usize,
    random: &mut Random,
) -> io::Result<(PathBuf, String, State)> {
    let known = model.remembered(checkout);
    if known.is_empty() {
        return Err(io::Error::other("no earlier state"));
    }
    let path = random.pick(&known).clone();
    let state = random.pick(model.earlier(&path)).clone();
    let shown = shown(model, &path);
    Ok((path, shown, state))
}

fn write_twice(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (path, shown) = some_file(model, checkout, random);
    let old = fs::read(&path)?;
    let new = changed(&path, random)?;
    model.write_in_place(&path, &old)?;
    model.write_in_place(&path, &new)?;
    Ok(shown)
}

fn add_header(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let path = model.root_of(checkout).join(random.pick(HEADER_FOLDERS)).join(random.pick(HEADERS));
    let bytes = content::fresh(&path.to_string_lossy(), random);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    write(model, &path, &bytes, random)?;
    Ok(shown(model, &path))
}

fn delete_header(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let path = some_header(model, checkout, random)?;
    model.remember(&path);
    fs::remove_file(&path)?;
    Ok(shown(model, &path))
}

fn edit_wrapper(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let path = model.root_of(checkout).join("tool/cc");
    let (bytes, written) = (changed(&path, random)?, model::modified(&path)?);
    model.write_in_place(&path, &bytes)?;
    model::set_modified(&path, written)?;
    Ok(shown(model, &path))
}

fn edit_response_file(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    replace_content(model, checkout, "args.rsp", random)
}

fn edit_blob(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    replace_content(model, checkout, "asm/blob.bin", random)
}

fn replace_content(
    model: &mut Model,
    checkout: usize,
    name: &str,
    random: &mut Random,
) -> io::Result<String> {
    let path = model.root_of(checkout).join(name);
    let bytes = content::fresh(name, random);
    write(model, &path, &bytes, random)?;
    Ok(shown(model, &path))
}

fn copy_across(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (from, _) = some_file(model, 1 - checkout, random);
    let name = from.strip_prefix(model.root_of(1 - checkout)).map_err(io::Error::other)?;
    let to = model.root_of(checkout).join(name);
    let written = model::modified(&from)?;
    let bytes = fs::read(&from)?;
    write(model, &to, &bytes, random)?;
    model::set_modified(&to, written)?;
    Ok(shown(model, &to))
}

fn change_environment(model: &mut Model, _: usize, random: &mut Random) -> io::Result<String> {
    // It makes every compile write one more file, which few caches store: not for long.
    if model.env.remove("DEPENDENCIES_OUTPUT").is_some() {
        return Ok("DEPENDENCIES_OUTPUT unset".to_owned());
    }
    let root = model.root().to_string_lossy().into_owned();
    let (name, values): (&str, &[&str]) = *random.pick(&[
        ("CPATH", &["cpath", "inc0:cpath", "{root}/cpath", ":inc1", "link"] as &[&str]),
        ("C_INCLUDE_PATH", &["cpath", "gone", "{root}/inc2"]),
        ("CPLUS_INCLUDE_PATH", &["cpath", "{root}/inc2"]),
        ("SOURCE_DATE_EPOCH", &["1000000000", "1100000000"]),
        ("LANG", &["C", "C.UTF-8", "de_DE.UTF-8"]),
        ("LC_ALL", &["C", "C.UTF-8"]),
        ("TZ", &["UTC", "Asia/Tokyo"]),
        ("GCC_COLORS", &["error=01;31", ""]),
        ("DEPENDENCIES_OUTPUT", &["out/extra.d", "out/extra.d name"]),
        ("UNRELATED", &["10", "11"]),
    ]);
    if model.env.remove(name).is_some() {
        return Ok(format!("{name} unset"));
    }
    let value = random.pick(values).replace("{root}", &root);
    model.env.insert(name.to_owned(), value.clone());
    Ok(format!("{name}={value}"))
}

fn change_pwd(model: &mut Model, _: usize, random: &mut Random) -> io::Result<String> {
    model.pwd = *random.pick(&[Pwd::Real, Pwd::Real, Pwd::Link, Pwd::Unset, Pwd::Lie]);
    Ok(format!("{:?}", model.pwd))
}

fn change_checkout(model: &mut Model, _: usize, _: &mut Random) -> io::Result<String> {
    model.checkout = 1 - model.checkout;
    Ok(shown(model, &model.root()))
}

fn change_umask(model: &mut Model, _: usize, random: &mut Random) -> io::Result<String> {
    model.umask = *random.pick(&[None, Some("077"), Some("002"), Some("027")]);
    Ok(format!("{:?}", model.umask))
}
