//! Digests: blake3 with a domain per kind of key, every field length-prefixed.
use std::fmt;

/// A blake3 digest, 32 bytes; shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of plain content (a file, a blob).
    pub fn of(content: &[u8]) -> Self {
        Digest(*blake3::hash(content).as_bytes())
    }
    /// Parses 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return None;
        }
        blake3::Hash::from_hex(text).ok().map(|hash| Digest(*hash.as_bytes()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The first 12 digits are what logs show too.
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().get(..12).unwrap_or_default())
    }
}

/// Builds a key from tagged, length-prefixed fields: no two different lists of fields feed the same bytes.
pub struct KeyBuilder(blake3::Hasher);

impl KeyBuilder {
    /// Starts a key of one kind. `domain` names the kind and its version; keys of two domains never meet.
    pub fn new(domain: &str) -> Self {
        KeyBuilder(blake3::Hasher::new_derive_key(domain))
    }
    /// Adds one field.
    pub fn field(&mut self, tag: &str, value: &[u8]) -> &mut Self {
        self.0.update(&[u8::try_from(tag.len()).unwrap_or(u8::MAX)]);
        self.0.update(tag.as_bytes());
        self.0.update(&(value.len() as u64).to_le_bytes());
        self.0.update(value);
        self
    }
    /// Adds a list: its length, then its fields, so that lists keep their borders.
    pub fn list(&mut self, tag: &str, values: impl ExactSizeIterator<Item = impl AsRef<[u8]>>) -> &mut Self {
        self.field(tag, &(values.len() as u64).to_le_bytes());
        for value in values {
            self.field("", value.as_ref());
        }
        self
    }
    /// The key.
    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

/// Computes [`Digest::of`] of content that comes in parts.
#[derive(Default)]
pub struct ContentHasher(blake3::Hasher);

impl ContentHasher {
    /// Takes the next part.
    pub fn update(&mut self, part: &[u8]) -> &mut Self {
        self.0.update(part);
        self
    }
    /// The digest of all parts so far.
    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}
