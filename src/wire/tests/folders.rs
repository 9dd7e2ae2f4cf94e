//! Folders: there and back, damaged, and leading elsewhere.
use crate::folder::*;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

fn file(path: &str) -> Item {
    item(path, Kind::File { mode: Mode::New, modified: None, content: b"c".to_vec() })
}

fn item(path: &str, kind: Kind) -> Item {
    Item { path: path.into(), kind }
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::New), Just(Mode::NewProgram), any::<u32>().prop_map(Mode::Exactly)]
}

/// Folders whose names are in each other's way in the order of bytes.
fn items() -> impl Strategy<Value = Vec<Item>> {
    let leaf = prop_oneof![
        (mode(), option::of((any::<u64>(), any::<u32>())), vec(any::<u8>(), 0..20))
            .prop_map(|(mode, modified, content)| Kind::File { mode, modified, content }),
        vec(any::<u8>(), 0..20).prop_map(|text| Kind::Link(OsString::from_vec(text))),
    ];
    let name = || "[-.a]{1,3}".prop_filter("a name", |name| name != "." && name != "..");
    (btree_map(name(), mode(), 0..4), btree_map((0..4_usize, name()), leaf, 0..6)).prop_map(
        |(folders, leaves)| {
            let mut items: Vec<_> =
                folders.iter().map(|(name, mode)| item(name, Kind::Folder(*mode))).collect();
            for ((at, name), kind) in leaves {
                let path =
                    folders.keys().nth(at).map_or(format!("b{name}"), |folder| format!("{folder}/{name}"));
                items.push(item(&path, kind));
            }
            items.sort_by(|one, other| bytes_of(&one.path).cmp(bytes_of(&other.path)));
            items.dedup_by(|one, other| one.path == other.path);
            items
        },
    )
}

proptest! {
    #[test]
    fn folders_come_back_as_they_went(items in items()) {
        prop_assert_eq!(decode(&encode(&items)).unwrap(), items);
    }

    /// Cut at an item's end it is a smaller folder: that nothing is missing is for the digest to say.
    #[test]
    fn cut_folders_have_less_or_are_refused(items in items()) {
        let bytes = encode(&items);
        for length in 0..bytes.len() {
            if let Ok(fewer) = decode(&bytes[..length]) {
                prop_assert!(items.starts_with(&fewer) && fewer.len() < items.len());
            }
        }
    }

    #[test]
    fn any_bytes_are_taken_or_refused(rest in vec(0..4_u8, 0..60)) {
        let bytes = [b"cachepot folder 1\n".as_slice(), &rest].concat();
        if let Ok(items) = decode(&bytes) {
            prop_assert_eq!(encode(&items), bytes);
        }
    }
}

#[test]
fn nothing_leads_out_of_a_folder() {
    let folder = |path| item(path, Kind::Folder(Mode::New));
    let link = |path, to: &str| item(path, Kind::Link(to.into()));
    let rows = [
        (vec![folder("a"), file("a/b")], true),
        (vec![folder("a"), file("a-b"), file("a/b")], true),
        (vec![link("a", "/etc")], true),
        (vec![link("a", "/etc"), file("a/passwd")], false),
        (vec![file("a"), file("a/b")], false),
        (vec![file("a/b")], false),
        (vec![file("/etc/passwd")], false),
        (vec![file("../a")], false),
        (vec![folder("a"), file("a/../b")], false),
        (vec![folder("a"), file("a/./b")], false),
        (vec![folder("a"), file("a//b")], false),
        (vec![folder("a/")], false),
        (vec![file(".")], false),
        (vec![file("")], false),
        (vec![file("a\0")], false),
        (vec![file("a"), file("a")], false),
        (vec![file("b"), file("a")], false),
    ];
    for (items, is_good) in rows {
        assert_eq!(decode(&encode(&items)).is_ok(), is_good, "{items:?}");
    }
}
