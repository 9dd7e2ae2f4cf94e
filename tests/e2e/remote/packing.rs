//! What is written to a remote is packed in a process of its own, which a build does not wait for.
use crate::harness::Went::{Hit, Stored};
use crate::harness::{Sandbox, wait_until};
use std::fs;

/// sched(7), as in proc(5).
const SCHED_IDLE: &str = "5";

/// Larger than what travels with its job.
fn large(seed: u32) -> String {
    let noise: String = (0..120_000_u32).map(|n| format!("{},", n.wrapping_mul(seed))).collect();
    format!("unsigned a[] = {{{noise}}};\n")
}

/// Process ids and scheduling policies of processes that a coordinator has to pack.
fn packers(coordinator: u32) -> Vec<(i32, String)> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let packer = |id: i32| {
        let words = fs::read_to_string(format!("/proc/{id}/cmdline")).ok()?;
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // proc(5): the parent is the 4th field, the policy the 41st; the second may hold spaces.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let is_ours = words.ends_with("\0--pack-objects\0") && fields[1] == coordinator.to_string();
        is_ours.then(|| (id, fields[38].to_owned()))
    };
    numbers.filter_map(packer).collect()
}

fn is_all_written(sandbox: &Sandbox) -> bool {
    sandbox.stats().remotes.iter().all(|remote| remote.pending_writes == 0)
}

#[test]
fn a_process_at_idle_priority_packs_and_another_one_when_it_is_killed() {
    let one = Sandbox::new("packing").file("a.c", large(3)).file("b.c", large(2_654_435_761));
    let remote = one.root().join("remote");
    fs::create_dir(&remote).unwrap();
    let one = one.env("CACHEPOT_FOLDER", remote);
    let mut before = Vec::new();
    for unit in ["a.c", "b.c"] {
        one.expect(Stored, format!("gcc -c {unit}"));
        one.quiet();
        wait_until("the writes", || is_all_written(&one));
        let [coordinator] = one.coordinators().try_into().unwrap();
        let [(packer, policy)] = packers(coordinator).try_into().unwrap();
        assert_eq!(policy, SCHED_IDLE);
        assert!(!before.contains(&packer));
        let _ = one.shell(&format!("kill -KILL {packer}")).succeeds();
        before.push(packer);
    }
    // Both results with their jobs.
    let [coordinator] = one.coordinators().try_into().unwrap();
    let _ = one.cachepot(["--stop-coordinator"]).succeeds();
    wait_until("the end of all that packs", || packers(coordinator).is_empty());
    let other = one.on_machine("other");
    other.expect(Hit, "gcc -c a.c");
    other.expect(Hit, "gcc -c b.c");
}
