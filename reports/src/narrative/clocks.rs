//! A node's clocks where they differ from true time.

use fencepost_sim::{Clocks, NodeId, SimTime};

/// Differences below this are not worth a word.
const SLIGHT_NS: i64 = 500_000;

/// How far the node's monotonic and wall clock are ahead of true time, in nanoseconds.
pub(crate) fn ahead(clocks: &Clocks, node: NodeId, now: SimTime) -> (i64, i64) {
    let (mono, wall) = clocks.reading(node);
    let ahead = |ns: i128| i64::try_from(ns - i128::from(now.0)).unwrap_or(i64::MAX);
    (ahead(mono.0.into()), ahead(wall.0.into()))
}

/// `mono +0.0 s wall +30.0 s`, or nothing if both agree with true time.
pub(crate) fn mark((mono, wall): (i64, i64)) -> String {
    if mono.abs() < SLIGHT_NS && wall.abs() < SLIGHT_NS {
        return String::new();
    }
    format!("mono {} wall {}", signed(mono), signed(wall))
}

/// `+30.0 s`, `−0.012 s`.
pub(crate) fn signed(ns: i64) -> String {
    format!("{}{}", if ns < 0 { '−' } else { '+' }, seconds(ns.unsigned_abs()))
}

/// Seconds with as many decimals as the length deserves: `30.0 s`, `0.012 s`.
pub(crate) fn seconds(ns: u64) -> String {
    let seconds = ns as f64 / 1e9;
    match ns {
        0 | 1_000_000_000.. => format!("{seconds:.1} s"),
        _ => format!("{seconds:.3} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_agree_say_nothing() {
        assert_eq!(mark((0, -499_999)), "");
        assert_eq!(mark((0, 30_000_000_000)), "mono +0.0 s wall +30.0 s");
        assert_eq!(mark((-12_000_000, -12_000_000)), "mono −0.012 s wall −0.012 s");
    }
}
