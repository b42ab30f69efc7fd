//! What recorded refusals mean, and which recordings are not replayed.

use std::collections::BTreeMap;

/// How many recordings must at least be replayed.
pub(crate) const REPLAYED: usize = 233;

/// Kind of error and the recordings that mean it; all others are successes.
const ERRORS: &[(&str, &[u32])] = &[
    ("unauthorized", &[3, 4]),
    ("denied / Sys.Audit|Sys.Modify", &[59]),
    ("denied /nodes/pve1 Sys.Audit", &[270]),
    ("denied /vms/100 VM.Audit", &[35]),
    ("denied /vms/101 VM.PowerMgmt", &[195]),
    ("denied /vms/102 VM.Config.CPU", &[144]),
    ("denied /vms/102 VM.Config.Network", &[145]),
    ("denied /mapping/pci Mapping.Modify", &[78]),
    ("denied /mapping/pci/h100 Mapping.Use", &[107]),
    ("denied Root", &[108, 109, 112, 121, 122, 331, 332, 333]),
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
    ("server NodeUnreachable", &[260, 261, 262, 264]),
    ("server UnknownNode", &[39]),
    ("server GuestNotRunning", &[194]),
    // Refused for its content, but with a text of its own and without naming a parameter.
    ("server Unknown", &[85, 113, 130]),
];

const LEFT_OUT: &[(&str, &[u32])] = &[
    (
        "the recording is unreliable",
        &[63, 200, 250, 251, 252, 253, 254, 255],
    ),
    (
        "other credentials than a well-formed token",
        &[1, 5, 6, 7, 15, 16, 17, 18, 19, 20, 21, 22, 279, 330],
    ),
    (
        "password login is not offered",
        &[8, 9, 10, 11, 12, 13, 14, 278, 280, 281, 282, 283],
    ),
    (
        "creating and deleting VMs is left to the provider",
        &[52, 53, 90, 91, 92, 93, 94, 95, 96, 97, 98, 306, 307],
    ),
    (
        "several options in one write, which the client never sends",
        &[138, 142, 143, 174, 235, 236, 284, 296, 297],
    ),
    (
        "malformed on purpose, and not to be had from the client",
        &[30, 38, 41, 104, 151, 154, 155, 158, 159, 271, 295],
    ),
    (
        "another method, path or format than the API's",
        &[40, 42, 43, 44, 156, 157],
    ),
    (
        "guest agent: not offered",
        &[64, 176, 177, 314, 315, 316, 317],
    ),
    (
        "high availability: not offered",
        &[54, 55, 244, 245, 246, 256, 287, 294],
    ),
    (
        "a read the client does otherwise or not at all",
        &[25, 27, 31, 32, 51, 58, 60, 61, 62, 269],
    ),
    ("asynchronous configuration write: not offered", &[139]),
    (
        "shutdown without a timeout: the client always names one",
        &[193],
    ),
    ("token administration: not offered", &[338]),
];

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
