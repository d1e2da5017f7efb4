"""Documentation and rights of everything in the schema (O-2, O-3, B-8)."""

import pathlib

import psycopg2
import pytest

DAEMONS = ["orch_webhookd", "orch_workerd", "orch_reaperd", "orch_reconcilerd", "orch_operatord"]


def test_everything_has_a_comment(database):
    """O-3: each table, column, view, type and function says what it is."""
    bare = database.column("""
        select c.relname from pg_class c where c.relnamespace = 'orch'::regnamespace and c.relkind in ('r', 'v', 'S')
          and obj_description(c.oid, 'pg_class') is null and not (c.relkind = 'S' and c.relname like '%%_id_seq')
        union all
        select c.relname || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'orch'::regnamespace and c.relkind in ('r', 'v') and col_description(c.oid, a.attnum) is null
        union all
        select p.oid::regprocedure::text from pg_proc p where p.pronamespace = 'orch'::regnamespace and obj_description(p.oid, 'pg_proc') is null
        union all
        select p.oid::regprocedure::text || ' has no fixed search_path' from pg_proc p
        where p.pronamespace = 'orch'::regnamespace and p.prosecdef and p.proconfig is null""")
    assert bare == []


@pytest.mark.parametrize("role", DAEMONS)
def test_daemons_have_no_rights_on_tables(database, role):
    """B-8: only functions; no daemon reads or writes a table or view."""
    rights = database.column("""
        select c.relname || ' ' || p from pg_class c, unnest(array['select', 'insert', 'update', 'delete', 'truncate']) p
        where c.relnamespace = 'orch'::regnamespace and c.relkind in ('r', 'v') and has_table_privilege(%s, c.oid, p)""", role)
    assert rights == []


PURE = {"setting_text", "setting_bool", "setting_int", "in_scope", "serial_gated", "blocks_of", "axis_answers", "axis_ask", "is_axis_fault",
        "oldest_claimable_s", "worker_miss", "budget_spent", "cost_estimate", "needs_transition_lease", "needs_merge_lease", "has_living_owner", "in_critical_window", "stop_window", "board_words", "state_disables", "gate_result", "gate_evidence", "gate_decision", "gate_job", "gate_ask", "gate_visit",
        "visit_of", "evidence_standing", "evidence_void", "wrote_code", "merge_tested", "is_tested", "deploy_begun", "has_step", "is_for_person", "waiting_step", "gates_look",
        "waits_for_person", "item_name", "task_json", "state_at", "failed_log", "failure_digest", "works_again", "counted", "estimated", "count_bound", "inbox_age_s", "former_sessions"}
LOOKS = {"project_list", "project_show", "lease_list", "item_list", "status_snapshot", "queue_snapshot", "why", "item", "setting_list", "act_list", "freeze_list", "dead_letter_list",
         "dependency_list", "finding_list", "waits_chain", "limit_list", "label_list", "circuit_list", "openapi", "doctor", "states_report", "asof", "asof_changes", "escalation_list"}
PURE |= {"ci_commits", "git_url", "glob_matches", "ci_red"}
LOOKS |= {"gates"}
PURE |= {"kept_since", "retention_batch", "label_text"}
LOOKS |= {"retention", "endpoint_list", "usage"}
ACTS = {"project_add", "item_create", "item_move", "approve", "reject", "cancel", "setting_set", "lease_release", "pause", "resume", "freeze",
        "unfreeze", "priority_set", "retry", "dead_letter_retry", "dependency_add", "dependency_remove",
        "project_set", "project_command_set", "project_command_remove", "limit_set", "label_set", "limit_remove", "circuit_close", "dead_letter_drop", "whatif", "ack"}
ACTS |= {"endpoint_set", "endpoint_remove", "project_connect", "project_onboard"}
PURE |= {"deploy_under_way", "deploy_of", "observed_json"}
LOOKS |= {"deploy_list"}
ACTS |= {"observe"}
LOOKS |= {"price_list"}
ACTS |= {"price_set", "price_remove"}
ACTS |= {"answer", "item_label"}
PURE |= {"waits_for_answer", "open_question", "endpoint_room", "endpoint_tokens", "endpoint_bucket", "card_claim_s"}
PURE |= {f"gate_{path.stem}" for path in (pathlib.Path(__file__).parents[2] / "sql/gates").glob("*.sql")}
FUNCTIONS = {
    "orch_webhookd": {"event_intake", "status_snapshot", "queue_snapshot", "metric_rows"},
    "orch_workerd": {"job_claim", "job_started", "job_pushing", "job_intent", "forge_note", "job_finish", "job_release", "event_unrouted", "event_route", "event_malformed", "event_route_failed",
                     "event_handle", "effect_claim", "effect_finish", "look_claim", "look_finish", "local_item_set_state", "local_item_comment", "process_disown",
                     "orphans", "process_report", "job_adopt", "runs_over", "run_usage"},
    "orch_reaperd": {"process_beats", "process_gone", "reap_overdue", "orphan_list", "orphan_lost", "orphan_stranded"},
    "orch_reconcilerd": {"reconcile_gates", "reconcile_outside", "waits_check", "escalations_raise"},
    "orch_operatord": {"http_act", "openapi", "status_snapshot", "queue_snapshot", "metric_rows"},
    "orch_operator": LOOKS | ACTS | PURE,
    "orch_readonly": LOOKS | PURE,
}

