//! Task ids: `UPID:node:pid:pstart:starttime:kind:id:user:`, numbers in hexadecimal.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::model::{TaskStatus, Upid};

const NODE: usize = 1;
const START: usize = 4;
const KIND: usize = 5;
const ID: usize = 6;
const USER: usize = 7;

impl Upid {
    /// Reads a task id.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the text is not of the form above.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if is_upid(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::input("not a task id (UPID)"))
        }
    }

    /// The node the task runs on, which is the one to ask about it.
    /// While that one is down nothing is known of the task, which goes on.
    pub fn node(&self) -> &str {
        self.field(NODE)
    }

    /// `qmstart`, `qmshutdown`, `qmconfig`, …
    pub fn kind(&self) -> &str {
        self.field(KIND)
    }

    /// What it works on, as text; empty for tasks of a node.
    pub fn id(&self) -> &str {
        self.field(ID)
    }

    /// The VM it works on, if it works on one.
    pub fn vmid(&self) -> Option<u32> {
        self.id().parse().ok()
    }

    /// Who started it: `user@realm`, with `!token` when it was a token.
    pub fn user(&self) -> &str {
        self.field(USER)
    }

    /// When it was started, Unix seconds.
    /// By that node's clock.
    pub fn start_time(&self) -> u64 {
        u64::from_str_radix(self.field(START), 16).unwrap_or_default()
    }

    /// Whether the task only asks the HA manager (`hastart`, `hastop`, …): it ends well as soon as the request
    /// is written, and says nothing of the VM. Wait for the VM's power state.
    pub fn is_ha_request(&self) -> bool {
        self.kind().starts_with("ha")
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn field(&self, index: usize) -> &str {
        self.0.split(':').nth(index).unwrap_or_default()
    }
}

fn is_upid(text: &str) -> bool {
    let hex = |field: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&field.len()) && field.bytes().all(|b| b.is_ascii_hexdigit())
    };
    let node = |field: &str| {
        !field.is_empty()
            && field
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let fields: Vec<&str> = text.split(':').collect();
    let &["UPID", name, pid, pstart, start, kind, _, user, ""] = fields.as_slice() else {
        return false;
    };
    node(name)
        && hex(pid, 8..=8)
        && hex(pstart, 8..=9)
        && hex(start, 8..=8)
        && !kind.is_empty()
        && !user.is_empty()
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

impl fmt::Display for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Upid {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl TaskStatus {
    /// Whether it has not ended yet.
    pub fn is_running(&self) -> bool {
        self.exit_status.is_none()
    }

    /// Whether it ended well: `OK`, or `WARNINGS: n`, which is a success with remarks in the log.
    /// `false` while it runs, and for a worker that died without a word (`unexpected status`).
    pub fn is_success(&self) -> bool {
        self.exit_status
            .as_deref()
            .is_some_and(|exit| exit == "OK" || exit.starts_with("WARNINGS"))
    }

    /// How many warnings a successful task had.
    pub fn warnings(&self) -> u32 {
        self.exit_status
            .as_deref()
            .and_then(|exit| exit.strip_prefix("WARNINGS: "))
            .and_then(|count| count.trim().parse().ok())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START_101: &str = "UPID:pve1:00000259:00032DF2:6B03EBB8:qmstart:101:toolkit@pve!boot:";

    #[test]
    fn fields() {
        let upid = Upid::parse(START_101).unwrap();
        assert_eq!(
            (
                upid.node(),
                upid.kind(),
                upid.vmid(),
                upid.user(),
                upid.start_time()
            ),
            (
                "pve1",
                "qmstart",
                Some(101),
                "toolkit@pve!boot",
                0x6B03_EBB8
            )
        );
        assert_eq!(upid.to_string(), START_101);
        let of_node =
            Upid::parse("UPID:pve-2:00000259:100032DF2:6B03EBB8:imgcopy::root@pam:").unwrap();
        assert_eq!((of_node.id(), of_node.vmid()), ("", None));
        let asked = START_101.replace("qmstart", "hastart");
        assert!(Upid::parse(&asked).unwrap().is_ha_request() && !upid.is_ha_request());
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "UPID:nope",
            "UPID::00000259:00032DF2:6B03EBB8:qmstart:101:root@pam:",
            "UPID:../x:00000259:00032DF2:6B03EBB8:qmstart:101:root@pam:",
            "UPID:pve1:259:00032DF2:6B03EBB8:qmstart:101:root@pam:",
            "UPID:pve1:00000259:00032DF2:6B03EBB8:qmstart:101:root@pam",
            "UPID:pve1:00000259:00032DF2:6B03EBB8:qmstart:101:ro ot@pam:",
            "UPID:pve1:00000259:00032DF2:6B03EBB8:qmstart:101:root@pam::",
        ] {
            assert!(Upid::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_upid_reads_back_as_it_is_written(
            node in "[a-z][a-z0-9-]{0,12}",
            numbers in (any::<u32>(), any::<u32>(), any::<u32>()),
            kind in "[a-z]{2,12}",
            id in "[0-9]{0,9}",
            user in "[a-z.]{1,8}@[a-z]{3,5}(![a-z0-9-]{1,8})?",
        ) {
            let (pid, pstart, start) = numbers;
            let text = format!("UPID:{node}:{pid:08X}:{pstart:08X}:{start:08X}:{kind}:{id}:{user}:");
            let upid = Upid::parse(&text).unwrap();
            prop_assert_eq!(upid.to_string(), text);
            prop_assert_eq!((upid.node(), upid.kind(), upid.id(), upid.user()), (&*node, &*kind, &*id, &*user));
            prop_assert_eq!((upid.start_time(), upid.vmid()), (u64::from(start), id.parse().ok()));
        }

        #[test]
        fn parsing_never_panics(text in "(UPID:)?[\\PC]{0,80}") {
            if let Ok(upid) = Upid::parse(&text) {
                prop_assert_eq!(upid.to_string(), text);
            }
        }
    }

    #[test]
    fn warnings_are_a_success() {
        let check = |exit: Option<&str>, running: bool, success: bool, warnings: u32| {
            let task = TaskStatus {
                upid: Upid::parse(START_101).unwrap(),
                kind: "qmstart".into(),
                id: "101".into(),
                start_time: 0,
                exit_status: exit.map(str::to_owned),
            };
            assert_eq!(
                (task.is_running(), task.is_success(), task.warnings()),
                (running, success, warnings),
                "{exit:?}"
            );
        };
        check(None, true, false, 0);
        check(Some("OK"), false, true, 0);
        check(Some("WARNINGS: 2"), false, true, 2);
        check(Some("unexpected status"), false, false, 0);
        check(Some("VM 101 already running"), false, false, 0);
    }
}
