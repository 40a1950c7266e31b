//! The web app: the files of its build, answered beside the API.
//!
//! They are read once, when the service starts. No request reaches the file system, so none can
//! leave the folder.

use std::collections::HashMap;
use std::path::Path;

use activity_logs_model::ProblemCode;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use anyhow::{Context as _, bail};

use crate::problem::ApiError;

const INDEX: &str = "index.html";

/// What the page may do: run what comes from here, talk to here, nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// The name holds a hash of the content, so what it names never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Asked for again each time: the page decides which of the hashed files are current.
const ASK_AGAIN: &str = "no-cache";

/// The built web app.
pub struct WebApp {
    files: HashMap<String, File>,
}

struct File {
    media_type: &'static str,
    cache: &'static str,
    plain: Bytes,
    brotli: Option<Bytes>,
    gzip: Option<Bytes>,
}

impl WebApp {
    /// Reads the folder of a build. `NAME.br` and `NAME.gz` beside a file are what it compresses
    /// to.
    ///
    /// # Errors
    /// When a file can't be read, or there is no `index.html`.
    pub fn load(root: &Path) -> anyhow::Result<Self> {
        let mut contents = HashMap::new();
        read_folder(root, "", &mut contents)
            .with_context(|| format!("reading the web app in {}", root.display()))?;
        if !contents.contains_key(INDEX) {
            bail!("the web app's folder {} has no {INDEX}", root.display());
        }
        let compressed = |name: &str| {
            let plain = name.strip_suffix(".br").or_else(|| name.strip_suffix(".gz"));
            plain.is_some_and(|plain| contents.contains_key(plain))
        };
        let file = |(name, plain): (&String, &Bytes)| File {
            media_type: media_type(name),
            cache: if has_hash(name) { FOR_EVER } else { ASK_AGAIN },
            plain: plain.clone(),
            brotli: contents.get(&format!("{name}.br")).cloned(),
            gzip: contents.get(&format!("{name}.gz")).cloned(),
        };
        let names = contents.iter().filter(|(name, _)| !compressed(name));
        Ok(Self { files: names.map(|entry| (entry.0.clone(), file(entry))).collect() })
    }

    /// The file that was asked for; the page, where the path is one of the app's own; otherwise
    /// a problem.
    pub(crate) fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let Some(file) = self.find(request.path(), request.headers()) else {
            return ApiError::not_found().error_response();
        };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let detail = "This resource has only: GET, HEAD.";
            let mut response =
                ApiError::new(ProblemCode::MethodNotAllowed, detail).error_response();
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let mut response = HttpResponse::Ok();
        response.content_type(file.media_type);
        response.insert_header((header::CACHE_CONTROL, file.cache));
        response.insert_header((header::VARY, "Accept-Encoding"));
        if file.media_type.starts_with("text/html") {
            response.insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
        }
        let (encoding, body) = file.encoded_for(request.headers());
        if let Some(encoding) = encoding {
            response.insert_header((header::CONTENT_ENCODING, encoding));
        }
        response.body(body.clone())
    }

    fn find(&self, path: &str, headers: &HeaderMap) -> Option<&File> {
        let name = path.trim_start_matches('/');
        if let Some(file) = self.files.get(name) {
            return Some(file);
        }
        if name == "api" || name.starts_with("api/") {
            return None;
        }
        // An id in a path of the app may have a dot as well as a file: a browser that opens a
        // page asks for HTML, one that loads a part of it does not.
        let has_extension = name.rsplit('/').next().is_some_and(|last| last.contains('.'));
        let page =
            !has_extension || items(headers, header::ACCEPT).any(|(kind, _)| kind == "text/html");
        page.then(|| self.files.get(INDEX)).flatten()
    }
}

impl File {
    /// The smallest form that the client takes, and what that form is called.
    fn encoded_for(&self, headers: &HeaderMap) -> (Option<&'static str>, &Bytes) {
        let quality = |wanted: &str| {
            let named = items(headers, header::ACCEPT_ENCODING).find(|(name, _)| *name == wanted);
            let any = || items(headers, header::ACCEPT_ENCODING).find(|(name, _)| *name == "*");
            named.or_else(any).map_or(0.0, |(_, quality)| quality)
        };
        let (brotli, gzip) = (quality("br"), quality("gzip"));
        match (&self.brotli, &self.gzip) {
            (Some(body), _) if brotli > 0.0 && (brotli >= gzip || self.gzip.is_none()) => {
                (Some("br"), body)
            }
            (_, Some(body)) if gzip > 0.0 => (Some("gzip"), body),
            _ => (None, &self.plain),
        }
    }
}

/// The items of a list like `br;q=0.9, gzip` with their qualities; what can't be read has none.
fn items(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = (&str, f32)> {
    let lines = headers.get_all(name).filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let value = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q="));
        (value, quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0)))
    })
}

fn read_folder(
    folder: &Path,
    prefix: &str,
    contents: &mut HashMap<String, Bytes>,
) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        // What starts with a dot is on its way in or out, and not for anybody to fetch.
        let Some(name) = name.filter(|name| !name.starts_with('.')) else { continue };
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            read_folder(&path, &format!("{name}/"), contents)?;
        } else {
            let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
            contents.insert(name, bytes.into());
        }
    }
    Ok(())
}

