//! Marks for folders: in texts and in records.
use crate::bases::{Base, Bases};
use crate::digest::Digest;
use crate::manifest::surroundings::{Kind, Surroundings};
use crate::manifest::{Input, Record, SEARCHED};
use proptest::collection::vec;
use proptest::prelude::*;

fn bases(folders: &[(char, &str)]) -> Bases {
    Bases::new(folders.iter().map(|(letter, folder)| Base {
        letter: *letter as u8,
        folder: folder.as_bytes().to_vec(),
        instead: ".".to_owned(),
    }))
}

fn neutral(bases: &Bases, text: &str) -> String {
    String::from_utf8(bases.neutral(text.as_bytes()).replace_marks()).unwrap()
}

trait Readable {
    fn replace_marks(&self) -> Vec<u8>;
}

impl Readable for [u8] {
    /// `$` for the zero byte.
    fn replace_marks(&self) -> Vec<u8> {
        self.iter().map(|&byte| if byte == 0 { b'$' } else { byte }).collect()
    }
}

/// T89: whole components, the longest base, and no base that is everywhere or is not spelled out.
#[test]
fn t089_names_of_bases_are_found_as_whole_paths() {
    let here = bases(&[('w', "/a/pro"), ('t', "/a/pro/target"), ('r', "/c/registry")]);
    const ROWS: &[(&str, &str)] = &[
        ("/a/pro", "$w"),
        ("/a/pro/src", "$w/src"),
        ("/a/project", "/a/project"),
        ("/a/pro.x", "/a/pro.x"),
        ("/x/a/pro", "/x/a/pro"),
        ("//a/pro", "//a/pro"),
        ("./a/pro", "./a/pro"),
        ("/a/pro/target/debug", "$t/debug"),
        ("/a/pro/targets", "$w/targets"),
        ("/a/pro/../x", "$w/../x"),
        ("--x=/a/pro,/c/registry:/a/pro", "--x=$w,$r:$w"),
        ("{\"a\":\"/a/pro/b.rs\"}", "{\"a\":\"$w/b.rs\"}"),
        ("/a/pro/x: /c/registry/y /a/pro\n", "$w/x: $r/y $w\n"),
        ("-L/a/pro", "-L/a/pro"),
        ("", ""),
    ];
    for (text, expected) in ROWS {
        assert_eq!(neutral(&here, text), *expected, "{text}");
    }
    for folder in
        ["/", "", "a/b", "/a/", "/a//b", "/a/./b", "/a/../b", "/a b", "/a\"b", "/a\\b", "/a=b", "/a:b"]
    {
        assert!(bases(&[('w', folder)]).is_empty(), "{folder}");
    }
}

#[test]
fn of_two_that_are_one_folder_the_first_counts() {
    let here = bases(&[('r', "/a/x"), ('t', "/a/b"), ('g', "/a/c"), ('w', "/a/b")]);
    assert_eq!(here.iter().count(), 3);
    assert_eq!(neutral(&here, "/a/b/c:/a/x"), "$t/c:$r");
}

#[test]
fn marks_become_the_folders_of_a_checkout() {
    let there = bases(&[('w', "/b")]);
    assert_eq!(there.real(b"\0w/x:\0w").as_deref(), Some(&b"/b/x:/b"[..]));
    for unknown in [&b"\0t/x"[..], b"\0", b"a\0"] {
        assert_eq!(there.real(unknown), None);
    }
}

proptest! {
    #[test]
    fn texts_come_back_as_they_went(text in "[/abw:. \n]{0,40}") {
        let here = bases(&[('w', "/a"), ('t', "/a/b"), ('r', "/w")]);
        let neutral = here.neutral(text.as_bytes()).into_owned();
        let real = here.real(&neutral).unwrap().into_owned();
        prop_assert_eq!(real, text.as_bytes());
    }

    #[test]
    fn any_bytes_are_taken_or_refused(garbage in vec(any::<u8>(), 0..60)) {
        let here = bases(&[('w', "/a")]);
        let _ = here.real(&garbage);
        let _ = here.neutral(&garbage);
    }
}

