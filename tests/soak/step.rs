//! The edits of the C family's project.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::content::{self, HEADERS};
use crate::edits::{self, Edit, shown};
use crate::layout;
use crate::model::{self, Model, SCRIPT};
use crate::project::HEADER_FOLDERS;
use crate::random::Random;

/// Weight, name and code of each edit. The second argument of the code is the checkout to edit.
pub(crate) const EDITS: &[(usize, &str, Edit)] = &[
    (14, "change with the same size", edits::change_same_size),
    (5, "change with the same size and the old mtime", edits::change_keep_mtime),
    (8, "change to new content", edits::change_content),
    (6, "touch", edits::touch),
    (3, "rewrite the same bytes", edits::rewrite),
    (14, "revert", edits::revert),
    (8, "revert with the old mtime", edits::revert_with_mtime),
    (5, "write twice in one tick", edits::write_twice),
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
    (3, "copy a file from the other checkout with its mtime", edits::copy_across),
    (7, "change the environment", change_environment),
    (2, "change PWD", edits::change_pwd),
    (5, "go to the other checkout", edits::change_checkout),
    (2, "change the umask", edits::change_umask),
];

/// A random header that is a regular file.
pub(crate) fn some_header(model: &Model, checkout: usize, random: &mut Random) -> io::Result<PathBuf> {
    let files: Vec<String> = model.files(checkout).into_iter().filter(|path| path.ends_with(".h")).collect();
    if files.is_empty() {
        return Err(io::Error::other("no header"));
    }
    Ok(model.root_of(checkout).join(random.pick(&files)))
}

fn add_header(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let path = model.root_of(checkout).join(random.pick(HEADER_FOLDERS)).join(random.pick(HEADERS));
    let bytes = content::fresh(&path.to_string_lossy(), random);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    edits::write(model, &path, &bytes, random)?;
    Ok(shown(model, &path))
}

fn delete_header(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let path = some_header(model, checkout, random)?;
    model.remember(&path);
    fs::remove_file(&path)?;
    Ok(shown(model, &path))
}

fn edit_wrapper(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let path = model.root_of(checkout).join(SCRIPT);
    let (bytes, written) = (edits::changed(&path, random)?, model::modified(&path)?);
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
    edits::write(model, &path, &bytes, random)?;
    Ok(shown(model, &path))
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
