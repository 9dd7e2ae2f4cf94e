//! One coordinator at a place.
use super::*;

/// The file system may give the successor's file the number that the first one had.
#[test]
fn a_successor_s_file_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name| folder.path().join(name);
    let places = Places { folder: at(""), socket: at("c.sock"), lock: at("lock"), scratch: at("scratch") };
    for _ in 0..20 {
        let (listener, first) = bind(&places).unwrap();
        drop(listener);
        let (_listener, second) = bind(&places).unwrap();
        first.remove();
        assert!(places.socket.exists());
        second.remove();
        assert!(!places.socket.exists());
    }
}
