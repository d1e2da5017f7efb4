/* test_route.c - what deliveries are about: every row is headers, a body, and the route (or the reason) it
 * must give. */
#include "tests/unit/cm.h"

#include <stdlib.h>
#include <string.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "workerd/route.h"

struct row {
        const char *what, *headers, *body;
        const char *kind, *key, *object,
                *facts; /* kind NULL: malformed; then `key` is a part of the reason */
};

#define REPO    "\"repository\":{\"full_name\":\"ann/demo\"}"
#define TYPE(t) "{\"X-Gitea-Event-Type\":\"" t "\"}"

static const struct row gitea_rows[] = {
        {"push", TYPE("push"),
         "{\"ref\":\"refs/heads/feature/a-b\",\"before\":\"00\",\"after\":\"11\"," REPO "}", "forge.push",
         "gitea:ann/demo:feature/a-b", "feature/a-b", "{\"sha\":\"11\",\"before\":\"00\"}"},
        {"push of a tag", TYPE("push"), "{\"ref\":\"refs/tags/v1\"," REPO "}", "ignored", "gitea:ann/demo",
         NULL, "{}"},
        {"push without ref", TYPE("push"), "{" REPO "}", NULL, "no ref", NULL, NULL},
        {"push without repository", TYPE("push"), "{\"ref\":\"refs/heads/x\"}", NULL, "repository.full_name",
         NULL, NULL},
        {"repository of the wrong type", TYPE("push"), "{\"ref\":\"refs/heads/x\",\"repository\":\"demo\"}",
         NULL, "repository.full_name", NULL, NULL},
        {"create branch", TYPE("create"), "{\"ref\":\"x\",\"ref_type\":\"branch\",\"sha\":\"11\"," REPO "}",
         "forge.branch_created", "gitea:ann/demo:x", "x", "{\"sha\":\"11\"}"},
        {"create tag", TYPE("create"), "{\"ref\":\"x\",\"ref_type\":\"tag\"," REPO "}", "ignored",
         "gitea:ann/demo", NULL, "{}"},
        {"delete branch has no sha", TYPE("delete"), "{\"ref\":\"x\",\"ref_type\":\"branch\"," REPO "}",
         "forge.branch_deleted", "gitea:ann/demo:x", "x", "{}"},
        {"pull request, branch by its label", TYPE("pull_request_sync"),
         "{\"action\":\"synchronized\",\"number\":7,\"pull_request\":{\"head\":{\"label\":\"x\",\"ref\":"
         "\"refs/pull/7/head\","
         "\"sha\":\"22\"},\"base\":{\"ref\":\"main\"},\"merged\":false,\"merge_commit_sha\":null}," REPO "}",
         "forge.pull", "gitea:ann/demo:x", "x",
         "{\"action\":\"synchronized\",\"number\":7,\"sha\":\"22\",\"base\":\"main\",\"merged\":false}"},
        {"pull request without a branch of its own", "{\"x-gitea-event\":\"pull_request\"}",
         "{\"action\":\"opened\",\"number\":7,\"pull_request\":{\"head\":{\"label\":\"\"}}," REPO "}",
         "forge.pull", "gitea:ann/demo:pull/7", "pull/7", "{\"action\":\"opened\",\"number\":7}"},
        {"pull request without a number", TYPE("pull_request"), "{\"pull_request\":{}," REPO "}", NULL,
         "no number", NULL, NULL},
        {"review by type", TYPE("pull_request_review_approved"),
         "{\"action\":\"reviewed\",\"number\":7,\"review\":{\"type\":\"pull_request_review_approved\"},"
         "\"pull_request\":{\"head\":{\"label\":\"x\"}}," REPO "}",
         "forge.review", "gitea:ann/demo:x", "x",
         "{\"action\":\"reviewed\",\"number\":7,\"review\":\"pull_request_review_approved\"}"},
        {"review by event, from a server without types", "{\"X-Gitea-Event\":\"pull_request_rejected\"}",
         "{\"number\":7,\"review\":{\"type\":\"pull_request_review_rejected\"},\"pull_request\":{\"head\":{"
         "\"label\":\"x\"}}," REPO "}",
         "forge.review", "gitea:ann/demo:x", "x",
         "{\"number\":7,\"review\":\"pull_request_review_rejected\"}"},
        {"conversation of a pull request",
         "{\"X-Gitea-Event\":\"issue_comment\",\"X-Gitea-Event-Type\":\"pull_request_comment\"}",
         "{\"action\":\"created\",\"issue\":{\"number\":7},\"comment\":{\"id\":3,\"user\":{\"login\":\"ann\"}"
         "}," REPO "}",
         "forge.comment", "gitea:ann/demo:pull/7", "pull/7",
         "{\"action\":\"created\",\"comment\":3,\"author\":\"ann\"}"},
        {"status knows no branch", TYPE("status"),
         "{\"sha\":\"33\",\"state\":\"success\",\"context\":\"ci / build\"," REPO "}", "forge.status",
         "gitea:ann/demo:33", "33", "{\"sha\":\"33\",\"state\":\"success\",\"context\":\"ci / build\"}"},
        {"status without a sha", TYPE("status"), "{\"state\":\"success\"," REPO "}", NULL, "no sha", NULL,
         NULL},
        {"workflow run of a pull request", TYPE("workflow_run"),
         "{\"action\":\"completed\",\"workflow_run\":{\"head_sha\":\"33\",\"conclusion\":\"failure\"}," REPO
         "}",
         "forge.status", "gitea:ann/demo:33", "33",
         "{\"action\":\"completed\",\"sha\":\"33\",\"state\":\"failure\"}"},
        {"unknown kind", TYPE("wiki"), "{" REPO "}", "ignored", "gitea:ann/demo", NULL, "{}"},
        {"no headers", NULL, "{}", "ignored", "gitea:", NULL, "{}"},
        {"type unknown, event known", "{\"X-Gitea-Event\":\"push\",\"X-Gitea-Event-Type\":\"push_new\"}",
         "{\"ref\":\"refs/heads/x\"," REPO "}", "forge.push", "gitea:ann/demo:x", "x", "{}"},
        {"not an object", TYPE("push"), "[1]", NULL, "not a JSON object", NULL, NULL},
};

