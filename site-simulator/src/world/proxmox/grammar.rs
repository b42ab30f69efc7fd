//! The options of a VM's configuration: which exist, what their values look like, who may set them.

/// A parsed property string: `key=value` pairs in order; a bare value stands under its default key.
pub(super) type Properties = Vec<(String, String)>;

const BOOLEANS: &[&str] = &[
    "onboot",
    "numa",
    "protection",
    "acpi",
    "kvm",
    "tablet",
    "template",
    "freeze",
    "localtime",
    "reboot",
    "autostart",
    "ciupgrade",
];
const INTEGERS: &[&str] = &[
    "cores",
    "sockets",
    "vcpus",
    "balloon",
    "shares",
    "cpuunits",
    "migrate_downtime",
    "smp",
];
const TEXTS: &[&str] = &[
    "name",
    "description",
    "tags",
    "machine",
    "bios",
    "boot",
    "bootdisk",
    "agent",
    "cpu",
    "memory",
    "scsihw",
    "smbios1",
    "vga",
    "hotplug",
    "hugepages",
    "keyboard",
    "ostype",
    "startup",
    "watchdog",
    "args",
    "affinity",
    "efidisk0",
    "tpmstate0",
    "rng0",
    "audio0",
    "spice_enhancements",
    "cpulimit",
    "startdate",
    "vmgenid",
    "hookscript",
    "cicustom",
    "cipassword",
    "citype",
    "ciuser",
    "nameserver",
    "searchdomain",
    "sshkeys",
    "cdrom",
    "meta",
];
/// Numbered options and how many there are.
const FAMILIES: &[(&str, u32)] = &[
    ("hostpci", 16),
    ("net", 32),
    ("ide", 4),
    ("scsi", 31),
    ("sata", 6),
    ("virtio", 16),
    ("usb", 14),
    ("serial", 4),
    ("parallel", 3),
    ("ipconfig", 32),
    ("numa", 8),
    ("unused", 256),
];
const HOSTPCI: &[&str] = &[
    "host",
    "mapping",
    "pcie",
    "rombar",
    "x-vga",
    "romfile",
    "mdev",
    "legacy-igd",
    "vendor-id",
    "device-id",
    "sub-vendor-id",
    "sub-device-id",
    "driver",
];

/// What a caller needs to set or remove an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// A privilege on `/vms/ID`.
    Privilege(&'static str),
    /// Nothing but `root@pam` with a ticket will do.
    RootOnly,
}

/// Splits `hostpci3` into `hostpci` and 3.
pub(super) fn family(key: &str) -> Option<(&str, u32)> {
    let at = key.find(|c: char| c.is_ascii_digit())?;
    let (name, number) = key.split_at(at);
    (number == "0" || !number.starts_with('0')).then_some(())?;
    Some((name, number.parse().ok()?))
}

/// Whether the configuration has such an option.
pub(super) fn is_known(key: &str) -> bool {
    BOOLEANS.contains(&key)
        || INTEGERS.contains(&key)
        || TEXTS.contains(&key)
        || family(key)
            .is_some_and(|(name, n)| FAMILIES.iter().any(|(f, count)| *f == name && n < *count))
}

/// Whether the API shows the option as a number.
pub fn is_number(key: &str) -> bool {
    BOOLEANS.contains(&key) || INTEGERS.contains(&key)
}

/// Whether a running VM takes the option at once.
pub(super) fn applies_while_running(key: &str) -> bool {
    matches!(
        key,
        "name"
            | "description"
            | "tags"
            | "onboot"
            | "protection"
            | "startup"
            | "hotplug"
            | "shares"
            | "hookscript"
    ) || family(key).is_some_and(|(name, _)| name == "net")
}

/// Who may set or remove the option.
pub(super) fn need(key: &str) -> Need {
    let name = family(key).map_or(key, |(name, _)| name);
    Need::Privilege(match name {
        "hugepages" | "args" | "affinity" | "lock" | "hookscript" => return Need::RootOnly,
        "machine" | "smbios" | "scsihw" | "vga" | "hotplug" | "hostpci" | "usb" | "serial"
        | "parallel" | "audio" | "rng" | "watchdog" | "vmgenid" => "VM.Config.HWType",
        "net" | "ipconfig" | "nameserver" | "searchdomain" => "VM.Config.Network",
        "cores" | "sockets" | "vcpus" | "cpu" | "cpuunits" | "cpulimit" | "numa" => "VM.Config.CPU",
        "memory" | "balloon" | "shares" => "VM.Config.Memory",
        "scsi" | "ide" | "sata" | "virtio" | "efidisk" | "tpmstate" | "unused" => "VM.Config.Disk",
        "cdrom" => "VM.Config.CDROM",
        "ciuser" | "cipassword" | "cicustom" | "citype" | "sshkeys" | "ciupgrade" => {
            "VM.Config.Cloudinit"
        }
        _ => "VM.Config.Options",
    })
}

