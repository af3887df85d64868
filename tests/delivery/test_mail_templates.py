"""Variants of the mails' texts; one that is broken says where, and stops nobody else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reports_pipeline.accounting.failures import FailureCode, TenantFailureError
from reports_pipeline.delivery.messages import Envelope, MailSettings, build_message
from reports_pipeline.documents.catalogs import LANGUAGES, failure_text
from tests.delivery.examples import LETTER, OCTOBER, SATO
from tests.delivery.test_messages import ATTACHMENTS, SENT_AT, received, text

HOUSE = "月次レポートをお届けします。"


def write(folder: Path, name: str, source: str | bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(source.encode() if isinstance(source, str) else source)


def bodies(
    folder: Path | None = None,
    *,
    tenant_id: str = "t0001",
    plan: str = "standard",
    language: str = "ja",
) -> tuple[str, str]:
    """Text and HTML of a mail."""
    message = received(
        build_message(
            replace(LETTER, plan=plan, language=language),
            ATTACHMENTS,
            envelope=Envelope(tenant_id, OCTOBER, 1, recipient_no=1),
            recipient=SATO,
            settings=MailSettings(templates=folder),
            sent_at=SENT_AT,
        )
    )
    return text(message), text(message, "html")


def opening(words: str, base: str = "monthly_reports.txt") -> str:
    return f'{{% extends "{base}" %}}{{% block opening %}}{words}{{% endblock %}}'


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ja", ["プレミアムプラン", "経営コメント」を掲載", "経営コメントについてのお問い合わせ"]),
        (
            "en",
            ["FinanceFlow Premium", "management comments, which", "Questions about the figures"],
        ),
    ],
)
def test_premium_companies_read_of_their_comments(language: str, words: list[str]) -> None:
    for premium, standard in zip(
        bodies(plan="premium", language=language), bodies(language=language), strict=True
    ):
        assert all(each in premium for each in words)
        assert not any(each in standard for each in words)
        assert "△98,765円" in premium  # all else is as in the house's
    assert bodies(plan="light", language=language) == bodies(language=language)


def test_a_company_has_a_variant_before_its_plan_and_that_before_the_house(tmp_path: Path) -> None:
    write(tmp_path, "monthly_reports.txt", opening("OF THE HOUSE", "package/monthly_reports.txt"))
    write(tmp_path, "plans/light/monthly_reports.txt", opening("OF THE PLAN"))
    write(tmp_path, "tenants/t0002/monthly_reports.txt", opening("OF THE COMPANY"))
    assert "OF THE HOUSE" in bodies(tmp_path)[0]
    assert "OF THE PLAN" in bodies(tmp_path, plan="light")[0]
    assert "OF THE COMPANY" in bodies(tmp_path, plan="light", tenant_id="t0002")[0]
    # what has no variant in the folder comes from the package
    assert "プレミアムプラン" in bodies(tmp_path, plan="premium")[0]
    assert HOUSE in bodies(tmp_path, plan="light", tenant_id="t0002")[1]


def test_a_variant_of_a_plan_builds_on_the_folders_own_base(tmp_path: Path) -> None:
    base = '{% extends "package/monthly_reports.html" %}{% block figures %}NO FIGURES{% endblock %}'
    write(tmp_path, "monthly_reports.html", base)
    html = bodies(tmp_path, plan="premium")[1]
    assert "NO FIGURES" in html
    assert "プレミアムプラン" in html


def test_a_variant_that_was_mended_is_used_at_once(tmp_path: Path) -> None:
    write(tmp_path, "plans/light/monthly_reports.txt", opening("{{ mont }}"))
    with pytest.raises(TenantFailureError):
        bodies(tmp_path, plan="light")
    write(tmp_path, "plans/light/monthly_reports.txt", opening("{{ month }} !"))
    assert "2026年10月度 !" in bodies(tmp_path, plan="light")[0]


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        (opening("\n{{ lettre.plan }}"), 2, "'lettre' is undefined"),
        (opening("\n\n{{ letter.nickname }}"), 3, "no attribute 'nickname'"),
        (opening("{% if letter.plan %}"), 1, "endblock"),
        ("\n{{ 1 +", 2, "unexpected"),
        ('{% extends "monthly_report.txt" %}', 1, "monthly_report.txt"),
        ('{% extends "tenants/t0001/monthly_reports.txt" %}', 1, "recursion"),
        (opening('{{ text("mail.openning") }}'), 1, "mail.openning"),
        (opening("{{ 1 / 0 }}"), 1, "division by zero"),
        (opening("{{ letter.__class__.__mro__ }}"), 1, "unsafe"),
        (opening("{{ ''.__class__.__base__.__subclasses__() }}"), 1, "unsafe"),
        (opening("{% for i in range(10**9) %}{% endfor %}"), 1, "Range too big"),
        (b"\x93\xfa\x96\x7b", "—", "utf-8"),
        (
            '{% extends "monthly_reports.txt" %}\n{% block openning %}hello{% endblock %}',
            2,
            "no block 'openning' in what it extends, which has contact, documents, figures, note, "
            "notices, opening",
        ),
        ("{% block openning %}x{% endblock %}{% extends 'monthly_reports.txt' %}", 1, "openning"),
        ("", 1, "empty mail"),
        ("{% set words = 'hello' %}\n \n", 1, "empty mail"),
    ],
)
def test_a_broken_variant_fails_its_company_and_says_where(
    tmp_path: Path, source: str | bytes, line: int | str, reason: str
) -> None:
    write(tmp_path, "tenants/t0001/monthly_reports.txt", source)
    with pytest.raises(TenantFailureError) as raised:
        bodies(tmp_path)
    failure = raised.value.failure
    assert (failure.tenant_id, failure.code) == ("t0001", FailureCode.TEMPLATE_UNUSABLE)
    assert failure.details["template"] == "tenants/t0001/monthly_reports.txt"
    assert failure.details["line"] == line
    assert reason in str(failure.details["reason"])
    for language in LANGUAGES:
        assert "tenants/t0001/monthly_reports.txt" in failure_text(failure, language)
    assert HOUSE in bodies(tmp_path, tenant_id="t0002")[0]


def test_a_block_within_a_block_is_replaced_by_a_variant_of_the_variant(tmp_path: Path) -> None:
    plan = opening("A {% block word %}B{% endblock %}")
    write(tmp_path, "plans/light/monthly_reports.txt", plan)
    word = '{% extends "plans/light/monthly_reports.txt" %}{% block word %}C{% endblock %}'
    write(tmp_path, "tenants/t0001/monthly_reports.txt", word)
    assert "A B" in bodies(tmp_path, plan="light", tenant_id="t0002")[0]
    assert "A C" in bodies(tmp_path, plan="light")[0]


def test_a_base_that_loses_a_block_breaks_the_variants_that_replace_it(tmp_path: Path) -> None:
    base = "A {% block opening %}B{% endblock %} {% block other %}{% endblock %}"
    write(tmp_path, "monthly_reports.txt", base)
    write(tmp_path, "tenants/t0001/monthly_reports.txt", opening("C"))
    assert bodies(tmp_path)[0].startswith("A C")
    write(tmp_path, "monthly_reports.txt", base.replace("opening", "beginning"))
    with pytest.raises(TenantFailureError) as raised:
        bodies(tmp_path)
    details = raised.value.failure.details
    assert details["template"] == "tenants/t0001/monthly_reports.txt"
    assert "no block 'opening'" in str(details["reason"])


def test_a_fault_is_named_where_it_stands_and_not_where_it_is_used(tmp_path: Path) -> None:
    write(tmp_path, "monthly_reports.txt", "\n\n{{ nobody }}{% block opening %}{% endblock %}")
    write(tmp_path, "tenants/t0001/monthly_reports.txt", opening("hello"))
    with pytest.raises(TenantFailureError) as raised:
        bodies(tmp_path)
    details = raised.value.failure.details
    assert (details["template"], details["line"]) == ("monthly_reports.txt", 3)


def test_a_variant_in_html_escapes_what_it_shows(tmp_path: Path) -> None:
    source = opening("{{ letter.company_name }} {{ '<b>' }}", "monthly_reports.html")
    write(tmp_path, "tenants/t0001/monthly_reports.html", source)
    assert "&lt;b&gt;" in bodies(tmp_path)[1]
