"""A company's branding is effective-dated, checked when it is set, and again when it is used."""

from __future__ import annotations

import threading

import psycopg
import pytest

from reports_pipeline.accounting.periods import Month
from reports_pipeline.documents.branding import (
    HOUSE_BRANDING,
    Branding,
    BrandingCode,
    BrandingError,
    Template,
)
from reports_pipeline.documents.logos import read_logo
from resources.brandings import BrandingChange, Brandings, LogoUpload
from tests.documents.pictures import PNG_LOGO, SVG_LOGO

JULY, AUGUST, OCTOBER, DECEMBER = (Month(2026, month) for month in (7, 8, 10, 12))
SVG = LogoUpload("青葉.svg", SVG_LOGO)
PNG = LogoUpload("aoba.png", PNG_LOGO)
WINE, GREEN = "7A1F3D", "1E5631"


@pytest.fixture
def brandings(database_url: str) -> Brandings:
    return Brandings(database_url)


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


def set_from(brandings: Brandings, month: Month, change: BrandingChange) -> Branding:
    return brandings.set("t0001", change, effective_from=month, set_by="sato")


def used(brandings: Brandings, month: Month) -> Branding:
    found, faults = brandings.of(["t0001"], month)
    assert faults == {}
    return found["t0001"]


def write(url: str, statement: str, *values: object) -> None:
    with psycopg.connect(url) as connection:
        assert connection.execute(statement, values).rowcount == 1


def test_who_set_none_has_the_houses(brandings: Brandings) -> None:
    assert brandings.of(["t0001", "t0002"], OCTOBER) == (
        {"t0001": HOUSE_BRANDING, "t0002": HOUSE_BRANDING},
        {},
    )
    assert brandings.of([], OCTOBER) == ({}, {})
    assert brandings.history() == {}


def test_what_was_set_is_what_documents_have(brandings: Brandings) -> None:
    branding = set_from(brandings, OCTOBER, BrandingChange("classic", f"#{WINE.lower()}", SVG))
    assert branding == Branding(1, Template.CLASSIC, WINE, read_logo(SVG_LOGO))
    assert used(brandings, OCTOBER) == branding
    found, _ = brandings.of(["t0001", "t0002"], DECEMBER)
    assert found == {"t0001": branding, "t0002": HOUSE_BRANDING}


def test_a_branding_holds_from_its_month_on_and_the_latest_month_wins(
    brandings: Brandings,
) -> None:
    for month, template in ((OCTOBER, "bold"), (JULY, "classic"), (OCTOBER, "modern")):
        set_from(brandings, month, BrandingChange(template))
    versions = {month: used(brandings, month).version for month in (JULY, AUGUST, OCTOBER)}
    assert versions == {JULY: 2, AUGUST: 2, OCTOBER: 3}
    assert used(brandings, JULY.plus(-1)) == HOUSE_BRANDING

    [history] = brandings.history(["t0001"]).values()
    assert [(e.version, e.effective_from, e.template) for e in history] == [
        (1, OCTOBER, "bold"), (2, JULY, "classic"), (3, OCTOBER, "modern"),
    ]  # fmt: skip
    in_effect = [
        brandings.in_effect(["t0001", "t0002"], month)
        for month in (JULY.plus(-1), AUGUST, DECEMBER)
    ]
    assert in_effect == [{}, {"t0001": 2}, {"t0001": 3}]


def test_what_is_not_given_stays_as_it_was_in_that_month(brandings: Brandings) -> None:
    set_from(brandings, JULY, BrandingChange("classic", WINE, SVG))
    set_from(brandings, DECEMBER, BrandingChange("bold", GREEN, without_logo=True))
    branding = set_from(brandings, OCTOBER, BrandingChange(accent=GREEN))
    assert branding == Branding(3, Template.CLASSIC, GREEN, read_logo(SVG_LOGO))
    assert used(brandings, DECEMBER) == Branding(2, Template.BOLD, GREEN, None)
    assert set_from(brandings, OCTOBER, BrandingChange(logo=PNG)).logo == read_logo(PNG_LOGO)
    assert set_from(brandings, OCTOBER, BrandingChange(without_logo=True)).logo is None
    names = [entry.logo_file_name for entry in brandings.history()["t0001"]]
    assert names == ["青葉.svg", None, "青葉.svg", "aoba.png", None]


