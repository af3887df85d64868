"""What was stored for a revision stays; other numbers are another revision beside it."""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Sequence
from dataclasses import replace

import psycopg
import pytest

from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.delivery.states import delivery_id, reference
from reports_pipeline.documents.branding import HOUSE_BRANDING, Branding
from reports_pipeline.documents.bundle import render_pdfs, render_workbooks
from reports_pipeline.documents.document import PDF_NAMES, WORKBOOK_NAMES, Document
from resources.brandings import BrandingChange, LogoUpload
from resources.document_renderer import DocumentRenderer, Renderer
from tests.assets.monthly_stages import UP_TO_DOCUMENTS, MonthlyStages
from tests.documents.pictures import PNG_LOGO
from tests.sample_ledgers import APRIL

TWO = ["t0001", "t0003"]
NAMES = [*PDF_NAMES, *WORKBOOK_NAMES]
COPIED = (
    "update ledger.companies set plan = 'premium', language = 'ja', copy_language = 'en'"
    " where tenant_id = 't0003'"
)
RENAMED = "update ledger.companies set name = name || '新社' where tenant_id = 't0003'"


@pytest.fixture
def rendered(stages: MonthlyStages) -> MonthlyStages:
    """Two tenants whose documents are stored."""
    stages.run_all(UP_TO_DOCUMENTS, TWO)
    return stages


def other_bytes(render: Renderer) -> Renderer:
    """A renderer as it might be after the next release."""

    def render_otherwise(
        reports: TenantReports, reference: str, branding: Branding
    ) -> Sequence[Document]:
        return [
            replace(document, content=document.content + b"\n% prettier")
            for document in render(reports, reference, branding)
        ]

    return render_otherwise


@pytest.fixture
def release(stages: MonthlyStages) -> None:
    """From here on, rendering gives other bytes."""
    stages.renderer = DocumentRenderer(
        operator.call, pdfs=other_bytes(render_pdfs), workbooks=other_bytes(render_workbooks)
    )


def test_every_document_is_stored_and_registered_as_it_is(rendered: MonthlyStages) -> None:
    registered = rendered.register.documents(APRIL, TWO)
    assert set(registered) == {("t0001", 1), ("t0003", 1)}
    for (tenant_id, _), documents in registered.items():
        assert sorted(document.name for document in documents) == sorted(NAMES)
        for document in documents:
            content = rendered.store.get(document.object_key)
            assert document.object_key == f"reports/{tenant_id}/2025-04/r1/{document.name}"
            assert document.sha256 == hashlib.sha256(content).hexdigest()
            assert document.bytes == len(content)
            assert content.startswith(b"%PDF" if document.name.endswith(".pdf") else b"PK")
            assert "2025" in document.file_name


def test_the_metadata_links_to_each_document(rendered: MonthlyStages) -> None:
    for stage, names in (("report_pdfs", PDF_NAMES), ("report_workbooks", WORKBOOK_NAMES)):
        artefact = rendered.run(stage, TWO, run_id="run-2").artefacts["t0003"]
        assert artefact.key == "reports/t0003/2025-04/r1"
        values = {name: value.value for name, value in artefact.metadata.items()}
        assert values == {
            "revision": 1,
            "branding_version": 0,
            **{name: f"http://127.0.0.1:3001/{artefact.key}/{name}" for name in names},
        }


def test_the_reference_of_the_delivery_is_printed(stages: MonthlyStages) -> None:
    printed: dict[str, str] = {}

    def remember(reports: TenantReports, reference: str, branding: Branding) -> list[Document]:
        printed[reports.company.tenant_id] = reference
        return render_pdfs(reports, reference, branding)

    stages.renderer = DocumentRenderer(operator.call, pdfs=remember)
    stages.run_all(UP_TO_DOCUMENTS, TWO)
    assert printed == {t: reference(delivery_id(t, APRIL, 1)) for t in TWO}


def test_the_same_numbers_are_not_rendered_again(rendered: MonthlyStages) -> None:
    calls: list[str] = []

    def count(reports: TenantReports, reference: str, branding: Branding) -> list[Document]:
        calls.append(reports.company.tenant_id)
        return []

    rendered.renderer = DocumentRenderer(operator.call, pdfs=count, workbooks=count)
    stored = rendered.documents("t0003")
    registered = rendered.register.documents(APRIL, TWO)

    rendered.run_all(UP_TO_DOCUMENTS, TWO, run_id="run-2")

    assert calls == []
    assert rendered.documents("t0003") == stored
    assert rendered.register.documents(APRIL, TWO) == registered


@pytest.mark.usefixtures("rendered", "release")
def test_a_newer_renderer_does_not_replace_what_is_stored(stages: MonthlyStages) -> None:
    stored = {tenant_id: stages.documents(tenant_id) for tenant_id in TWO}
    stages.run_all(UP_TO_DOCUMENTS, TWO, run_id="run-2")
    assert {tenant_id: stages.documents(tenant_id) for tenant_id in TWO} == stored


