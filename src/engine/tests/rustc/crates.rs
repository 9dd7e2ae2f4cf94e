//! Where crates are looked for.
use super::job;
use crate::compiler::rustc::{Crates, Holds, crates};

#[test]
fn files_and_folders_are_read_from_the_words() {
    let job = job(
        "RUSTC --extern b=/x/libb.rmeta --extern=priv:c=libc.rlib --extern proc_macro -L dependency=/d -Lnative=n \
         -L crate=c -L /all -L framework=f -L a=b",
    );
    let folders = [
        (Holds::Dependencies, "/d"),
        (Holds::Libraries, "n"),
        (Holds::Anything, "c"),
        (Holds::Anything, "/all"),
        (Holds::Libraries, "f"),
        (Holds::Anything, "a=b"),
    ];
    let expected = Crates {
        files: vec!["/x/libb.rmeta".into(), "libc.rlib".into()],
        folders: folders.map(|(holds, folder)| (holds, folder.into())).to_vec(),
    };
    assert_eq!(crates(&job), expected);
}
