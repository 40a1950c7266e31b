//! The interactive API reference at `/docs/`: Swagger UI, from memory.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use utoipa_swagger_ui::Config;

use crate::asset::Asset;
use crate::problem::ApiError;

/// Relative, so that it is found behind a proxy that serves all of this below a path of its own.
const DOCUMENT: &str = "../openapi.json";

/// The files of Swagger UI that its page loads.
const FILES: [&str; 8] = [
    "index.html",
    "index.css",
    "swagger-ui.css",
    "swagger-initializer.js",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "favicon-16x16.png",
    "favicon-32x32.png",
];

/// Its scripts are files of ours, so what a document might smuggle into the page does not run.
/// Swagger UI draws its icons and some of its styles inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

/// A file of the reference.
pub(crate) async fn get(request: HttpRequest) -> HttpResponse {
    static ASSETS: LazyLock<HashMap<&str, Asset>> = LazyLock::new(load);
    let name = match request.match_info().get("file").unwrap_or_default() {
        "" => "index.html",
        name => name,
    };
    match ASSETS.get(name) {
        Some(asset) => asset.answer(&request),
        None => ApiError::not_found().error_response(),
    }
}

/// To the folder, in which the page's own addresses are.
pub(crate) async fn redirect() -> HttpResponse {
    HttpResponse::TemporaryRedirect().insert_header((header::LOCATION, "docs/")).finish()
}

fn load() -> HashMap<&'static str, Asset> {
    let config = Arc::new(Config::from(DOCUMENT));
    let asset = |name: &'static str| {
        let file = utoipa_swagger_ui::serve(name, config.clone()).ok()??;
        let asset = Asset::new(file.content_type, file.bytes.into_owned());
        let asset = if name.ends_with(".png") { asset } else { asset.compressed() };
        Some((name, asset.under(POLICY)))
    };
    FILES.into_iter().filter_map(asset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_there_and_the_page_asks_for_no_other() {
        let assets = load();
        assert_eq!(assets.len(), FILES.len());
        let page = utoipa_swagger_ui::serve("index.html", Arc::new(Config::from(DOCUMENT)));
        let page = String::from_utf8(page.unwrap().unwrap().bytes.into_owned()).unwrap();
        let mut asked = 0;
        for part in page.split(['"']).filter(|part| part.starts_with("./")) {
            assert!(FILES.contains(&&part[2..]), "{part}");
            asked += 1;
        }
        assert!(asked >= 5, "{page}");
    }
}
