//! Kubeconfigs, as the management API makes them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::INSTANCE;
use super::access::{Caller, Role};
use super::api::ApiError;
use super::kinds;
use crate::world::State;

/// How long a token lives.
const TOKEN_SECONDS: u64 = 3600;

/// A kubeconfig with a bearer token for `user`. The token is signed by nobody.
pub fn service_account(
    state: &State,
    now: Duration,
    caller: &Caller,
    cluster: &str,
    user: &str,
) -> Result<String, ApiError> {
    if caller.role < Role::Operator {
        let text = format!(
            "unauthorized: access denied: insufficient role: \"{}\"",
            caller.role
        );
        return Err(ApiError::new(7, text));
    }
    if user.is_empty() {
        return Err(ApiError::new(3, "service account user name is not set"));
    }
    let Some(uuid) = state.omni.store.find(kinds::CLUSTER_UUIDS, cluster) else {
        let kind = kinds::CLUSTER_UUIDS;
        return Err(ApiError::new(
            2,
            format!(
                "failed to get cluster UUID: failed to get: resource {}({}/{cluster}@undefined) doesn't exist",
                kind.name, kind.namespace
            ),
        ));
    };
    let uuid = uuid
        .spec
        .get("uuid")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let token = token(state, now, cluster, uuid, user);
    let name = format!("{INSTANCE}-{cluster}-{user}");
    Ok(format!(
        "apiVersion: v1\nclusters:\n- cluster:\n    server: https://{}:8095\n  name: {name}\ncontexts:\n\
         - context:\n    cluster: {name}\n    namespace: default\n    user: {name}\n  name: {name}\n\
         current-context: {name}\nkind: Config\nusers:\n- name: {name}\n  user:\n    token: {token}\n",
        state.blueprint.omni_name
    ))
}

fn token(state: &State, now: Duration, cluster: &str, uuid: &str, user: &str) -> String {
    let wall = (state.wall_zero + now)
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let header = json!({"alg": "RS256", "kid": uuid, "typ": "JWT"});
    let claims = json!({
        "cluster": cluster,
        "cluster_uuid": uuid,
        "exp": wall + TOKEN_SECONDS,
        "groups": ["system:masters"],
        "iat": wall,
        "iss": format!("omni-{INSTANCE}-service-account-issuer"),
        "sub": user,
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.{}",
        part(&header),
        part(&claims),
        URL_SAFE_NO_PAD.encode([0_u8; 32])
    )
}

/// A kubeconfig that asks for a login in a browser. An empty cluster name is answered just as well.
pub fn interactive(state: &State, caller: &Caller, cluster: &str, grant: &str) -> String {
    let name = format!("{INSTANCE}-{cluster}");
    let host = &state.blueprint.omni_name;
    let user = format!("{name}-{}", caller.identity);
    let mut more = String::new();
    if !matches!(grant, "" | "auto") {
        more = format!("        - --grant-type={grant}\n");
    }
    if grant == "authcode-keyboard" {
        more += "        - --oidc-redirect-url=urn:ietf:wg:oauth:2.0:oob\n";
    }
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n  - cluster:\n      server: https://{host}:8095\n    \
         name: {name}\ncontexts:\n  - context:\n      cluster: {name}\n      namespace: default\n      \
         user: {user}\n    name: {name}\ncurrent-context: {name}\nusers:\n- name: {user}\n  user:\n    exec:\n      \
         apiVersion: client.authentication.k8s.io/v1\n      args:\n        - oidc-login\n        - get-token\n        \
         - --oidc-issuer-url=https://{host}/oidc\n        - --oidc-client-id=native\n        \
         - --oidc-extra-scope=cluster:{cluster}\n{more}      command: kubectl\n      env: null\n      \
         interactiveMode: IfAvailable\n      provideClusterInfo: false\n"
    )
}
