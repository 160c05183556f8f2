"""`make audit`: what is found ends with 1, what can't be asked is said and ends with 0."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks import audit

FINE = {"name": "a", "version": "1.0", "vulns": []}
BAD = {"name": "b", "version": "2.0", "vulns": [
    {"id": "CVE-1", "fix_versions": ["2.1", "3.0"], "aliases": [], "description": ""},
    {"id": "CVE-2", "fix_versions": [], "aliases": [], "description": ""},
]}  # fmt: skip
SKIPPED = {"name": "c", "skip_reason": "not found"}


def answers(*packages: dict, status: int = 0) -> list[str]:
    """A stand-in for pip-audit; it must be given the lock."""
    said = json.dumps({"dependencies": packages, "fixes": []})
    code = f"import sys; assert sys.argv[1] == '-r', sys.argv; print({said!r}); sys.exit({status})"
    return [sys.executable, "-c", code]


def test_vulnerabilities_are_named_and_end_with_1(capsys):
    assert audit.main(answers(FINE, BAD, SKIPPED, status=1)) == 1
    assert capsys.readouterr().out.splitlines() == [
        "b 2.0: CVE-1, mended in 2.1, 3.0",
        "b 2.0: CVE-2, mended in no version yet",
        "2 packages of requirements.lock audited: 2 vulnerabilities",
    ]


def test_without_any_it_says_how_many_were_audited(capsys):
    assert audit.main(answers(FINE, SKIPPED)) == 0
    assert capsys.readouterr().out == "1 packages of requirements.lock audited: 0 vulnerabilities\n"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ([sys.executable, "-c", "import sys; sys.exit('no such host\\nno network')"], "no network"),
        (["/no such program"], "No such file"),
        (answers(), "it said nothing"),
        (answers(SKIPPED), "it said nothing"),
        ([sys.executable, "-c", "print('[]')"], "it said nothing"),
    ],
)
def test_what_cannot_be_asked_is_said_and_fails_no_build(capsys, command, why):
    assert audit.main(command) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("not audited: advisories could not be asked for (")
    assert why in line


def test_an_audit_that_takes_too_long_is_ended(capsys, monkeypatch):
    monkeypatch.setattr(audit, "LIMIT", 0.2)
    assert audit.main([sys.executable, "-c", "import time; time.sleep(9)"]) == 0
    assert "timed out" in capsys.readouterr().out
