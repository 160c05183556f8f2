"""Known vulnerabilities of the packages that requirements.lock pins: `make audit`.

pip-audit, which uv fetches when it is asked for, asks osv.dev about each of them. A line a
vulnerability, and exit status 1; where the advisories (or pip-audit itself) can't be reached, a
line that says that nothing was audited and why, and 0: no build fails for want of a network."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from riqa_lib import paths

LOCK = "requirements.lock"
ASKED = ("-s", "osv", "--disable-pip", "--require-hashes", "-f", "json", "--timeout", "20")
COMMAND = (".uv/bin/uvx", "-q", "pip-audit", "--progress-spinner", "off", *ASKED)
LIMIT = 1800.0  # s for all packages


def asked(lock: Path, command: Sequence[str] = COMMAND) -> tuple[str, str]:
    """What pip-audit answers (JSON; "" where it does not) and, where it fails, why."""
    try:
        ran = subprocess.run(
            [*command, "-r", str(lock)],
            cwd=paths.ROOT,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        return "", str(e)
    return ran.stdout, next(reversed(ran.stderr.strip().splitlines()), "it said nothing")


def found(answer: str) -> tuple[int, list[str]] | None:
    """How many packages were audited, and a line for each of their vulnerabilities; None where
    this is no answer, or one about no package.

    >>> one = {"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
    >>> found(json.dumps({"dependencies": [one, {"name": "b", "skip_reason": "not found"}]}))
    (1, ['a 1: CVE-1, mended in 2'])
    """
    try:
        audited = [p for p in json.loads(answer)["dependencies"] if "vulns" in p]
        lines = [
            f"{p['name']} {p['version']}: {its['id']}, mended in "
            f"{', '.join(its['fix_versions']) or 'no version yet'}"
            for p in audited
            for its in p["vulns"]
        ]
    except (ValueError, KeyError, TypeError):
        return None
    return (len(audited), lines) if audited else None


def main(command: Sequence[str] = COMMAND) -> int:
    """Audit, say what was found; the exit status."""
    answer, why = asked(paths.ROOT / LOCK, command)
    result = found(answer)
    if result is None:
        print(f"not audited: advisories could not be asked for ({why[:160]})")
        return 0
    count, lines = result
    print("\n".join([*lines, f"{count} packages of {LOCK} audited: {len(lines)} vulnerabilities"]))
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
