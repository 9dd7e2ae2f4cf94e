//! Outputs that are announced before they are there.
use super::scripted::{
    COMPILER, COMPILER_RAN, Case, HIT, MEMORY, Source, WAYS, bytes, has_unnamed, mode, names, output,
};
use cachepot_wire::{Existing, Message, PlacedOutput, Plan, Reply, fd};
use std::fs::{self, Permissions};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

#[test]
fn outputs_are_copied_as_they_come() {
    if !has_unnamed() {
        return;
    }
    let all = bytes(300_000);
    let outputs = [output("a.o", 200_000), PlacedOutput { executable: true, ..output("b", 100_000) }];
    for (way, folder) in WAYS.iter().flat_map(|way| [(way, std::env::temp_dir()), (way, MEMORY.into())]) {
        let mut case = Case::start(way);
        let (mut one, mut other) = (Source::new_in(&folder, &all[..100_000]), Source::new_in(&folder, b""));
        case.say(Reply::Coming(outputs.to_vec()), &[&one, &other]);
        case.wait_for(&[0, 0]);
        case.say(Reply::Grown(100_000), &[]);
        case.wait_for(&[65_536, 0]);
        one.add(&all[100_000..200_000]);
        other.add(&all[200_000..270_000]);
        case.say(Reply::Grown(270_000), &[]);
        let inodes = case.wait_for(&[200_000, 65_536]);
        assert!(case.names().is_empty());
        other.add(&all[270_000..]);
        case.say_hit(&outputs, &[&one, &other]);
        case.expect_end(HIT);
        let paths = ["a.o", "b"].map(|name| case.work().join(name));
        assert!(paths.iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>().concat() == all);
        assert_eq!(paths.each_ref().map(|path| fs::metadata(path).unwrap().ino()).as_slice(), inodes);
        assert_eq!(paths.map(|path| mode(&path)), [0o640, 0o750]);
        assert_eq!(case.names(), ["a.o", "b"]);
    }
}

/// Whatever else is answered, and however the client ends: the folder is as it was.
#[test]
fn without_a_hit_nothing_is_left() {
    let all = bytes(100_000);
    let announce = |way: &str| {
        let (case, source) = (Case::start(way), Source::new(&all));
        case.say(Reply::Coming(vec![output("a.o", all.len())]), &[&source]);
        case.say(Reply::Grown(70_000), &[]);
        if has_unnamed() {
            case.wait_for(&[65_536]);
        }
        (case, source)
    };
    for way in WAYS {
        let (mut case, _source) = announce(way);
        case.say(Reply::RunItYourself { env: Vec::new(), notice: String::new() }, &[]);
        case.expect_compiler();
        assert!(case.names().is_empty());
        // Its descriptor is missing.
        let (mut case, _source) = announce(way);
        case.say_hit(&[output("a.o", all.len())], &[]);
        case.expect_compiler();
        assert!(case.names().is_empty());
        let (mut case, _source) = announce(way);
        let argv = ["sh", "-c", COMPILER].map(Into::into).into();
        case.say(Reply::CompileAndTellMe(Plan { argv, ..Plan::default() }), &[]);
        let (kind, payload, _) = fd::receive_frame(case.connection.as_fd()).unwrap();
        assert!(matches!(Message::decode(kind, &payload), Ok(Message::Report(_))));
        assert!(case.unnamed().is_empty());
        case.expect_compiler();
        let (mut case, _source) = announce(way);
        case.child.kill().unwrap();
        case.child.wait().unwrap();
        assert!(case.names().is_empty());
    }
}

/// What was announced had other bytes: those of the hit count.
#[test]
fn another_file_wins() {
    let (wrong, right) = (vec![1; 100_000], bytes(100_000));
    for way in WAYS {
        let mut case = Case::start(way);
        let (announced, hit) = (Source::new(&wrong), Source::new(&right));
        let outputs = [output("a.o", right.len())];
        case.say(Reply::Coming(outputs.to_vec()), &[&announced]);
        case.say(Reply::Grown(100_000), &[]);
        case.say_hit(&outputs, &[&hit]);
        case.expect_end(HIT);
        assert!(fs::read(case.work().join("a.o")).unwrap() == right);
        assert_eq!((mode(&case.work().join("a.o")), case.names()), (0o640, vec!["a.o".to_owned()]));
    }
}

/// Hints come late, twice, for what is not there or was never announced, or tell too much.
#[test]
fn hints_bind_nobody() {
    let all = bytes(200_000);
    let outputs = [output("a.o", all.len())];
    let coming = |path: &str, size| Reply::Coming(vec![output(path, size)]);
    for way in WAYS {
        let rows: [(Reply, &[u64], &[u8]); 7] = [
            (coming("a.o", 200_000), &[], b""),
            (coming("a.o", 200_000), &[], &all),
            (coming("a.o", 200_000), &[70_000, 140_000, 70_000, 0, 200_000], &all),
            (coming("a.o", 200_000), &[u64::MAX], &all),
            (coming("a.o", 100_000), &[100_000], &all),
            (coming("b.o", 200_000), &[200_000], &all),
            (Reply::Coming(Vec::new()), &[200_000], &all),
        ];
        for (at, (coming, grown, there)) in rows.into_iter().enumerate() {
            let (mut case, mut source) = (Case::start(way), Source::new(there));
            case.say(Reply::Grown(5), &[]);
            let n_files = if at == 6 { 0 } else { 1 };
            case.say(coming, &[&source][..n_files]);
            grown.iter().for_each(|&bytes| case.say(Reply::Grown(bytes), &[]));
            source.add(&all[there.len()..]);
            case.say_hit(&outputs, &[&source]);
            case.expect_end(HIT);
            assert!(fs::read(case.work().join("a.o")).unwrap() == all, "{way} {at}");
            assert_eq!(case.names(), ["a.o"], "{way} {at}");
        }
    }
}

