//! Errors in `[[fault.KIND]]`.

use crate::mistakes::{below_head, one, problems};

/// Asserts the only error of a pause that has these keys instead of a trigger.
fn pause(keys: &str, message: &str, help: &str) {
    below_head(&format!("[[fault.pause]]\ntarget = \"client-1\"\nlasts = \"1s\"\n{keys}"), message, help);
}

fn partition(keys: &str, message: &str, help: &str) {
    below_head(&format!("[[fault.partition]]\nat = \"1s\"\nlasts = \"1s\"\n{keys}"), message, help);
}

#[test]
fn kinds() {
    below_head("[[fault.«puase»]]\nat = \"1s\"", "no kind of fault is named `puase`", "did you mean `pause`?");
    below_head(
        "[[fault.«quake»]]\nat = \"1s\"",
        "no kind of fault is named `quake`",
        "choose one of `pause`, `vm-pause`",
    );
    below_head("«[fault.pause]»\nat = \"1s\"", "`[fault.pause]` is a single table", "`[[fault.pause]]`");
    below_head("[[«fault»]]\nkind = \"pause\"", "a fault's kind belongs in its header", "`[[fault.pause]]`");
    below_head("fault = «3»", "`fault` must be a table", "[[fault.KIND]]");
    below_head("fault.pause = «3»", "must be a list of tables", "`[[fault.pause]]`");
    below_head("fault.pause = [«3»]", "a fault must be a table", "`[[fault.pause]]`");
}

#[test]
fn keys_of_a_kind() {
    pause("at = \"1s\"\n«by» = \"1s\"", "unknown key `by` in `[[fault.pause]]`", "choose one of `name`, `at`, `every`");
    pause("at = \"1s\"\n«nmae» = \"x\"", "unknown key `nmae`", "did you mean `name`?");
    below_head("[[fault.clock-step]]\ntarget = \"store\"\nat = \"1s\"\n«yb» = \"1s\"", "unknown key `yb`", "`by`");
    below_head("«[[fault.clock-step]]»\ntarget = \"store\"\nat = \"1s\"", "has no `by`", "add `by = …`");
    let crash = "[[fault.crash]]\ntarget = \"store\"\nat = \"1s\"\n";
    below_head(&format!("{crash}what = «\"hots\"»"), "`hots` is not a value of `what`", "did you mean `host`?");
    below_head(&format!("{crash}disk = «\"wiped\"»"), "`wiped` is not a value of `disk`", "did you mean `wipe`?");
    below_head(&format!("{crash}permanent = «1»"), "`permanent` must be `true` or `false`", "");
    let loss = "[[fault.loss]]\ntarget = \"store\"\nat = \"1s\"\nlasts = \"1s\"\n";
    below_head(&format!("{loss}rate = «1.01»"), "a rate must be from 0.0 to 1.0, not 1.01", "");
    let rate = "[[fault.clock-rate]]\ntarget = \"store\"\nat = \"1s\"\nlasts = \"1s\"\n";
    below_head(&format!("{rate}ppm = «-1000000»"), "from -900000 to 9000000 ppm", "");
}

#[test]
fn triggers() {
    below_head("«[[fault.pause]]»\ntarget = \"client-1\"\nlasts = \"1s\"", "has no trigger", "`every = \"exp(5s)\"`");
    pause(
        "at = \"1s\"\n«every» = \"5s\"",
        "`every` and `at` are mutually exclusive: a fault has exactly one trigger",
        "remove one",
    );
    pause("at = «\"60s\"»", "`1m` is too late: the run ends after `1m`", "lengthen `run_for`");
    pause("«att» = \"1s\"", "unknown key `att`", "did you mean `at`?");
    pause("at = «\"1 sceond\"»", "is not a duration", "a unit");
    pause("at = «5»", "`at` must be text in quotes", "a unit");
    pause(
        "every = «\"100us\"»",
        "the interval `100us` is too short: about 600000 injections in `1m`",
        "at least `601us`",
    );
    pause("every = «\"exp(0s)\"»", "infinitely many injections", "at least `601us`");
    pause("every = «\"0s..1ms\"»", "about 120000 injections", "at least");
    pause("every = «\"lognormal(1us, 1.0)\"»", "is too short", "at least");
}

#[test]
fn triggers_at_an_event() {
    pause("on = «{ client = \"client-1\" }»", "`on` has no `event`", "add `event = …`");
    pause("on = { event = «\"aquired\"» }", "no event is named `aquired`", "did you mean `acquired`?");
    pause("on = { event = «\"sunrise\"» }", "no event is named `sunrise`", "choose one of `acquire-sent`, `acquired`");
    pause("on = { «evnet» = \"acquired\" }", "unknown key `evnet` in `on`", "did you mean `event`?");
    pause("on = { event = \"acquired\", nth = «0» }", "`nth` must be a whole number from 1 to 1000000", "");
    pause("on = { event = \"acquired\", after = «\"-1s\"» }", "is negative", "zero or longer");
    pause("on = { event = \"acquired\", client = «\"client-6\"» }", "no client is named `client-6`", "to `client-5`");
    pause("on = { event = \"acquired\", client = «\"store\"» }", "no client is named `store`", "omit `client`");
    pause("on = «\"acquired\"»", "`on` must be a table with `client`, `event`", "");
}