#define V1(event, action, data)                                                                              \
        "{\"event\":\"" event "\",\"action\":\"" action "\",\"webhook_id\":\"w\",\"data\":" data             \
        ",\"activity\":{\"field\":\"state_id\",\"actor\":{\"id\":\"a1\"}}}"
#define V2(event, data) "{\"version\":\"v2\",\"event\":\"" event "\",\"entity_id\":\"i1\",\"data\":" data "}"
#define ITEM                                                                                                 \
        "{\"id\":\"i1\",\"name\":\"T\",\"sequence_id\":3,\"project\":\"p1\",\"state\":{\"id\":\"s1\","       \
        "\"name\":\"Doing\","                                                                                \
        "\"group\":\"started\"},\"labels\":[{\"id\":\"l\",\"name\":\"bug\"}]}"
#define ITEM_FACTS                                                                                           \
        "{\"title\":\"T\",\"state\":\"s1\",\"state_name\":\"Doing\",\"state_group\":\"started\","            \
        "\"sequence\":3,\"actor\":"                                                                          \
        "\"a1\",\"labels\":[\"bug\"]}"
#define FLAT                                                                                                 \
        "{\"id\":\"i1\",\"project_id\":\"p1\",\"state_id\":\"s1\",\"sequence_id\":3,\"parent_id\":\"None\"," \
        "\"label_ids\":[]}"

