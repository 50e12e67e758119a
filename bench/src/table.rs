//! Clocks, samples and tables.

use rustix::time::{ClockId, clock_gettime};

/// Returns the CPU time of this thread in nanoseconds. Every variant runs on one thread.
pub fn cpu_time() -> f64 {
    nanoseconds(ClockId::ThreadCPUTime)
}

/// Returns the CPU time of all threads in nanoseconds.
pub fn process_time() -> f64 {
    nanoseconds(ClockId::ProcessCPUTime)
}

/// Returns the wall time in nanoseconds.
pub fn wall_time() -> f64 {
    nanoseconds(ClockId::Monotonic)
}

fn nanoseconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The measurements of one variant.
pub struct Samples {
    name: &'static str,
    sorted: Vec<f64>,
}

impl Samples {
    pub fn new(name: &'static str) -> Self {
        Samples { name, sorted: Vec::new() }
    }

    pub fn add(&mut self, sample: f64) {
        let index = self.sorted.partition_point(|other| *other < sample);
        self.sorted.insert(index, sample);
    }

    pub fn median(&self) -> f64 {
        self.sorted[self.sorted.len() / 2]
    }

    pub fn least(&self) -> f64 {
        self.sorted[0]
    }

    fn most(&self) -> f64 {
        self.sorted[self.sorted.len() - 1]
    }
}

/// Prints nanoseconds per message, and multiples of the first row.
pub fn print_table(title: &str, rows: Vec<Samples>) {
    println!("{title}");
    println!("{:<28} {:>10} {:>19} {:>9}", "", "ns/message", "min–max", "× floor");
    let floor = rows[0].median();
    for row in rows {
        let spread = format!("{:.1}–{:.1}", row.least(), row.most());
        let (name, middle) = (row.name, row.median());
        println!("{name:<28} {middle:>10.1} {spread:>19} {:>9.2}", middle / floor);
    }
    println!();
}
