//! Every error in a file shows its location, the reason and a fix.

use fencepost_scenarios::file::{File, Problem, parse, read};

use crate::shipped::{SCENARIOS, SUITE, registry};

pub fn problems(text: &str) -> Vec<Problem> {
    parse(&registry(), "it.toml", text).map(|_| ()).expect_err("this file has an error")
}

/// Asserts that the file has exactly one error, at the location marked `«…»`, with these words in message and help.
pub fn one(marked: &str, message: &str, help: &str) {
    let text = marked.replace(['«', '»'], "");
    let problems = problems(&text);
    let shown = problems.iter().map(|problem| format!("{problem}\n")).collect::<String>();
    assert_eq!(problems.len(), 1, "{shown}");
    let problem = &problems[0];
    assert!(problem.message.contains(message), "message: {shown}");
    assert!(problem.help.as_deref().unwrap_or("").contains(help), "help: {shown}");
    if let Some((before, rest)) = marked.split_once('«') {
        let (location, _) = rest.split_once('»').unwrap();
        assert_eq!(&text[problem.span.clone()], location, "location: {shown}");
        assert_eq!(problem.span.start, before.len(), "location: {shown}");
    }
}

/// [`one`], below a valid first line.
pub fn below_head(marked: &str, message: &str, help: &str) {
    one(&format!("run_for = \"60s\"\n{marked}"), message, help);
}

/// [`one`], for the fixture with one piece replaced.
fn changed(piece: &str, by: &str, message: &str, help: &str) {
    let (_, text) = SCENARIOS[0];
    assert_eq!(text.matches(piece).count(), 1, "{piece}");
    one(&text.replace(piece, by), message, help);
}

#[test]
fn unknown_tables_and_keys() {
    below_head("[«client»]\ncount = 3", "unknown key `client` in this scenario", "did you mean `clients`?");
    below_head("[«weather»]\nrain = true", "unknown key `weather`", "choose one of `name`, `about`, `run_for`");
    below_head("«abuot» = \"x\"", "unknown key `abuot`", "did you mean `about`?");
    changed("count = 5", "«cuont» = 5", "unknown key `cuont` in [clients]", "did you mean `count`?");
    changed("latency =", "«latancy» =", "unknown key `latancy` in [network]", "did you mean `latency`?");
    changed("guard  =", "«gaurd» =", "unknown key `gaurd` in [workload.inventory]", "did you mean `guard`?");
    changed("retry = 3", "«retries» = 3", "unknown key `retries` in [lock.redlock]", "`retry`");
    changed("ttl = ", "«tll» = ", "unknown key `tll` in [lock]", "did you mean `ttl`?");
    below_head("[explore]\n«menus» = []", "unknown key `menus` in [explore]", "`menu`");
    below_head("[«faults»]\n", "unknown key `faults`", "did you mean `fault`?");
}

#[test]
fn unknown_names() {
    changed("[lock.redlock]", "[lock.«redlok»]", "no lock is named `redlok`", "did you mean `redlock`?");
    changed("[\"redlock\"]", "[«\"postgres\"»]", "no lock is named `postgres`", "choose one of `none`, `lease-server`");
    changed("[workload.inventory]", "[workload.«inventroy»]", "no workload is named", "did you mean `inventory`?");
    below_head("[workload.«chess»]", "no workload is named `chess`", "choose one of `inventory`, `compute`");
    below_head("[«workload»]\n", "does not name a workload", "`inventory`");
    let expect = "redlock = { effect-exclusion = \"violated\" }";
    changed(expect, "«redlokc» = { }", "no lock is named `redlokc`", "did you mean `redlock`?");
    changed(
        expect,
        "redlock = { «effect-exclusive» = \"violated\" }",
        "no property",
        "did you mean `effect-exclusion`?",
    );
    changed(
        expect,
        "redlock = { fencing = «\"violates\"» }",
        "`violates` is not a valid expected verdict",
        "did you mean `violated`?",
    );
    changed(expect, "redlock = { fencing = «true» }", "must be a verdict, not `true`", "`violated`, `holds`");
    changed(expect, "«fencing» = \"holds\"", "`fencing` has no expected locks", "name the locks");
    changed(expect, "fencing = { holds = [«\"redlokc\"»] }", "no lock is named `redlokc`", "did you mean `redlock`?");
    changed(expect, "fencing = { «hold» = [\"redlock\"] }", "unknown key `hold`", "did you mean `holds`?");
    changed(
        expect,
        "fencing = { holds = [\"redlock\", «\"redlock\"»] }",
        "`redlock` is listed twice",
        "remove one of the two",
    );
    changed(expect, "«none» = { fencing = \"holds\" }", "`locks` does not select it", "add it to `locks`");
    below_head("[expect]\nnone = «true»", "`none` must be a table, not `true`", "[expect.none]");
}

