//! Where the systems are, how they are trusted and where their secrets come from.

use url::Url;

use super::decode::{Fields, Reader};
use super::model::{OmniEndpoint, ProxmoxEndpoint, SecretRef, Tls, UnifiEndpoint};
use crate::diagnostic::Origin;
use crate::yaml::Node;

pub(super) const OMNI: &[&str] = &["endpoint", "serviceAccountKey", "tls"];
pub(super) const PROXMOX: &[&str] = &["provider", "endpoint", "apiToken", "tls"];
pub(super) const UNIFI: &[&str] = &["endpoint", "site", "apiKey", "tls"];
pub(super) const TLS: &[&str] = &["sha256", "caFile", "insecure"];
pub(super) const SECRET: &[&str] = &["env", "file", "command"];

impl Reader {
    pub(super) fn omni(&mut self, node: &Node) -> Option<OmniEndpoint> {
        let fields = self.fields(node, "omni", OMNI)?;
        let endpoint = self
            .required(&fields, "endpoint")
            .and_then(|node| self.endpoint(node));
        let key = self.secret(&fields, "serviceAccountKey", "OMNI_SERVICE_ACCOUNT_KEY");
        let tls = self.tls(&fields);
        Some(OmniEndpoint {
            endpoint: endpoint?,
            key: key?,
            tls,
            origin: self.origin(node),
        })
    }

    pub(super) fn proxmox(&mut self, node: &Node) -> Vec<ProxmoxEndpoint> {
        let mut clusters: Vec<ProxmoxEndpoint> = Vec::new();
        for entry in self.entries(node, "proxmox") {
            let Some(cluster) = self.proxmox_entry(entry) else {
                continue;
            };
            if let Some(first) = clusters
                .iter()
                .find(|known| known.provider == cluster.provider)
            {
                let message = format!(
                    "provider `{}` is given twice, first on line {}",
                    cluster.provider, first.origin.line
                );
                self.error_hint(
                    entry,
                    message,
                    "one entry a provider; `endpoint` takes several URLs of one cluster",
                );
                continue;
            }
            clusters.push(cluster);
        }
        clusters
    }

    fn proxmox_entry(&mut self, node: &Node) -> Option<ProxmoxEndpoint> {
        let fields = self.fields(node, "proxmox", PROXMOX)?;
        let provider = self.required_string(&fields, "provider");
        let endpoints = self
            .required(&fields, "endpoint")
            .map(|node| self.proxmox_endpoints(node));
        let api_token = self.secret(&fields, "apiToken", "PROXMOX_VE_API_TOKEN");
        let tls = self.tls(&fields);
        Some(ProxmoxEndpoint {
            provider: provider?.to_owned(),
            endpoints: endpoints.filter(|urls| !urls.is_empty())?,
            api_token: api_token?,
            tls,
            origin: self.origin(node),
        })
    }

    /// The API's own path is added by the client; the provider's configuration has it in the URL.
    fn proxmox_endpoints(&mut self, node: &Node) -> Vec<String> {
        let mut urls: Vec<String> = Vec::new();
        for item in self.items(node, "endpoint") {
            let Some(url) = self.endpoint(item) else {
                continue;
            };
            let url = url.strip_suffix("/api2/json").unwrap_or(&url).to_owned();
            if Url::parse(&url).is_ok_and(|url| url.port().is_none()) {
                self.warning(
                    item,
                    format!("endpoint {url} names no port, so 443 is used"),
                    "Proxmox VE listens on 8006: append :8006 unless a proxy stands before it",
                );
            }
            if urls.contains(&url) {
                self.error(item, format!("endpoint {url} is given twice"));
                continue;
            }
            urls.push(url);
        }
        if urls.is_empty() && node.as_sequence().is_some_and(<[Node]>::is_empty) {
            self.error(node, "`endpoint` is empty");
        }
        urls
    }

    pub(super) fn unifi(&mut self, node: &Node) -> Option<UnifiEndpoint> {
        let fields = self.fields(node, "unifi", UNIFI)?;
        let endpoint = self
            .required(&fields, "endpoint")
            .and_then(|node| self.endpoint(node));
        let site = match fields.get("site") {
            Some(node) => self.string(node, "site").map(str::to_owned),
            None => Some("default".to_owned()),
        };
        let api_key = self.secret(&fields, "apiKey", "UNIFI_API_KEY");
        let tls = self.tls(&fields);
        Some(UnifiEndpoint {
            endpoint: endpoint?,
            site: site?,
            api_key: api_key?,
            tls,
            origin: self.origin(node),
        })
    }

    /// An `https` URL, without a final slash.
    fn endpoint(&mut self, node: &Node) -> Option<String> {
        let text = self.string(node, "endpoint")?;
        // The text is not repeated where it may hold a password.
        let Ok(url) = Url::parse(text) else {
            self.error_hint(
                node,
                "`endpoint` is not a URL",
                "write it as https://host or https://host:port",
            );
            return None;
        };
        if !url.username().is_empty() || url.password().is_some() {
            self.error_hint(
                node,
                "`endpoint` holds a user name or a password",
                "secrets have keys of their own",
            );
            return None;
        }
        if url.scheme() != "https" {
            let message = format!("`endpoint` must be an https URL, not {}", url.scheme());
            self.error_hint(
                node,
                message,
                "keys are never sent without TLS; for self-made certificates see `tls`",
            );
            return None;
        }
        if url.query().is_some()
            || url.fragment().is_some()
            || url.host_str().is_none_or(str::is_empty)
        {
            self.error_hint(
                node,
                "`endpoint` has a query or a fragment",
                "write it as https://host or https://host:port",
            );
            return None;
        }
        Some(url.as_str().trim_end_matches('/').to_owned())
    }

