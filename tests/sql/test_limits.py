"""Acts on limits and circuits (S-7, J-4, O-2, O-4). What they hold up is tested with the axes."""

import psycopg2
import pytest


def limits(answer):
    return [(l["scope"], l["name"], l["slots"]) for l in answer["limits"]]


def test_limits_are_set_changed_and_removed(world):
    """S-7, O-2: idempotent, audited, and in the history once for each change."""
    assert limits(world.operate("limit_set", "global", None, 8)) == [("global", "", 8)]
    world.operate("limit_set", "role", "developer", 2)
    world.operate("limit_set", "host", "testhost", 4)
    answer = world.operate("limit_set", "repo", "demo", 0)
    assert answer["message"] == "repo demo: at most 0 at once, so none starts"
    assert limits(answer) == [("global", "", 8), ("host", "testhost", 4), ("repo", "demo", 0), ("role", "developer", 2)]
    world.operate("limit_set", "repo", "demo", 3)
    world.operate("limit_set", "repo", "demo", 3)
    assert world.operate("limit_remove", "repo", "demo")["message"] == "repo demo: no limit any more"
    assert world.operate("limit_remove", "repo", "demo")["message"] == "repo demo has no limit"
    history = world.db.query("select detail, repo_id is not null as repo from orch.history where kind = 'limit' order by id")
    assert [h["detail"].get("slots") for h in history] == [8, 2, 4, 0, 3, None] and [h["repo"] for h in history] == [False] * 3 + [True] * 3
    assert world.db.value("select count(*) from orch.audit where act in ('limit_set', 'limit_remove')") == 8
    assert world.call("limit_list", user="orch_readonly")[0]["limit_list"]["limits"][0]["changed_by"] == "orch_operator"


@pytest.mark.parametrize("scope, name, slots, code", [
    ("global", None, -1, "OR003"), ("global", None, 10001, "OR003"), ("global", None, None, "OR003"), ("global", "x", 1, "OR003"),
    ("repo", None, 1, "OR003"), ("repo", "nowhere", 1, "OR001"), ("role", "poet", 1, "OR001"), ("host", "'; drop table orch.host --", 1, "OR001"),
    ("label", "gpu", 1, "OR003"), (None, None, 1, "OR003")])
def test_what_is_no_limit(world, scope, name, slots, code):
    """O-5: negative, too large, of nothing."""
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("limit_set", scope, name, slots)
    assert refused.value.pgcode == code and world.db.value("select count(*) from orch.capacity_limit") == 0
    assert world.db.value("select count(*) from orch.history where kind = 'limit'") == 0


def test_a_limit_of_what_is_gone_can_be_removed(world):
    world.operate("limit_set", "host", "testhost", 4)
    world.db.query("update orch.host set name = 'renamed'")
    assert limits(world.operate("limit_remove", "host", "testhost")) == []


def test_a_circuit_is_closed_by_hand(world):
    """J-4, O-2: idempotent; an unknown provider is said to be none."""
    world.db.query("insert into orch.provider_circuit (provider, state, open_until, reason) values ('claude', 'open', now() + interval '1 hour', 'HTTP 429')")
    answer = world.operate("circuit_close", "claude")
    assert answer["providers"][0]["state"] == "closed" and "go on" in answer["message"]
    assert "already" in world.operate("circuit_close", "claude")["message"]
    assert world.db.column("select detail from orch.history where kind = 'circuit'") == [{"provider": "claude", "from": "open", "to": "closed"}]
    assert world.db.value("select before ->> 'reason' from orch.audit where act = 'circuit_close' order by id limit 1") == "HTTP 429"
    with pytest.raises(psycopg2.Error) as refused:
        world.operate("circuit_close", "nobody")
    assert refused.value.pgcode == "OR001"


def requires(answer):
    return [(row["scope"], row["name"], row["requires"]) for row in answer["labels"]]


def test_labels_are_required_of_hosts(world):
    """S-7, O-2: the act, its audit row and history; the same again changes nothing; the jobs wait for a host that fits."""
    a = world.item()
    assert requires(world.operate("label_set", "role", "analyst", "kvm, x86")) == [("role", "analyst", ["kvm", "x86"])]
    world.operate("label_set", "role", "analyst", "x86,kvm")
    assert world.db.value("select count(*) from orch.history where kind = 'limit'") == 1
    assert world.db.value("select count(*) from orch.audit where act = 'label_set'") == 2
    assert world.blocks(a) == ["capacity"] and world.claim() is None
    answer = world.operate("label_set", "project", "demo", "gpu")
    assert requires(answer) == [("role", "analyst", ["kvm", "x86"]), ("project", "demo", ["gpu"])] and "only hosts with the labels gpu" in answer["message"]
    fits, epoch = world.add_process(host="big", pid=5)
    world.db.value("select orch.process_report(%s, %s, %s, %s)", fits, epoch, ["gpu", "kvm", "x86"], "{}", user="orch_workerd")
    assert world.claim() is None and world.claim(fits, epoch)["work_item"] == a
    assert world.operate("label_list")["hosts"] == [{"host": "big", "labels": ["gpu", "kvm", "x86"]}, {"host": "testhost", "labels": []}]
    b = world.item(project="demo")
    world.set("serial_gate_enabled", "off")
    world.operate("label_set", "project", "demo", None)
    assert requires(world.operate("label_set", "role", "analyst", "")) == []
    assert world.claim()["work_item"] == b  # told at once, not at the next poll


@pytest.mark.parametrize("scope, name, labels, said", [("host", "testhost", "x", "not required by"), ("role", "nobody", "x", "there is no role"),
                                                      ("project", None, "x", "there is no project"), ("role", "analyst", "a b;c", "no list of labels")])
def test_labels_that_cannot_be_required(world, scope, name, labels, said):
    """O-2: refused, with what would do."""
    with pytest.raises(psycopg2.Error, match=said):
        world.operate("label_set", scope, name, labels)
