//! The locks of a SQL database: transactions, sessions, rows with an expiry; alone and with a standby.

use fencepost_scenarios::property::Property::{
    self, BeliefExclusion, EffectExclusion, GrantExclusion, NoLostUpdate, OwnerRelease, Progress, Reentrancy, Takeover,
};
use fencepost_testkit::{Cases, run, shipped};

const SEEDS: u64 = 40;

/// The locks that a connection holds and that guard a separate store.
const SESSIONS: [&str; 2] = ["pg-advisory", "mysql-get-lock"];

/// All locks that guard a separate store.
const SEPARATE: [&str; 3] = ["pg-advisory", "mysql-get-lock", "sql-lease-row"];

/// All locks that can have a standby.
const FAILING_OVER: [&str; 4] = ["sql-for-update", "pg-advisory", "mysql-get-lock", "sql-lease-row"];

/// Returns a scenario of buyers who work for up to a second.
fn scenario(lock: &str, fault: &str) -> String {
    format!(
        r#"
        run_for = "200s"

        [clients]
        count = 3
        orders = 40
        think = "exp(200ms)"
        hold = "0ms..1s"
        wait_at_most = "60s"

        {lock}

        [workload.inventory]
        stock = 40

        {fault}
        "#
    )
}

const LEASE: &str = "[lock.sql-lease-row]\nlock_at_most = \"5s\"";
const SHORT_LEASE: &str = "[lock.sql-lease-row]\nlock_at_most = \"20s\"";
const LEASE_BY_DATABASE: &str = "[lock.sql-lease-row]\nlock_at_most = \"5s\"\nclock = \"database\"";

fn pauses(lasts: &str) -> String {
    format!("[[fault.pause]]\ntarget = \"client:any\"\nevery = \"exp(4s)\"\nlasts = \"{lasts}\"")
}

fn crashes(what: &str) -> String {
    format!("[[fault.crash]]\ntarget = \"client:any\"\nwhat = \"{what}\"\nevery = \"exp(8s)\"\nrestart_after = \"20s\"")
}

const SERVER_RESTARTS: &str =
    "[[fault.crash]]\ntarget = \"sql\"\nwhat = \"process\"\nevery = \"exp(5s)\"\nrestart_after = \"100ms\"";

/// Soon the clients' clocks disagree.
const SKEWED_CLIENTS: &str = "[[fault.clock-step]]\ntarget = \"client:any\"\nevery = \"exp(15s)\"\nby = \"-20s..20s\"";

#[test]
fn quiet_runs_hold_everything() {
    for lock in FAILING_OVER {
        run(&scenario("", ""), lock, SEEDS).holds_everything();
        for mode in ["async-no-fencing", "patroni", "sync"] {
            run(&scenario(&standby_with(lock, mode, ""), ""), lock, SEEDS).holds_everything();
        }
    }
    for clock in [LEASE, LEASE_BY_DATABASE] {
        run(&scenario(clock, ""), "sql-lease-row", SEEDS).holds_everything();
    }
}

#[test]
fn a_session_keeps_its_lock_through_any_pause() {
    for lock in SESSIONS {
        let seen = run(&scenario("", &pauses("1s..40s")), lock, SEEDS);
        seen.never_violates(&[GrantExclusion, BeliefExclusion, EffectExclusion, NoLostUpdate, OwnerRelease, Progress]);
    }
}

#[test]
fn a_session_that_idles_for_too_long_loses_its_lock() {
    for (lock, limit) in [("pg-advisory", "idle_session_timeout"), ("mysql-get-lock", "wait_timeout")] {
        let limited = format!("[lock.{lock}]\n{limit} = \"3s\"");
        let seen = run(&scenario(&limited, &pauses("5s..20s")), lock, SEEDS);
        seen.violates(&[BeliefExclusion, EffectExclusion, NoLostUpdate])
            .never_violates(&[GrantExclusion, OwnerRelease]);
    }
}

#[test]
fn a_transaction_that_idles_for_too_long_is_rolled_back_and_cannot_commit() {
    let limited = "[lock.sql-for-update]\nidle_in_transaction_timeout = \"3s\"";
    let seen = run(&scenario(limited, &pauses("5s..20s")), "sql-for-update", SEEDS);
    seen.violates(&[BeliefExclusion]).never_violates(&[GrantExclusion, EffectExclusion, NoLostUpdate, OwnerRelease]);
}

