//! WebDAV, and any server that answers GET and PUT. Folders are made where the server wants them, and only then.
use std::path::PathBuf;

use reqwest::{Method, RequestBuilder, StatusCode, Url};

use super::backend::{Backend, BackendError, Later, MAX_VALUE_BYTES, Rights, UnusableSetting, try_both};
use super::http::answer::Answer;
use super::http::proxies::Proxies;
use super::http::{Http, HttpSettings, names};
use super::sink::{Progress, Sink};

const OCTETS: &str = "application/octet-stream";

/// Where the values are, and who asks for them.
#[derive(Clone, Default)]
pub struct WebDavSettings {
    /// A URL; it may hold a user and a password.
    pub endpoint: String,
    /// What each key begins with: folders below the endpoint.
    pub key_prefix: String,
    /// The user, where the URL holds none.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// A bearer token, instead of user and password.
    pub token: Option<String>,
    /// Certificates that are trusted beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Which requests go through which proxy.
    pub proxies: Proxies,
}

/// A folder on a server.
pub struct WebDav {
    name: String,
    http: Http,
    /// Without a user, with the prefix, ending in `/`.
    base: Url,
    who: Who,
}

/// Who asks.
enum Who {
    Nobody,
    User { name: String, password: Option<String> },
    Bearer(String),
}

impl WebDav {
    /// Prepares everything, without the network.
    ///
    /// # Errors
    /// The setting that cannot be used.
    pub fn new(settings: WebDavSettings) -> Result<WebDav, UnusableSetting> {
        let shown = names::endpoint("endpoint", &settings.endpoint)?;
        let mut base = shown.clone();
        // Without a host there would be no user either.
        let _ = base.set_username("");
        let _ = base.set_password(None);
        let prefix = names::encoded(&names::key_prefix(&settings.key_prefix)?, true);
        let path = format!("{}{prefix}", base.path());
        base.set_path(&path);
        let http = HttpSettings { ca_file: settings.ca_file.clone(), proxies: settings.proxies.clone() };
        Ok(WebDav {
            name: format!("WebDAV: {}{prefix}", names::masked(&shown)),
            http: Http::new(&http)?,
            who: who(&settings, &shown)?,
            base,
        })
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.client().request(method, url);
        match &self.who {
            Who::Nobody => request,
            Who::User { name, password } => request.basic_auth(name, password.as_deref()),
            Who::Bearer(token) => request.bearer_auth(token),
        }
    }

    fn at(&self, key: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.base.path(), names::encoded(key, false)));
        url
    }

    /// Makes the folder of the values, from the top down. What cannot be made is there already, or is missed when the
    /// value is written.
    async fn make_folders(&self) -> Result<(), BackendError> {
        let method = Method::from_bytes(b"MKCOL").unwrap_or_default();
        let mut url = self.base.clone();
        let mut path = "/".to_owned();
        for part in self.base.path().split('/').filter(|part| !part.is_empty()) {
            path.push_str(part);
            path.push('/');
            url.set_path(&path);
            let request = self.request(method.clone(), url.clone());
            self.http.send(request, &Progress::default()).await?.text().await;
        }
        Ok(())
    }

    fn refusal(&self, answer: &Answer) -> BackendError {
        match answer.status().as_u16() {
            401 if matches!(self.who, Who::Nobody) => answer.refusal("it wants a user and a password"),
            401 => answer.refusal("it does not accept this user, password or token"),
            403 => answer.refusal("it is forbidden"),
            _ => answer.refusal(""),
        }
    }
}

fn who(settings: &WebDavSettings, url: &Url) -> Result<Who, UnusableSetting> {
    let unusable = |setting, reason: &str| UnusableSetting { setting, reason: reason.to_owned() };
    let unreadable = || unusable("endpoint", "its user or password is no text");
    let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    let of_url = |part: &str| names::decoded(part).ok_or_else(unreadable);
    let in_url = Some(url.username()).filter(|name| !name.is_empty()).map(of_url).transpose()?;
    let user = given(&settings.username).or(in_url);
    let password = match given(&settings.password) {
        Some(password) => Some(password),
        None => url.password().map(of_url).transpose()?,
    };
    match (user, password, given(&settings.token)) {
        (None, None, None) => Ok(Who::Nobody),
        (None, None, Some(token)) if token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(Who::Bearer(token))
        }
        (None, None, Some(_)) => {
            Err(unusable("token", "it holds a space, a line break or a letter like `ä`"))
        }
        (_, _, Some(_)) => Err(unusable("token", "it stands beside a user or a password")),
        (user, password, None) => Ok(Who::User { name: user.unwrap_or_default(), password }),
    }
}

