//! Where the socket is, by the environment.
use crate::env_block::EnvBlock;
use crate::socket::{Places, check_owner, make_folder, places};
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn of(env: &[(&str, &str)]) -> Places {
    places(&EnvBlock::from_pairs(env.iter().map(|(n, v)| (OsStr::new(*n), OsStr::new(*v)))), 7)
}

#[test]
fn the_environment_decides() {
    let runtime = tempfile::tempdir().unwrap();
    let runtime = runtime.path().to_str().unwrap();
    let in_runtime = |name: &str| format!("{runtime}/cachepot/{name}");
    let rows: &[(&[(&str, &str)], String)] = &[
        (&[], "/tmp/cachepot-7/coordinator.sock".into()),
        (&[("TMPDIR", "/t")], "/t/cachepot-7/coordinator.sock".into()),
        (&[("TMPDIR", "")], "/tmp/cachepot-7/coordinator.sock".into()),
        // A relative folder would mean another coordinator in every working directory.
        (&[("TMPDIR", "t")], "/tmp/cachepot-7/coordinator.sock".into()),
        (&[("XDG_RUNTIME_DIR", runtime), ("TMPDIR", "/t")], in_runtime("coordinator.sock")),
        (&[("XDG_RUNTIME_DIR", "/nonexistent")], "/tmp/cachepot-7/coordinator.sock".into()),
        (&[("XDG_RUNTIME_DIR", "")], "/tmp/cachepot-7/coordinator.sock".into()),
        (&[("XDG_RUNTIME_DIR", ".")], "/tmp/cachepot-7/coordinator.sock".into()),
        (&[("CACHEPOT_COORDINATOR_PORT", "4226")], "/tmp/cachepot-7/coordinator.sock".into()),
        (&[("CACHEPOT_COORDINATOR_PORT", "5")], "/tmp/cachepot-7/coordinator-5.sock".into()),
        (&[("CACHEPOT_COORDINATOR_PORT", " 05 ")], "/tmp/cachepot-7/coordinator-5.sock".into()),
        (&[("CACHEPOT_COORDINATOR_PORT", "65535")], "/tmp/cachepot-7/coordinator-65535.sock".into()),
        (&[("CACHEPOT_COORDINATOR_PORT", "65536")], "/tmp/cachepot-7/coordinator.sock".into()),
        (&[("CACHEPOT_COORDINATOR_PORT", "abc")], "/tmp/cachepot-7/coordinator.sock".into()),
        (&[("CACHEPOT_COORDINATOR_PORT", "../x")], "/tmp/cachepot-7/coordinator.sock".into()),
        (&[("CACHEPOT_COORDINATOR_PORT", "")], "/tmp/cachepot-7/coordinator.sock".into()),
        (&[("CACHEPOT_SERVER_UDS", "/x/y"), ("CACHEPOT_COORDINATOR_PORT", "5")], "/x/y".into()),
        (&[("CACHEPOT_SERVER_UDS", ""), ("TMPDIR", "/t")], "/t/cachepot-7/coordinator.sock".into()),
    ];
    for (env, socket) in rows {
        let places = of(env);
        assert_eq!(places.socket, Path::new(socket), "{env:?}");
        assert_eq!(places.lock, Path::new(&format!("{socket}.lock")));
        assert_eq!(places.scratch, Path::new(&format!("{socket}.d")));
        assert_eq!(places.folder, places.socket.parent().unwrap());
    }
    assert!(of(&[("CACHEPOT_SERVER_UDS", "here")]).socket.is_absolute());
}

/// Trap T238: both sides fall back to the same short name, and two long ones to two.
#[test]
fn too_long_paths_get_a_short_name() {
    let long = |end: &str| format!("/{}{end}", "d".repeat(110));
    let one = of(&[("CACHEPOT_SERVER_UDS", &long("1"))]);
    assert!(one.socket.as_os_str().len() <= 107);
    assert_eq!(one.folder, Path::new("/tmp/cachepot-7"));
    assert_eq!(one, of(&[("CACHEPOT_SERVER_UDS", &long("1"))]));
    assert_ne!(one, of(&[("CACHEPOT_SERVER_UDS", &long("2"))]));
    assert_eq!(of(&[("TMPDIR", &long(""))]).folder, one.folder);
    // The coordinator is told the short one, and finds the same places by it.
    assert_eq!(of(&[("CACHEPOT_SERVER_UDS", one.socket.to_str().unwrap())]), one);
    let longest = format!("/{}", "d".repeat(106));
    assert_eq!(of(&[("CACHEPOT_SERVER_UDS", &longest)]).socket, Path::new(&longest));
}

#[test]
fn folders_are_private_and_owners_checked() {
    let base = tempfile::tempdir().unwrap();
    let folder = base.path().join("f");
    make_folder(&folder).unwrap();
    make_folder(&folder).unwrap();
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let uid = crate::fd::own_uid();
    check_owner(&folder, uid).unwrap();
    check_owner(&folder, uid + 1).unwrap_err();
    check_owner(&base.path().join("absent"), uid).unwrap_err();
    make_folder(&base.path().join("a/b")).unwrap_err();
}
