/* A log as the shim writes it, read while it grows: each byte once, in order; what is missing is a gap. */
#include "workerd/log_follow.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "shim/log.h"
#include "tests/unit/cm.h"
#include "tests/unit/tmp_dir.h"

struct seen {
        struct strbuf bytes;
        int gaps;
};

static void on_data(void *arg, const char *data, size_t len)
{
        struct seen *s = arg;
        strbuf_add(&s->bytes, data, len);
}

static void on_gap(void *arg)
{
        struct seen *s = arg;
        s->gaps++;
        strbuf_addstr(&s->bytes, "\n<gap>\n");
}

/* Numbered lines, so that what was read says where it is from. */
static void append(struct log *log, int *line, size_t bytes)
{
        struct strbuf sb = STRBUF_INIT;
        while (sb.len < bytes)
                strbuf_addf(&sb, "line %d of the agent\n", (*line)++);
        log_append(log, sb.buf, sb.len);
        strbuf_deinit(&sb);
}

/* What was read is lines in order, none twice, and none missing but where there is a gap or a seam. */
static void check(const struct seen *s, int lines, bool whole)
{
        int next = 0, n = 0;
        bool may_jump = false;
        char *copy = xstrdup(s->bytes.buf), *rest = NULL;
        for (char *line = strtok_r(copy, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
                if (strcmp(line, "<gap>") == 0 || strncmp(line, "[orch-shim: ", 12) == 0) {
                        may_jump = true;
                        continue;
                }
                int r = sscanf(line, "line %d of the agent", &n);
                if (r != 1 || strstr(line, "agent") == NULL || (n != next && !may_jump)) {
                        assert_false(whole); /* a line that was cut by the turn of a file */
                        may_jump = true;
                        continue;
                }
                assert_true(n >= next || may_jump);
                may_jump = false;
                next = n + 1;
        }
        free(copy);
        assert_int_equal(next, lines); /* the end is never missing */
}

struct story {
        int64_t max;
        size_t piece;
        int pieces;
        int read_each; /* after so many pieces; 0: only at the end */
        bool whole;    /* nothing may be missing */
};

static void play(const struct story *story)
{
        char *dir = tmp_dir_make();
        _cleanup_(freep) char *path = xasprintf("%s/log", dir);
        int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), lines = 0;
        struct seen seen = {.bytes = STRBUF_INIT};
        const struct log_follow_fns fns = {on_data, on_gap, &seen};
        struct log_follow *f = log_follow_new(path, &fns);
        struct log log;
        assert_false(log_follow_read(f, 100)); /* not there yet */
        assert_int_equal(log_open(&log, dir_fd, story->max), 0);
        for (int i = 1; i <= story->pieces; i++) {
                append(&log, &lines, story->piece);
                while (story->read_each > 0 && i % story->read_each == 0 && log_follow_read(f, 100))
                        ;
        }
        log_finish(&log);
        log_follow_joined(f, log.total);
        while (log_follow_read(f, 1000))
                ;
        check(&seen, lines, story->whole);
        if (story->whole)
                assert_int_equal(seen.bytes.len, log.total);
        log_follow_free(f);
        strbuf_deinit(&seen.bytes);
        (void)close(dir_fd);
        tmp_dir_remove(dir);
}

static void test_stories(void **state)
{
        static const struct story rows[] = {
                {1 << 20, 1000, 20, 1, true},                             /* it fits */
                {1 << 20, 1000, 20, 0, true},                             /* an heir comes at its end */
                {1 << 20, 1000, 20, 7, true}, {10000, 500, 100, 1, true}, /* it does not fit, and was followed
                                                                             closely enough */
                {10000, 500, 100, 3, true},   {10000, 500, 17, 16, true}, /* the turn has just been */
                {10000, 500, 100, 15, false}, /* several turns between two looks */
                {10000, 500, 100, 0, false},  /* an heir comes at the end of what was cut */
                {10000, 500, 100, 90, false}, {4096, 3000, 40, 1, false}, {4096, 10, 3, 1, true},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                play(&rows[i]);
}

static void test_nothing_was_ever_written(void **state)
{
        static const struct story row = {4096, 0, 0, 1, true};
        (void)state;
        play(&row);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_stories),
                cmocka_unit_test(test_nothing_was_ever_written),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
