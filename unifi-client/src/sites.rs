//! Sites and what the credential may do in them.

use crate::client::SELF_SITES;
use crate::wire::legacy::{AccountRow, SiteRow, UserGroupRow};
use crate::{Account, Client, Error, Refusal, Site, UserGroup};

impl Client {
    /// All sites this credential can see. `role` tells whether writes can succeed: a read-only key passes every read.
    ///
    /// Path: legacy `api/self/sites`, in the gateway's order. Cancellation-safe.
    ///
    /// # Errors
    /// [`Error::Unauthorized`], [`Error::Forbidden`], [`Error::Busy`] and [`Error::Transport`], as for every read.
    pub async fn sites(&self) -> Result<Vec<Site>, Error> {
        let rows: Vec<SiteRow> = self.rows(SELF_SITES).await?;
        Ok(rows.into_iter().filter_map(SiteRow::into_site).collect())
    }

    /// The account behind a login (`api/self`). With an API key the answer is unproven.
    ///
    /// # Errors
    /// [`Error::Unauthorized`]; [`Error::Unsupported`] for an answer without an account. Cancellation-safe.
    pub async fn account(&self) -> Result<Account, Error> {
        let rows: Vec<AccountRow> = self.rows("/api/self").await?;
        let account = rows.into_iter().find_map(AccountRow::into_account);
        account.ok_or_else(|| {
            Error::Unsupported(Box::new(Refusal {
                call: "GET /api/self".to_owned(),
                message: Some("the answer names no account".to_owned()),
                ..Refusal::default()
            }))
        })
    }

    /// Bandwidth groups of the site; read only.
    ///
    /// # Errors
    /// As for every read. Cancellation-safe.
    pub async fn user_groups(&self) -> Result<Vec<UserGroup>, Error> {
        let rows: Vec<UserGroupRow> = self.rows(&self.legacy("rest/usergroup")).await?;
        Ok(rows
            .into_iter()
            .filter_map(UserGroupRow::into_group)
            .collect())
    }

    /// The configured site. Path as for [`Client::sites`]. Cancellation-safe.
    ///
    /// # Errors
    /// As for [`Client::sites`]; [`Error::NotFound`] naming the visible sites when it is not among them: what is wanted
    /// is the path segment, not the title.
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
