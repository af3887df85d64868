"""Two hundred tenants' months, each odd in ways that reports have stumbled over.

The oddities are combined by number, so that each meets each and a tenant is always the same one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from reports_pipeline.accounting.reports import Claim, Company, TenantReports
from tests.documents.samples import (
    ACTIVITIES,
    BALANCES,
    COMPANY,
    PAYMENTS,
    RECEIPTS,
    SALES,
    Account,
    reports,
)

COUNT = 200

_NAMES = (
    "株式会社髙﨑𠮷商事",
    "ｻﾝｽﾞ･ﾎｰﾙﾃﾞｨﾝｸﾞｽ㈱",
    "P&L Partners <b>K.K.</b>",
    "有限会社「鷗」と“仲間”たち",
    "=1+1",
    "@SUM合同会社",
    "長い名前の会社" * 42 + "です株式会社",
    "Société Générale d’Ægypte",
    "山﨑 & 邉見　税理士法人",
    "-1",
    "a@b",
)
# In place of an account's name; None leaves the name as it is.
_ACCOUNTS = (
    None,
    "髙橋・𠮷田・渡邉への仮払い",
    "ﾊﾟｰﾄ･ｱﾙﾊﾞｲﾄ給与",
    "研究開発費（次世代省電力モーター共同開発プロジェクト第二期・国庫補助対象分）",
    "Repairs & maintenance <b>(plant)</b>",
    "=SUM(A1:A9)",
    "外注費 \"特急\" 'A' `x`",
    "+旅費",
    "ⅠⅡⅢ①②㎡㌔",
    "International travel and accommodation of the overseas sales department in Marunouchi",
    "𠮷" * 30,
    "長" * 300,
)  # fmt: skip
_TEXTS = (
    "=1+1",
    "a@b",
    "P&L",
    "<b>太字</b>",
    '"引用"',
    "𠮷野家",
    "ﾗﾝﾁ代",
    "-5",
    "@x",
    "二行の\n説明",
)
_SCALES = (1, 1, 3, 2_000)  # the last makes hundreds of billions


def varied_tenants() -> list[TenantReports]:
    """All of them, by number."""
    return [varied_tenant(number) for number in range(COUNT)]


def varied_tenant(number: int) -> TenantReports:
    rng = random.Random(number)  # noqa: S311 - a sample, not a secret
    company = _company(number)
    if number % 20 == 13:
        return _nothing_happened(company)
    scale = _SCALES[number % 4]
    book = {section: _drawn(rng, group, scale) for section, group in SALES.items()}
    if number % 5 == 2:
        book["net_sales"] = [Account("4110", "製品売上高", -1_250, 3_000 * scale, 900)]
    book["selling_general_administrative"] += [
        Account(
            f"66{extra:02}",
            f"補助科目 {extra}",
            *(rng.randrange(-9_999, 900_000) for _ in range(3)),
        )
        for extra in range(number * 7 % 45)
    ]
    usual = reports(
        company=company,
        revision=1 + number % 3,
        sales=_with_odd_names(number, book),
        balances=_with_odd_names(
            number + 3,
            {section: _drawn(rng, group, scale) for section, group in BALANCES.items()},
        ),
        receipts=_drawn(rng, RECEIPTS, scale),
        payments=_drawn(rng, PAYMENTS, scale),
        activities={
            activity: {key: tuple(value * scale for value in values) for key, values in of.items()}
            for activity, of in ACTIVITIES.items()
        },
        claims=_claims(rng, number % 8),
    )
    corrected = replace(usual, corrects=1) if usual.revision > 1 else usual
    return _without_prior_year(corrected) if number % 6 == 5 else corrected


def _company(number: int) -> Company:
    company = replace(
        COMPANY,
        tenant_id=f"v{number:04}",
        name=_NAMES[number % len(_NAMES)],
        language="en" if number % 3 == 2 else "ja",
        currency=("JPY", "JPY", "USD", "JPY", "KWD")[number % 5],
        consumption_tax_basis=("exclusive", "inclusive", "none")[number % 7 % 3],
        display_unit="thousand" if number % 4 == 3 else "one",
        plan=("light", "standard", "premium")[number // 2 % 3],
        copy_language=("", "ja", "en")[number // 4 % 3],
        closed=number % 9 != 4,
    )
    if number % 10 == 6:  # books that close on the 20th
        return replace(
            company,
            fiscal_year_start="2026-03-21",
            month_start="2026-09-21",
            month_end="2026-10-21",
        )
    return company


def _nothing_happened(company: Company) -> TenantReports:
    return reports(
        company=company,
        sales={},
        balances={},
        receipts=(),
        payments=(),
        opening_cash=(0, 0, 0, 0),
        activities={},
    )


def _drawn(rng: random.Random, accounts: Sequence[Account], scale: int) -> list[Account]:
    """The accounts with other amounts of about the same size; a few of them with none."""
    return [
        replace(
            account,
            current=account.current * scale * rng.randrange(60, 140) // 100,
            prior=0
            if rng.random() < 0.1
            else account.prior * scale * rng.randrange(60, 140) // 100,
            third=account.third * scale,
        )
        for account in accounts
    ]


def _with_odd_names(
    number: int, book: Mapping[str, Sequence[Account]]
) -> dict[str, Sequence[Account]]:
    """Two accounts of each section are named oddly."""
    named: dict[str, Sequence[Account]] = {}
    for place, (section, accounts) in enumerate(book.items()):
        group = list(accounts)
        for index in range(min(2, len(group))):
            name = _ACCOUNTS[(number + 5 * place + index) % len(_ACCOUNTS)]
            group[index] = replace(group[index], name=name or group[index].name)
        named[section] = group
    return named


def _without_prior_year(tenant: TenantReports) -> TenantReports:
    return replace(
        tenant,
        statements=tuple(
            replace(
                statement, lines=tuple(replace(line, prior_year=None) for line in statement.lines)
            )
            for statement in tenant.statements
        ),
    )


def _claims(rng: random.Random, count: int) -> tuple[Claim, ...]:
    return tuple(
        Claim(
            claim_id=f"EX-{number:05}",
            incurred_on=f"2026-10-{1 + number % 31:02}",
            employee="髙橋 花子",
            category="旅費交通費",
            payee=rng.choice(_TEXTS),
            description=rng.choice(_TEXTS),
            amount=(amount := rng.randrange(100, 90_000)),
            consumption_tax=amount // 11,
            status=rng.choice(["submitted", "approved", "paid"]),
        )
        for number in range(count)
    )
