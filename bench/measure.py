"""Single measurements: commands timed in turn, system calls, instructions, memory."""
import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
import time

from launchers import ROOT, TARGET, Cachepot, Launcher

BENCH = ROOT / "bench"
WORK = TARGET / "bench"


class Row:
    """One row of spawnbench's table, in milliseconds; `daemon` is 0 when none was followed."""

    def __init__(self, columns: list[str]):
        numbers = [0.0 if text == "-" else float(text) for text in columns[1:]]
        self.name = columns[0]
        self.min, self.p50, self.p90, self.p99, self.max, self.cpu, self.daemon, self.both, self.failed = numbers[:9]


def build_tools() -> None:
    """Builds spawnbench and the empty static process into target/bench."""
    WORK.mkdir(parents=True, exist_ok=True)
    for source, flags in (("spawnbench.c", []), ("empty.c", ["-static"])):
        output = WORK / source.removesuffix(".c")
        subprocess.run(["cc", "-O2", *flags, "-o", output, BENCH / source], check=True)


def in_turn(commands: list[tuple], runs: int, unlink: list[pathlib.Path] = [], base2: str = "",
            daemons: dict[str, int] = {}, every: dict[str, int] = {}, warmup: int = 5) -> dict[str, Row]:
    """Times `(name, env, argv)` commands in turn in one run, prints spawnbench's table and returns its rows by name."""
    words = [str(WORK / "spawnbench"), "-q", "-n", str(runs), "-w", str(warmup)]
    for file in unlink:
        words += ["-u", str(file)]
    if base2:
        words += ["--base2", base2]
    for name, pid in daemons.items():
        words += ["--daemon", f"{name}={pid}"]
    for name, rounds in every.items():
        words += ["--every", f"{name}={rounds}"]
    for name, env, argv in commands:
        words += ["---", name, *(f"{key}={value}" for key, value in env.items()), *map(str, argv)]
    table = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(table, flush=True)
    rows = [Row(line.split()) for line in table.splitlines()[1:]]
    for row in rows:
        if row.failed:
            print(f"NOTE: `{row.name}` failed {row.failed:.0f} times: its times mean nothing")
    return {row.name: row for row in rows}


def has_reflinks(folder: pathlib.Path) -> bool:
    """Whether files there can share their blocks."""
    one, other = folder / "reflink-1", folder / "reflink-2"
    one.write_bytes(b"x" * 8192)
    done = subprocess.run(["cp", "--reflink=always", one, other], stderr=subprocess.DEVNULL)
    one.unlink()
    other.unlink(missing_ok=True)
    return done.returncode == 0


def strace_total(report: str) -> int | None:
    """The number of calls in the last line of a `strace -c` report."""
    found = re.findall(r"^\s*100\.00\s+\S+\s+(?:\S+\s+)?(\d+)\s+(?:\d+\s+)?total$", report, re.MULTILINE)
    return int(found[-1]) if found else None


def client_system_calls(launcher: Launcher, argv: list) -> int | None:
    """System calls of one call of the client, its exec included; None without strace."""
    if not shutil.which("strace"):
        return None
    report = WORK / "strace-client"
    subprocess.run(["strace", "-f", "-c", "-o", report, *launcher.argv, *map(str, argv)], env=launcher.environment(),
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return strace_total(report.read_text()) if report.exists() else None


def coordinator_system_calls(cachepot: Cachepot, argv: list, hits: int = 50) -> float | None:
    """System calls of the coordinator per hit, over `hits` hits; None without strace or coordinator."""
    pid, report = cachepot.pid(), WORK / "strace-coordinator"
    if not shutil.which("strace") or pid is None:
        return None
    tracer = subprocess.Popen(["strace", "-f", "-c", "-o", report, "-p", str(pid)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)  # strace says nowhere that it has attached to every thread.
    for _ in range(hits):
        subprocess.run([*cachepot.argv, *map(str, argv)], env=cachepot.environment(), stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tracer.send_signal(signal.SIGINT)
    tracer.wait()
    total = strace_total(report.read_text()) if report.exists() else None
    return total / hits if total is not None else None


def client_instructions(launcher: Launcher, argv: list) -> int | None:
    """Instructions of one call of the client, counted by callgrind; None without valgrind."""
    if not shutil.which("valgrind"):
        return None
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *launcher.argv,
                           *map(str, argv)], env=launcher.environment(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    return int(found.group(1)) if found else None


def resident_mib(pid: int) -> float:
    """Resident memory of a process in MiB."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def ready_ms(cachepot: Cachepot) -> float:
    """Time from `--start-coordinator` to its end, that is until the coordinator answers; the median of five starts."""
    times = []
    for _ in range(5):
        cachepot.stop()
        start = time.monotonic()
        cachepot.start()
        times.append((time.monotonic() - start) * 1e3)
    return sorted(times)[2]


def fill(cachepot: Cachepot, entries: int) -> None:
    """Stores `entries` results of a tiny unit, each with another value of a macro."""
    unit = WORK / "fill.c"
    unit.write_text("int value = N;\n")
    env = cachepot.environment()

    def store(n: int) -> None:
        output = WORK / f"fill-{threading.get_ident()}.o"
        subprocess.run([*cachepot.argv, "gcc", f"-DN={n}", "-c", unit, "-o", output], env=env, stdin=subprocess.DEVNULL, check=True)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        for _ in threads.map(store, range(entries)):
            pass
    for output in WORK.glob("fill-*.o"):
        output.unlink()
