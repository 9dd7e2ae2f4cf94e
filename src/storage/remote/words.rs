//! What a server has said, as it may be shown.

/// Answers may be long; this much of them is shown.
const MAX_WORDS: usize = 200;

/// One short line without the secret.
pub(super) fn shown(text: &str, secret: Option<&str>) -> String {
    // First the secret: a part of it would not be found.
    let text = match secret {
        Some(secret) if !secret.is_empty() => text.replace(secret, "*****"),
        _ => text.to_owned(),
    };
    text.chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect()
}