def test_a_change_can_be_seen_before_it_is_set(brandings: Brandings) -> None:
    set_from(brandings, JULY, BrandingChange("classic"))
    changed = brandings.changed("t0001", BrandingChange(logo=PNG), OCTOBER)
    assert changed == Branding(1, Template.CLASSIC, HOUSE_BRANDING.accent, read_logo(PNG_LOGO))
    assert used(brandings, OCTOBER).logo is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (BrandingChange(template="plain"), BrandingCode.TEMPLATE_UNKNOWN),
        (BrandingChange(template=""), BrandingCode.TEMPLATE_UNKNOWN),
        (BrandingChange(accent="red"), BrandingCode.ACCENT_MALFORMED),
        (BrandingChange(accent=""), BrandingCode.ACCENT_MALFORMED),
        (BrandingChange(accent="#FFCC00"), BrandingCode.ACCENT_UNREADABLE),
        (BrandingChange(logo=LogoUpload("logo.png", b"")), BrandingCode.LOGO_UNREADABLE),
    ],
)
def test_what_cannot_be_used_is_not_set(
    brandings: Brandings, change: BrandingChange, code: BrandingCode
) -> None:
    set_from(brandings, JULY, BrandingChange("bold"))
    with pytest.raises(BrandingError) as refused:
        set_from(brandings, OCTOBER, change)
    assert refused.value.code is code
    assert used(brandings, OCTOBER).version == 1


def test_the_upload_is_kept_as_it_came(brandings: Brandings, url: str) -> None:
    set_from(brandings, JULY, BrandingChange(logo=SVG))
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select logo, logo_png, set_by, set_at > now() - interval '1 hour'"
            " from reporting.brandings"
        ).fetchone()
    assert row == (SVG_LOGO, read_logo(SVG_LOGO).png, "sato", True)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("template = 'MODERN'", BrandingCode.TEMPLATE_UNKNOWN),
        ("accent = 'url(x)'", BrandingCode.ACCENT_MALFORMED),
        ("accent = 'FFFFFF'", BrandingCode.ACCENT_UNREADABLE),
        ("logo_png = logo", BrandingCode.LOGO_ALTERED),
        ("logo_png = substring(logo_png for 50)", BrandingCode.LOGO_ALTERED),
        ("logo_png = logo, logo_png_sha256 = encode(sha256(logo), 'hex')",
         BrandingCode.LOGO_ALTERED),
    ],
)  # fmt: skip
def test_what_was_written_by_other_means_falls_back_to_the_houses(
    brandings: Brandings, url: str, written: str, code: BrandingCode
) -> None:
    set_from(brandings, JULY, BrandingChange(logo=SVG))
    sound = brandings.set("t0002", BrandingChange("bold"), effective_from=JULY, set_by="sato")
    write(url, f"update reporting.brandings set {written} where tenant_id = 't0001'")
    found, faults = brandings.of(["t0001", "t0002"], OCTOBER)
    assert found == {"t0001": HOUSE_BRANDING, "t0002": sound}
    assert {tenant_id: fault.code for tenant_id, fault in faults.items()} == {"t0001": code}
    [entry] = brandings.history(["t0001"])["t0001"]
    assert entry.fault is not None
    assert entry.fault.code is code


@pytest.mark.parametrize("mending", [BrandingChange(logo=SVG), BrandingChange(without_logo=True)])
def test_an_altered_logo_is_mended_by_another_or_none_and_nothing_else(
    brandings: Brandings, url: str, mending: BrandingChange
) -> None:
    set_from(brandings, JULY, BrandingChange(logo=SVG))
    write(url, "update reporting.brandings set logo_png = logo")
    with pytest.raises(BrandingError) as refused:
        set_from(brandings, JULY, BrandingChange("bold"))
    assert refused.value.code is BrandingCode.LOGO_ALTERED
    branding = set_from(brandings, JULY, mending)
    assert branding.logo == (None if mending.without_logo else read_logo(SVG_LOGO))
    assert used(brandings, JULY) == branding


def test_a_logo_is_whole_and_small_in_the_table(brandings: Brandings, url: str) -> None:
    set_from(brandings, JULY, BrandingChange(logo=SVG))
    for written in (
        "logo = null",
        "logo_png_sha256 = null",
        "logo_png = convert_to(repeat('x', 1024 * 1024 + 1), 'UTF8')",
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            write(url, f"update reporting.brandings set {written}")


def test_who_set_at_the_same_time_take_turns(brandings: Brandings, url: str) -> None:
    templates = ["bold", "classic", "modern", "bold"]
    threads = [
        threading.Thread(
            target=set_from, args=[Brandings(url), JULY, BrandingChange(template=template)]
        )
        for template in templates
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history = brandings.history(["t0001"])["t0001"]
    assert [entry.version for entry in history] == [1, 2, 3, 4]
    assert sorted(entry.template for entry in history) == sorted(templates)
