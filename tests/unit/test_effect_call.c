/* test_effect_call.c - what the outbox can do, and what becomes of each answer. */
#include "workerd/effect_call.h"

#include <errno.h>
#include <string.h>

#include "common/json_read.h"
#include "common/loop.h"
#include "common/mem.h"
#include "tests/unit/cm.h"
#include "workerd/effects.h"

static struct port_answer last;
static unsigned answers;

static void on_answer(void *arg, const struct port_answer *answer)
{
        (void)arg;
        last = *answer;
        answers++;
}

static int start(struct effect_call *call, const struct effect_ports *ports, const char *port,
                 const char *kind, const char *payload, struct errinfo *err)
{
        const struct json_limits limits = JSON_LIMITS_DEFAULT;
        struct json_doc *doc = NULL;
        assert_int_equal(json_parse(payload, strlen(payload), &limits, &doc, err), 0);
        const struct effect_spec spec = {.port = port,
                                         .kind = kind,
                                         .adapter = strcmp(port, "notifier") == 0 ? "log" : "local",
                                         .key = "k",
                                         .location = "/nonexistent",
                                         .default_branch = "main",
                                         .payload = json_root(doc)};
        int r = effect_call_start(call, ports, &spec, on_answer, NULL, err);
        json_doc_free(doc);
        return r;
}

/* What cannot be done at all is said at once, and nothing is called. */
static void test_impossible(void **state)
{
        static const struct {
                const char *port, *kind, *payload, *reason;
        } rows[] = {
                {"tracker", "dance", "{}", "no operation tracker.dance"},
                {"pager", "alert", "{\"text\":\"x\"}", "no operation pager.alert"},
                {"tracker", "state", "{\"work_item\":\"A-1\"}", "no \"state\""},
                {"tracker", "state", "{\"state\":\"done\"}", "no \"work_item\""},
                {"tracker", "comment", "{\"work_item\":\"A-1\",\"marker\":\"m\"}", "no \"text\""},
                {"tracker", "comment", "{\"work_item\":\"A-1\",\"text\":\"t\"}", "no \"marker\""},
                {"tracker", "comment", "{\"work_item\":1,\"marker\":\"m\",\"text\":\"t\"}",
                 "no \"work_item\""},
                {"forge", "delete_branch", "{}", "no \"branch\""},
                {"notifier", "alert", "{}", "no \"text\""},
        };
        const struct effect_ports ports = {.git = NULL};
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct effect_call call;
                struct errinfo err = ERRINFO_INIT;
                assert_int_equal(start(&call, &ports, rows[i].port, rows[i].kind, rows[i].payload, &err),
                                 -EINVAL);
                if (strstr(err.text, rows[i].reason) == NULL)
                        fail_msg("%s.%s: %s", rows[i].port, rows[i].kind, err.text);
                effect_call_deinit(&call);
        }
        assert_int_equal(answers, 0);
}

/* The notifier `log` answers from the loop, never from the call; a cancelled call does not answer. */
static void test_alert(void **state)
{
        struct loop *loop = NULL;
        struct effect_ports ports;
        struct effect_call call, other;
        struct errinfo err = ERRINFO_INIT;
        (void)state;
        assert_int_equal(loop_new(&loop), 0);
        effect_ports_init(&ports, loop, NULL, NULL, NULL);
        answers = 0;
        assert_int_equal(start(&call, &ports, "notifier", "alert", "{\"text\":\"look\"}", &err), 0);
        assert_int_equal(start(&other, &ports, "notifier", "alert", "{\"text\":\"look\"}", &err), 0);
        assert_int_equal(answers, 0);
        effect_call_deinit(&other);
        while (loop_run_pending(loop))
                continue;
        assert_int_equal(answers, 1);
        assert_int_equal(last.outcome, PORT_OK);
        effect_call_deinit(&call);
        effect_ports_deinit(&ports);
        loop_free(loop);
}

static void test_verdicts(void **state)
{
        static const struct {
                enum port_outcome outcome;
                const char *name, *verdict;
        } rows[] = {
                {PORT_OK, "ok", "done"},
                {PORT_NOT_FOUND, "not-found", "dead"},
                {PORT_CONFLICT, "conflict", "dead"},
                {PORT_REFUSED, "refused", "dead"},
                {PORT_DENIED, "denied", "retry"},
                {PORT_FORBIDDEN, "forbidden", "retry"},
                {PORT_LIMITED, "limited", "retry"},
                {PORT_UNAVAILABLE, "unavailable", "retry"},
                {PORT_UNKNOWN, "unknown", "retry"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                assert_string_equal(effects_verdict(rows[i].outcome), rows[i].verdict);
                assert_string_equal(port_outcome_name(rows[i].outcome), rows[i].name);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_impossible),
                cmocka_unit_test(test_alert),
                cmocka_unit_test(test_verdicts),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
