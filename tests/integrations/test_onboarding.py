"""orchctl project add with Plane and Gitea: what it looks at, what it registers, and that a failure changes nothing (I-1, I-2, I-3); and
orchctl doctor about both."""

import json
import os
import pty
import subprocess

import pytest

from support.ctl import Ctl
from support.paths import program

TOKEN = "sim-token"
PUBLIC = "https://orch.example.org"
HOOK = PUBLIC + "/webhook/gitea"


@pytest.fixture
def hosts(plane, gitea):
    return ",".join(service.url.removeprefix("http://") for service in (plane, gitea))


@pytest.fixture
def ctl(database, folder, hosts):
    ctl = Ctl(database, folder)
    (folder / "state").mkdir(mode=0o750)
    for source in ("gitea", "plane"):
        path = folder / f"{source}.secret"
        path.write_text(f"the secret of {source}\n".replace(" ", "-"))
        path.chmod(0o600)
        ctl.env[f"ORCH_{source.upper()}_SECRET_FILE"] = str(path)
    ctl.env.update(ORCH_HTTP_PLAIN_HOSTS=hosts, ORCH_AGENT_COMMAND="/bin/true", ORCH_DISK_MIN_FREE="0B")
    return ctl


@pytest.fixture
def add(ctl, plane, gitea, shop, token_file):
    """add(...) with everything given; a keyword changes an option, None takes it away."""
    def words(**changes):
        options = {"tracker": "plane", "tracker_url": plane.url, "tracker_token_file": token_file, "workspace": "acme", "tracker_project": "SHOP",
                   "forge": "gitea", "forge_url": gitea.url, "forge_token_file": token_file, "forge_repo": "acme/shop", "public_url": PUBLIC,
                   "test": "make check", **changes}
        return ["project", "add", "shop", *(word for key, value in options.items() if value is not None for word in (f"--{key.replace('_', '-')}", value))]

    def call(*more, code=0, **changes):
        """The answer; of one that has none, what was said."""
        done = ctl(*words(**changes), *more, "--json", code=code)
        assert TOKEN not in done.stdout + done.stderr and "the-secret-of" not in done.stdout + done.stderr
        return json.loads(done.stdout) if done.stdout else done.stderr

    call.words = words
    return call


def wrong(answer, level="wrong"):
    return [f"{f['check']}: {f['says']}" for f in answer["findings"] if f["level"] == level]


def nothing(database, shop):
    """Neither here nor there."""
    return not database.query("select 1 from orch.project union all select 1 from orch.endpoint union all select 1 from orch.repo") and not shop.repo.hooks


def test_a_project_with_all_it_needs(database, ctl, add, plane, gitea, shop, token_file):
    answer = add()
    assert (answer["registered"], answer["tracker"], answer["forge"], answer["prefix"], wrong(answer)) == (True, "plane", "gitea", "SHOP", [])
    row, = database.query("""select p.tracker_project, p.forge_name, p.forge_location, p.default_branch, t.url as plane, t.workspace, t.account as plane_account,
        t.hook_url as plane_hook, f.url as gitea, f.account as gitea_account, f.hook_url, f.token_file from orch.project p
        join orch.endpoint t on t.id = p.tracker_endpoint join orch.endpoint f on f.id = p.forge_endpoint""")
    assert row == {"tracker_project": plane.shop.id, "forge_name": "acme/shop", "forge_location": f"{gitea.url}/acme/shop.git", "default_branch": "main",
                   "plane": plane.url, "workspace": "acme", "plane_account": plane.keys[TOKEN]["id"], "plane_hook": f"{PUBLIC}/webhook/plane",
                   "gitea": gitea.url, "gitea_account": "orchestrator", "hook_url": HOOK, "token_file": str(token_file)}
    hook, = shop.repo.hooks.values()
    assert hook["active"] and hook["config"] == {"url": HOOK, "content_type": "json", "secret": "the-secret-of-gitea"}
    assert {"push", "pull_request", "status", "delete"} <= set(hook["events"])
    for words in ("Add webhook", f"{PUBLIC}/webhook/plane", "WEBHOOK_ALLOWED_HOSTS=orch.example.org", "ALLOWED_HOST_LIST", "protect main"):
        assert words in answer["by_hand"]