@pytest.mark.usefixtures("rendered", "release")
def test_other_numbers_are_a_revision_beside_the_first(stages: MonthlyStages) -> None:
    before = {tenant_id: stages.documents(tenant_id) for tenant_id in TWO}
    with psycopg.connect(stages.url) as connection:
        connection.execute(RENAMED)
    stages.run_all(UP_TO_DOCUMENTS, TWO, run_id="run-2")

    assert stages.documents("t0001") == before["t0001"]
    after = stages.documents("t0003")
    assert sorted(after) == sorted(f"r{revision}/{name}" for revision in (1, 2) for name in NAMES)
    for name in NAMES:
        assert after[f"r1/{name}"] == before["t0003"][f"r1/{name}"]
        assert after[f"r2/{name}"] != after[f"r1/{name}"]
        assert after[f"r2/{name}"].endswith(b"% prettier")
    registered = stages.register.documents(APRIL, TWO)
    assert set(registered) == {("t0001", 1), ("t0003", 1), ("t0003", 2)}


@pytest.fixture
def unregistered(stages: MonthlyStages, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The PDFs of t0001, whose run died after storing them and before it registered them."""
    stages.run_all(UP_TO_DOCUMENTS[:2], TWO)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        crash.setattr(stages.register, "record", die)
        with pytest.raises(KeyboardInterrupt):
            stages.run("report_pdfs", TWO)
    stored = stages.documents("t0001")
    assert sorted(stored) == sorted(f"r1/{name}" for name in PDF_NAMES)
    assert stages.register.documents(APRIL, TWO) == {}
    return stored


def test_a_run_that_died_before_it_registered_is_made_up_for(
    stages: MonthlyStages, unregistered: dict[str, bytes]
) -> None:
    stages.run_all(["report_pdfs"], TWO, run_id="run-2")
    assert stages.documents("t0001") == unregistered
    registered = stages.register.documents(APRIL, TWO)
    assert {d.object_key.split("2025-04/")[1]: d.sha256 for d in registered["t0001", 1]} == {
        name: hashlib.sha256(content).hexdigest() for name, content in unregistered.items()
    }


def test_after_a_release_it_is_for_a_person_to_see(
    stages: MonthlyStages, unregistered: dict[str, bytes], release: None
) -> None:
    result = stages.run("report_pdfs", TWO, run_id="run-2")
    failures = {failure.tenant_id: failure for failure in result.failures}
    assert failures["t0001"].code is FailureCode.DOCUMENT_MISMATCH
    assert failures["t0001"].details["key"] == "reports/t0001/2025-04/r1/income_statement.pdf"
    assert stages.documents("t0001") == unregistered
    assert ("t0001", 1) not in stages.register.documents(APRIL, TWO)


def test_one_tenants_failure_stops_no_other(stages: MonthlyStages) -> None:
    too_large = TenantFailure("t0001", FailureCode.TOO_LARGE)

    def refuse_the_first(
        reports: TenantReports, reference: str, branding: Branding
    ) -> list[Document]:
        if reports.company.tenant_id == "t0001":
            raise TenantFailureError(too_large)
        return render_workbooks(reports, reference, branding)

    stages.renderer = DocumentRenderer(operator.call, workbooks=refuse_the_first)
    stages.run_all(UP_TO_DOCUMENTS[:3], TWO)
    result = stages.run("report_workbooks", TWO)
    assert result.failures == [too_large]
    assert list(result.artefacts) == ["t0003"]
    registered = stages.register.documents(APRIL, TWO)
    assert sorted(d.name for d in registered["t0003", 1]) == sorted(NAMES)
    assert [d.name for d in registered["t0001", 1]] == sorted(PDF_NAMES)


@pytest.fixture
def rendered_brandings(stages: MonthlyStages) -> dict[str, Branding]:
    """The branding by which each tenant's PDFs were rendered; filled as that happens."""
    seen: dict[str, Branding] = {}

    def remember(reports: TenantReports, reference: str, branding: Branding) -> list[Document]:
        seen[reports.company.tenant_id] = branding
        return render_pdfs(reports, reference, branding)

    stages.renderer = DocumentRenderer(operator.call, pdfs=remember)
    return seen


def set_branding(stages: MonthlyStages, tenant_id: str, template: str) -> Branding:
    change = BrandingChange(template, "#7A1F3D", LogoUpload("logo.png", PNG_LOGO))
    return stages.brandings.set(tenant_id, change, effective_from=APRIL, set_by="sato")


def branding_versions(stages: MonthlyStages, tenant_id: str, revision: int = 1) -> set[int]:
    registered = stages.register.documents(APRIL, [tenant_id])[tenant_id, revision]
    return {document.branding_version for document in registered}


def test_each_tenants_documents_have_its_branding_and_say_which(
    stages: MonthlyStages, rendered_brandings: dict[str, Branding]
) -> None:
    set_branding(stages, "t0003", "classic")
    newest = set_branding(stages, "t0003", "bold")
    later = BrandingChange("modern")
    stages.brandings.set("t0003", later, effective_from=APRIL.plus(1), set_by="sato")
    stages.run_all(UP_TO_DOCUMENTS, TWO)
    assert rendered_brandings == {"t0001": HOUSE_BRANDING, "t0003": newest}
    assert branding_versions(stages, "t0001") == {0}
    assert branding_versions(stages, "t0003") == {2}
    artefact = stages.run("report_workbooks", TWO).artefacts["t0003"]
    assert artefact.metadata["branding_version"].value == 2
    assert not stages.notices.exists()


def test_another_branding_renders_nothing_again(rendered: MonthlyStages) -> None:
    stored = {tenant_id: rendered.documents(tenant_id) for tenant_id in TWO}
    registered = rendered.register.documents(APRIL, TWO)
    set_branding(rendered, "t0003", "bold")
    rendered.run_all(UP_TO_DOCUMENTS, TWO, run_id="run-2")
    assert {tenant_id: rendered.documents(tenant_id) for tenant_id in TWO} == stored
    assert rendered.register.documents(APRIL, TWO) == registered
    artefact = rendered.run("report_pdfs", TWO, run_id="run-3").artefacts["t0003"]
    assert artefact.metadata["branding_version"].value == 0


def test_other_numbers_have_the_branding_of_now(rendered: MonthlyStages) -> None:
    set_branding(rendered, "t0003", "bold")
    with psycopg.connect(rendered.url) as connection:
        connection.execute(RENAMED)
    rendered.run_all(UP_TO_DOCUMENTS, TWO, run_id="run-2")
    assert branding_versions(rendered, "t0003", revision=1) == {0}
    assert branding_versions(rendered, "t0003", revision=2) == {1}


@pytest.fixture
def unusable(stages: MonthlyStages) -> MonthlyStages:
    """Stages in which somebody wrote a colour for t0001 on which white cannot be read."""
    for tenant_id in TWO:
        set_branding(stages, tenant_id, "bold")
    with psycopg.connect(stages.url) as connection:
        connection.execute(
            "update reporting.brandings set accent = 'FFCC00' where tenant_id = 't0001'"
        )
    stages.run_all(UP_TO_DOCUMENTS[:2], TWO)
    return stages


def test_an_unusable_branding_gives_way_to_the_houses_and_is_told_once_a_run(
    unusable: MonthlyStages, rendered_brandings: dict[str, Branding]
) -> None:
    results = {name: unusable.run(name, TWO, run_id="run-2") for name in UP_TO_DOCUMENTS[2:]}
    assert rendered_brandings["t0001"] == HOUSE_BRANDING
    assert rendered_brandings["t0003"].version == 1
    assert len(unusable.documents("t0001")) == len(NAMES)
    assert branding_versions(unusable, "t0001") == {0}
    for result in results.values():
        assert result.failures == []
        metadata = {name: value.value for name, value in result.artefacts["t0001"].metadata.items()}
        assert metadata["branding_version"] == 0
        assert "#FFCC00" in str(metadata["branding_fault"])
        assert "branding_fault" not in result.artefacts["t0003"].metadata

    [path] = unusable.notices.glob("*.json")
    notice = json.loads(path.read_text())
    assert notice["key"].startswith("branding-unusable_2025-04_run-2_")
    assert notice["severity"] == "warning"
    assert "1社" in notice["title"]["ja"]
    for body in notice["body"].values():
        lines = body.splitlines()
        assert lines[0].startswith("t0001: ")
        assert "#FFCC00" in lines[0]
        assert "t0003" not in body
        assert "reports branding set" in lines[-1]


def test_what_is_stored_is_not_told_again(unusable: MonthlyStages) -> None:
    unusable.run_all(UP_TO_DOCUMENTS[2:], TWO, run_id="run-2")
    unusable.run_all(UP_TO_DOCUMENTS[2:], TWO, run_id="run-3")
    assert len(list(unusable.notices.glob("*.json"))) == 1


def test_a_notice_that_cannot_be_written_stops_no_report(unusable: MonthlyStages) -> None:
    unusable.notices.write_text("no folder")
    unusable.run_all(UP_TO_DOCUMENTS[2:], TWO)
    assert len(unusable.documents("t0001")) == len(NAMES)


def test_a_plan_that_asks_for_copies_later_renders_nothing_again(rendered: MonthlyStages) -> None:
    stored = rendered.documents("t0003")
    with psycopg.connect(rendered.url) as connection:
        connection.execute(COPIED)
    rendered.run_all(UP_TO_DOCUMENTS, TWO, run_id="run-2")
    assert rendered.documents("t0003") == stored
    with psycopg.connect(rendered.url) as connection:
        connection.execute(RENAMED)
    rendered.run_all(UP_TO_DOCUMENTS, TWO, run_id="run-3")
    copies = {f"r2/{name.replace('.', '_en.')}" for name in NAMES}
    assert rendered.documents("t0003").keys() - stored.keys() == copies | {
        f"r2/{name}" for name in NAMES
    }
