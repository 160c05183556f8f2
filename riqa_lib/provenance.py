"""With what software, on what machine, from which commit."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from .paths import ROOT

PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "scikit-image",
    "pillow",
    "papermill",
)


def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Installed versions, read from package metadata (nothing is imported)."""
    return {"python": platform.python_version()} | {name: _installed(name) for name in packages}


@cache  # every run is given them, and what is loaded stays what it was
def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def commit() -> str:
    """The git commit of the source, with '+' where files differ from it; 'unknown' outside a
    checkout."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        if head.returncode:
            return "unknown"
        dirty = _git("status", "--porcelain", "--untracked-files=no").stdout.strip()
        return head.stdout.strip() + ("+" if dirty else "")
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "-C", str(ROOT), *words], capture_output=True, text=True, timeout=20
    )


def machine() -> str:
    """Processor, cores and (where torch is already loaded) GPU, in words."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            name = next(
                (line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), name
            )
    except OSError:
        pass
    words = f"{os.cpu_count()} cores, {name}"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        words += f", {torch.cuda.get_device_name(0)}"
    return words


def provenance() -> dict[str, object]:
    """What a run's provenance.json holds, besides its times."""
    return {"commit": commit(), "machine": machine(), "versions": versions()}
