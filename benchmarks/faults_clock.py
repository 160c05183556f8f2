"""A clock that is wrong, or jumps while a run goes on: a small library that is loaded before all
others (LD_PRELOAD) and adds to what the system's clock says the seconds that a file holds.

Linux with a C compiler; `library` is "" elsewhere."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *shift;

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("TOY_CLOCK");
    int at = file ? open(file, O_RDONLY) : -1;
    if (at < 0) return;
    void *seen = mmap(0, 8, PROT_READ, MAP_SHARED, at, 0);
    close(at);
    if (seen != MAP_FAILED) shift = seen;
}

int clock_gettime(clockid_t which, struct timespec *out) {
    int status = syscall(SYS_clock_gettime, which, out);
    if (!status && shift && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        out->tv_sec += *shift;
    return status;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"""


def library(folder: Path) -> str:
    """The library, compiled into this folder; "" where it cannot be."""
    compiler = shutil.which("cc")
    source, made = folder / "clock.c", folder / "clock.so"
    if compiler is None:
        return ""
    source.write_text(SOURCE)
    built = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", made, source], capture_output=True
    )
    return "" if built.returncode else str(made)


def set_clock(file: Path, seconds: int) -> None:
    """From now on the clock is so many seconds ahead (behind, where negative)."""
    with open(file, "r+b" if file.exists() else "wb") as f:
        f.write(struct.pack("=q", seconds))
