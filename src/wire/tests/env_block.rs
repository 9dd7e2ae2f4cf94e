//! The environment as it travels.
use crate::env_block::EnvBlock;
use std::ffi::OsStr;

#[test]
fn variables_are_found_wherever_they_are() {
    // Every length up to some words, so that ends lie at every place of one.
    for length in 0..40 {
        let value = "v".repeat(length);
        let block = format!("A={value}\0\0AB=\0=C=1\0noise\0AB=2\0A=3\0Z=z");
        let env = EnvBlock(block.into_bytes());
        for (name, expected) in [
            ("A", Some(value.as_str())),
            ("AB", Some("")),
            ("=C", Some("1")),
            ("Z", Some("z")),
            ("noise", None),
            ("B", None),
            ("v", None),
        ] {
            assert_eq!(env.get(name), expected.map(OsStr::new), "{name} {length}");
        }
        let names: Vec<_> = env.iter().map(|(name, _)| name.to_str().unwrap().to_owned()).collect();
        assert_eq!(names, ["A", "AB", "=C", "AB", "A", "Z"]);
    }
    assert_eq!(EnvBlock::default().get("A"), None);
    let zeros = EnvBlock([b"A=\xff\x80\x01\0".as_slice(), b"B=\x01\x80\0"].concat());
    assert_eq!(zeros.get("B").map(OsStr::as_encoded_bytes), Some(&b"\x01\x80"[..]));
}
