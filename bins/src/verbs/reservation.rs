//! The verbs of `unifi-reservation`.

pub mod conflicts;
pub mod ensure;
pub mod list;
pub mod release;

use std::time::SystemTime;

use serde::Serialize;
use std::net::Ipv4Addr;

use crate::args::{Format, Output};
use crate::output::Screen;
use crate::run::Failure;
use crate::unifi::Gateway;

/// In the mark of reservations that no site file stands behind.
const OWNER: &str = "unifi-reservation";

/// Whose reservations are ours.
#[derive(Debug, Clone, clap::Args)]
pub struct Owner {
    /// The name in the mark of reservations that are ours [default: the name of the site of -f, else unifi-reservation]
    #[arg(long, value_name = "NAME", value_parser = owner_name)]
    owner: Option<String>,
}

impl Owner {
    fn of(&self, gateway: &Gateway) -> String {
        let site = gateway.site.as_ref().map(|site| site.name.clone());
        self.owner
            .clone()
            .or(site)
            .unwrap_or_else(|| OWNER.to_owned())
    }
}

fn owner_name(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if text.is_empty() || text.len() > 63 || !text.bytes().all(fits) {
        return Err("a name is 1 to 63 letters, digits, dots, hyphens and underscores".to_owned());
    }
    Ok(text.to_owned())
}

/// What was done, or would be.
#[derive(Debug, Serialize)]
struct Report {
    action: &'static str,
    dry_run: bool,
    mac: String,
    /// The address it is about; null where there is none.
    address: Option<Ipv4Addr>,
    /// The address reserved before an `ensure`, or again after a `release`.
    other: Option<Ipv4Addr>,
}

impl Report {
    fn print(&self, output: Output, screen: &mut Screen) -> Result<(), Failure> {
        if output.format != Format::Table {
            return screen.document(output.format, self);
        }
        let Some(address) = self.address else {
            return Ok(());
        };
        let would = match (self.dry_run, self.action) {
            (true, "reserved" | "released") => "would be ",
            _ => "",
        };
        let other = match (self.action, self.other) {
            (_, None) => String::new(),
            ("released", Some(other)) => format!(", {other} is reserved again"),
            (_, Some(other)) => format!(" in place of {other}"),
        };
        screen.print(&format!(
            "{address} for {}: {would}{}{other}",
            self.mac, self.action
        ));
        Ok(())
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
