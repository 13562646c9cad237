//! MRT files: any octets are read to an end, or to an error; what comes out is text.

use lb_adapter::decode::{self, Form};

use crate::decode::judge_page;

/// The input is a file, which may be compressed.
pub fn check(input: &[u8]) {
    for form in [Form::Text, Form::Json] {
        let mut page = Vec::new();
        let _ = decode::mrt(input, form, &mut page);
        judge_page(&page);
    }
}
