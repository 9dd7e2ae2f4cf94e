//! `--generate-keys`: new keys to sign and to encrypt with, in files that only their owner may read. Needs no coordinator.
use crate::print;
use anyhow::Context as _;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes the keys into a folder, over no file that is there, and says how they are used.
pub(crate) fn run(folder: &Path) -> anyhow::Result<()> {
    let (sign, public) = cachepot_actors::generate_key()?;
    let (encryption, _) = cachepot_actors::generate_key()?;
    std::fs::create_dir_all(folder).with_context(|| format!("make the folder `{}`", folder.display()))?;
    let folder = std::path::absolute(folder)?;
    let files =
        [("sign.key", &sign, 0o600), ("sign.pub", &public, 0o644), ("encryption.key", &encryption, 0o600)];
    for (name, key, mode) in files {
        let path = folder.join(name);
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(mode).open(&path);
        let written = file.and_then(|mut file| writeln!(file, "{key}"));
        written.with_context(|| format!("write `{}`", path.display()))?;
    }
    let place = folder.display();
    print(&format!(
        "Those who write results, such as CI, sign them:\n    CACHEPOT_SIGN_KEY_FILE={place}/sign.key\n\
         Everybody believes these and no others:\n    CACHEPOT_TRUSTED_KEYS={public}\n\
         To encrypt, everybody needs the same:\n    CACHEPOT_ENCRYPTION_KEY_FILE={place}/encryption.key\n"
    ))
}
