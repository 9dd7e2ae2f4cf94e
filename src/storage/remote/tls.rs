//! What all remotes with TLS share: one implementation of the ciphers (ring), and reading certificates.
use std::path::Path;

use super::backend::UnusableSetting;

/// Lets rustls use ring wherever a library leaves it the choice.
pub(crate) fn choose_provider() {
    // Somebody has chosen already: as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Reads a file of certificates in PEM.
///
/// # Errors
/// [`UnusableSetting`] where it cannot be read or has no certificate.
pub(crate) fn read_ca_file(path: &Path) -> Result<Vec<u8>, UnusableSetting> {
    let unusable = |reason: String| UnusableSetting { setting: "ca_file", reason };
    let text = std::fs::read(path).map_err(|error| unusable(format!("{}: {error}", path.display())))?;
    let has_one = memchr::memmem::find(&text, b"-----BEGIN CERTIFICATE-----").is_some();
    if has_one { Ok(text) } else { Err(unusable(format!("{}: no certificate in it", path.display()))) }
}
