//! Signature version 4 of AWS, for one whole request. Pure: the time is passed in.
use std::fmt::Write;

use ring::{digest, hmac};

use super::aws_credentials::Credentials;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What is signed of a request.
pub(super) struct Signable<'a> {
    pub(super) method: &'a str,
    /// Encoded as it is sent.
    pub(super) path: &'a str,
    /// Encoded and in order, without `?`.
    pub(super) query: &'a str,
    /// Names in small letters, in order.
    pub(super) headers: &'a [(&'a str, String)],
    /// Of the body, as [`sha256_hex`] writes it.
    pub(super) body_digest: &'a str,
}

/// For whom and when a request is signed.
pub(super) struct Signer<'a> {
    pub(super) credentials: &'a Credentials,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    /// As in `20130524T000000Z`.
    pub(super) time: &'a str,
}

impl Signer<'_> {
    /// The value of `Authorization`.
    pub(super) fn authorization(&self, request: &Signable<'_>) -> String {
        let Signer { credentials, region, service, time } = self;
        let day = time.split('T').next().unwrap_or_default();
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let mut canonical = format!("{}\n{}\n{}\n", request.method, request.path, request.query);
        for (name, value) in request.headers {
            // Writing to a text never fails.
            let _ = writeln!(canonical, "{name}:{}", value.trim());
        }
        let _ = write!(canonical, "\n{names}\n{}", request.body_digest);
        let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{}", sha256_hex(canonical.as_bytes()));
        let first = format!("AWS4{}", credentials.secret_access_key);
        let key = [day, region, service, "aws4_request"]
            .iter()
            .fold(first.into_bytes(), |key, part| hmac_sha256(&key, part.as_bytes()));
        let signature = hex(&hmac_sha256(&key, to_sign.as_bytes()));
        let who = &credentials.access_key_id;
        format!("{ALGORITHM} Credential={who}/{scope}, SignedHeaders={names}, Signature={signature}")
    }
}

/// SHA-256 in hexadecimal digits.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hmac_sha256(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn signature(
        method: &str,
        (path, query): (&str, &str),
        more: &[(&'static str, &str)],
        body: &[u8],
    ) -> String {
        let credentials = Credentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
        };
        let (time, body_digest) = ("20130524T000000Z", sha256_hex(body));
        let signer = Signer { credentials: &credentials, region: "us-east-1", service: "s3", time };
        let mut headers = vec![
            ("host", "examplebucket.s3.amazonaws.com".to_owned()),
            ("x-amz-content-sha256", body_digest.clone()),
            ("x-amz-date", time.to_owned()),
        ];
        headers.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        headers.sort();
        let request = Signable { method, path, query, headers: &headers, body_digest: &body_digest };
        let text = signer.authorization(&request);
        text.split_once("Signature=").unwrap().1.to_owned()
    }

    /// The four examples of Amazon's page on signed headers in S3.
    #[test]
    fn the_published_examples_come_out() {
        assert_eq!(sha256_hex(b""), EMPTY);
        assert_eq!(
            signature("GET", ("/test.txt", ""), &[("range", "bytes=0-9")], b""),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        let more = [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")];
        assert_eq!(
            signature("PUT", ("/test%24file.text", ""), &more, b"Welcome to Amazon S3."),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        );
        assert_eq!(
            signature("GET", ("/", "lifecycle="), &[], b""),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        );
        assert_eq!(
            signature("GET", ("/", "max-keys=2&prefix=J"), &[], b""),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }
}
