//! The address of a case: `SCENARIO/LOCK/SEED`.

use std::str::FromStr;

use super::seeds::seed;

/// The address of a case. `scenario` is a shipped name or a path that ends in `.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) scenario: String,
    pub(super) lock: String,
    pub(super) seed: u64,
}

impl FromStr for Address {
    type Err = String;

    /// Parses from the right, because the path may contain slashes.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a case: write SCENARIO/LOCK/SEED, or the path of a reproducer");
        let mut parts = text.rsplitn(3, '/');
        let (number, lock) = (parts.next().ok_or_else(wrong)?, parts.next().ok_or_else(wrong)?);
        let scenario = parts.next().filter(|scenario| !scenario.is_empty()).ok_or_else(wrong)?;
        Ok(Address { scenario: scenario.into(), lock: lock.into(), seed: seed(number)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_contain_slashes() {
        let address: Address = "dir/my.toml/redlock/17".parse().expect("valid address");
        assert_eq!((address.scenario.as_str(), address.lock.as_str(), address.seed), ("dir/my.toml", "redlock", 17));
        for wrong in ["", "quiet", "quiet/none", "none/1", "/none/1", "quiet/none/x", "quiet/none/-1"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
        let large = "quiet/none/9007199254740992".parse::<Address>();
        assert!(large.is_err_and(|why| why.contains("too large")));
    }
}
