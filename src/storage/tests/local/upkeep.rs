//! The index, walks, several stores on one folder, leftovers, clearing.
use std::fs;
use std::time::SystemTime;

use cachepot_engine::envelope::Kind;

use crate::*;

fn age(file: &Path, seconds: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds);
    fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
}

#[test]
fn a_missing_or_damaged_index_is_built_again() {
    let damages: [fn(&Path); 4] = [
        |index| fs::remove_dir_all(index).unwrap(),
        |index| {
            for file in fs::read_dir(index).unwrap().flatten().filter(|file| file.path().is_file()) {
                fs::write(file.path(), [0xa5; 5000]).unwrap();
            }
        },
        |index| {
            fs::remove_dir_all(index).unwrap();
            fs::write(index, "no folder").unwrap();
        },
        |index| fs::write(index.join("db"), "").unwrap(),
    ];
    for (n_damage, damage) in damages.into_iter().enumerate() {
        let mut sandbox = Sandbox::new(ROOMY);
        counted(&sandbox.store);
        (0..5).for_each(|n| put(&sandbox.store, n, 20_000).unwrap());
        let Sandbox { folder, dir, store } = sandbox;
        drop(store);
        damage(&dir.join("index"));
        let store = open(&dir, ROOMY);
        assert!(get(&store, 3).is_some(), "hits do not wait for the index");
        sandbox = Sandbox { folder, dir, store };
        let same = || sandbox.store.usage().bytes == Some(total(&sandbox.dir));
        maintained(&sandbox.store, &format!("count after damage {n_damage}"), same);
        assert_eq!(sandbox.store.usage().entries, 5);
        sandbox.store.flush();
        sandbox = sandbox.reopen(ROOMY);
        let same = || sandbox.store.usage().bytes == Some(total(&sandbox.dir));
        maintained(&sandbox.store, "count by the new index", same);
    }
}

#[test]
fn an_index_that_was_not_closed_is_completed_by_a_walk() {
    let sandbox = Sandbox::new(ROOMY);
    counted(&sandbox.store);
    put(&sandbox.store, 1, 20_000).unwrap();
    sandbox.store.flush();
    put(&sandbox.store, 2, 20_000).unwrap();
    // As the folder is after a kill: a copy of it made while the store runs.
    let copy = sandbox.folder.path().join("copy");
    let copied = std::process::Command::new("cp").arg("-a").arg(&sandbox.dir).arg(&copy).status().unwrap();
    assert!(copied.success());
    let store = open(&copy, ROOMY);
    maintained(&store, "both", || store.usage().bytes == Some(total(&copy)));
    assert_eq!(store.usage().entries, 2);
}

#[test]
fn t251_two_stores_on_one_folder() {
    let sandbox = Sandbox::new(ROOMY);
    let first = &sandbox.store;
    counted(first);
    let second = &open(&sandbox.dir, ROOMY);
    put(first, 1, 30_000).unwrap();
    assert_eq!(get(second, 1), Some(content(1, 30_000)));
    put(second, 2, 30_000).unwrap();
    put(second, 3, 30_000).unwrap();
    assert_eq!(get(first, 2), Some(content(2, 30_000)));
    assert_eq!(counted(second), total(&sandbox.dir), "the second counts by walking");
    put(second, 4, 30_000).unwrap();
    // Its uses reach the file, so that the holder of the index learns of them.
    let before = fs::metadata(file_of(&sandbox.dir, 1, "")).unwrap().modified().unwrap();
    second.touch(Kind::Result, &key(1));
    second.flush();
    assert!(fs::metadata(file_of(&sandbox.dir, 1, "")).unwrap().modified().unwrap() > before);
    assert!(get(second, 1).is_some());
    assert!(sandbox.dir.join("index.behind").exists(), "and that it has to count again");
    // One removes what the other remembers.
    first.remove(Kind::Result, &key(3)).unwrap();
    assert_eq!(get(second, 3), None);
    assert_eq!((first.damaged(), second.damaged()), (0, 0));
}

#[test]
fn t251_the_second_takes_the_index_over() {
    let sandbox = Sandbox::new(ROOMY);
    counted(&sandbox.store);
    let second = open(&sandbox.dir, ROOMY);
    counted(&second);
    put(&sandbox.store, 1, 30_000).unwrap();
    put(&second, 2, 30_000).unwrap();
    let Sandbox { folder, dir, store } = sandbox;
    drop(store);
    let is_held = || fs::File::open(dir.join("index.lock")).unwrap().try_lock().is_err();
    maintained(&second, "the lock", is_held);
    maintained(&second, "what the first stored last", || second.usage().bytes == Some(total(&dir)));
    drop(second);
    let third = open(&dir, ROOMY);
    maintained(&third, "both", || third.usage().bytes == Some(total(&dir)));
    assert_eq!(third.usage().entries, 2);
    drop(folder);
}

