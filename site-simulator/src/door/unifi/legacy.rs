//! `api/…`: an envelope with a result code around rows.

use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};
use unifi_client::Mac;

use super::{Call, SITE, Site};
use crate::door::http::Response;
use crate::world::State;
use crate::world::gateway::{Device, Gateway, Lan, LegacyRefusal, Record, SITE_ID, SITE_UUID};

pub(super) fn dispatch(site: &mut Site<'_>, call: &Call<'_>, path: &[&str]) -> Response {
    match path {
        ["self", "sites"] => ok(&[json!({
            "_id": SITE_ID,
            "name": SITE,
            "desc": "Default",
            "role": call.role,
            "external_id": SITE_UUID,
            "attr_hidden_id": SITE,
            "attr_no_delete": true,
            "device_count": site.state.gateway.devices().len(),
        })]),
        ["self"] => ok(&[json!({
            "admin_id": "698a5ed1b2694e0c725a0001",
            "name": call.username,
            "email": format!("{}@site.example", call.username),
            "email_alert_enabled": false,
            "html_email_enabled": true,
            "is_owner": call.may_write(),
            "is_super": call.may_write(),
            "last_site_name": SITE,
            "super_site_permissions": [],
            "ui_settings": {},
        })]),
        ["s", SITE, rest @ ..] if call.is_write() => write(site, call, rest),
        ["s", SITE, rest @ ..] => read(site, call, rest),
        ["s", ..] => error(&LegacyRefusal::new("api.err.NoSiteContext")),
        _ => not_found(),
    }
}

fn ok(rows: &[Value]) -> Response {
    Response::json(200, &json!({ "meta": { "rc": "ok" }, "data": rows }))
}

fn not_found() -> Response {
    error(&LegacyRefusal {
        status: 404,
        code: "api.err.NotFound",
        echo: None,
    })
}

fn error(refusal: &LegacyRefusal) -> Response {
    let mut meta = Map::new();
    meta.insert("rc".to_owned(), json!("error"));
    if let Some((field, value)) = &refusal.echo {
        meta.insert(field.clone(), value.clone());
    }
    meta.insert("msg".to_owned(), json!(refusal.code));
    Response::json(refusal.status, &json!({ "meta": meta, "data": [] }))
}

fn echoing(code: &'static str, field: &str, value: &str) -> Response {
    error(&LegacyRefusal {
        status: 400,
        code,
        echo: Some((field.to_owned(), json!(value))),
    })
}

fn read(site: &Site<'_>, call: &Call<'_>, path: &[&str]) -> Response {
    let gateway = &site.state.gateway;
    match path {
        ["rest", "user"] => ok(&filtered(gateway, call)),
        ["rest", "user", id] => match gateway.record_by_id(id) {
            Some(record) => ok(&[record_row(record)]),
            None => error(&LegacyRefusal::new("api.err.IdInvalid")),
        },
        ["stat", "user", mac] => match by_mac(gateway, mac) {
            Some(record) => ok(&[with_ip(record_row(record), gateway, record)]),
            None => echoing("api.err.UnknownUser", "mac", mac),
        },
        ["stat", "alluser"] => {
            let seen = gateway
                .records()
                .filter(|record| record.last_seen.is_some());
            ok(&seen.map(record_row).collect::<Vec<_>>())
        }
        ["stat", "sta"] => ok(&stations(site)),
        ["stat", "sta", mac] => {
            let rows = stations(site)
                .into_iter()
                .filter(|row| row["mac"] == mac.to_ascii_lowercase());
            let rows: Vec<Value> = rows.collect();
            if rows.is_empty() {
                echoing("api.err.UnknownStation", "mac", &mac.to_ascii_lowercase())
            } else {
                ok(&rows)
            }
        }
        ["stat", "device"] => ok(&gateway.devices().iter().map(device_row).collect::<Vec<_>>()),
        ["stat", "sysinfo"] => ok(&[json!({
            "version": gateway.version(),
            "build": format!("atag_{}_35187", gateway.version()),
            "console_display_version": "5.1.19",
            "hostname": "unifi",
            "name": "UniFi Console",
            "timezone": "UTC",
            "ubnt_device_type": "UCGF",
        })]),
        ["rest", "networkconf"] => {
            let lans = gateway
                .lans()
                .iter()
                .enumerate()
                .map(|(at, lan)| lan_row(lan, at == 0));
            ok(&lans.chain([wan_row(gateway)]).collect::<Vec<_>>())
        }
        ["get" | "rest", "setting"] => ok(&settings(gateway)),
        ["rest", "usergroup"] => ok(&[json!({
            "_id": "6613a1f0c4b2d90a5e1f2000", "site_id": SITE_ID, "name": "Default",
            "attr_no_delete": true, "attr_hidden_id": "Default",
        })]),
        _ => not_found(),
    }
}

