//! rustup in front of several toolchains.
use super::SYSROOT;
use crate::harness::Sandbox;
use crate::harness::Went::{Hit, NoCompile};
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The `rustc` in `PATH` beside a `rustup`.
fn proxy() -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap();
    let mut found = std::env::split_paths(&folders).map(|folder| folder.join("rustc"));
    found.find(|rustc| rustc.exists() && rustc.with_file_name("rustup").exists()).unwrap()
}

/// A sandbox whose rustup has two toolchains: the machine's, and one that differs from it by a byte of rustc.
fn sandbox(name: &str) -> Sandbox {
    let sandbox = Sandbox::new(name).file("a.rs", "pub fn a() {}");
    let home = sandbox.root().join("rustup");
    let (one, two) = (home.join("toolchains/one"), home.join("toolchains/two"));
    fs::create_dir_all(two.join("bin")).unwrap();
    symlink(&*SYSROOT, one).unwrap();
    symlink(Path::new(&*SYSROOT).join("lib"), two.join("lib")).unwrap();
    let rustc = two.join("bin/rustc");
    fs::copy(Path::new(&*SYSROOT).join("bin/rustc"), &rustc).unwrap();
    fs::OpenOptions::new().append(true).open(&rustc).unwrap().write_all(b"\0").unwrap();
    fs::write(home.join("settings.toml"), "version = \"12\"\ndefault_toolchain = \"one\"\n").unwrap();
    sandbox.env("RUSTUP_HOME", home)
}

#[test]
fn t165_t166_the_toolchain_that_rustup_takes_is_the_compiler() {
    let sandbox = sandbox("toolchains");
    let proxy = proxy().display().to_string();
    let line = |toolchain: &str| {
        format!(
            "{proxy} {toolchain} --crate-name a --edition 2021 a.rs --crate-type lib --emit dep-info,metadata,link"
        )
    };
    // The default, by name, by variable, by the folder's own file, by another default. What rustup reads is seen, too, so each
    // is kept apart, and found again when it is back.
    sandbox.hits(line(""));
    sandbox.hits(line("+one"));
    sandbox.hits(line("+two"));
    let sandbox = sandbox.env("RUSTUP_TOOLCHAIN", "two");
    sandbox.hits(line(""));
    let sandbox = sandbox.without("RUSTUP_TOOLCHAIN");
    for (file, text) in
        [("rust-toolchain.toml", "[toolchain]\nchannel = \"two\"\n"), ("rust-toolchain", "two")]
    {
        sandbox.write(file, text).hits(line(""));
        sandbox.sh(&format!("rm {file}")).expect(Hit, line(""));
    }
    let settings = sandbox.root().join("rustup/settings.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("\"one\"", "\"two\"")).unwrap();
    sandbox.hits(line(""));
    fs::write(&settings, &text).unwrap();
    sandbox.expect(Hit, line(""));
    // Another rustc under the same name.
    sandbox.expect(Hit, line("+two"));
    let rustc = sandbox.root().join("rustup/toolchains/two/bin/rustc");
    fs::OpenOptions::new().append(true).open(rustc).unwrap().write_all(b"\0").unwrap();
    sandbox.hits(line("+two"));
    sandbox.expect(Hit, line("+one"));
    sandbox.expect(NoCompile, format!("{proxy} +two --version"));
}

/// A folder's own choice, made by `rustup override set`.
#[test]
fn t165_an_override_of_a_folder() {
    let sandbox = sandbox("override");
    let proxy = proxy().display().to_string();
    let line = format!("{proxy} --crate-name a --edition 2021 a.rs --crate-type lib");
    sandbox.hits(&*line);
    let rustup = Path::new(&proxy).with_file_name("rustup").display().to_string();
    sandbox.sh(&format!("{rustup} override set two >/dev/null 2>&1"));
    sandbox.hits(&*line);
    sandbox.sh(&format!("{rustup} override unset >/dev/null 2>&1"));
    sandbox.hits(&*line);
}
