//! One page of Markdown, as mdBook reads it: its links, and the anchors that links to it can name. Decides nothing about
//! whether a link is right.

use std::collections::BTreeMap;

use mdbook_markdown::pulldown_cmark::{
    BrokenLink, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd,
};

/// A link, or an image, of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The number of its line, from 1.
    pub line: usize,
    /// What it leads to, as it is written, or `None` if the page does not define a reference such as `[text][name]`.
    pub target: Option<String>,
}

/// What links need to know of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The links and images, in the order of the page.
    pub links: Vec<Link>,
    /// The anchors of its headings, in order: `## What you see` has `what-you-see`. They are the same in mdBook and on GitHub.
    pub anchors: Vec<String>,
    /// The lines with links that are written in HTML, which nothing checks.
    pub html_links: Vec<usize>,
    /// The words in the font of code, outside of blocks, with their lines: names of files, commands, keys.
    pub code: Vec<(usize, String)>,
}

impl Page {
    /// Reads the text of a page.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut page = Self::default();
        let mut used = BTreeMap::new();
        let mut heading: Option<String> = None;
        let mut undefined = Vec::new();

        let note_undefined = |link: BrokenLink<'_>| -> Option<(CowStr<'_>, CowStr<'_>)> {
            // Brackets alone are no link: `[OPTIONS]`.
            if matches!(link.link_type, LinkType::Reference | LinkType::Collapsed) {
                undefined.push(Link { line: line_at(text, link.span.start), target: None });
            }
            None
        };
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_HEADING_ATTRIBUTES
            | Options::ENABLE_GFM;
        let events = Parser::new_with_broken_link_callback(text, options, Some(note_undefined));

        for (event, span) in events.into_offset_iter() {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    let target = Some(dest_url.into_string());
                    page.links.push(Link { line: line_at(text, span.start), target });
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = anchor(&heading.take().unwrap_or_default());
                    page.anchors.push(unique(anchor, &mut used));
                }
                Event::Text(words) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&words);
                    }
                }
                Event::Code(words) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&words);
                    }
                    page.code.push((line_at(text, span.start), words.into_string()));
                }
                Event::Html(html) | Event::InlineHtml(html)
                    if html.contains("href=") || html.contains("src=") =>
                {
                    page.html_links.push(line_at(text, span.start));
                }
                _ => {}
            }
        }

        page.links.append(&mut undefined);
        page
    }
}

/// The number of the line that contains this octet.
fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    1 + before.iter().filter(|octet| **octet == b'\n').count()
}

/// Returns the anchor of a heading: its letters and digits in lower case, with hyphens between the words.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept =
        kept.chars().filter(|it| it.is_alphanumeric() || it.is_whitespace() || "-_".contains(*it));
    kept.map(|it| if it.is_whitespace() { '-' } else { it }).collect()
}

/// Returns the anchor with a number if an earlier heading has the same.
fn unique(anchor: String, used: &mut BTreeMap<String, u32>) -> String {
    let count = used.entry(anchor.clone()).or_default();
    let result = if *count == 0 { anchor } else { format!("{anchor}-{count}") };
    *count += 1;
    result
}
