//! A report as the lines of a tree.

use omni_client::specs::{MachineStage, RequestStage};

use super::words::Word;
use super::{Machine, MachineSet, Report, Request, Role, Upgrade};

/// A line: the branch it hangs on, then what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `│   ├── ` and the like; empty for the root.
    pub branch: String,
    /// What it says.
    pub parts: Vec<Part>,
}

/// Text in one tone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The text.
    pub text: String,
    /// How it sounds.
    pub tone: Tone,
}

/// How a text sounds; terminals show it as a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// No tone.
    Plain,
    /// What a line is about.
    Title,
    /// As wanted.
    Good,
    /// On its way.
    Moving,
    /// Not as wanted.
    Bad,
    /// On its way out, or stuck.
    Alarming,
    /// Nobody knows.
    Unknown,
    /// A name.
    Name,
    /// Somebody's doing.
    Held,
    /// A remark.
    Remark,
    /// What changes by itself, such as an age.
    Fleeting,
}

impl Line {
    /// What it says, without its branch.
    pub fn text(&self) -> String {
        self.parts.iter().map(|part| part.text.as_str()).collect()
    }

    /// The same without what changes by itself: two lines with equal news say nothing new to each other.
    pub fn news(&self) -> String {
        let lasting = self.parts.iter().filter(|part| part.tone != Tone::Fleeting);
        lasting.map(|part| part.text.as_str()).collect()
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.branch, self.text())
    }
}

/// The tree, machines on their way included, and a last line that says what is waited for.
pub fn lines(report: &Report) -> Vec<Line> {
    let mut lines = match report.state {
        Some(_) => grow(&root(report, true)),
        None => vec![Line {
            branch: String::new(),
            parts: absent(report),
        }],
    };
    if !report.waiting_for.is_empty() {
        lines.push(Line {
            branch: String::new(),
            parts: vec![
                part("Waiting for ", Tone::Title),
                part(report.waiting_for.join("; "), Tone::Plain),
            ],
        });
    }
    lines
}

/// The tree exactly as omnictl has it; empty while Omni has no state of the cluster.
pub fn omnictl_lines(report: &Report) -> Vec<Line> {
    match report.state {
        Some(_) => grow(&root(report, false)),
        None => Vec::new(),
    }
}

#[derive(Default)]
struct Node {
    parts: Vec<Part>,
    children: Vec<Node>,
}

fn grow(root: &Node) -> Vec<Line> {
    let mut lines = vec![Line {
        branch: String::new(),
        parts: root.parts.clone(),
    }];
    hang(root, "", &mut lines);
    lines
}

fn hang(node: &Node, outer: &str, lines: &mut Vec<Line>) {
    const BAR: &str = "│   ";
    for (at, child) in node.children.iter().enumerate() {
        let last = at + 1 == node.children.len();
        lines.push(Line {
            branch: format!("{outer}{}", if last { "└── " } else { "├── " }),
            parts: child.parts.clone(),
        });
        let inner = format!("{outer}{}", if last { "    " } else { BAR });
        hang(child, &inner, lines);
    }
}

fn part(text: impl Into<String>, tone: Tone) -> Part {
    Part {
        text: text.into(),
        tone,
    }
}

fn word(value: impl Word) -> Part {
    let (text, tone) = value.word();
    part(text, tone)
}

fn space() -> Part {
    part(" ", Tone::Plain)
}

/// Go's `%q`.
fn quoted(text: &str) -> Part {
    part(crate::template::go_quote(text), Tone::Plain)
}

fn readiness(ready: bool) -> Part {
    if ready {
        part("Ready", Tone::Good)
    } else {
        part("Not Ready", Tone::Bad)
    }
}

fn absent(report: &Report) -> Vec<Part> {
    let says = if report.exists {
        "is known, but Omni has no state of it yet"
    } else {
        "does not exist"
    };
    vec![
        part("Cluster", Tone::Title),
        space(),
        quoted(&report.cluster),
        space(),
        part(says, Tone::Bad),
    ]
}

fn root(report: &Report, all: bool) -> Node {
    let mut node = Node::default();
    if let Some(state) = &report.state {
        let (healthy, total) = (state.machines.healthy, state.machines.total);
        node.parts = vec![
            part("Cluster", Tone::Title),
            space(),
            quoted(&report.cluster),
            space(),
            word(state.phase),
            space(),
            readiness(state.ready),
            part(format!(" ({healthy}/{total}) (healthy/total)"), Tone::Plain),
        ];
    }
    let kubernetes = report.kubernetes_upgrade.as_ref();
    node.children.extend(
        kubernetes
            .filter(|upgrade| all || upgrade.labelled)
            .map(|upgrade| upgrade_line("Kubernetes Upgrade", upgrade, all)),
    );
    let talos = report.talos_upgrade.as_ref();
    node.children.extend(
        talos
            .filter(|upgrade| all || upgrade.labelled)
            .map(|upgrade| upgrade_line("Talos Upgrade", upgrade, all)),
    );
    let sets = report.machine_sets.iter();
    node.children
        .extend(sets.map(|set| set_node(set, report.load_balancer, all)));
    node
}