#[test]
fn unknown_values() {
    changed("\"give-up\"", "«\"giveup\"»", "`giveup` is not a value of `on_unknown`", "did you mean `give-up`?");
    changed("\"release\"", "«\"burn\"»", "`burn` is not a value of `after_unknown`", "choose one of `release`, `keep`");
    changed("\"target\"", "«\"taget\"»", "`taget` is not a value of `update`", "did you mean `target`?");
    changed("guard  = \"none\"", "guard = «\"fence-all\"»", "`fence-all` is not a value of `guard`", "`claim`");
    below_head("[network]\ntransport = «\"tcp\"»", "`tcp` is not a value of `transport`", "`stream`, `datagram`");
    below_head("[explore]\nmenu = [«\"crush\"»]", "`crush` is not a value of `menu`", "did you mean `crash`?");
    changed("\"exp(200ms)\"", "«\"exp(200 parsecs)\"»", "is not a duration", "a number and a unit (ns, us, ms");
    changed("\"exp(200ms)\"", "«\"expo(200ms)\"»", "`expo` is not a distribution", "\"exp(5s)\"");
    changed("wait_at_most = \"30s\"", "wait_at_most = «\"3\\n0\"»", "`3\\n0` is not a duration", "a unit");
    changed("wait_at_most = \"30s\"", "wait_at_most = «\"30\"»", "`30` is not a duration", "a unit");
}

#[test]
fn workloads() {
    below_head("[workload.compute]\ncost_cents = «0»", "`cost_cents` must be a whole number from 1", "");
    below_head("[workload.compute]\n«cost» = 5", "unknown key `cost` in [workload.compute]", "`cost_cents`");
    below_head("[workload.notify]\nevery = «\"0s\"»", "an interval must be from `1ms` to `24h`", "");
    below_head("[workload.dose]\nevery = «\"1 moon\"»", "is not a duration", "a unit");
    below_head("[workload.notify]\n«guard» = \"none\"", "unknown key `guard` in [workload.notify]", "`every`");
    below_head(
        "[workload.file]\nupdate = «\"decrement\"»",
        "`decrement` is not a value of `update`",
        "`target`, `version`",
    );
    below_head("[workload.set]\nguard = «\"fence\"»", "`fence` is not a value of `guard`", "`claim`");
    below_head("[workload.transfer]\norder = «\"oposite\"»", "`oposite` is not a value of `order`", "`opposite`");
    below_head("[workload.transfer]\nbalance = «0»", "`balance` must be a whole number from 1", "");
    below_head("[workload.«sets»]\n", "no workload is named `sets`", "did you mean `set`?");
}

#[test]
fn wrong_types() {
    changed("count = 5", "count = «\"five\"»", "`count` must be a whole number from 1 to 64, not the text", "");
    changed("count = 5", "count = «1.5»", "not the number `1.5`", "");
    changed("wait_at_most = \"30s\"", "wait_at_most = «30»", "must be text in quotes, not the number `30`", "a unit");
    changed("= false", "= «\"no\"»", "must be `true` or `false`", "");
    changed("loss = 0.0", "loss = «\"none\"»", "`loss` must be a number", "");
    changed("locks = [\"redlock\"]", "locks = «\"redlock\"»", "`locks` must be a list, not the text `redlock`", "");
    one("run_for = «60»", "`run_for` must be text in quotes, not the number `60`", "a unit");
    below_head("clients = «5»", "`clients` must be a table, not a number", "write [clients]");
    below_head("«[[clients]]»\ncount = 5", "`clients` must be a table, not a list", "write [clients]");
    below_head("[lock]\nredlock = «3»", "`redlock` must be a table, not a number", "[lock.redlock]");
    below_head("[network]\ntransport = «{}»", "`transport` must be text in quotes, not a table", "");
}