#[test]
fn a_database_restart_loses_the_locks_of_sessions() {
    for lock in SESSIONS {
        let seen = run(&scenario("", SERVER_RESTARTS), lock, SEEDS);
        seen.violates(&[BeliefExclusion, EffectExclusion, NoLostUpdate]).never_violates(&[GrantExclusion, Progress]);
    }
    for lock in ["sql-for-update", "sql-lease-row"] {
        let seen = run(&scenario(SHORT_LEASE, SERVER_RESTARTS), lock, SEEDS);
        seen.never_violates(&[GrantExclusion, EffectExclusion, NoLostUpdate, Progress]);
    }
}

#[test]
fn a_row_expires_while_its_holder_is_paused() {
    for clock in [LEASE, LEASE_BY_DATABASE] {
        let seen = run(&scenario(clock, &pauses("6s..20s")), "sql-lease-row", SEEDS);
        seen.violates(&[BeliefExclusion, EffectExclusion, NoLostUpdate]).never_violates(&[GrantExclusion, Progress]);
    }
}

/// ShedLock compares `locked_by` at a release since 7.0.0.
#[test]
fn a_late_release_leaves_the_grant_of_another_host() {
    for clock in [LEASE, LEASE_BY_DATABASE] {
        run(&scenario(clock, &pauses("6s..20s")), "sql-lease-row", SEEDS).never_violates(&[OwnerRelease]);
    }
}

#[test]
fn clients_whose_clocks_disagree_share_a_row_unless_the_database_clock_decides() {
    let by_client = run(&scenario(LEASE, SKEWED_CLIENTS), "sql-lease-row", SEEDS);
    by_client.violates(&[BeliefExclusion, EffectExclusion, NoLostUpdate]).never_violates(&[Progress]);
    run(&scenario(LEASE_BY_DATABASE, SKEWED_CLIENTS), "sql-lease-row", SEEDS).never_violates(&Property::ALL);
}

#[test]
fn a_kept_alive_row_outlives_its_expiry_but_not_a_pause() {
    let long_work = |keep_alive: bool, fault: &str| {
        let lock = format!("[lock.sql-lease-row]\nlock_at_most = \"30s\"\nkeep_alive = {keep_alive}");
        let text = scenario(&lock, fault).replace("0ms..1s", "20s..50s").replace("200s", "900s");
        run(&text, "sql-lease-row", SEEDS / 2)
    };
    long_work(false, "").violates(&[BeliefExclusion, EffectExclusion]);
    long_work(true, "").never_violates(&[BeliefExclusion, EffectExclusion, NoLostUpdate]);
    long_work(true, &pauses("31s..60s").replace("exp(4s)", "exp(100s)")).violates(&[EffectExclusion]);
}

#[test]
fn holders_that_crash_are_replaced_in_time() {
    for lock in FAILING_OVER {
        for what in ["process", "host"] {
            let seen = run(&scenario(SHORT_LEASE, &crashes(what)), lock, SEEDS);
            assert!(seen.total("takeovers") > 0, "{lock}: no holder crashed");
            seen.never_violates(&[GrantExclusion, Takeover, Progress, EffectExclusion]);
        }
    }
    let forever = crashes("host").replace("restart_after = \"20s\"", "permanent = true").replace("exp(8s)", "exp(60s)");
    for lock in FAILING_OVER {
        let patient = scenario(SHORT_LEASE, &forever).replace("\"60s\"", "\"10000s\"");
        run(&patient, lock, SEEDS / 2).never_violates(&[GrantExclusion, Takeover, EffectExclusion]);
    }
}

/// Returns the keys of a lock with a standby, and with a timeout that ends waiting for a dead server.
fn standby(lock: &str, more: &str) -> String {
    let expiry = if lock == "sql-lease-row" { "lock_at_most = \"60s\"" } else { "" };
    let common = "standby = \"async-no-fencing\"\nsocket_timeout = \"5s\"\nfailover_after = \"5s\"";
    format!("[lock.{lock}]\n{common}\n{expiry}\n{more}")
}

/// Returns the keys of a lock whose standby takes over in another way.
fn standby_with(lock: &str, mode: &str, more: &str) -> String {
    let failover_after = if mode == "patroni" { "20s" } else { "5s" };
    let keys = standby(lock, more).replace("async-no-fencing", mode);
    keys.replace("failover_after = \"5s\"", &format!("failover_after = \"{failover_after}\""))
}

fn failing_over(lock: &str, more: &str, fault: &str) -> Cases {
    run(&scenario(&standby(lock, more), fault), lock, SEEDS)
}

const PRIMARY_CUT_OFF: &str = r#"
    [[fault.partition]]
    split = [["sql", "client-1"], ["sql-standby", "client-2", "client-3", "store"]]
    every = "exp(60s)"
    lasts = "15s..30s"
