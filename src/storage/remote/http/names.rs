//! Names of values, addresses, and their parts: one normal form, and nothing that leads out of its place.
use std::fmt::Write;

use reqwest::Url;

use super::super::backend::UnusableSetting;

/// The one form of a prefix of keys: empty, or parts that each end in `/`.
pub(in super::super) fn key_prefix(text: &str) -> Result<String, UnusableSetting> {
    let unusable = |reason: &str| UnusableSetting { setting: "key prefix", reason: reason.to_owned() };
    if text.chars().any(char::is_control) {
        return Err(unusable("it holds a control character"));
    }
    let mut prefix = String::new();
    for part in text.split('/').map(str::trim).filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            return Err(unusable("`..` would lead out of the place that it names"));
        }
        prefix.push_str(part);
        prefix.push('/');
    }
    Ok(prefix)
}

/// A name in an address: all but letters, digits and `-._~` is encoded, and `/` where it may not stand.
pub(in super::super) fn encoded(name: &str, keeps_slash: bool) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        let is_plain =
            byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (keeps_slash && byte == b'/');
        if is_plain {
            text.push(char::from(byte));
        } else {
            // Writing to a text never fails.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Undoes [`encoded`]; `None` where the bytes are no text.
pub(in super::super) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
                rest = after;
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

/// An address of a remote, whose path ends in `/`.
pub(in super::super) fn endpoint(setting: &'static str, text: &str) -> Result<Url, UnusableSetting> {
    let unusable = |reason: &str| UnusableSetting { setting, reason: reason.to_owned() };
    let mut url = Url::parse(text.trim()).map_err(|error| unusable(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(unusable("it begins with neither `http://` nor `https://`"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(unusable("it holds a `?` or a `#`"));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// An address as it may be shown.
pub(in super::super) fn masked(url: &Url) -> String {
    let mut url = url.clone();
    // Without a host there would be no user either.
    if url.password().is_some() {
        let _ = url.set_password(Some("*****"));
    } else if !url.username().is_empty() {
        // A lone user is often a token.
        let _ = url.set_username("*****");
    }
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn t277_a_prefix_has_one_form() {
        for (text, prefix) in [
            ("", ""),
            ("/", ""),
            ("a", "a/"),
            ("/a", "a/"),
            ("a/", "a/"),
            ("//a///b//", "a/b/"),
            ("./a/./b", "a/b/"),
            ("my cache/ä", "my cache/ä/"),
            ("..a/b..", "..a/b../"),
        ] {
            assert_eq!(key_prefix(text).unwrap(), prefix, "{text}");
        }
        for text in ["..", "a/../b", "a/..", "a\nb", "a\0", "a/ .. /b"] {
            key_prefix(text).unwrap_err();
        }
    }

    #[test]
    fn t284_no_password_and_no_token_is_shown() {
        for (text, shown) in [
            ("https://u:secret@h/c", "https://u:*****@h/c/"),
            ("https://secret@h/c/", "https://*****@h/c/"),
            ("https://:secret@h:8/", "https://:*****@h:8/"),
            ("http://[::1]:80/c", "http://[::1]/c/"),
        ] {
            assert_eq!(masked(&endpoint("URL", text).unwrap()), shown);
        }
    }

    #[test]
    fn an_endpoint_is_an_address_of_http() {
        for text in ["", "host", "ftp://h/", "/path", "http://h/?a=b", "http://h/#a", "http://"] {
            let text = endpoint("URL", text).unwrap_err().to_string();
            assert!(text.starts_with("URL: "), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_back_and_stays_as_it_is_in_an_address(name in "\\PC{0,20}") {
            let text = encoded(&name, false);
            prop_assert_eq!(decoded(&text), Some(name.clone()));
            prop_assume!(!matches!(name.as_str(), "." | ".."));
            let url = Url::parse(&format!("http://h/{text}")).unwrap();
            prop_assert_eq!(url.path(), format!("/{text}"));
        }

        #[test]
        fn any_prefix_is_refused_or_keeps_its_form(text in "\\PC{0,20}") {
            if let Ok(prefix) = key_prefix(&text) {
                prop_assert_eq!(key_prefix(&prefix).unwrap(), prefix);
            }
        }
    }
}
