//! Lists of the integration API, which come in pages.

use serde::de::DeserializeOwned;

use crate::wire::integration::Page;
use crate::{Client, Error, Filter, Refusal};

/// Most rows a page may have.
const LIMIT: usize = 200;
/// Times a list that changed while it was read is read again.
const RESTARTS: u32 = 3;

/// All pages of a list. One that changes while it is read is read again from its start.
pub(crate) async fn pages<T: DeserializeOwned>(
    client: &Client,
    collection: &str,
    filter: Option<&Filter>,
) -> Result<Vec<T>, Error> {
    let filter = filter.map(Filter::query).unwrap_or_default();
    for _ in 0..=RESTARTS {
        if let Some(rows) = pass(client, collection, &filter).await? {
            return Ok(rows);
        }
    }
    Err(Error::Busy(Box::new(Refusal {
        call: format!("GET {collection}"),
        message: Some("the list changed each time it was read".to_owned()),
        ..Refusal::default()
    })))
}

/// `None` when the list changed between two pages.
async fn pass<T: DeserializeOwned>(
    client: &Client,
    collection: &str,
    filter: &str,
) -> Result<Option<Vec<T>>, Error> {
    let mut rows = Vec::new();
    let mut total = None;
    loop {
        let offset = rows.len();
        let page: Page<T> = client
            .json(&format!(
                "{collection}?offset={offset}&limit={LIMIT}{filter}"
            ))
            .await?;
        let consistent = *total.get_or_insert(page.total_count) == page.total_count
            && page.offset == offset as u64;
        let last = page.data.is_empty();
        rows.extend(page.data);
        let complete = rows.len() as u64 >= page.total_count;
        match (consistent, complete) {
            (true, true) => return Ok(Some(rows)),
            (true, false) if !last => {}
            _ => return Ok(None),
        }
    }
}
