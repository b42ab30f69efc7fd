//! `management.ManagementService`, as far as the job needs it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Call;
use crate::world::omni::access::Role;
use crate::world::omni::accounts::{Accounts, Wanted};
use crate::world::omni::api::ApiError;
use crate::world::omni::schema::{Field, Fields};
use crate::world::omni::{INSTANCE, join, kubeconfig, patches};

use Field::{Any, Bool, List, Text};

const KUBECONFIG: Fields = &[
    ("service_account", Bool),
    ("service_account_ttl", Text),
    ("service_account_user", Text),
    ("service_account_groups", List(&Text)),
    ("grant_type", Text),
    ("break_glass", Bool),
];
const SERVICE_ACCOUNT: Fields = &[
    ("armored_pgp_public_key", Text),
    ("role", Text),
    ("use_user_role", Bool),
    ("name", Text),
];
const SCHEMATIC: Fields = &[
    ("extensions", List(&Text)),
    ("extra_kernel_args", List(&Text)),
    ("meta_values", Any),
    ("talos_version", Text),
    ("media_id", Text),
    ("siderolink_grpc_tunnel_mode", Any),
    ("join_token", Text),
];

/// Fields of a method's request message; `None`: no such method here.
pub(super) fn fields(method: &str) -> Option<Fields> {
    Some(match method {
        "Kubeconfig" => KUBECONFIG,
        "Omniconfig" | "ListServiceAccounts" | "ListUsers" => &[],
        "Talosconfig" => &[("raw", Bool), ("break_glass", Bool)],
        "CreateJoinToken" => &[("name", Text), ("expiration_time", Text)],
        "CreateSchematic" => SCHEMATIC,
        "CreateSchematicFromRaw" => &[("raw_schematic", Text), ("talos_version", Text)],
        "ValidateConfig" => &[("config", Text)],
        "ValidateJSONSchema" => &[("data", Text), ("schema", Text)],
        "CreateServiceAccount" | "RenewServiceAccount" => SERVICE_ACCOUNT,
        "DestroyServiceAccount" => &[("name", Text)],
        "GetMachineJoinConfig" => &[("use_grpc_tunnel", Bool), ("join_token", Text)],
        _ => return None,
    })
}

/// A call.
pub(super) fn call(call: &Call<'_>, method: &str) -> Result<Value, ApiError> {
    match method {
        "Kubeconfig" => kubeconfig(call),
        "Omniconfig" => omniconfig(call),
        "Talosconfig" => talosconfig(call),
        "ValidateConfig" => validate(call),
        "CreateServiceAccount"
        | "RenewServiceAccount"
        | "DestroyServiceAccount"
        | "ListServiceAccounts"
        | "ListUsers" => {
            require(call, Role::Admin)?;
            accounts(call, method)
        }
        "CreateSchematicFromRaw" => schematic(call),
        "GetMachineJoinConfig" => {
            require(call, Role::Reader)?;
            if call.flag("use_grpc_tunnel") || !call.text("join_token").is_empty() {
                return Err(unsimulated(
                    "GetMachineJoinConfig with another tunnel or token",
                ));
            }
            call.world.look(join::config)
        }
        "CreateJoinToken" => {
            require(call, Role::Admin)?;
            let (name, expires) = (call.text("name"), call.text("expiration_time"));
            let made = call
                .world
                .act(|state, now| join::create_token(state, now, name, expires));
            made.map(|id| json!({"id": id}))
        }
        "CreateSchematic" => create_schematic(call),
        _ => Err(unsimulated(method)),
    }
}

fn unsimulated(method: &str) -> ApiError {
    ApiError::new(12, format!("method {method} is not simulated"))
}

fn require(call: &Call<'_>, role: Role) -> Result<(), ApiError> {
    if call.caller.role >= role {
        return Ok(());
    }
    let text = format!(
        "unauthorized: access denied: insufficient role: \"{}\"",
        call.caller.role
    );
    Err(ApiError::new(7, text))
}

fn kubeconfig(call: &Call<'_>) -> Result<Value, ApiError> {
    require(call, Role::Reader)?;
    let cluster = call
        .metadata("context")
        .first()
        .copied()
        .unwrap_or_default()
        .to_owned();
    if call.flag("break_glass") {
        require(call, Role::Admin)?;
        return Err(unsimulated("Kubeconfig with break_glass"));
    }
    let text = if call.flag("service_account") {
        let user = call.text("service_account_user");
        call.world.act(|state, now| {
            kubeconfig::service_account(state, now, &call.caller, &cluster, user)
        })?
    } else {
        let grant = call.text("grant_type");
        call.world
            .look(|state| kubeconfig::interactive(state, &call.caller, &cluster, grant))
    };
    Ok(json!({"kubeconfig": STANDARD.encode(text)}))
}

