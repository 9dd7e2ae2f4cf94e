//! Signed and encrypted objects: what was written comes back to those who may read it, and nothing else does.
use cachepot_engine::digest::Digest;
use cachepot_storage::remote::guard::{Guard, GuardError, GuardSettings, generate};
use proptest::prelude::*;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const KEY: Digest = Digest([1; 32]);

/// Key files of a team.
struct Keys {
    folder: TempDir,
}

impl Keys {
    fn new() -> Self {
        Keys { folder: tempfile::tempdir().unwrap() }
    }
    fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }
    /// A key to sign with, and its public one.
    fn pair(&self, name: &str) -> (PathBuf, String) {
        let (secret, public) = generate().unwrap();
        (self.file(name, &secret, 0o600), public)
    }
}

fn guard(sign: Option<&Path>, trusted: &[&str], encrypt: Option<&Path>) -> Guard {
    Guard::new(&GuardSettings {
        sign_key_file: sign.map(Path::to_owned),
        trusted_keys: trusted.iter().map(|key| (*key).to_owned()).collect(),
        encryption_key_file: encrypt.map(Path::to_owned),
    })
    .unwrap()
}

proptest! {
    #[test]
    fn no_changed_object_is_opened(object in prop::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>(),
                                   bit in 0_u8..8, cut in any::<bool>(), encrypts in any::<bool>()) {
        let keys = Keys::new();
        let (sign, _) = keys.pair("sign");
        let (secret, _) = keys.pair("encrypt");
        let guard = guard(Some(&sign), &[], encrypts.then_some(secret.as_path()));
        let mut guarded = guard.protect(&KEY, object.clone()).unwrap();
        prop_assert_eq!(guard.open(&KEY, guarded.clone()), Ok(object));
        prop_assert!(guard.open(&Digest([2; 32]), guarded.clone()).is_err());
        let at = at.index(guarded.len());
        if cut { guarded.truncate(at) } else { guarded[at] ^= 1 << bit }
        prop_assert!(guard.open(&KEY, guarded).is_err());
    }

    #[test]
    fn any_bytes_are_answered_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), head in any::<bool>()) {
        let keys = Keys::new();
        let (secret, public) = keys.pair("a");
        let bytes = if head { [b"cpguard1".as_slice(), &bytes].concat() } else { bytes };
        prop_assert!(guard(None, &[&public], None).open(&KEY, bytes.clone()).is_err());
        prop_assert!(guard(None, &[], Some(&secret)).open(&KEY, bytes.clone()).is_err());
        let _ = guard(None, &[], None).open(&KEY, bytes);
    }
}

#[test]
fn t285_only_those_who_are_trusted_are_believed() {
    let keys = Keys::new();
    let ((ours, our_name), (theirs, their_name)) = (keys.pair("ours"), keys.pair("theirs"));
    let object = b"object".to_vec();
    let by_them = guard(Some(&theirs), &[], None).protect(&KEY, object.clone()).unwrap();
    let by_nobody = guard(None, &[], None).protect(&KEY, object.clone()).unwrap();
    assert_eq!(by_nobody, object);
    let us = guard(Some(&ours), &[], None);
    assert_eq!(us.open(&KEY, by_them.clone()), Err(GuardError::Untrusted));
    assert_eq!(us.open(&KEY, by_nobody.clone()), Err(GuardError::Unsigned));
    for trusting in [guard(Some(&ours), &[&their_name], None), guard(None, &[&our_name, &their_name], None)] {
        assert_eq!(trusting.open(&KEY, by_them.clone()), Ok(object.clone()));
        assert_eq!(trusting.open(&KEY, by_nobody.clone()), Err(GuardError::Unsigned));
    }
    // A signature that claims to be of somebody else.
    let mut forged = by_them.clone();
    let end = forged.len() - 96;
    forged[end..end + 32].copy_from_slice(&Digest::parse(&our_name).unwrap().0);
    assert_eq!(us.open(&KEY, forged), Err(GuardError::Untrusted));
    // Who has no keys believes everybody, and can read what is signed.
    assert_eq!(guard(None, &[], None).open(&KEY, by_them), Ok(object));
}

