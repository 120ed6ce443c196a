//! The pages of a list, which must end.
//!
//! * The list fails after a repeated link, ten pages in a row without anything new, or more bytes than any list has
//!   (azure-cli#28632, azure-sdk-for-python#4315).
//! * A page is dropped before the next one is requested; only our items are kept.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::bad_answer::BadAnswer;
use crate::services::ArmError;

/// More pages than any list can have: a subscription holds at most 5,000 container groups in a region and a topic at
/// most 2,000 subscriptions, in pages of at least 100.
const MAX_PAGES: usize = 1000;

/// Ten times the size of 5,000 container groups of some 4 KB.
const MAX_BYTES: usize = 200 << 20;

/// Pages in a row that may have nothing new: services may filter pages after cutting them, and some repeat items.
const MAX_PAGES_WITHOUT_NEWS: usize = 10;

/// The progress of reading a list.
#[derive(Debug, Default)]
pub(super) struct Pages {
    followed: HashSet<String>,
    /// Hashes of the items' ids, to save memory for foreign groups.
    seen: HashSet<u64>,
    without_news: usize,
    bytes: usize,
}

#[derive(Deserialize)]
struct Page {
    value: Vec<Value>,
    #[serde(rename = "nextLink")]
    next_link: Option<String>,
}

impl Pages {
    /// Records that a page is about to be read.
    ///
    /// # Errors
    /// If the page was read before, or there were too many.
    pub(super) fn begin(&mut self, url: &Url) -> Result<(), ArmError> {
        if self.followed.len() == MAX_PAGES {
            return Err(ArmError::unavailable(format!("a list did not end after {MAX_PAGES} pages")));
        }
        if !self.followed.insert(url.as_str().to_owned()) {
            return Err(ArmError::unavailable("a list did not end: a link leads to a page that was read before"));
        }
        Ok(())
    }

    /// The items of a page, and the link to the next one.
    ///
    /// # Errors
    /// If the page is malformed, or the list goes on without anything new.
    pub(super) fn read(&mut self, body: &[u8], api_version: &str) -> Result<(Vec<Value>, Option<Url>), ArmError> {
        self.bytes += body.len();
        if self.bytes > MAX_BYTES {
            return Err(ArmError::unavailable(format!("a list is larger than {MAX_BYTES} bytes")));
        }
        let page: Page = serde_json::from_slice(body).map_err(BadAnswer::Page)?;
        let Some(link) = page.next_link.filter(|link| !link.is_empty()) else { return Ok((page.value, None)) };
        let mut is_new = |item: &Value| id(item).is_none_or(|id| self.seen.insert(id));
        let news = page.value.iter().filter(|item| is_new(item)).count();
        self.without_news = if news == 0 { self.without_news + 1 } else { 0 };
        if self.without_news == MAX_PAGES_WITHOUT_NEWS {
            let reason = format!("a list did not end: {MAX_PAGES_WITHOUT_NEWS} pages in a row had nothing new");
            return Err(ArmError::unavailable(reason));
        }
        Ok((page.value, Some(next_page(&link, api_version)?)))
    }
}

fn id(item: &Value) -> Option<u64> {
    let id = item.get("id").or_else(|| item.get("name"))?.as_str()?;
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    Some(hasher.finish())
}

/// The address of a next page, with the api-version that it may lack.
fn next_page(link: &str, api_version: &str) -> Result<Url, ArmError> {
    let mut url = Url::parse(link).map_err(BadAnswer::Link)?;
    if !url.query_pairs().any(|(name, _)| name.eq_ignore_ascii_case("api-version")) {
        url.query_pairs_mut().append_pair("api-version", api_version);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(ids: &[&str], link: usize) -> Vec<u8> {
        let items: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
        json!({ "value": items, "nextLink": format!("https://localhost/?{link}") }).to_string().into_bytes()
    }

    /// How many pages are read before a list that has this on each page but the first is given up, and why.
    fn read(ids: &[&str]) -> (usize, String) {
        let mut pages = Pages::default();
        pages.read(&page(&["a", "b"], 0), "1").unwrap();
        (1..).find_map(|number| Some((number, pages.read(&page(ids, number), "1").err()?.to_string()))).unwrap()
    }

    #[test]
    fn a_list_without_anything_new_ends_after_ten_pages() {
        for ids in [&["b", "a"][..], &[]] {
            let (number, reason) = read(ids);
            assert_eq!(number, 10);
            assert!(reason.contains("nothing new"), "{reason}");
        }
    }

    #[test]
    fn a_page_that_only_repeats_items_is_read_past() {
        let mut pages = Pages::default();
        for (number, ids) in [["a", "b"], ["a", "b"], ["b", "c"], ["c", "c"]].iter().enumerate() {
            let (items, next) = pages.read(&page(ids, number), "1").unwrap();
            assert_eq!(items.len(), 2);
            assert_eq!(next.unwrap().as_str(), format!("https://localhost/?{number}&api-version=1"));
        }
    }

    #[test]
    fn a_list_of_too_many_bytes_is_given_up() {
        let mut pages = Pages { bytes: MAX_BYTES - 100, ..Pages::default() };
        pages.read(&page(&["a"], 0), "1").unwrap();
        let reason = pages.read(&page(&["b"], 1), "1").unwrap_err().to_string();
        assert!(reason.contains("larger than"), "{reason}");
    }
}
