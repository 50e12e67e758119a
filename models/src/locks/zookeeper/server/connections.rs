//! A member's connections to clients: their sessions, pending changes and watches.

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
    /// `None` until the session is known.
    session: Option<SessionId>,
    /// The number of pending changes that the client requested.
    changing: usize,
    /// Reads requested after them: "Each session's requests must be processed in order" (CommitProcessor.java).
    reads: Vec<(Caller, ZkMessage)>,
}

impl Connections {
    /// The session on a connection, if it has one yet.
    pub fn session(&self, connection: Session) -> Option<SessionId> {
        self.open.get(&connection)?.session
    }

    /// Counts a requested change; the first one opens or resumes a session.
    pub fn begin_change(&mut self, connection: Session) {
        self.open.entry(connection).or_default().changing += 1;
    }

    /// Ends a change, which may have opened a session. Returns the reads to answer now, or `None` if the connection is
    /// closed.
    pub fn end_change(&mut self, connection: Session, session: Option<SessionId>) -> Option<Vec<(Caller, ZkMessage)>> {
        let connection = self.open.get_mut(&connection)?;
        connection.session = session.or(connection.session);
        connection.changing = connection.changing.saturating_sub(1);
        Some(if connection.changing == 0 { std::mem::take(&mut connection.reads) } else { Vec::new() })
    }

    /// Returns a read that can be answered now, or queues it.
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

    /// Notifies the watchers of deleted nodes. This precedes all later replies.
    pub fn notify_watchers(&mut self, env: &mut Env<'_, ZkMessage>, deleted: impl Fn(Path) -> bool) {
        self.watches.retain(|(watcher, path)| {
            let deleted = deleted(*path);
            if deleted {
                env.push(*watcher, ZkMessage::Deleted { path: *path });
            }
            !deleted
        });
    }

    pub fn close(&mut self, env: &mut Env<'_, ZkMessage>, connection: Session) {
        self.remove(connection);
        env.close(connection);
    }

    /// Closes the connections of ended sessions.
    pub fn close_sessions(&mut self, env: &mut Env<'_, ZkMessage>, ended: impl Fn(SessionId) -> bool) {
        let closing = self.open.iter().filter(|(_, connection)| connection.session.is_some_and(&ended));
        let closing: Vec<Session> = closing.map(|(connection, _)| *connection).collect();
        closing.into_iter().for_each(|connection| self.close(env, connection));
    }

    pub fn close_all(&mut self, env: &mut Env<'_, ZkMessage>) {
        std::mem::take(&mut self.open).into_keys().for_each(|connection| env.close(connection));
        self.watches.clear();
    }

    /// Removes a closed connection and its watches.
    pub fn remove(&mut self, connection: Session) {
        self.open.remove(&connection);
        self.watches.retain(|(watcher, _)| *watcher != connection);
    }
}
