/* Following a log that the shim bounds: head, tails, the joined end. */
#include "ctl/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

struct folder {
        char path[64];
        char *log;
};

static int setup(void **state)
{
        struct folder *f = xcalloc(1, sizeof(*f));
        (void)snprintf(f->path, sizeof(f->path), "/tmp/orch-follow-XXXXXX");
        assert_non_null(mkdtemp(f->path));
        f->log = xasprintf("%s/log", f->path);
        *state = f;
        return 0;
}

static void in_folder(const struct folder *f, const char *name, const char *text, int flags)
{
        _cleanup_(freep) char *path = xasprintf("%s/%s", f->path, name);
        _cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void append(const struct folder *f, const char *name, const char *text)
{
        in_folder(f, name, text, O_APPEND);
}

static void gone(const struct folder *f, const char *name)
{
        _cleanup_(freep) char *path = xasprintf("%s/%s", f->path, name);
        assert_int_equal(unlink(path), 0);
}

static void renamed(const struct folder *f, const char *from, const char *to)
{
        _cleanup_(freep) char *a = xasprintf("%s/%s", f->path, from);
        _cleanup_(freep) char *b = xasprintf("%s/%s", f->path, to);
        assert_int_equal(rename(a, b), 0);
}

static int teardown(void **state)
{
        static const char *const names[] = {"log", "log.tail", "log.tail.1", "status"};
        struct folder *f = *state;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                _cleanup_(freep) char *path = xasprintf("%s/%s", f->path, names[i]);
                (void)unlink(path); /* most are not there */
        }
        assert_int_equal(rmdir(f->path), 0);
        free(f->log);
        free(f);
        return 0;
}

/* What the next look gives. */
static void expect(struct follow *follow, const char *text)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        assert_int_equal(follow_read(follow, &sb), 0);
        assert_string_equal(sb.buf, text);
}

static void test_a_log_that_grows(void **state)
{
        const struct folder *f = *state;
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        struct follow follow;
        follow_init(&follow, f->log);
        assert_int_equal(follow_read(&follow, &sb), -ENOENT);
        append(f, "log", "one\n");
        expect(&follow, "one\n");
        expect(&follow, "");
        append(f, "log", "two\n");
        assert_false(follow_ended(&follow));
        append(f, "log", "three\n");
        append(f, "status", "");
        assert_true(follow_ended(&follow));
        expect(&follow, "two\nthree\n");
        follow_deinit(&follow);
}

static void test_tails_are_read_to_their_end(void **state)
{
        const struct folder *f = *state;
        struct follow follow;
        append(f, "log", "head\n");
        follow_init(&follow, f->log);
        expect(&follow, "head\n");
        append(f, "log", "end of head\n");
        append(f, "log.tail", "t1\n");
        expect(&follow, "end of head\nt1\n");
        append(f, "log.tail", "t2\n");
        renamed(f, "log.tail", "log.tail.1");
        append(f, "log.tail", "t3\n");
        expect(&follow, "t2\n");
        expect(&follow, "t3\n");
        follow_deinit(&follow);
}

static void test_what_is_joined_is_not_repeated(void **state)
{
        const struct folder *f = *state;
        struct follow follow;
        append(f, "log", "head\n");
        append(f, "log.tail", "tail\n");
        follow_init(&follow, f->log);
        expect(&follow, "head\ntail\n");
        append(f, "log.tail", "last\n");
        append(f, "log", "... 7 bytes are missing ...\ntail\nlast\n");
        gone(f, "log.tail");
        append(f, "status", "");
        expect(&follow, "last\n");
        expect(&follow, "");
        follow_deinit(&follow);
}

static void test_an_ended_run_is_its_joined_log(void **state)
{
        const struct folder *f = *state;
        struct follow follow;
        append(f, "log", "head\n... missing ...\ntail\n");
        append(f, "log.tail", "left by a shim that was killed\n");
        append(f, "status", "");
        follow_init(&follow, f->log);
        expect(&follow, "head\n... missing ...\ntail\n");
        follow_deinit(&follow);
}

static void test_a_long_log_comes_in_pieces(void **state)
{
        const struct folder *f = *state;
        _cleanup_(strbuf_deinit) struct strbuf all = STRBUF_INIT, got = STRBUF_INIT;
        struct follow follow;
        for (int i = 0; i < 100000; i++)
                strbuf_addf(&all, "line %d of a long log\n", i);
        append(f, "log", all.buf);
        follow_init(&follow, f->log);
        for (size_t before = 1; got.len != before;) {
                before = got.len;
                assert_int_equal(follow_read(&follow, &got), 0);
        }
        assert_int_equal(got.len, all.len);
        assert_string_equal(got.buf, all.buf);
        follow_deinit(&follow);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                IN_FOLDER(test_a_log_that_grows),
                IN_FOLDER(test_tails_are_read_to_their_end),
                IN_FOLDER(test_what_is_joined_is_not_repeated),
                IN_FOLDER(test_an_ended_run_is_its_joined_log),
                IN_FOLDER(test_a_long_log_comes_in_pieces),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
