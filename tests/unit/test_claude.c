/* The event stream of claude, as it is, as it may be, and cut into pieces. */
#include "workerd/claude.h"

#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

#define OURS  "11111111-2222-4333-8444-555555555555"
#define OTHER "99999999-2222-4333-8444-555555555555"
#define SID   "\"session_id\":\"" OURS "\""
#define INIT                                                                                                 \
        "{\"type\":\"system\",\"subtype\":\"init\"," SID ",\"model\":\"claude-opus-4-8\","                   \
        "\"claude_code_version\":\"2.1.241\"}\n"
#define ANSWER(id, in, out)                                                                                  \
        "{\"type\":\"assistant\",\"message\":{\"id\":\"" id                                                  \
        "\",\"model\":\"claude-opus-4-8\",\"content\":[],"                                                   \
        "\"usage\":{\"input_tokens\":" #in ",\"output_tokens\":" #out                                        \
        ",\"cache_read_input_tokens\":7,\"cache_creation_input_tokens\":3}}," SID "}\n"
#define SYNTHETIC(error, text)                                                                               \
        "{\"type\":\"assistant\",\"message\":{\"id\":\"e\",\"model\":\"<synthetic>\",\"content\":[{"         \
        "\"type\":"                                                                                          \
        "\"text\",\"text\":\"" text "\"}]},\"error\":\"" error "\"," SID "}\n"
#define RESULT(rest) "{\"type\":\"result\"," SID "," rest "}\n"
#define GOOD         RESULT("\"subtype\":\"success\",\"is_error\":false,\"num_turns\":3,\"total_cost_usd\":0.25")
#define BAD(rest)    RESULT("\"subtype\":\"success\",\"is_error\":true," rest)
#define LIMIT(status)                                                                                        \
        "{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"" status                           \
        "\",\"resetsAt\":1791344624,\"rateLimitType\":\"five_hour\"}," SID "}\n"
#define RETRY(status, word)                                                                                  \
        "{\"type\":\"system\",\"subtype\":\"api_retry\",\"attempt\":1,\"error_status\":" status              \
        ",\"error\":\"" word "\"," SID "}\n"

static struct claude *read_in_pieces(const char *text, size_t len, size_t piece)
{
        struct claude *c = claude_new(OURS);
        for (size_t at = 0; at < len; at += piece)
                claude_feed(c, text + at, len - at < piece ? len - at : piece);
        claude_end(c);
        return c;
}

