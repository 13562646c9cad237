//! The live page in headless Chromium, against the processes that serve it.
//!
//! The tests run if `FERROLB_TEST_INTEROP=1` (`make interop`). With `FERROLB_PAGE_PICTURES=DIR` they also write the pictures of
//! `docs/page.md` to that directory:
//!
//! ```text
//! FERROLB_TEST_INTEROP=1 FERROLB_PAGE_PICTURES=$PWD/docs/images cargo test -p ferrolb --test interop_page
//! ```

mod browser;
mod lab;
mod run;
mod web_driver;
#[path = "../cli/world.rs"]
#[expect(dead_code, reason = "these tests need a part of it")]
mod world;

use std::path::PathBuf;

use browser::{Browser, Look};

/// Takes a picture for the documentation, if one is wanted.
async fn picture(browser: &Browser, look: Look, name: &str) {
    let Some(directory) = std::env::var_os("FERROLB_PAGE_PICTURES") else { return };
    browser.look(look).await;
    browser.picture(&PathBuf::from(directory).join(name)).await;
}

/// Returns the address in a line such as `page: http://127.0.0.1:7472/`.
fn address_in(line: &str) -> String {
    let begin = line.find("http://").unwrap_or_else(|| panic!("no address in {line:?}"));
    let address = line[begin..].split_whitespace().next().expect("an address");
    address.trim_end_matches('/').to_owned()
}