/// What was prepared is dropped: the file is not what the hints said.
#[test]
fn a_hint_tells_of_bytes_that_are_not_there() {
    let all = bytes(100_000);
    for way in if has_unnamed() { &WAYS[..] } else { &[] } {
        let (mut case, mut source) = (Case::start(way), Source::new(&all[..70_000]));
        let outputs = [output("a.o", all.len())];
        case.say(Reply::Coming(outputs.to_vec()), &[&source]);
        case.say(Reply::Grown(65_536), &[]);
        case.wait_for(&[65_536]);
        case.say(Reply::Grown(100_000), &[]);
        case.wait_for(&[]);
        source.add(&all[70_000..]);
        case.say_hit(&outputs, &[&source]);
        case.expect_end(HIT);
        assert!(fs::read(case.work().join("a.o")).unwrap() == all);
    }
}

#[test]
fn a_later_announcement_replaces_an_earlier_one() {
    let (one, two) = (bytes(100_000), vec![2; 80_000]);
    for way in WAYS {
        let mut case = Case::start(way);
        let (first, second) = (Source::new(&one), Source::new(&two));
        case.say(Reply::Coming(vec![output("a.o", one.len()), output("b.o", two.len())]), &[&first, &second]);
        case.say(Reply::Grown(180_000), &[]);
        if has_unnamed() {
            case.wait_for(&[100_000, 80_000]);
        }
        case.say(Reply::Coming(vec![output("b.o", two.len())]), &[&second]);
        case.say(Reply::Grown(80_000), &[]);
        if has_unnamed() {
            case.wait_for(&[80_000]);
        }
        case.say_hit(&[output("b.o", two.len())], &[&second]);
        case.expect_end(HIT);
        assert!(fs::read(case.work().join("b.o")).unwrap() == two);
        assert_eq!(case.names(), ["b.o"]);
    }
}

/// As without hints (`place.rs` here): a file that is there already, alone or with a second name, and no folder.
#[test]
fn places_are_treated_as_ever() {
    let all = bytes(100_000);
    let old = |path: &Path, mode: u32| {
        fs::write(path, "old").unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    };
    let rows = [
        ("replaced", 0o600, Existing::Replaced, HIT, 0o640),
        ("kept", 0o604, Existing::WrittenInto, HIT, 0o604),
        ("over", 0o604, Existing::CopiedOver, HIT, 0o640),
        ("read-only", 0o444, Existing::Replaced, COMPILER_RAN, 0o444),
        ("linked", 0o600, Existing::Replaced, HIT, 0o640),
        ("linked", 0o600, Existing::WrittenInto, COMPILER_RAN, 0o600),
        ("linked", 0o600, Existing::CopiedOver, COMPILER_RAN, 0o600),
        ("absent/a.o", 0, Existing::Replaced, COMPILER_RAN, 0),
    ];
    for (way, (name, old_mode, existing, status, new_mode)) in
        WAYS.iter().flat_map(|way| rows.map(|row| (way, row)))
    {
        let is_there = old_mode != 0;
        let mut case = Case::start_in(way, |work| {
            if is_there {
                old(&work.join(name), old_mode);
            }
            if name == "linked" {
                fs::hard_link(work.join(name), work.join("other")).unwrap();
            }
        });
        let (before, path) = (case.names(), case.work().join(name));
        let (source, outputs) = (Source::new(&all), [PlacedOutput { existing, ..output(name, all.len()) }]);
        case.say(Reply::Coming(outputs.to_vec()), &[&source]);
        case.say(Reply::Grown(all.len() as u64), &[]);
        case.say_hit(&outputs, &[&source]);
        case.expect_end(status);
        assert_eq!(case.names(), before, "{name}");
        if is_there {
            let expected = if status == HIT { all.as_slice() } else { b"old" };
            assert!(fs::read(&path).unwrap() == expected, "{name} {existing:?}");
            assert_eq!(mode(&path), new_mode, "{name} {existing:?}");
        }
        if name == "linked" {
            assert_eq!(fs::read(case.work().join("other")).unwrap(), b"old");
        }
    }
}

/// The folder is another one meanwhile, on another file system: no name there for what was prepared.
#[test]
fn a_folder_that_moved_gets_a_copy() {
    let all = bytes(100_000);
    let memory = tempfile::tempdir_in(MEMORY).unwrap();
    for way in WAYS {
        let mut case = Case::start_in(way, |work| fs::create_dir(work.join("out")).unwrap());
        let (source, outputs) = (Source::new(&all), [output("out/a.o", all.len())]);
        case.say(Reply::Coming(outputs.to_vec()), &[&source]);
        case.say(Reply::Grown(100_000), &[]);
        if has_unnamed() {
            case.wait_for(&[100_000]);
        }
        fs::rename(case.work().join("out"), case.work().join("gone")).unwrap();
        symlink(memory.path(), case.work().join("out")).unwrap();
        case.say_hit(&outputs, &[&source]);
        case.expect_end(HIT);
        assert!(fs::read(memory.path().join("a.o")).unwrap() == all);
        assert_eq!((names(memory.path()), mode(&memory.path().join("a.o"))), (vec!["a.o".to_owned()], 0o640));
        assert!(names(&case.work().join("gone")).is_empty());
    }
}
