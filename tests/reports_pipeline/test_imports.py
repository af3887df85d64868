"""What each run, each code server and each command pays for before it begins."""

from __future__ import annotations

import os
import subprocess
import sys

# What draws documents is for the process that draws them: 0.15 s and 20 MB.
FOR_DRAWING = {"openpyxl", "reportlab", "resvg_py"}


def test_nothing_that_draws_is_imported_by_who_draws_nothing() -> None:
    program = """
import sys
import reports_pipeline.cli, reports_pipeline.definitions
print(*{name.partition(".")[0] for name in sys.modules})
"""
    variables = {n: v for n, v in os.environ.items() if not n.startswith("REPORTS_")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True
    )
    imported = set(done.stdout.split())
    assert "dagster" in imported
    assert imported & FOR_DRAWING == set()
