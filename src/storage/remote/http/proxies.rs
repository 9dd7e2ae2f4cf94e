//! Which requests go through a proxy: as the usual variables say, which are passed in.
use reqwest::{NoProxy, Proxy};

use super::super::backend::UnusableSetting;

/// See the file's head. Addresses may hold a user and a password, so this is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    none_for: Option<String>,
}

impl Proxies {
    /// Reads `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`; those in small letters win, as everywhere.
    pub fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let value = |name: &str| {
            let found = env(&name.to_ascii_lowercase()).or_else(|| env(name));
            found.filter(|value| !value.trim().is_empty())
        };
        Proxies {
            http: value("HTTP_PROXY").or_else(|| value("ALL_PROXY")),
            https: value("HTTPS_PROXY").or_else(|| value("ALL_PROXY")),
            none_for: value("NO_PROXY"),
        }
    }

    pub(super) fn all(&self) -> Result<Vec<Proxy>, UnusableSetting> {
        let none_for = self.none_for.as_deref().and_then(NoProxy::from_string);
        let mut proxies = Vec::new();
        if let Some(address) = &self.http {
            proxies.push(Proxy::http(address_of(address)?).map_err(|_| unusable("it is no address"))?);
        }
        if let Some(address) = &self.https {
            proxies.push(Proxy::https(address_of(address)?).map_err(|_| unusable("it is no address"))?);
        }
        Ok(proxies.into_iter().map(|proxy| proxy.no_proxy(none_for.clone())).collect())
    }
}

/// With a scheme, which people leave out.
fn address_of(text: &str) -> Result<String, UnusableSetting> {
    let text = text.trim();
    match text.split_once("://") {
        Some(("http" | "https", _)) => Ok(text.to_owned()),
        Some(_) => Err(unusable("only proxies of the schemes `http` and `https` are supported")),
        None => Ok(format!("http://{text}")),
    }
}

fn unusable(reason: &str) -> UnusableSetting {
    UnusableSetting { setting: "proxy", reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Proxies {
        Proxies::from_env(&|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn t279_the_usual_variables_are_read() {
        assert!(of(&[]) == Proxies::default() && of(&[("HTTP_PROXY", " ")]) == Proxies::default());
        let all =
            of(&[("ALL_PROXY", "a:1"), ("HTTPS_PROXY", "b:2"), ("https_proxy", "c:3"), ("no_proxy", "h")]);
        assert_eq!(all.http.as_deref(), Some("a:1"));
        assert_eq!(all.https.as_deref(), Some("c:3"));
        assert_eq!((all.none_for.as_deref(), all.all().unwrap().len()), (Some("h"), 2));
    }

    #[test]
    fn t284_a_proxy_that_cannot_be_used_is_not_told() {
        for address in ["socks5://u:secret@h:1", "http://u:secret@:::"] {
            let text = of(&[("ALL_PROXY", address)]).all().unwrap_err().to_string();
            assert!(text.starts_with("proxy: ") && !text.contains("secret"), "{text}");
        }
    }
}
