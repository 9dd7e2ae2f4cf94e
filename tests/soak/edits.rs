//! Edits that suit every project: contents and their times, and where and how commands run.
//!
//! An edit that does not apply to the present tree (nothing to delete, a parent that is a file)
//! changes nothing; it is still a step. Each edit answers with a line for the history.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::model::{self, Model, Pwd, SCRIPT};
use crate::random::Random;

/// The second argument is the checkout to edit.
pub(crate) type Edit = fn(&mut Model, usize, &mut Random) -> io::Result<String>;

/// Makes one edit of the table, which has a weight and a name for each, and says what it was.
pub(crate) fn edit(table: &[(usize, &str, Edit)], model: &mut Model, random: &mut Random) -> String {
    let total = table.iter().map(|(weight, ..)| weight).sum();
    let mut at = random.below(total);
    let mut chosen = &table[0];
    for row in table {
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
    let usual: Vec<&String> =
        files.iter().filter(|path| [".h", ".rs"].iter().any(|end| path.ends_with(end))).collect();
    let name = if random.chance(65) && !usual.is_empty() {
        (*random.pick(&usual)).clone()
    } else {
        random.pick(&files).clone()
    };
    let path = model.root_of(checkout).join(&name);
    let shown = shown(model, &path);
    (path, shown)
}

/// The path of a file as the history shows it.
pub(crate) fn shown(model: &Model, path: &Path) -> String {
    path.strip_prefix(&model.base).unwrap_or(path).display().to_string()
}

/// Writes into the file, or a new one over it.
pub(crate) fn write(model: &mut Model, path: &Path, bytes: &[u8], random: &mut Random) -> io::Result<()> {
    if random.chance(60) { model.write_in_place(path, bytes) } else { model.write_by_rename(path, bytes) }
}

/// The file with one digit changed.
pub(crate) fn changed(path: &Path, random: &mut Random) -> io::Result<Vec<u8>> {
    model::same_size(&fs::read(path)?, random).ok_or_else(|| io::Error::other("no number"))
}

pub(crate) fn change_same_size(
    model: &mut Model,
    checkout: usize,
    random: &mut Random,
) -> io::Result<String> {
    let (path, shown) = some_file(model, checkout, random);
    let bytes = changed(&path, random)?;
    write(model, &path, &bytes, random)?;
    Ok(shown)
}

pub(crate) fn change_keep_mtime(
    model: &mut Model,
    checkout: usize,
    random: &mut Random,
) -> io::Result<String> {
    let (path, shown) = some_file(model, checkout, random);
    let (bytes, written) = (changed(&path, random)?, model::modified(&path)?);
    write(model, &path, &bytes, random)?;
    model::set_modified(&path, written)?;
    Ok(shown)
}

pub(crate) fn change_content(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (path, shown) = some_file(model, checkout, random);
    let bytes = (model.fresh)(&shown, random);
    write(model, &path, &bytes, random)?;
    Ok(shown)
}

pub(crate) fn touch(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (path, shown) = some_file(model, checkout, random);
    model::set_modified(&path, SystemTime::now())?;
    Ok(shown)
}

pub(crate) fn rewrite(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (path, shown) = some_file(model, checkout, random);
    let bytes = fs::read(&path)?;
    write(model, &path, &bytes, random)?;
    Ok(shown)
}

pub(crate) fn revert(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (path, shown, (bytes, _)) = earlier_state(model, checkout, random)?;
    write(model, &path, &bytes, random)?;
    Ok(shown)
}

pub(crate) fn revert_with_mtime(
    model: &mut Model,
    checkout: usize,
    random: &mut Random,
) -> io::Result<String> {
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

pub(crate) fn write_twice(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (path, shown) = some_file(model, checkout, random);
    let old = fs::read(&path)?;
    let new = changed(&path, random)?;
    model.write_in_place(&path, &old)?;
    model.write_in_place(&path, &new)?;
    Ok(shown)
}

pub(crate) fn copy_across(model: &mut Model, checkout: usize, random: &mut Random) -> io::Result<String> {
    let (from, _) = some_file(model, 1 - checkout, random);
    let name = from.strip_prefix(model.root_of(1 - checkout)).map_err(io::Error::other)?;
    let to = model.root_of(checkout).join(name);
    let written = model::modified(&from)?;
    let bytes = fs::read(&from)?;
    write(model, &to, &bytes, random)?;
    model::set_modified(&to, written)?;
    Ok(shown(model, &to))
}

pub(crate) fn change_pwd(model: &mut Model, _: usize, random: &mut Random) -> io::Result<String> {
    model.pwd = *random.pick(&[Pwd::Real, Pwd::Real, Pwd::Link, Pwd::Unset, Pwd::Lie]);
    Ok(format!("{:?}", model.pwd))
}

pub(crate) fn change_checkout(model: &mut Model, _: usize, _: &mut Random) -> io::Result<String> {
    model.checkout = 1 - model.checkout;
    Ok(shown(model, &model.root()))
}

pub(crate) fn change_umask(model: &mut Model, _: usize, random: &mut Random) -> io::Result<String> {
    model.umask = *random.pick(&[None, Some("077"), Some("002"), Some("027")]);
    Ok(format!("{:?}", model.umask))
}

/// An edit while a compile runs, perhaps taken back.
pub(crate) struct Disturbance {
    path: PathBuf,
    old: Vec<u8>,
    new: Vec<u8>,
    written: SystemTime,
    delay: u64,
    back: bool,
    keep: bool,
    first_edit: bool,
}

impl Disturbance {
    /// Changes a digit of the file within `limit` microseconds; `None` where that cannot be.
    pub(crate) fn choose(path: PathBuf, limit: usize, random: &mut Random) -> Option<Self> {
        let old = fs::read(&path).ok()?;
        let new = model::same_size(&old, random)?;
        let written = model::modified(&path).ok()?;
        let (delay, back, keep) = (random.below(limit) as u64, random.chance(50), random.chance(50));
        let first_edit = random.chance(50);
        // A script that is written may be "busy" when it is started.
        let is_fit = !path.ends_with(SCRIPT);
        is_fit.then_some(Self { path, old, new, written, delay, back, keep, first_edit })
    }

    /// What is done before the compile: without it most would be hits, which end before the edit.
    pub(crate) fn prepare(&mut self) {
        if self.first_edit {
            self.old.push(b'\n');
            drop(fs::write(&self.path, &self.old));
        }
    }

    /// Makes the edit, beside the compile.
    pub(crate) fn happen(&self) {
        thread::sleep(Duration::from_micros(self.delay));
        drop(fs::write(&self.path, &self.new));
        if self.back {
            thread::sleep(Duration::from_micros(self.delay / 4));
            drop(fs::write(&self.path, &self.old));
        }
        if self.keep {
            drop(model::set_modified(&self.path, self.written));
        }
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "back: {}, old mtime: {}", self.back, self.keep)
    }
}
