//! Cuts a log into records.
use super::Distrust;
use super::format::{HEAD_BYTES, TAIL_BYTES};

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

/// All records in order.
pub(super) fn records(mut log: &[u8]) -> Result<Vec<Record<'_>>, Distrust> {
    let mut records = Vec::new();
    while !log.is_empty() {
        let (record, rest) = first(log).ok_or(Distrust::Damaged)?;
        records.push(record);
        log = rest;
    }
    Ok(records)
}

fn first(log: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (length, _) = log.split_first_chunk()?;
    let (whole, rest) = log.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let (head, body) = whole.split_first_chunk::<HEAD_BYTES>()?;
    let (text, tail) = body.split_last_chunk::<TAIL_BYTES>()?;
    let [_, _, _, _, op, detail, e, f, p, q, r, s, w, x, y, z] = *head;
    let record = Record {
        op,
        detail,
        error: u16::from_le_bytes([e, f]),
        process: u32::from_le_bytes([p, q, r, s]),
        number: u32::from_le_bytes([w, x, y, z]),
        text,
    };
    (tail == length).then_some((record, rest))
}
