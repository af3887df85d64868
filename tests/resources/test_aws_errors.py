"""What passes by itself is told from what somebody has to mend."""

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ReadTimeoutError,
)

from resources.aws_errors import AwsRefusedError, AwsUnavailableError, aws_errors
from resources.transient_errors import TRANSIENT_ERRORS


def answer(status: int, code: str) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": "said so"},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
        },
        "PutObject",
    )


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, "InternalError"),
        (503, "SlowDown"),
        (503, "ServiceUnavailable"),
        (429, "TooManyRequestsException"),
        (400, "ThrottlingException"),
        (400, "Throttling"),
        (400, "KMS.ThrottlingException"),
        (400, "ExpiredToken"),
        (403, "ExpiredTokenException"),
        (403, "RequestExpired"),
        (400, "RequestTimeout"),
        (409, "ConditionalRequestConflict"),
    ],
)
def test_an_answer_that_may_be_another_one_later(status: int, code: str) -> None:
    with pytest.raises(TRANSIENT_ERRORS, match=f"storing it: .*{code}"), aws_errors("storing it"):
        raise answer(status, code)


@pytest.mark.parametrize(
    "error",
    [
        ConnectTimeoutError(endpoint_url="https://s3"),
        ReadTimeoutError(endpoint_url="https://s3"),
        EndpointConnectionError(endpoint_url="https://s3"),
        CredentialRetrievalError(provider="container-role", error_msg="time-out"),
        NoCredentialsError(),
    ],
)
def test_the_network_and_the_place_of_credentials_may_be_back_later(error: BotoCoreError) -> None:
    with pytest.raises(AwsUnavailableError, match="storing it"), aws_errors("storing it"):
        raise error


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (403, "AccessDenied", "the role of this task lacks the permission"),
        (400, "AccessDeniedException", "the role of this task lacks the permission"),
        (404, "NoSuchBucket", "REPORTS_DOCUMENTS_BUCKET names no bucket"),
        (404, "NotFound", "REPORTS_NOTICE_TOPIC names no topic"),
        (400, "KMS.DisabledException", "key of the bucket is disabled"),
        (400, "InvalidParameter", "said so"),
    ],
)
def test_a_refusal_says_what_to_mend(status: int, code: str, advice: str) -> None:
    with pytest.raises(AwsRefusedError, match=f"^storing it: .*{code}.*{advice}"):  # noqa: SIM117
        with aws_errors("storing it"):
            raise answer(status, code)


@pytest.mark.parametrize("error", [NoRegionError(), ParamValidationError(report="no key")])
def test_what_is_wrong_on_our_side_stays_wrong(error: BotoCoreError) -> None:
    with pytest.raises(AwsRefusedError), aws_errors("storing it"):
        raise error
    assert not issubclass(AwsRefusedError, TRANSIENT_ERRORS)


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(LookupError), aws_errors("storing it"):
        raise LookupError
