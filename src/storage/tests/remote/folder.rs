//! A folder that several users and machines share.
use cachepot_storage::remote::backend::{Backend, BackendError, get_whole};
use cachepot_storage::remote::breaker::Breaker;
use cachepot_storage::remote::folder::Folder;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;
use std::time::Instant;

const KEY: &str = "0123456789abcdef";

#[tokio::test]
async fn whoever_may_write_into_the_folder_may_do_so_everywhere_in_it() {
    for (top, below, file) in [(0o2777, 0o2777, 0o666), (0o775, 0o775, 0o664), (0o700, 0o700, 0o600)] {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(top)).unwrap();
        Folder::new(folder.path().to_path_buf()).put(KEY, b"value".to_vec()).await.unwrap();
        let mode = |path: &str| fs::metadata(folder.path().join(path)).unwrap().mode() & 0o7777;
        assert_eq!((mode("01"), mode(&format!("01/{KEY}"))), (below, file));
    }
}

#[tokio::test]
async fn what_is_no_file_is_a_miss() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Folder::new(folder.path().to_path_buf());
    fs::create_dir(folder.path().join("01")).unwrap();
    let place = folder.path().join("01").join(KEY);
    // What is empty is a file, but no value of ours.
    fs::write(&place, b"").unwrap();
    assert_eq!(backend.has(KEY).await, Ok(false));
    for make in ["mkdir", "mkfifo", "ln -s $0"] {
        let line = format!("rm -rf $0; {make} $0");
        assert!(Command::new("sh").args(["-c", &line]).arg(&place).status().unwrap().success());
        assert_eq!(get_whole(&backend, KEY).await, Ok(None), "{make}");
        assert_eq!(backend.has(KEY).await, Ok(false), "{make}");
    }
}

#[tokio::test]
async fn what_lies_in_the_place_of_a_value_keeps_that_value_out_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Folder::new(folder.path().to_path_buf());
    let mut breaker = Breaker::default();
    let now = Instant::now();
    fs::create_dir_all(folder.path().join("01").join(KEY).join("somebody's")).unwrap();
    fs::write(folder.path().join("ff"), "no folder").unwrap();
    for key in [KEY, "ffff"] {
        for _ in 0..10 {
            let refused = backend.put(key, b"value".to_vec()).await;
            assert!(matches!(refused, Err(BackendError::Obstructed(_))), "{refused:?}");
            assert!(!breaker.note(refused.as_ref().map(drop), now));
            assert_eq!(get_whole(&backend, key).await, Ok(None));
        }
    }
    assert_eq!(fs::read_dir(folder.path().join("01")).unwrap().count(), 1, "a file was left");
    assert_eq!(backend.put("01ab", b"value".to_vec()).await, Ok(()));
    assert!(backend.check().await.unwrap().write);
}

#[tokio::test]
async fn a_full_one_is_read_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "none", place]).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: no rights to mount a file system here");
        return;
    }
    let backend = Folder::new(folder.path().to_path_buf());
    backend.put(KEY, b"value".to_vec()).await.unwrap();
    let refused = backend.put("f0", vec![7; 1 << 20]).await;
    let read = get_whole(&backend, KEY).await;
    let rights = backend.check().await;
    assert!(Command::new("umount").args(["-l", place]).status().unwrap().success());
    assert!(matches!(refused, Err(BackendError::Full(_))), "{refused:?}");
    assert_eq!(read, Ok(Some(b"value".to_vec())));
    assert!(rights.unwrap().read);
}
