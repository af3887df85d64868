"""checkov, in a virtual environment of its own: it pins half of what we use to other versions.

Its lock is checkov.txt: `uv pip compile` with the options of the Makefile's LOCK makes it of
checkov.in. The environment is made once, in the user's cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_LOCK = Path(__file__).with_name("checkov.txt")


def failures(*files: Path) -> list[str]:
    """What it finds that is not skipped with a reason: the rule, and the resource."""
    return [
        f"{failed['check_id']} {failed['resource']}: {failed['check_name']}"
        for results in _results(files)
        for failed in [
            *results["failed_checks"],
            *(skipped for skipped in results["skipped_checks"] if not _has_reason(skipped)),
        ]
    ]


def _results(files: Sequence[Path]) -> list[dict[str, Any]]:
    """By framework; every file was read."""
    named = [argument for file in files for argument in ("-f", str(file))]
    frameworks = ["--framework", "cloudformation", "dockerfile"]
    done = subprocess.run(
        [_program(), "--skip-download", "--output", "json", *frameworks, *named],
        env={**os.environ, "BC_SKIP_MAPPING": "TRUE", "CHECKOV_RUN_SCA_PACKAGE_SCAN_V2": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    frameworks_found = json.loads(done.stdout)
    assert {each["check_type"] for each in frameworks_found} == {"cloudformation", "dockerfile"}
    results = [each["results"] for each in frameworks_found]
    assert [file for each in results for file in each["parsing_errors"]] == []
    # What is no template to it is no error either.
    read = {check["file_abs_path"] for each in results for check in each["passed_checks"]}
    assert read == {str(file) for file in files}
    return results


def _has_reason(skipped: dict[str, Any]) -> bool:
    # The words are checkov's, where there are none.
    return skipped["check_result"]["suppress_comment"] not in ("", "No comment provided")


def _program() -> Path:
    digest = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "financeflow-reports" / f"checkov-{sys.version_info.minor}-{digest}"
    complete = home / "complete"
    if not complete.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        options = ["--quiet", "--disable-pip-version-check", "--no-compile", "--no-deps"]
        subprocess.run(
            [home / "bin" / "pip", "install", *options, "--require-hashes", "-r", _LOCK], check=True
        )
        complete.touch()
    return home / "bin" / "checkov"
