//! The project of the C family: its folders, sources and headers.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::content::{self, HEADERS};
use crate::model::{Model, SCRIPT};
use crate::random::Random;

/// Folders of a checkout that hold headers. `inc0`, `gone` and `sub/near` do not exist at first.
pub(crate) const HEADER_FOLDERS: &[&str] = &[
    "", "sub", "other", "inc0", "inc1", "inc2", "inc3", "quote", "sysinc", "idir", "cpath", "gone",
    "sub/near",
];

/// Folders that edits may replace as a whole.
pub(crate) const WHOLE_FOLDERS: &[&str] =
    &["sub", "other", "inc1", "inc2", "inc3", "quote", "sysinc", "idir", "cpath"];

/// Sources of a checkout; `sub/x.c` and `other/x.c` begin with the same text.
pub(crate) const SOURCES: &[&str] =
    &["main.c", "sub/x.c", "other/x.c", "sub/y.cpp", "z.cpp", "asm/plain.s", "asm/pre.S", "ready.i"];

/// Writes a new pair of checkouts below `base`, in place of what is there.
pub(crate) fn create(base: &Path, random: &mut Random) -> io::Result<Model> {
    let model = Model::new(base, content::fresh)?;
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let twin = content::fresh("x.c", random);
    for source in SOURCES {
        let text = if source.ends_with("/x.c") { twin.clone() } else { content::fresh(source, random) };
        files.push(((*source).to_owned(), text));
    }
    for header in HEADERS.iter().filter(|name| **name != "opt.h") {
        for _ in 0..2 {
            let folder = *random.pick(&["sub", "other", "inc1", "inc2", "inc3", "quote", "sysinc", "idir"]);
            files.push((format!("{folder}/{header}"), content::fresh(header, random)));
        }
        files.push((format!("inc3/{header}"), content::fresh(header, random)));
    }
    for name in [SCRIPT, "args.rsp", "asm/blob.bin", "cpath/c.h", "force.h"] {
        files.push((name.to_owned(), content::fresh(name, random)));
    }
    for checkout in 0..2 {
        let root = model.root_of(checkout);
        for folder in WHOLE_FOLDERS.iter().chain(&["tool", "asm", "out/deep"]) {
            fs::create_dir_all(root.join(folder))?;
        }
        symlink("inc2", root.join("link"))?;
    }
    let differ = random.chance(50);
    model.fill(&files, differ, random)?;
    Ok(model)
}

/// True where some file of either checkout uses a time macro.
pub(crate) fn reads_clock(model: &Model) -> bool {
    (0..2).any(|checkout| {
        let root = model.root_of(checkout);
        model.files(checkout).iter().any(|name| {
            let text = fs::read(root.join(name)).unwrap_or_default();
            text.windows(6).any(|part| part == b"__TIME" || part == b"__DATE")
        })
    })
}