#[test]
fn durations() {
    let target = "target = \"client-1\"\nat = \"1s\"\n";
    below_head(&format!("«[[fault.pause]]»\n{target}"), "this `pause` has no `lasts`", "add `lasts = \"5s\"`");
    below_head(&format!("[[fault.pause]]\n{target}lasts = «\"0s\"»"), "zero length has no effect", "\"5s\"");
    below_head(&format!("[[fault.pause]]\n{target}lasts = «\"5s..1s\"»"), "is an empty range", "shorter end first");
    let crash = format!("[[fault.crash]]\n{target}«lasts» = \"5s\"");
    below_head(&crash, "a `crash` is instantaneous: it has no `lasts`", "remove `lasts`");
}

#[test]
fn names_of_faults() {
    let pause =
        |name: &str| format!("[[fault.pause]]\nname = {name}\ntarget = \"client-1\"\nat = \"1s\"\nlasts = \"1s\"\n");
    below_head(&(pause("\"gc\"") + &pause("«\"gc\"»")), "two faults are named `gc`", "a unique `name`");
    below_head(&pause("«\"a b\"»"), "`a b` is not a valid fault name", "`a-b`");
    let unnamed = "«[[fault.pause]]»\ntarget = \"client-1\"\nat = \"1s\"\nlasts = \"1s\"\n";
    below_head(&(pause("\"pause-2\"") + unnamed), "two faults are named `pause-2`", "");
}

#[test]
fn targets() {
    let at = |target: &str| format!("[[fault.pause]]\nat = \"1s\"\nlasts = \"1s\"\ntarget = {target}");
    below_head(&at("«\"clinet-1\"»"), "no node is named `clinet-1`", "did you mean `client-1`?");
    below_head(&at("«\"client-9\"»"), "no node is named `client-9`", "the clients are `client-1` to `client-5`");
    below_head(&at("«\"mars\"»"), "no node is named `mars`", "the other nodes are `store`, `lease-server`");
    below_head(&at("«\"client:leader\"»"), "`client:leader` is not a group of nodes", "`client:any`");
    below_head(&at("«\"servers:any\"»"), "`servers:any` is not a group of nodes", "did you mean `server:any`?");
    below_head(&at("«\"x:y\"»"), "`x:y` is not a group", "choose one of `client:any`");
    below_head(&at("«5»"), "`target` must be text in quotes", "");
    let chosen = |target: &str| format!("locks = [\"redlock\"]\n{}", at(target));
    below_head(&chosen("«\"sql\"»"), "no node is named `sql`", "only locks such as `sql-for-update` deploy it");
    below_head(&chosen("«\"redis-6\"»"), "no node is named `redis-6`", "choose one of `redis-1`, `redis-2`");
    let seven = format!("{}\n[lock.redlock]\nservers = 7", chosen("\"redis-7\""));
    assert!(
        fencepost_scenarios::file::parse(&crate::shipped::registry(), "x", &format!("run_for='9s'\n{seven}")).is_ok()
    );
}

#[test]
fn targets_and_links() {
    let pause = "«[[fault.pause]]»\nat = \"1s\"\nlasts = \"1s\"\n";
    below_head(pause, "this `pause` has no `target`", "`target = \"client:any\"`");
    let from = "[[fault.pause]]\nat = \"1s\"\nlasts = \"1s\"\ntarget = \"store\"\n«from» = \"client-1\"";
    below_head(from, "acts on nodes, not on links: it has no `from`", "name the node in `target`");
    let hold = "[[fault.hold]]\nat = \"1s\"\nlasts = \"1s\"\n";
    below_head(&format!("«[[fault.hold]]»{}", &hold[14..]), "has no `from` and no `to`", "`target` for all links");
    below_head(&format!("«[[fault.hold]]»{}from = \"store\"", &hold[14..]), "this `hold` has no `to`", "");
    below_head(
        &format!("{hold}target = \"store\"\n«to» = \"client-1\""),
        "`to` and `target` are mutually exclusive",
        "`from` and `to`",
    );
    below_head(&format!("{hold}from = \"store\"\nto = «\"client-0\"»"), "no node is named `client-0`", "");
    partition(
        "shape = \"isolate\"\n«target» = \"store\"",
        "has its own keys for where it acts: it has no `target`",
        "instead of `target`",
    );
}

