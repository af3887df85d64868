"""An account in which everything was deployed once for the tests of a module."""

from __future__ import annotations

import pytest

from tests.deploy.account import deploy
from tests.emulators.aws import Aws
from tests.emulators.cloudformation import Stack


@pytest.fixture(scope="module")
def stack(aws: Aws) -> Stack:
    return deploy(aws.client)
