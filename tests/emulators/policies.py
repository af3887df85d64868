"""What the policies of a role in the emulator allow, actions and resources; conditions are not
looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests.emulators.api_calls import Permission
from tests.emulators.aws import Aws


@dataclass(frozen=True)
class Allowed:
    """An action on some resources."""

    action: str
    resources: tuple[str, ...]

    def covers(self, needed: Permission) -> bool:
        # Of an action that AWS knows no resource for, `*` is asked.
        return needed.action == self.action and any(
            needed.resource == "*" or fnmatchcase(needed.resource, resource)
            for resource in self.resources
        )


def allowed_to(aws: Aws, role: str) -> list[Allowed]:
    """By the role's own policies, action by action."""
    iam = aws.client("iam")
    documents = [
        iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    return [
        Allowed(action, tuple(_listed(statement["Resource"])))
        for document in documents
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for action in _listed(statement["Action"])
    ]


def _listed(value: Any) -> Iterable[str]:
    return [value] if isinstance(value, str) else value
