"""`reports branding …` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from pypdf import PdfReader

from reports_pipeline.accounting.periods import Month
from reports_pipeline.branding_cli import branding_commands
from reports_pipeline.documents.document import PDF_NAMES, WORKBOOK_NAMES
from reports_pipeline.documents.logos import MOST_UPLOADED_BYTES, read_logo
from reports_pipeline.environments import LocalEnvironment, Settings
from reports_pipeline.operator_name import operator_name
from reports_pipeline.tokyo import last_month
from resources.brandings import BrandingChange, Brandings, LogoUpload
from tests.documents.pictures import PNG_LOGO, SVG_LOGO
from tests.sample_ledgers import APRIL


@pytest.fixture
def url(sample_url: str) -> str:
    return sample_url


@pytest.fixture
def svg(tmp_path: Path) -> str:
    path = tmp_path / "青葉.svg"
    path.write_bytes(SVG_LOGO)
    return str(path)


def run(url: str, *arguments: str) -> Result:
    environment = LocalEnvironment(Settings.from_environment({"REPORTS_DATABASE_URL": url}))
    return CliRunner().invoke(branding_commands, arguments, obj=environment)


def set_branding(url: str, *options: str) -> Result:
    return run(url, "set", "--tenant", "t0001", *options)


def output(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


def test_a_branding_is_set_piece_by_piece(url: str, svg: str) -> None:
    first = last_month()
    assert output(set_branding(url, "--template", "bold", "--logo", svg)) == (
        f"t0001: version 1 from {first} on: bold, #1F4E79, logo of 600 x 100 pixels\n"
    )
    assert output(set_branding(url, "--accent", "#7a1f3d")) == (
        f"t0001: version 2 from {first} on: bold, #7A1F3D, logo of 600 x 100 pixels\n"
    )
    assert output(set_branding(url, "--no-logo")) == (
        f"t0001: version 3 from {first} on: bold, #7A1F3D, no logo\n"
    )


def test_a_later_branding_ends_one_that_is_set_before_it(url: str) -> None:
    set_branding(url, "--from", "2026-10", "--template", "bold")
    set_branding(url, "--from", "2026-08", "--template", "bold")
    set_branding(url, "--from", "2026-08", "--template", "modern")
    assert output(set_branding(url, "--from", "2026-05", "--template", "classic")) == (
        "t0001: version 4 from 2026-05 on until 2026-08, when version 3 begins:"
        " classic, #1F4E79, no logo\n"
    )


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--accent", "#FFCC00"], "ACCENT_UNREADABLE: 色 #FFCC00 "),
        (["--accent", "yellow"], "ACCENT_MALFORMED: 色 'yellow' "),
        (["--accent", ""], "ACCENT_MALFORMED: "),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_code(
    url: str, options: list[str], code: str
) -> None:
    result = set_branding(url, *options)
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {code}")
    assert Brandings(url).history() == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"\0" * MOST_UPLOADED_BYTES, "LOGO_TOO_LARGE: "),
        (PNG_LOGO[:60], "LOGO_UNREADABLE: "),
        (SVG_LOGO.replace(b"<rect", b"\n<script/><rect"),
         "LOGO_UNSAFE: ロゴのSVGの 2 行目に、図形以外のもの（<script>）"),
    ],
)  # fmt: skip
def test_a_logo_that_cannot_be_used_is_refused(
    url: str, tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "logo.png"
    path.write_bytes(content)
    result = set_branding(url, "--logo", str(path))
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {message}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["set", "--tenant", "t0001"], "Give one of --template, --accent, --logo and --no-logo."),
        (["set", "--tenant", "t0001", "--logo", "LOGO", "--no-logo"], "not both"),
        (["set", "--tenant", "t0001", "--logo", "nowhere.png"], "No such file"),
        (["set", "--tenant", "t0001", "--template", "plain"], "'modern', 'classic', 'bold'"),
        (["set", "--tenant", "t0001", "--from", "2026", "--no-logo"], "not a month"),
        (["set", "--tenant", "nobody", "--no-logo"], "no such tenants: nobody"),
        (["show", "--tenant", "nobody"], "no such tenants: nobody"),
        (["preview", "--tenant", "nobody", "--month", "2025-04", "--out", "x"],
         "no such tenants: nobody"),
    ],
)  # fmt: skip
def test_what_is_mistyped_is_told(url: str, svg: str, arguments: list[str], message: str) -> None:
    result = run(url, *[svg if argument == "LOGO" else argument for argument in arguments])
    assert result.exit_code != 0
    assert message in result.output
    assert Brandings(url).history() == {}


def test_the_brandings_of_a_company_are_listed(url: str, svg: str) -> None:
    first = last_month()
    set_branding(url, "--template", "bold", "--logo", svg)
    set_branding(url, "--from", str(first.plus(3)), "--accent", "#1E5631")
    with psycopg.connect(url) as connection:
        connection.execute("update reporting.brandings set accent = 'FFFFFF' where version = 2")
    head, current, later, fault = output(run(url, "show", "--tenant", "t0001")).splitlines()
    assert head == "t0001"
    assert current.startswith(f"* 1   from {first}  bold      #1F4E79  ")
    assert current.endswith(f" Tokyo by {operator_name()}  青葉.svg")
    assert later.startswith(f"  2   from {first.plus(3)}  bold      #FFFFFF  ")
    assert fault.startswith("      not used: ACCENT_UNREADABLE: ")


def test_who_has_no_branding_has_the_houses(url: str) -> None:
    assert output(run(url, "show")) == "no company has a branding of its own\n"
    shown = output(run(url, "show", "--tenant", "t0002,t0003"))
    assert shown == "t0002\n  the house's branding\nt0003\n  the house's branding\n"
    set_branding(url, "--template", "bold")
    assert output(run(url, "show")).splitlines()[0] == "t0001"


def test_brandings_are_listed_for_programs(url: str, svg: str) -> None:
    set_branding(url, "--from", "2026-08", "--logo", svg)
    [entry] = json.loads(output(run(url, "show", "--json")))["brandings"]
    assert entry.pop("set_at").endswith("+00:00")
    assert entry == {
        "tenant_id": "t0001", "version": 1, "effective_from": "2026-08", "template": "modern",
        "accent": "1F4E79", "logo_file_name": "青葉.svg", "set_by": operator_name(), "fault": None,
    }  # fmt: skip
    assert json.loads(output(run(url, "show", "--tenant", "t0002", "--json"))) == {"brandings": []}


def preview(url: str, folder: Path, *options: str) -> list[str]:
    arguments = ["preview", "--tenant", "t0001", "--month", str(APRIL), "--out", str(folder)]
    return output(run(url, *arguments, *options)).splitlines()


def test_a_preview_writes_every_document_and_stores_nothing(
    url: str, svg: str, tmp_path: Path
) -> None:
    folder = tmp_path / "a" / "preview"
    head, *files = preview(url, folder, "--logo", svg, "--accent", "#7A1F3D")
    assert head == "t0001 2025-04: modern, #7A1F3D, logo of 600 x 100 pixels"
    assert files == [str(path) for path in map(Path, files)]
    assert {*PDF_NAMES, *WORKBOOK_NAMES} <= {Path(file).name for file in files}
    for file in files:
        assert Path(file).parent == folder
        assert Path(file).stat().st_size > 1000
    text = PdfReader(folder / "income_statement.pdf").pages[0].extract_text()
    assert "PREVIEW" in text
    assert Brandings(url).history() == {}
    with psycopg.connect(url) as connection:
        assert connection.execute("select from reporting.documents").fetchall() == []


def test_a_preview_shows_the_branding_of_its_month(url: str, tmp_path: Path) -> None:
    brandings = Brandings(url)
    logo = LogoUpload("logo.png", PNG_LOGO)
    brandings.set("t0001", BrandingChange("bold", logo=logo), effective_from=APRIL, set_by="sato")
    later = Month(2025, 5)
    brandings.set("t0001", BrandingChange("classic"), effective_from=later, set_by="sato")
    head, *_ = preview(url, tmp_path / "own")
    size = read_logo(PNG_LOGO)
    assert head == f"t0001 2025-04: bold, #1F4E79, logo of {size.width} x {size.height} pixels"
    preview(url, tmp_path / "house", "--no-logo", "--template", "modern")
    own, house = (
        (tmp_path / name / "income_statement.pdf").read_bytes() for name in ("own", "house")
    )
    assert own != house


@pytest.mark.parametrize(
    ("written", "code"),
    [("logo_png = logo", "LOGO_ALTERED"), ("accent = 'FFFFFF'", "ACCENT_UNREADABLE")],
)
def test_a_preview_shows_that_the_month_would_get_the_houses_and_why(
    url: str, svg: str, tmp_path: Path, written: str, code: str
) -> None:
    preview(url, tmp_path / "house")
    set_branding(url, "--from", str(APRIL), "--template", "bold", "--logo", svg)
    with psycopg.connect(url) as connection:
        connection.execute(f"update reporting.brandings set {written}")
    head, fault, *files = preview(url, tmp_path / "own")
    assert head == "t0001 2025-04: modern, #1F4E79, no logo"
    assert fault.startswith(f"the company's own branding is not used: {code}: ")
    for file in map(Path, files):
        assert file.read_bytes() == (tmp_path / "house" / file.name).read_bytes()


def test_a_month_without_reports_has_no_preview(url: str, tmp_path: Path) -> None:
    month = str(APRIL.plus(-12))
    arguments = ["preview", "--tenant", "t0001", "--month", month, "--out", str(tmp_path)]
    result = run(url, *arguments)
    assert result.exit_code == 1
    assert result.output.startswith("Error: MONTH_EMPTY: ")
    assert list(tmp_path.iterdir()) == []
