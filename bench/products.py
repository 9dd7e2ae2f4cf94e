"""What a build made: the files that are compared."""
import hashlib
import os
import pathlib

from projects import Project

COMPARED = (".o", ".lo", ".obj", ".d", ".Po", ".Plo", ".rlib", ".rmeta", ".so")


def products(tree: pathlib.Path, project: Project) -> list[pathlib.Path]:
    found = []
    for folder, _, names in os.walk(tree / project.objects):
        files = [pathlib.Path(folder, name) for name in names]
        is_left = project.left and "out" in pathlib.Path(folder).relative_to(tree).parts
        found += [file for file in files if file.name.endswith(COMPARED) or is_left and file.is_file() or is_linked(file, project)]
    return sorted(found)


def is_linked(file: pathlib.Path, project: Project) -> bool:
    """Whether it is a program made by cargo."""
    return project.cargo and not file.suffix and file.is_file() and os.access(file, os.X_OK)


def digests(tree: pathlib.Path, project: Project) -> dict[str, str]:
    return {str(file.relative_to(tree)): hashlib.sha256(file.read_bytes()).hexdigest() for file in products(tree, project)}
