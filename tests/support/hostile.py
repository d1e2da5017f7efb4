"""A repository configuration in which everything that can run a command runs one that leaves a mark."""

HOSTILE_CONFIG = """\
[core]
    fsmonitor = {hook}
    hooksPath = {hooks}
    sshCommand = {hook}
    pager = {hook}
    editor = {hook}
[filter "evil"]
    clean = {hook}
    smudge = {hook}
    process = {hook}
    required = true
[diff "evil"]
    textconv = {hook}
    command = {hook}
[merge "evil"]
    driver = {hook}
[uploadpack]
    packObjectsHook = {hook}
[remote "origin"]
    url = ext::{hook}
    uploadpack = {hook}
    receivepack = {hook}
[credential]
    helper = {hook}
[gpg]
    program = {hook}
[commit]
    gpgSign = true
[include]
    path = evil.inc
"""

HOOKS = ("pre-commit", "post-index-change", "post-checkout", "pre-push", "reference-transaction", "prepare-commit-msg",
         "commit-msg", "post-commit", "pre-rebase", "post-rewrite", "pre-merge-commit", "post-merge", "update", "post-update",
         "fsmonitor-watchman")
ATTRIBUTES = "* filter=evil diff=evil merge=evil\n"


class Hostile:
    """Poisons repositories; `mark` exists as soon as anything of it has run."""

    def __init__(self, folder):
        self.mark, self.hook = folder / "mark", folder / "hook"
        self.hook.write_text(f"#!/bin/sh\necho \"$0 $*\" >>{self.mark}\nexit 0\n")
        self.hook.chmod(0o755)

    def __call__(self, git_dir):
        hooks = git_dir / "hooks"
        hooks.mkdir(parents=True, exist_ok=True)
        for name in HOOKS:
            (hooks / name).write_text(self.hook.read_text())
            (hooks / name).chmod(0o755)
        (git_dir / "config").write_text(HOSTILE_CONFIG.format(hook=self.hook, hooks=hooks))

    def ran(self):
        """What has run, or an empty text."""
        return self.mark.read_text() if self.mark.exists() else ""