"#;

fn primary_cut_off(lock: &str) -> String {
    if lock == "sql-for-update" { PRIMARY_CUT_OFF.replace(", \"store\"]", "]") } else { PRIMARY_CUT_OFF.into() }
}

#[test]
fn a_standby_that_takes_over_from_a_live_primary_creates_two_holders() {
    for lock in FAILING_OVER {
        let seen = failing_over(lock, "", &primary_cut_off(lock));
        seen.violates(&[GrantExclusion]).never_violates(&[Progress]);
    }
}

/// The old primary is cut off for long enough that any standby takes over, together with a client that waits for it.
const PRIMARY_CUT_OFF_FOR_LONG: &str = r#"
    [[fault.partition]]
    split = [["sql", "client-1"], ["sql-standby", "sql-keys", "client-2", "client-3"]]
    every = "exp(60s)"
    lasts = "45s..60s"
"#;

/// Patroni demotes a primary that cannot renew its key, before the key expires (patroni/ha.py, `_handle_dcs_error`).
#[test]
fn a_primary_that_cannot_renew_its_key_demotes_itself_before_another_leads() {
    let late = "replication_lag = \"3s\"";
    let cut_off = |mode: &str| {
        let fault = if mode == "patroni" {
            PRIMARY_CUT_OFF_FOR_LONG.to_string()
        } else {
            PRIMARY_CUT_OFF_FOR_LONG.replace(", \"sql-keys\"", "")
        };
        run(&scenario(&standby_with("sql-for-update", mode, late), &fault), "sql-for-update", SEEDS)
    };
    cut_off("async-no-fencing").violates(&[GrantExclusion, NoLostUpdate]);
    let patroni = cut_off("patroni");
    patroni.never_violates(&[GrantExclusion, BeliefExclusion, EffectExclusion, Progress]);
    // The standby did take over: asynchronous replication loses the last commits.
    patroni.violates(&[NoLostUpdate]);
}

/// A database whose primary keeps its key leads again after a restart.
#[test]
fn a_primary_that_restarts_with_its_key_stays_the_primary() {
    for lock in ["sql-for-update", "sql-lease-row", "sql-version"] {
        let text = scenario(&standby_with(lock, "patroni", "replication_lag = \"3s\""), SERVER_RESTARTS);
        run(&text, lock, SEEDS).never_violates(&[GrantExclusion, EffectExclusion, NoLostUpdate, Progress]);
    }
}

#[test]
fn a_synchronous_standby_loses_no_acknowledged_write() {
    for lock in ["sql-for-update", "sql-version"] {
        for fault in [PRIMARY_DIES, PRIMARY_CUT_OFF_FOR_LONG] {
            let fault = fault.replace(", \"sql-keys\"", "");
            let lost = |mode: &str, more: &str| {
                run(&scenario(&standby_with(lock, mode, more), &fault), lock, SEEDS).violated(NoLostUpdate)
            };
            assert_eq!(lost("sync", ""), 0, "{lock}");
            assert!(lost("async-no-fencing", "replication_lag = \"3s\"") > 0, "{lock}");
        }
        // MySQL's source stops waiting, and loses what it acknowledges from then on.
        let degraded = standby_with(lock, "sync", "sync_timeout = \"2s\"");
        let cut_off = PRIMARY_CUT_OFF_FOR_LONG.replace(", \"sql-keys\"", "");
        run(&scenario(&degraded, &cut_off), lock, SEEDS).violates(&[NoLostUpdate]);
    }
}

/// The primary's host dies, and comes back after the standby has taken over.
const PRIMARY_DIES: &str =
    "[[fault.crash]]\ntarget = \"server:leader\"\nwhat = \"host\"\nevery = \"exp(30s)\"\nrestart_after = \"15s\"";

/// Runs cases whose primary dies, with buyers who work longer than a failover takes.
fn failing_over_during_work(lock: &str, more: &str) -> Cases {
    let text = scenario(&standby(lock, more), PRIMARY_DIES).replace("0ms..1s", "0s..30s");
    run(&text, lock, SEEDS)
}

#[test]
fn a_standby_that_takes_over_has_no_sessions() {
    for lock in SESSIONS {
        failing_over_during_work(lock, "").violates(&[BeliefExclusion, EffectExclusion]).never_violates(&[Progress]);
    }
}