/// Reads a property string. The error is the API's own text.
pub(super) fn properties(value: &str, default_key: &str) -> Result<Properties, String> {
    let mut found = Properties::new();
    for part in value.split(',').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((default_key, part));
        if found.iter().any(|(known, _)| known == key) {
            return Err(format!(
                "invalid format - duplicate key in comma-separated list property: {key}\n"
            ));
        }
        found.push((key.to_owned(), value.to_owned()));
    }
    Ok(found)
}

/// A property's value.
pub(super) fn property<'a>(properties: &'a Properties, key: &str) -> Option<&'a str> {
    properties
        .iter()
        .find(|(known, _)| known == key)
        .map(|(_, value)| value.as_str())
}

/// Whether a property is set to a true value.
pub(super) fn is_on(properties: &Properties, key: &str) -> bool {
    property(properties, key).is_some_and(|v| boolean(v) == Some(true))
}

fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "on" | "yes" | "true" => Some(true),
        "0" | "off" | "no" | "false" => Some(false),
        _ => None,
    }
}

/// Checks a value; the error is the API's own text for that parameter.
pub(super) fn check(key: &str, value: &str) -> Result<(), String> {
    if BOOLEANS.contains(&key) {
        return if matches!(value, "0" | "1") {
            Ok(())
        } else {
            Err(wrong_type("boolean", value))
        };
    }
    if INTEGERS.contains(&key) {
        return value
            .parse::<i64>()
            .map(drop)
            .map_err(|_| wrong_type("integer", value));
    }
    match family(key).map_or(key, |(name, _)| name) {
        "hostpci" => check_hostpci(key, value),
        "net" => check_net(key, value),
        "machine" => check_machine(value),
        "name" if !is_dns_name(value) => {
            Err("invalid format - value does not look like a valid DNS name\n".to_owned())
        }
        "tags" => normal_tags(value).map(drop),
        "smbios" => properties(value, "uuid").map(drop),
        "bios" if !matches!(value, "seabios" | "ovmf") => Err(format!(
            "value '{value}' does not have a value in the enumeration 'seabios, ovmf'"
        )),
        _ => Ok(()),
    }
}

fn wrong_type(kind: &str, value: &str) -> String {
    format!("type check ('{kind}') failed - got '{value}'")
}

fn format_error(line: &str) -> String {
    format!("invalid format - format error\n{line}\n")
}

fn check_hostpci(key: &str, value: &str) -> Result<(), String> {
    for (name, value) in properties(value, "host")? {
        if !HOSTPCI.contains(&name.as_str()) {
            let text = "property is not defined in schema and the schema does not allow additional properties";
            return Err(format_error(&format!("{key}.{name}: {text}")));
        }
        let fits = match name.as_str() {
            "pcie" | "rombar" | "x-vga" | "legacy-igd" => {
                if boolean(&value).is_none() {
                    let line = format!("{key}.{name}: {}", wrong_type("boolean", &value));
                    return Err(format_error(&line));
                }
                true
            }
            "host" => value.split(';').all(is_address),
            "mapping" => is_config_id(&value),
            "vendor-id" | "device-id" | "sub-vendor-id" | "sub-device-id" => value
                .strip_prefix("0x")
                .is_some_and(|hex| hex.len() == 4 && is_hex(hex)),
            _ => !value.is_empty(),
        };
        if !fits {
            return Err(format_error(&format!(
                "{key}.{name}: value does not match the regex pattern"
            )));
        }
    }
    Ok(())
}

fn check_net(key: &str, value: &str) -> Result<(), String> {
    let found = properties(value, "model")?;
    let model = net_model(&found);
    let known = ["virtio", "e1000", "e1000e", "rtl8139", "vmxnet3"];
    if model.is_none_or(|model| !known.contains(&model)) {
        return Err(format_error(&format!(
            "{key}.model: property is missing and it is not optional"
        )));
    }
    Ok(())
}

/// The card of a `netN` value: `virtio=MAC,…`, `virtio,…` or `model=virtio,…`.
pub(super) fn net_model(net: &Properties) -> Option<&str> {
    let (key, value) = net.first()?;
    Some(if key == "model" { value } else { key })
}