/// A record of a compile in `/a/pro`, which read `input` and did not find `absent`.
fn record(input: &str, change: impl FnOnce(&mut Surroundings)) -> Record {
    let mut surroundings = Surroundings::default();
    change(&mut surroundings);
    let [folders, names, present, exist] = [const { Vec::new() }; 4];
    Record {
        result: Digest::of(b""),
        inputs: vec![Input { path: input.as_bytes().to_vec(), digest: Digest::of(b"x") }],
        n_read: 1,
        folders,
        names,
        present,
        states: Vec::new(),
        same: Vec::new(),
        exist,
        mtimes: Vec::new(),
        window: None,
        ties: Vec::new(),
        surroundings: Some(surroundings),
    }
}

fn texts(list: &[&str]) -> Vec<Vec<u8>> {
    list.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// For each row: what is asked of another checkout, `/b/c/pro` of the same depth and `/pro` of another; `-`: it is not for it.
#[test]
fn t174_what_lies_around_a_checkout_is_looked_for_around_the_other() {
    type Change = fn(&mut Surroundings);
    let absent: fn(&Record) -> String = |record| {
        let absent = record.surroundings.iter().flat_map(|seen| &seen.absent);
        absent.map(|path| String::from_utf8_lossy(path).into_owned()).collect::<Vec<_>>().join(" ")
    };
    let rows: &[(&str, Change, &str, &str)] = &[
        ("/a/d/pro/a.rs", |_| (), "", ""),
        ("/usr/lib/x", |_| (), "", ""),
        ("/a/d/pro/../x.rs", |_| (), "", ""),
        // Read beside it: nobody knows by which way.
        ("/a/d/x.rs", |_| (), "-", "-"),
        ("/a/e/x.rs", |_| (), "-", "-"),
        ("/a/e/tool", |_| (), "", ""),
        // Missing.
        ("/a/d/pro/a.rs", |s| s.absent = texts(&["/a/d/pro/x"]), "/b/c/pro/x", "/pro/x"),
        ("/a/d/pro/a.rs", |s| s.absent = texts(&["/etc/x", "/x"]), "/etc/x /x", "/etc/x /x"),
        ("/a/d/pro/a.rs", |s| s.absent = texts(&["/a/d/x"]), "/b/c/pro/../x", "-"),
        ("/a/d/pro/a.rs", |s| s.absent = texts(&["/a/d/x", "/a/x/"]), "/b/c/pro/../../x/ /b/c/pro/../x", "-"),
        ("/a/d/pro/a.rs", |s| s.absent = texts(&["/a/e/x"]), "/a/e/x", "/a/e/x"),
        // Above a base to which a link may lead.
        ("/a/d/pro/a.rs", |s| s.absent = texts(&["/t/x"]), "-", "-"),
        ("/a/d/pro/a.rs", |s| s.absent = texts(&["/t/u/v/x"]), "/o/v/x", "/o/v/x"),
        // Looked at.
        ("/a/d/pro/a.rs", |s| s.kinds = vec![(b"/a/d".to_vec(), Kind::Folder)], "", ""),
        ("/a/d/pro/a.rs", |s| s.kinds = vec![(b"/a/d/e".to_vec(), Kind::Folder)], "-", "-"),
        ("/a/d/pro/a.rs", |s| s.listings = vec![(b"/a/d".to_vec(), Digest::of(b""))], "-", "-"),
        ("/a/d/pro/a.rs", |s| s.listings = vec![(b"/".to_vec(), Digest::of(b""))], "", ""),
        ("/a/d/pro/a.rs", |s| s.links = vec![(b"/a/l".to_vec(), b"d".to_vec())], "-", "-"),
    ];
    let here = bases(&[('w', "/a/d/pro"), ('t', "/t/u")]);
    for (input, change, alike, shallow) in rows {
        let mut stored = record(input, *change);
        stored.make_neutral(&here, |path| path == b"/a/e/tool");
        let real = |bases: &Bases| stored.clone().make_real(bases).as_ref().map_or("-".to_owned(), absent);
        assert_eq!(
            real(&bases(&[('w', "/b/c/pro"), ('t', "/o")])),
            *alike,
            "{input} {:?}",
            stored.surroundings
        );
        assert_eq!(
            real(&bases(&[('w', "/pro"), ('t', "/o")])),
            *shallow,
            "{input} {:?}",
            stored.surroundings
        );
        assert!(real(&here) != "-", "{input}");
    }
}

#[test]
fn a_record_in_the_same_checkout_is_as_it_was() {
    let here = bases(&[('w', "/a/d/pro"), ('t', "/a/d/pro/target")]);
    let whole = record("/a/d/pro/a.rs", |seen| {
        seen.kinds = vec![(b"/a/d/pro/target".to_vec(), Kind::Folder)];
        seen.links = vec![(b"/a/d/pro/l".to_vec(), b"/a/d/pro/m".to_vec())];
        seen.resolved = vec![(b"/a/d/pro/n".to_vec(), b"/x".to_vec())];
        seen.listings = vec![(b"/a/d/pro/target/x".to_vec(), Digest::of(b""))];
        seen.variables = vec![
            ([&SEARCHED[..], b"cc"].concat(), Some(b"/a/d/pro/cc".to_vec())),
            (b"DIR".to_vec(), Some(b"/a/d/pro".to_vec())),
            (b"UNSET".to_vec(), None),
        ];
    });
    let mut stored = whole.clone();
    stored.make_neutral(&here, |_| false);
    assert!(!stored.encode_conditions().windows(4).any(|part| part == b"/pro"));
    assert_eq!(stored.clone().make_real(&here), Some(whole.clone()));
    // Tied to one of them.
    stored.bind_to(here.of_letter(b't').unwrap());
    assert_eq!(stored.clone().make_real(&here), Some(whole));
    assert!(stored.clone().make_real(&bases(&[('w', "/b"), ('t', "/a/d/pro/target")])).is_some());
    assert_eq!(stored.make_real(&bases(&[('w', "/a/d/pro"), ('t', "/t")])), None);
}

/// A record by rules, without an observer: all its paths, and what a compiler elsewhere would name otherwise.
#[test]
fn t145_records_of_c_are_for_checkouts_that_name_their_files_alike() {
    let here = bases(&[('w', "/a/pro"), ('t', "/t")]);
    let whole = |input: &str| Record {
        folders: texts(&["/a/pro/inc", "inc", "/usr/include"]),
        present: texts(&["/a/pro/x.h"]),
        exist: texts(&["/t/y.h"]),
        surroundings: None,
        ..record(input, |_| ())
    };
    let stored = |input: &str| {
        let mut stored = whole(input);
        stored.make_neutral(&here, |_| false);
        stored
    };
    let there = bases(&[('w', "/b"), ('t', "/c/d")]);
    let real = stored("/a/pro/../z.h").make_real(&there).unwrap();
    assert_eq!(real.inputs[0].path, b"/b/../z.h");
    assert_eq!(real.folders, texts(&["/b/inc", "inc", "/usr/include"]));
    assert_eq!((real.present, real.exist), (texts(&["/b/x.h"]), texts(&["/c/d/y.h"])));
    for input in ["/a/pro/z.h", "z.h", "/a/project/z.h", "/b/z.h", "/by/z.h"] {
        assert_eq!(
            stored(input).make_real(&here).map(|real| real.inputs),
            Some(whole(input).inputs),
            "{input}"
        );
    }
    // A file that lies in a folder there, one whose name begins so here or there, and one that would be in another folder.
    for input in ["/b/z.h", "/by/z.h", "/a/project/z.h", "/c/d/z.h"] {
        assert_eq!(stored(input).make_real(&there), None, "{input}");
    }
    assert_eq!(stored("/a/pro/target/z.h").make_real(&bases(&[('w', "/b"), ('t', "/b/target")])), None);
}
