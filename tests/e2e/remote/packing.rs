//! What is written to a remote is packed in a process of its own, which a build does not wait for; what is large, when it has ended.
use crate::harness::Went::{Hit, Stored};
use crate::harness::{CLIENT, Sandbox, wait_for, wait_until};
use cachepot_engine::stats::Stat;
use std::fs;
use std::process::Command;
use std::time::Duration;

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

/// A machine with a folder as its remote.
fn sharing(name: &str) -> Sandbox {
    let one = Sandbox::new(name);
    let remote = one.root().join("remote");
    fs::create_dir(&remote).unwrap();
    one.env("CACHEPOT_FOLDER", remote)
}

/// One test, since the second part leaves nothing of the processor to the first.
#[test]
fn large_results_are_packed_at_idle_priority_while_there_is_time() {
    a_process_packs_and_another_one_when_it_is_killed();
    the_end_does_not_wait_for_a_processor_with_nothing_to_do();
}

fn a_process_packs_and_another_one_when_it_is_killed() {
    let one = sharing("packing");
    let (mut killed, mut units) = (Vec::new(), 0..20);
    // Where other tests keep the processor busy for too long, it is done without the process.
    while killed.len() < 2 {
        let Some(number) = units.next() else { panic!("no two processes packed") };
        let unit = format!("{number}.c");
        one.write(&unit, large(2_654_435_761 + 2 * number));
        one.expect(Stored, format!("gcc -c {unit}"));
        one.quiet();
        wait_until("the writes", || is_all_written(&one));
        let [coordinator] = one.coordinators().try_into().unwrap();
        for (packer, policy) in packers(coordinator) {
            assert_eq!(policy, SCHED_IDLE);
            assert!(!killed.contains(&packer));
            let _ = one.shell(&format!("kill -KILL {packer}")).succeeds();
            killed.push(packer);
        }
    }
    let [coordinator] = one.coordinators().try_into().unwrap();
    let _ = one.cachepot(["--stop-coordinator"]).succeeds();
    wait_until("the end of all that packs", || packers(coordinator).is_empty());
    let other = one.on_machine("other");
    (0..units.start).for_each(|number| drop(other.expect(Hit, format!("gcc -c {number}.c"))));
}

fn the_end_does_not_wait_for_a_processor_with_nothing_to_do() {
    let one = sharing("hurry").file("a.c", large(3));
    let busy = || Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
    let mut others: Vec<_> = (0..6).map(|_| busy()).collect();
    one.expect(Stored, "gcc -c a.c");
    let _ = one.cachepot(["--stop-coordinator"]).succeeds();
    for other in &mut others {
        other.kill().unwrap();
        other.wait().unwrap();
    }
    one.on_machine("other").expect(Hit, "gcc -c a.c");
}

/// As long as there is a file `busy`, this compiler compiles.
const SLOW: &str = "#!/bin/sh\nwhile [ -e busy ]; do sleep 0.05; done\nexec gcc \"$@\"\n";

#[test]
fn a_large_result_is_written_when_the_build_has_ended() {
    let one = sharing("rest").file("large.c", large(7)).file("small.c", "int a;\n");
    one.write("slow", SLOW).sh("chmod +x slow").settle();
    one.expect(Stored, "./slow -c small.c");
    one.write("busy", "");
    let mut compile =
        one.command(CLIENT).args(["./slow", "-c", "small.c", "-DA", "-o", "b.o"]).spawn().unwrap();
    one.sh(&format!("{CLIENT} gcc -c large.c && {CLIENT} gcc -c small.c"));
    let pending = || one.stats().remotes[0].pending_writes;
    let written = || one.stats().stats.count(Stat::RemoteWrites);
    wait_until("the small ones", || written() == 2 && pending() == 1);
    // Longer than a build is quiet between two compiles.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((written(), pending()), (2, 1));
    one.sh("rm busy");
    assert!(wait_for(&mut compile).success());
    wait_until("the end of the build", || pending() == 0);
}
