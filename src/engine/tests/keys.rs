//! Keys: what must not be taken for each other (traps T98 to T100).
use super::gnu::job;
use crate::digest::{Digest, KeyBuilder};
use crate::job::{Driver, Family, Job, Language};
use crate::key::{JobFacts, job_key, result_key};
use crate::manifest::surroundings::{Kind, Surroundings};
use crate::manifest::{Input, Record};
use crate::scan::Quarter;
use std::collections::HashMap;
use std::ffi::OsStr;

const GCC: Driver = Driver { family: Family::Gcc, major: 12, plus_plus: false };

fn facts<'a>(driver: &'a Driver, job: &'a Job) -> JobFacts<'a> {
    let identity = Digest::of(b"compiler");
    JobFacts { identity, driver, job, variables: &[], key_files: &[], cpu: None, pwd_leads_here: false }
}

fn assert_all_differ<T: std::hash::Hash + Eq>(keys: impl IntoIterator<Item = (String, T)>) {
    let mut seen = HashMap::new();
    for (what, key) in keys {
        if let Some(other) = seen.insert(key, what.clone()) {
            panic!("`{what}` and `{other}` share a key");
        }
    }
}

fn plain(change: impl FnOnce(&mut Job)) -> Digest {
    let mut job = job("gcc -c a.c -g");
    change(&mut job);
    job_key(&facts(&GCC, &job))
}

#[test]
fn every_part_of_a_job_counts() {
    let words = |words: &'static [&str]| plain(|job| job.key_words = words.iter().map(Into::into).collect());
    let base = job("gcc -c a.c -g");
    let plus_plus = Driver { plus_plus: true, ..GCC };
    let clang = Driver { family: Family::Clang, ..GCC };
    let with = |change: fn(&mut JobFacts<'_>)| {
        let mut facts = facts(&GCC, &base);
        change(&mut facts);
        job_key(&facts)
    };
    let (a, b, bc) = (OsStr::new("A"), OsStr::new("b"), OsStr::new("b=c"));
    let (ab, c) = (OsStr::new("A=b"), OsStr::new("c"));
    let variables = |variables: &[(&OsStr, &OsStr)]| job_key(&JobFacts { variables, ..facts(&GCC, &base) });
    let files = |key_files: &[Option<Digest>]| job_key(&JobFacts { key_files, ..facts(&GCC, &base) });
    let digest = Some(Digest::of(b"x"));
    let rows = [
        ("base", job_key(&facts(&GCC, &base))),
        ("identity", with(|facts| facts.identity = Digest::of(b"other"))),
        ("plus plus", job_key(&facts(&plus_plus, &base))),
        ("clang", job_key(&facts(&clang, &base))),
        ("cpu", with(|facts| facts.cpu = Some(Digest::of(b"cpu")))),
        ("PWD", with(|facts| facts.pwd_leads_here = true)),
        ("language", plain(|job| job.language = Language::Cxx)),
        ("source", plain(|job| job.source = "b.c".into())),
        ("directory", plain(|job| job.key_directory = Some("/v".into()))),
        ("no directory", plain(|job| job.key_directory = None)),
        ("words", words(&["ab", "c"])),
        ("words cut elsewhere", words(&["a", "bc"])),
        ("words in one", words(&["abc"])),
        ("words in another order", words(&["c", "ab"])),
        ("empty word", words(&["ab", "c", ""])),
        ("no words", words(&[])),
        ("A=b=c", variables(&[(a, bc)])),
        ("A=b = c", variables(&[(ab, c)])),
        ("A=b", variables(&[(a, b)])),
        ("A=b twice", variables(&[(a, b), (a, b)])),
        ("file", files(&[digest])),
        ("file and none", files(&[digest, None])),
        ("none and file", files(&[None, digest])),
        ("none", files(&[None])),
    ];
    assert_all_differ(rows.map(|(what, key)| (what.to_owned(), key)));
}

/// Without debug information the directory reaches nothing, and neither does the way it is named.
#[test]
fn the_way_to_the_directory_counts_only_with_it() {
    let job = job("gcc -c a.c");
    let there = JobFacts { pwd_leads_here: true, ..facts(&GCC, &job) };
    assert_eq!(job_key(&there), job_key(&facts(&GCC, &job)));
}

/// Trap T98.
#[test]
fn kinds_of_results_never_share() {
    let lines = [
        "gcc -c a.c",
        "gcc -S a.c",
        "clang -c a.c",
        "clang -S a.c",
        "clang -c -emit-llvm a.c",
        "clang -S -emit-llvm a.c",
        "gcc -c -x c++ a.c",
        "gcc -c -x cpp-output a.c",
        "gcc -c ./a.c",
        "gcc -c b.c",
    ];
    let key = |line: &str| {
        let family = if line.starts_with("clang") { Family::Clang } else { Family::Gcc };
        job_key(&facts(&Driver { family, ..GCC }, &job(line)))
    };
    assert_all_differ(lines.map(|line| (line.to_owned(), key(line))));
}

fn seen(record: &mut Record) -> &mut Surroundings {
    record.surroundings.get_or_insert_default()
}

