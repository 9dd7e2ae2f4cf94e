"""Where the source of a project comes from."""
import pathlib

import crates
import debian
import pypi
from projects import Project


def fetch(project: Project, folder: pathlib.Path) -> None:
    """The source in `folder/SOURCE/pristine`, and what cargo needs in its own folder."""
    place = debian if not project.cargo else pypi if project.source.startswith("pypi/") else crates
    place.fetch_source(project.source, folder)