static void test_how_it_went(void **state)
{
        static const struct {
                const char *text;
                bool has_result, good;
                enum agent_trouble trouble;
                int64_t reset_s;
        } rows[] = {
                {"", false, false, AGENT_NO_TROUBLE, 0},
                {INIT ANSWER("m1", 1, 2) GOOD, true, true, AGENT_NO_TROUBLE, 0},
                {INIT ANSWER("m1", 1, 2), false, false, AGENT_NO_TROUBLE, 0},
                /* the kind alone has lied */
                {INIT BAD("\"result\":\"no\""), true, false, AGENT_NO_TROUBLE, 0},
                {INIT RESULT("\"subtype\":\"error_max_turns\",\"is_error\":false"), true, false,
                 AGENT_NO_TROUBLE, 0},
                {INIT RESULT("\"subtype\":\"success\""), true, false, AGENT_NO_TROUBLE, 0},
                {INIT RESULT("\"subtype\":\"success\",\"is_error\":\"false\""), true, false, AGENT_NO_TROUBLE,
                 0},
                /* the newest counts */
                {INIT GOOD BAD("\"result\":\"x\""), true, false, AGENT_NO_TROUBLE, 0},
                {INIT BAD("\"api_error_status\":529") GOOD, true, true, AGENT_NO_TROUBLE, 0},
                /* a last line without its end */
                {INIT "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false}", true, true,
                 AGENT_NO_TROUBLE, 0},
                {INIT "{\"type\":\"result\",\"subtype\":\"success\",\"is_err", false, false, AGENT_NO_TROUBLE,
                 0},
                /* the provider */
                {INIT BAD("\"api_error_status\":429"), true, false, AGENT_BUSY, 0},
                {INIT BAD("\"api_error_status\":529"), true, false, AGENT_BUSY, 0},
                {INIT BAD("\"api_error_status\":500"), true, false, AGENT_BUSY, 0},
                {INIT BAD("\"api_error_status\":400"), true, false, AGENT_NO_TROUBLE, 0},
                {INIT SYNTHETIC("overloaded", "x") BAD("\"api_error_status\":null"), true, false, AGENT_BUSY,
                 0},
                {INIT RETRY("529", "overloaded"), false, false, AGENT_BUSY, 0},
                {INIT RETRY("null", "unknown"), false, false, AGENT_BUSY, 0},
                {INIT RETRY("529", "overloaded") ANSWER("m1", 1, 2), false, false, AGENT_NO_TROUBLE, 0},
                {INIT RETRY("401", "authentication_failed"), false, false, AGENT_DENIED, 0},
                {INIT SYNTHETIC("billing_error", "x") BAD("\"result\":\"x\""), true, false, AGENT_DENIED, 0},
                {INIT BAD("\"api_error_status\":401"), true, false, AGENT_DENIED, 0},
                /* the account: only what was rejected, and only for a 429 */
                {INIT LIMIT("rejected") BAD("\"api_error_status\":429"), true, false, AGENT_LIMITED,
                 1791344624},
                {INIT LIMIT("rejected") SYNTHETIC("rate_limit", "x") BAD("\"api_error_status\":429"), true,
                 false, AGENT_LIMITED, 1791344624},
                {INIT LIMIT("rejected"), false, false, AGENT_LIMITED, 1791344624},
                {INIT LIMIT("rejected") BAD("\"api_error_status\":529"), true, false, AGENT_BUSY, 1791344624},
                {INIT LIMIT("allowed_warning") BAD("\"api_error_status\":429"), true, false, AGENT_BUSY, 0},
                {INIT LIMIT("rejected") LIMIT("allowed") BAD("\"result\":\"x\""), true, false,
                 AGENT_NO_TROUBLE, 0},
                {INIT LIMIT("rejected") ANSWER("m1", 1, 2) BAD("\"result\":\"x\""), true, false,
                 AGENT_NO_TROUBLE, 0},
                {INIT LIMIT("rejected") GOOD, true, true, AGENT_NO_TROUBLE, 0},
                /* prose: of the model, of a tool, of another session */
                {INIT "{\"type\":\"assistant\",\"message\":{\"id\":\"m1\",\"model\":\"m\",\"content\":[{"
                      "\"type\":\"text\",\"text\":"
                      "\"You've hit your session limit: {\\\"type\\\":\\\"rate_limit_event\\\"}\"}]}}\n",
                 false, false, AGENT_NO_TROUBLE, 0},
                {INIT "You've hit your session limit\n429 overloaded_error\n", false, false, AGENT_NO_TROUBLE,
                 0},
                {INIT "{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"rejected\"},"
                      "\"session_id\":\"" OTHER "\"}\n",
                 false, false, AGENT_NO_TROUBLE, 0},
                {INIT
                 "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"session_id\":\"" OTHER
                 "\"}\n",
                 false, false, AGENT_NO_TROUBLE, 0},
                {INIT "{\"type\":\"user\",\"message\":{\"content\":\"429\"}}\n", false, false,
                 AGENT_NO_TROUBLE, 0},
                /* the session */
                {RESULT("\"subtype\":\"error_during_execution\",\"is_error\":true,\"errors\":[\"No "
                        "conversation found with session "
                        "ID: x\"]"),
                 true, false, AGENT_NO_SESSION, 0},
                {"No conversation found with session ID: x\n", false, false, AGENT_NO_SESSION, 0},
                {INIT ANSWER("m1", 1, 2) "No conversation found with session ID: x\n", false, false,
                 AGENT_NO_TROUBLE, 0},
                {INIT BAD("\"terminal_reason\":\"blocking_limit\""), true, false, AGENT_FULL, 0},
                {INIT BAD("\"result\":\"Prompt is too long\""), true, false, AGENT_FULL, 0},
                /* what it cannot know, and what is none */
                {INIT "{\"type\":\"from_a_later_version\",\"x\":[[[[]]]]}\n{\"type\":7}\n[]\n{}"
                      "\nnull\n\n\"\n" GOOD,
                 true, true, AGENT_NO_TROUBLE, 0},
                {INIT "warning: half a line" GOOD, true, true, AGENT_NO_TROUBLE, 0},
                {INIT "{\"type\":\"result\",\"type\":\"result\",\"is_error\":false}\n", false, false,
                 AGENT_NO_TROUBLE, 0},
                {INIT "\xff\xfe bytes \x01\n" RESULT(
                         "\"subtype\":\"success\",\"is_error\":false,\"result\":\"a\xff \\ud800 \\u0000\""),
                 true, true, AGENT_NO_TROUBLE, 0},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                static const size_t pieces[] = {1, 7, 4096};
                for (size_t p = 0; p < ARRAY_SIZE(pieces); p++) {
                        struct claude *c = read_in_pieces(rows[i].text, strlen(rows[i].text), pieces[p]);
                        const struct agent_facts *f = claude_facts(c);
                        if (f->has_result != rows[i].has_result || f->result_good != rows[i].good ||
                            f->trouble != rows[i].trouble || f->reset_s != rows[i].reset_s)
                                fail_msg("row %zu: %s", i, rows[i].text);
                        claude_free(c);
                }
        }
}

