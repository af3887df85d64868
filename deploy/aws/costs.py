"""What an account with the two templates costs a month.

    python -m deploy.aws.costs MONTH.json [--tenants 5000]

MONTH.json is what `python -m benchmarks.month --json` wrote. What runs all month is read off
template.yaml; what a month of reports adds is computed by benchmarks/growth_model.py of the
measured month. The table is Markdown; README.md has one.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from benchmarks.growth_model import (
    DATABASE_HOUR,
    GB_HOUR,
    HOURS_A_MONTH,
    PER_DATABASE_GB,
    VCPU_HOUR,
    Growth,
    MeasuredMonth,
)

# Dollars, Tokyo, on demand, without tax; from memory of the price lists, and to be checked.
ARM_SHARE = 0.8  # of Fargate's price
DATABASE_GB = 100  # the parameter's default
NAT_HOUR, BALANCER_HOUR, ADDRESS_HOUR = 0.062, 0.0243, 0.005
KEY, SECRET, ALARM, METRIC = 1.0, 0.40, 0.10, 0.30
FIREWALL, FIREWALL_RULE = 5.0, 1.0
# RDS and OIDC keep one secret each beside those of the template.
OTHER_SECRETS = 2
# Assumed: of cluster, services and families (Container Insights), and of the filter.
METRICS = 40
LOG_GB, LOG_GB_A_MONTH = 0.76, 3.0  # assumed: four services and 50 runs
NATS, BALANCERS, ADDRESSES = 2, 2, 4

_TEMPLATE = Path(__file__).with_name("template.yaml")


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Functions become None: what is counted here has none."""


_Loader.add_multi_constructor("!", lambda *_: None)


def resources() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(_TEMPLATE.read_text(encoding="utf-8"), _Loader)  # noqa: S506
    found: dict[str, Any] = loaded["Resources"]
    return found


def standing_dollars() -> dict[str, float]:
    """What is paid in a month without any report, by item."""
    made = resources()

    def count(kind: str) -> int:
        return sum(resource["Type"] == kind for resource in made.values())

    return {
        "database, in two zones": DATABASE_HOUR * HOURS_A_MONTH + DATABASE_GB * PER_DATABASE_GB,
        "replica of the ledger": (DATABASE_HOUR * HOURS_A_MONTH + DATABASE_GB * PER_DATABASE_GB)
        / 2,
        "services": ARM_SHARE * HOURS_A_MONTH * service_hour(made),
        "NAT gateways, one a zone": NATS * NAT_HOUR * HOURS_A_MONTH,
        "load balancers": BALANCERS * BALANCER_HOUR * HOURS_A_MONTH,
        "public addresses": ADDRESSES * ADDRESS_HOUR * HOURS_A_MONTH,
        "firewall of links": FIREWALL + FIREWALL_RULE,
        "keys and secrets": KEY * count("AWS::KMS::Key")
        + SECRET * (count("AWS::SecretsManager::Secret") + OTHER_SECRETS),
        "logs, metrics, alarms": LOG_GB * LOG_GB_A_MONTH
        + METRIC * METRICS
        + ALARM * count("AWS::CloudWatch::Alarm"),
    }


def service_hour(made: dict[str, Any]) -> float:
    """Dollars an hour of all tasks of the services, at the full price."""
    dollars = 0.0
    for kind, number in (("Code", 1), ("Daemon", 1), ("Web", 1), ("Documents", 2)):
        task = made[f"{kind}Task"]["Properties"]
        vcpus, gigabytes = int(task["Cpu"]) / 1024, int(task["Memory"]) / 1024
        dollars += number * (vcpus * VCPU_HOUR + gigabytes * GB_HOUR)
    return dollars


def month_dollars(model: Growth, tenants: int) -> dict[str, float]:
    """What a month of reports adds, by item; documents as after seven years."""
    found = model.dollars(tenants)
    return {
        "runs": ARM_SHARE * found["runs"],
        "documents, written and kept": found["documents_written"] + found["documents_kept"],
        "mails with what they carry": found["mails"] + found["mail_attachments"],
    }


def table(model: Growth, tenants: int) -> str:
    month = month_dollars(model, tenants)
    lines = [*standing_dollars().items(), *month.items()]
    total = math.fsum(dollars for _, dollars in lines)
    return "\n".join(
        [
            f"| dollars a month, {tenants:,} tenants | |",
            "|---|---|",
            *(f"| {item} | {dollars:,.{1 if dollars < 10 else 0}f} |" for item, dollars in lines),
            f"| **together** | **{total:,.0f}** |",
            f"| of which for the reports themselves | {math.fsum(month.values()):,.1f} |",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("month", type=Path, help="figures of benchmarks.month, as JSON")
    parser.add_argument("--tenants", type=int, default=5_000)
    arguments = parser.parse_args()
    measured = MeasuredMonth.of(json.loads(arguments.month.read_text(encoding="utf-8")))
    print(table(Growth(measured), arguments.tenants))  # noqa: T201


if __name__ == "__main__":
    main()
