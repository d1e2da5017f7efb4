"""What the demo's agents share: the task, the code, git, front matter. Standard library only.

An agent here is a plain script that does what a person of that role would do by rule. It reads what it is given (the
variables ORCH_*, the task file, what the roles before it left in the docs folder), works in its current folder, a
checkout of the item's branch, and explains on stderr why it fails when it does.
"""

import ast
import json
import os
import pathlib
import re
import subprocess
import sys

PACKAGE = pathlib.Path("units")


def fail(reason):
    sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {reason}")


def env(name):
    value = os.environ.get(name)
    return value if value else fail(f"the variable {name} is not set")


def docs(name):
    """A file in the item's docs folder, whose parent exists from now on."""
    path = pathlib.Path(env("ORCH_DOCS_DIR")) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def read_docs(name):
    path = docs(name)
    return path.read_text() if path.exists() else fail(f"{path} is missing: the role that writes it has not done its work")


def ask(question):
    """Ends the analyst without its work: people are shown the question, and it runs again with their answer. One that stays the
    same would be the old one, so each says how often that makes it."""
    path = docs("05-questions.md")
    times = int(front_matter(path.read_text()).get("asked", "0")) if path.exists() else 0
    path.write_text(with_front_matter({"status": "NEEDS_INPUT", "asked": times + 1}, question))
    print(f"analyst: {question.splitlines()[0]}")
    sys.exit(0)


def run(command, **options):
    """The finished process, with both outputs in .stdout. Never raises for its exit status."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **options.pop("env", {})}
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
                          stdin=subprocess.DEVNULL, **options)


def git(*args):
    done = run(["git", *args])
    return done.stdout if done.returncode == 0 else fail(f"git {args[0]} failed: {done.stdout.strip()}")


def run_checks():
    """The project's own checks: (passed, output)."""
    done = run(["/bin/sh", "-c", env("ORCH_TEST_COMMAND")])
    return done.returncode == 0, done.stdout.strip()


# --- front matter and the test plan --------------------------------------------------------------------------------

def with_front_matter(fields, body):
    return "---\n" + "".join(f"{key}: {value}\n" for key, value in fields.items()) + f"---\n\n{body.strip()}\n"


def front_matter(text):
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    lines = match.group(1).splitlines() if match else []
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def names_in(value):
    return value.split() if value else []


PLANNED = re.compile(r'  - expression: (?P<expression>".*")\n    relation: (?P<relation>\w+)\n    expected: (?P<expected>".*")\n')


def test_plan(text):
    """The cases of 04-test-plan.yaml, as the analyst wrote it: its quoted scalars are JSON strings too."""
    cases = [{key: json.loads(value) if value[0] == '"' else value for key, value in match.groupdict().items()}
             for match in PLANNED.finditer(text)]
    return cases if cases else fail("04-test-plan.yaml has no cases")


# --- the task ------------------------------------------------------------------------------------------------------

CRITERION = re.compile(r"^(?:> ?)?- `(?P<expression>.+?)` (?P<relation>gives|raises) `(?P<expected>.+?)`$", re.MULTILINE)


def task_text():
    return pathlib.Path(env("ORCH_TASK_FILE")).read_text()


def criteria(text):
    """The acceptance criteria of an item, written as "- `expression` gives `value`" or "... raises `Error`"."""
    return [match.groupdict() for match in CRITERION.finditer(text)]


def judge(cases, **options):
    """Runs each criterion in a Python of its own against the package found there. Yields (case, passed, answer)."""
    for case in cases:
        code = f"import units\ntry: print(repr({case['expression']}))\nexcept Exception as e: print(type(e).__name__)"
        answer = run([sys.executable, "-c", code], **options).stdout.strip()
        yield case, answer == case["expected"], answer


def case_table(results):
    rows = [f"| `{case['expression']}` | {case['relation']} `{case['expected']}` | `{answer}` | {'ok' if ok else 'WRONG'} |"
            for case, ok, answer in results]
    return "\n".join(["| expression | wanted | got | |", "|---|---|---|---|", *rows])


# --- the code ------------------------------------------------------------------------------------------------------

def public_functions():
    """Name -> (module's path, first line of its documentation), read from the source without running it."""
    found = {}
    for path in sorted(PACKAGE.glob("*.py")):
        for node in ast.parse(path.read_text(), str(path)).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                found[node.name] = (path, (ast.get_docstring(node) or "").split("\n")[0])
    return found


def version():
    return re.search(r'__version__ = "(.*?)"', (PACKAGE / "version.py").read_text()).group(1)
