"""Files that must not exist yet, written whole or not at all, and folders for them."""

from __future__ import annotations

import os
import tempfile
from itertools import takewhile
from pathlib import Path


def make_folder(path: Path, *, mode: int = 0o700) -> None:
    """Make a folder and those above it that are missing, each with `mode`: by default for nobody
    but its owner. Folders that are there stay as they are."""
    missing = takewhile(lambda folder: not folder.exists(), (path, *path.parents))
    for folder in reversed(list(missing)):
        folder.mkdir(mode=mode, exist_ok=True)


def write_new_file(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write `content` to `path`, which has `mode` from the beginning, making its folder for the
    owner.

    Linking a finished file is atomic and refuses to overwrite, so that neither a killed process
    nor a second writer can leave half a file.

    Raises:
        FileExistsError: there is such a file; it stays as it is.
    """
    make_folder(path.parent)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".") as staging:
        staging.write(content)
        staging.flush()
        os.fchmod(staging.fileno(), mode)
        os.link(staging.name, path)
