/* A transcript goes from one run of a job to the next, and nothing else does. */
#include "workerd/agent_session.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"
#include "tests/unit/tmp_dir.h"

struct world {
        char *state;
        struct run_dir first, second;
        char id[AGENT_SESSION_SIZE];
};

static void write_file(const char *path, const char *text)
{
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fputs(text, f) >= 0, true);
        assert_int_equal(fclose(f), 0);
}

static void make(struct world *w)
{
        struct errinfo err = ERRINFO_INIT;
        w->state = tmp_dir_make();
        run_dir_names(&w->first, w->state, 7, 1);
        run_dir_names(&w->second, w->state, 7, 3);
        assert_int_equal(run_dir_create(&w->first, &err), 0);
        assert_int_equal(run_dir_create(&w->second, &err), 0);
        assert_int_equal(mkdir(w->second.tree, 0700), 0);
        agent_session_new(w->id);
        assert_int_equal(agent_session_note(&w->first, w->id), 0);
}

static void done(struct world *w)
{
        run_dir_deinit(&w->first);
        run_dir_deinit(&w->second);
        tmp_dir_remove(w->state);
}

/* A folder below the first HOME. */
static char *below_home(const struct world *w, const char *name)
{
        char *path = xasprintf("%s/%s", w->first.home, name);
        (void)mkdir(path, 0700);
        return path;
}

static char *leave_transcript(const struct world *w)
{
        free(below_home(w, ".claude"));
        free(below_home(w, ".claude/projects"));
        free(below_home(w, ".claude/projects/-other"));
        _cleanup_(freep) char *folder = below_home(w, ".claude/projects/-some-tree");
        char *path = xasprintf("%s/%s.jsonl", folder, w->id);
        write_file(path, "what was said\n");
        return path;
}

static bool carry(const struct world *w)
{
        agent_session_keep(&w->first);
        return agent_session_carry(w->state, 7, 1, w->id, &w->second);
}

static void test_ids(void **state)
{
        char a[AGENT_SESSION_SIZE], b[AGENT_SESSION_SIZE];
        (void)state;
        agent_session_new(a);
        agent_session_new(b);
        assert_int_equal(strlen(a), 36);
        assert_int_equal(a[14], '4');
        assert_non_null(strchr("89ab", a[19]));
        assert_string_not_equal(a, b);
}

static void test_it_is_carried(void **state)
{
        struct world w;
        struct strbuf text = STRBUF_INIT;
        (void)state;
        make(&w);
        char *from = leave_transcript(&w);
        assert_true(carry(&w));
        assert_int_equal(access(from, F_OK), -1); /* HOME may go now */
        char *slug = xstrdup(w.second.tree);
        for (char *c = slug; *c != '\0'; c++)
                if (strchr("/._-", *c) != NULL)
                        *c = '-';
        char *to = xasprintf("%s/.claude/projects/%s/%s.jsonl", w.second.home, slug, w.id);
        assert_int_equal(strbuf_read_file(&text, to, 100), 0);
        assert_string_equal(text.buf, "what was said\n");
        strbuf_deinit(&text);
        free(slug);
        free(to);
        free(from);
        done(&w);
}

static void test_there_is_none(void **state)
{
        struct world w;
        (void)state;
        make(&w);
        assert_false(carry(&w));
        assert_false(agent_session_carry(w.state, 7, 1, "../../../etc/passwd", &w.second));
        assert_false(agent_session_carry(w.state, 8, 1, w.id, &w.second));
        done(&w);
}

static void test_links_are_not_followed(void **state)
{
        (void)state;
        for (int kind = 0; kind < 4; kind++) {
                struct world w;
                make(&w);
                char *elsewhere = xasprintf("%s/elsewhere", w.state);
                char *from = leave_transcript(&w);
                assert_int_equal(mkdir(elsewhere, 0700), 0);
                char *there = xasprintf("%s/%s.jsonl", elsewhere, w.id);
                if (kind == 0) { /* the transcript */
                        assert_int_equal(rename(from, there), 0);
                        assert_int_equal(symlink(there, from), 0);
                } else if (kind == 1) { /* by another name: a second link to somebody's file */
                        assert_int_equal(link(from, there), 0);
                } else if (kind == 2) { /* its folder */
                        char *folder = xasprintf("%s/.claude/projects/-some-tree", w.first.home);
                        assert_int_equal(rename(from, there), 0);
                        assert_int_equal(rmdir(folder), 0);
                        assert_int_equal(symlink(elsewhere, folder), 0);
                        free(folder);
                } else { /* all */
                        char *claude = xasprintf("%s/.claude", w.first.home),
                             *moved = xasprintf("%s/moved", w.state);
                        assert_int_equal(rename(claude, moved), 0);
                        assert_int_equal(symlink(moved, claude), 0);
                        free(claude);
                        free(moved);
                }
                assert_false(carry(&w));
                free(there);
                free(from);
                free(elsewhere);
                done(&w);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ids),
                cmocka_unit_test(test_it_is_carried),
                cmocka_unit_test(test_there_is_none),
                cmocka_unit_test(test_links_are_not_followed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