fn upgrade_line<P: Word>(title: &str, upgrade: &Upgrade<P>, all: bool) -> Node {
    let mut parts = vec![
        part(title, Tone::Title),
        space(),
        word(upgrade.phase),
        part(format!(" {}", upgrade.step), Tone::Plain),
    ];
    if all {
        if upgrade.step.is_empty() {
            parts.pop();
        }
        if !upgrade.status.is_empty() {
            parts.push(part(format!(", {}", upgrade.status), Tone::Remark));
        }
        if !upgrade.error.is_empty() {
            parts.push(part(format!(": {}", upgrade.error), Tone::Bad));
        }
    }
    Node {
        parts,
        children: Vec::new(),
    }
}

fn set_node(set: &MachineSet, load_balancer: Option<bool>, all: bool) -> Node {
    let title = match set.role {
        Role::ControlPlane => "Control Plane",
        Role::Workers => "Workers",
        Role::AdditionalWorkers => "Additional Workers",
    };
    let (healthy, total) = (set.counts.healthy, set.counts.total);
    let mut parts = vec![
        part(title, Tone::Title),
        space(),
        quoted(&set.id),
        space(),
        word(set.phase),
        space(),
        readiness(set.ready),
        part(format!(" ({healthy}/{total})"), Tone::Plain),
    ];
    if all && !set.error.is_empty() {
        parts.push(part(format!(" {}", set.error), Tone::Bad));
    }
    let mut children = Vec::new();
    if set.role == Role::ControlPlane {
        children.extend(load_balancer.map(|healthy| Node {
            parts: vec![
                part("Load Balancer", Tone::Title),
                space(),
                readiness(healthy),
            ],
            ..Node::default()
        }));
        children.extend(set.failing_checks.as_ref().map(|failing| Node {
            parts: vec![part("Status Checks", Tone::Title), space(), checks(failing)],
            ..Node::default()
        }));
    }
    children.extend(
        set.machines
            .iter()
            .map(|machine| machine_line(machine, all)),
    );
    if all {
        children.extend(set.requests.iter().map(request_line));
    }
    Node { parts, children }
}

fn checks(failing: &[omni_client::specs::ConditionType]) -> Part {
    if failing.is_empty() {
        return part("OK", Tone::Good);
    }
    let names: Vec<_> = failing.iter().map(|check| check.word().0).collect();
    part(format!("Failing: [{}]", names.join(" ")), Tone::Bad)
}

fn machine_line(machine: &Machine, all: bool) -> Node {
    let mut parts = vec![part("Machine", Tone::Title), space(), quoted(&machine.id)];
    if let Some(name) = &machine.node_name {
        parts.push(part(format!("({name})"), Tone::Name));
    }
    parts.push(space());
    parts.push(word(machine.stage));
    let mut remark = |text: &str, tone| {
        parts.push(space());
        parts.push(part(text, tone));
    };
    if machine.stage == MachineStage::Running {
        let ready = readiness(machine.ready);
        remark(&ready.text, ready.tone);
    }
    if !machine.connected {
        remark("Unreachable", Tone::Bad);
    }
    if machine.locked {
        remark("Locked", Tone::Held);
    }
    if !machine.config_up_to_date {
        remark("Config Outdated", Tone::Unknown);
    }
    if machine.update_held_back {
        remark("Pending Config Update", Tone::Held);
    } else if machine.config_failed {
        remark("Config Apply Failed", Tone::Bad);
    }
    if all && !machine.error.is_empty() {
        remark(&machine.error, Tone::Bad);
    }
    Node {
        parts,
        children: Vec::new(),
    }
}

fn request_line(request: &Request) -> Node {
    let mut parts = vec![
        part("Machine Request", Tone::Title),
        space(),
        quoted(&request.id),
        space(),
        word(request.stage),
    ];
    let step = if request.joined && request.stage == RequestStage::Provisioned {
        "Joined, not yet a member"
    } else {
        request.step.as_str()
    };
    if !step.is_empty() {
        parts.push(part(format!(" {step}"), Tone::Plain));
    }
    parts.push(part(format!(", {} old", age(request.age)), Tone::Fleeting));
    if let Some(uuid) = &request.uuid {
        parts.push(part(format!(", machine {uuid}"), Tone::Remark));
    }
    if let Some(stalled) = &request.stalled {
        let quiet = format!(", unchanged for {}", age(request.quiet_for));
        parts.push(part(quiet, Tone::Fleeting));
        parts.push(part(format!(": {stalled}"), Tone::Bad));
    }
    Node {
        parts,
        children: Vec::new(),
    }
}

/// Seconds as people say them.
fn age(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
    }
}