#[test]
fn numbers_out_of_range() {
    changed("count = 5", "count = «0»", "a whole number from 1 to 64, not the number `0`", "");
    changed("count = 5", "count = «-1»", "from 1 to 64, not the number `-1`", "");
    changed("count = 5", "count = «65»", "from 1 to 64", "");
    changed("count = 5", "count = «99999999999999999999»", "from 1 to 64", "");
    changed("orders = 150", "orders = «1_000_001»", "from 1 to 1000000, not the number `1000001`", "");
    changed("orders = 150", "orders = «0»", "from 1 to 1000000", "");
    changed("stock = 100", "stock = «1_000_000_001»", "from 1 to 1000000000", "");
    changed("\"1..=3\"", "«\"3..=1\"»", "`3..=1` is an empty range", "smaller end first");
    changed("\"1..=3\"", "«\"1..3\"»", "does not say whether its end is included", "\"1..=3\"");
    changed("\"1..=3\"", "«\"0..=3\"»", "`quantity` must be a whole number from 1", "");
    changed("\"1..=3\"", "«-2»", "`quantity` must be a whole number from 1", "");
    changed("loss = 0.0", "loss = «2.0»", "a rate must be from 0.0 to 1.0, not 2", "");
    changed("loss = 0.0", "loss = «nan»", "a rate must be from 0.0 to 1.0, not NaN", "");
    changed("loss = 0.0", "loss = «-0.1»", "a rate must be from 0.0 to 1.0", "");
    changed("\"0ms..2s\"", "«\"2s..1s\"»", "`2s..1s` is an empty range", "shorter end first");
    changed("\"0ms..2s\"", "«\"-2s\"»", "is negative", "zero or longer");
}

#[test]
fn run_lengths() {
    one("about = \"x\"", "this scenario has no `run_for`", "add `run_for = \"60s\"`");
    one("run_for = «\"0s\"»", "a run of zero length", "\"60s\"");
    one("run_for = «\"25h\"»", "`1day 1h` is too long: about 90 million events per case", "at most `24h`");
    one("run_for = «\"500 days\"»", "is too long", "10000000s");
    let demand = "run_for = «\"24h\"»\nclients.orders = 1_000_000";
    one(demand, "about 1000000 units of work in `1day` need at least 20 million events", "reduce `orders`");
    one("[clients]\ncount = 2", "this scenario has no `run_for`", "above the first table");
}

#[test]
fn timing_of_locks() {
    below_head(
        "[lock]\nttl = \"5s\"\n«effective» = \"9s\"",
        "`ttl` and `effective` are mutually exclusive",
        "remove one",
    );
    below_head(
        "[lock]\neffective = \"5s\"\n«ttl» = \"9s\"",
        "`ttl` and `effective` are mutually exclusive",
        "remove one",
    );
    below_head("[lock]\nttl = «\"0s\"»", "`ttl` must be longer than zero", "\"10s\"");
    below_head("[lock]\neffective = «\"0s\"»", "`effective` must be longer than zero", "\"10s\"");
    below_head("[lock]\nttl = «\"defualt\"»", "`defualt` is not a duration", "or \"default\"");
    below_head("locks = «[]»", "`locks` is empty", "omit `locks` to run all");
    below_head("locks = [\"none\", «\"none\"»]", "`none` is listed twice", "remove one");
}

#[test]
fn names() {
    one("run_for = \"1s\"\nname = «\"GC pause!\"»", "`GC pause!` is not a valid name", "`gc-pause`");
    one("run_for = \"1s\"\nname = «\"\"»", "`` is not a valid name", "letters, digits and hyphens");
}

#[test]
fn reproducers() {
    let case = |keys: &str, message: &str, help: &str| below_head(&format!("[case]\n{keys}"), message, help);
    case("lock = «\"redlokc\"»\nseed = 1\nlayout = 1", "no lock is named `redlokc`", "`redlock`");
    case("lock = \"none\"\nseed = «9007199254740992»\nlayout = 1", "from 0 to 9007199254740991", "");
    case("lock = \"none\"\nseed = «-1»\nlayout = 1", "`seed` must be a whole number", "");
    case("lock = \"none\"\n«sed» = 1\nlayout = 1", "unknown key `sed` in [case]", "did you mean `seed`?");
    case("lock = \"none\"\nseed = 1\nlayout = 1\ntrace = «\"md5:00\"»", "is not a trace hash", "\"xxh3:\"");
    below_head("«[case]»\nlock = \"none\"\nlayout = 1", "[case] has no `seed`", "add `seed = …`");
    case("lock = \"none\"\nseed = 1\nlayout = 1\nexpect.«fence» = \"holds\"", "no property is named `fence`", "");
}

