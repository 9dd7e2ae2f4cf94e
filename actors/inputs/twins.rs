//! Files with the content of an input: compilers read only one of two such files when they hold `#pragma once`, and go by their age as well.
use super::files::{Identity, Stamp};
use cachepot_engine::digest::Digest;
use cachepot_engine::manifest::Input;
use foldhash::{HashMap, HashMapExt};

/// The inputs, by index, that have another file as a twin of the same age: compilers compare that as well.
pub(super) fn twins_of_one_age(all: &[(Input, Stamp)], n_read: usize) -> Vec<u32> {
    let (read, twins) = all.split_at(n_read.min(all.len()));
    if twins.is_empty() {
        return Vec::new();
    }
    let (of_twins, of_all) = (Likes::of(twins), Likes::of(all));
    let pairs = read.iter().map(|one| of_twins.hold_another(one));
    let pairs = pairs.chain(twins.iter().map(|one| of_all.hold_another(one)));
    (0..).zip(pairs).filter(|(_, is_pair)| *is_pair).map(|(index, _)| index).collect()
}

/// Files by content and age, in whole seconds: one of each, and whether there is a second.
struct Likes(HashMap<(Digest, i64), (Identity, bool)>);

impl Likes {
    fn of(files: &[(Input, Stamp)]) -> Self {
        let mut likes = HashMap::with_capacity(files.len());
        for (input, stamp) in files {
            let (first, has_second) =
                likes.entry((input.digest, stamp.modified.0)).or_insert((stamp.identity(), false));
            *has_second |= *first != stamp.identity();
        }
        Likes(likes)
    }

    fn hold_another(&self, (input, stamp): &(Input, Stamp)) -> bool {
        let like = self.0.get(&(input.digest, stamp.modified.0));
        like.is_some_and(|(first, has_second)| *has_second || *first != stamp.identity())
    }
}
