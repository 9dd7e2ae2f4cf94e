//! Edits of the layout: names, links and folders change, contents do not.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::content::{self, HEADERS};
use crate::edits::{shown, some_file};
use crate::model::{Model, SCRIPT};
use crate::project::{HEADER_FOLDERS, WHOLE_FOLDERS};
use crate::random::Random;
use crate::step::some_header;

/// Swaps two headers by rename; their old mtimes move with them.
pub(crate) fn swap_files(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (one, other) = (some_header(model, checkout, random)?, some_header(model, checkout, random)?);
    swap(model, &one, &other)
}

fn swap(model: &Model, one: &Path, other: &Path) -> io::Result<String> {
    if one == other {
        return Err(io::Error::other("the same"));
    }
    let aside = model.base.join("aside");
    fs::rename(one, &aside)?;
    fs::rename(other, one)?;
    fs::rename(&aside, other)?;
    Ok(format!("{} and {}", shown(model, one), shown(model, other)))
}

/// Moves a file aside and links to it, or links to some header instead.
pub(crate) fn file_to_link(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (path, shown) = some_file(model, checkout, random);
    if path.ends_with(SCRIPT) {
        return Err(io::Error::other("the wrapper stays"));
    }
    let target = if random.chance(50) {
        let moved = path.with_extension("real");
        fs::rename(&path, &moved)?;
        moved
    } else {
        fs::remove_file(&path)?;
        some_header(model, checkout, random)?
    };
    symlink(&target, &path)?;
    Ok(format!("{shown} to {}", target.display()))
}

/// Puts an empty folder where a header was.
pub(crate) fn header_to_folder(
    model: &mut Model,
    checkout: usize,
    random: &mut Random,
) -> io::Result<String> {
    let path = some_header(model, checkout, random)?;
    model.remember(&path);
    fs::remove_file(&path)?;
    fs::create_dir(&path)?;
    Ok(shown(model, &path))
}

/// Makes one header a second name of another.
pub(crate) fn hard_link(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (path, from) = (some_header(model, checkout, random)?, some_header(model, checkout, random)?);
    if path == from {
        return Err(io::Error::other("the same"));
    }
    model.remember(&path);
    fs::remove_file(&path)?;
    fs::hard_link(&from, &path)?;
    Ok(format!("{} to {}", shown(model, &path), shown(model, &from)))
}

/// Moves a folder aside and links to another tree, or undoes that.
pub(crate) fn folder_to_link(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let name = *random.pick(WHOLE_FOLDERS);
    let path = model.root_of(checkout).join(name);
    let kept = model.root_of(checkout).join(format!("{name}.kept"));
    if kept.exists() {
        fs::remove_file(&path)?;
        fs::rename(&kept, &path)?;
        return Ok(format!("{} is a folder again", shown(model, &path)));
    }
    let target = match random.below(3) {
        0 => model.root_of(1 - checkout).join(name),
        1 => PathBuf::from(format!("{name}.kept")),
        _ => PathBuf::from(if name == "sub" { "other" } else { "sub" }),
    };
    fs::rename(&path, &kept)?;
    symlink(&target, &path)?;
    if !path.exists() {
        fs::remove_file(&path)?;
        fs::rename(&kept, &path)?;
        return Err(io::Error::other("would lead nowhere"));
    }
    Ok(format!("{} to {}", shown(model, &path), target.display()))
}

/// Points the linked folder elsewhere, also to nothing and to a file.
pub(crate) fn retarget(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let path = model.root_of(checkout).join("link");
    let target = *random.pick(&["inc1", "inc2", "inc3", "sub", "nowhere", "args.rsp", "../copy/inc2"]);
    fs::remove_file(&path)?;
    symlink(target, &path)?;
    Ok(format!("{} to {target}", shown(model, &path)))
}

/// Swaps two folders by rename.
pub(crate) fn swap_folders(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let root = model.root_of(checkout);
    let (one, other) = (root.join(random.pick(WHOLE_FOLDERS)), root.join(random.pick(WHOLE_FOLDERS)));
    if one.is_symlink() || other.is_symlink() {
        return Err(io::Error::other("a link"));
    }
    swap(model, &one, &other)
}

/// Makes a folder that an option named in vain.
pub(crate) fn folder_appears(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let path = model.root_of(checkout).join(random.pick(&["inc0", "gone"]));
    fs::create_dir(&path)?;
    let header = path.join(random.pick(HEADERS));
    fs::write(&header, content::fresh(&header.to_string_lossy(), random))?;
    Ok(shown(model, &header))
}

/// Removes such a folder, or a folder that took the place of a header.
pub(crate) fn folder_vanishes(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let root = model.root_of(checkout);
    for name in ["inc0", "gone", "sub/near"] {
        let path = root.join(name);
        if path.is_dir() && random.chance(60) {
            fs::remove_dir_all(&path)?;
            return Ok(shown(model, &path));
        }
    }
    // Headers that were made folders come back as absent.
    for folder in HEADER_FOLDERS {
        for header in HEADERS {
            let path = root.join(folder).join(header);
            if path.is_dir() && fs::remove_dir(&path).is_ok() {
                return Ok(shown(model, &path));
            }
        }
    }
    Err(io::Error::other("none"))
}

/// Creates or deletes the file that `__has_include` asks for.
pub(crate) fn toggle_optional(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let path = model.root_of(checkout).join(random.pick(HEADER_FOLDERS)).join("opt.h");
    if path.is_file() {
        fs::remove_file(&path)?;
        return Ok(format!("{} deleted", shown(model, &path)));
    }
    fs::write(&path, content::fresh("opt.h", random))?;
    Ok(format!("{} created", shown(model, &path)))
}

/// Renames a header, over another one or into another folder.
pub(crate) fn rename_header(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let from = some_header(model, checkout, random)?;
    let to = model.root_of(checkout).join(random.pick(HEADER_FOLDERS)).join(random.pick(HEADERS));
    model.remember(&to);
    fs::rename(&from, &to)?;
    Ok(format!("{} to {}", shown(model, &from), shown(model, &to)))
}