static const struct row plane_rows[] = {
        {"v1 updated", NULL, V1("issue", "updated", ITEM), "tracker.item", "plane:p1:i1", "i1", ITEM_FACTS},
        {"v1 update", NULL, V1("issue", "update", ITEM), "tracker.item", "plane:p1:i1", "i1", ITEM_FACTS},
        {"v1 created", NULL, V1("issue", "created", ITEM), "tracker.item", "plane:p1:i1", "i1", ITEM_FACTS},
        {"v1 create", NULL, V1("issue", "create", ITEM), "tracker.item", "plane:p1:i1", "i1", ITEM_FACTS},
        {"v1 state null", NULL, V1("issue", "updated", "{\"id\":\"i1\",\"project\":\"p1\",\"state\":null}"),
         "tracker.item", "plane:p1:i1", "i1", "{\"actor\":\"a1\"}"},
        {"v1 deleted", NULL, V1("issue", "deleted", "{\"id\":\"i1\"}"), "tracker.deleted", "plane::i1", "i1",
         "{\"actor\":\"a1\"}"},
        {"v1 deleted, nothing left", NULL, V1("issue", "delete", "null"), NULL, "names no work item", NULL,
         NULL},
        {"v1 comment", NULL,
         V1("issue_comment", "created",
            "{\"id\":\"c1\",\"issue\":\"i1\",\"project\":\"p1\",\"actor\":\"a2\"}"),
         "tracker.comment", "plane:p1:i1", "i1", "{\"comment\":\"c1\",\"actor\":\"a2\"}"},
        {"v1 cycle", NULL, V1("cycle", "created", "{\"id\":\"x\",\"project\":\"p1\"}"), "ignored", "plane:p1",
         NULL, "{}"},
        {"v1 action of tomorrow", NULL, V1("issue", "frobnicated", ITEM), "ignored", "plane:p1", NULL, "{}"},
        {"v2 updated", NULL, V2("workitem.updated", FLAT), "tracker.item", "plane:p1:i1", "i1",
         "{\"state\":\"s1\",\"sequence\":3}"},
        {"v2 enum name", NULL, V2("WebhookScope.ScopeChoices.WORK_ITEM_UPDATED", FLAT), "tracker.item",
         "plane:p1:i1", "i1", "{\"state\":\"s1\",\"sequence\":3}"},
        {"v2 None for null", NULL,
         V2("workitem.updated",
            "{\"id\":\"i1\",\"project_id\":\"None\",\"state_id\":\"None\",\"name\":\"None\"}"),
         "tracker.item", "plane::i1", "i1", "{}"},
        {"v2 comment", NULL,
         V2("workitem.comment.created",
            "{\"id\":\"i1\",\"comment\":{\"id\":\"c1\",\"issue_id\":\"i1\",\"actor_id\":\"a2\"}}"),
         "tracker.comment", "plane::i1", "i1", "{\"comment\":\"c1\",\"actor\":\"a2\"}"},
        {"v2 comment, enum name", NULL,
         V2("WebhookScope.ScopeChoices.WORK_ITEM_COMMENT_CREATED",
            "{\"id\":\"i1\",\"comment\":{\"id\":\"c1\"}}"),
         "tracker.comment", "plane::i1", "i1", "{\"comment\":\"c1\"}"},
        {"v2 deleted", NULL,
         "{\"version\":\"v2\",\"event\":\"workitem.deleted\",\"data\":{},\"previous_attributes\":{\"id\":"
         "\"i1\",\"project_id\":\"p1\"}}",
         "tracker.deleted", "plane:p1:i1", "i1", "{}"},
        {"v2 relation", NULL, V2("workitem.relation.created", FLAT), "ignored", "plane:p1", NULL, "{}"},
        {"no event", NULL, "{\"data\":{}}", "ignored", "plane:", NULL, "{}"},
        {"event of the wrong type", NULL, "{\"event\":3,\"data\":[]}", "ignored", "plane:", NULL, "{}"},
};

