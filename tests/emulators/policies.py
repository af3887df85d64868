"""What the policies of a role in the emulator allow: actions on resources, if what a condition asks
for is as it must be. Of conditions, only those are looked at that a request says enough for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests.emulators.api_calls import CONTEXT_KEYS, Permission
from tests.emulators.aws import Aws
from tests.emulators.bucket_policies import as_list


@dataclass(frozen=True)
class Allowed:
    """An action on the resources of a pattern; by key, `values` are those of which a condition asks
    for one."""

    action: str
    resource: str
    values: Mapping[str, Collection[str | None]]

    def covers(self, needed: Permission) -> bool:
        context = dict(needed.context)
        return (
            needed.action == self.action
            and fnmatchcase(needed.resource, self.resource)
            and all(context.get(key) in values for key, values in self.values.items())
        )


def allowed_to(aws: Aws, role: str) -> list[Allowed]:
    """By the role's own policies, action by action, resource by resource."""
    iam = aws.client("iam")
    documents = [
        iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    return [
        Allowed(action, resource, _values(statement.get("Condition", {})))
        for document in documents
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    ]


def _values(conditions: Mapping[str, Mapping[str, Any]]) -> dict[str, Collection[str | None]]:
    asked = {**conditions.get("StringEquals", {}), **conditions.get("ArnEquals", {})}
    return {key: as_list(value) for key, value in asked.items() if key in CONTEXT_KEYS}
