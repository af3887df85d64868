"""Writing a file that must not exist yet, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_new_file(path: Path, content: bytes) -> None:
    """Write `content` to `path`, making its folder.

    Linking a finished file is atomic and refuses to overwrite, so that neither a killed process
    nor a second writer can leave half a file.

    Raises:
        FileExistsError: there is such a file; it stays as it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".") as staging:
        staging.write(content)
        staging.flush()
        os.fchmod(staging.fileno(), 0o644)
        os.link(staging.name, path)
