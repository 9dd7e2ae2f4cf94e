//! Packing in a process of its own, without the process.
use crate::contract::noise;
use crate::{JOB, RESULT, job};
use cachepot_engine::digest::Digest;
use cachepot_storage::remote::blobs::Blob;
use cachepot_storage::remote::bundle::JobBundle;
use cachepot_storage::remote::packing::{Content, serve};
use proptest::prelude::*;

/// The answers to questions.
fn answers(questions: &[(Digest, &Content)]) -> Vec<Vec<u8>> {
    let questions: Vec<u8> = questions.iter().flat_map(|(key, content)| content.question(key)).collect();
    let (mut written, mut answers) = (Vec::new(), Vec::new());
    serve(questions.as_slice(), &mut written).unwrap();
    let mut rest = written.as_slice();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (answer, after) = after.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap());
        answers.push(answer.to_vec());
        rest = after;
    }
    answers
}

#[test]
fn blobs_are_read_from_their_files_and_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blob");
    std::fs::write(&file, b"content").unwrap();
    let blob = Blob::File(file.clone(), 7, Digest::of(b"content"));
    let bytes = Blob::Bytes(b"more".to_vec());
    let (small, large) = (Content::Whole(job(None).content()), Content::Blobs(vec![blob, bytes.clone()]));
    let [first, second] = answers(&[(JOB, &small), (RESULT, &large)]).try_into().unwrap();
    assert_eq!(JobBundle::open(&JOB, first.as_slice()).unwrap(), job(None));
    let in_memory = Content::Blobs(vec![Blob::Bytes(b"content".to_vec()), bytes]);
    assert_eq!(second, in_memory.pack(&RESULT).unwrap());
    for damage in [b"Content".as_slice(), b"conten", b""] {
        std::fs::write(&file, damage).unwrap();
        assert_eq!(answers(&[(RESULT, &large), (JOB, &small)]), [Vec::<u8>::new(), first.clone()]);
    }
    std::fs::remove_file(&file).unwrap();
    assert_eq!(answers(&[(RESULT, &large)]), [Vec::<u8>::new()]);
}

/// The metadata of a crate is in its .rlib and in its .rmeta.
#[test]
fn what_stands_twice_in_a_large_result_is_packed_once() {
    let noise = noise(6 << 20);
    let content = Content::Blobs(vec![Blob::Bytes(noise.clone()), Blob::Bytes(noise.clone())]);
    let object = content.pack(&RESULT).unwrap();
    assert!(object.len() < noise.len() + noise.len() / 10, "{}", object.len());
}

proptest! {
    #[test]
    fn no_question_makes_it_panic(questions in prop::collection::vec(any::<u8>(), 0..300), length in 0_u8..60) {
        let _ = serve(questions.as_slice(), Vec::new());
        let head = [[7; 32].as_slice(), &u64::from(length).to_le_bytes()].concat();
        let _ = serve([head, questions].concat().as_slice(), Vec::new());
    }
}
