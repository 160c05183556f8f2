"""A browser to drive, where one is installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def browser_file() -> str:
    """A browser that is installed; the test is skipped where there is none to drive."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    named = os.environ.get("RIQA_BROWSER")
    found = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    mac = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
    if found is None and mac.exists():
        found = str(mac)
    if found is None:
        pytest.skip(f"no browser ({', '.join(BROWSERS)}): nothing was tried in one")
    return found
