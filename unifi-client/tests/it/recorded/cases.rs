//! Calls, what each is answered, and what must come of it.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use unifi_client::{
    Client, ClientPatch, ConnectedClient, Error, Mac, NewClient, Platform, RecordType,
};

use crate::dns::new;

pub(crate) type Call = fn(Client) -> BoxFuture<'static, Result<String, Error>>;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum As {
    /// A client with an API key.
    Key,
    /// A client with a login that was told what the console is.
    Login(Platform),
    /// A client with a login that finds out what the console is.
    Unknown,
}

pub(crate) struct Case {
    pub(crate) by: As,
    /// Call, status and file, or a body of our own where nothing is recorded.
    pub(crate) answers: &'static [(&'static str, u16, &'static str)],
    pub(crate) call: Call,
    pub(crate) outcome: &'static str,
}

pub(crate) const NETWORKS: &str = "GET /api/s/default/rest/networkconf";
const STATIONS: &str = "GET /api/s/default/stat/sta";
const CLASSIC_LOGIN: (&str, u16, &str) = ("POST @/api/login", 200, "24");
const NONE: &str = r#"{"meta":{"rc":"ok"},"data":[]}"#;
const NO_INFO: (&str, u16, &str) = ("GET /integration/v1/info", 404, "{}");
const INFO: (&str, u16, &str) = (
    "GET /integration/v1/info",
    200,
    r#"{"applicationVersion":"10.5.66"}"#,
);
const SITES: (&str, u16, &str) = ("GET /integration/v1/sites?offset=0&limit=200", 200, "40");
const STATIC: &str = "GET /v2/api/site/default/static-dns";
const POLICIES: (&str, u16, &str) = (
    "GET /integration/v1/sites/88f7af54-98f8-306a-a1c7-c9349722b1f6/dns/policies?offset=0&limit=200",
    200,
    r#"{"offset":0,"limit":200,"count":0,"totalCount":0,"data":[]}"#,
);
const POST_POLICY: &str =
    "POST /integration/v1/sites/88f7af54-98f8-306a-a1c7-c9349722b1f6/dns/policies";

const RANDOM: Mac = Mac([0xb4, 0x75, 0xab, 0x6e, 0x7b, 0x21]);
const STATION: Mac = Mac([0xca, 0xf8, 0xf4, 0x50, 0x33, 0x6f]);

fn lines<T>(items: Vec<T>, line: impl Fn(T) -> String) -> String {
    items.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

fn sites(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        Ok(lines(client.sites().await?, |s| {
            format!(
                "{} | {} | {} | {}",
                s.name,
                s.description,
                s.role.unwrap_or_default(),
                s.uuid.unwrap_or_default()
            )
        }))
    }
    .boxed()
}

pub(crate) fn networks(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        Ok(lines(client.networks().await?, |n| {
            let range = n
                .dhcp
                .start
                .zip(n.dhcp.stop)
                .map(|(start, stop)| format!("{start}-{stop}"));
            let gateway = n.gateway().map(|gateway| gateway.to_string());
            format!(
                "{} {} {} gateway {} vlan {:?} dhcp {} {} {:?} {:?} elsewhere {}",
                n.id,
                n.name,
                n.purpose,
                gateway.unwrap_or_default(),
                n.vlan,
                n.dhcp.enabled,
                range.unwrap_or_default(),
                n.dhcp.lease_seconds,
                n.dhcp.dns,
                n.dhcp_elsewhere
            )
        }))
    }
    .boxed()
}

pub(crate) fn upstream(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        let upstream = client.upstream().await?;
        Ok(format!(
            "{} automatic {} encrypted {:?}",
            upstream.servers.join(" "),
            upstream.automatic,
            upstream.encrypted
        ))
    }
    .boxed()
}

fn about(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        let about = client.about().await?;
        Ok(format!(
            "{} {} by {:?}",
            about.platform, about.version, about.family
        ))
    }
    .boxed()
}

fn status(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        let platform = client.platform().await?;
        let status = client.server_status().await?;
        Ok(format!("{platform} {} up {}", status.version, status.up))
    }
    .boxed()
}

fn account(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move { Ok(format!("{:?}", client.account().await?)) }.boxed()
}

