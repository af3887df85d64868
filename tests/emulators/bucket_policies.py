"""What bucket policies deny, whoever asks. moto knows no conditions, so it does not see them.

What they allow means nothing here, where a person may do everything and roles are compared with
what was called (`policies.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests.emulators.api_calls import AwsError, Permission, Request, needed

_CONDITIONS = {
    "Null": frozenset({"s3:if-none-match"}),
    "Bool": frozenset({"aws:SecureTransport", "s3:ObjectCreationOperation"}),
}


class BucketPolicies:
    """Of all buckets; one without a policy denies nothing."""

    def __init__(self) -> None:
        self._denied: dict[str, list[_Denied]] = {}

    def put(self, bucket: str, policy: bytes) -> None:
        """In place of the policy that the bucket had.

        Raises:
            AwsError: 501, since something is denied to some only, or on an unknown condition.
        """
        self._denied[bucket] = [
            _Denied.of(statement)
            for statement in json.loads(policy)["Statement"]
            if statement["Effect"] == "Deny"
        ]

    def check(self, request: Request, if_none_match: str | None) -> None:
        """
        Raises:
            AwsError: 403, the request, with this header, is denied.
        """
        bucket = request.path.split("/")[1]
        if not (denied := self._denied.get(bucket)):
            return
        # Who begins an upload in parts, or sends a part, creates no object yet.
        creates = not request.query.keys() & {"uploads", "partNumber"}
        context = {
            "aws:SecureTransport": "true",  # as to S3 itself
            "s3:ObjectCreationOperation": "true" if creates else "false",
            "s3:if-none-match": if_none_match,
        }
        for permission in needed(request):
            if any(one.covers(permission, context) for one in denied):
                raise AwsError(403, "AccessDenied", "an explicit deny in a resource-based policy")


@dataclass(frozen=True, slots=True)
class _Denied:
    """By one statement: actions on resources. What a request says is `absent` ("true", or "false")
    or `equal` to a value, by key."""

    actions: list[str]
    resources: list[str]
    absent: Mapping[str, str]
    equal: Mapping[str, str]

    @classmethod
    def of(cls, statement: Mapping[str, Any]) -> _Denied:
        conditions = statement.get("Condition", {})
        for operator, asked in conditions.items():
            if not asked.keys() <= _CONDITIONS.get(operator, frozenset()):
                raise AwsError(501, "NotImplemented", f"unknown here: {operator} {asked}")
        if statement["Principal"] != "*":
            raise AwsError(501, "NotImplemented", f"unknown here: {statement['Principal']}")
        return cls(
            as_list(statement["Action"]),
            as_list(statement["Resource"]),
            conditions.get("Null", {}),
            conditions.get("Bool", {}),
        )

    def covers(self, permission: Permission, context: Mapping[str, str | None]) -> bool:
        return (
            any(fnmatchcase(permission.action, pattern) for pattern in self.actions)
            and any(fnmatchcase(permission.resource, pattern) for pattern in self.resources)
            and all(
                (context[key] is None) == (value == "true") for key, value in self.absent.items()
            )
            and all(context[key] == value for key, value in self.equal.items())
        )


def as_list(part: Any) -> list[Any]:
    """Of policies, where one may stand for a list of one."""
    return part if isinstance(part, list) else [part]
