//! The content of an object, unpacked as it comes: neither the object nor its content need be in memory at once. Believes nothing:
//! sizes are limits, and what it gives is not verified before [`Content::finish`] says so.
use std::io::{self, BufReader, Read};

use cachepot_engine::digest::Digest;
use cachepot_engine::envelope::{Kind, Payload};
use zstd::stream::read::Decoder;

use super::bundle::{BundleError, MAX_CONTENT_BYTES};

/// Windows above this size are none of ours; each reader would have to allocate one.
const WINDOW_LOG_MAX: u32 = 23;

/// See the file's head.
pub(super) struct Content<'a, R: Read> {
    unpacked: io::Take<Decoder<'a, BufReader<Payload<R>>>>,
}

impl<R: Read> Content<'_, R> {
    /// Reads what stands before the content.
    pub(super) fn open(key: &Digest, object: R) -> Result<Self, BundleError> {
        let mut payload = Payload::open(Kind::Bundle, key, object)?;
        let mut size = [0; 8];
        payload.read_exact(&mut size)?;
        let size = u64::from_le_bytes(size);
        if size > MAX_CONTENT_BYTES {
            return Err(BundleError::TooLarge);
        }
        let mut decoder = Decoder::new(payload)?;
        decoder.window_log_max(WINDOW_LOG_MAX)?;
        Ok(Content { unpacked: decoder.take(size) })
    }

    /// Checks that all of the content was read, that there is no more of it, and that the object is what was written.
    pub(super) fn finish(self) -> Result<(), BundleError> {
        let is_all = self.unpacked.limit() == 0;
        let mut decoder = self.unpacked.into_inner();
        if !is_all || decoder.read(&mut [0])? != 0 {
            return Err(BundleError::Malformed("another size"));
        }
        let mut object = decoder.finish().into_inner().finish()?;
        if object.read(&mut [0])? == 0 { Ok(()) } else { Err(BundleError::Malformed("bytes after the end")) }
    }
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.unpacked.read(to)
    }
}
