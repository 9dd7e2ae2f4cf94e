"""Sources of programs on crates.io, by cargo itself."""
import os
import pathlib
import shutil
import subprocess

from debian import NotAvailable


def cargo(folder: pathlib.Path, *words: str) -> str:
    """Output of a call of cargo."""
    done = subprocess.run(["cargo", *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise NotAvailable(f"`cargo {' '.join(words)}` failed: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout


def fetch_needed(folder: pathlib.Path) -> None:
    """All that the package or workspace in `folder` depends on; it becomes no part of a workspace that lies around it."""
    manifest = folder / "Cargo.toml"
    if "[workspace]" not in manifest.read_text():
        with manifest.open("a") as text:
            text.write("\n[workspace]\n")
    cargo(folder, "fetch", "--locked")


def fetch_source(source: str, folder: pathlib.Path) -> None:
    """The source of NAME@VERSION in `folder/SOURCE/pristine`, and all that it depends on in cargo's own folder."""
    home = folder / source
    pristine = home / "pristine"
    if pristine.exists():
        return
    name, version = source.split("@")
    # cargo downloads what some package depends on: one of our own does.
    asking = home / "asking"
    shutil.rmtree(asking, ignore_errors=True)
    (asking / "src").mkdir(parents=True)
    (asking / "src" / "lib.rs").touch()
    (asking / "Cargo.toml").write_text(f'[package]\nname = "asking"\nversion = "0.1.0"\n[workspace]\n'
                                       f'[dependencies]\n{name} = "={version}"\n')
    cargo(asking, "fetch")
    registry = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo")) / "registry" / "src"
    found = sorted(registry.glob(f"*/{name}-{version}"))
    if not found:
        raise NotAvailable(f"cargo did not leave {name} {version} in its registry")
    shutil.rmtree(home / "new", ignore_errors=True)
    shutil.copytree(found[0], home / "new", symlinks=True)
    fetch_needed(home / "new")
    (home / "new").rename(pristine)