#[test]
fn writes_that_were_not_replicated_are_lost() {
    let late = "replication_lag = \"3s\"";
    let seen = failing_over("sql-for-update", late, PRIMARY_DIES);
    seen.violates(&[NoLostUpdate]).never_violates(&[EffectExclusion, Progress]);
    failing_over_during_work("sql-lease-row", late).violates(&[GrantExclusion, BeliefExclusion, EffectExclusion]);
}

/// ShedLock's README warns about rows that are deleted by hand: "ShedLock has an in-memory cache of existing lock rows
/// so the row will NOT be automatically recreated until application restart". A row lost in a failover is the same.
#[test]
fn a_row_lost_in_a_failover_is_never_inserted_again() {
    let lost = failing_over_during_work("sql-lease-row", "replication_lag = \"3s\"");
    lost.violates(&[Progress]);
    failing_over_during_work("sql-lease-row", "replication_lag = \"0s\"").never_violates(&[Progress]);
}

#[test]
fn holders_acquire_again_as_declared() {
    for lock in FAILING_OVER {
        let text = scenario("", "").replace("count = 3", "count = 3\nnested = 2");
        let quiet = run(&text, lock, SEEDS);
        // As declared, the first release of a transaction's lock frees it, so a nested holder believes wrongly.
        if lock == "sql-for-update" {
            quiet.never_violates(&[Reentrancy, EffectExclusion])
        } else {
            quiet.never_violates(&Property::ALL)
        };
        let seen = run(&format!("{text}\n{}", pauses("1s..5s")), lock, SEEDS);
        seen.never_violates(&[Reentrancy]);
    }
}

#[test]
fn a_primary_that_restarts_soon_enough_stays_the_primary() {
    for lock in ["sql-for-update", "sql-lease-row"] {
        let seen = failing_over(lock, "", SERVER_RESTARTS);
        seen.never_violates(&[GrantExclusion, EffectExclusion, NoLostUpdate, Progress]);
    }
}

#[test]
fn the_loss_of_the_standby_has_no_effect() {
    let dies =
        "[[fault.crash]]\ntarget = \"sql-standby\"\nwhat = \"host\"\nevery = \"exp(10s)\"\nrestart_after = \"15s\"";
    for lock in FAILING_OVER {
        failing_over(lock, "", dies).never_violates(&[GrantExclusion, EffectExclusion, NoLostUpdate, Progress]);
    }
}

/// HikariCP tests a connection that idled for more than 500 ms (HikariPool.java, `aliveBypassWindowMs`), so the task that
/// extends a row survives a restart of the database. Without a pool its first failure ends it.
#[test]
fn a_pool_replaces_broken_connections() {
    let restart =
        "[[fault.crash]]\ntarget = \"sql\"\nwhat = \"process\"\nevery = \"exp(60s)\"\nrestart_after = \"100ms\"";
    let kept_alive = |pool: &str| {
        let lock = format!("[lock.sql-lease-row]\nlock_at_most = \"30s\"\nkeep_alive = true\npool = \"{pool}\"\n");
        let text = scenario(&lock, restart).replace("0ms..1s", "40s..80s").replace("200s", "900s");
        run(&text, "sql-lease-row", SEEDS / 2)
    };
    kept_alive("none").violates(&[BeliefExclusion, EffectExclusion]);
    kept_alive("hikari").never_violates(&[BeliefExclusion, EffectExclusion, NoLostUpdate, Progress]);
    for lock in ["sql-for-update", "sql-version", "pg-advisory", "mysql-get-lock", "sql-lease-row"] {
        let pool = format!("[lock.{lock}]\npool = \"hikari\"");
        run(&scenario(&pool, ""), lock, SEEDS / 2).holds_everything();
        run(&scenario(&pool, SERVER_RESTARTS), lock, SEEDS / 2).never_violates(&[GrantExclusion, Progress]);
    }
}

/// Servers crash and are cut off, so that the pairs fail over again and again.
const SERVERS_FAIL: &str = r#"
    [[fault.crash]]
    target = "server:any"
    what = "host"
    every = "exp(60s)"
    restart_after = "20s"

    [[fault.partition]]
    shape = "isolate"
    every = "exp(60s)"
    lasts = "5s..60s"
"#;

/// A pool that finds no primary closes the connection, so that a later attempt searches again.
#[test]
fn every_pair_serves_again_after_many_failovers() {
    for lock in ["sql-for-update", "sql-version", "sql-lease-row"] {
        for mode in ["async-no-fencing", "patroni", "sync"] {
            let keys = standby_with(lock, mode, "pool = \"hikari\"");
            let keys = keys.replace("lock_at_most = \"60s\"", "lock_at_most = \"10s\"");
            let text = scenario(&keys, SERVERS_FAIL).replace("200s", "400s").replace("orders = 40", "orders = 600");
            let seen = run(&text.replace("stock = 40", "stock = 2000"), lock, SEEDS);
            seen.never_violates(&[Progress]);
            if mode == "patroni" || (mode == "sync" && lock == "sql-lease-row") {
                seen.never_violates(&[GrantExclusion]);
            }
            if mode == "sync" && lock != "sql-lease-row" {
                seen.never_violates(&[NoLostUpdate]);
            }
        }
    }
}

