"""A project's build tree, always at the same path, whoever compiles in it."""
import os
import pathlib
import shutil
import subprocess
import time

from launchers import TARGET, Launcher
from products import digests, products
from projects import Project

FOLDER = TARGET / "projects"
DISCARDED = FOLDER / "discarded"
OBJECTS = (".o", ".obj", ".rlib", ".rmeta", ".so")
COMPILERS = {"gcc": ("gcc", "g++"), "clang": ("clang", "clang++")}


def discard(path: pathlib.Path) -> None:
    """Puts a folder out of the way, to be removed at the end: ext4 looks for an unused inode longer where many were freed
    within the last minutes, which is nothing that a build is slow by."""
    if path.exists():
        DISCARDED.mkdir(parents=True, exist_ok=True)
        path.rename(DISCARDED / str(time.monotonic_ns()))


class BuildFailed(Exception):
    """A command of the project failed; the text names its log."""


class Tree:
    """One build tree, always at the same path."""

    def __init__(self, project: Project, options, launcher: Launcher):
        self.project, self.launcher = project, launcher
        self.home = FOLDER / project.source
        self.path = self.home / "tree"
        prefix = " ".join(launcher.argv)
        cc, cxx = COMPILERS[options.compiler]
        self.env = {**launcher.environment(), **project.env, "JOBS": str(options.jobs), "LC_ALL": "C"}
        if options.scripts:
            self.env["CACHEPOT_BUILD_SCRIPTS"] = "1"
        self.env |= {"CC": cc, "CXX": cxx, "LAUNCH": "", "GIT_CEILING_DIRECTORIES": str(FOLDER)}
        if prefix and project.cargo:
            self.env |= {"RUSTC_WRAPPER": prefix, "CC": f"{prefix} {cc}", "CXX": f"{prefix} {cxx}"}
        elif prefix and project.cmake:
            self.env["LAUNCH"] = f"-DCMAKE_C_COMPILER_LAUNCHER={prefix} -DCMAKE_CXX_COMPILER_LAUNCHER={prefix}"
        elif prefix:
            self.env |= {"CC": f"{prefix} {cc}", "CXX": f"{prefix} {cxx}"}

    def fresh(self) -> None:
        """A new copy of the source, configured."""
        discard(self.path)
        shutil.copytree(self.home / "pristine", self.path, symlinks=True)
        self.shell(self.project.configure)

    def shell(self, command: str) -> float:
        """Runs a command of the project; returns seconds."""
        log = self.home / f"{self.launcher.name}.log"
        start = time.monotonic()
        with log.open("w") as out:
            status = subprocess.run(["sh", "-e", "-c", command], cwd=self.path, env=self.env, stdin=subprocess.DEVNULL,
                                    stdout=out, stderr=out).returncode
        if status:
            raise BuildFailed(f"`{command.strip()}` ended with {status}: see {log}")
        return time.monotonic() - start

    def build(self) -> float:
        return self.shell(self.project.build)

    def digests(self) -> dict[str, str]:
        return digests(self.path, self.project)

    def stamps(self) -> dict[str, int]:
        return {str(file): file.stat().st_mtime_ns for file in products(self.path, self.project) if file.suffix in OBJECTS}

    def touch_header(self) -> None:
        os.utime(self.path / self.project.header)