fn write(site: &mut Site<'_>, call: &Call<'_>, path: &[&str]) -> Response {
    if !call.may_write() {
        return error(&LegacyRefusal {
            status: 403,
            code: "api.err.NoPermission",
            echo: None,
        });
    }
    let Some(fields) = call.object() else {
        return error(&LegacyRefusal::new("api.err.InvalidPayload"));
    };
    let State { gateway, log, .. } = &mut *site.state;
    let result = match (call.method, path) {
        ("POST", ["rest", "user"]) => {
            match fields.get("mac").and_then(Value::as_str).and_then(mac_of) {
                Some(mac) => gateway.create_record(site.now, log, mac, &fields),
                None => Err(LegacyRefusal::new("api.err.InvalidPayload")),
            }
        }
        ("PUT", ["rest" | "upd", "user", id]) => gateway.update_record(site.now, log, id, &fields),
        ("POST", ["cmd", "stamgr"]) => return command(gateway, &fields),
        // Records cannot be deleted, whatever the method list says.
        _ => return not_found(),
    };
    match result {
        Ok(record) => ok(&[record_row(record)]),
        Err(refusal) => error(&refusal),
    }
}

fn command(gateway: &mut Gateway, fields: &Map<String, Value>) -> Response {
    match fields.get("cmd").and_then(Value::as_str) {
        Some("forget-sta") => {
            let macs = fields
                .get("macs")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            // Upper case is answered with success and does nothing.
            let lower = |mac: &&str| mac.chars().all(|c| !c.is_ascii_uppercase());
            for mac in macs
                .iter()
                .filter_map(Value::as_str)
                .filter(lower)
                .filter_map(mac_of)
            {
                gateway.forget(mac);
            }
            ok(&[])
        }
        Some("kick-sta" | "block-sta" | "unblock-sta") => {
            let text = fields
                .get("mac")
                .and_then(Value::as_str)
                .unwrap_or_default();
            match mac_of(text).filter(|mac| gateway.is_online(*mac)) {
                Some(_) => ok(&[]),
                None => echoing("api.err.UnknownStation", "mac", text),
            }
        }
        _ => error(&LegacyRefusal::new("api.err.InvalidArgs")),
    }
}

/// A hardware address as the gateway reads it: colons, any case.
pub(super) fn mac_of(text: &str) -> Option<Mac> {
    crate::world::proxmox::parse_mac(text)
}

fn by_mac<'a>(gateway: &'a Gateway, text: &str) -> Option<&'a Record> {
    gateway.record(mac_of(text)?)
}

/// Rows whose fields equal what the query says.
fn filtered(gateway: &Gateway, call: &Call<'_>) -> Vec<Value> {
    let rows = gateway.records().map(record_row);
    let fits = |row: &Value| {
        call.query.iter().all(|(key, value)| match row.get(key) {
            Some(Value::String(text)) => text == value,
            Some(Value::Bool(on)) => on.to_string() == *value,
            _ => false,
        })
    };
    rows.filter(fits).collect()
}

/// A client record with the fields it has; the others are absent, not null.
pub(super) fn record_row(record: &Record) -> Value {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put("_id", json!(record.id));
    put("mac", json!(record.mac.to_string()));
    put("site_id", json!(SITE_ID));
    put("is_wired", json!(true));
    put("is_guest", json!(false));
    put("oui", json!(""));
    put("noted", json!(record.noted));
    put("usergroup_id", json!(""));
    if record.use_fixedip || record.fixed_ip.is_some() {
        put("use_fixedip", json!(record.use_fixedip));
    }
    if record.local_dns_enabled || record.local_dns.is_some() {
        put("local_dns_record_enabled", json!(record.local_dns_enabled));
    }
    let texts = [
        ("name", &record.name),
        ("hostname", &record.hostname),
        ("note", &record.note),
        ("fixed_ip", &record.fixed_ip),
        ("network_id", &record.network_id),
        ("local_dns_record", &record.local_dns),
        ("last_connection_network_id", &record.last_network),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            put(key, json!(value));
        }
    }
    for (key, value) in [
        ("first_seen", record.first_seen),
        ("last_seen", record.last_seen),
    ] {
        if let Some(value) = value {
            put(key, json!(value));
        }
    }
    if let Some(ip) = record.last_ip {
        put("last_ip", json!(ip));
    }
    Value::Object(fields)
}

fn with_ip(mut row: Value, gateway: &Gateway, record: &Record) -> Value {
    let ip = gateway
        .present()
        .into_iter()
        .find(|(present, _)| present.mac == record.mac)
        .and_then(|(_, ip)| ip);
    if let Some(ip) = ip {
        row["ip"] = json!(ip);
    }
    row
}

