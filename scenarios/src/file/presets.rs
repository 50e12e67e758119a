//! Named magnitudes of faults, as they break real systems. A preset belongs to one kind and gives the keys that a fault
//! leaves out; keys that are written win. Adding one is one entry in [`PRESETS`].

/// Magnitudes of one kind of fault.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name: `preset = "NAME"`.
    pub name: &'static str,
    /// The kind of fault that it belongs to.
    pub kind: &'static str,
    /// What it stands for.
    pub about: &'static str,
    /// Where its magnitude comes from. What says "by common experience" has no source that measured it.
    pub source: &'static str,
    /// The keys that it gives, as TOML.
    pub keys: &'static str,
}

impl Preset {
    /// The keys that it gives, as data.
    ///
    /// # Panics
    /// If they are no TOML.
    pub fn values(&self) -> serde_json::Value {
        toml::from_str(self.keys).unwrap_or_else(|wrong| panic!("preset {}: {wrong}", self.name))
    }
}

/// The presets that fencepost ships, in the order of the kinds.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "gc-young",
        kind: "pause",
        about: "an ordinary garbage collection of a JVM: milliseconds to some hundred",
        source: "by common experience; the G1 collector aims at 200 ms at most (`-XX:MaxGCPauseMillis`, HotSpot \
                 Virtual Machine Garbage Collection Tuning Guide)",
        keys: r#"lasts = "lognormal(20ms, 1.0)""#,
    },
    Preset {
        name: "gc-full-old-heap",
        kind: "pause",
        about: "a full collection of an old 8 GB heap: over a minute, at 8 to 10 s for each GB",
        source: "Cloudera, Avoiding Full GCs in Apache HBase with MemStore-Local Allocation Buffers, part 1; \
                 79 s were seen on a region server (xgugeng.com)",
        keys: r#"lasts = "64s..80s""#,
    },
    Preset {
        name: "vm-migration",
        kind: "vm-pause",
        about: "the pause of a live migration",
        source: "Azure documentation, Maintenance for virtual machines: typically no more than 5 s",
        keys: r#"lasts = "1s..5s""#,
    },
    Preset {
        name: "vm-maintenance",
        kind: "vm-pause",
        about: "memory-preserving maintenance of the host",
        source: "Azure documentation, Maintenance for virtual machines: mostly less than 10 s, rarely 30 s",
        keys: r#"lasts = "lognormal(7s, 0.5)""#,
    },
    Preset {
        name: "cell-outage",
        kind: "crash",
        about: "an outage such as most of a lock service's are: back within 30 s",
        source: "Burrows, The Chubby lock service (OSDI 2006), section 4: 52 of 61 outages took under 30 s",
        keys: "what = \"host\"\nrestart_after = \"30s\"",
    },
    Preset {
        name: "ntp-step",
        kind: "clock-step",
        about: "ntpd steps a clock that it found slow: what is off by more than 128 ms is not slewed",
        source: "ntpd manual: step threshold 0.128 s; up to 1000 s it asks nobody",
        keys: r#"by = "128ms..1s""#,
    },
    Preset {
        name: "ntp-step-back",
        kind: "clock-step",
        about: "ntpd steps a clock back that it found fast",
        source: "ntpd manual: step threshold 0.128 s; up to 1000 s it asks nobody",
        keys: r#"by = "-1s..-128ms""#,
    },
    Preset {
        name: "leap-second",
        kind: "clock-step",
        about: "a leap second on a host that does not smear it: one second comes twice",
        source: "Go proposal 12914, Monotonic Elapsed Time Measurements in Go",
        keys: r#"by = "-1s""#,
    },
    Preset {
        name: "leap-smear-apart",
        kind: "clock-step",
        about: "a host that smears a leap second, seen by hosts that do not: up to half a second apart",
        source: "Google Public NTP, Leap Smear: half of the second is smeared when it comes",
        keys: r#"by = "-500ms..500ms""#,
    },
    Preset {
        name: "clock-hour",
        kind: "clock-step",
        about: "an operator or a resumed snapshot sets the clock an hour ahead",
        source: "kubernetes issue 125761, etcd issue 12291",
        keys: r#"by = "1h""#,
    },
    Preset {
        name: "jepsen-clock",
        kind: "clock-step",
        about: "Jepsen's bump, which draws from 4 ms to 262 s either way, small ones more often",
        source: "jepsen, src/jepsen/nemesis/time.clj",
        keys: r#"by = "-262s..262s""#,
    },
    Preset {
        name: "ntp-slew",
        kind: "clock-rate",
        about: "a clock that is slewed as fast as ntpd does it",
        source: "ntpd manual: at most 500 ppm; 5 minutes take about 7 days",
        keys: "ppm = 500\nlasts = \"24h\"",
    },
    Preset {
        name: "quartz-drift",
        kind: "clock-rate",
        about: "a quartz that nobody corrects",
        source: "Mills, Computer Network Time Synchronization (CRC Press): the median of 20,000 hosts was 78 ppm",
        keys: "ppm = 78\nlasts = \"24h\"",
    },
    Preset {
        name: "spanner-drift",
        kind: "clock-rate",
        about: "the worst drift that Spanner allows for between two synchronizations",
        source: "Corbett et al., Spanner (OSDI 2012), section 3: 200 us a second",
        keys: "ppm = 200\nlasts = \"30s\"",
    },
    Preset {
        name: "leap-smear",
        kind: "clock-rate",
        about: "a leap second smeared from noon to noon",
        source: "Google Public NTP, Leap Smear: 24 h, 11.6 ppm slower",
        keys: "ppm = -12\nlasts = \"24h\"",
    },
    Preset {
        name: "jepsen-strobe",
        kind: "clock-strobe",
        about: "Jepsen's strobe: 4 ms to 262 s, every 1 ms to 1 s, for up to 32 s",
        source: "jepsen, src/jepsen/nemesis/time.clj",
        keys: "by = \"4ms..262s\"\nperiod = \"100ms\"\nlasts = \"1s..32s\"",
    },
    Preset {
        name: "cloud-blip",
        kind: "partition",
        about: "a partition of a few seconds, as clouds have them several times a month",
        source: "Bailis and Kingsbury, The Network is Reliable (ACM Queue 2014)",
        keys: r#"lasts = "1s..5s""#,
    },
    Preset {
        name: "link-repair",
        kind: "partition",
        about: "a link of a data centre fails and is repaired: about 5 minutes",
        source: "Gill, Jain and Nagappan, Understanding Network Failures in Data Centers (SIGCOMM 2011)",
        keys: r#"lasts = "lognormal(5m, 1.0)""#,
    },
    Preset {
        name: "wan-software",
        kind: "partition",
        about: "a fault of software in a wide-area network: median 2.7 minutes, mean 6",
        source: "Turner et al., California Fault Lines (SIGCOMM 2010): five years of CENIC's network",
        keys: r#"lasts = "lognormal(162s, 1.26)""#,
    },
    Preset {
        name: "deaf-nic",
        kind: "partition",
        about: "a network card that drops what comes in and sends what goes out",
        source: "the bnx2 case in Bailis and Kingsbury, The Network is Reliable (ACM Queue 2014): 5 h",
        keys: "shape = \"one-way\"\nlasts = \"5h\"",
    },
    Preset {
        name: "wonky-rack",
        kind: "loss",
        about: "a rack that loses half of its packets",
        source: "Dean, Designs, Lessons and Advice from Building Large Distributed Systems (LADIS 2009)",
        keys: "rate = 0.5\nlasts = \"30m\"",
    },
    Preset {
        name: "switch-black-hole",
        kind: "hold",
        about: "a switch that swallows everything for 90 s, then delivers it",
        source: "GitHub, Downtime last Saturday (2012)",
        keys: r#"lasts = "90s""#,
    },
    Preset {
        name: "busy-disk",
        kind: "disk-stall",
        about: "a disk that makes a sync wait for seconds",
        source: "etcd issue 12528: a heartbeat 4.9 s late",
        keys: r#"lasts = "4900ms""#,
    },
];
