"""Counts which characters documents of each kind usually need, for the fonts' vocabularies.

Run it after a change of what documents say: with old vocabularies documents are right, and somewhat
larger and slower to make. The companies are those of `benchmarks.sample_reports`; a character that
stands in at least a third of the documents of a kind belongs to its vocabulary.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

from benchmarks.sample_reports import sample_reports
from reports_pipeline.accounting.charts import default_chart
from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.documents import bundle, fonts

_COMPANIES = 60
_PLANS = ("light", "standard", "premium")
_LEAST_SHARE = 1 / 3
_MOST_CHARACTERS = 255  # of a subset
_TARGET = Path(fonts.__file__).with_suffix("") / "vocabularies.json"


def main() -> None:
    counted: dict[str, list[Counter[str]]] = defaultdict(lambda: [Counter(), Counter()])
    documents: Counter[str] = Counter()
    for reports in _samples():
        for kind, used in _used_characters(reports):
            documents[kind] += 1
            for counter, characters in zip(counted[kind], used, strict=True):
                counter.update(characters)
    vocabularies = {
        kind: [_frequent(counter, documents[kind] * _LEAST_SHARE) for counter in counters]
        for kind, counters in sorted(counted.items())
    }
    _TARGET.write_text(json.dumps(vocabularies, ensure_ascii=False, indent=1) + "\n", "utf-8")
    for kind, (regular, bold) in vocabularies.items():
        print(f"{kind}: {len(regular)} regular, {len(bold)} bold")


def _frequent(counter: Counter[str], least: float) -> str:
    most_common = counter.most_common(_MOST_CHARACTERS)
    return "".join(sorted(character for character, count in most_common if count >= least))


def _samples() -> Iterator[TenantReports]:
    for number in range(_COMPANIES):
        reports = sample_reports(number, _PLANS[number % len(_PLANS)])
        yield reports
        yield _in_english(reports)


def _in_english(reports: TenantReports) -> TenantReports:
    """The same month of a company whose accounts have the default chart's English names."""
    names = {
        japanese.name: english.name
        for japanese, english in zip(default_chart("ja"), default_chart("en"), strict=True)
    }
    return replace(
        reports,
        company=replace(reports.company, language="en"),
        statements=tuple(
            replace(
                statement,
                lines=tuple(
                    replace(line, label=names.get(line.label, line.label))
                    for line in statement.lines
                ),
            )
            for statement in reports.statements
        ),
    )


def _used_characters(reports: TenantReports) -> list[tuple[str, list[set[str]]]]:
    """For each document its kind and the characters of its regular and its bold text."""
    used: list[tuple[str, list[set[str]]]] = []

    def alphabets(kinds: list[fonts.DocumentKind]) -> list[list[fonts.Alphabet]]:
        made = fonts.tenant_alphabets(kinds)
        for kind, pair in zip(kinds, made, strict=True):
            used.append(("_".join(kind), [set(), set()]))
            for alphabet, characters in zip(pair, used[-1][1], strict=True):
                _listen(alphabet, characters)
        return made

    with mock.patch("reports_pipeline.documents.pdf.render.tenant_alphabets", alphabets):
        bundle.render_pdfs(reports, "0123456789abcdef")
    return used


def _listen(alphabet: fonts.Alphabet, characters: set[str]) -> None:
    encode = alphabet.encode

    def listening(text: str) -> list[tuple[int, str]]:
        characters.update(text)
        return encode(text)

    alphabet.encode = listening  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
