"""Sources of Rust programs that PyPI carries: libraries for Python and their workspaces, with their Cargo.lock."""
import json
import pathlib
import re
import shutil
import subprocess
import tarfile
import urllib.parse
import urllib.request

from crates import fetch_needed
from debian import NotAvailable


def index() -> str:
    """The package index that pip uses."""
    done = subprocess.run(["pip", "config", "get", "global.index-url"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True)
    return done.stdout.strip().rstrip("/") or "https://pypi.org/simple"


def links(name: str) -> list[str]:
    """Addresses of all files of a package. An index answers in JSON (PEP 691) or HTML (PEP 503)."""
    page = f"{index()}/{name}/"
    wanted = {"Accept": "application/vnd.pypi.simple.v1+json, text/html;q=0.5"}
    with urllib.request.urlopen(urllib.request.Request(page, headers=wanted), timeout=60) as answer:
        text, kind = answer.read().decode(), answer.headers.get_content_type()
    found = [file["url"] for file in json.loads(text)["files"]] if "json" in kind else re.findall(r'href="([^"#]+)', text)
    return [urllib.parse.urljoin(page, link) for link in found]


def fetch_source(source: str, folder: pathlib.Path) -> None:
    """The source of `pypi/NAME@VERSION` in `folder/SOURCE/pristine`, and all that it depends on in cargo's own folder."""
    home = folder / source
    if (home / "pristine").exists():
        return
    name, version = source.removeprefix("pypi/").split("@")
    archive = f"{name.replace('-', '_')}-{version}.tar.gz"
    new = home / "new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        link = next(link for link in links(name) if link.split("#")[0].endswith(archive))
        with urllib.request.urlopen(link, timeout=300) as answer, tarfile.open(fileobj=answer, mode="r|gz") as packed:
            packed.extractall(new, filter="data")
    except (OSError, StopIteration, tarfile.TarError) as problem:
        raise NotAvailable(f"{archive} cannot be had from the package index: {problem!r}") from problem
    (inside,) = new.iterdir()
    fetch_needed(inside)
    inside.rename(home / "pristine")
