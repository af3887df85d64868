from dataclasses import replace

import pytest

from reports_pipeline.accounting.failures import FailureCode, TenantFailureError
from reports_pipeline.delivery.deliveries import (
    DeliveryMessage,
    RegisteredDelivery,
    verified_documents,
)
from reports_pipeline.delivery.states import DeliveryState, delivery_id
from tests.delivery.examples import (
    CONTENTS,
    FILE_NAMES,
    OCTOBER,
    SATO,
    delivery,
    object_key,
    stored_documents,
)


@pytest.fixture
def registered() -> RegisteredDelivery:
    entered = delivery(SATO)
    message = DeliveryMessage(
        entered.delivery_id, 1, SATO, DeliveryState.BUILT, 1, 0, provider_id=None, blocked_code=None
    )
    return RegisteredDelivery(
        entered.tenant_id,
        entered.month,
        entered.revision,
        entered.delivery_id,
        entered.numbers_hash,
        entered.letter,
        entered.documents,
        (message,),
    )


def refusal(registered: RegisteredDelivery, stored: dict[str, bytes]) -> object:
    with pytest.raises(TenantFailureError) as raised:
        verified_documents(registered, stored.__getitem__)
    assert raised.value.failure.code is FailureCode.DOCUMENT_MISMATCH
    assert raised.value.failure.tenant_id == "t0001"
    return raised.value.failure.details["what"]


def test_what_was_built_and_stored_passes(registered: RegisteredDelivery) -> None:
    documents = verified_documents(registered, stored_documents().__getitem__)
    assert {document.name: document.content for document in documents} == CONTENTS
    assert {document.name: document.file_name for document in documents} == FILE_NAMES


def test_stored_bytes_that_changed_are_refused(registered: RegisteredDelivery) -> None:
    stored = stored_documents() | {object_key("income_statement.pdf"): b"%PDF-1.4 tampered"}
    assert refusal(registered, stored) == "sha256"


def test_a_document_that_is_not_stored_is_refused(registered: RegisteredDelivery) -> None:
    assert refusal(registered, {}) == "not stored"


@pytest.mark.parametrize(
    "foreign_key",
    [
        object_key("income_statement.pdf", tenant_id="t0002"),
        object_key("income_statement.pdf", tenant_id="t00011"),
        object_key("income_statement.pdf", revision=2),
        "reports/t0001/2026-09/r1/income_statement.pdf",
        "reports/t0001/2026-10/r1/../../../t0002/2026-10/r1/income_statement.pdf",
    ],
)
def test_a_document_of_another_tenant_month_or_revision_is_refused(
    registered: RegisteredDelivery, foreign_key: str
) -> None:
    pdf, workbook = registered.documents
    stored = stored_documents() | {foreign_key: CONTENTS["income_statement.pdf"]}
    foreign = replace(registered, documents=(replace(pdf, object_key=foreign_key), workbook))
    assert refusal(foreign, stored) == "object key"


def test_a_recipient_of_another_delivery_is_refused(registered: RegisteredDelivery) -> None:
    (message,) = registered.messages
    foreign = replace(message, delivery_id=delivery_id("t0002", OCTOBER, 1))
    assert refusal(replace(registered, messages=(foreign,)), stored_documents()) == "recipient"


def test_another_deliverys_id_is_refused(registered: RegisteredDelivery) -> None:
    foreign = replace(registered, delivery_id=delivery_id("t0002", OCTOBER, 1))
    assert refusal(foreign, stored_documents()) == "delivery id"


def test_a_mail_without_documents_is_refused(registered: RegisteredDelivery) -> None:
    assert refusal(replace(registered, documents=()), stored_documents()) == "no documents"