/// In transaction mode the unlock may reach another connection than the lock, and two clients may share one, whose lock
/// both get (pgbouncer/pgbouncer, doc/config.md, `server_reset_query`).
#[test]
fn transaction_pooling_breaks_session_locks() {
    let pooled = "[lock.pg-advisory]\npool = \"pgbouncer-transaction\"";
    run(&scenario(pooled, ""), "pg-advisory", SEEDS).violates(&[GrantExclusion, BeliefExclusion, EffectExclusion]);
    // Row locks end with the transaction, so the pooler does no harm.
    let pooled = "[lock.sql-for-update]\npool = \"pgbouncer-transaction\"";
    run(&scenario(pooled, ""), "sql-for-update", SEEDS).holds_everything();
}

/// PostgreSQL looks for deadlocks after `deadlock_timeout`, MySQL at once. Before, clients waited until they gave up.
#[test]
fn a_database_ends_deadlocks_of_its_sessions() {
    let text = shipped("transfer-opposite-order");
    for (lock, longest_s) in [("pg-advisory", 3), ("mysql-get-lock", 1)] {
        let cases = run(&text, lock, SEEDS / 2);
        assert!(cases.total("deadlocks") > 0, "{lock}: no two clients waited for each other");
        let longest = cases.sum().metric("deadlock_longest_ns").expect("a metric of the workload").max();
        assert!(longest < longest_s * 1_000_000_000, "{lock}: a deadlock lasted {longest} ns");
        cases.never_violates(&[GrantExclusion, BeliefExclusion, EffectExclusion, Progress]);
    }
}

/// Returns a scenario whose clients check the lock before the write.
fn checked(lock: &str, fault: &str) -> String {
    scenario(lock, fault).replace("count = 3", "count = 3\ncheck_before_write = true")
}

/// `pg_locks` and `IS_USED_LOCK` ask the server, on the session that had the lock.
#[test]
fn a_session_that_lost_its_lock_learns_it_from_the_server() {
    for (lock, limit) in [("pg-advisory", "idle_session_timeout"), ("mysql-get-lock", "wait_timeout")] {
        let limited = format!("[lock.{lock}]\n{limit} = \"3s\"");
        let seen = run(&checked(&limited, &pauses("5s..20s")), lock, SEEDS);
        assert!(seen.decided(EffectExclusion) == SEEDS, "{lock}: offers no check");
        seen.never_violates(&[GrantExclusion, EffectExclusion, OwnerRelease]);
    }
}

/// `LockAssert` reads a variable of the thread; `LockExtender` asks the database (lukas-krecan/ShedLock 7.9.0).
#[test]
fn a_row_is_checked_by_the_database_only_if_it_is_extended() {
    let pauses = pauses("6s..20s");
    run(&checked(LEASE, &pauses), "sql-lease-row", SEEDS).violates(&[EffectExclusion, NoLostUpdate]);
    let extends = format!("{LEASE}\ncheck = \"lock-extender\"");
    run(&checked(&extends, &pauses), "sql-lease-row", SEEDS).never_violates(&[EffectExclusion, NoLostUpdate, Progress]);
}

/// `HandleLostToken` of madelson/DistributedLock: the end of the connection is noticed at once.
#[test]
fn a_watched_connection_reports_the_loss_of_its_lock() {
    for lock in SESSIONS {
        let watched = |on: bool| {
            let lost_token = format!("[lock.{lock}]\nlost_token = {on}");
            run(&scenario(&lost_token, SERVER_RESTARTS), lock, SEEDS)
        };
        watched(false).violates(&[BeliefExclusion]);
        watched(true).never_violates(&[BeliefExclusion]);
    }
}

#[test]
fn separate_stores_accept_late_writes() {
    let late = "[[fault.hold]]\nfrom = \"client:any\"\nto = \"store\"\nevery = \"exp(5s)\"\nlasts = \"3s..10s\"";
    for lock in SEPARATE {
        run(&scenario("", late), lock, SEEDS).violates(&[EffectExclusion]).never_violates(&[GrantExclusion]);
    }
}
