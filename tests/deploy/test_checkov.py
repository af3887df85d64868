"""checkov looks at templates and Dockerfile; what it is told to skip has a reason there."""

from __future__ import annotations

from tests.deploy.account import DEPLOY, FOUNDATION, TEMPLATE
from tests.deploy.checkov import failures


def test_checkov_finds_nothing_that_is_not_explained() -> None:
    assert failures(FOUNDATION, TEMPLATE, DEPLOY / "Dockerfile") == []
