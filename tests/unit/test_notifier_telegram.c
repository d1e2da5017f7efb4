/* Alerts and cards: what is sent, and what is made of every answer that the Bot API gives (I-5, I-7). */
#include "common/notifier.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json_read.h"
#include "common/notifier_telegram.h"
#include "tests/unit/http_fixture.h"

static void test_cut(void **state)
{
        static const struct {
                const char *text;
                size_t units;
                const char *cut;
        } rows[] = {
                {"short", 10, "short"},
                {"exactly ten", 11, "exactly ten"},
                {"exactly ten", 10, "exactly t\xe2\x80\xa6"},
                {"\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 4,
                 "\xf0\x9f\x98\x80\xf0\x9f\x98\x80"}, /* two units each */
                {"\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 3, "\xf0\x9f\x98\x80\xe2\x80\xa6"},
                {"a\xff"
                 "b",
                 10,
                 "a\xef\xbf\xbd"
                 "b"},
                {"cut off \xc3", 20, "cut off \xef\xbf\xbd"},
                {"", 10, ""},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct strbuf sb = STRBUF_INIT;
                telegram_cut(&sb, rows[i].text, rows[i].units);
                if (strcmp(sb.buf, rows[i].cut) != 0)
                        fail_msg("row %zu: \"%s\"", i, sb.buf);
                strbuf_deinit(&sb);
        }
}

#define BAD(description) "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: " description "\"}"

static void test_answers(void **state)
{
        static const struct {
                int status;
                const char *body;
                enum telegram_next next;
                enum port_outcome outcome;
                int64_t number; /* seconds, or the other chat; -1: none */
        } rows[] = {
                {200, "{\"ok\":true}", TELEGRAM_END, PORT_OK, -1},
                {400, BAD("message is not modified: specified new"), TELEGRAM_END, PORT_OK, -1},
                {400, BAD("message to edit not found"), TELEGRAM_END, PORT_NOT_FOUND, -1},
                {400, BAD("message can't be edited"), TELEGRAM_END, PORT_NOT_FOUND, -1},
                {400, BAD("can't parse entities: at 7"), TELEGRAM_PLAIN, PORT_REFUSED, -1},
                {400, BAD("message thread not found"), TELEGRAM_NO_THREAD, PORT_REFUSED, -1},
                {400, BAD("chat not found"), TELEGRAM_END, PORT_DENIED, -1},
                {400, BAD("message is too long"), TELEGRAM_END, PORT_REFUSED, -1},
                {400, NULL, TELEGRAM_END, PORT_REFUSED, -1},
                {400, "{\"description\":\"upgraded\",\"parameters\":{\"migrate_to_chat_id\":-1009}}",
                 TELEGRAM_OTHER_CHAT, PORT_REFUSED, -1009},
                {401, "{\"description\":\"Unauthorized\"}", TELEGRAM_END, PORT_DENIED, -1},
                {403, "{\"description\":\"bot was kicked\"}", TELEGRAM_END, PORT_DENIED, -1},
                {404, "{\"description\":\"Not Found\"}", TELEGRAM_END, PORT_DENIED, -1},
                {429, "{\"parameters\":{\"retry_after\":35}}", TELEGRAM_END, PORT_LIMITED, 35},
                {502, NULL, TELEGRAM_END, PORT_UNKNOWN, -1},
        };
        const struct json_limits limits = JSON_LIMITS_DEFAULT;
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct json_doc *doc = NULL;
                struct port_answer port;
                int64_t chat = -1;
                if (rows[i].body != NULL)
                        assert_int_equal(json_parse(rows[i].body, strlen(rows[i].body), &limits, &doc, NULL),
                                         0);
                const struct rest_answer answer = {
                        .status = rows[i].status,
                        .json = doc != NULL ? json_root(doc) : NULL,
                        .port = {.outcome = rest_outcome("POST", rows[i].status), .retry_after_s = -1}};
                enum telegram_next next = telegram_answer(&answer, &port, &chat);
                int64_t number = next == TELEGRAM_OTHER_CHAT ? chat : port.retry_after_s;
                if (next != rows[i].next || port.outcome != rows[i].outcome || number != rows[i].number)
                        fail_msg("row %zu: %d, %s, %lld", i, next, port_outcome_name(port.outcome),
                                 (long long)number);
                json_doc_free(doc);
        }
}

/* ---- whole calls ---- */

struct telegram_fixture {
        struct fixture *http;
        char token_file[40];
        struct notifier *notifier;
        bool answered;
        struct notifier_card_answer answer;
};

