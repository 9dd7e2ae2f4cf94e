//! Frames: heads, bounds, and pieces of every length.
use crate::fd::Assembly;
use crate::frame::{BUILD_ID, HEAD_BYTES, MAX_PAYLOAD_BYTES, WireError, decode_head, encode};
use proptest::collection::vec;
use proptest::prelude::*;

fn fed(pieces: &[&[u8]]) -> Result<Option<(u8, Vec<u8>)>, WireError> {
    let mut assembly = Assembly::default();
    for &piece in pieces {
        let mut rest = piece;
        while !rest.is_empty() {
            assembly.fill(|buffer, _| {
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                rest = &rest[count..];
                Ok(count)
            })?;
        }
    }
    Ok(assembly.take()?.map(|(kind, payload, _)| (kind, payload)))
}

proptest! {
    #[test]
    fn frames_come_back_from_any_two_pieces(kind in any::<u8>(), payload in vec(any::<u8>(), 0..60)) {
        let frame = encode((kind, payload.clone())).unwrap();
        for at in 0..=frame.len() {
            let (head, tail) = frame.split_at(at);
            prop_assert_eq!(fed(&[head, tail]).unwrap(), Some((kind, payload.clone())));
            if at < frame.len() {
                prop_assert_eq!(fed(&[head]).unwrap(), None, "cut at {}", at);
            }
        }
    }

    #[test]
    fn any_head_is_taken_or_refused(head in vec(any::<u8>(), HEAD_BYTES)) {
        let _ = decode_head(&head.try_into().unwrap());
    }
}

fn head(magic: &[u8; 8], build: [u8; 16], length: u32) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..8].copy_from_slice(magic);
    head[8..24].copy_from_slice(&build);
    head[24] = 7;
    head[25..].copy_from_slice(&length.to_le_bytes());
    head
}

#[test]
fn heads() {
    let ours = *b"cachepot";
    assert!(matches!(decode_head(&head(&ours, BUILD_ID, 5)), Ok((7, 5))));
    assert!(matches!(decode_head(&head(b"cachepoT", BUILD_ID, 5)), Err(WireError::Malformed)));
    assert!(matches!(decode_head(&head(&ours, [0; 16], 5)), Err(WireError::OtherBuild)));
    decode_head(&head(&ours, BUILD_ID, MAX_PAYLOAD_BYTES)).unwrap();
    assert!(matches!(decode_head(&head(&ours, BUILD_ID, MAX_PAYLOAD_BYTES + 1)), Err(WireError::TooLarge)));
    // The magic and the place of the build never change: this is how any two builds tell that they differ.
    let frame = encode((1, Vec::new())).unwrap();
    assert_eq!((&frame[..8], &frame[8..24]), (&ours[..], &BUILD_ID[..]));
    assert!(BUILD_ID.iter().all(u8::is_ascii_hexdigit), "{BUILD_ID:?}");
}

#[test]
fn payloads_over_the_limit_are_not_sent() {
    let payload = vec![0; MAX_PAYLOAD_BYTES as usize + 1];
    assert!(matches!(encode((1, payload)), Err(WireError::TooLarge)));
}

#[test]
fn frames_of_many_reads_come_together() {
    let payload: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
    let frame = encode((1, payload.clone())).unwrap();
    let pieces: Vec<&[u8]> = frame.chunks(7_001).collect();
    assert_eq!(fed(&pieces).unwrap(), Some((1, payload)));
}

/// A head that announces much costs no memory before the bytes are there.
#[test]
fn announced_bytes_are_not_believed() {
    let mut assembly = Assembly::default();
    let head = head(b"cachepot", BUILD_ID, MAX_PAYLOAD_BYTES);
    for piece in [&head[..], b"x"] {
        let give = |buffer: &mut [u8], _: &mut Vec<_>| {
            assert!(buffer.len() <= 17 << 20);
            buffer[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        };
        assembly.fill(give).unwrap();
        assert!(assembly.take().unwrap().is_none());
    }
}

#[test]
fn more_than_one_frame_is_refused() {
    let mut two = encode((1, b"x".to_vec())).unwrap();
    two.push(0);
    assert!(matches!(fed(&[&two]), Err(WireError::Malformed)));
}

#[test]
fn the_end_of_the_stream_is_an_error() {
    let ended = Assembly::default().fill(|_, _| Ok(0));
    assert!(matches!(ended, Err(WireError::Io(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof));
}
