//! Sites and what the credential may do in them.

use crate::wire::legacy::SiteRow;
use crate::{Client, Error, Refusal, Site};

impl Client {
    /// All sites this credential can see. `role` tells whether writes can succeed: a read-only key passes every read.
    pub async fn sites(&self) -> Result<Vec<Site>, Error> {
        let rows: Vec<SiteRow> = self.rows("/api/self/sites").await?;
        Ok(rows.into_iter().filter_map(SiteRow::into_site).collect())
    }

    /// The configured site; [`Error::NotFound`] naming the visible ones when it is not among them.
    pub async fn site(&self) -> Result<Site, Error> {
        let (mut found, others): (Vec<_>, Vec<_>) = self
            .sites()
            .await?
            .into_iter()
            .partition(|site| site.name == self.site_name());
        found.pop().ok_or_else(|| {
            let names: Vec<_> = others
                .iter()
                .map(|site| format!("{} ({})", site.name, site.description))
                .collect();
            Error::NotFound(Box::new(Refusal {
                call: format!("site {}", self.site_name()),
                message: Some(api_transport::redact(
                    &format!("visible are: {}", names.join(", ")),
                    300,
                )),
                ..Refusal::default()
            }))
        })
    }
}
