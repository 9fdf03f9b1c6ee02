//! What every HTTP exchange has in common: which URLs and which TLS are spoken, how long silence is
//! borne, and when a body ends.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{CryptoProvider, KeyProvider, ring};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::line::{Lent, Lines};
use super::pace::Pace;
use crate::error::{Error, Result, told};
use crate::progress::Cancel;

/// A connection that says nothing for this long is given up.
const SILENCE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(15);

/// The oldest TLS that is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MinTls {
    /// TLS 1.3 only.
    #[default]
    V1_3,
    /// TLS 1.2 too, for hosts behind old middleboxes.
    V1_2,
}

/// How to reach a repository.
#[derive(Debug, Clone, Default)]
pub struct HttpOptions {
    /// Oldest TLS.
    pub min_tls: MinTls,
    /// Allow `http:` to any host. For debug builds; the signatures hold all the same.
    pub allow_plain: bool,
    /// The slowest that an answer may come.
    pub pace: Pace,
    /// A connection that says nothing for this long is given up; 30 s by default.
    pub silence: Option<Duration>,
}

/// Lines that follow no redirect by themselves: the body of one would be read to its end.
pub(super) fn lines(options: &HttpOptions, secure: bool) -> Lines {
    lines_trusting(options, secure, RootCerts::WebPki)
}

/// The same, to servers whose certificates come from `roots`.
pub(super) fn lines_trusting(options: &HttpOptions, secure: bool, roots: RootCerts) -> Lines {
    let silence = options.silence.unwrap_or(SILENCE);
    let config = Agent::config_builder()
        .https_only(secure)
        .max_redirects(0)
        .http_status_as_error(false)
        .tls_config(tls(options.min_tls, roots))
        .timeout_connect(Some(CONNECT))
        .timeout_send_request(Some(silence))
        .timeout_send_body(Some(silence))
        .timeout_recv_response(Some(silence))
        .timeout_per_read(Some(silence))
        .user_agent(concat!("farad/", env!("CARGO_PKG_VERSION")))
        .accept("*/*")
        .accept_encoding("identity")
        .max_response_header_size(16 << 10)
        .build();
    Lines::new(config)
}

/// A body that ends one byte past the limit, or when it comes too slowly, or when the caller
/// cancels.
pub(super) struct Capped {
    inner: ureq::BodyReader<'static>,
    left: u64,
    line: Lent,
}

impl Capped {
    /// The body of an answer that may have `limit` bytes, which comes over `line`.
    pub(super) fn new(body: Body, limit: u64, pace: Pace, line: Lent) -> Self {
        line.content(pace);
        // ureq's own limit would say less clearly what was too long; this one is out of its way.
        let inner = body.into_with_config().limit(u64::MAX).reader();
        Self { inner, left: limit, line }
    }
}

impl Read for Capped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if count > 0 {
            self.line.check()?;
        }
        // One byte more than the limit may be seen, so that the reader can tell "too long" from
        // "just as long"; after that the connection is dropped.
        let over = (count as u64).saturating_sub(self.left);
        self.left = self.left.saturating_sub(count as u64);
        if over > 1 {
            return Err(io::Error::other("longer than it may be"));
        }
        Ok(count)
    }
}

/// What a URL tells of the way to its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// It is https.
    pub(super) secure: bool,
    /// It leads to this machine.
    pub(super) local: bool,
}

/// Whether a URL of the configuration may be asked.
///
/// # Errors
/// [`Error::Config`] where it is not https (http is for this machine only), carries a query or
/// credentials.
pub(super) fn check_url(url: &str, allow_plain: bool) -> Result<Place> {
    let refuse = |detail: &str| Err(Error::Config(format!("url: {detail}")));
    let Ok(uri) = url.parse::<Uri>() else { return refuse("not a URL") };
    let Some(authority) = uri.authority() else { return refuse("it names no host") };
    if authority.as_str().contains('@') {
        return refuse("it carries credentials");
    }
    if uri.query().is_some() {
        return refuse("it carries a query");
    }
    let local = is_loopback(authority.host());
    match uri.scheme_str() {
        Some("https") => Ok(Place { secure: true, local }),
        Some("http") if allow_plain || local => Ok(Place { secure: false, local }),
        Some("http") => refuse("https is needed; plain http is for this machine only"),
        _ => refuse("https is needed"),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// These roots (Mozilla's, but in tests) and ring's suites, those of TLS 1.3 alone unless configured
/// otherwise.
fn tls(min: MinTls, roots: RootCerts) -> TlsConfig {
    let mut provider = CryptoProvider { key_provider: &NoClientKeys, ..ring::default_provider() };
    if min == MinTls::V1_3 {
        // ureq offers every version that its provider has suites for.
        provider.cipher_suites.retain(|suite| suite.tls13().is_some());
    }
    TlsConfig::builder()
        .root_certs(roots)
        .unversioned_rustls_crypto_provider(Arc::new(provider))
        .build()
}

/// Refuses every key: devices have no certificates, and what would sign with them stays out of the
/// phone's library.
#[derive(Debug)]
struct NoClientKeys;

impl KeyProvider for NoClientKeys {
    fn load_private_key(
        &self,
        _: PrivateKeyDer<'static>,
    ) -> std::result::Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("devices have no certificates".to_owned()))
    }
}

/// What the app's developer can act on; no URL, since it may hold a token.
pub(super) fn unreachable(error: &ureq::Error, cancel: &Cancel) -> Error {
    if let Err(cancelled) = cancel.check() {
        return cancelled;
    }
    let text = match error {
        ureq::Error::HostNotFound => "the host's name is not known".to_owned(),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::Timeout(_) => "the server does not answer".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        ureq::Error::Tls(detail) => format!("TLS: {detail}"),
        _ => "the answer is not HTTP".to_owned(),
    };
    // What TLS complains of may repeat names from the certificate.
    Error::Network(told(&text))
}
