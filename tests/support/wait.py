"""Waiting for a condition. Nothing in the tests sleeps for a fixed time."""

import select
import time

DEFAULT_TIMEOUT = 30.0  # seconds; generous, because the sanitizers and a busy machine make everything slow
POLL = 0.02


def wait_for(fn, timeout=DEFAULT_TIMEOUT, what="", explain=None):
    """Calls fn until it returns something true, and returns that. The last call is after the deadline: who stood still
    meanwhile has not looked.

    Too late: AssertionError with `what`, the last value, and what explain() returns (a log's end, say).
    """
    deadline = time.monotonic() + timeout
    while True:
        is_last = time.monotonic() >= deadline
        value = fn()
        if value:
            return value
        if is_last:
            break
        select.select((), (), (), POLL)
    text = f"not within {timeout:g} s: {what or getattr(fn, '__name__', fn)}; last value: {value!r}"
    if explain is not None:
        text += "\n" + explain()
    raise AssertionError(text)


def stays(fn, seconds, what="", poll=POLL):
    """Asserts that fn stays true for so long: for what must *not* happen. Keep it short."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert fn(), f"did not stay so for {seconds:g} s: {what or getattr(fn, '__name__', fn)}"
        select.select((), (), (), poll)
