"""The name of a branch's change (P-4): what keeps it, and what makes it another one."""

import pytest

from support.pieces import DOCS

CODE = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n"


def patch_of(host, epoch, files, remove=()):
    """A developer's commit of these files on top of the default branch, as it is now."""
    run = host.run(epoch=epoch, branch=f"feature/ORCH-1-{epoch}")
    for name, text in files.items():
        run.write(name, text)
    for name in remove:
        (run.tree / name).unlink()
    return run.commit()


@pytest.fixture
def with_code(project):
    project.commit({"code.txt": CODE, "data.bin": "\0\1\2" * 100}, "Code")


def test_a_rebase_that_keeps_the_change_keeps_its_name(host, project, with_code):
    """P-4: the base moves elsewhere in the file, the change stays."""
    before = patch_of(host, 1, {"code.txt": CODE.replace("nine", "NINE")})
    assert len(before.patch_id) == 40 and before.base_sha == project.head()
    project.commit({"code.txt": "zero\n" + CODE, "other.txt": "x\n"}, "Elsewhere")
    after = patch_of(host, 2, {"code.txt": "zero\n" + CODE.replace("nine", "NINE")})
    assert after.patch_id == before.patch_id and after.code_tree != before.code_tree and after.base_sha != before.base_sha


def test_the_docs_folder_is_no_part_of_it(host, with_code):
    """P-4: a verdict that is committed voids nothing."""
    bare = patch_of(host, 1, {"code.txt": CODE.replace("nine", "NINE")})
    told = patch_of(host, 2, {"code.txt": CODE.replace("nine", "NINE"), f"{DOCS}/note.md": "a note\n"})
    assert told.patch_id == bare.patch_id and told.sha != bare.sha


@pytest.mark.parametrize("what, files", [
    ("other text", {"code.txt": CODE.replace("nine", "Nine")}),
    ("white space", {"code.txt": CODE.replace("nine", " NINE")}),
    ("a trailing blank", {"code.txt": CODE.replace("nine", "NINE ")}),
    ("another file as well", {"code.txt": CODE.replace("nine", "NINE"), "b.txt": "b\n"}),
    ("binary content", {"code.txt": CODE.replace("nine", "NINE"), "data.bin": "\0\1\3" * 100}),
])
def test_another_change_has_another_name(host, with_code, what, files):
    """P-4: also when only white space differs, or only bytes that no line shows."""
    first = patch_of(host, 1, {"code.txt": CODE.replace("nine", "NINE")})
    assert patch_of(host, 2, files).patch_id not in ("", first.patch_id)


def test_binary_changes_are_told_apart(host, with_code):
    """P-4: two different new contents of one binary file are two changes."""
    names = {patch_of(host, epoch, {"data.bin": "\0\1" + letter}).patch_id for epoch, letter in enumerate("abc", 1)}
    assert len(names) == 3


def test_a_mode_and_a_removal_count(host, with_code):
    """P-4"""
    first = patch_of(host, 1, {"b.txt": "b\n"})
    second = patch_of(host, 2, {"b.txt": "b\n"}, remove=["code.txt"])
    assert first.patch_id != second.patch_id


def test_no_change_has_no_name(host, with_code):
    """P-4: then the tree alone says whether code is the same."""
    assert patch_of(host, 1, {f"{DOCS}/note.md": "a note\n"}).patch_id == ""


def test_a_change_too_large_to_look_at_has_no_name(host, with_code):
    """P-4: bounded; what was said of it is void with any other code."""
    assert patch_of(host, 1, {"big.txt": "0123456789abcdef\n" * 1100000}).patch_id == ""
