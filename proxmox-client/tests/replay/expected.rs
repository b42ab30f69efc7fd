//! What recorded refusals mean, and which recordings are not replayed.

use std::collections::BTreeMap;

/// How many recordings must at least be replayed.
pub(crate) const REPLAYED: usize = 283;

/// Kind of error and the recordings that mean it; all others are successes.
const ERRORS: &[(&str, &[u32])] = &[
    ("unauthorized Token", &[3, 4]),
    ("unauthorized Password", &[9, 10]),
    ("unauthorized Ticket", &[21]),
    ("unauthorized SecondFactor", &[278]),
    ("denied / Sys.Audit|Sys.Modify", &[59]),
    ("denied /nodes/pve1 Sys.Audit", &[270]),
    ("denied /vms/100 VM.Audit", &[35]),
    ("denied /vms/101 VM.PowerMgmt", &[195]),
    ("denied /vms/102 VM.Config.CPU", &[144]),
    ("denied /vms/102 VM.Config.Network", &[145]),
    ("denied /mapping/pci Mapping.Modify", &[78]),
    ("denied /mapping/pci/h100 Mapping.Use", &[107]),
    ("denied / Sys.Console", &[244]),
    (
        "denied /vms/101 VM.GuestAgent.Audit|VM.GuestAgent.Unrestricted",
        &[316],
    ),
    (
        "denied Root",
        &[108, 109, 112, 121, 122, 284, 331, 332, 333],
    ),
    ("absent Vm", &[36, 37, 258, 259]),
    ("absent Mapping", &[87]),
    ("absent Task", &[272]),
    ("conflict Digest", &[84, 100, 101, 103]),
    ("conflict Exists", &[69]),
    ("locked backup", &[234]),
    ("locked -", &[275]),
    ("invalid map", &[70]),
    ("invalid id", &[71]),
    ("invalid map[0]", &[72, 73, 74, 75]),
    ("invalid bogus0", &[105]),
    ("invalid hostpci5", &[114, 115, 118, 119, 120, 124, 127]),
    ("invalid hostpci16", &[131]),
    ("invalid delete", &[136]),
    ("invalid name", &[301]),
    ("invalid tags", &[336]),
    // Refused for its content, but with a text of its own and without naming a parameter.
    ("invalid ", &[85, 113, 130]),
    ("server NodeUnreachable", &[260, 261]),
    ("server NodeFailed", &[262, 264]),
    ("server UnknownNode", &[39]),
    ("server GuestNotRunning", &[64, 194, 255]),
    ("server AgentNotRunning", &[176, 177, 317]),
    // A file was missing on the recorded host.
    ("server Unknown", &[63]),
];

const LEFT_OUT: &[(&str, &[u32])] = &[
    (
        "no, malformed or two credentials: the builder takes exactly one that is well-formed",
        &[1, 5, 7, 11, 13, 22],
    ),
    ("a ticket in another place than the cookie", &[17]),
    (
        "a write by ticket without its CSRF token, which the client always sends",
        &[18, 19],
    ),
    (
        "a second factor is refused, not answered, and its half ticket never used",
        &[279, 280, 281, 282, 283],
    ),
    (
        "creating and deleting VMs is left to the provider",
        &[52, 53, 91, 92, 93, 94, 95, 96, 97, 98, 306, 307],
    ),
    (
        "setting and deleting one option at once, which a change cannot say",
        &[138],
    ),
    (
        "no change at all, or null for one, which are refused before they are sent",
        &[104, 297],
    ),
    ("a VM's lock is never passed over", &[235, 236]),
    (
        "malformed on purpose, and not to be had from the client",
        &[30, 38, 41, 151, 154, 155, 158, 159, 271, 295],
    ),
    (
        "another method, path or format than the API's",
        &[40, 42, 43, 44, 156, 157],
    ),
    (
        "less or more of a list than the client asks for: terse devices, QEMU's own states",
        &[32, 58],
    ),
    (
        "shutdown without a timeout: the client always names one",
        &[193],
    ),
    ("token administration: not offered", &[338]),
];

/// What the refusals among them mean, whatever they answer.
const ANSWERS: &[(&str, &[u32])] = &[
    ("unauthorized Token", &[1, 5, 7, 11, 18, 19, 22, 279, 282]),
    ("denied Unsaid", &[95, 96]),
    ("denied Root", &[235, 236]),
    ("denied /vms/103 VM.Allocate", &[306]),
    ("absent Vm", &[307]),
    ("conflict Exists", &[53, 94]),
    ("invalid password", &[13]),
    ("invalid type", &[30]),
    ("invalid vmid", &[38, 295]),
    ("invalid bogus", &[41]),
    ("invalid machine", &[93]),
    ("invalid delete", &[138]),
    ("invalid upid", &[271]),
    ("invalid tokenid", &[338]),
    ("invalid ", &[104, 154]),
    (
        "server NotImplemented",
        &[40, 42, 43, 151, 155, 156, 157, 158, 159],
    ),
];

pub(crate) fn answers() -> BTreeMap<u32, &'static str> {
    by_number(ANSWERS)
}

pub(crate) fn errors() -> BTreeMap<u32, &'static str> {
    by_number(ERRORS)
}

/// Recordings that are not replayed, with the reason.
pub(crate) fn left_out() -> BTreeMap<u32, &'static str> {
    by_number(LEFT_OUT)
}

fn by_number(groups: &[(&'static str, &[u32])]) -> BTreeMap<u32, &'static str> {
    let mut map = BTreeMap::new();
    for (text, numbers) in groups {
        for number in *numbers {
            assert_eq!(map.insert(*number, *text), None, "{number} is listed twice");
        }
    }
    map
}