/// What a writer that was killed may leave, at each of its steps.
#[test]
fn t249_leftovers_of_the_dead_are_removed_later() {
    let sandbox = Sandbox::new(ROOMY);
    put(&sandbox.store, 1, 30_000).unwrap();
    let mine = sandbox.store.ingest_bytes(vec![1; 20_000]).unwrap();
    let tmp = sandbox.dir.join("tmp");
    let name = fs::read_dir(&tmp).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let mut words: Vec<&str> = name.split('-').collect();
    words[1] = "4194999";
    fs::write(tmp.join(words.join("-")), "cut").unwrap();
    fs::write(tmp.join("00000000-1-1-1"), "another machine, working").unwrap();
    fs::write(tmp.join("00000000-1-1-2"), "another machine, gone").unwrap();
    age(&tmp.join("00000000-1-1-2"), 7200);
    fs::write(tmp.join("notes.txt"), "somebody's").unwrap();
    age(&tmp.join("notes.txt"), 7200);
    // A blob without its entry: renamed, then killed.
    let orphan = file_of(&sandbox.dir, 2, ".0");
    fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    fs::write(&orphan, [1; 999]).unwrap();
    assert_eq!(get(&sandbox.store, 2), None);
    assert_eq!(
        counted(&sandbox.store),
        total(&sandbox.dir),
        "an orphan is counted, so that it can be evicted"
    );
    let mut left: Vec<_> =
        fs::read_dir(&tmp).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    let mut expected = vec!["00000000-1-1-1".to_owned(), name, "notes.txt".to_owned()];
    expected.sort();
    assert_eq!(left, expected);
    put(&sandbox.store, 2, 30_000).unwrap();
    assert_eq!(get(&sandbox.store, 2), Some(content(2, 30_000)));
    drop(mine);
}

#[test]
fn foreign_entries_are_adopted_by_their_age() {
    let one = {
        let sandbox = Sandbox::new(ROOMY);
        put(&sandbox.store, 0, 30_000).unwrap();
        total(&sandbox.dir)
    };
    let sandbox = Sandbox::new(ROOMY);
    for (n, seconds) in [(1, 100), (2, 900), (3, 500)] {
        put(&sandbox.store, n, 30_000).unwrap();
        age(&file_of(&sandbox.dir, n, ""), seconds);
    }
    fs::remove_dir_all(sandbox.dir.join("index")).unwrap_or_default();
    let sandbox = sandbox.reopen(one * 3);
    counted(&sandbox.store);
    put(&sandbox.store, 4, 30_000).unwrap();
    let kept: Vec<u64> = (1..=4).filter(|n| get(&sandbox.store, *n).is_some()).collect();
    assert_eq!(kept, [1, 3, 4]);
}

#[test]
fn clearing_removes_ours_and_nothing_else() {
    let sandbox = Sandbox::new(ROOMY);
    counted(&sandbox.store);
    (0..5).for_each(|n| put(&sandbox.store, n, 20_000).unwrap());
    sandbox.store.put_manifest(&key(1), b"m").unwrap();
    assert!(
        fs::read(sandbox.dir.join("CACHEDIR.TAG"))
            .unwrap()
            .starts_with(b"Signature: 8a477f597d28d172789f06886806bc55\n")
    );
    let shard = file_of(&sandbox.dir, 1, "").parent().unwrap().to_owned();
    let foreign =
        [sandbox.dir.join("notes.txt"), shard.join(".nfs0001"), shard.join("x"), sandbox.dir.join("a1")];
    foreign.iter().for_each(|file| fs::write(file, "somebody's").unwrap());
    sandbox.store.clear().unwrap();
    assert_eq!(sandbox.store.usage().bytes, Some(0));
    assert_eq!(sandbox.store.usage().entries, 0);
    assert!((0..5).all(|n| get(&sandbox.store, n).is_none()));
    assert!(foreign.iter().all(|file| file.exists()));
    assert_eq!(files(&sandbox.dir).len(), 2);
    put(&sandbox.store, 1, 20_000).unwrap();
    let sandbox = sandbox.reopen(ROOMY);
    maintained(&sandbox.store, "one entry", || sandbox.store.usage().entries == 1);
}
