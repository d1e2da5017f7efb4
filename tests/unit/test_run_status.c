/* The status file as the shim formats it and as workerd reads it; logs cut to their end. */
#include "workerd/run_status.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "shim/status.h"
#include "tests/unit/cm.h"

#define EXITED(code)    ((code) << 8)
#define SIGNALED(signo) (signo)

static void test_what_the_shim_writes_is_read(void **state)
{
        static const struct {
                struct status st;
                enum run_end end;
                int code, signo;
                const char *stop_reason;
        } rows[] = {
                {{.ended = true, .wait_status = EXITED(3)}, RUN_EXITED, 3, 0, ""},
                {{.ended = true, .wait_status = SIGNALED(SIGSEGV)}, RUN_SIGNALED, -1, SIGSEGV, ""},
                {{.ended = true, .wait_status = SIGNALED(SIGKILL), .cause = CASCADE_CAUSE_WALL},
                 RUN_TIMEOUT,
                 -1,
                 SIGKILL,
                 "wall"},
                {{.ended = true, .wait_status = EXITED(1), .cause = CASCADE_CAUSE_START},
                 RUN_TIMEOUT,
                 1,
                 0,
                 "start"},
                {{.ended = true, .wait_status = SIGNALED(SIGTERM), .cause = CASCADE_CAUSE_IDLE},
                 RUN_TIMEOUT,
                 -1,
                 SIGTERM,
                 "idle"},
                {{.ended = true, .wait_status = EXITED(0), .cause = CASCADE_CAUSE_CANCELLED},
                 RUN_STOPPED,
                 0,
                 0,
                 "cancelled"},
                {{.ended = true, .wait_status = EXITED(0), .cause = CASCADE_CAUSE_ABANDONED},
                 RUN_STOPPED,
                 0,
                 0,
                 "abandoned"},
                {{.ended = true, .wait_status = SIGNALED(SIGTERM), .cause = CASCADE_CAUSE_RESULT},
                 RUN_STOPPED,
                 -1,
                 SIGTERM,
                 "after-result"},
                {{.cause = CASCADE_CAUSE_SHUTDOWN, .survivors = 1}, RUN_STOPPED, -1, 0, "shutdown"},
                {{.start_error = ENOENT}, RUN_START_FAILED, -1, 0, ""},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                char text[STATUS_MAX];
                struct run_status got;
                struct status st = rows[i].st;
                st.started_ms = 1700000000000;
                st.ended_ms = 1700000000001;
                st.log_bytes = 1LL << 40;
                size_t len = status_format(&st, text);
                assert_int_equal(run_status_parse(text, len, &got), 0);
                assert_int_equal(got.end, rows[i].end);
                assert_int_equal(got.code, rows[i].code);
                assert_int_equal(got.signo, rows[i].signo);
                assert_string_equal(got.stop_reason, rows[i].stop_reason);
                assert_int_equal(got.survivors, st.survivors);
                assert_true(got.started_ms == st.started_ms && got.ended_ms == st.ended_ms);
                assert_true(got.log_bytes == 1LL << 40);
                assert_int_equal(got.error[0] != '\0', st.start_error != 0);
                for (size_t cut = 0; cut < len; cut++) /* never half a status */
                        if (run_status_parse(text, cut, &got) == 0)
                                assert_true(text[cut - 1] == '\n' && strstr(text, "ended_ms=") < text + cut);
        }
}

#define GOOD "outcome=exited\ncode=0\nsignal=0\nstarted_ms=1\nended_ms=2\n"

static void test_what_is_no_status(void **state)
{
        static const char *const rows[] = {
                "",
                "\n",
                "outcome=exited\n",
                "outcome=finished\ncode=0\nsignal=0\nstarted_ms=1\nended_ms=2\n",
                "outcome=exited\ncode=\nsignal=0\nstarted_ms=1\nended_ms=2\n",
                "outcome=exited\ncode=0x\nsignal=0\nstarted_ms=1\nended_ms=2\n",
                "outcome=exited\ncode=99999999999\nsignal=0\nstarted_ms=1\nended_ms=2\n",
                "outcome=exited\ncode=0\nsignal=0\nstarted_ms=-1\nended_ms=2\n",
                GOOD "code=1\n",
                GOOD "words\n",
                GOOD "stop_reason=0123456789abcdef\n",
                "outcome=exited\ncode=0\nsignal=0\nstarted_ms=1\nended_ms=2",
        };
        struct run_status st;
        (void)state;
        assert_int_equal(run_status_parse(GOOD, strlen(GOOD), &st), 0);
        assert_int_equal(run_status_parse(GOOD "news=1\n", strlen(GOOD "news=1\n"), &st), 0);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_int_equal(run_status_parse(rows[i], strlen(rows[i]), &st), -EINVAL);
        assert_int_equal(run_status_parse(GOOD "a=\0b\n", strlen(GOOD) + 5, &st), -EINVAL);
}

static char folder[] = "/tmp/orch-unit-XXXXXX";

static void put(const char *name, const char *text)
{
        _cleanup_(freep) char *path = xasprintf("%s/%s", folder, name);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fputs(text, f) >= 0, 1);
        assert_int_equal(fclose(f), 0);
}

static void assert_tail(size_t max, const char *want)
{
        _cleanup_(freep) char *path = xasprintf("%s/log", folder);
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        assert_int_equal(run_status_log_tail(path, max, &sb), 0);
        assert_string_equal(sb.buf, want);
}

static void test_end_of_a_log(void **state)
{
        (void)state;
        assert_tail(100, "");
        put("log", "one\ntwo\n");
        assert_tail(100, "one\ntwo\n");
        assert_tail(8, "two\n"); /* it may begin inside a line */
        assert_tail(6, "two\n");
        put("log", "bad \xff\xfe byte\n");
        assert_tail(100, "bad \xef\xbf\xbd\xef\xbf\xbd byte\n");
        put("log", "head\n");
        put("log.tail.1", "before\n");
        put("log.tail", "after\n");
        assert_tail(100, "head\nbefore\nafter\n");
        assert_tail(9, "after\n");
}

static int make_folder(void **state)
{
        (void)state;
        return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
        static const char *const names[] = {"log", "log.tail", "log.tail.1"};
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                _cleanup_(freep) char *path = xasprintf("%s/%s", folder, names[i]);
                (void)unlink(path);
        }
        return rmdir(folder);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_the_shim_writes_is_read),
                cmocka_unit_test(test_what_is_no_status),
                cmocka_unit_test(test_end_of_a_log),
        };
        return cmocka_run_group_tests_name("run_status", tests, make_folder, remove_folder);
}
