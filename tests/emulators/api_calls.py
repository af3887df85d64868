"""Requests to AWS, and which permissions each needs: IAM actions on the ARNs of resources."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

ACCOUNT = "123456789012"  # moto's
# What conditions may ask for, and a request says.
CONTEXT_KEYS = frozenset({"ecs:CreateAction", "ecs:cluster", "ses:FromAddress"})
_SCOPE = re.compile(r"Credential=(?P<key>[^/=]+)/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/")
# Operations that IAM knows by another name.
_ACTIONS = {
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sns:PublishBatch": "sns:Publish",
}
# AWS knows no resource for them ("Service Authorization Reference").
_WITHOUT_RESOURCE = frozenset(
    {"ecs:DescribeTaskDefinition", "sns:ListTopics", "sqs:ListQueues", "ses:GetAccount"}
)
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
    """That a request needs; `resource` is `*` where AWS knows no narrower one for the action.
    `context` has what conditions may ask for, by `CONTEXT_KEYS`."""

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


def needed(request: Request) -> list[Permission]:
    """What IAM would look for in the caller's policies.

    Raises:
        AwsError: 501, since it is not known here for this request.
    """
    if request.service == "s3":
        return [_of_s3(request)]
    if request.path.startswith("/v2/email/"):
        return _of_ses(request)
    action = f"{request.service}:{request.operation}"
    action = _ACTIONS.get(action, action)
    if action in _WITHOUT_RESOURCE:
        return [Permission(action, "*")]
    if request.service == "ecs":
        return _of_ecs(request, action)
    return [Permission(action, _resource(request, action))]


def _of_s3(request: Request) -> Permission:
    bucket, _, key = request.path.lstrip("/").partition("/")
    if not bucket:
        return Permission("s3:ListAllMyBuckets", "*")
    if not key:
        lists = request.method == "GET" and "list-type" in request.query
        action = "s3:ListBucket" if lists or request.method == "HEAD" else "s3:bucket"
        return Permission(action, f"arn:aws:s3:::{bucket}")
    action = _S3_OBJECT_ACTIONS[request.method]
    if request.method == "DELETE" and "uploadId" in request.query:
        action = "s3:AbortMultipartUpload"
    return Permission(action, f"arn:aws:s3:::{bucket}/{key}")


def _of_ses(request: Request) -> list[Permission]:
    action = _SES_ACTIONS.get((request.method, request.path), "ses:" + request.path)
    if action in _WITHOUT_RESOURCE:
        return [Permission(action, "*")]
    if action != "ses:SendEmail":
        raise _unknown(action)
    mail = request.json()
    if "Raw" in mail.get("Content", {}):
        action = "ses:SendRawEmail"
    sender = mail["FromEmailAddress"]
    names = [f"identity/{sender.rpartition('@')[2]}"]
    if configuration_set := mail.get("ConfigurationSetName"):
        names.append(f"configuration-set/{configuration_set}")
    context = (("ses:FromAddress", sender),)
    return [Permission(action, f"{_arn(request)}:{name}", context) for name in names]


def _of_ecs(request: Request, action: str) -> list[Permission]:
    content = request.json()
    cluster = content.get("cluster", "default").rpartition("/")[2]
    in_cluster = (("ecs:cluster", f"{_arn(request)}:cluster/{cluster}"),)
    match request.operation:
        case "RunTask":
            run = Permission(action, content["taskDefinition"], in_cluster)
            if not content.get("tags"):
                return [run]
            created = (("ecs:CreateAction", "RunTask"),)
            tasks = f"{_arn(request)}:task/{cluster}/*"
            return [run, Permission("ecs:TagResource", tasks, created)]
        case "DescribeTasks":
            return [Permission(action, task, in_cluster) for task in content["tasks"]]
        case "StopTask":
            return [Permission(action, content["task"], in_cluster)]
    raise _unknown(action)


def _resource(request: Request, action: str) -> str:
    if request.service == "sns":
        return parse_qs(request.body.decode())["TopicArn"][0]
    content = request.json() if request.target else {}
    match request.service:
        case "sqs":
            return f"{_arn(request)}:{content['QueueUrl'].rpartition('/')[2]}"
        case "secretsmanager":
            return str(content["SecretId"])
        case "logs":
            group, stream = content["logGroupName"], content["logStreamName"]
            return f"{_arn(request)}:log-group:{group}:log-stream:{stream}"
    raise _unknown(action)


def _arn(request: Request) -> str:
    return f"arn:aws:{request.service}:{request.region}:{ACCOUNT}"


def _unknown(action: str) -> AwsError:
    return AwsError(501, "NotImplemented", f"the emulator does not know the resource of {action}")