static const struct row local_rows[] = {
        {"a person's move", NULL,
         "{\"event\":\"item\",\"project\":\"demo\",\"work_item\":\"ORCH-1\",\"state\":\"rejected\","
         "\"comment\":\"no\",\"actor\":\"ann\"}",
         "tracker.item", "local:demo:ORCH-1", "ORCH-1",
         "{\"state\":\"rejected\",\"actor\":\"ann\",\"comment\":\"no\"}"},
        {"no comment", NULL,
         "{\"event\":\"item\",\"project\":\"demo\",\"work_item\":\"ORCH-1\",\"state\":\"stop\",\"comment\":"
         "null}",
         "tracker.item", "local:demo:ORCH-1", "ORCH-1", "{\"state\":\"stop\"}"},
        {"no item", NULL, "{\"event\":\"item\",\"project\":\"demo\"}", NULL, "no work_item", NULL, NULL},
        {"another event", NULL, "{\"event\":\"board\",\"project\":\"demo\"}", "ignored", "local:demo", NULL,
         "{}"},
};

static void check_route(const struct row *row, const struct route *r)
{
        assert_string_equal(r->kind, row->kind);
        assert_string_equal(r->key, row->key);
        if (row->object != NULL)
                assert_string_equal(r->object, row->object);
        else
                assert_null(r->object);
        assert_string_equal(r->facts.buf, row->facts);
}

static void check_row(const char *source, const struct row *row)
{
        const struct json_limits limits = JSON_LIMITS_DEFAULT;
        struct json_doc *headers = NULL, *body = NULL;
        struct errinfo err = ERRINFO_INIT;
        struct route route = ROUTE_INIT;
        print_message("%s: %s\n", source, row->what);
        if (row->headers != NULL)
                assert_int_equal(json_parse(row->headers, strlen(row->headers), &limits, &headers, &err), 0);
        assert_int_equal(json_parse(row->body, strlen(row->body), &limits, &body, &err), 0);
        int r = route_event(source, headers != NULL ? json_root(headers) : NULL, json_root(body), &route,
                            &err);
        if (row->kind != NULL) {
                assert_int_equal(r, ROUTE_OK);
                check_route(row, &route);
        } else {
                assert_int_equal(r, ROUTE_MALFORMED);
                assert_non_null(strstr(err.text, row->key));
                assert_null(route.kind);
        }
        route_deinit(&route);
        json_doc_free(headers);
        json_doc_free(body);
}

static void test_gitea(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(gitea_rows); i++)
                check_row("gitea", &gitea_rows[i]);
}

static void test_plane(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(plane_rows); i++)
                check_row("plane", &plane_rows[i]);
}

static void test_local(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(local_rows); i++)
                check_row("local", &local_rows[i]);
}

/* A name that would not fit the index of keys is refused; a long fact is left out. */
static void test_bounds(void **state)
{
        (void)state;
        char name[ROUTE_NAME_MAX + 2];
        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        char *bad = xasprintf("{\"ref\":\"refs/heads/%s\"," REPO "}", name);
        char *good = xasprintf("{\"ref\":\"refs/heads/%s\",\"after\":\"%s\"," REPO "}", name + 1, name);
        char *key = xasprintf("gitea:ann/demo:%s", name + 1);
        check_row("gitea",
                  &(struct row){"long branch", TYPE("push"), bad, NULL, "longer than 512 bytes", NULL, NULL});
        check_row("gitea", &(struct row){"long sha", TYPE("push"), good, "forge.push", key, name + 1, "{}"});
        free(bad);
        free(good);
        free(key);
}

static void test_unknown_source(void **state)
{
        (void)state;
        check_row("github", &(struct row){"unknown source", NULL, "[]", "ignored", "unknown:", NULL, "{}"});
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_gitea),          cmocka_unit_test(test_plane),
                cmocka_unit_test(test_local),          cmocka_unit_test(test_bounds),
                cmocka_unit_test(test_unknown_source),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
