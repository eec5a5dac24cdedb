"""A hurried process: who sleeps in it wakes at once, and the clock has gone on all the same.

Python runs this at its start where the folder is on PYTHONPATH. So minutes of waiting pass in no
time, for botocore as well. `HURRIED` names a file that gets the seconds of each sleep.
"""

import os
import threading
import time

_real_sleep, _real_clock, _lock = time.sleep, time.monotonic, threading.Lock()
_log = os.environ.get("HURRIED")
_skipped = 0.0


def sleep(seconds: float) -> None:
    """Let the clock go on instead of waiting."""
    global _skipped  # noqa: PLW0603 - one clock for the whole process
    with _lock:
        _skipped += seconds
        if _log:
            with open(_log, "a") as log:  # noqa: PTH123 - pathlib takes long to import
                log.write(f"{seconds}\n")
    _real_sleep(0.001)


def clock() -> float:
    """Return the moment, as if all sleeps had taken their time, one after the other."""
    return _real_clock() + _skipped


time.sleep = sleep  # type: ignore[assignment]
time.monotonic = clock