fn groups(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        Ok(lines(client.user_groups().await?, |group| {
            format!("{group:?}")
        }))
    }
    .boxed()
}

fn wans(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        Ok(lines(client.wans().await?, |wan| {
            format!(
                "{} {} {:?} {:?} {:?} {:?}",
                wan.id, wan.name, wan.kind, wan.failover_priority, wan.resolvers, wan.provider
            )
        }))
    }
    .boxed()
}

fn connected(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        Ok(lines(client.connected_clients(None).await?, |client| {
            shown_connected(&client)
        }))
    }
    .boxed()
}

fn shown_connected(client: &ConnectedClient) -> String {
    format!(
        "{} {} {:?} {:?} {:?} {:?}",
        client.id,
        client.kind,
        client.name,
        client.mac.map(|mac| mac.to_string()),
        client.ip,
        client.connected_at
    )
}

fn connected_one(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        let found = client
            .connected_client("7fe038e8-946b-fa53-7335-6c00bee84657")
            .await?;
        Ok(found
            .as_ref()
            .map_or_else(|| "none".to_owned(), shown_connected))
    }
    .boxed()
}

fn overviews(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        Ok(lines(client.network_overviews(None).await?, |network| {
            format!(
                "{} {} {} enabled {} default {} vlan {:?}",
                network.id,
                network.name,
                network.management,
                network.enabled,
                network.is_default,
                network.vlan
            )
        }))
    }
    .boxed()
}

fn station(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        let found = client.active_client(STATION).await?;
        Ok(found.map_or_else(|| "away".to_owned(), |client| client.mac.to_string()))
    }
    .boxed()
}

fn version(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move { Ok(client.version().await?.to_string()) }.boxed()
}

fn active(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        Ok(lines(client.active_clients().await?, |c| {
            format!(
                "{} {:?} {:?} {:?} {}",
                c.mac, c.ip, c.name, c.network_id, c.device
            )
        }))
    }
    .boxed()
}

fn past(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        Ok(lines(client.past_clients().await?, |c| {
            format!(
                "{} {:?} {:?} {:?}",
                c.mac, c.last_ip, c.last_seen, c.record_id
            )
        }))
    }
    .boxed()
}

fn records(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        Ok(lines(client.client_records().await?, |record| {
            record.mac.to_string()
        }))
    }
    .boxed()
}

fn reserve(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        let wanted = NewClient {
            mac: RANDOM,
            name: Some("Random Device".into()),
            note: None,
            fixed_ip: [192, 168, 2, 234].into(),
            network_id: "6794935890319a363e9e197c".into(),
            local_dns: Some("random.my.net".into()),
        };
        client
            .create_client(&wanted)
            .await
            .map(|()| "made".to_owned())
    }
    .boxed()
}

fn change(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        let patch = ClientPatch {
            name: Some("x".into()),
            ..ClientPatch::default()
        };
        client
            .update_client("67c2f8e89475d83b9fbaaa9a", RANDOM, &patch)
            .await
            .map(|()| "changed".to_owned())
    }
    .boxed()
}

fn dns(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        Ok(lines(client.dns_records().await?, |r| {
            format!(
                "{} {} {} {} {} {}",
                r.id, r.name, r.record_type, r.value, r.ttl, r.enabled
            )
        }))
    }
    .boxed()
}

fn add_dns(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        let record = new("testhost9.local", RecordType::A, "192.168.100.1", 0);
        client
            .create_dns_record(&record)
            .await
            .map(|()| format!("made by {:?}", client.dns_family()))
    }
    .boxed()
}

fn change_dns(client: Client) -> BoxFuture<'static, Result<String, Error>> {
    async move {
        let record = new("testhost1.local", RecordType::A, "192.168.100.1", 0);
        client
            .update_dns_record("6913a4964a990741124a6d94", &record)
            .await
            .map(|()| "changed".to_owned())
    }
    .boxed()
}