/// Whether the name ends in a hash of the content, as in `app-0123456789abcdef_bg.wasm`. The
/// hash is 64 bits in hexadecimal without leading zeros.
fn has_hash(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let stem = stem.strip_suffix("_bg").unwrap_or(stem);
    stem.rsplit_once('-').is_some_and(|(_, hash)| {
        (12..=16).contains(&hash.len()) && hash.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::MessageBody as _;
    use actix_web::test::TestRequest;

    use super::*;

    const WASM: &str = "app-0123456789abcdef_bg.wasm";

    fn app() -> WebApp {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("index.html", "page"),
            ("index.html.gz", "page in gzip"),
            (WASM, "program"),
            (&format!("{WASM}.br"), "program in br"),
            (&format!("{WASM}.gz"), "program in gzip"),
            (".stage", "secret"),
            ("fonts/one.woff2", "font"),
        ] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        WebApp::load(folder.path()).unwrap()
    }

    /// Status, body, and the headers that were asked for.
    fn get(request: TestRequest, names: &[&str]) -> (u16, String, Vec<String>) {
        let response = app().answer(&request.to_http_request());
        let text = |name: &&str| {
            response.headers().get(*name).map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        let (status, headers) = (response.status().as_u16(), names.iter().map(text).collect());
        let body = response.into_body().try_into_bytes().unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap(), headers)
    }

    #[test]
    fn each_client_gets_the_smallest_form_it_takes() {
        for (accepted, encoding) in [
            ("gzip, deflate, br, zstd", "br"),
            ("gzip;q=1.0, br;q=0.5", "gzip"),
            ("br;q=0, gzip", "gzip"),
            ("*", "br"),
            ("*;q=0", ""),
            ("br;q=much", ""),
            ("identity", ""),
        ] {
            let request = TestRequest::with_uri(&format!("/{WASM}"));
            let (status, body, headers) = get(
                request.insert_header(("accept-encoding", accepted)),
                &["content-encoding", "content-type", "vary", "cache-control"],
            );
            let expected = [encoding, "application/wasm", "Accept-Encoding", FOR_EVER];
            assert_eq!(
                (status, headers),
                (200, expected.map(str::to_owned).to_vec()),
                "{accepted}"
            );
            let form = if encoding.is_empty() { String::new() } else { format!(" in {encoding}") };
            assert_eq!(body, format!("program{form}"), "{accepted}");
        }
        let page = TestRequest::with_uri("/").insert_header(("accept-encoding", "br, gzip;q=0.1"));
        assert_eq!(get(page, &[]).1, "page in gzip", "there is no br of it");
    }

    #[test]
    fn the_page_may_do_little_and_is_always_asked_for() {
        for path in ["/", "/index.html", "/organizations/acme", "/organizations/acme/entries"] {
            let names = ["content-security-policy", "cache-control", "content-type"];
            let (status, body, headers) = get(TestRequest::with_uri(path), &names);
            assert_eq!((status, body.as_str()), (200, "page"), "{path}");
            assert_eq!(headers, [POLICY, "no-cache", "text/html; charset=utf-8"], "{path}");
        }
        assert!(!POLICY.contains("unsafe-inline") && !POLICY.contains("unsafe-eval' "));
    }

    #[test]
    fn what_is_not_there_is_a_problem() {
        for path in [
            "/missing.js",
            "/app-0123456789abcdee_bg.wasm",
            "/index.html.gz",
            "/.stage",
            "/fonts/../../Cargo.toml",
            "/%2e%2e/Cargo.toml",
            "/api",
            "/api/v2/me",
            "/demo.json",
        ] {
            let (status, body, _) = get(TestRequest::with_uri(path), &[]);
            assert!(status == 404 && body.contains("not_found"), "{path}: {body}");
        }
        let opened = TestRequest::with_uri("/organizations/acme.example");
        let opened = opened.insert_header(("accept", "text/html,application/xml;q=0.9"));
        assert_eq!(get(opened, &[]).1, "page", "ids may have dots");
        let (status, _, headers) = get(TestRequest::delete().uri("/"), &["allow"]);
        assert_eq!((status, headers), (405, vec!["GET, HEAD".to_owned()]));
        assert_eq!(get(TestRequest::with_uri("/fonts/one.woff2"), &[]).1, "font");
    }

    #[test]
    fn hashed_names_are_known() {
        for name in
            ["a-0123456789abcdef.js", "a-b-123456789abcdef_bg.wasm", "s-fedcba9876543210.css"]
        {
            assert!(has_hash(name), "{name}");
        }
        for name in ["index.html", "start.js", "activity-logs.js", "a-0123456789abcdeg.js"] {
            assert!(!has_hash(name), "{name}");
        }
    }

    #[test]
    fn a_folder_without_a_page_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(WebApp::load(folder.path()).is_err());
        assert!(WebApp::load(&folder.path().join("missing")).is_err());
    }
}
