//! A member's connections to clients: whose they are, what is under way on them, and what they watch.

use std::collections::BTreeMap;

use fencepost_sim::{Caller, Session};

use super::{Path, SessionId, ZkMessage};
use crate::wire::Env;

/// All connections of a member.
#[derive(Default)]
pub(super) struct Connections {
    open: BTreeMap<Session, Connection>,
    watches: Vec<(Session, Path)>,
}

/// A client's connection.
#[derive(Default)]
struct Connection {
    /// Once it is known.
    session: Option<SessionId>,
    /// How many changes are under way that it asked for.
    changing: usize,
    /// Reads that it asked for after them: "Each session's requests must be processed in order" (CommitProcessor.java).
    reads: Vec<(Caller, ZkMessage)>,
}

impl Connections {
    /// The session on a connection, if it has one yet.
    pub fn session(&self, connection: Session) -> Option<SessionId> {
        self.open.get(&connection)?.session
    }

    /// The client asked for a change; its first is to have a session.
    pub fn begin_change(&mut self, connection: Session) {
        self.open.entry(connection).or_default().changing += 1;
    }

    /// That was done, and gave it a session perhaps. The reads that are to be answered now; nothing if it is closed.
    pub fn end_change(&mut self, connection: Session, session: Option<SessionId>) -> Option<Vec<(Caller, ZkMessage)>> {
        let connection = self.open.get_mut(&connection)?;
        connection.session = session.or(connection.session);
        connection.changing = connection.changing.saturating_sub(1);
        Some(if connection.changing == 0 { std::mem::take(&mut connection.reads) } else { Vec::new() })
    }

    /// Gives a read back that is to be answered now.
    pub fn read_in_turn(&mut self, from: Caller, message: ZkMessage) -> Option<ZkMessage> {
        match self.open.get_mut(&from.session()) {
            Some(connection) if connection.changing > 0 => {
                connection.reads.push((from, message));
                None
            }
            _ => Some(message),
        }
    }

    pub fn watch(&mut self, connection: Session, path: Path) {
        if !self.watches.contains(&(connection, path)) {
            self.watches.push((connection, path));
        }
    }

    /// Tells those who watch them that nodes are gone. That comes before anything else that is answered.
    pub fn tell(&mut self, env: &mut Env<'_, ZkMessage>, gone: impl Fn(Path) -> bool) {
        self.watches.retain(|(watcher, path)| {
            let gone = gone(*path);
            if gone {
                env.push(*watcher, ZkMessage::Deleted { path: *path });
            }
            !gone
        });
    }

    pub fn close(&mut self, env: &mut Env<'_, ZkMessage>, connection: Session) {
        self.forget(connection);
        env.close(connection);
    }

    /// Closes the connections of sessions that are over.
    pub fn close_those(&mut self, env: &mut Env<'_, ZkMessage>, over: impl Fn(SessionId) -> bool) {
        let ended = self.open.iter().filter(|(_, connection)| connection.session.is_some_and(&over));
        let ended: Vec<Session> = ended.map(|(connection, _)| *connection).collect();
        ended.into_iter().for_each(|connection| self.close(env, connection));
    }

    pub fn close_all(&mut self, env: &mut Env<'_, ZkMessage>) {
        std::mem::take(&mut self.open).into_keys().for_each(|connection| env.close(connection));
        self.watches.clear();
    }

    /// The connection is gone, and its watches with it.
    pub fn forget(&mut self, connection: Session) {
        self.open.remove(&connection);
        self.watches.retain(|(watcher, _)| *watcher != connection);
    }
}
