//! Single DNS records of a gateway, kept or removed by name. They can carry no mark, so nothing of another value is
//! touched unasked, and nothing is removed but what is exactly as named.

use unifi_client::{ClientRecord, DnsRecord, NewDnsRecord, RecordType};

use crate::diagnostic::Diagnostic;
use crate::plan::{same_name, same_value};
use crate::ports::{Failure, Gateway, PortError, PortResult, System};

/// What keeping a record takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is there, exactly so.
    Unchanged,
    /// It is made.
    Make,
    /// This one is put in its place.
    Replace(DnsRecord),
}

/// Decides what keeping `wanted` takes. Without `ttl` any lifetime will do.
///
/// # Errors
/// What stands in the way and needs a person.
pub fn ensure(
    wanted: &NewDnsRecord,
    ttl: Option<u32>,
    records: &[DnsRecord],
    clients: &[ClientRecord],
    replace: bool,
) -> Result<Step, Diagnostic> {
    if let Some(client) = holder(&wanted.name, clients) {
        let message = format!(
            "the name {} belongs to the client {} in the gateway",
            wanted.name, client.mac
        );
        return Err(Diagnostic::error(message)
            .hint("clear the client's local DNS name, or choose another name"));
    }
    let named: Vec<&DnsRecord> = records
        .iter()
        .filter(|record| same_name(&record.name, &wanted.name))
        .collect();
    let is_alias = |kind: &RecordType| *kind == RecordType::Cname;
    if let Some(other) = named.iter().find(|record| {
        record.record_type != wanted.record_type
            && (is_alias(&record.record_type) || is_alias(&wanted.record_type))
    }) {
        return Err(Diagnostic::error(format!(
            "there is {}; an alias never stands beside another record of its name",
            shown(other)
        ))
        .hint(
            "on some firmware that stops DNS and DHCP of the site: remove the other record first",
        ));
    }
    let same: Vec<&DnsRecord> = named
        .into_iter()
        .filter(|record| record.record_type == wanted.record_type)
        .collect();
    if same.iter().any(|record| is_exactly(record, wanted, ttl)) {
        return Ok(Step::Unchanged);
    }
    match same.as_slice() {
        [] => Ok(Step::Make),
        [one] if replace => Ok(Step::Replace((*one).clone())),
        [one] => Err(Diagnostic::error(format!("there is {}", shown(one)))
            .hint("--replace puts the new value in its place")),
        several => {
            let all: Vec<String> = several.iter().map(|record| shown(record)).collect();
            Err(Diagnostic::error(format!("there are {}", all.join(", ")))
                .hint("remove those that should go: which one is meant cannot be told"))
        }
    }
}

/// Which records `remove` means: those of a name, and of a type and value where they are given.
///
/// # Errors
/// What has the name is not what was named.
pub fn named<'a>(
    name: &str,
    record_type: Option<&RecordType>,
    value: Option<&str>,
    records: &'a [DnsRecord],
) -> Result<Vec<&'a DnsRecord>, Diagnostic> {
    let of_name: Vec<&DnsRecord> = records
        .iter()
        .filter(|record| same_name(&record.name, name))
        .collect();
    let meant: Vec<&DnsRecord> = of_name
        .iter()
        .copied()
        .filter(|record| record_type.is_none_or(|kind| *kind == record.record_type))
        .filter(|record| {
            value.is_none_or(|value| same_value(&record.record_type, &record.value, value))
        })
        .collect();
    let all = || {
        let all: Vec<String> = of_name.iter().map(|record| shown(record)).collect();
        all.join(", ")
    };
    match (meant.len(), of_name.len()) {
        (0, 1..) => Err(Diagnostic::error(format!(
            "there is {}, which is not what was named",
            all()
        ))
        .hint("only what is exactly as named is removed")),
        (2.., _) if value.is_none() => Err(Diagnostic::error(format!("there are {}", all()))
            .hint("name the TYPE and the VALUE of the one that should go")),
        _ => Ok(meant),
    }
}

/// Carries a step out and reads back.
///
/// # Errors
/// The gateway refuses it, or does not show it afterwards.
pub async fn keep(
    gateway: &dyn Gateway,
    wanted: &NewDnsRecord,
    ttl: Option<u32>,
    step: &Step,
) -> PortResult<()> {
    let written = match step {
        Step::Unchanged => return Ok(()),
        Step::Make => gateway.create_dns_record(wanted).await,
        Step::Replace(old) => gateway.update_dns_record(&old.id, wanted).await,
    };
    let listed = match gateway.dns_records().await {
        Ok(listed) => listed,
        Err(unread) => return Err(written.err().unwrap_or(unread)),
    };
    // An answer that was lost does not count when the record is there.
    if listed.iter().any(|record| is_exactly(record, wanted, ttl)) {
        return Ok(());
    }
    Err(written.err().unwrap_or_else(|| {
        let message = "the gateway took the record but does not list it";
        PortError::new(System::Unifi, Failure::Other, message)
    }))
}

/// Deletes a record and reads back.
///
/// # Errors
/// The gateway refuses it, or still shows it.
pub async fn remove(gateway: &dyn Gateway, record: &DnsRecord) -> PortResult<()> {
    let deleted = gateway.delete_dns_record(&record.id).await;
    let listed = match gateway.dns_records().await {
        Ok(listed) => listed,
        Err(unread) => return Err(deleted.err().unwrap_or(unread)),
    };
    if !listed.iter().any(|listed| listed.id == record.id) {
        return Ok(());
    }
    Err(deleted.err().unwrap_or_else(|| {
        let message = format!("{} is still there", shown(record));
        PortError::new(System::Unifi, Failure::Other, message)
    }))
}