#[test]
fn what_is_encrypted_is_found_and_read_by_nobody_else() {
    let keys = Keys::new();
    let ((one, _), (other, _)) = (keys.pair("one"), keys.pair("other"));
    let (ours, theirs, open) =
        (guard(None, &[], Some(&one)), guard(None, &[], Some(&other)), guard(None, &[], None));
    let object = b"secret source".repeat(10);
    let guarded = ours.protect(&KEY, object.clone()).unwrap();
    assert!(!guarded.windows(6).any(|part| part == b"secret"));
    assert_ne!(guarded, ours.protect(&KEY, object.clone()).unwrap(), "a nonce came twice");
    assert_eq!(ours.open(&KEY, guarded.clone()), Ok(object.clone()));
    for stranger in [&theirs, &open] {
        assert_eq!(stranger.open(&KEY, guarded.clone()), Err(GuardError::Unreadable));
    }
    assert_eq!(ours.open(&KEY, object), Err(GuardError::Unreadable));
    let names = [ours.name(&KEY), theirs.name(&KEY), open.name(&KEY)];
    assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2], "{names:?}");
    assert_eq!(ours.name(&KEY), names[0]);
    assert!(!format!("{ours:?}").contains(&fs::read_to_string(one).unwrap()));
}

#[test]
fn keys_that_cannot_be_used_are_refused_with_the_reason() {
    let keys = Keys::new();
    let (secret, _) = generate().unwrap();
    for (file, reason) in [
        (keys.file("open", &secret, 0o644), "chmod 600"),
        (keys.file("short", "abc", 0o600), "no key"),
        (keys.folder.path().join("none"), "No such file"),
    ] {
        let sign = GuardSettings { sign_key_file: Some(file.clone()), ..GuardSettings::default() };
        let encrypt = GuardSettings { encryption_key_file: Some(file), ..GuardSettings::default() };
        for settings in [sign, encrypt] {
            let error = Guard::new(&settings).unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains(&secret), "{error}");
        }
    }
    let trusted = GuardSettings { trusted_keys: vec!["nobody".to_owned()], ..GuardSettings::default() };
    assert_eq!(Guard::new(&trusted).unwrap_err().setting, "trusted_keys");
    let (_, public) = generate().unwrap();
    let file = keys.file("public", &format!("{public}\n"), 0o644);
    let named = GuardSettings { trusted_keys: vec![file.display().to_string()], ..GuardSettings::default() };
    assert!(Guard::new(&named).is_ok());
}

#[test]
fn a_key_of_the_wrong_kind_is_noticed_where_its_pair_is_at_hand() {
    let keys = Keys::new();
    let (secret, public) = generate().unwrap();
    let (sign, open) = (keys.file("sign.key", &secret, 0o600), keys.file("sign.pub", &public, 0o644));
    let refusal = |sign: Option<&PathBuf>, trusted: &[&str], encrypt: Option<&PathBuf>| {
        let error = Guard::new(&GuardSettings {
            sign_key_file: sign.cloned(),
            trusted_keys: trusted.iter().map(|key| (*key).to_owned()).collect(),
            encryption_key_file: encrypt.cloned(),
        });
        let error = error.unwrap_err().to_string();
        assert!(!error.contains(&secret), "{error}");
        error
    };
    let private = "private key, which nobody else may know";
    assert!(refusal(None, &[sign.to_str().unwrap()], None).contains(private));
    assert!(refusal(Some(&sign), &[&secret], None).contains(private));
    assert!(refusal(None, &[&public, &secret], None).contains(private));
    assert!(refusal(Some(&open), &[], None).contains("it holds a public key"));
    assert!(refusal(None, &[], Some(&open)).contains("it holds a public key"));
    let elsewhere = keys.file("other", &public, 0o600);
    assert!(refusal(None, &[&public], Some(&elsewhere)).contains("it holds a public key"));
    // As they are to be.
    let _ = guard(Some(&sign), &[&public, open.to_str().unwrap()], None);
}

#[test]
fn what_comes_in_pieces_is_opened_as_what_is_there_at_once() {
    let keys = Keys::new();
    let ((sign, public), (cipher, _)) = (keys.pair("sign"), keys.pair("cipher"));
    let object = b"object".repeat(1000);
    let read = |guard: &Guard, bytes: &[u8]| {
        let mut opened = Vec::new();
        guard.read(&KEY, bytes)?.read_to_end(&mut opened).unwrap();
        Ok::<_, GuardError>(opened)
    };
    let (signs, encrypts) = (guard(Some(&sign), &[], None), guard(None, &[], Some(&cipher)));
    for (writer, reader, is_checked) in [
        (&signs, &guard(None, &[&public], None), true),
        (&signs, &Guard::default(), false),
        (&encrypts, &encrypts, true),
        (&Guard::default(), &Guard::default(), false),
    ] {
        let mut guarded = writer.protect(&KEY, object.clone()).unwrap();
        assert_eq!(read(reader, &guarded).as_ref(), Ok(&object));
        // The last byte is looked at before the first is given.
        *guarded.last_mut().unwrap() ^= 1;
        assert_eq!(read(reader, &guarded).is_err(), is_checked);
    }
    assert_eq!(read(&guard(None, &[&public], None), &object), Err(GuardError::Unsigned));
}
