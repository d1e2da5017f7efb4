/* Lines of the log: one event is one line, whatever the values hold. */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

static void test_quoting(void **state)
{
        static const struct {
                const char *value, *printed;
        } rows[] = {
                {"plain", "plain"},
                {"a/b:c,d-e_f@g", "a/b:c,d-e_f@g"},
                {"\xd0\x96", "\xd0\x96"},
                {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
                {"", "\"\""},
                {"two words", "\"two words\""},
                {"k=v", "\"k=v\""},
                {"say \"hi\"", "\"say \\\"hi\\\"\""},
                {"back\\slash", "\"back\\\\slash\""},
                {"a\nb", "\"a\\nb\""},
                {"a\r\n\tb", "\"a\\r\\n\\tb\""},
                {"\x1b[31m", "\"\\u001b[31m\""},
                {"\x01\x7f", "\"\\u0001\\u007f\""},
                {"\xc2\x85", "\"\\u0085\""},             /* NEL: a line end to some */
                {"\xe2\x80\xa8", "\"\\u2028\""},         /* LINE SEPARATOR */
                {"\xff", "\"\\xff\""},                   /* no UTF-8 */
                {"ok\xc3", "\"ok\\xc3\""},               /* cut short */
                {"\xc0\x80", "\"\\xc0\\x80\""},          /* overlong */
                {"\xed\xa0\x80", "\"\\xed\\xa0\\x80\""}, /* surrogate */
                {"x\" event=forged level=error", "\"x\\\" event=forged level=error\""},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(strbuf_deinit) struct strbuf got = STRBUF_INIT, want = STRBUF_INIT;
                log_format_field(&got, &(struct log_field)LF_S("k", rows[i].value));
                strbuf_addf(&want, " k=%s", rows[i].printed);
                assert_string_equal(got.buf, want.buf);
        }
}

static void test_fields(void **state)
{
        _cleanup_(strbuf_deinit) struct strbuf got = STRBUF_INIT;
        const char *absent = NULL;
        struct errinfo e = ERRINFO_INIT;
        struct errinfo plain = ERRINFO_INIT;
        (void)state;
        err_set(&plain, NULL, "no code");
        err_set(&e, "40001", "try again");
        const struct log_field fields[] = {LF_I("job", 7),       LF_I("low", INT64_MIN),
                                           LF_S("none", absent), LF_ERRNO(-ENOENT),
                                           LF_ERR(&e),           LF_ERR(&plain)};
        for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
                log_format_field(&got, &fields[i]);
        assert_string_equal(got.buf, " job=7 low=-9223372036854775808 none=\"\" "
                                     "error=\"No such file or directory\" error=\"try again\" code=40001 "
                                     "error=\"no code\"");
}

/* Runs fn with standard error in a file, and gives what was written there. */
static char *captured(void (*fn)(void))
{
        FILE *file = tmpfile();
        assert_non_null(file);
        int saved = dup(STDERR_FILENO);
        assert_true(saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
        fn();
        assert_true(dup2(saved, STDERR_FILENO) >= 0);
        close(saved);
        struct strbuf text = STRBUF_INIT;
        char chunk[512];
        rewind(file);
        for (size_t n; (n = fread(chunk, 1, sizeof(chunk), file)) > 0;)
                strbuf_add(&text, chunk, n);
        (void)fclose(file);
        return strbuf_take(&text);
}

static void write_some(void)
{
        log_init("testd", LOGL_INFO);
        errno = EXDEV;
        log_info(EV("a.b"), LF_S("text", "two\nlines"), LF_I("n", 3));
        assert_int_equal(errno, EXDEV);
        log_debug(EV("too.much"));
        log_set_level(LOGL_ERROR);
        log_warning(EV("too.much"));
        log_error(EV("last"));
}

static void test_lines(void **state)
{
        _cleanup_(freep) char *text = captured(write_some);
        _cleanup_(freep) char *tail = xasprintf(
                "Z level=info daemon=testd pid=%d event=a.b text=\"two\\nlines\" n=3\n", (int)getpid());
        char *line_end = strchr(text, '\n');
        (void)state;
        assert_non_null(line_end);
        assert_memory_equal(text, "ts=2", 4);
        assert_int_equal(strcspn(text, "Z"), strlen("ts=2025-01-02T03:04:05.678"));
        assert_memory_equal(strchr(text, 'Z'), tail, strlen(tail));
        assert_null(strstr(text, "too.much"));
        assert_non_null(strstr(line_end + 1, " level=error daemon=testd "));
        assert_string_equal(strchr(line_end + 1, '\n'), "\n");
}

static void test_level_names(void **state)
{
        static const char *const names[] = {"error", "warning", "info", "debug"};
        enum log_level level;
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                assert_int_equal(log_level_parse(names[i], &level), 0);
                assert_int_equal(level, i);
        }
        assert_int_equal(log_level_parse("INFO", &level), -EINVAL);
        assert_int_equal(log_level_parse("", &level), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_quoting),
                cmocka_unit_test(test_fields),
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_level_names),
        };
        return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
