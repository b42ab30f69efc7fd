//! `management.ManagementService`, as far as the job needs it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Call;
use crate::world::omni::access::Role;
use crate::world::omni::api::ApiError;
use crate::world::omni::schema::{Field, Fields};
use crate::world::omni::{kubeconfig, patches};

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

/// Fields of a method's request message; `None`: no such method here.
pub(super) fn fields(method: &str) -> Option<Fields> {
    Some(match method {
        "Kubeconfig" => KUBECONFIG,
        "Omniconfig" => &[],
        "ValidateConfig" => &[("config", Text)],
        "ValidateJSONSchema" => &[("data", Text), ("schema", Text)],
        "CreateServiceAccount" | "RenewServiceAccount" => SERVICE_ACCOUNT,
        "DestroyServiceAccount" => &[("name", Text)],
        "GetMachineJoinConfig" => &[("use_grpc_tunnel", Bool), ("join_token", Text)],
        "ListServiceAccounts" => &[("filter", Any)],
        _ => return None,
    })
}

/// A call.
pub(super) fn call(call: &Call<'_>, method: &str) -> Result<Value, ApiError> {
    match method {
        "Kubeconfig" => kubeconfig(call),
        "Omniconfig" => omniconfig(call),
        "ValidateConfig" => validate(call),
        "CreateServiceAccount"
        | "RenewServiceAccount"
        | "DestroyServiceAccount"
        | "ListServiceAccounts" => {
            require(call, Role::Admin)?;
            Err(unsimulated(method))
        }
        "GetMachineJoinConfig" => {
            require(call, Role::Reader)?;
            Err(unsimulated(method))
        }
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
    let text = if call.flag("service_account") {
        let user = call.text("service_account_user");
        call.world.act(|state, now| {
            kubeconfig::service_account(state, now, &call.caller, &cluster, user)
        })?
    } else {
        call.world
            .look(|state| kubeconfig::interactive(state, &call.caller, &cluster))
    };
    Ok(json!({"kubeconfig": STANDARD.encode(text)}))
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
