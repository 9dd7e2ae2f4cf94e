//! Who may have written what a remote holds, and who may read it: signatures (Ed25519) and encryption (AES-256-GCM), both
//! by ring, both only where the user has keys for them.
//!
//! ```text
//! guarded  = "cpguard1" flags:u8 body [signer signature]
//! flags    = 1 signed | 2 encrypted
//! body     = object, or nonce:12 sealed(object)
//! signer   = 32 bytes, the public key;  signature = 64 bytes, of context, key, and all bytes before it
//! ```
//! The key of the object is signed and sealed with it, so that no object can stand for another. Objects without this head are
//! those of users without keys.
use std::fmt;
use std::fs;
use std::io::{Cursor, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cachepot_engine::digest::{Digest, KeyBuilder};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::backend::UnusableSetting;

const MAGIC: &[u8] = b"cpguard1";
const SIGNED: u8 = 1;
const ENCRYPTED: u8 = 2;
const CONTEXT: &[u8] = b"cachepot remote object 1";
const PUBLIC_KEY_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;

/// Where keys are. Each file holds one line of 64 hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardSettings {
    /// What is written is signed with the key in this file.
    pub sign_key_file: Option<PathBuf>,
    /// Public keys, as digits or as names of files. Where there are any, or a key to sign with, nothing else is believed.
    pub trusted_keys: Vec<String>,
    /// What is written is encrypted with the key in this file, and nothing else is read.
    pub encryption_key_file: Option<PathBuf>,
}

/// See the file's head.
#[derive(Default)]
pub struct Guard {
    signer: Option<Ed25519KeyPair>,
    trusted: Vec<[u8; PUBLIC_KEY_BYTES]>,
    cipher: Option<(LessSafeKey, [u8; 32])>,
}

/// Why an object is not believed: a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// It has no signature, and one is needed.
    #[error("it is not signed")]
    Unsigned,
    /// The signature is of nobody who is trusted, or wrong.
    #[error("it is not signed by anybody who is trusted")]
    Untrusted,
    /// It is encrypted and should not be, or the other way round, or with another key.
    #[error("it cannot be decrypted with this key")]
    Unreadable,
    /// It is no object.
    #[error("it is cut short")]
    Malformed,
}

