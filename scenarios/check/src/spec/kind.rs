//! The names of the specifications.

use std::str::FromStr;

/// A specification that a history can be checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// [`Mutex`](super::Mutex).
    Mutex,
    /// [`OwnedMutex`](super::OwnedMutex).
    Owner,
    /// [`Reentrant`](super::Reentrant).
    Reentrant,
    /// [`Fenced`](super::Fenced).
    Fenced,
    /// [`ReentrantFenced`](super::ReentrantFenced).
    ReentrantFenced,
    /// [`Semaphore`](super::Semaphore).
    Semaphore,
}

impl Kind {
    /// All specifications.
    pub const ALL: [Kind; 6] =
        [Kind::Mutex, Kind::Owner, Kind::Reentrant, Kind::Fenced, Kind::ReentrantFenced, Kind::Semaphore];

    /// Returns the name used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Mutex => "mutex",
            Kind::Owner => "owner",
            Kind::Reentrant => "reentrant",
            Kind::Fenced => "fenced",
            Kind::ReentrantFenced => "reentrant-fenced",
            Kind::Semaphore => "semaphore",
        }
    }

    /// Returns the rule of the specification, as a clause.
    pub fn about(self) -> &'static str {
        match self {
            Kind::Mutex => "one holder at a time; any owner may release",
            Kind::Owner => "one holder at a time; only the holder releases",
            Kind::Reentrant => "the holder may acquire again, and releases once per acquire",
            Kind::Fenced => "one holder at a time, and every acquire has a higher token than all earlier ones",
            Kind::ReentrantFenced => "the holder may acquire again with the same token",
            Kind::Semaphore => "at most N permits are held; each owner releases its own",
        }
    }

    /// Returns whether acquires need tokens.
    pub fn needs_tokens(self) -> bool {
        matches!(self, Kind::Fenced | Kind::ReentrantFenced)
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = || Kind::ALL.map(Kind::name).join(", ");
        let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| format!("unknown specification `{name}`: use one of {}", names()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_resolves_to_its_specification() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(Kind::ALL.iter().filter(|other| other.about() == kind.about()).count(), 1);
        }
        assert!("mutexes".parse::<Kind>().unwrap_err().contains("reentrant-fenced, semaphore"));
    }

    #[test]
    fn two_specifications_need_tokens() {
        let needing = Kind::ALL.into_iter().filter(|kind| kind.needs_tokens());
        assert_eq!(needing.collect::<Vec<_>>(), [Kind::Fenced, Kind::ReentrantFenced]);
    }
}
