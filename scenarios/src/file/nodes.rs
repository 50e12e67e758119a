//! The nodes of a scenario, and the names of node groups that faults can target.

use std::collections::BTreeMap;
use std::ops::Range;

use fencepost_sim::NodeId;
use fencepost_sim::faults::Topology;
use fencepost_sim::schedule::{Target, Which};

use super::problem::Report;
use super::words::{listed, nearest, quoted, suggestion};

static GROUPS: [(&str, Target); 8] = [
    ("client:any", Target::Clients(Which::Any)),
    ("client:all", Target::Clients(Which::All)),
    ("client:holder", Target::Clients(Which::Holder)),
    ("server:any", Target::Servers(Which::Any)),
    ("server:all", Target::Servers(Which::All)),
    ("server:leader", Target::Servers(Which::Leader)),
    ("server:minority", Target::Servers(Which::Minority)),
    ("server:majority", Target::Servers(Which::Majority)),
];

/// Returns the names of node groups, for lists and schemas.
pub(crate) fn group_words() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().map(|(word, _)| *word)
}

/// The nodes of a scenario: its clients, its store, and the servers of all its locks together.
pub(super) struct Nodes {
    names: Vec<String>,
    clients: Vec<NodeId>,
    servers: Vec<NodeId>,
    store: NodeId,
    /// Servers that only unselected locks deploy, each with one of these locks.
    elsewhere: BTreeMap<String, &'static str>,
    /// Whether the tables that define the nodes are free of errors.
    certain: bool,
}

impl Nodes {
    pub(super) fn new(
        clients: u16,
        servers: impl IntoIterator<Item = String>,
        elsewhere: BTreeMap<String, &'static str>,
        certain: bool,
    ) -> Self {
        let mut names: Vec<String> = (1..=clients).map(|n| format!("client-{n}")).collect();
        let client_ids = ids(0..names.len());
        names.push("store".into());
        for server in servers {
            if !names.contains(&server) {
                names.push(server);
            }
        }
        let store = client_ids.len();
        let servers = ids(store + 1..names.len());
        Nodes { names, clients: client_ids, servers, store: id(store), elsewhere, certain }
    }

    /// Returns the target of this name, and reports an unknown name.
    pub(super) fn target(&self, report: &mut Report, span: Range<usize>, word: &str) -> Option<Target> {
        if let Some((_, target)) = GROUPS.iter().find(|(group, _)| *group == word) {
            return Some(target.clone());
        }
        let Some((group, _)) = word.split_once(':') else {
            return self.check(report, span, word).then(|| Target::Named(word.into()));
        };
        // Names of one group differ only in their last part, which is too short for a suggestion.
        let same_group: Vec<&str> = group_words().filter(|word| word.split(':').next() == Some(group)).collect();
        let help = match same_group.as_slice() {
            [] => suggestion(word, &group_words().collect::<Vec<_>>()),
            known => format!("choose one of {}", listed(known)),
        };
        report.add(span, format!("{} is not a group of nodes", quoted(word)), help);
        None
    }

    /// Returns whether a node has this name, and reports the name if not.
    pub(super) fn check(&self, report: &mut Report, span: Range<usize>, name: &str) -> bool {
        if self.named(name).is_some() {
            return true;
        }
        if self.certain {
            report.add(span, format!("no node is named {}", quoted(name)), self.help(name));
        }
        false
    }

    /// Returns whether a client has this name, and reports the name if not.
    pub(super) fn check_client(&self, report: &mut Report, span: Range<usize>, name: &str) -> bool {
        let clients = &self.names[..self.clients.len()];
        if clients.iter().any(|client| client == name) {
            return true;
        }
        if self.certain {
            let help = format!("{}; omit `client` for any client", self.clients_in_words());
            report.add(span, format!("no client is named {}", quoted(name)), help);
        }
        false
    }

    fn help(&self, name: &str) -> String {
        if let Some(lock) = self.elsewhere.get(name) {
            return format!("only locks such as `{lock}` deploy it: add one to `locks`, or target another node");
        }
        if name.strip_prefix("client-").is_some_and(|number| number.parse::<u32>().is_ok()) {
            return self.clients_in_words();
        }
        let alike = self.servers().filter(|server| stem(name).is_some() && stem(server) == stem(name));
        let alike: Vec<&str> = alike.collect();
        if !alike.is_empty() {
            return format!("choose one of {}", listed(&alike));
        }
        let words: Vec<&str> =
            self.names.iter().map(String::as_str).chain(group_words().map(|word| -> &str { word })).collect();
        if let Some(near) = nearest(name, &words) {
            return format!("did you mean `{near}`?");
        }
        let servers: Vec<&str> = self.servers().collect();
        let servers = if servers.is_empty() { String::new() } else { format!(", {}", listed(&servers)) };
        format!("{}; the other nodes are `store`{servers}", self.clients_in_words())
    }

    fn servers(&self) -> impl Iterator<Item = &str> {
        self.servers.iter().map(|&server| self.names[server.index()].as_str())
    }

    fn clients_in_words(&self) -> String {
        match self.clients.len() {
            1 => "the only client is `client-1`".into(),
            count => format!("the clients are `client-1` to `client-{count}`"),
        }
    }
}

/// Returns the part before the number, such as `redis` for `redis-3`.
fn stem(name: &str) -> Option<&str> {
    let (stem, number) = name.rsplit_once('-')?;
    number.parse::<u16>().ok().map(|_| stem)
}

fn id(index: usize) -> NodeId {
    NodeId(u16::try_from(index).unwrap_or(u16::MAX))
}

fn ids(indices: Range<usize>) -> Vec<NodeId> {
    indices.map(id).collect()
}

impl Topology for Nodes {
    fn clients(&self) -> &[NodeId] {
        &self.clients
    }

    fn servers(&self) -> &[NodeId] {
        &self.servers
    }

    fn store(&self) -> NodeId {
        self.store
    }

    fn all(&self) -> Vec<NodeId> {
        ids(0..self.names.len())
    }

    fn named(&self, name: &str) -> Option<NodeId> {
        self.names.iter().position(|node| node == name).map(id)
    }
}