fn check_machine(value: &str) -> Result<(), String> {
    let found = properties(value, "type")?;
    let kind = property(&found, "type").unwrap_or("pc");
    let plain = matches!(kind, "pc" | "q35" | "virt");
    let pinned = ["pc-i440fx-", "pc-q35-", "pc-", "virt-"]
        .iter()
        .filter_map(|prefix| kind.strip_prefix(prefix))
        .any(|version| version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.'));
    if plain || pinned {
        Ok(())
    } else {
        Err(format_error(
            "machine.type: value does not match the regex pattern",
        ))
    }
}

/// Tags as they are stored: lower case, sorted, each once.
pub(super) fn normal_tags(value: &str) -> Result<String, String> {
    let split = |c: char| c == ';' || c == ',' || c.is_ascii_whitespace();
    let mut tags: Vec<String> = value
        .split(split)
        .filter(|tag| !tag.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let fits = |tag: &String| {
        tag.starts_with(first)
            && tag
                .chars()
                .all(|c| first(c) || matches!(c, '-' | '+' | '.'))
    };
    if !tags.iter().all(fits) {
        return Err("invalid format - invalid characters in tag\n".to_owned());
    }
    tags.sort();
    tags.dedup();
    Ok(tags.join(";"))
}

fn is_hex(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_digit() || matches!(c, 'a'..='f' | 'A'..='F'))
}

fn is_lower_hex(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_digit() || matches!(c, 'a'..='f'))
}

/// `[dddd:]bb:dd[.f]` in lower case.
fn is_address(text: &str) -> bool {
    let short = text
        .split_once(':')
        .map(|(_, rest)| rest)
        .filter(|rest| rest.contains(':'))
        .unwrap_or(text);
    let domain = text.strip_suffix(short).unwrap_or_default();
    (domain.is_empty() || (domain.len() == 5 && is_lower_hex(domain.trim_end_matches(':'))))
        && is_slot(short)
}

/// `dddd:bb:dd[.f]` in lower case, the form of a mapping's path.
pub(super) fn is_full_address(text: &str) -> bool {
    text.len() >= 10 && text.get(4..5) == Some(":") && is_address(text)
}

fn is_slot(text: &str) -> bool {
    let (slot, function) = text
        .split_once('.')
        .map_or((text, None), |(slot, f)| (slot, Some(f)));
    let hex2 = |part: &str| part.len() == 2 && is_lower_hex(part);
    slot.split_once(':')
        .is_some_and(|(bus, device)| hex2(bus) && hex2(device))
        && function.is_none_or(|f| f.len() == 1 && is_lower_hex(f))
}

/// `vvvv:dddd` without `0x`.
pub(super) fn is_device_id(text: &str) -> bool {
    let hex4 = |part: &str| part.len() == 4 && is_hex(part);
    text.split_once(':')
        .is_some_and(|(vendor, device)| hex4(vendor) && hex4(device))
}

/// A configuration id: a letter, then letters, digits, `_` and `-`; two characters at least.
pub(super) fn is_config_id(text: &str) -> bool {
    text.len() >= 2
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

fn is_dns_name(text: &str) -> bool {
    !text.is_empty()
        && text.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_judged_as_recorded() {
        let ok = [
            ("hostpci0", "mapping=h100,pcie=true"),
            ("hostpci0", "mapping=h100,vendor-id=0x10DE"),
            ("hostpci1", "0000:01:00.0,pcie=1"),
            ("hostpci1", "01:00"),
            ("hostpci5", "host=0000:01:00.0;0000:02:00.0"),
            ("machine", "pc-q35-9.2"),
            ("machine", "q35,viommu=intel"),
            ("net1", "e1000=bc:24:11:aa:bb:cc,bridge=vmbr0,tag=100"),
            ("tags", "has space"),
        ];
        for (key, value) in ok {
            assert_eq!(check(key, value), Ok(()), "{key}={value}");
        }
        let bad = [
            (
                "hostpci5",
                "mapping=h100,bogus=1",
                "hostpci5.bogus: property is not defined",
            ),
            ("hostpci5", "mapping=h100,pcie=1,pcie=0", "duplicate key"),
            ("hostpci5", "mapping=h100,pcie=maybe", "got 'maybe'"),
            (
                "hostpci5",
                "host=0000:0A:00.0",
                "hostpci5.host: value does not match",
            ),
            (
                "hostpci5",
                "mapping=h100,vendor-id=10de",
                "vendor-id: value does not match",
            ),
            ("machine", "i440fx", "machine.type"),
            ("name", "has_underscore", "valid DNS name"),
            ("tags", "ok;-bad!", "invalid characters in tag"),
            ("onboot", "true", "('boolean') failed"),
        ];
        for (key, value, text) in bad {
            let error = check(key, value).unwrap_err();
            assert!(error.contains(text), "{key}={value}: {error}");
        }
    }

    #[test]
    fn tags_are_lower_case_sorted_and_unique() {
        assert_eq!(
            normal_tags("b;a;Machine-Request.X;a").unwrap(),
            "a;b;machine-request.x"
        );
    }

    #[test]
    fn families_have_their_size() {
        assert!(is_known("hostpci15") && !is_known("hostpci16") && !is_known("hostpci01"));
    }
}
