//! A large result takes seconds to come from a remote cache. What is there of it is copied meanwhile, into files without
//! a name in the folders of the outputs, so that only names are left to give when the coordinator has verified all.
//! Such a file goes with its last descriptor, however this process ends. Absent on purpose: errors. What cannot be
//! prepared is placed later, as if nothing had been announced.
use crate::place::{fill, folder, kept_mode, new_file};
use cachepot_wire::{OutputBody, PlacedOutput};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Copies end at multiples of this before the end of a file: reflinks take whole blocks, and less is not worth a call.
const STEP_BYTES: u64 = 64 << 10;

/// From here on a copy takes longer than the system call that an unnamed file needs in addition.
const LARGE_BYTES: u64 = 1 << 20;

/// Outputs that are on their way.
#[derive(Default)]
pub(crate) struct Prepared {
    outputs: Vec<Announced>,
    /// As in [`fill`].
    buffer: Vec<u8>,
}

struct Announced {
    output: PlacedOutput,
    size: u64,
    /// `None` where there is nothing to go on with.
    begun: Option<Begun>,
}

/// The beginning of an output, in a file that has no name yet.
struct Begun {
    from: File,
    to: File,
    done: u64,
}

impl Prepared {
    /// Opens a file for each output, where that can be done; the descriptors are those of the growing files.
    pub(crate) fn new(outputs: Vec<PlacedOutput>, descriptors: Vec<OwnedFd>) -> Self {
        let open = |(output, from): (PlacedOutput, OwnedFd)| {
            let OutputBody::Descriptor(size) = output.body else { return None };
            let begun = open_unnamed(&output).ok().map(|to| Begun { from: from.into(), to, done: 0 });
            Some(Announced { output, size, begun })
        };
        Prepared {
            outputs: outputs.into_iter().zip(descriptors).filter_map(open).collect(),
            buffer: Vec::new(),
        }
    }

    /// Copies what is new, where so many bytes of all outputs in their order are there.
    pub(crate) fn grow(&mut self, bytes: u64) {
        let mut left = bytes;
        for announced in &mut self.outputs {
            let there = announced.size.min(left);
            left -= there;
            let is_whole = there == announced.size;
            let end = if is_whole { there } else { there - there % STEP_BYTES };
            announced.copy_up_to(end, &mut self.buffer);
        }
    }

    /// The file that holds this output whole and has no name yet; `None` where there is none, or it was not made from
    /// this descriptor's file.
    pub(crate) fn finish(&mut self, output: &PlacedOutput, from: &File) -> Option<File> {
        let is_it = |announced: &&mut Announced| announced.is_for(output);
        let announced = self.outputs.iter_mut().find(is_it)?;
        if !announced.begun.as_ref().is_some_and(|begun| is_same_file(&begun.from, from)) {
            return None;
        }
        announced.copy_up_to(announced.size, &mut self.buffer);
        announced.begun.take().map(|begun| begun.to)
    }
}

impl Announced {
    fn is_for(&self, output: &PlacedOutput) -> bool {
        let own = &self.output;
        own.path == output.path && own.executable == output.executable && own.body == output.body
    }

    fn copy_up_to(&mut self, end: u64, buffer: &mut Vec<u8>) {
        let Some(begun) = self.begun.as_mut().filter(|begun| begun.done < end) else { return };
        match fill(&begun.to, &begun.from, begun.done..end, buffer) {
            Ok(()) => begun.done = end,
            Err(_) => self.begun = None,
        }
    }
}

/// A whole output in a file without a name, where it is so large that this process may be ended meanwhile.
pub(crate) fn copied(output: &PlacedOutput, from: &File, size: u64, buffer: &mut Vec<u8>) -> Option<File> {
    let to = (size >= LARGE_BYTES).then(|| open_unnamed(output)).and_then(Result::ok)?;
    fill(&to, from, 0..size, buffer).ok().map(|()| to)
}

/// Opens a file without a name in the folder of the output (open(2), `O_TMPFILE`), if that is a place for one.
fn open_unnamed(output: &PlacedOutput) -> io::Result<File> {
    kept_mode(output)?;
    let folder = Some(folder(output)).filter(|folder| !folder.as_os_str().is_empty());
    new_file(output).custom_flags(libc::O_TMPFILE).open(folder.unwrap_or(Path::new(".")))
}

/// Both are open, so that neither number is that of another file meanwhile.
fn is_same_file(one: &File, other: &File) -> bool {
    let id = |file: &File| file.metadata().map(|metadata| (metadata.dev(), metadata.ino())).ok();
    id(one).is_some_and(|one| id(other) == Some(one))
}
