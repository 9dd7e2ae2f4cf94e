//! Packing in a process of its own, without the process.
use crate::{JOB, RESULT, entry, job, open_result};
use cachepot_engine::digest::Digest;
use cachepot_engine::entry::{Body, EntryOutput};
use cachepot_engine::job::Role;
use cachepot_storage::remote::bundle::{JobBundle, result_content};
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
    let inside = entry(b"content".to_vec());
    let mut stored = inside.clone();
    stored.outputs[0].body = Body::Blob { size: 7, digest: Digest::of(b"content") };
    let (small, large) = (Content::Whole(job(None).content()), Content::Result(stored, vec![file.clone()]));
    let [first, second] = answers(&[(JOB, &small), (RESULT, &large)]).try_into().unwrap();
    assert_eq!(JobBundle::open(&JOB, first.as_slice()).unwrap(), job(None));
    assert_eq!(open_result(&RESULT, &second).unwrap(), inside);
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
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    let noise: Vec<u8> = (0..6 << 20).map(|_| next()).collect();
    let mut twice = entry(noise.clone());
    twice.outputs.push(EntryOutput { role: Role::Dependencies, ..twice.outputs[0].clone() });
    let content = Content::Whole(result_content(&RESULT, &twice).unwrap());
    let object = content.pack(&RESULT).unwrap();
    assert!(object.len() < noise.len() + noise.len() / 10, "{}", object.len());
    assert_eq!(open_result(&RESULT, &object).unwrap(), twice);
}

proptest! {
    #[test]
    fn no_question_makes_it_panic(questions in prop::collection::vec(any::<u8>(), 0..300), length in 0_u8..60) {
        let _ = serve(questions.as_slice(), Vec::new());
        let head = [[7; 32].as_slice(), &u64::from(length).to_le_bytes()].concat();
        let _ = serve([head, questions].concat().as_slice(), Vec::new());
    }
}
