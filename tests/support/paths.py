"""Where the source and the build are. ORCH_BUILD names the build folder; tests/run sets it."""

import os
import pathlib

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ORCH_BUILD", SOURCE / "build-test")).resolve()


def program(name):
    """Path of a program of the suite, as the build made it."""
    path = BUILD / name
    assert path.exists(), f"{path} is not built: run meson compile -C {BUILD}"
    return path


def source(name):
    return SOURCE / name


# For programs under test: a finding of a sanitizer ends the process, so that no test can overlook it.
SANITIZER_ENV = {
    "ASAN_OPTIONS": "abort_on_error=0:exitcode=99:detect_leaks=1:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99:print_stacktrace=1",
}


def program_env(**more):
    """A small environment of its own: what the machine happens to have set must not decide a test."""
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent", **SANITIZER_ENV, **more}
