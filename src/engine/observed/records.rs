//! Cuts a log into records.
use super::Distrust;
use super::format::{ALIGN, BROKEN_AT, HEAD_BYTES, LOG_HEAD_BYTES, MAGIC, USED_AT};

/// One record, as [`super::format`] says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) op: u8,
    pub(super) detail: u8,
    pub(super) error: u16,
    pub(super) process: u32,
    pub(super) number: u32,
    text: &'a [u8],
}

impl<'a> Record<'a> {
    /// The strings of the text, at least one.
    pub(super) fn texts(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.text.split(|&byte| byte == 0)
    }

    /// The first string.
    pub(super) fn text(&self) -> &'a [u8] {
        self.texts().next().unwrap_or_default()
    }

    /// The second string, if it is not empty.
    pub(super) fn second(&self) -> Option<&'a [u8]> {
        self.texts().nth(1).filter(|text| !text.is_empty())
    }
}

/// How many bytes of a log are in use, by its head.
pub(super) fn used_bytes(head: &[u8; LOG_HEAD_BYTES]) -> Result<u64, Distrust> {
    let broken = head.get(BROKEN_AT..BROKEN_AT + 4).and_then(|bytes| bytes.first_chunk());
    let used = head.get(USED_AT..USED_AT + 8).and_then(|bytes| bytes.first_chunk());
    let (Some(&broken), Some(&used)) = (broken, used) else { return Err(Distrust::Damaged) };
    if !head.starts_with(&MAGIC) {
        return Err(Distrust::Version);
    }
    if u32::from_le_bytes(broken) != 0 {
        return Err(Distrust::Incomplete);
    }
    u64::from_le_bytes(used).checked_add(LOG_HEAD_BYTES as u64).ok_or(Distrust::Damaged)
}

/// All records in order.
pub(super) fn records(log: &[u8]) -> Result<Vec<Record<'_>>, Distrust> {
    let (head, _) = log.split_first_chunk().ok_or(Distrust::Damaged)?;
    let end = usize::try_from(used_bytes(head)?).map_err(|_| Distrust::Damaged)?;
    let mut rest = log.get(LOG_HEAD_BYTES..end).ok_or(Distrust::Damaged)?;
    let mut records = Vec::new();
    while !rest.is_empty() {
        let (record, behind) = first(rest).ok_or(Distrust::Damaged)?;
        records.push(record);
        rest = behind;
    }
    Ok(records)
}

/// A record that was begun and not finished has the length 0.
fn first(log: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (length, _) = log.split_first_chunk()?;
    let length = u32::from_le_bytes(*length) as usize;
    let (head, text) = log.get(..length)?.split_first_chunk::<HEAD_BYTES>()?;
    let [_, _, _, _, op, detail, e, f, p, q, r, s, w, x, y, z] = *head;
    let record = Record {
        op,
        detail,
        error: u16::from_le_bytes([e, f]),
        process: u32::from_le_bytes([p, q, r, s]),
        number: u32::from_le_bytes([w, x, y, z]),
        text,
    };
    Some((record, log.get(length.next_multiple_of(ALIGN)..)?))
}