def test_the_same_again_changes_nothing_but_a_hook_that_is_gone(database, add, shop):
    add()
    before = database.query("select * from orch.project"), dict(shop.repo.hooks)
    assert add()["registered"] and (database.query("select * from orch.project"), shop.repo.hooks) == before
    shop.repo.hooks.clear()
    add()
    assert len(shop.repo.hooks) == 1
    hook, = shop.repo.hooks.values()
    hook["active"] = False
    assert wrong(add(), "warning") == [f"webhook: the webhook of acme/shop to {HOOK}: it is not active"]
    hook, = shop.repo.hooks.values()
    assert hook["active"] and hook["config"]["secret"]


def test_a_second_project_takes_what_is_known(database, ctl, add, plane, gitea):
    add()
    plane.add_project("OTHER", "Another")
    repo = gitea.add_repo("acme", "other")
    subprocess.run(["git", "-C", gitea.repos["acme", "shop"].bare.path, "push", "-q", repo.bare.path, "main"], check=True)
    done = ctl.json("project", "add", "other", "--tracker", "plane", "--tracker-project", "OTHER", "--forge", "gitea", "--forge-repo", "acme/other", "--test", "true")
    assert (done["prefix"], done["registered"]) == ("OTHER", True)
    assert len(repo.hooks) == 1 and database.query("select count(*) as n from orch.endpoint")[0]["n"] == 2


def test_check_only_looks(database, add, shop):
    answer = add("--check")
    assert (answer["registered"], answer["wrong"]) == (False, 0) and "Add webhook" in answer["by_hand"]
    assert wrong(answer, "warning") == [f"webhook: acme/shop has no webhook to {HOOK}"] and nothing(database, shop)


def test_plane_with_a_repository_on_disk(ctl, plane, shop, token_file):
    done = ctl.json("project", "add", "p", shop.repo.bare.path, "--tracker", "plane", "--tracker-url", plane.url, "--tracker-token-file", token_file,
                    "--workspace", "acme", "--tracker-project", plane.shop.id, "--test", "true")
    assert (done["tracker"], done["forge"], done["location"], done["prefix"]) == ("plane", "local", str(shop.repo.bare.path), "SHOP")


BROKEN = {
    "a token that Plane does not take": (lambda s: s.plane.keys.clear(), 'tracker: {plane}, asked for whose token that is, answers "denied": '),
    "a token that Gitea does not take": (lambda s: s.gitea.tokens.clear(), 'forge: {gitea}, asked for whose token that is, answers "denied": '),
    "a token that others may read": (lambda s: s.token_file.chmod(0o644), "tracker: others may read or write token file "),
    "no token": (lambda s: s.token_file.unlink(), "tracker: could not open token file "),
    "no such project": (lambda s: s.plane.projects.clear(), 'tracker: workspace acme has no project "SHOP"; the token shows: none'),
    "no state to begin with": (lambda s: s.rename_state("To Analyse", "Ready"), 'states: no state "To Analyse" (group unstarted): no work can be started there'),
    "a repository that is archived": (lambda s: setattr(s.shop.repo, "archived", True), "forge: acme/shop is archived: nothing can be pushed"),
    "no repository": (lambda s: s.gitea.repos.clear(), 'forge: {gitea}, asked for the repository, answers "not-found": '),
    "an empty repository": (lambda s: s.shop.repo.bare.git("update-ref", "-d", "refs/heads/main"), "forge: acme/shop has no branch main"),
    "a Plane that is down": (lambda s: s.plane.faults.set([{"fault": "error-before"}]), 'tracker: {plane}, asked for whose token that is, answers "unavailable": '),
    "a Plane that redirects": (lambda s: s.plane.faults.set([{"fault": "redirect", "location": "http://169.254.169.254/"}]), "tracker: {plane}, asked for"),
    "a Gitea that answers without end": (lambda s: s.gitea.faults.set([{"fault": "endless"}]), "forge: {gitea}, asked for"),
    "a Plane where nothing is asked": (lambda s: s.env.update(ORCH_HTTP_PLAIN_HOSTS=s.gitea.url.removeprefix("http://")),
                                       "tracker: its address {plane} is not asked: http without TLS is not allowed to 127.0.0.1:"),
    "no secret to sign with": (lambda s: s.env.pop("ORCH_GITEA_SECRET_FILE"), "webhook: is not set: webhooks of Gitea would be turned away"),
}