FUNCTIONS["orch_reaperd"] |= {"retention_tick", "retention_files", "retention_files_done", "retention_files_kept", "disk_report", "prune_report"}
FUNCTIONS["orch_workerd"] |= {"deploy_look", "deploy_initiate", "watch_claim", "watch_initiate", "watch_finish", "card_claim", "card_finish"}


@pytest.mark.parametrize("role", FUNCTIONS)
def test_functions_each_role_may_call(database, role):
    """B-8: the whole list, so that a new grant is a decision."""
    may = set(database.column("select distinct proname from pg_proc where pronamespace = 'orch'::regnamespace and has_function_privilege(%s, oid, 'execute')", role))
    common = {"schema_version", "schema_oldest"} | ({"process_start", "process_beat", "process_handover"} if role in DAEMONS and role != "orch_operatord" else set())
    assert may == FUNCTIONS[role] | common


def test_nobody_else_may_call_anything(database):
    """B-8: PUBLIC has no right on any function of ours."""
    assert database.column("""select p.proname from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                              where p.pronamespace = 'orch'::regnamespace and a.grantee = 0""") == []


@pytest.mark.parametrize("statement", [
    "insert into orch.event (source, body) values ('gitea', '')", "select orch.job_claim(1, 1)", "select * from orch.task",
    "select orch.transition(1, 'created', 0, 'done', 'me')"])
def test_webhookd_cannot(database, statement):
    """B-8: each forbidden act is tried."""
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        database.query(statement, user="orch_webhookd")


def test_readonly_sees_views_but_no_bodies(world):
    """O-3: what people look at is readable; bodies of deliveries are not."""
    world.item()
    for view in world.db.column("select relname from pg_class where relnamespace = 'orch'::regnamespace and relkind = 'v'"):
        world.db.query(f"select * from orch.{view} limit 1", user="orch_readonly")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        world.db.query("select body from orch.event", user="orch_readonly")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        world.db.query("update orch.task set priority = 0", user="orch_readonly")


