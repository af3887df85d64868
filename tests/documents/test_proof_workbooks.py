"""Whoever calculates the workbooks of odd tenants anew finds what they show."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reports_pipeline.documents.bundle import render_workbooks
from tests.documents.varied_tenants import varied_tenant
from tests.documents.workbook.test_render import cells_of, without_cached_values
from tests.programs import require_program

REFERENCE = "8f14e45fceea167a"
# Among them are dollars, dinars of 1,000 fils, thousands, losses, a month in which nothing
# happened, copies in another language and claims whose texts look like formulas.
TENANTS = (2, 4, 7, 12, 13, 29, 39, 64, 87, 94, 127, 199)


def test_libreoffice_computes_what_the_files_say(tmp_path: Path) -> None:
    soffice = require_program("soffice")
    shown = {}
    for number in TENANTS:
        for document in render_workbooks(varied_tenant(number), REFERENCE):
            path = tmp_path / f"{number}_{document.name}"
            path.write_bytes(without_cached_values(document.content))
            shown[path] = cells_of(document.content)
    output = tmp_path / "recalculated"
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = [soffice, profile, "--headless", "--convert-to", "xlsx", "--outdir", str(output)]
    subprocess.run([*command, *map(str, shown)], check=True, capture_output=True, timeout=300)

    for path, expected in shown.items():
        computed = cells_of((output / path.name).read_bytes())
        assert computed.keys() == expected.keys(), path.name
        for place, value in expected.items():
            if isinstance(value, int | float):
                assert computed[place] == pytest.approx(value, rel=1e-12, abs=1e-6), (path, place)
            else:
                assert computed[place] == value, (path.name, place)