@pytest.mark.parametrize("change, says, mend", [
    ({"tracker_url": "nonsense"}, "tracker: its address nonsense is not asked: not a URL: Bad scheme", "give it as in https://"),
    ({"forge_url": "ftp://x"}, "forge: its address ftp://x is not asked: ftp: is not used here", "http_plain_hosts"),
    ({"public_url": "nonsense"}, 'webhook: "nonsense" is no address', "give it as in https://"),
    ({"public_url": "https:///path"}, 'webhook: "https:///path" is no address', "give it as in https://"),
])
def test_an_address_that_is_none_is_found_by_looking(database, add, shop, change, says, mend):
    """What the database would refuse is said before, and of what nobody asked nobody is told that its account has no right."""
    for more in (["--check"], []):
        answer = add(*more, code=1, **change)
        assert says in wrong(answer) and nothing(database, shop)
        finding, = (f for f in answer["findings"] if f["level"] == "wrong")
        assert mend in finding["mend"]


@pytest.mark.parametrize("fault", BROKEN)
def test_what_is_wrong_is_said_and_nothing_is_registered(database, ctl, add, plane, gitea, shop, token_file, fault):
    class Scene:
        env = ctl.env

        def rename_state(self, old, new):
            plane.shop.state_named(old)["name"] = new

    scene = Scene()
    scene.plane, scene.gitea, scene.shop, scene.token_file = plane, gitea, shop, token_file
    breaks, says = BROKEN[fault]
    breaks(scene)
    done = ctl(*add.words(), code=1)
    assert says.format(plane=plane.url, gitea=gitea.url) in " ".join(done.stdout.replace("WRONG", "").split()).replace("tracker plane: ", "tracker: ").replace(
        "forge gitea: ", "forge: ").replace("states plane: ", "states: ").replace("webhook gitea_secret_file: ", "webhook: "), done.stdout
    assert "nothing was registered" in done.stderr and TOKEN not in done.stdout and "the-secret" not in done.stdout
    assert nothing(database, shop)


def test_states_that_are_missing_and_what_that_disables(add, plane):
    for name in ("STOP", "Confirm Deploy", "Code Review", "Rejected"):
        plane.shop.state_named(name)["name"] = f"Our {name}"
    plane.shop.state_named("Done")["name"] = "dONE "
    said = wrong(add(), "warning")
    assert [line.split(": ")[2] for line in said if line.startswith("states")] == [
        "nobody can send work back there; orchctl reject can", "another state of its group is shown instead",
        "nobody can confirm a deploy there; orchctl approve can", "nobody can stop work there; orchctl cancel can"]


def test_states_that_cannot_be_told_apart(database, add, plane, shop):
    plane.shop.state_named("Development")["name"] = "approved "
    answer = add(code=1)
    assert wrong(answer) == ["states: these states cannot be told apart, so none counts as Approved: Approved, approved "] and nothing(database, shop)


@pytest.mark.parametrize("fault", ["error-before", "error-after", "drop-after"])
def test_a_hook_that_cannot_be_made_takes_the_project_back(database, add, gitea, shop, fault):
    gitea.faults.set([{"fault": fault, "match": "POST .*/hooks", "times": 1}])
    assert "cannot make the webhook, so nothing was registered" in add(code=75)
    assert not database.query("select 1 from orch.project") and not database.query("select 1 from orch.endpoint")
    assert add()["registered"] and len(shop.repo.hooks) == 1