pub(crate) const READS: &[Case] = &[
    Case {
        by: As::Login(Platform::Classic),
        answers: &[CLASSIC_LOGIN, ("GET @/api/self/sites", 200, "02")],
        call: sites,
        outcome: "default | Default | admin | 88f7af54-98f8-306a-a1c7-c9349722b1f6",
    },
    Case {
        by: As::Key,
        answers: &[("GET /api/self/sites", 200, "21")],
        call: sites,
        outcome: "default | Default | admin | ",
    },
    Case {
        by: As::Login(Platform::Classic),
        answers: &[
            CLASSIC_LOGIN,
            ("GET @/api/s/default/stat/sysinfo", 200, "07"),
        ],
        call: about,
        outcome: "classic 10.0.162 by Legacy",
    },
    Case {
        by: As::Key,
        answers: &[NO_INFO, ("GET /api/s/default/stat/sysinfo", 200, "10")],
        call: about,
        outcome: "UniFi OS 10.5.67 by Legacy",
    },
    Case {
        by: As::Key,
        answers: &[NO_INFO, ("GET /api/s/default/stat/sysinfo", 200, "23")],
        call: version,
        outcome: "7.4.162",
    },
    Case {
        by: As::Login(Platform::Classic),
        answers: &[
            CLASSIC_LOGIN,
            ("GET @/api/s/default/rest/networkconf", 200, "06"),
        ],
        call: networks,
        outcome: "698a5d65f306805b18cabcad Default corporate gateway 192.168.1.1 vlan None dhcp true 192.168.1.6-192.168.1.254 None [] elsewhere false",
    },
    Case {
        by: As::Key,
        answers: &[(NETWORKS, 200, "11")],
        call: networks,
        outcome: "6613a1f0c4b2d90a5e1f0001 Default corporate gateway 192.168.1.1 vlan None dhcp true 192.168.1.6-192.168.1.254 Some(86400) [] elsewhere false",
    },
    Case {
        by: As::Key,
        answers: &[
            (NETWORKS, 200, "11"),
            ("GET /api/s/default/get/setting", 200, "12"),
        ],
        call: upstream,
        outcome: "203.0.113.1 203.0.113.2 2001:db8::1 2001:db8::2 automatic false encrypted Some(\"custom\")",
    },
    Case {
        by: As::Login(Platform::Classic),
        answers: &[
            CLASSIC_LOGIN,
            ("GET @/api/s/default/stat/sta", 200, "04"),
            ("GET @/api/s/default/stat/device", 200, NONE),
        ],
        call: active,
        outcome: "",
    },
    Case {
        by: As::Key,
        answers: &[
            (STATIONS, 200, "20"),
            ("GET /api/s/default/stat/device", 200, NONE),
        ],
        call: active,
        outcome: "ac:cc:de:12:34:56 Some(192.168.0.2) Some(\"camera-acccde123456\") Some(\"5a32aa4ee4b047ede36a85a8\") false\n\
                  00:00:00:00:00:01 Some(192.168.0.1) Some(\"Client 1\") Some(\"5a32aa4ee4b047ede36a85a8\") false",
    },
    Case {
        by: As::Key,
        answers: &[(
            "GET /v2/api/site/default/clients/history?onlyNonBlocked=false&includeUnifiDevices=true&withinHours=0",
            200,
            "26",
        )],
        call: past,
        outcome: "4a:29:ca:c4:41:aa Some(192.168.1.10) Some(1730247156) Some(\"6743b053dcec90060a653200\")\n\
                  59:29:43:c4:2a:ef Some(192.168.1.6) Some(1710202100) Some(\"6743b053dcec90060a653200\")",
    },
    Case {
        by: As::Login(Platform::Classic),
        answers: &[CLASSIC_LOGIN, ("GET @/api/s/default/rest/user", 200, "05")],
        call: records,
        outcome: "",
    },
    Case {
        by: As::Key,
        answers: &[NO_INFO, (STATIC, 200, "30")],
        call: dns,
        outcome: "6913a4964a990741124a6d94 testhost1.local A 192.168.100.1 0 true\n\
                  6913a4964a990741124a6d97 testhost2.local A 192.168.100.2 0 true\n\
                  6913a4964a990741124a6d98 testhost3.local A 192.168.100.3 0 true",
    },
    Case {
        by: As::Key,
        answers: &[NO_INFO, (STATIC, 200, "32")],
        call: dns,
        outcome: "",
    },
    Case {
        by: As::Key,
        answers: &[INFO, SITES, POLICIES],
        call: dns,
        outcome: "",
    },
    Case {
        by: As::Unknown,
        answers: &[("GET @/", 302, ""), ("GET @/status", 200, "01")],
        call: status,
        outcome: "classic 10.0.162 up true",
    },
    Case {
        by: As::Login(Platform::Classic),
        answers: &[CLASSIC_LOGIN, ("GET @/api/self", 200, "03")],
        call: account,
        outcome: "Account { name: \"admin\", is_super: true, is_owner: true }",
    },
    Case {
        by: As::Login(Platform::Classic),
        answers: &[
            CLASSIC_LOGIN,
            ("GET @/api/s/default/rest/usergroup", 200, "08"),
        ],
        call: groups,
        outcome: "UserGroup { id: \"698a5d65f306805b18cabcae\", name: \"Default\", download: None, upload: None }",
    },
    Case {
        by: As::Key,
        answers: &[(
            "GET /v2/api/site/default/wan/enriched-configuration",
            200,
            "13",
        )],
        call: wans,
        outcome: "6711e729be659a441ec8e57c Internet 1 Some(\"dhcp\") Some(1) None Some(\"Example ISP\")\n\
                  671184d9be659a441ec8e58b Internet 2 Some(\"dhcp\") Some(2) None Some(\"Example ISP\")",
    },
    Case {
        by: As::Login(Platform::UnifiOs),
        answers: &[
            ("POST @/api/auth/login", 200, "22"),
            ("GET /api/self/sites", 200, "21"),
        ],
        call: sites,
        outcome: "default | Default | admin | ",
    },
    Case {
        by: As::Key,
        answers: &[
            SITES,
            (
                "GET /integration/v1/sites/88f7af54-98f8-306a-a1c7-c9349722b1f6/clients?offset=0&limit=200",
                200,
                "41",
            ),
        ],
        call: connected,
        outcome: "7fe038e8-946b-fa53-7335-6c00bee84657 WIRED Some(\"client-1\") Some(\"aa:bb:cc:14:01:56\") Some(10.222.189.242) Some(\"2025-10-19T10:09:31Z\")\n\
                  17f9729f-a6d9-63da-7185-579a4bd70979 WIRELESS Some(\"client-2\") Some(\"aa:bb:cc:9c:58:6f\") Some(10.103.206.70) Some(\"2025-10-19T10:10:24Z\")\n\
                  d0fde4ea-6ed0-a42b-ae3c-e848132e56b4 WIRELESS Some(\"client-3\") Some(\"aa:bb:cc:10:a8:87\") Some(10.157.45.243) Some(\"2025-10-24T21:15:12Z\")",
    },
    Case {
        by: As::Key,
        answers: &[
            SITES,
            (
                "GET /integration/v1/sites/88f7af54-98f8-306a-a1c7-c9349722b1f6/clients/7fe038e8-946b-fa53-7335-6c00bee84657",
                200,
                "42",
            ),
        ],
        call: connected_one,
        outcome: "7fe038e8-946b-fa53-7335-6c00bee84657 WIRED Some(\"client-1\") Some(\"aa:bb:cc:14:01:56\") Some(10.222.189.242) Some(\"2025-10-19T10:09:31Z\")",
    },
    Case {
        by: As::Key,
        answers: &[
            SITES,
            (
                "GET /integration/v1/sites/88f7af54-98f8-306a-a1c7-c9349722b1f6/networks?offset=0&limit=200",
                200,
                "43",
            ),
        ],
        call: overviews,
        outcome: "aaa00000-0000-0000-0000-000000000001 Default GATEWAY enabled true default true vlan Some(1)\n\
                  aaa00000-0000-0000-0000-000000000002 IoT GATEWAY enabled true default false vlan Some(100)",
    },
    Case {
        by: As::Key,
        answers: &[("GET /api/s/default/stat/sta/ca:f8:f4:50:33:6f", 400, "54")],
        call: station,
        outcome: "away",
    },
];