impl Guard {
    /// Reads the keys.
    ///
    /// # Errors
    /// [`UnusableSetting`] for a file that cannot be read, that others may read, or that holds no key: then no remote may
    /// be used.
    pub fn new(settings: &GuardSettings) -> Result<Self, UnusableSetting> {
        let secret = |setting, path: &Option<PathBuf>| {
            path.as_deref().map(|path| secret_key(setting, path)).transpose()
        };
        let signer = secret("sign_key_file", &settings.sign_key_file)?;
        let unusable =
            |_| UnusableSetting { setting: "sign_key_file", reason: "ring takes no such key".to_owned() };
        let signer =
            signer.map(|seed| Ed25519KeyPair::from_seed_unchecked(&seed).map_err(unusable)).transpose()?;
        let mut trusted: Vec<_> =
            settings.trusted_keys.iter().map(|key| public_key(key)).collect::<Result<_, _>>()?;
        let own = signer.as_ref().map(|signer| <[u8; 32]>::try_from(signer.public_key().as_ref()));
        trusted.extend(own.and_then(Result::ok));
        let key = secret("encryption_key_file", &settings.encryption_key_file)?;
        tell_apart(&trusted, key.as_ref())?;
        let cipher =
            key.and_then(|key| Some((LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?), key)));
        Ok(Guard { signer, trusted, cipher })
    }

    /// The same for what is named by the digests of its content: who wrote it does not matter, and where those digests come from
    /// is signed.
    pub fn without_signatures(&self) -> Guard {
        Guard { signer: None, trusted: Vec::new(), cipher: self.cipher.clone() }
    }

    /// The name of an object. Encrypted ones have names of their own, which tell nothing to others.
    pub fn name(&self, key: &Digest) -> String {
        match &self.cipher {
            None => key.to_string(),
            Some((_, secret)) => KeyBuilder::new("cachepot encrypted name 1")
                .field("secret", secret)
                .field("key", &key.0)
                .finish()
                .to_string(),
        }
    }

    /// An object as it is to be written; `None` where the system has no random numbers.
    pub fn protect(&self, key: &Digest, object: Vec<u8>) -> Option<Vec<u8>> {
        if self.signer.is_none() && self.cipher.is_none() {
            return Some(object);
        }
        let flags =
            self.signer.as_ref().map_or(0, |_| SIGNED) | self.cipher.as_ref().map_or(0, |_| ENCRYPTED);
        let mut guarded = [MAGIC, &[flags]].concat();
        match &self.cipher {
            None => guarded.extend_from_slice(&object),
            Some((cipher, _)) => {
                let mut nonce = [0; NONCE_LEN];
                SystemRandom::new().fill(&mut nonce).ok()?;
                let mut sealed = object;
                let aad = Aad::from([CONTEXT, &key.0].concat());
                cipher
                    .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
                    .ok()?;
                guarded.extend_from_slice(&nonce);
                guarded.extend_from_slice(&sealed);
            }
        }
        if let Some(signer) = &self.signer {
            let signature = signer.sign(&signed(key, &guarded));
            guarded.extend_from_slice(signer.public_key().as_ref());
            guarded.extend_from_slice(signature.as_ref());
        }
        Some(guarded)
    }

    /// The object in what comes from a remote. One that is not guarded is handed on as it comes; of all others ring takes the
    /// whole, since no part can be verified by itself.
    ///
    /// # Errors
    /// [`GuardError`].
    pub fn read<'a>(&self, key: &Digest, mut from: impl Read + 'a) -> Result<Box<dyn Read + 'a>, GuardError> {
        let (is_open, mut bytes) = (self.trusted.is_empty() && self.cipher.is_none(), Vec::new());
        let mut beginning = from.by_ref().take(MAGIC.len() as u64);
        beginning.read_to_end(&mut bytes).map_err(|_| GuardError::Malformed)?;
        if is_open && bytes != MAGIC {
            return Ok(Box::new(Cursor::new(bytes).chain(from)));
        }
        from.read_to_end(&mut bytes).map_err(|_| GuardError::Malformed)?;
        Ok(Box::new(Cursor::new(self.open(key, bytes)?)))
    }

    /// The object in what a remote holds.
    ///
    /// # Errors
    /// [`GuardError`].
    pub fn open(&self, key: &Digest, mut bytes: Vec<u8>) -> Result<Vec<u8>, GuardError> {
        let Some(&flags) = bytes.strip_prefix(MAGIC).map(|rest| rest.first().unwrap_or(&0)) else {
            return match (self.trusted.is_empty(), self.cipher.is_some()) {
                (false, _) => Err(GuardError::Unsigned),
                (true, true) => Err(GuardError::Unreadable),
                (true, false) => Ok(bytes),
            };
        };
        self.verify(key, flags, &mut bytes)?;
        let mut body = bytes.split_off((MAGIC.len() + 1).min(bytes.len()));
        match (&self.cipher, flags & ENCRYPTED != 0) {
            (None, false) => Ok(body),
            (Some((cipher, _)), true) => {
                let sealed = body.split_off(NONCE_LEN.min(body.len()));
                let nonce = body.try_into().map_err(|_| GuardError::Malformed)?;
                let (mut sealed, aad) = (sealed, Aad::from([CONTEXT, &key.0].concat()));
                let opened = cipher.open_in_place(Nonce::assume_unique_for_key(nonce), aad, &mut sealed);
                let length = opened.map_err(|_| GuardError::Unreadable)?.len();
                sealed.truncate(length);
                Ok(sealed)
            }
            _ => Err(GuardError::Unreadable),
        }
    }

    /// Checks the signature where one is needed, and takes it off.
    fn verify(&self, key: &Digest, flags: u8, bytes: &mut Vec<u8>) -> Result<(), GuardError> {
        if flags & SIGNED == 0 {
            return if self.trusted.is_empty() { Ok(()) } else { Err(GuardError::Unsigned) };
        }
        let end = bytes.len().checked_sub(PUBLIC_KEY_BYTES + SIGNATURE_BYTES).ok_or(GuardError::Malformed)?;
        let proof = bytes.split_off(end);
        let (signer, signature) = proof.split_at(PUBLIC_KEY_BYTES);
        // Without trusted keys everybody is believed, as without signatures.
        if self.trusted.is_empty() {
            return Ok(());
        }
        let is_trusted = self.trusted.iter().any(|trusted| trusted == signer);
        let verified = UnparsedPublicKey::new(&ED25519, signer).verify(&signed(key, bytes), signature);
        if is_trusted && verified.is_ok() { Ok(()) } else { Err(GuardError::Untrusted) }
    }
}