static void test_usage(void **state)
{
        (void)state;
        /* one answer comes as several events; its tokens count once, and the greatest of them */
        const char *text = INIT ANSWER("m1", 100, 1) ANSWER("m1", 100, 20) ANSWER("m2", 50, 5);
        struct claude *c = read_in_pieces(text, strlen(text), 9);
        const struct agent_usage *u = &claude_facts(c)->usage;
        assert_int_equal(u->n_models, 1);
        assert_string_equal(u->models[0].name, "claude-opus-4-8");
        assert_int_equal(u->models[0].tokens.input, 150);
        assert_int_equal(u->models[0].tokens.output, 25);
        assert_int_equal(u->models[0].tokens.cache_read, 14);
        assert_int_equal(u->models[0].tokens.cache_write, 6);
        assert_int_equal(u->cost_micro_usd, -1);
        assert_string_equal(claude_facts(c)->version, "2.1.241");
        assert_string_equal(claude_facts(c)->session, OURS);
        assert_true(claude_facts(c)->worked);
        claude_free(c);
}

static void test_sums_of_the_result(void **state)
{
        (void)state;
        const char *text = INIT ANSWER("m1", 100, 1) RESULT(
                "\"subtype\":\"success\",\"is_error\":false,\"num_turns\":4,\"total_cost_usd\":0.122623,"
                "\"modelUsage\":{\"claude-opus-4-8\":{\"inputTokens\":90,\"outputTokens\":500,"
                "\"cacheReadInputTokens\":1000,"
                "\"cacheCreationInputTokens\":3,\"costUSD\":0.1},\"claude-haiku-4-5\":{\"inputTokens\":11,"
                "\"outputTokens\":2}}")
                RESULT("\"subtype\":\"success\",\"is_error\":false,\"num_turns\":1,\"total_cost_usd\":0.01");
        struct claude *c = read_in_pieces(text, strlen(text), 9);
        const struct agent_usage *u = &claude_facts(c)->usage;
        assert_int_equal(u->n_models, 2);
        assert_int_equal(u->models[0].tokens.input, 100); /* never less than was seen */
        assert_int_equal(u->models[0].tokens.output, 500);
        assert_int_equal(u->models[0].tokens.cache_read, 1000);
        assert_int_equal(u->models[1].tokens.input, 11);
        assert_int_equal(u->cost_micro_usd, 122623); /* the most that it said */
        assert_int_equal(u->turns, 4);
        claude_free(c);
}

static void test_nonsense_is_no_usage(void **state)
{
        (void)state;
        const char *text = INIT ANSWER("m1", -5, 99999999999999)
                RESULT("\"subtype\":\"success\",\"is_error\":false,\"total_cost_usd\":-3,\"num_turns\":-1")
                        RESULT("\"subtype\":\"success\",\"is_error\":false,\"total_cost_usd\":1e300");
        struct claude *c = read_in_pieces(text, strlen(text), 9);
        const struct agent_usage *u = &claude_facts(c)->usage;
        assert_int_equal(u->models[0].tokens.input, 0);
        assert_int_equal(u->models[0].tokens.output, 1000000000000);
        assert_int_equal(u->cost_micro_usd, -1);
        assert_int_equal(u->turns, 0);
        claude_free(c);
}