@pytest.mark.parametrize("act, args, code", [
    ("approve", ("NOPE-1", None), "OR001"), ("reject", ("DEMO-1", " "), "OR003"), ("cancel", ("NOPE-1", None), "OR001"),
    ("cancel", ("x' or 1=1 --", None), "OR001"), ("cancel", ("", None), "OR001"),
    ("item_move", ("DEMO-1", "flying", None), "OR003"), ("item_move", ("NOPE-1", "stop", None), "OR001"),
    ("item_create", ("nowhere", "t", "", 2), "OR001"), ("item_create", ("demo", "t", "", 9), "OR003"), ("item_create", ("demo", None, "", 2), "OR003"),
    ("setting_set", ("nope", "on"), "OR001"), ("setting_set", ("task_deps_enabled", "maybe"), "OR003"), ("setting_set", ("qg0_title_max", "-1"), "OR003"),
    ("project_add", ("a b", "r", "local", "/x", "main", "XX", "true"), "OR003"), ("project_add", ("x", "r", "local", "/x", "main", "lower", "true"), "OR003"),
    ("project_add", ("x", "r2", "local", "/x", "main", "DEMO", "true"), "OR002"), ("project_add", ("demo", "other", "local", "/x", "main", "DEMO", "true"), "OR002"),
    ("price_set", ("m", "-1", "1", None, None, None), "OR003"), ("price_set", ("m", "1", None, None, None, None), "OR003"), ("price_set", ("m", "1", "1e9", None, None, None), "OR003"),
    ("price_set", ("a b", "1", "1", None, None, None), "OR003"), ("price_set", (None, "1", "1", None, None, None), "OR003"), ("price_set", ("m", "1", "1", None, None, "someday"), "OR003"),
    ("price_set", ("m", "1", "1", "x", None, None), "OR003"), ("price_remove", ("m", None), "OR003"), ("price_remove", ("m", "2027-13-01"), "OR003"),
    ("observe", ("NOPE-1", "healthy", None), "OR001"), ("observe", ("DEMO-1", "fine", None), "OR003"), ("observe", ("DEMO-1", None, None), "OR003"), ("observe", ("DEMO-1", "healthy", None), "OR002"),
    ("pause", ("NOPE-1", None), "OR001"), ("pause", (None, None), "OR001"), ("resume", ("NOPE-1",), "OR001"), ("retry", ("NOPE-1", None), "OR001"), ("ack", ("NOPE-1", None), "OR001"), ("ack", (None, None), "OR001"),
    ("answer", ("DEMO-1", "to nothing"), "OR002"), ("answer", ("DEMO-1", " "), "OR003"), ("answer", ("NOPE-1", "x"), "OR001"),
    ("item_label", ("NOPE-1", "x", True), "OR001"), ("item_label", ("DEMO-1", "", True), "OR003"), ("item_label", ("DEMO-1", "a;b", True), "OR003"),
    ("priority_set", ("DEMO-1", -1), "OR003"), ("priority_set", ("DEMO-1", 5), "OR003"), ("priority_set", ("DEMO-1", None), "OR003"),
    ("freeze", ("nowhere", "why", None), "OR001"), ("freeze", ("demo'; drop table orch.task --", "why", None), "OR001"), ("freeze", ("demo", " ", None), "OR003"),
    ("freeze", ("demo", None, None), "OR003"), ("freeze", ("demo", "why", "NOPE-1"), "OR001"), ("unfreeze", ("nowhere",), "OR001"),
    ("dead_letter_retry", ("effect-99",), "OR001"), ("dead_letter_retry", ("event-99",), "OR001"), ("dead_letter_drop", ("effect-99", None), "OR001"), ("dead_letter_drop", ("x", None), "OR003"), ("dead_letter_retry", ("99",), "OR003"), ("dead_letter_retry", (None,), "OR003"),
    ("dead_letter_retry", ("effect-1 or 1=1",), "OR003"), ("dead_letter_retry", ("effect-9999999999999999999",), "OR003"),
    ("dependency_add", ("DEMO-1", "NOPE-1"), "OR001"), ("dependency_add", ("NOPE-1", "DEMO-1"), "OR001"), ("dependency_add", ("DEMO-1", "DEMO-1"), "OR003"),
    ("dependency_add", ("DEMO-1", None), "OR001"), ("dependency_remove", ("DEMO-1", "NOPE-1"), "OR001"),
    ("project_add", ("x", "r", "gitea", "/x", "main", "XX", "true"), "OR003"), ("project_add", ("x", "r", "local", None, "main", "XX", "true"), "OR003"),
])
def test_bad_input_is_a_clear_error_and_changes_nothing(world, act, args, code):
    """O-5: bad input gets a clear error and changes nothing."""
    world.item()
    tables = ["task", "job", "local_item", "project", "repo", "setting_row", "repo_freeze", "task_dependency", "history", "audit", "event", "effect"]
    before = [world.db.query(f"select * from orch.{t} order by 1") for t in tables]
    with pytest.raises(psycopg2.Error) as refused:
        world.operate(act, *args)
    assert refused.value.pgcode == code and refused.value.diag.message_primary
    assert before == [world.db.query(f"select * from orch.{t} order by 1") for t in tables]


def test_acts_leave_an_audit_row(world):
    """O-2: who, when, what, before, after."""
    a = world.item()
    world.succeed(world.claim())
    world.operate("approve", a, "fine")
    row = world.db.row("select * from orch.audit where act = 'approve'")
    assert row["actor"] == "orch_operator" and row["object"] == a and row["arguments"] == {"note": "fine"}
    assert (row["before"]["stage"], row["after"]["stage"]) == ("analysis", "architecture")


def test_snapshots_say_which_block_is_broken(world):
    """O-1: a broken block says so and the rest is there."""
    world.item()
    world.db.query("drop view orch.dead_letter cascade")
    snapshot = world.call("queue_snapshot", user="orch_readonly")[0]["queue_snapshot"]
    assert "dead_letter" in snapshot["dead_letters"]["error"]
    assert snapshot["counts"] == {"queued": 1, "running": 0} and snapshot["repos"]["demo"]["active_task"] == "DEMO-1"


def test_every_operator_function_refuses_briefly(world):
    """O-2, O-5: what is endless, or not given at all, is refused in a line that names what is wrong, and never by the database's own words."""
    functions = world.db.query("select p.proname as name, array(select t::regtype::text from unnest(p.proargtypes) t) as types from pg_proc p"
                               " where p.pronamespace = 'orch'::regnamespace and p.prosecdef and has_function_privilege('orch_operator', p.oid, 'execute')")
    assert {"endpoint_set", "project_add", "cancel"} <= {f["name"] for f in functions}
    for f in functions:
        for text in ("x" * 5000, None):
            try:
                world.db.query(f"select orch.{f['name']}({', '.join('%s::' + t for t in f['types'])})", *(text if t == "text" else None for t in f["types"]))
            except psycopg2.Error as error:
                assert error.pgcode in ("OR001", "OR002", "OR003"), (f["name"], text and text[:1], error)
                assert len(error.diag.message_primary) < 400, (f["name"], error.diag.message_primary[:100])
