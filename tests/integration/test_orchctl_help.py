"""What orchctl says of itself: help, manual page, completion, the command line and its exit codes."""

import fcntl
import os
import pty
import shutil
import struct
import subprocess
import termios

import pytest

from support.paths import program, program_env, source


def orchctl(*args, **env):
    return subprocess.run([program("orchctl"), *args], env=program_env(**env), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, cwd="/")


def commands():
    """Names of all commands, as the manual page has them."""
    page = orchctl("help", "--man").stdout
    headings = [line[len(".Ss orchctl "):].replace("\\-", "-") for line in page.splitlines() if line.startswith(".Ss orchctl ")]
    return [" ".join(word for word in heading.split() if word.islower() and word[0].isalpha() and word.replace("-", "").isalpha() and word != "bash")
            for heading in headings]


ALL = commands()


def test_the_issue_s_commands_are_there():
    assert {"status", "queue", "why", "whatif", "asof", "item create", "item show", "item list", "item move", "approve", "reject", "cancel", "log",
            "watch", "migrate", "config show", "config set", "config check", "config dump", "up", "down", "upgrade", "project add",
            "project list", "lease list", "lease release", "completion", "help", "pause", "resume", "priority", "retry", "freeze", "unfreeze", "frozen",
            "dependency add", "dependency remove", "dependency list", "waits", "dead-letter list", "dead-letter retry", "dead-letter drop", "act list",
            "answer", "item label", "deploy list", "observe", "endpoint list", "endpoint set", "endpoint remove", "project connect",
            "doctor", "gates", "project show", "project set", "command set", "command remove", "retention", "usage", "price list", "price set", "price remove",
            "ack", "escalation list", "limit set", "limit remove", "limit list", "label set", "label list", "circuit list", "circuit close", "token new", "token list"} == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_help_with_an_example(name):
    done = orchctl(*name.split(), "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith(f"orchctl {name} - ")
    assert f"usage: orchctl {name}" in done.stdout
    assert "orchctl" in done.stdout.split("\nExamples:\n")[1]
    assert orchctl("help", *name.split()).stdout == done.stdout
    assert orchctl("-h", *name.split()).stdout == done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_overview():
    overview = orchctl("help")
    assert overview.returncode == 0
    for name in ALL:
        assert f"\n  {name} " in overview.stdout
    assert orchctl("--help").stdout == overview.stdout
    for code in ("0", "1", "2", "3", "75", "78"):
        assert f"\n  {code} " in overview.stdout.split("Exit codes:")[1]


def test_version():
    done = orchctl("--version")
    assert done.returncode == 0 and done.stdout.startswith("orchctl ") and done.stderr == ""


WRONG = {
    (): "hint: `orchctl help` lists the commands",
    ("statsu",): "hint: did you mean `orchctl status`?",
    ("item", "sohw", "X-1"): "hint: did you mean `orchctl item show`?",
    ("item",): "hint: there is: item show",
    ("help", "nonsense"): "orchctl: there is no command \"nonsense\"",
    ("status", "--jsn"): "hint: did you mean --json?",
    ("why",): "orchctl: why wants ITEM",
    ("why", "a", "b"): "orchctl: why does not take \"b\"",
    ("watch", "X-1", "--until", "never"): "wants done or waiting",
    ("watch", "X-1", "--timeout", "5"): "wants a time with its unit",
    ("log", "X-1", "--run", "0"): "wants a whole number",
    ("item", "create", "p", "t", "--priority", "high"): "wants a whole number from 0 to 4",
    ("project", "add", "p", "/x"): "project add wants --prefix PREFIX, --test COMMAND",
    ("reject", "X-1"): "reject wants --comment TEXT",
    ("completion", "fish"): "only for bash",
    ("config", "check", "--json"): "config check does not know the option --json",
}


@pytest.mark.parametrize("args", WRONG)
def test_wrong_command_line(args):
    """Exit code 2, nothing on standard output, one line that says why and a hint; no database is asked."""
    done = orchctl(*args, ORCH_DATABASE="host=/nonexistent")
    assert done.returncode == 2 and done.stdout == ""
    assert WRONG[args] in done.stderr
    assert all(line.startswith(("orchctl: ", "hint: ")) for line in done.stderr.splitlines())


# --- documents -----------------------------------------------------------------------------------------------


PAGES = {"orchctl.1": "--man", "orchestrator.conf.5": "--man-config"}


@pytest.mark.parametrize("page, option", PAGES.items())
def test_manual_page_is_that_of_the_program(page, option):
    assert source(f"docs/man/{page}").read_text() == orchctl("help", option).stdout, f"make it again: orchctl help {option} > docs/man/{page}"


@pytest.mark.parametrize("page", PAGES)
def test_manual_page_is_clean(page):
    assert shutil.which("mandoc"), "deploy/packages run test installs mandoc"
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", source(f"docs/man/{page}")], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0 and done.stdout == ""


COMPLETE = """
source <("$ORCHCTL" completion bash)
COMP_WORDS=(orchctl "$@") COMP_CWORD=$#
_orchctl
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(*words):
    """What bash offers for the last word."""
    env = program_env(ORCHCTL=str(program("orchctl")))
    done = subprocess.run(["bash", "-c", COMPLETE, "bash", *words], env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_completion():
    firsts = list(dict.fromkeys(name.split()[0] for name in ALL))
    assert complete("") == firsts
    assert complete("st") == ["status"]
    assert complete("item", "") == ["show", "list", "create", "move", "label"]
    assert complete("config", "d") == ["dump"]
    assert complete("migrate", "--c") == ["--check", "--config"]
    assert complete("--no-color", "item", "create", "--p") == ["--priority"]
    assert complete("--config", "/etc/orchestrator.conf", "st") == ["status"]
    assert complete("help", "item", "m") == ["move"]
    assert complete("--ver") == ["--version"]
    assert "/etc/passwd" in complete("--config", "/etc/passw")


def test_completion_offers_each_option():
    for name in ALL:
        offered = complete(*name.split(), "--")
        for line in orchctl(*name.split(), "--help").stdout.split("\nOptions:\n")[1].split("\n\n")[0].splitlines():
            for word in line.split():
                if line.startswith("  ") and word.startswith("--"):
                    assert word.rstrip(",") in offered, f"{name}: {word}"


# --- terminal ------------------------------------------------------------------------------------------------


def on_terminal(*args, columns=80, **env):
    """What it prints on a terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([program("orchctl"), *args], env=program_env(**{"TERM": "xterm", **env}), stdin=slave,
                               stdout=slave, stderr=subprocess.PIPE)
    os.close(slave)
    text = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # EIO: the other side is closed
            break
        if not piece:
            break
        text += piece
    os.close(master)
    process.communicate(timeout=60)
    return text.decode()


def test_colours_only_where_they_are_wanted():
    assert "\033[1m" in on_terminal("help")
    assert "\033" not in on_terminal("help", "--no-color")
    assert "\033" not in on_terminal("help", NO_COLOR="1")
    assert "\033" not in on_terminal("help", TERM="dumb")
    assert "\033[1m" in on_terminal("help", NO_COLOR="")
    assert "\033" not in orchctl("help").stdout


def test_help_fits_the_terminal():
    assert max(len(line) for line in on_terminal("help", "--no-color", columns=60).splitlines()) <= 60


def test_a_full_disk_is_an_error():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([program("orchctl"), "help"], env=program_env(), stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=60)
    assert done.returncode == 1 and "cannot write to standard output" in done.stderr
