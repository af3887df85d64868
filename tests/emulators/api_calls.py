"""Requests to AWS, and which permission each needs: the IAM action and the ARN of its resource."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

ACCOUNT = "123456789012"  # moto's
_SCOPE = re.compile(r"Credential=(?P<key>[^/=]+)/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/")
# Operations that IAM knows by another name.
_ACTIONS = {
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sns:PublishBatch": "sns:Publish",
}
_SES_ACTIONS = {
    ("GET", "/v2/email/account"): "ses:GetAccount",
    ("POST", "/v2/email/outbound-emails"): "ses:SendEmail",
}
# Of an object; a list of parts, say, is not among them since nobody asks for one.
_S3_OBJECT_ACTIONS = {
    "GET": "s3:GetObject",
    "HEAD": "s3:GetObject",
    "PUT": "s3:PutObject",
    "POST": "s3:PutObject",  # begins and completes an upload in parts
    "DELETE": "s3:DeleteObject",
}


class AwsError(Exception):
    """An answer that is an error, with AWS's name for it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of AWS. `body` is read for the services whose bodies are small: not for S3."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    body: bytes
    target: str  # X-Amz-Target: the operation, in services that speak JSON
    access_key: str
    region: str
    service: str

    @classmethod
    def of(cls, environ: Mapping[str, Any], body: bytes) -> Request:
        query = environ.get("QUERY_STRING", "")
        # In a header, or in a presigned link.
        scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION") or unquote(query))
        return cls(
            method=environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"].encode("latin-1").decode(),  # as WSGI has it
            query=parse_qs(query, keep_blank_values=True),
            body=body,
            target=environ.get("HTTP_X_AMZ_TARGET", ""),
            access_key=scope["key"] if scope else "",
            region=scope["region"] if scope else "",
            service=scope["service"] if scope else "",
        )

    @property
    def operation(self) -> str:
        """Of a service that names it: JSON services in a header, older ones in the form."""
        if self.target:
            return self.target.rpartition(".")[2]
        return parse_qs(self.body.decode(errors="replace")).get("Action", [""])[0]

    def json(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body or b"{}")
        return content


@dataclass(frozen=True, slots=True)
class Permission:
    """That a request needs; `resource` is `*` where AWS knows no narrower one for the action."""

    action: str
    resource: str


def needed(request: Request) -> Permission:
    """What IAM would look for in the caller's policies."""
    if request.service == "s3":
        return _of_s3(request)
    if request.path.startswith("/v2/email/"):
        return _of_ses(request)
    action = f"{request.service}:{request.operation}"
    return Permission(_ACTIONS.get(action, action), _resource(request))


def _of_s3(request: Request) -> Permission:
    bucket, _, key = request.path.lstrip("/").partition("/")
    if not key:
        lists = request.method == "GET" and "list-type" in request.query
        action = "s3:ListBucket" if lists or request.method == "HEAD" else "s3:bucket"
        return Permission(action, f"arn:aws:s3:::{bucket}")
    action = _S3_OBJECT_ACTIONS[request.method]
    if request.method == "DELETE" and "uploadId" in request.query:
        action = "s3:AbortMultipartUpload"
    return Permission(action, f"arn:aws:s3:::{bucket}/{key}")


def _of_ses(request: Request) -> Permission:
    action = _SES_ACTIONS.get((request.method, request.path), "ses:" + request.path)
    if action != "ses:SendEmail":
        return Permission(action, "*")
    mail = request.json()
    if "Raw" in mail.get("Content", {}):
        action = "ses:SendRawEmail"
    sender = mail["FromEmailAddress"].rpartition("@")[2]
    return Permission(action, f"arn:aws:ses:{request.region}:{ACCOUNT}:identity/{sender}")


def _resource(request: Request) -> str:
    arn = f"arn:aws:{request.service}:{request.region}:{ACCOUNT}"
    if request.service == "sns":
        return parse_qs(request.body.decode()).get("TopicArn", ["*"])[0]
    if not request.target:
        return "*"
    content = request.json()
    match request.service:
        case "sqs":
            return f"{arn}:{content.get('QueueUrl', '*').rpartition('/')[2]}"
        case "secretsmanager":
            return str(content.get("SecretId", "*"))
        case "logs":
            group = content.get("logGroupName", "*")
            return f"{arn}:log-group:{group}:log-stream:{content.get('logStreamName', '*')}"
        case "ecs" if request.operation == "RunTask":
            return str(content["taskDefinition"])
        case "ecs" if request.operation in ("DescribeTasks", "StopTask"):
            return str(content.get("task") or next(iter(content.get("tasks", [])), "*"))
    return "*"
