"""The table of costs in README.md is that of the template as it is."""

from __future__ import annotations

import json
import re

import pytest

from deploy.aws.costs import month_dollars, resources, service_hour, standing_dollars, table
from tests.benchmarks.test_growth import MODEL
from tests.deploy.account import DEPLOY, FOUNDATION

README = (DEPLOY / "README.md").read_text(encoding="utf-8")


def told() -> dict[str, float]:
    """Dollars by item, as README.md has them."""
    _, _, rest = README.partition("| dollars a month, 5,000 tenants | |\n|---|---|\n")
    lines = rest.partition("\n\n")[0].replace("*", "").splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines]
    return {item: float(dollars) for item, dollars in cells}


def test_what_runs_all_month_is_told_as_it_is() -> None:
    for item, dollars in standing_dollars().items():
        assert told()[item] == pytest.approx(dollars, abs=0.51 if dollars >= 10 else 0.051), item


def test_the_items_told_add_up() -> None:
    items = told()
    together = items.pop("together")
    items.pop("of which for the reports themselves")
    assert sum(items.values()) == pytest.approx(together, abs=len(items) / 2)


def test_a_table_names_what_a_month_adds() -> None:
    printed = table(MODEL, 5_000)
    assert all(item in printed for item in month_dollars(MODEL, 5_000))
    assert printed.splitlines()[0] == "| dollars a month, 5,000 tenants | |"


def test_more_tenants_cost_more() -> None:
    few, many = (sum(month_dollars(MODEL, tenants).values()) for tenants in (5_000, 50_000))
    assert many > few


def test_every_service_is_counted() -> None:
    made = resources()
    services = [name for name, part in made.items() if part["Type"] == "AWS::ECS::Service"]
    assert len(services) == 4
    bigger = json.loads(json.dumps(made))
    for name in ("CodeTask", "DaemonTask", "WebTask", "DocumentsTask"):
        bigger[name]["Properties"]["Cpu"] = "4096"
        assert service_hour(bigger) > service_hour(made)


def test_what_costs_by_the_hour_is_in_the_templates_as_often_as_counted() -> None:
    foundation = FOUNDATION.read_text(encoding="utf-8")
    assert len(re.findall("Type: AWS::EC2::NatGateway", foundation)) == 2
    balancers = [part for part in resources().values() if part["Type"].endswith("::LoadBalancer")]
    assert len(balancers) == 2