/// Trap T138 among others: a variable that is not set, one that is empty, and one with a value.
#[test]
fn every_part_of_a_result_counts() {
    type Change = fn(&mut Record);
    let input = |path: &str, text: &str| Input { path: path.into(), digest: Digest::of(text.as_bytes()) };
    let base = Record {
        result: Digest::of(b""),
        inputs: vec![input("a", "1"), input("b", "2")],
        n_read: 2,
        folders: Vec::new(),
        names: Vec::new(),
        present: Vec::new(),
        states: Vec::new(),
        same: Vec::new(),
        exist: Vec::new(),
        mtimes: Vec::new(),
        window: None,
        ties: Vec::new(),
        surroundings: None,
    };
    let job = Digest::of(b"job");
    let rows: &[(&str, Change)] = &[
        ("nothing", |_| ()),
        ("order", |record| record.inputs.reverse()),
        ("fewer", |record| drop(record.inputs.pop())),
        ("path", |record| record.inputs[0].path = b"c".to_vec()),
        ("content", |record| record.inputs[0].digest = Digest::of(b"3")),
        ("read", |record| record.n_read = 1),
        ("folders", |record| record.folders.push(b"x".to_vec())),
        ("names", |record| record.names.push(b"x".to_vec())),
        ("present", |record| record.present.push(b"x".to_vec())),
        // `__has_include` saw it, nothing read it.
        ("exist", |record| record.exist.push(b"x".to_vec())),
        ("exist other", |record| record.exist.push(b"y".to_vec())),
        ("state", |record| record.states.push(0)),
        ("state other", |record| record.states.push(u32::MAX)),
        ("same", |record| record.same.push((1, 0))),
        ("mtime", |record| record.mtimes.push((0, 1))),
        ("mtime of another", |record| record.mtimes.push((1, 1))),
        ("mtime later", |record| record.mtimes.push((0, 2))),
        ("window", |record| record.window = Some(Quarter(1))),
        ("window later", |record| record.window = Some(Quarter(2))),
        ("observed", |record| record.surroundings = Some(Surroundings::default())),
        ("absent", |record| seen(record).absent.push(b"x".to_vec())),
        ("kind", |record| seen(record).kinds.push((b"x".to_vec(), Kind::File))),
        ("kind other", |record| seen(record).kinds.push((b"x".to_vec(), Kind::Folder))),
        ("link", |record| seen(record).links.push((b"x".to_vec(), b"y".to_vec()))),
        ("link to another", |record| seen(record).links.push((b"x".to_vec(), b"z".to_vec()))),
        ("resolved", |record| seen(record).resolved.push((b"x".to_vec(), b"y".to_vec()))),
        ("listing", |record| seen(record).listings.push((b"x".to_vec(), Digest::of(b"1")))),
        ("listing other", |record| seen(record).listings.push((b"x".to_vec(), Digest::of(b"2")))),
        ("not set", |record| seen(record).variables.push((b"x".to_vec(), None))),
        ("empty", |record| seen(record).variables.push((b"x".to_vec(), Some(Vec::new())))),
        ("set", |record| seen(record).variables.push((b"x".to_vec(), Some(b"1".to_vec())))),
    ];
    let key = |change: Change| {
        let mut record = base.clone();
        change(&mut record);
        result_key(&job, &record)
    };
    let keys = rows.iter().map(|(what, change)| ((*what).to_owned(), key(*change)));
    assert_all_differ(keys.chain([("job".to_owned(), result_key(&Digest::of(b"other"), &base))]));
    assert_eq!(key(|record| record.result = Digest::of(b"x")), key(|_| ()), "the result names itself");
}

/// Traps T99 and T100: no two lists of fields feed the same bytes.
#[test]
fn fields_do_not_run_together() {
    type Build = fn(&mut KeyBuilder) -> &mut KeyBuilder;
    let rows: &[(&str, &str, Build)] = &[
        ("nothing", "d", |key| key),
        ("other domain", "e", |key| key),
        ("a=b", "d", |key| key.field("a", b"b")),
        ("a=b in e", "e", |key| key.field("a", b"b")),
        ("ab=", "d", |key| key.field("ab", b"")),
        ("=ab", "d", |key| key.field("", b"ab")),
        ("=a =b", "d", |key| key.field("", b"a").field("", b"b")),
        ("[ab]", "d", |key| key.list("", [&b"ab"[..]].into_iter())),
        ("[a b]", "d", |key| key.list("", [&b"a"[..], b"b"].into_iter())),
        ("[a] [b]", "d", |key| key.list("", [&b"a"[..]].into_iter()).list("", [&b"b"[..]].into_iter())),
        ("[] [a b]", "d", |key| key.list("", [b""; 0].into_iter()).list("", [&b"a"[..], b"b"].into_iter())),
    ];
    let key = |domain: &str, build: Build| {
        let mut key = KeyBuilder::new(domain);
        build(&mut key);
        key.finish()
    };
    let keys = rows.iter().map(|(what, domain, build)| ((*what).to_owned(), key(domain, *build)));
    assert_all_differ(keys.chain([("content".to_owned(), Digest::of(b""))]));
}

#[test]
fn digests_are_read_as_they_are_shown() {
    let digest = Digest::of(b"x");
    assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
    assert_eq!(format!("{digest:?}").len(), 12);
    for wrong in ["", "ab", &digest.to_string().to_uppercase(), &format!("{digest}0"), &"g".repeat(64)] {
        assert_eq!(Digest::parse(wrong), None, "{wrong}");
    }
    let mut parts = crate::digest::ContentHasher::default();
    assert_eq!(parts.update(b"ab").update(b"c").finish(), Digest::of(b"abc"));
}