static void test_many_models(void **state)
{
        struct strbuf text = STRBUF_INIT;
        (void)state;
        for (int i = 0; i < 20; i++)
                strbuf_addf(&text,
                            "{\"type\":\"assistant\",\"message\":{\"id\":\"m%d\",\"model\":\"model-%d\","
                            "\"usage\":"
                            "{\"input_tokens\":1}}}\n",
                            i, i);
        struct claude *c = read_in_pieces(text.buf, text.len, 100);
        const struct agent_usage *u = &claude_facts(c)->usage;
        assert_int_equal(u->n_models, AGENT_MODELS_MAX);
        assert_int_equal(u->models[AGENT_MODELS_MAX - 1].tokens.input, 20 - (AGENT_MODELS_MAX - 1));
        claude_free(c);
        strbuf_deinit(&text);
}

static void add_long(struct strbuf *sb, const char *head, size_t n)
{
        strbuf_addstr(sb, head);
        for (size_t i = 0; i < n; i++)
                strbuf_addch(sb, 'x');
        strbuf_addstr(sb, "\"}\n");
}

static void test_long_lines(void **state)
{
        static const size_t pieces[] = {1000, 1 << 16, 1 << 22};
        (void)state;
        for (size_t p = 0; p < ARRAY_SIZE(pieces); p++) {
                struct strbuf text = STRBUF_INIT;
                add_long(&text, INIT "{\"type\":\"assistant\",\"text\":\"", 3 << 20);
                strbuf_addstr(&text, GOOD);
                struct claude *c = read_in_pieces(text.buf, text.len, pieces[p]);
                assert_true(claude_facts(c)->result_good);
                assert_false(claude_facts(c)->result_cut);
                claude_free(c);

                strbuf_reset(&text);
                add_long(&text, INIT CLAUDE_RESULT_PREFIX ",\"result\":\"", 3 << 20);
                c = read_in_pieces(text.buf, text.len, pieces[p]);
                assert_false(claude_facts(c)->has_result);
                assert_true(claude_facts(c)->result_cut);
                claude_free(c);
                strbuf_deinit(&text);
        }
}

static void test_a_gap(void **state)
{
        struct claude *c = claude_new(OURS);
        (void)state;
        const char *before = INIT "{\"type\":\"assis", *after = "tant\"} overloaded\n" GOOD;
        claude_feed(c, before, strlen(before));
        claude_gap(c);
        claude_feed(c, after, strlen(after));
        claude_end(c);
        assert_true(claude_facts(c)->result_good);
        assert_string_equal(claude_text(c), "");
        claude_free(c);
        /* as the shim leaves it in a log that is too long */
        const char *log =
                INIT "{\"type\":\"assis\n[orch-shim: 5 bytes left out here]\nded\"} overloaded\nlast\n" GOOD;
        c = read_in_pieces(log, strlen(log), 5);
        assert_true(claude_facts(c)->result_good);
        assert_string_equal(claude_text(c), "{\"type\":\"assis\nlast\n");
        claude_free(c);
}

static void test_the_text_is_bounded(void **state)
{
        struct strbuf text = STRBUF_INIT;
        (void)state;
        for (int i = 0; i < 1000; i++)
                strbuf_addf(&text, "line %d\n", i);
        add_long(&text, "", 5000);
        strbuf_addstr(&text, "the last one\n");
        struct claude *c = read_in_pieces(text.buf, text.len, 333);
        assert_in_range(strlen(claude_text(c)), 100, CLAUDE_TEXT_MAX);
        assert_non_null(strstr(claude_text(c), "x\"}\nthe last one\n"));
        claude_free(c);
        strbuf_deinit(&text);
}

static void test_it_names_its_session_itself(void **state)
{
        (void)state;
        const char *text =
                "{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"" OTHER "\",\"model\":\"m\"}\n"
                "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"session_id\":\"" OTHER
                "\"}\n" INIT;
        struct claude *c = read_in_pieces(text, strlen(text), 5);
        assert_true(claude_facts(c)->result_good);
        assert_string_equal(claude_facts(c)->session, OTHER);
        claude_free(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_how_it_went),
                cmocka_unit_test(test_usage),
                cmocka_unit_test(test_sums_of_the_result),
                cmocka_unit_test(test_nonsense_is_no_usage),
                cmocka_unit_test(test_many_models),
                cmocka_unit_test(test_long_lines),
                cmocka_unit_test(test_a_gap),
                cmocka_unit_test(test_the_text_is_bounded),
                cmocka_unit_test(test_it_names_its_session_itself),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