#[test]
fn partitions() {
    partition("shape = «\"minorty\"»", "`minorty` is not a value of `shape`", "did you mean `minority`?");
    partition("split = «[[\"client-1\", \"client-2\"]]»", "at least two groups", "[[\"client-1\"], [\"store\"]]");
    partition("split = «[]»", "at least two groups", "");
    partition("split = [[\"client-1\"], «[]»]", "this group of the split is empty", "remove the group");
    partition(
        "split = [[\"client-1\"], [\"store\", «\"client-1\"»]]",
        "`client-1` is in the split twice",
        "on only one side",
    );
    partition("split = [[\"client-1\"], [«\"stor\"»]]", "no node is named `stor`", "did you mean `store`?");
    partition("split = [[\"client-1\"], [«3»]]", "`split` must be text in quotes", "");
    partition("split = «\"client-1\"»", "`split` must be a list", "");
    partition(
        "shape = \"isolate\"\n«split» = [[\"client-1\"], [\"store\"]]",
        "`shape` and `split` are mutually exclusive",
        "remove one",
    );
    let neither = "«[[fault.partition]]»\nat = \"1s\"\nlasts = \"1s\"";
    below_head(neither, "a partition needs a `split`", "`shape = \"isolate\"`");
}

#[test]
fn an_error_in_another_table_makes_no_node_unknown() {
    let fault = "[[fault.pause]]\ntarget = \"redis-7\"\nat = \"1s\"\nlasts = \"1s\"\n";
    one(&format!("run_for = \"9s\"\n{fault}[lock.redlock]\nservers = «\"7\"»"), "`servers` must be a whole number", "");
    assert_eq!(problems(&format!("run_for = \"9s\"\nlocks = [\"redlok\"]\n{fault}")).len(), 1);
}

#[test]
fn presets() {
    let pause = |preset: &str| format!("[[fault.pause]]\ntarget = \"client-1\"\nat = \"1s\"\npreset = {preset}");
    below_head(&pause("«\"gc-yuong\"»"), "no preset of `pause` is named `gc-yuong`", "did you mean `gc-young`?");
    below_head(&pause("«\"earthquake\"»"), "no preset of `pause`", "choose one of `gc-young`, `gc-full-old-heap`");
    below_head(
        &pause("«\"ntp-step\"»"),
        "`ntp-step` is a preset of `clock-step`, not of `pause`",
        "`[[fault.clock-step]]`",
    );
    below_head(&pause("«3»"), "`preset` must be text in quotes, not a number", "fencepost list faults");
    let slow =
        "[[fault.slow]]\ntarget = \"client-1\"\nat = \"1s\"\nlasts = \"1s\"\nfactor = 9\n«preset» = \"gc-young\"";
    below_head(slow, "a `slow` has no presets", "write its keys");
    below_head(&pause("\"gc-young\"\n«presets» = 3"), "unknown key `presets`", "did you mean `preset`?");
}

#[test]
fn keys_of_slow_clock_strobe_disk_stall_and_failover() {
    let node = "target = \"store\"\nat = \"1s\"\nlasts = \"1s\"\n";
    below_head(&format!("[[fault.slow]]\n{node}factor = «1»"), "from 2 to 100000, not 1", "");
    below_head(&format!("«[[fault.slow]]»\n{node}"), "has no `factor`", "add `factor = …`");
    let strobe = format!("[[fault.clock-strobe]]\n{node}by = \"1s\"\nperiod = «\"1us\"»");
    below_head(&strobe, "must be at least \"1ms\", not `1us`", "");
    below_head(&format!("[[fault.disk-stall]]\n{node}what = «\"lies\"»"), "`lies` is not a value of `what`", "`lie`");
    below_head(
        &format!("«[[fault.disk-stall]]»\n{node}sync = \"1s\""),
        "beside a disk that is not slow",
        "`what = \"slow\"`",
    );
    let failover = "[[fault.failover]]\nat = \"1s\"\nlasts = \"1s\"\n«target» = \"store\"";
    below_head(failover, "has its own keys for where it acts: it has no `target`", "instead");
}

#[test]
fn a_permanent_crash_does_not_restart() {
    let crash = "[[fault.crash]]\ntarget = \"store\"\nat = \"1s\"\npermanent = true\n«restart_after» = \"1s\"";
    below_head(crash, "`restart_after` and `permanent` are mutually exclusive", "remove one");
}

#[test]
fn faults_with_too_many_injections() {
    let strobe = "«[[fault.clock-strobe]]»\ntarget = \"client:all\"\nevery = \"10ms\"\nlasts = \"1s\"\nby = \"1s\"\nperiod = \"1ms\"";
    below_head(strobe, "act about 6000000 times in `1m`, but the maximum is 1000000", "shorten `run_for`");
    let pauses: String = (0..20)
        .map(|n| {
            let header = if n == 19 { "«[[fault.pause]]»" } else { "[[fault.pause]]" };
            format!("{header}\ntarget = \"client:any\"\nevery = \"1ms\"\nlasts = \"1ms\"\n")
        })
        .collect();
    below_head(&pauses, "act about 1200000 times in `1m`", "less frequent");
}
