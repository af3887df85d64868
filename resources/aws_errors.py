"""What an error of AWS means to whoever called: try again later, or somebody has to act first.

boto3 has tried again by then, except where it may not (`ses_mailer`). What is still
`AwsUnavailableError` is one of `transient_errors`: a stage tries a tenant again, then the whole
stage is tried again, then the sweeper asks for the tenant.
"""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Iterator

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

# The network, and the place in a task where its credentials come from.
_PASSING = (
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.IncompleteReadError,
    exceptions.FlexibleChecksumError,
    exceptions.CredentialRetrievalError,
    exceptions.MetadataRetrievalError,
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.TokenRetrievalError,
)
# Answers of 4xx that the same request may not get again; every 5xx and 429 is one, too.
_PASSING_CODES = frozenset(
    {
        # credentials that ended before they were renewed
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "TokenRefreshRequired",
        # too much at once
        "RequestLimitExceeded",
        "RequestTimeout",
        "SlowDown",
        "Throttling",
        # two writers of one key
        "ConditionalRequestConflict",
        "OperationAborted",
    }
)
_NOT_ALLOWED = "the role of this task lacks the permission, or a policy of what it asks for says no"
_ADVICE = {
    "AccessDenied": _NOT_ALLOWED,
    "AccessDeniedException": _NOT_ALLOWED,
    "AuthorizationError": _NOT_ALLOWED,
    "NoSuchBucket": "REPORTS_DOCUMENTS_BUCKET names no bucket",
    "PermanentRedirect": "REPORTS_DOCUMENTS_BUCKET is in another region",
    "NotFound": "REPORTS_NOTICE_TOPIC names no topic of this region",
    "AWS.SimpleQueueService.NonExistentQueue": "REPORTS_FEEDBACK_QUEUE names no queue",
    "QueueDoesNotExist": "REPORTS_FEEDBACK_QUEUE names no queue",
    "KMS.DisabledException": "the key of the bucket is disabled",
    "KMS.NotFoundException": "REPORTS_DOCUMENTS_KEY names no key of this region",
}


class AwsUnavailableError(builtins.ConnectionError):
    """AWS was not reached, has too much to do, or was shown credentials that have ended: the same
    call may succeed later."""


class AwsRefusedError(RuntimeError):
    """AWS says no, and will until somebody changes the installation; the message says to what."""


@contextlib.contextmanager
def aws_errors(doing: str) -> Iterator[None]:
    """Let errors of boto3 leave as those of this module; `doing` begins their message.

    Raises:
        AwsUnavailableError: later it may work.
        AwsRefusedError: it will not.
    """
    try:
        yield
    except ClientError as error:
        code, text = error_code(error), f"{doing}: {error}"
        if _is_passing(error):
            raise AwsUnavailableError(text) from error
        advice = f"; {_ADVICE[code]}" if code in _ADVICE else ""
        raise AwsRefusedError(text + advice) from error
    except _PASSING as error:
        raise AwsUnavailableError(f"{doing}: {error}") from error
    except BotoCoreError as error:
        raise AwsRefusedError(f"{doing}: {error}") from error


def error_code(error: ClientError) -> str:
    """Such as `NoSuchKey`."""
    code: str = error.response["Error"]["Code"]
    return code


def _is_passing(error: ClientError) -> bool:
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    code = error_code(error)
    return (
        status >= 500
        or status == 429
        or code in _PASSING_CODES
        # KMS answers through S3: KMS.ThrottlingException
        or code.endswith("ThrottlingException")
    )