pub(crate) const WRITES: &[Case] = &[
    Case {
        by: As::Key,
        answers: &[("POST /api/s/default/rest/user", 200, "70")],
        call: reserve,
        outcome: "made",
    },
    Case {
        by: As::Key,
        answers: &[(
            "PUT /api/s/default/rest/user/67c2f8e89475d83b9fbaaa9a",
            200,
            NONE,
        )],
        call: change,
        outcome: "changed",
    },
    Case {
        by: As::Key,
        answers: &[(
            "PUT /api/s/default/rest/user/67c2f8e89475d83b9fbaaa9a",
            400,
            "53",
        )],
        call: change,
        outcome: "Invalid 400 api.err.InvalidNetworkId [network_id]",
    },
    Case {
        by: As::Key,
        answers: &[(
            "PUT /api/s/default/rest/user/67c2f8e89475d83b9fbaaa9a",
            400,
            "55",
        )],
        call: change,
        outcome: "Invalid 400 api.err.LocalDnsRecordMissing []",
    },
    Case {
        by: As::Key,
        answers: &[
            NO_INFO,
            (STATIC, 200, "30"),
            ("POST /v2/api/site/default/static-dns", 200, "31"),
        ],
        call: add_dns,
        outcome: "made by Some(V2)",
    },
    Case {
        by: As::Key,
        answers: &[
            NO_INFO,
            (STATIC, 200, "30"),
            (
                "PUT /v2/api/site/default/static-dns/6913a4964a990741124a6d94",
                200,
                "31",
            ),
        ],
        call: change_dns,
        outcome: "changed",
    },
    Case {
        by: As::Key,
        answers: &[
            NO_INFO,
            (STATIC, 200, "32"),
            ("POST /v2/api/site/default/static-dns", 400, "56"),
        ],
        call: add_dns,
        outcome: "Invalid 400 api.err.StaticDnsRecordInvalidParameters [key]",
    },
    Case {
        by: As::Key,
        answers: &[
            NO_INFO,
            (STATIC, 200, "32"),
            ("POST /v2/api/site/default/static-dns", 400, "57"),
        ],
        call: add_dns,
        outcome: "AlreadyExists 400 api.err.StaticDnsRecordAlreadyExists []",
    },
    Case {
        by: As::Key,
        answers: &[
            NO_INFO,
            (STATIC, 200, "32"),
            ("POST /v2/api/site/default/static-dns", 400, "58"),
        ],
        call: add_dns,
        outcome: "Conflict 400 api.err.StaticDnsOverlapsWithDeviceLocalDns []",
    },
    Case {
        by: As::Key,
        answers: &[INFO, SITES, POLICIES, (POST_POLICY, 400, "60")],
        call: add_dns,
        outcome: "Invalid 400 api.request.unknown-property [metadata]",
    },
    Case {
        by: As::Key,
        answers: &[INFO, SITES, POLICIES, (POST_POLICY, 400, "61")],
        call: add_dns,
        outcome: "AlreadyExists 400 api.dns.policy.validation.record-already-exists []",
    },
    Case {
        by: As::Key,
        answers: &[("GET /integration/v1/info", 401, "62")],
        call: version,
        outcome: "Unauthorized 401 - []",
    },
];

/// Logins that are refused. The console's answer is the only one there is.
pub(crate) const LOGINS: &[Case] = &[
    Case {
        by: As::Login(Platform::Classic),
        answers: &[("POST @/api/login", 400, "25")],
        call: version,
        outcome: "Unauthorized 400 api.err.Ubic2faTokenRequired []",
    },
    Case {
        by: As::Login(Platform::UnifiOs),
        answers: &[("POST @/api/auth/login", 429, "50")],
        call: version,
        outcome: "Busy 429 AUTHENTICATION_FAILED_LIMIT_REACHED []",
    },
    Case {
        by: As::Login(Platform::UnifiOs),
        answers: &[("POST @/api/auth/login", 403, "51")],
        call: version,
        outcome: "Unauthorized 403 AUTHENTICATION_FAILED_INVALID_CREDENTIALS []",
    },
    Case {
        by: As::Login(Platform::UnifiOs),
        answers: &[("POST @/api/auth/login", 499, "52")],
        call: version,
        outcome: "Unauthorized 499 MFA_AUTH_REQUIRED []",
    },
];