def test_a_refusal_of_the_database_leaves_no_hook(database, ctl, add, shop):
    ctl("project", "add", "taken", shop.repo.bare.path, "--prefix", "SHOP", "--test", "true")
    assert 'the prefix "SHOP" belongs to another project' in add(code=1)
    assert not shop.repo.hooks and not database.query("select 1 from orch.endpoint")
    ctl("endpoint", "set", "gitea", "https://other.example.org", "--kind", "gitea", "--token-file", "/etc/x")
    assert "endpoint gitea is gitea at https://other.example.org already" in add("--prefix", "SHOQ", code=1) and not shop.repo.hooks


def test_nobody_is_asked_without_a_terminal(ctl):
    said = ctl.refused("project", "add", "shop", "--tracker", "plane", "--forge", "gitea", code=2)
    assert said.startswith("orchctl: project add wants --tracker-url URL, --tracker-token-file FILE, --workspace SLUG, --tracker-project PROJECT, "
                           "--forge-url URL, --forge-token-file FILE, --forge-repo OWNER/NAME, --test COMMAND\n")
    assert "--tracker is \"jira\", and is plane or local" in ctl.refused("project", "add", "shop", "--tracker", "jira", code=2)


def test_a_terminal_is_asked_for_the_rest(database, ctl, plane, gitea, shop, token_file):
    answers = ["plane", "gitea", "", plane.url, str(token_file), "acme", "shop", "", gitea.url, str(token_file), "acme/shop", "", "make check"]
    master, slave = pty.openpty()
    try:
        child = subprocess.Popen([program("orchctl"), "project", "add", "shop"], env=ctl.env, stdin=slave, stderr=slave, stdout=subprocess.PIPE, text=True)
        os.write(master, "".join(f"{answer}\n" for answer in answers).encode())
        out, _ = child.communicate(timeout=60)
        said = os.read(master, 65536).decode(errors="replace")
    finally:
        os.close(master)
        os.close(slave)
    assert child.returncode == 0, said
    assert "Where are the work items: plane or local? [local]" in said and "project shop is registered; its work items are called SHOP-N" in out
    assert database.query("select tracker, forge from orch.project") == [{"tracker": "plane", "forge": "gitea"}] and not shop.repo.hooks


# --- orchctl doctor, about the services --------------------------------------------------------------------------


def doctor(ctl, check, level="wrong", timeout="30s"):
    done = ctl("doctor", "--json", "--timeout", timeout, code=1)  # the suite does not run: that is wrong
    assert TOKEN not in done.stdout + done.stderr
    return [f["says"] for f in json.loads(done.stdout)["findings"] if f["check"] == check and f["level"] == level]


def test_doctor_finds_nothing_wrong_outside(ctl, add, plane, gitea):
    add()
    for check in ("services", "trackers", "forges", "hooks"):
        assert doctor(ctl, check) == [] and doctor(ctl, check, "fine")


def test_doctor_looks_at_hooks(ctl, add, shop):
    add()
    hook, = shop.repo.hooks.values()
    hook["events"].remove("status")
    assert "it is not told of everything" in doctor(ctl, "hooks")[0]
    shop.repo.hooks.clear()
    assert doctor(ctl, "hooks") == [f"acme/shop has no webhook to {HOOK}"]
    assert doctor(ctl, "hooks", "warning") == ["no delivery has ever come from gitea", "no delivery has ever come from plane"]


def test_doctor_waits_once_for_a_service_that_hangs(ctl, add, plane, gitea):
    add()
    plane.faults.set([{"fault": "slow", "seconds": 20}])
    gitea.tokens.clear()
    found = doctor(ctl, "services", timeout="4s")
    assert any(plane.url in says and "imed out" in says for says in found) and any('"denied"' in says for says in found)
    assert doctor(ctl, "trackers", "warning", "4s") == ["not asked: plane does not answer"]
