//! Whose requests to AWS these are: found in the usual places, in the usual order. The environment is passed in.
//!
//! Absent on purpose: single sign-on and `credential_process`, which other programs turn into one of these.
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::aws_services::{Asker, Found, Services};
use super::backend::{BackendError, UnusableSetting};
use super::http::HttpSettings;
use super::http::renewed::Renewed;

/// The environment that is looked into.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A file of credentials is read anew after half of this.
const FILE_LIFE: Duration = Duration::from_secs(2 * 60);

const NONE_FOUND: &str =
    "no AWS credentials are found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile";

/// What a request is signed with. Without `Debug`, so that no secret can slip into a text.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name of the key, which is no secret.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// The token of temporary credentials.
    pub session_token: Option<String>,
}

/// The places where credentials may be found.
#[derive(Clone, Default)]
pub struct AwsSources {
    fixed: Option<Credentials>,
    profile: Profile,
    services: Services,
}

#[derive(Clone, Default)]
struct Profile {
    name: String,
    /// `credentials`, then `config`.
    files: Vec<PathBuf>,
}

impl AwsSources {
    /// Looks where the environment points to.
    pub fn from_env(env: Lookup<'_>) -> Self {
        let value = |name: &str| env(name).filter(|value| !value.is_empty());
        let fixed = value("AWS_ACCESS_KEY_ID").zip(value("AWS_SECRET_ACCESS_KEY"));
        let fixed = fixed.map(|(access_key_id, secret_access_key)| Credentials {
            access_key_id,
            secret_access_key,
            session_token: value("AWS_SESSION_TOKEN"),
        });
        AwsSources { fixed, profile: Profile::from_env(env), services: Services::from_env(env) }
    }

    /// These and no others.
    pub fn fixed(credentials: Credentials) -> Self {
        AwsSources { fixed: Some(credentials), ..AwsSources::default() }
    }
}

/// The region that the environment or the profile names.
pub fn region(env: Lookup<'_>) -> Option<String> {
    let value = |name: &str| env(name).filter(|value| !value.is_empty());
    value("AWS_DEFAULT_REGION")
        .or_else(|| value("AWS_REGION"))
        .or_else(|| Profile::from_env(env).value("region"))
}

impl Profile {
    fn from_env(env: Lookup<'_>) -> Self {
        let value = |name: &str| env(name).filter(|value| !value.is_empty());
        let home = value("HOME").or_else(|| value("USERPROFILE")).map(PathBuf::from);
        let file = |variable: &str, name: &str| {
            let usual = || Some(home.as_ref()?.join(".aws").join(name));
            value(variable).map(PathBuf::from).or_else(usual)
        };
        let files = [file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), file("AWS_CONFIG_FILE", "config")];
        let name = value("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
        Profile { name, files: files.into_iter().flatten().collect() }
    }

    fn credentials(&self) -> Option<Credentials> {
        self.files.iter().find_map(|path| {
            let text = std::fs::read_to_string(path).ok()?;
            let value = |key: &str| value_in(&text, &self.name, key);
            Some(Credentials {
                access_key_id: value("aws_access_key_id")?,
                secret_access_key: value("aws_secret_access_key")?,
                session_token: value("aws_session_token"),
            })
        })
    }

    fn value(&self, key: &str) -> Option<String> {
        let text = |path: &PathBuf| std::fs::read_to_string(path).ok();
        self.files.iter().find_map(|path| value_in(&text(path)?, &self.name, key))
    }
}

/// A value of a section, as in `[name]` and `[profile name]`.
fn value_in(text: &str, section: &str, key: &str) -> Option<String> {
    let mut is_ours = false;
    let mut found = None;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            let name = name.trim();
            is_ours = name.strip_prefix("profile ").unwrap_or(name).trim() == section;
        } else if is_ours
            && let Some((name, value)) = line.split_once('=')
            && name.trim().eq_ignore_ascii_case(key)
        {
            found = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        }
    }
    found
}

/// The credentials in use.
pub(super) struct AwsCredentials {
    source: Source,
    found: Renewed<Credentials>,
}

enum Source {
    Fixed(Credentials),
    Found(Arc<(Profile, Asker)>),
}

impl AwsCredentials {
    pub(super) fn new(sources: AwsSources, http: &HttpSettings) -> Result<Self, UnusableSetting> {
        let source = match sources.fixed {
            Some(fixed) => Source::Fixed(fixed),
            None => Source::Found(Arc::new((sources.profile, Asker::new(sources.services, http)?))),
        };
        Ok(AwsCredentials { source, found: Renewed::default() })
    }

    pub(super) async fn get(&self) -> Result<Credentials, BackendError> {
        let places = match &self.source {
            Source::Fixed(fixed) => return Ok(fixed.clone()),
            Source::Found(places) => Arc::clone(places),
        };
        self.found.get(async move { find(&places.0, &places.1).await }).await
    }

    /// The server has refused them: others are looked for at the next request.
    pub(super) async fn forget(&self) {
        self.found.forget().await;
    }
}

/// Asks one place after the other. One that was named and fails is not passed over.
async fn find(profile: &Profile, asker: &Asker) -> Result<Found, BackendError> {
    if let Some(found) = asker.before_profiles().await {
        return found;
    }
    if let Some(found) = profile.credentials() {
        return Ok((found, SystemTime::now().checked_add(FILE_LIFE)));
    }
    asker.after_profiles().await.unwrap_or_else(|| Err(BackendError::Denied(NONE_FOUND.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_in_their_section() {
        let text = "[default]\nregion = one\n# [other]\n[profile other]\n;region=x\nREGION= two \nempty =\n\
                    [third]\nregion=three=3\n[default]\nregion=four";
        for (section, expected) in
            [("default", Some("four")), ("other", Some("two")), ("third", Some("three=3")), ("none", None)]
        {
            assert_eq!(value_in(text, section, "region").as_deref(), expected, "{section}");
        }
        assert_eq!(value_in(text, "other", "empty"), None);
    }

    #[test]
    fn the_region_is_that_of_the_environment_or_of_the_profile() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".aws")).unwrap();
        std::fs::write(folder.path().join(".aws/config"), "[profile p]\nregion=of-profile\n").unwrap();
        let home = folder.path().to_str().unwrap().to_owned();
        let of = |variables: &[(&str, &str)]| {
            region(&|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let profile = [("HOME", home.as_str()), ("AWS_PROFILE", "p")];
        assert_eq!(of(&profile).as_deref(), Some("of-profile"));
        assert_eq!(of(&profile[..1]), None);
        let all = [("AWS_REGION", "second"), ("AWS_DEFAULT_REGION", "first"), profile[0], profile[1]];
        assert_eq!(of(&all).as_deref(), Some("first"));
        assert_eq!(of(&all[..1]).as_deref(), Some("second"));
    }
}
