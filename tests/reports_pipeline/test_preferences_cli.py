"""`reports preferences …` as it is typed."""

from __future__ import annotations

import datetime
import json

import psycopg
import pytest
from click.testing import CliRunner, Result

from reports_pipeline.cli import main
from reports_pipeline.delivery.preferences import (
    Attachments,
    Corrections,
    DeliveryPreferences,
)
from reports_pipeline.environments import LocalEnvironment, Settings
from reports_pipeline.operator_name import operator_name
from reports_pipeline.preferences_cli import preference_commands
from resources.delivery_preferences import DeliveryPreferencesStore


@pytest.fixture
def url(database_url: str) -> str:
    """Two companies."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            """
            insert into ledger.companies (tenant_id, name, currency) values
                ('t0001', '山田製作所', 'JPY'), ('t0002', 'さくら商店', 'JPY')
            """
        )
    return database_url


def run(url: str, *arguments: str, **variables: str) -> Result:
    variables |= {"REPORTS_DATABASE_URL": url}
    environment = LocalEnvironment(Settings.from_environment(variables))
    return CliRunner().invoke(preference_commands, arguments, obj=environment)


def said(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_the_commands_are_part_of_reports() -> None:
    assert main.commands["preferences"] is preference_commands


@pytest.mark.parametrize("wish", [("--attachments", "linked"), ("--largest-mail", "10MB")])
def test_a_wish_for_links_that_nobody_could_open_is_answered(
    url: str, wish: tuple[str, str]
) -> None:
    sending = {
        "REPORTS_MAILER": "ses:reports",
        "REPORTS_SUPPORT_ADDRESS": "help@financeflow.example",
        "REPORTS_PREFERENCES_URL": "https://financeflow.example/mails",
    }
    asked = ["set", "--tenant", "t0001", *wish]
    result = run(url, *asked, **sending)
    assert result.exit_code == 0
    assert "attached all the same: REPORTS_SHARED_LINKS" in result.stderr
    assert run(url, "set", "--tenant", "t0001", "--not-before", "09:00", **sending).stderr == ""
    sending["REPORTS_SHARED_LINKS"] = "https://reports.financeflow.example"
    assert run(url, *asked, **sending).stderr == ""
    assert run(url, *asked).stderr == ""


def test_wishes_are_set_one_by_one_and_taken_back(url: str) -> None:
    early = ["set", "--tenant", "t0001,t0002", "--not-before", "09:00", "--holidays", "JP"]
    assert said(run(url, *early)) == [
        "t0001: version 1: not-before 09:00, holidays JP",
        "t0002: version 1: not-before 09:00, holidays JP",
    ]
    more = ["set", "--tenant", "t0001", "--business-day", "1", "--largest-mail", "10MB"]
    assert said(run(url, *more)) == [
        "t0001: version 2: not-before 09:00, business-day 1, holidays JP, largest-mail 10MB"
    ]
    less = ["--default", "not-before", "--default", "holidays", "--default", "largest-mail"]
    assert said(run(url, "set", "--tenant", "t0001", *less)) == ["t0001: version 3: business-day 1"]
    less = ["set", "--tenant", "t0001", "--default", "business-day"]
    assert said(run(url, *less)) == ["t0001: version 4: the house's way"]


def test_every_wish_can_be_set(url: str) -> None:
    shown = said(
        run(
            url, "set", "--tenant", "t0001", "--corrections", "automatic",
            "--attachments", "linked", "--largest-mail", "800 kb", "--note", "担当：高橋",
            "--support-address", "keiri@yamada.example", "--not-before", "17:30",
        )
    )  # fmt: skip
    assert shown == [
        "t0001: version 1: not-before 17:30, corrections automatic, attachments linked, "
        "largest-mail 800KB, note “担当：高橋”, support-address keiri@yamada.example"
    ]
    assert DeliveryPreferencesStore(url).current(["t0001"])["t0001"] == DeliveryPreferences(
        not_before=datetime.time(17, 30),
        corrections=Corrections.AUTOMATIC,
        attachments=Attachments.LINKED,
        largest_mail_bytes=800 * 1024,
        note="担当：高橋",
        support_address="keiri@yamada.example",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Give a preference, or --default and the name of one."),
        (["--not-before", "24:00"], "not a time of the day from 00:00 to 23:59: '24:00'"),
        (["--not-before", "9"], "not a time of the day"),
        (["--business-day", "21"], "21 is not in the range 1<=x<=20"),
        (["--holidays", "Japan"], "holidays 'Japan': must be the two capital letters of a country"),
        (["--corrections", "never"], "'approval', 'automatic'"),
        (["--largest-mail", "10 GB"], "not a whole number of KB or MB, as 10MB: '10 GB'"),
        (["--largest-mail", "41MB"], "must be from 1 to 41943040, the most that the provider"),
        (["--note", ""], "note '': must be one line of printable text"),
        (["--note", "a\nb"], "note 'a\\nb': must be one line of printable text"),
        (["--support-address", "support"], "support address 'support': must be one mail address"),
        (["--note", "a", "--default", "note"], "Give --note or --default note, not both."),
        (["--default", "tenant"], "'not-before', 'business-day', 'holidays'"),
    ],
)
def test_what_cannot_be_used_is_refused(url: str, options: list[str], message: str) -> None:
    result = run(url, "set", "--tenant", "t0001", *options)
    assert result.exit_code in (1, 2)
    assert message in result.output
    assert DeliveryPreferencesStore(url).history() == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["set", "--holidays", "JP"], "Name tenants with --tenant."),
        (["set", "--tenant", "t0001,nobody", "--holidays", "JP"], "no such tenants: nobody"),
        (["show", "--tenant", "nobody"], "no such tenants: nobody"),
    ],
)
def test_unknown_tenants_are_named(url: str, arguments: list[str], message: str) -> None:
    result = run(url, *arguments)
    assert result.exit_code in (1, 2)
    assert message in result.output
    assert DeliveryPreferencesStore(url).history() == {}


def test_the_versions_of_companies_are_listed(url: str) -> None:
    assert said(run(url, "show")) == ["no company has a wish of its own"]
    run(url, "set", "--tenant", "t0001", "--business-day", "3")
    run(url, "set", "--tenant", "t0001", "--default", "business-day")
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into reporting.delivery_preferences"
            " (tenant_id, version, holidays, not_before, set_by)"
            " values ('t0002', 1, 'XX', '09:00:30', 'psql')"
        )
    head, first, second, other, third, fault = said(run(url, "show"))
    assert (head, other) == ("t0001", "t0002")
    assert first.startswith("  1   20")
    assert first.endswith(f" Tokyo by {operator_name()}  business-day 3")
    assert second.startswith("  2   20")
    assert second.endswith("  the house's way")
    assert third.endswith(" by psql  not-before 09:00:30")
    assert fault == "      not used: holidays 'XX'"
    assert said(run(url, "show", "--tenant", "t0001")) == [head, first, second]


def test_who_has_no_wish_is_served_the_houses_way(url: str) -> None:
    assert said(run(url, "show", "--tenant", "t0002")) == ["t0002", "  the house's way"]


def test_the_versions_are_listed_for_programs(url: str) -> None:
    run(url, "set", "--tenant", "t0001", "--not-before", "09:00", "--largest-mail", "10MB")
    [entry] = json.loads("\n".join(said(run(url, "show", "--json"))))["preferences"]
    assert entry.pop("set_at").endswith("+00:00")
    assert entry == {
        "tenant_id": "t0001", "version": 1, "not_before": "09:00", "business_day": None,
        "holidays": None, "corrections": "approval", "attachments": "attached",
        "largest_mail_bytes": 10 * 1024 * 1024, "note": None, "support_address": None,
        "unusable": {}, "set_by": operator_name(),
    }  # fmt: skip