static int setup(void **state)
{
        struct telegram_fixture *f = xcalloc(1, sizeof(*f));
        (void)snprintf(f->token_file, sizeof(f->token_file), "/tmp/test-telegram-XXXXXX");
        int fd = mkstemp(f->token_file);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "12:abc\n", 7), 7);
        (void)close(fd);
        http_setup((void **)&f->http);
        const struct notifier_telegram_config cfg = {.http = f->http->client,
                                                     .url = f->http->peer.url,
                                                     .token_file = f->token_file,
                                                     .chat = -1001234567890,
                                                     .thread = 7};
        f->notifier = notifier_telegram_new(&cfg);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct telegram_fixture *f = *state;
        notifier_free(f->notifier);
        http_teardown((void **)&f->http);
        (void)unlink(f->token_file);
        free(f);
        return 0;
}

static void on_alert(void *arg, const struct port_answer *answer)
{
        struct telegram_fixture *f = arg;
        f->answered = true;
        f->answer.port = *answer;
}

static void on_card(void *arg, const struct notifier_card_answer *answer)
{
        struct telegram_fixture *f = arg;
        f->answered = true;
        f->answer = *answer;
}

static void await_call(struct telegram_fixture *f)
{
        assert_true(loop_wait(f->http->loop, &f->answered));
}

static void assert_asked(const struct telegram_fixture *f, const char *part)
{
        if (strstr(f->http->peer.request.buf, part) == NULL)
                fail_msg("no %s in\n%s", part, f->http->peer.request.buf);
}

static void assert_not_asked(const struct telegram_fixture *f, const char *part)
{
        if (strstr(f->http->peer.request.buf, part) != NULL)
                fail_msg("%s in\n%s", part, f->http->peer.request.buf);
}

static void test_an_alert_is_plain_text(void **state)
{
        struct telegram_fixture *f = *state;
        f->http->peer.answer = OK("38", "{\"ok\":true,\"result\":{\"message_id\":55}}");
        notifier_alert(f->notifier, "k", "ORCH-1", "a < b & <c>", on_alert, f);
        await_call(f);
        assert_int_equal(f->answer.port.outcome, PORT_OK);
        assert_asked(f, "POST /bot12:abc/sendMessage HTTP/1.1\r\n");
        assert_asked(f, "\"chat_id\":-1001234567890");
        assert_asked(f, "\"message_thread_id\":7");
        assert_asked(f, "\"text\":\"ORCH-1: a < b & <c>\"");
        assert_not_asked(f, "parse_mode");
}

static void test_a_card_is_sent_then_edited(void **state)
{
        struct telegram_fixture *f = *state;
        struct notifier_card card = {.html = "<b>ORCH-1</b>"};
        f->http->peer.answer = OK("38", "{\"ok\":true,\"result\":{\"message_id\":55}}");
        notifier_show_card(f->notifier, &card, on_card, f);
        await_call(f);
        assert_int_equal(f->answer.message, 55);
        assert_asked(f, "\"parse_mode\":\"HTML\"");
        assert_asked(f, "\"disable_notification\":true");
        card.message = 55;
        f->answered = false;
        notifier_show_card(f->notifier, &card, on_card, f);
        await_call(f);
        assert_asked(f, "/editMessageText HTTP/1.1\r\n");
        assert_asked(f, "\"message_id\":55");
        assert_asked(f, "\"parse_mode\":\"HTML\""); /* nothing is inherited */
        assert_asked(f, "\"link_preview_options\":{\"is_disabled\":true}");
}

static void test_markup_that_is_wrong_is_sent_as_text(void **state)
{
        struct telegram_fixture *f = *state;
        const struct notifier_card card = {.html = "<br>"};
        f->http->peer.answer = "HTTP/1.1 400 X\r\nContent-Length: 66\r\n\r\n"
                               "{\"ok\":false,\"error_code\":400,\"description\":\"can't parse entities\"}";
        notifier_show_card(f->notifier, &card, on_card, f);
        await_call(f);
        assert_int_equal(f->http->peer.n_requests, TELEGRAM_TRIES_MAX);
        assert_not_asked(f, "parse_mode");
        assert_int_equal(f->answer.port.outcome, PORT_REFUSED);
}

static void test_a_lost_answer_is_unknown(void **state)
{
        struct telegram_fixture *f = *state;
        const struct notifier_card card = {.html = "x"};
        f->http->peer.then = PEER_CLOSE;
        f->http->peer.answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{";
        notifier_show_card(f->notifier, &card, on_card, f);
        await_call(f);
        assert_int_equal(f->answer.port.outcome, PORT_UNKNOWN);
        assert_null(strstr(f->answer.port.err.text, "12:abc"));
        notifier_cancel(f->notifier, notifier_show_card(f->notifier, &card, on_card, f));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cut),
                cmocka_unit_test(test_answers),
                cmocka_unit_test_setup_teardown(test_an_alert_is_plain_text, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_card_is_sent_then_edited, setup, teardown),
                cmocka_unit_test_setup_teardown(test_markup_that_is_wrong_is_sent_as_text, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_lost_answer_is_unknown, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
