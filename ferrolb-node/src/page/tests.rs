use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use futures_util::FutureExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;

use super::*;

/// Asks for a path, with the tag that the browser knows.
fn get_file(path: &str, tag: Option<&str>) -> Response {
    let mut request = Request::get(path);
    if let Some(tag) = tag {
        request = request.header(header::IF_NONE_MATCH, tag);
    }
    let service = TowerToHyperService::new(router::<()>().with_state(()));
    let answer = service.call(request.body(Body::empty()).unwrap());
    answer.now_or_never().expect("an answer without waiting").unwrap()
}

#[test]
fn every_file_has_a_type_a_policy_and_a_tag_that_saves_sending_it_again() {
    for asset in ASSETS {
        let response = get_file(asset.path, None);
        assert_eq!(response.status(), StatusCode::OK, "{}", asset.path);
        let headers = response.headers();
        assert_eq!(headers[header::CONTENT_TYPE], asset.content_type);
        assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(
            headers[header::CONTENT_SECURITY_POLICY]
                .to_str()
                .unwrap()
                .starts_with("default-src 'none';")
        );

        let tag = headers[header::ETAG].to_str().unwrap();
        assert_eq!(get_file(asset.path, Some(tag)).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(get_file(asset.path, Some("\"other\"")).status(), StatusCode::OK);
        let several = format!("\"other\", {tag}");
        assert_eq!(get_file(asset.path, Some(&several)).status(), StatusCode::NOT_MODIFIED);
    }
    assert_eq!(get_file("/page/mod.rs", None).status(), StatusCode::NOT_FOUND);
}

#[test]
fn tags_differ_between_files() {
    let tags = ASSETS.iter().map(|asset| entity_tag(asset.text)).collect::<BTreeSet<_>>();
    assert_eq!(tags.len(), ASSETS.len());
}

#[test]
fn what_the_files_load_is_served_too() {
    let paths = ASSETS.iter().map(|asset| asset.path).collect::<BTreeSet<_>>();
    for asset in ASSETS {
        for line in asset.text.lines().filter(|line| line.starts_with("import ")) {
            let name = line.split('"').nth(1).and_then(|name| name.strip_prefix("./")).unwrap();
            assert!(
                paths.contains(format!("/page/{name}").as_str()),
                "{} imports {name}",
                asset.path
            );
        }
    }
    let index = ASSETS[0].text;
    for reference in ["href=\"page/page.css\"", "src=\"page/main.js\""] {
        assert!(index.contains(reference), "{reference}");
    }
}

#[test]
fn no_file_makes_markup_of_data_or_names_another_origin() {
    for asset in ASSETS {
        for forbidden in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("]
        {
            assert!(!asset.text.contains(forbidden), "{} uses {forbidden}", asset.path);
        }
        // The names of XML namespaces are no addresses.
        let text = asset.text.replace("http://www.w3.org/2000/svg", "");
        for address in ["http://", "https://", "url("] {
            assert!(!text.contains(address), "{} names an address: {address}", asset.path);
        }
    }
}
