//! Where a redirect leads.
//!
//! Enters: the address that was asked, and a `Location` header. Leaves: the address to ask instead (RFC
//! 9110, section 10.2.2; RFC 3986, section 5.2). Refuses: another scheme, above all https to http; a name
//! or password in the address; what is no address. Pure. A query is taken: stores of objects put their
//! signatures there, which last for minutes.

use ureq::http::{StatusCode, Uri};

use crate::error::{Error, Result};

/// Whether a status says that what was asked for lies elsewhere.
pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The address that `location` leads to from `asked`.
///
/// # Errors
/// [`Error::Network`]; it names no address, which may hold somebody's token.
pub(super) fn target(asked: &Uri, location: &str) -> Result<Uri> {
    let refuse = |what: &str| Err(Error::Network(format!("the server redirects {what}")));
    let location = location.split('#').next().unwrap_or_default();
    let scheme = asked.scheme_str().unwrap_or_default();
    let host = asked.authority().map(ToString::to_string).unwrap_or_default();
    let text = if has_scheme(location) {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else {
        format!("{scheme}://{host}{}", within(asked.path(), location))
    };
    let Ok(uri) = text.parse::<Uri>() else { return refuse("to what is no address") };
    let Some(authority) = uri.authority() else { return refuse("to what is no address") };
    if authority.as_str().contains('@') {
        return refuse("to an address with credentials");
    }
    match uri.scheme_str() {
        Some(other) if other == scheme => Ok(uri),
        Some("http") => refuse("to plain http"),
        _ => refuse("to what is no address of the web"),
    }
}

/// Whether a reference begins with a scheme (RFC 3986, section 3.1).
fn has_scheme(reference: &str) -> bool {
    let name = reference.split(['/', '?']).next().unwrap_or_default();
    name.contains(':')
}

/// Path and query of a reference within a host, from the path that was asked.
fn within(asked: &str, reference: &str) -> String {
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (reference, String::new()),
    };
    let folder = asked.rsplit_once('/').map_or("", |(folder, _)| folder);
    let path = match path {
        "" => asked.to_owned(),
        path if path.starts_with('/') => path.to_owned(),
        path => format!("{folder}/{path}"),
    };
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    // What ends in a dot segment is a folder.
    if path.ends_with("/.") || path.ends_with("/..") {
        kept.push("");
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(asked: &str, location: &str) -> Result<String> {
        target(&asked.parse().unwrap(), location).map(|uri| uri.to_string())
    }

    #[test]
    fn a_redirect_leads_where_its_location_says() {
        for (location, leads) in [
            ("https://cdn.example/shop/x", "https://cdn.example/shop/x"),
            ("https://cdn.example/x?signature=1:2/3", "https://cdn.example/x?signature=1:2/3"),
            ("https://cdn.example/x#part", "https://cdn.example/x"),
            ("//cdn.example:8443/x", "https://cdn.example:8443/x"),
            ("/elsewhere/x", "https://a.example/elsewhere/x"),
            ("/x?at=https://b.example/", "https://a.example/x?at=https://b.example/"),
            ("y.json", "https://a.example/shop/metadata/y.json"),
            ("./y.json", "https://a.example/shop/metadata/y.json"),
            ("../y.json", "https://a.example/shop/y.json"),
            ("../../../../y.json", "https://a.example/y.json"),
            ("..", "https://a.example/shop/"),
            ("?v=2", "https://a.example/shop/metadata/timestamp.json?v=2"),
            ("", "https://a.example/shop/metadata/timestamp.json"),
        ] {
            let got = from("https://a.example/shop/metadata/timestamp.json", location).unwrap();
            assert_eq!(got, leads, "{location}");
        }
    }

    #[test]
    fn a_redirect_keeps_the_scheme_and_carries_no_credentials() {
        for location in [
            "http://a.example/x",
            "HTTP://a.example/x",
            "ftp://a.example/x",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://user:word@a.example/x",
            "//user@a.example/x",
            "https://",
            "//",
            "https:x",
            "/a b",
        ] {
            let refused = from("https://a.example/x", location).unwrap_err();
            assert_eq!(refused.code(), "network", "{location}");
        }
        assert!(from("http://127.0.0.1:80/x", "https://a.example/x").is_err());
    }
}