    fn tls(&mut self, fields: &Fields<'_>) -> Tls {
        let Some(node) = fields.get("tls") else {
            return Tls::default();
        };
        let Some(fields) = self.fields(node, "tls", TLS) else {
            return Tls::default();
        };
        let mut tls = Tls {
            insecure: self.flag(&fields, "insecure"),
            ..Tls::default()
        };
        if let Some(list) = fields.get("sha256") {
            for item in self.items(list, "sha256") {
                tls.sha256.extend(self.fingerprint(item));
            }
            if list.as_sequence().is_some_and(<[Node]>::is_empty) {
                self.error_hint(
                    list,
                    "`sha256` is empty",
                    "leave the key out to trust the system's authorities",
                );
            }
        }
        if let Some(path) = fields
            .get("caFile")
            .and_then(|node| self.string(node, "caFile").map(|text| (node, text)))
        {
            let resolved = self.resolve(path.1);
            if !resolved.is_file() {
                let message = format!("`caFile` {} is not there", resolved.display());
                self.warning(
                    path.0,
                    message,
                    "paths are relative to this file; connecting will fail",
                );
            }
            tls.ca_file = Some(resolved);
        }
        let ways = [!tls.sha256.is_empty(), tls.ca_file.is_some(), tls.insecure];
        if ways.iter().filter(|way| **way).count() > 1 {
            self.error_hint(
                node,
                "`sha256`, `caFile` and `insecure` exclude each other",
                "keep one of them",
            );
        }
        tls
    }

    /// 32 bytes, upper case with colons, as certificates' fingerprints are printed.
    fn fingerprint(&mut self, node: &Node) -> Option<String> {
        let text = self.string(node, "sha256")?;
        let digits: String = text
            .chars()
            .filter(|character| !matches!(character, ':' | ' '))
            .collect();
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            self.error_hint(
                node,
                "`sha256` is not a SHA-256 fingerprint of 32 bytes",
                "`openssl x509 -noout -fingerprint -sha256` prints it",
            );
            return None;
        }
        let digits = digits.to_ascii_uppercase();
        let bytes: Vec<&str> = (0..32).map(|at| &digits[at * 2..at * 2 + 2]).collect();
        Some(bytes.join(":"))
    }

    /// A secret's place; the neighbours' environment variable where the key is absent.
    fn secret(
        &mut self,
        fields: &Fields<'_>,
        key: &'static str,
        variable: &str,
    ) -> Option<SecretRef> {
        let Some(node) = fields.get(key) else {
            return Some(SecretRef::Env(variable.to_owned()));
        };
        if node.as_str().is_some() {
            // Whatever it is, it may be the secret itself: say nothing of it.
            self.error_hint(
                node,
                format!("`{key}` names the place of a secret, not the secret"),
                format!(
                    "write {{env: {variable}}}, {{file: PATH}} or {{command: [PROGRAM, ARGUMENT]}}"
                ),
            );
            return None;
        }
        let fields = self.fields(node, key, SECRET)?;
        let given: Vec<&str> = SECRET
            .iter()
            .copied()
            .filter(|way| fields.get(way).is_some())
            .collect();
        let [way] = given[..] else {
            if given.is_empty()
                && fields
                    .node
                    .as_mapping()
                    .is_some_and(|pairs| !pairs.is_empty())
            {
                // The unknown key was told.
                return None;
            }
            self.error(
                node,
                format!("`{key}` takes exactly one of `env`, `file` and `command`"),
            );
            return None;
        };
        let value = fields.get(way)?;
        match way {
            "env" => self.variable(value).map(SecretRef::Env),
            "file" => self
                .string(value, way)
                .map(|path| SecretRef::File(self.resolve(path))),
            _ => self.command(value).map(SecretRef::Command),
        }
    }

    fn variable(&mut self, node: &Node) -> Option<String> {
        let name = self.string(node, "env")?;
        let named = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !named || name.starts_with(|first: char| first.is_ascii_digit()) {
            self.error_hint(
                node,
                "`env` is not the name of a variable",
                "write the name alone, without $ and value",
            );
            return None;
        }
        Some(name.to_owned())
    }

    fn command(&mut self, node: &Node) -> Option<Vec<String>> {
        let Some(items) = node.as_sequence().filter(|items| !items.is_empty()) else {
            self.error_hint(
                node,
                "`command` must be a sequence: a program and its arguments",
                "it is run without a shell: command: [pass, show, omni]",
            );
            return None;
        };
        items
            .iter()
            .map(|item| self.string(item, "command").map(str::to_owned))
            .collect()
    }
}

/// Where a section stands, or the file where it is absent.
pub(super) fn origin_of(reader: &Reader, node: Option<&Node>) -> Origin {
    node.map_or_else(
        || Origin {
            file: reader.file.clone(),
            ..Origin::default()
        },
        |node| reader.origin(node),
    )
}