#[test]
fn suites() {
    let changed = |piece: &str, by: &str, message: &str, help: &str| one(&SUITE.replace(piece, by), message, help);
    changed("seeds = 1000", "seeds = «0»", "`seeds` must be a whole number from 1", "");
    changed("seeds = 1000", "«seed» = 1000", "unknown key `seed` in this suite", "did you mean `seeds`?");
    changed("\"mine/split-brain.toml\"", "«\"gc-pause-inventory\"»", "is in this suite twice", "remove one");
    changed("\"mine/split-brain.toml\"", "«\"\"»", "name of a scenario is empty", "a shipped name");
    changed("\"redlock\"", "«\"redlokc\"»", "no lock is named", "did you mean `redlock`?");
    one("name = \"x\"\nscenarios = «[]»", "has no scenarios", "`fencepost list scenarios`");
    one("scenarios = «3»", "`scenarios` must be a list", "");
    one("scenarios = [\"a\"]\n«run_for» = \"1s\"", "unknown key `run_for` in this suite", "choose one of");
}

#[test]
fn files_without_a_scenario() {
    one("", "this file is empty", "run_for");
    one("# nothing but a comment\n\n", "this file is empty", "run_for");
    one("<html>", "this is not TOML", "");
    one("run_for = 60s", "this is not TOML", "write durations and names in quotes: run_for = \"60s\"");
    one("run_for = \"60s", "this is not TOML", "");
    one("run_for = \"1s\"\nrun_for = \"2s\"", "this is not TOML: duplicate key", "");
}

#[test]
fn files_that_cannot_be_read() {
    let registry = registry();
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let missing = read(&registry, &dir.join("no-such-scenario.toml")).unwrap_err();
    assert!(missing[0].message.contains("no such file"), "{}", missing[0]);
    let directory = read(&registry, dir).unwrap_err();
    assert!(directory[0].message.contains("it is a directory"), "{}", directory[0]);

    let path = dir.join("latin-1.toml");
    std::fs::write(&path, b"run_for = \"1s\"\nabout = \"caf\xe9\"\n").unwrap();
    let broken = read(&registry, &path).unwrap_err();
    assert!(broken[0].message.contains("byte 0xe9"), "{}", broken[0]);
    assert_eq!(broken[0].line_column(), (2, 13));

    let path = dir.join("good.toml");
    std::fs::write(&path, SCENARIOS[0].1).unwrap();
    assert!(matches!(read(&registry, &path), Ok(File::Scenario(_))));
}

#[test]
fn several_errors_are_in_the_order_of_the_file() {
    let text = "run_for = \"0s\"\n[clients]\ncuont = 3\nthink = 5\n[[fault.puase]]\nat = \"1s\"\n[network]\nloss = 7\n";
    let shown: Vec<String> = problems(text).iter().map(|problem| problem.to_string()).collect();
    let locations: Vec<&str> = shown.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(locations, ["it.toml:1:11", "it.toml:3:1", "it.toml:4:9", "it.toml:5:9", "it.toml:8:8"], "{shown:#?}");
    assert_eq!(shown[1], "it.toml:3:1: unknown key `cuont` in [clients]\n  help: did you mean `count`?");
}

#[test]
fn columns_count_characters_and_lines_may_end_in_crlf() {
    let text = "run_for = \"1s\"\r\nabout = \"äöü\"\r\nlock = { \"tü\" = 1, «x» = 2 }\r\n".replace(['«', '»'], "");
    let windows = problems(&text);
    assert_eq!(windows[1].line_column(), (3, 20), "{}", windows[1]);
    let byte_order_mark = problems("\u{feff}run_for = \"1s\"\n[clients]\ncuont = 1");
    assert_eq!(byte_order_mark[0].line_column(), (3, 1), "{}", byte_order_mark[0]);
}
