"""A process that dies while another waits for it; it imports little, to start fast."""

from __future__ import annotations

import os
import signal

from riqa_lib.networks import ranks


def second_is_killed() -> None:
    """In each of two processes."""
    if ranks.rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    ranks.wait()
