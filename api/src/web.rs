//! The web app: the files of its build, answered beside the API.
//!
//! They are read once, when the service starts. No request reaches the file system, so none can
//! leave the folder; and no link in the folder leads out of it.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use anyhow::{Context as _, bail};

use crate::asset::{Asset, wants_page};
use crate::problem::ApiError;

const INDEX: &str = "index.html";

/// What the page may do: run what comes from here, talk to here, nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// The most bytes that the folder may hold, all of which are kept in memory.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The built web app.
pub struct WebApp {
    files: HashMap<String, Asset>,
}

impl WebApp {
    /// Reads the folder of a build. `NAME.br` and `NAME.gz` beside a file are what it compresses
    /// to.
    ///
    /// # Errors
    /// When a file can't be read or lies elsewhere, the folder is too large, or there is no
    /// `index.html`.
    pub fn load(root: &Path) -> anyhow::Result<Self> {
        let contents = Folder::read(root)
            .with_context(|| format!("reading the web app in {}", root.display()))?;
        if !contents.contains_key(INDEX) {
            bail!("the web app's folder {} has no {INDEX}", root.display());
        }
        let compressed = |name: &str| {
            let plain = name.strip_suffix(".br").or_else(|| name.strip_suffix(".gz"));
            plain.is_some_and(|plain| contents.contains_key(plain))
        };
        let file = |(name, plain): (&String, &Bytes)| {
            let asset = Asset::new(media_type(name), plain.clone()).forms(
                contents.get(&format!("{name}.br")).cloned(),
                contents.get(&format!("{name}.gz")).cloned(),
            );
            let asset = if has_hash(name) { asset.for_ever() } else { asset };
            if asset.media_type.starts_with("text/html") { asset.under(POLICY) } else { asset }
        };
        let names = contents.iter().filter(|(name, _)| !compressed(name));
        Ok(Self { files: names.map(|entry| (entry.0.clone(), file(entry))).collect() })
    }

    /// The file that was asked for. Where there is none, a browser gets the page, which finds out
    /// for itself whether the address is one of its own; a program gets a problem.
    pub(crate) fn answer(&self, request: &HttpRequest) -> HttpResponse {
        match self.find(request.path(), request.headers()) {
            Some(file) => file.answer(request),
            None => ApiError::not_found().error_response(),
        }
    }

    fn find(&self, path: &str, headers: &HeaderMap) -> Option<&Asset> {
        let name = path.trim_start_matches('/');
        if name.is_empty() {
            return self.files.get(INDEX);
        }
        if let Some(file) = self.files.get(name) {
            return Some(file);
        }
        if name == "api" || name.starts_with("api/") || !wants_page(headers) {
            return None;
        }
        self.files.get(INDEX)
    }
}

/// The files of a folder, by their names in it.
struct Folder {
    root: PathBuf,
    contents: HashMap<String, Bytes>,
    bytes: u64,
}

impl Folder {
    fn read(root: &Path) -> anyhow::Result<HashMap<String, Bytes>> {
        let root = root.canonicalize()?;
        let mut folder = Self { root: root.clone(), contents: HashMap::new(), bytes: 0 };
        folder.add(&root, "")?;
        Ok(folder.contents)
    }

    fn add(&mut self, folder: &Path, prefix: &str) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            // What starts with a dot is on its way in or out, and not for anybody to fetch.
            let Some(name) = name.filter(|name| !name.starts_with('.')) else { continue };
            let name = format!("{prefix}{name}");
            let mut about = path.symlink_metadata()?;
            if about.is_symlink() {
                let target = path.canonicalize()?;
                if !target.starts_with(&self.root) || !target.is_file() {
                    bail!("{} is a link, and not to a file of the folder", path.display());
                }
                about = target.metadata()?;
            }
            if about.is_dir() {
                self.add(&path, &format!("{name}/"))?;
                continue;
            }
            if !about.is_file() {
                bail!("{} is not a file", path.display());
            }
            let file = File::open(&path).with_context(|| path.display().to_string())?;
            let mut bytes = Vec::new();
            file.take(MAX_BYTES + 1 - self.bytes).read_to_end(&mut bytes)?;
            self.bytes += bytes.len() as u64;
            if self.bytes > MAX_BYTES {
                bail!("the folder holds more than {MAX_BYTES} bytes");
            }
            self.contents.insert(name, bytes.into());
        }
        Ok(())
    }
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
    use crate::asset::FOR_EVER;

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
    fn the_page_may_do_little_and_is_always_asked_for() {
        for path in ["/", "/index.html", "/organizations/acme", "/organizations/acme.example"] {
            let names = ["content-security-policy", "cache-control", "content-type"];
            let browser = ("accept", "text/html,application/xml;q=0.9");
            let request = TestRequest::with_uri(path).insert_header(browser);
            let (status, body, headers) = get(request, &names);
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
        for accept in ["*/*", "application/json", "text/html;q=0"] {
            let asked =
                TestRequest::with_uri("/organizations/acme").insert_header(("accept", accept));
            assert_eq!(get(asked, &[]).0, 404, "{accept}");
        }
        assert_eq!(get(TestRequest::with_uri("/"), &[]).1, "page");
        let (status, _, headers) = get(TestRequest::delete().uri("/"), &["allow"]);
        assert_eq!((status, headers), (405, vec!["GET, HEAD".to_owned()]));
        assert_eq!(get(TestRequest::with_uri("/fonts/one.woff2"), &[]).1, "font");
    }

    #[test]
    fn each_file_is_sent_in_its_own_forms_and_kept_as_long_as_its_name_says() {
        let wasm =
            TestRequest::with_uri(&format!("/{WASM}")).insert_header(("accept-encoding", "br"));
        let names = ["content-encoding", "content-type", "cache-control"];
        let expected = ["br", "application/wasm", FOR_EVER].map(str::to_owned).to_vec();
        assert_eq!(get(wasm, &names), (200, "program in br".to_owned(), expected));
        let page = TestRequest::with_uri("/").insert_header(("accept-encoding", "br, gzip;q=0.1"));
        assert_eq!(get(page, &[]).1, "page in gzip", "there is no br of it");
    }

    #[cfg(unix)]
    #[test]
    fn no_link_leads_out_of_the_folder() {
        use std::os::unix::fs::symlink;
        let (outside, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("secret"), "secret").unwrap();
        let link = folder.path().join("link");
        for name in ["index.html", "app.js"] {
            std::fs::write(folder.path().join(name), "page").unwrap();
        }
        std::fs::create_dir(folder.path().join("inside")).unwrap();
        let secret = outside.path().join("secret");
        let inside = folder.path().join("inside");
        for target in [&secret, outside.path(), &inside, "/dev/zero".as_ref(), "/missing".as_ref()]
        {
            symlink(target, &link).unwrap();
            assert!(WebApp::load(folder.path()).is_err(), "{}", target.display());
            std::fs::remove_file(&link).unwrap();
        }
        symlink(folder.path().join("app.js"), &link).unwrap();
        assert!(
            WebApp::load(folder.path()).unwrap().files.contains_key("link"),
            "a file's other name"
        );
    }

    #[test]
    fn a_folder_that_is_too_large_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("index.html"), "page").unwrap();
        let large = File::create(folder.path().join("large")).unwrap();
        large.set_len(MAX_BYTES).unwrap();
        assert!(WebApp::load(folder.path()).is_err());
        large.set_len(MAX_BYTES - 4).unwrap();
        assert!(WebApp::load(folder.path()).is_ok());
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
