"""Debian source packages and build dependencies, without a change to the machine's own package sources.

    python3 bench/debian.py PACKAGE...    installs what is missing, or says the one command to run"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

SYSTEM_SOURCES = pathlib.Path("/etc/apt")


class NotAvailable(Exception):
    """A package cannot be had here; the text says what to do."""


def codename() -> str:
    text = pathlib.Path("/etc/os-release").read_text()
    found = re.search(r"^VERSION_CODENAME=(\S+)", text, re.MULTILINE)
    return found.group(1) if found else "stable"


def source_stanzas() -> str:
    """The machine's own package sources of its release, each turned from binary into source packages.

    Security updates are left out: old ones vanish from there, and every machine should build the same version."""
    release = rf"(?<!\S){codename()}(?!\S)"
    files = [SYSTEM_SOURCES / "sources.list", *sorted((SYSTEM_SOURCES / "sources.list.d").glob("*"))]
    stanzas = []
    for file in files:
        if not file.exists():
            continue
        text = file.read_text()
        if file.suffix == ".list":
            lines = [re.sub(r"^deb\b", "deb-src", line) for line in text.splitlines() if line.startswith("deb ")]
            stanzas += [as_stanza(line) for line in lines if re.search(release, line)]
        elif file.suffix == ".sources":
            for stanza in re.split(r"\n\s*\n", text):
                if re.search(rf"^Suites:.*{release}", stanza, re.MULTILINE):
                    stanzas.append(re.sub(r"^Types:.*$", "Types: deb-src", stanza, flags=re.MULTILINE))
    return "\n\n".join(stanzas) + "\n"


def as_stanza(line: str) -> str:
    """A one-line source as a stanza, so that all fit into one file."""
    found = re.match(r"deb-src\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+(.*)", line)
    options, address, suite, components = found.groups()
    extra = "".join(f"\nSigned-By: {value.split('=', 1)[1]}" for value in (options or "").split()
                    if value.lower().startswith("signed-by="))
    return f"Types: deb-src\nURIs: {address}\nSuites: {suite}\nComponents: {components}{extra}"


def apt_options(folder: pathlib.Path) -> list[str]:
    """Options that make apt-get keep everything below `folder`; writes the source list there."""
    for part in ("lists/partial", "archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "own.sources").write_text(source_stanzas())
    settings = {"Dir::Etc::SourceList": "/dev/null", "Dir::Etc::SourceParts": folder, "Dir::State::Lists": folder / "lists",
                "Dir::Cache": folder, "APT::Sandbox::User": "root"}
    return [f"-o{key}={value}" for key, value in settings.items()]


def fetch_source(package: str, folder: pathlib.Path) -> pathlib.Path:
    """Unpacks a source package once below `folder`; returns the tree, which nobody may change."""
    home = folder / package
    done = home / "pristine"
    if done.exists():
        return done
    if not shutil.which("dpkg-source"):
        install(("dpkg-dev",))
    shutil.rmtree(home, ignore_errors=True)
    unpack = home / "unpack"
    unpack.mkdir(parents=True)
    options = apt_options(folder / "apt")
    with (home / "fetch.log").open("w") as log:
        for words in (["update"], ["source", package]):
            if subprocess.run(["apt-get", *options, *words], cwd=unpack, stdin=subprocess.DEVNULL, stdout=log,
                              stderr=log).returncode:
                raise NotAvailable(f"no source package `{package}`: see {log.name}")
    next(path for path in unpack.iterdir() if path.is_dir()).rename(done)
    return done


def missing(packages: tuple[str, ...]) -> list[str]:
    """Those packages that are not installed; none where there is no dpkg to ask."""
    if not shutil.which("dpkg-query"):
        return []

    def installed(package: str) -> bool:
        done = subprocess.run(["dpkg-query", "-W", "-f=${Status}", package], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
        return done.stdout == "install ok installed"
    return [package for package in packages if not installed(package)]


def install(packages: tuple[str, ...]) -> None:
    """Installs what is missing when we are root, else says the one command to run."""
    wanted = missing(packages)
    if not wanted:
        return
    if os.geteuid() != 0:
        raise NotAvailable(f"run first: sudo apt-get install -y {' '.join(wanted)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    print(f"installing {' '.join(wanted)}", flush=True)
    for words in (["update", "-q"], ["install", "-y", "-q", *wanted]):
        # A failed update may be one foreign source of many, so only the installation decides.
        status = subprocess.run(["apt-get", *words], env=environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL).returncode
    if status:
        raise NotAvailable(f"apt-get could not install {' '.join(wanted)}")


if __name__ == "__main__":
    try:
        install(tuple(sys.argv[1:]))
    except NotAvailable as problem:
        sys.exit(str(problem))