impl Backend for WebDav {
    fn name(&self) -> &str {
        &self.name
    }

    fn get<'a>(&'a self, key: &'a str, to: &'a mut Sink) -> Later<'a, bool> {
        Box::pin(async move {
            let mut answer = self.http.send(self.request(Method::GET, self.at(key)), &to.progress()).await?;
            match answer.status() {
                StatusCode::NOT_FOUND | StatusCode::GONE => {
                    // What is not read to its end costs the connection.
                    answer.text().await;
                    Ok(false)
                }
                status if status.is_success() => answer.value(to).await.map(|()| true),
                _ => Err(self.refusal(&answer)),
            }
        })
    }

    fn has<'a>(&'a self, key: &'a str) -> Later<'a, bool> {
        Box::pin(async move {
            let request = self.request(Method::HEAD, self.at(key));
            let answer = self.http.send(request, &Progress::default()).await?;
            match answer.status() {
                StatusCode::NOT_FOUND | StatusCode::GONE => Ok(false),
                status if status.is_success() => answer.check_head().map(|()| true),
                _ => Err(self.refusal(&answer)),
            }
        })
    }

    fn put<'a>(&'a self, key: &'a str, value: Vec<u8>) -> Later<'a, ()> {
        Box::pin(async move {
            if value.len() as u64 > MAX_VALUE_BYTES {
                return Err(BackendError::TooLarge);
            }
            let request = self.request(Method::PUT, self.at(key)).header("content-type", OCTETS).body(value);
            // It shares the value.
            let again = request.try_clone();
            let mut answer = self.http.send(request, &Progress::default()).await?;
            if matches!(answer.status().as_u16(), 404 | 409)
                && let Some(again) = again
            {
                self.make_folders().await?;
                answer = self.http.send(again, &Progress::default()).await?;
            }
            match answer.status().as_u16() {
                200..=299 => Ok(()),
                404 | 409 => Err(answer.refusal("its folder is not there and cannot be made")),
                status @ (405 | 501) => {
                    Err(BackendError::Denied(format!("status {status}, values can only be read there")))
                }
                _ => Err(self.refusal(&answer)),
            }
        })
    }

    fn check(&self) -> Later<'_, Rights> {
        Box::pin(try_both(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(endpoint: &str) -> WebDavSettings {
        WebDavSettings { endpoint: endpoint.to_owned(), ..WebDavSettings::default() }
    }

    #[test]
    fn t284_the_name_holds_no_secret() {
        for (endpoint, name) in [
            ("https://u:s%C3%A4cret@h/c", "WebDAV: https://u:*****@h/c/a%20b/"),
            ("https://s%C3%A4cret@h", "WebDAV: https://*****@h/a%20b/"),
        ] {
            let webdav =
                WebDav::new(WebDavSettings { key_prefix: "/a b".to_owned(), ..at(endpoint) }).unwrap();
            assert_eq!(webdav.name(), name);
            assert!(!webdav.at("key").as_str().contains("cret"));
            let Who::User { name, password } = webdav.who else { panic!("nobody asks") };
            assert!([name, password.unwrap_or_default()].contains(&"säcret".to_owned()));
        }
    }

    #[test]
    fn settings_that_cannot_be_used_are_refused() {
        let token = |text: &str, endpoint| WebDavSettings { token: Some(text.to_owned()), ..at(endpoint) };
        for (settings, setting) in [
            (at("ftp://h/"), "endpoint"),
            (at("http://%FF@h/"), "endpoint"),
            (token("a\r\nb", "http://h"), "token"),
            (token("a", "http://u@h"), "token"),
            (WebDavSettings { key_prefix: "..".to_owned(), ..at("http://h") }, "key prefix"),
        ] {
            assert_eq!(WebDav::new(settings).err().unwrap().setting, setting);
        }
        assert!(matches!(WebDav::new(token("a", "http://h")).unwrap().who, Who::Bearer(_)));
    }
}