/// Name, type and value in one line.
pub fn shown(record: &DnsRecord) -> String {
    let state = if record.enabled { "" } else { " (disabled)" };
    let ttl = match record.ttl {
        0 => String::new(),
        ttl => format!(" ttl {ttl}"),
    };
    format!(
        "{} {} {}{ttl}{state}",
        record.name, record.record_type, record.value
    )
}

fn is_exactly(record: &DnsRecord, wanted: &NewDnsRecord, ttl: Option<u32>) -> bool {
    record.enabled
        && same_name(&record.name, &wanted.name)
        && record.record_type == wanted.record_type
        && same_value(&wanted.record_type, &record.value, &wanted.value)
        && ttl.is_none_or(|ttl| ttl == record.ttl)
}

/// The client whose own DNS name this is.
fn holder<'a>(name: &str, clients: &'a [ClientRecord]) -> Option<&'a ClientRecord> {
    let has = |client: &&ClientRecord| {
        client
            .local_dns
            .as_deref()
            .is_some_and(|local| same_name(local, name))
    };
    clients.iter().find(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, name: &str, kind: &str, value: &str) -> DnsRecord {
        DnsRecord {
            id: id.to_owned(),
            name: name.to_owned(),
            record_type: kind.into(),
            value: value.to_owned(),
            ttl: 0,
            enabled: true,
        }
    }

    fn wanted(name: &str, kind: &str, value: &str) -> NewDnsRecord {
        NewDnsRecord {
            name: name.to_owned(),
            record_type: kind.into(),
            value: value.to_owned(),
            ttl: 0,
        }
    }

    #[test]
    fn a_record_is_kept_and_nothing_else_touched() {
        let off = DnsRecord {
            enabled: false,
            ..record("5", "off.example", "A", "10.0.0.5")
        };
        let records = [
            record("1", "one.example", "A", "10.0.0.1"),
            record("2", "six.example", "AAAA", "2001:db8::1"),
            record("3", "two.example", "A", "10.0.0.2"),
            record("4", "two.example", "A", "10.0.0.3"),
            record("6", "www.example", "CNAME", "one.example"),
            off,
        ];
        for (name, kind, value, ttl, replace, expected) in [
            ("One.Example.", "A", "10.0.0.1", None, false, "unchanged"),
            ("one.example", "A", "10.0.0.1", Some(0), false, "unchanged"),
            ("one.example", "A", "10.0.0.1", Some(60), false, "refused"),
            ("one.example", "A", "10.0.0.1", Some(60), true, "replace 1"),
            ("one.example", "A", "10.0.0.9", None, false, "refused"),
            ("one.example", "A", "10.0.0.9", None, true, "replace 1"),
            ("one.example", "AAAA", "2001:db8::9", None, false, "make"),
            ("one.example", "CNAME", "two.example", None, true, "refused"),
            ("www.example", "A", "10.0.0.1", None, true, "refused"),
            (
                "www.example",
                "CNAME",
                "two.example",
                None,
                true,
                "replace 6",
            ),
            (
                "six.example",
                "AAAA",
                "2001:DB8:0::1",
                None,
                false,
                "unchanged",
            ),
            ("two.example", "A", "10.0.0.3", None, false, "unchanged"),
            ("two.example", "A", "10.0.0.4", None, true, "refused"),
            ("off.example", "A", "10.0.0.5", None, false, "refused"),
            ("off.example", "A", "10.0.0.5", None, true, "replace 5"),
            ("new.example", "TXT", "hello", None, false, "make"),
        ] {
            let step = ensure(&wanted(name, kind, value), ttl, &records, &[], replace);
            let found = match step {
                Ok(Step::Unchanged) => "unchanged".to_owned(),
                Ok(Step::Make) => "make".to_owned(),
                Ok(Step::Replace(old)) => format!("replace {}", old.id),
                Err(_) => "refused".to_owned(),
            };
            assert_eq!(found, expected, "{name} {kind} {value} {ttl:?} {replace}");
        }
    }

    #[test]
    fn only_what_is_exactly_named_is_removed() {
        let records = [
            record("1", "one.example", "A", "10.0.0.1"),
            record("2", "two.example", "A", "10.0.0.2"),
            record("3", "two.example", "A", "10.0.0.3"),
            record("4", "two.example", "TXT", "x"),
        ];
        for (name, kind, value, expected) in [
            ("one.example", None, None, Some("1")),
            ("ONE.example.", Some("A"), Some("10.0.0.1"), Some("1")),
            ("one.example", Some("A"), Some("10.0.0.9"), None),
            ("one.example", Some("AAAA"), None, None),
            ("two.example", None, None, None),
            ("two.example", Some("A"), None, None),
            ("two.example", Some("TXT"), None, Some("4")),
            ("two.example", Some("A"), Some("10.0.0.3"), Some("3")),
            ("gone.example", None, None, Some("")),
        ] {
            let kind = kind.map(RecordType::from);
            let found = named(name, kind.as_ref(), value, &records)
                .ok()
                .map(|found| {
                    let ids: Vec<&str> = found.iter().map(|record| record.id.as_str()).collect();
                    ids.join(" ")
                });
            assert_eq!(found.as_deref(), expected, "{name} {kind:?} {value:?}");
        }
    }
}