impl fmt::Debug for Guard {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (signs, encrypts) = (self.signer.is_some(), self.cipher.is_some());
        write!(f, "Guard {{ signs: {signs}, trusts: {}, encrypts: {encrypts} }}", self.trusted.len())
    }
}

/// The bytes that a signature is of.
fn signed(key: &Digest, guarded: &[u8]) -> Vec<u8> {
    [CONTEXT, &key.0, guarded].concat()
}

/// A new secret key, in digits, and the public key that belongs to it where it is one to sign with.
///
/// # Errors
/// Where the system has no random numbers.
pub fn generate() -> Result<(String, String), UnusableSetting> {
    let unusable =
        |_| UnusableSetting { setting: "random numbers", reason: "the system has none".to_owned() };
    let mut seed = [0; 32];
    SystemRandom::new().fill(&mut seed).map_err(unusable)?;
    let unusable = |_| UnusableSetting { setting: "key", reason: "ring takes no such key".to_owned() };
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(unusable)?;
    let public: [u8; 32] = pair.public_key().as_ref().try_into().unwrap_or_default();
    Ok((Digest(seed).to_string(), Digest(public).to_string()))
}

fn secret_key(setting: &'static str, path: &Path) -> Result<[u8; 32], UnusableSetting> {
    let unusable =
        |reason: String| UnusableSetting { setting, reason: format!("{}: {reason}", path.display()) };
    let metadata = fs::metadata(path).map_err(|error| unusable(error.to_string()))?;
    let public = beside(path, "key").and_then(|secret| public_of(&secret));
    if public.is_some() && public == key_in(path) {
        return Err(unusable("it holds a public key; name the file of the private one".to_owned()));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(unusable("others may read it; `chmod 600` it".to_owned()));
    }
    let text = fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    let key =
        Digest::parse(text.trim()).ok_or_else(|| unusable("it holds no key of 64 digits".to_owned()))?;
    Ok(key.0)
}

/// All keys look the same; where both of a pair are at hand it shows which is which.
///
/// # Errors
/// [`UnusableSetting`] for a private key among public ones, and for a public one that is to be a secret.
fn tell_apart(trusted: &[[u8; PUBLIC_KEY_BYTES]], secret: Option<&[u8; 32]>) -> Result<(), UnusableSetting> {
    if trusted.iter().any(|key| public_of(key).is_some_and(|public| trusted.contains(&public))) {
        return Err(UnusableSetting {
            setting: "trusted_keys",
            reason: "one is a private key, which nobody else may know; give the public one".to_owned(),
        });
    }
    if secret.is_some_and(|secret| trusted.contains(secret)) {
        return Err(UnusableSetting {
            setting: "encryption_key_file",
            reason: "it holds a public key, which anybody may know".to_owned(),
        });
    }
    Ok(())
}

fn public_of(secret: &[u8; 32]) -> Option<[u8; PUBLIC_KEY_BYTES]> {
    Ed25519KeyPair::from_seed_unchecked(secret).ok()?.public_key().as_ref().try_into().ok()
}

/// The key in a file beside this one, by the names of `--generate-keys`.
fn beside(path: &Path, extension: &str) -> Option<[u8; 32]> {
    key_in(&path.with_extension(extension))
}

fn key_in(path: &Path) -> Option<[u8; 32]> {
    Digest::parse(fs::read_to_string(path).ok()?.trim()).map(|key| key.0)
}

fn public_key(key: &str) -> Result<[u8; 32], UnusableSetting> {
    let unusable =
        |reason: String| UnusableSetting { setting: "trusted_keys", reason: format!("{key}: {reason}") };
    if let Some(Digest(key)) = Digest::parse(key) {
        return Ok(key);
    }
    let text = fs::read_to_string(key).map_err(|error| unusable(error.to_string()))?;
    let found =
        Digest::parse(text.trim()).ok_or_else(|| unusable("it holds no key of 64 digits".to_owned()))?;
    if beside(Path::new(key), "pub").is_some_and(|public| public_of(&found.0) == Some(public)) {
        let reason = "it holds a private key, which nobody else may know; name the file of the public one";
        return Err(unusable(reason.to_owned()));
    }
    Ok(found.0)
}
