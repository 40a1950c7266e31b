//! Where a key set is read from: a file, or an address that nobody on the way can forge.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use url::{Host, Url};

use super::without_line_break;

pub(super) const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BYTES: u64 = 1024 * 1024;

/// Where a key set is read from.
#[derive(Debug, Clone)]
pub enum SetSource {
    /// A JWKS file.
    File(PathBuf),
    /// The address of a JWKS.
    Url(SetUrl),
}

/// An address that key sets may come from. It may hold a password, which is never printed.
#[derive(Clone)]
pub struct SetUrl(Url);

impl FromStr for SetSource {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = without_line_break(text);
        if text.is_empty() {
            return Err("a key set is a file or an https URL, and none is named");
        }
        if !text.contains("://") {
            return Ok(SetSource::File(PathBuf::from(text)));
        }
        let url = Url::parse(text).map_err(|_| "the URL of the key set can't be read")?;
        match url.scheme() {
            "https" => Ok(SetSource::Url(SetUrl(url))),
            "http" if is_this_machine(&url) => Ok(SetSource::Url(SetUrl(url))),
            "http" => Err("a key set must come over https, except from this machine"),
            _ => Err("a key set is a file or comes over https"),
        }
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl fmt::Display for SetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.origin().ascii_serialization(), self.0.path())
    }
}

impl fmt::Debug for SetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SetSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetSource::File(path) => write!(f, "{}", path.display()),
            SetSource::Url(url) => write!(f, "{url}"),
        }
    }
}

impl SetSource {
    /// Reads the text of the set. Blocks, but not for long.
    ///
    /// # Errors
    /// What kept it from being read, without the source's name.
    pub(super) fn read(&self) -> anyhow::Result<String> {
        let bytes = match self {
            SetSource::File(path) => {
                let mut bytes = Vec::new();
                File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
                bytes
            }
            SetSource::Url(url) => url.fetch()?,
        };
        if bytes.len() as u64 > MAX_BYTES {
            bail!("it is longer than {MAX_BYTES} bytes");
        }
        String::from_utf8(bytes).ok().context("it is not UTF-8 text")
    }
}

impl SetUrl {
    fn fetch(&self) -> anyhow::Result<Vec<u8>> {
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(FETCH_TIMEOUT))
            .http_status_as_error(false)
            // What is trusted is the configured address, not where it may lead.
            .max_redirects(0)
            .max_redirects_will_error(false);
        if self.0.scheme() == "https" {
            config = config.tls_config(TlsConfig::builder().root_certs(trusted_roots()?).build());
        }
        if is_this_machine(&self.0) {
            config = config.proxy(None);
        }
        let agent: ureq::Agent = config.build().into();
        let mut address = self.0.clone();
        let _ = address.set_username("").and_then(|()| address.set_password(None));
        let mut request = agent.get(address.as_str());
        if let Some(credentials) = self.credentials() {
            request = request.header("Authorization", credentials);
        }
        let mut response = request.call().map_err(describe)?;
        match response.status().as_u16() {
            200 => {}
            300..=399 => bail!("it answers with a redirect; name the address that it leads to"),
            status => bail!("it answers with the status {status}"),
        }
        response.body_mut().with_config().limit(MAX_BYTES).read_to_vec().map_err(describe)
    }

    fn credentials(&self) -> Option<String> {
        if self.0.username().is_empty() && self.0.password().is_none() {
            return None;
        }
        let mut text = Vec::new();
        text.extend(percent_encoding::percent_decode_str(self.0.username()));
        text.push(b':');
        text.extend(percent_encoding::percent_decode_str(self.0.password().unwrap_or_default()));
        Some(format!("Basic {}", STANDARD.encode(text)))
    }
}

/// What went wrong, without the address, which may hold a password.
fn describe(error: ureq::Error) -> anyhow::Error {
    match error {
        ureq::Error::Io(error) => error.into(),
        ureq::Error::Timeout(_) => {
            anyhow::anyhow!("it did not answer within {} s", FETCH_TIMEOUT.as_secs())
        }
        ureq::Error::HostNotFound => anyhow::anyhow!("its host is not known"),
        ureq::Error::BodyExceedsLimit(_) => {
            anyhow::anyhow!("it is longer than {MAX_BYTES} bytes")
        }
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            anyhow::anyhow!("its address can't be used")
        }
        error => error.into(),
    }
}

/// The certificate authorities of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others), or
/// those that are built in where the system has none.
fn trusted_roots() -> anyhow::Result<RootCerts> {
    let names = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
    let [file, folder] =
        names.map(|name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from));
    let found = if file.is_some() || folder.is_some() {
        rustls_native_certs::load_certs_from_paths(file.as_deref(), folder.as_deref())
    } else {
        rustls_native_certs::load_native_certs()
    };
    if !found.certs.is_empty() {
        let certificates = found.certs.iter().map(|der| Certificate::from_der(der).to_owned());
        return Ok(RootCerts::from(certificates));
    }
    match found.errors.into_iter().next() {
        Some(error) if file.is_some() || folder.is_some() => Err(error)
            .context("reading the certificate authorities of SSL_CERT_FILE and SSL_CERT_DIR"),
        None if file.is_some() || folder.is_some() => {
            bail!("SSL_CERT_FILE and SSL_CERT_DIR have no certificate authority")
        }
        _ => Ok(RootCerts::WebPki),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SetSource, &'static str> {
        text.parse()
    }

    #[test]
    fn keys_come_over_a_protected_way() {
        for good in [
            "https://id.example.com/jwks",
            "HTTPS://id.example.com/jwks\n",
            "http://127.0.0.1:9000/jwks",
            "http://127.8.9.10/jwks",
            "http://LOCALHOST/jwks",
            "http://[::1]:9000/jwks",
        ] {
            assert!(matches!(parse(good), Ok(SetSource::Url(_))), "{good}");
        }
        assert!(matches!(parse("keys.json"), Ok(SetSource::File(_))));
        for bad in [
            "",
            "http://id.example.com/jwks",
            "http://localhost.example.com/",
            "http://localhost@evil.example/",
            "http://127.0.0.1:x@evil.example/jwks",
            "http://127.0.0.1:80@evil.example/jwks",
            "http://127.0.0.1\\@evil.example/",
            "http://[::1]@evil.example/",
            "http://[::ffff:10.0.0.1]/",
            "http://10.0.0.1/",
            "ftp://127.0.0.1/jwks",
            "file:///etc/keys.json",
            "https://",
        ] {
            assert!(
                !matches!(parse(bad), Ok(SetSource::Url(ref url)) if url.0.host_str() != Some("127.0.0.1"))
                    && !matches!(parse(bad), Ok(SetSource::File(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn what_an_address_holds_beside_the_place_is_not_printed() {
        let source =
            parse("https://ada:p%40ss-word@id.example.com:8443/jwks?key=hunter2#x").unwrap();
        for printed in [source.to_string(), format!("{source:?}")] {
            assert!(printed.contains("https://id.example.com:8443/jwks"), "{printed}");
            for secret in ["ada", "ss-word", "hunter2"] {
                assert!(!printed.contains(secret), "{printed}");
            }
        }
        let SetSource::Url(url) = source else { panic!("a URL") };
        let credentials = url.credentials().unwrap();
        assert_eq!(credentials, format!("Basic {}", STANDARD.encode("ada:p@ss-word")));
    }
}
