"""What is installed from a wheel works without the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sample_ledgers import FIRST_MONTH

_CHECKOUT = Path(__file__).parents[2]
_PACKAGES = ("reports_pipeline", "resources", "assets")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the wheel of this checkout is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    source, wheels, target = folder / "source", folder / "wheels", folder / "installed"
    # a copy, since building leaves files in the source folder, and takes them in the next time
    for package in _PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(_CHECKOUT / package, source / package, ignore=ignored)
    for name in ("pyproject.toml", "setup.py", "README.md"):
        shutil.copy(_CHECKOUT / name, source)
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(wheels), cwd=source)
    [wheel] = wheels.iterdir()
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    run("-m", "pip", "install", *options, "--target", str(target), str(wheel), cwd=folder)
    shutil.rmtree(source)
    return target


def run(*arguments: str, cwd: Path, **variables: str) -> str:
    """Run Python in another folder than the checkout's; returns what it prints."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("REPORTS_", "DAGSTER"))}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_file_of_the_packages_is_in_it(installed: Path) -> None:
    files = {
        path.relative_to(_CHECKOUT)
        for package in _PACKAGES
        for path in (_CHECKOUT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for needed in (
        "reports_pipeline/local_dagster.yaml",
        "reports_pipeline/py.typed",
        "reports_pipeline/accounting/default_chart.csv",
        "reports_pipeline/documents/catalogs/ja.po",
        "reports_pipeline/delivery/templates/monthly_reports.html",
        "resources/migrations/versions/0001_ledger.py",
    ):
        assert Path(needed) in files
    assert any(path.suffix == ".ttf" for path in files)
    lacking = {path for path in files if not (installed / path).is_file()}
    assert lacking == set()


def test_nothing_else_is_in_it(installed: Path) -> None:
    assert {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} == {
        *_PACKAGES,
        "bin",
    }
    assert [path.name for path in (installed / "bin").iterdir()] == ["reports"]


def test_the_packages_are_the_installed_ones(installed: Path, tmp_path: Path) -> None:
    program = """
import assets, reports_pipeline, resources
for package in (reports_pipeline, resources, assets):
    print(package.__file__)
"""
    printed = run("-c", program, cwd=tmp_path, PYTHONPATH=str(installed))
    assert printed.split() == [str(installed / package / "__init__.py") for package in _PACKAGES]


def test_a_sample_is_loaded_with_it(installed: Path, tmp_path: Path, database_url: str) -> None:
    printed = run(
        "-m", "reports_pipeline", "ledger", "sample", "--companies", "1", "--months", "1",
        "--lines-per-month", "45", "--last-month", str(FIRST_MONTH),
        cwd=tmp_path, PYTHONPATH=str(installed), REPORTS_DATABASE_URL=database_url,
    )  # fmt: skip
    assert "2025-02 to 2025-02" in printed


def test_dagster_loads_its_definitions_and_nothing_is_started(
    installed: Path, tmp_path: Path
) -> None:
    run(
        "-m", "dagster", "definitions", "validate", "-m", "reports_pipeline.definitions",
        cwd=tmp_path, PYTHONPATH=str(installed),
    )  # fmt: skip
    assert not (tmp_path / "var").exists()


def test_its_files_are_found(installed: Path, tmp_path: Path, database_url: str) -> None:
    program = """
from pathlib import Path
from reports_pipeline.environments import LocalEnvironment, Settings
from reports_pipeline.local import dagster_variables
from reports_pipeline.accounting.charts import default_chart
from reports_pipeline.documents.catalogs import LANGUAGES, catalog
from reports_pipeline.documents.glyphs import printable_characters

environment = LocalEnvironment(Settings.from_environment())
home = Path(dagster_variables(environment)["DAGSTER_HOME"])
assert "REPORTS_DAGSTER_URL" in (home / "dagster.yaml").read_text()
assert all(catalog(language).messages for language in LANGUAGES)
assert default_chart("ja")
assert "髙" in printable_characters()
"""
    run(
        "-c", program,
        cwd=tmp_path, PYTHONPATH=str(installed), REPORTS_DATABASE_URL=database_url,
    )  # fmt: skip