fn stations(site: &Site<'_>) -> Vec<Value> {
    let gateway = &site.state.gateway;
    let now = gateway.unix(site.now);
    let row = |(record, ip): (&Record, Option<Ipv4Addr>)| {
        let lan = ip.and_then(|ip| gateway.lan_of(ip));
        let mut row = json!({
            // Not the id of the client record, which is `user_id`.
            "_id": format!("5a{}", record.id.get(2..).unwrap_or_default()),
            "user_id": record.id,
            "site_id": SITE_ID,
            "mac": record.mac.to_string(),
            "is_wired": true,
            "is_guest": false,
            "noted": record.noted,
            "name": record.name.clone().unwrap_or_default(),
            "use_fixedip": record.use_fixedip,
            "last_seen": now,
            "uptime": now.saturating_sub(record.first_seen.unwrap_or(now)),
            "usergroup_id": "",
            "oui": "",
        });
        if let Some(ip) = ip {
            row["ip"] = json!(ip);
        }
        if let Some(hostname) = &record.hostname {
            row["hostname"] = json!(hostname);
        }
        if let Some(fixed) = &record.fixed_ip {
            row["fixed_ip"] = json!(fixed);
        }
        if let Some(lan) = lan {
            row["network_id"] = json!(lan.id);
            row["network"] = json!(lan.blueprint.name);
            if let Some(vlan) = lan.blueprint.vlan {
                row["vlan"] = json!(vlan);
            }
        }
        row
    };
    gateway.present().into_iter().map(row).collect()
}

fn device_row(device: &Device) -> Value {
    json!({
        "_id": device.id,
        "site_id": SITE_ID,
        "mac": device.mac.to_string(),
        "ip": device.ip,
        "name": device.name,
        "type": "udm",
        "adopted": true,
        "state": 1,
    })
}

fn lan_row(lan: &Lan, first: bool) -> Value {
    let (start, stop) = lan.blueprint.dhcp;
    let mut row = json!({
        "_id": lan.id,
        "site_id": SITE_ID,
        "external_id": lan.uuid,
        "name": lan.blueprint.name,
        "purpose": "corporate",
        "networkgroup": "LAN",
        "enabled": true,
        "ip_subnet": lan.blueprint.subnet.to_string(),
        "vlan_enabled": lan.blueprint.vlan.is_some(),
        "gateway_type": "default",
        "dhcpd_enabled": true,
        "dhcpd_start": start,
        "dhcpd_stop": stop,
        "dhcpd_leasetime": 86_400,
        "dhcpd_dns_enabled": false,
        "dhcpd_dns_1": "",
        "dhcp_relay_enabled": false,
        "dhcpguard_enabled": false,
        "domain_name": "localdomain",
        "internet_access_enabled": true,
        "auto_scale_enabled": false,
        "is_nat": true,
        "setting_preference": "manual",
    });
    if let Some(vlan) = lan.blueprint.vlan {
        row["vlan"] = json!(vlan);
    }
    if first {
        row["attr_hidden_id"] = json!("LAN");
        row["attr_no_delete"] = json!(true);
    }
    row
}

/// The uplink. Its row carries a password in clear, as the real one does.
pub(super) fn wan_row(gateway: &Gateway) -> Value {
    let servers = gateway.upstream();
    let server = |at: usize| servers.get(at).cloned().unwrap_or_default();
    json!({
        "_id": "6613a1f0c4b2d90a5e1f1001",
        "site_id": SITE_ID,
        "attr_hidden_id": "WAN",
        "attr_no_delete": true,
        "name": "Internet 1",
        "purpose": "wan",
        "enabled": true,
        "setting_preference": "manual",
        "wan_networkgroup": "WAN",
        "wan_failover_priority": 1,
        "wan_type": "pppoe",
        "wan_username": "site@isp.example",
        "x_wan_password": "canary-wan-password",
        "wan_dns_preference": if servers.is_empty() { "auto" } else { "manual" },
        "wan_dns1": server(0),
        "wan_dns2": server(1),
        "wan_dns3": server(2),
        "wan_dns4": server(3),
        "wan_ipv6_dns_preference": "auto",
        "wan_ipv6_dns1": "",
        "wan_ipv6_dns2": "",
        "wan_type_v6": "disabled",
    })
}

fn settings(gateway: &Gateway) -> Vec<Value> {
    let encrypted = gateway.encrypted_dns();
    let servers: &[&str] = if encrypted == "off" {
        &[]
    } else {
        &["cloudflare"]
    };
    vec![
        json!({ "_id": "6613a1f0c4b2d90a5e1f1004", "site_id": SITE_ID, "key": "doh", "state": encrypted, "server_names": servers, "custom_servers": [] }),
        json!({ "_id": "6613a1f0c4b2d90a5e1f1005", "site_id": SITE_ID, "key": "locale", "timezone": "UTC" }),
    ]
}