/// Service accounts and users.
fn accounts(call: &Call<'_>, method: &str) -> Result<Value, ApiError> {
    let (name, key) = (call.text("name"), call.text("armored_pgp_public_key"));
    let made = |id: String| json!({"public_key_id": id});
    call.world.act(|state, now| {
        let wall = state.wall_zero + now;
        let accounts: &mut Accounts = &mut state.omni.accounts;
        match method {
            "CreateServiceAccount" => {
                let wanted = Wanted {
                    name,
                    role: call.text("role"),
                    use_user_role: call.flag("use_user_role"),
                    key,
                };
                accounts.create(wall, &call.caller, &wanted).map(made)
            }
            "RenewServiceAccount" => accounts.renew(wall, name, key).map(made),
            "DestroyServiceAccount" => accounts.destroy(&call.caller, name).map(|()| json!({})),
            "ListUsers" => Ok(accounts.list_users()),
            _ => Ok(accounts.list()),
        }
    })
}

fn talosconfig(call: &Call<'_>) -> Result<Value, ApiError> {
    require(call, Role::Reader)?;
    if call.flag("raw") {
        return Err(ApiError::new(7, "not allowed"));
    }
    if call.flag("break_glass") {
        require(call, Role::Admin)?;
        return Err(unsimulated("Talosconfig with break_glass"));
    }
    let host = call.world.look(|state| state.blueprint.omni_name.clone());
    let cluster = call.metadata("context").first().copied();
    let name = cluster.map_or_else(
        || INSTANCE.to_owned(),
        |cluster| format!("{INSTANCE}-{cluster}"),
    );
    let of_cluster = cluster.map_or_else(String::new, |cluster| {
        format!("        cluster: {cluster}\n")
    });
    let text = format!(
        "context: {name}\ncontexts:\n    {name}:\n        endpoints:\n            - https://{host}\n        auth:\n            \
         siderov1:\n                identity: {}\n{of_cluster}",
        call.caller.identity
    );
    Ok(json!({"talosconfig": STANDARD.encode(text)}))
}

/// A schematic whose machines join here.
fn create_schematic(call: &Call<'_>) -> Result<Value, ApiError> {
    require(call, Role::Operator)?;
    if !call.text("join_token").is_empty() {
        return Err(unsimulated("CreateSchematic with another join token"));
    }
    let texts = |field: &str| -> Vec<&str> {
        let list = call.message.get(field).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    };
    let meta = call.message.get("meta_values").and_then(Value::as_object);
    let mut meta: Vec<(u32, &str)> = meta
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.parse().ok()?, value.as_str()?)))
        .collect();
    meta.sort_unstable();
    let wanted = join::Wanted {
        extensions: texts("extensions"),
        kernel_args: texts("extra_kernel_args"),
        meta,
    };
    call.world.look(|state| join::schematic(state, &wanted))
}

/// A schematic from its text.
fn schematic(call: &Call<'_>) -> Result<Value, ApiError> {
    if !matches!(
        call.caller.role,
        Role::InfraProvider | Role::Operator | Role::Admin
    ) {
        require(call, Role::Operator)?;
    }
    let text = STANDARD
        .decode(call.text("raw_schematic"))
        .map_err(|error| ApiError::new(3, error.to_string()))?;
    let id = join::schematic_id(&text);
    Ok(json!({"schematic_id": id}))
}

fn omniconfig(call: &Call<'_>) -> Result<Value, ApiError> {
    require(call, Role::InfraProvider)?;
    let host = call.world.look(|state| state.blueprint.omni_name.clone());
    let text = format!(
        "contexts:\n    default:\n        url: https://{host}\n        auth:\n            siderov1:\n                \
         identity: {}\ncontext: default\n",
        call.caller.identity
    );
    Ok(json!({"omniconfig": STANDARD.encode(text)}))
}

/// The same rules as for a config patch, but without its wrapping.
fn validate(call: &Call<'_>) -> Result<Value, ApiError> {
    match patches::check(call.text("config")).into_iter().next() {
        None => Ok(json!({})),
        Some(error) => Err(ApiError::new(3, error)),
    }
}
