//! Outputs of a compile and what is passed to the key from outside (traps T64, T69, T75).
use crate::inputs::{Moment, Place, now};
use crate::outputs::{MAX_DEPENDENCY_BYTES, opened, present_outputs, read_from_start};
use crate::subject::pwd_leads_here;
use cachepot_engine::job::{Output, Role};
use cachepot_wire::{Ending, Existing, Report};
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant, SystemTime};

fn tick() -> Moment {
    let written = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let written = (written.as_secs().cast_signed(), i64::from(written.subsec_nanos()));
    let end = Instant::now() + Duration::from_secs(10);
    while now() <= written {
        assert!(Instant::now() < end, "the clock stands still");
        std::thread::sleep(Duration::from_millis(1));
    }
    now()
}

#[test]
fn outputs_from_before_are_none_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["old", "touched"] {
        std::fs::write(path(name), "1").unwrap();
    }
    let start = tick();
    std::fs::write(path("new"), "2").unwrap();
    std::fs::write(path("touched"), "1").unwrap();
    let kept = |name: &str, optional: bool| {
        let output = Output { role: Role::Main, path: path(name), optional, existing: Existing::Replaced };
        present_outputs(&[output], vec![File::open(path(name)).ok()], start, folder.path())
            .map(|(roles, _)| roles.len())
            .ok()
    };
    let rows = [("new", Some(1), Some(1)), ("touched", Some(1), Some(1)), ("old", None, Some(0))];
    for (name, required, optional) in rows {
        assert_eq!((kept(name, false), kept(name, true)), (required, optional), "{name}");
    }
    assert_eq!((kept("absent", false), kept("absent", true)), (None, Some(0)));
    // A folder opens as a file does.
    std::fs::create_dir(path("folder")).unwrap();
    assert_eq!((kept("folder", false), kept("folder", true)), (None, None));
    let output =
        Output { role: Role::Main, path: path("new"), optional: false, existing: Existing::Replaced };
    present_outputs(&[output], Vec::new(), start, folder.path()).expect_err("a report that is too short");
}

#[test]
fn descriptors_that_do_not_fit_the_report_are_refused() {
    let report = |watched: &[bool]| Report {
        ending: Ending::Exited(0),
        stdout: Vec::new(),
        stderr: Vec::new(),
        cut: false,
        watched: watched.to_vec(),
    };
    let files = |count: usize| -> Vec<OwnedFd> {
        (0..count).map(|_| File::open("/dev/null").unwrap().into()).collect()
    };
    let outcome = |watched: &[bool], count| {
        let opened = opened(&report(watched), files(count)).ok()?;
        Some(opened.iter().map(Option::is_some).collect::<Vec<_>>())
    };
    assert_eq!(outcome(&[true, false, true], 2), Some(vec![true, false, true]));
    assert_eq!(outcome(&[true, false, true], 1), None);
    assert_eq!(outcome(&[true, false, true], 3), None);
    assert_eq!(outcome(&[], 0), Some(vec![]));
}

/// Trap T69.
#[test]
fn pwd_counts_only_where_it_leads_here() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("w")).unwrap();
    std::fs::create_dir(path("v")).unwrap();
    std::os::unix::fs::symlink(path("w"), path("link")).unwrap();
    let place = Place::open(&path("w")).unwrap();
    let leads = |name: &str| pwd_leads_here(Some(path(name).as_os_str()), &place);
    assert!(leads("w") && leads("link") && leads("v/../w"));
    assert!(!leads("v") && !leads("absent"));
    for pwd in [None, Some(""), Some("."), Some("w")] {
        assert!(!pwd_leads_here(pwd.map(OsStr::new), &place), "{pwd:?}");
    }
    std::fs::remove_file(path("link")).unwrap();
    std::os::unix::fs::symlink(path("v"), path("link")).unwrap();
    assert!(!leads("link"));
}

#[test]
fn a_dependency_file_is_read_whole_or_not_at_all() {
    let file = tempfile::tempfile().unwrap();
    let limit = MAX_DEPENDENCY_BYTES as u64;
    for (bytes, is_read) in [(0, true), (limit, true), (limit + 1, false)] {
        file.set_len(bytes).unwrap();
        let text = read_from_start(&file);
        assert_eq!(text.is_ok(), is_read, "{bytes} bytes");
        assert!(text.is_err() || text.is_ok_and(|text| text.len() as u64 == bytes), "{bytes} bytes");
    }
}
