//! Lists that are written to: PCI mappings and the HA manager's guests.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::cluster::host;
use super::params::Kind;
use super::{Call, Reply, not_implemented};
use crate::world::proxmox::{Caller, Cluster, Mapping, Refusal};

pub(super) fn high_availability(cluster: &mut Cluster, call: &Call<'_>) -> Result<Reply, Refusal> {
    let Call {
        method,
        path,
        caller,
        params,
        ..
    } = call;
    let vmid = |sid: &str| {
        sid.strip_prefix("vm:")
            .and_then(|id| id.parse().ok())
            .unwrap_or(0)
    };
    let data = match (method.as_str(), path.as_slice()) {
        ("GET", ["cluster", "ha", "resources"]) => {
            let (rows, digest) = cluster.ha_resources(caller)?;
            let row = |(vmid, state): (u32, String)| json!({ "type": "vm", "sid": format!("vm:{vmid}"), "state": state, "digest": digest });
            rows.into_iter().map(row).collect()
        }
        ("GET", ["cluster", "ha", "status", "current"]) => {
            let node = cluster.nodes().into_iter().next().unwrap_or_default();
            json!([
                { "id": "quorum", "type": "quorum", "status": "OK", "node": node, "quorate": 1 },
                {
                    "id": "fencing", "type": "fencing", "node": node, "armed-state": "standby",
                    "status": "standby (CRM watchdog standby)",
                },
            ])
        }
        ("POST", ["cluster", "ha", "resources"]) => {
            params.verify(&[
                ("sid", Kind::Text),
                ("state", Kind::Text),
                ("comment", Kind::Text),
            ])?;
            let state = params.get("state").unwrap_or_else(|| "started".to_owned());
            cluster.ha_add(caller, vmid(&params.required("sid")?), &state)?;
            Value::Null
        }
        ("DELETE", ["cluster", "ha", "resources", sid]) => {
            cluster.ha_remove(caller, vmid(sid))?;
            Value::Null
        }
        _ => return Err(not_implemented(call)),
    };
    Ok(Reply::Data(data))
}

fn mapping_fields(id: Option<&str>, mapping: &Mapping, digest: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    if let Some(id) = id {
        fields.insert("id".to_owned(), json!(id));
    }
    fields.insert("type".to_owned(), json!("pci"));
    fields.insert("map".to_owned(), json!(mapping.map));
    fields.insert("digest".to_owned(), json!(digest));
    if let Some(description) = &mapping.description {
        fields.insert("description".to_owned(), json!(description));
    }
    if mapping.mdev {
        fields.insert("mdev".to_owned(), json!(1));
    }
    fields
}

pub(super) fn mappings(cluster: &mut Cluster, call: &Call<'_>) -> Result<Reply, Refusal> {
    let Call {
        method,
        path,
        caller,
        params,
        ..
    } = call;
    let digest = cluster.mapping_digest();
    let wanted = || Mapping {
        map: params
            .all("map")
            .map(<[String]>::to_vec)
            .unwrap_or_default(),
        description: params.get("description"),
        mdev: params.is_on("mdev"),
    };
    let written = [
        ("id", Kind::Text),
        ("map", Kind::Text),
        ("description", Kind::Text),
        ("mdev", Kind::Flag),
        ("live-migration-capable", Kind::Flag),
        ("digest", Kind::Text),
        ("delete", Kind::Text),
    ];
    let data = match (method.as_str(), path.as_slice()) {
        ("GET", [_, _, _]) => {
            params.verify(&[("check-node", Kind::Text)])?;
            let node = params.get("check-node");
            if let Some(node) = &node {
                host(cluster, &Caller::root(), node)?;
            }
            let rows = cluster.mappings(caller).into_iter().map(|(id, mapping)| {
                let mut fields = mapping_fields(Some(id), mapping, &digest);
                if let Some(node) = &node {
                    let checks = cluster.mapping_checks(id, mapping, node).into_iter();
                    let checks = checks.map(|c| {
                        BTreeMap::from([
                            ("severity", c.severity.to_owned()),
                            ("message", c.message),
                        ])
                    });
                    fields.insert("checks".to_owned(), json!(checks.collect::<Vec<_>>()));
                }
                Value::Object(fields)
            });
            rows.collect()
        }
        ("POST", [_, _, _]) => {
            params.verify(&written)?;
            let id = params.required("id")?;
            cluster.create_mapping(caller, &id, wanted())?;
            Value::Null
        }
        ("GET", [_, _, _, id]) => {
            Value::Object(mapping_fields(None, cluster.mapping(caller, id)?, &digest))
        }
        ("PUT", [_, _, _, id]) => {
            params.verify(&written)?;
            cluster.update_mapping(caller, id, wanted(), params.get("digest").as_deref())?;
            Value::Null
        }
        ("DELETE", [_, _, _, id]) => {
            cluster.delete_mapping(caller, id)?;
            Value::Null
        }
        _ => return Err(not_implemented(call)),
    };
    Ok(Reply::Data(data))
}
