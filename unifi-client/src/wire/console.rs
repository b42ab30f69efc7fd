//! What is said to the console itself rather than to its Network application.

use serde::Serialize;

/// Body of the login. Its answer holds the account with its mail address and is not read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginBody<'a> {
    pub(crate) username: &'a str,
    pub(crate) password: &'a str,
    pub(crate) remember_me: bool,
}
