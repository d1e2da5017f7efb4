/* test_changes.c - asks git what lies between two commits; what that means is in test_changes_text.c. */
#include "workerd/test_changes.h"

#include <stdlib.h>

#include "common/git_seq.h"
#include "common/mem.h"

#define FILES_MAX (4u << 20)
#define PATCH_MAX (16u << 20)

struct test_changes_op {
        const struct run_info *info;
        char *mirror, *base, *head;
        struct argv signals;
        struct git_seq *seq;
        test_changes_fn *fn;
        void *arg;
};

static void free_op(struct test_changes_op *op)
{
        git_seq_cancel(op->seq);
        argv_deinit(&op->signals);
        free(op->mirror);
        free(op->base);
        free(op->head);
        free(op);
}

static void add_range(struct test_changes_op *op, struct git_cmd *cmd)
{
        git_cmd_words(cmd, "-M", "--no-ext-diff", "--no-textconv", "--no-color", "--diff-algorithm=myers",
                      op->base, op->head, "--", ":/", NULL);
        argv_addf(&cmd->args, ":(exclude,literal,top)%s", op->info->docs_dir);
        cmd->git_dir = op->mirror;
}

static bool build_files(void *arg, struct git_cmd *cmd)
{
        git_cmd_words(cmd, "diff-tree", "-r", "-z", "--raw", "--numstat", NULL);
        add_range(arg, cmd);
        cmd->capture_max = FILES_MAX;
        return true;
}

static enum git_seq_next on_files(void *arg, const struct git_result *res)
{
        struct test_changes_op *op = arg;
        if (res->outcome != GIT_OK)
                return GIT_SEQ_FAIL;
        if (res->truncated) {
                argv_add(&op->signals, "more files are changed than can be looked at");
                return GIT_SEQ_NEXT;
        }
        return test_changes_files(res->out->buf, res->out->len, op->info, &op->signals) == 0 ? GIT_SEQ_NEXT
                                                                                             : GIT_SEQ_FAIL;
}

/* Not of prose: it may speak of skipped tests. */
static bool build_patch(void *arg, struct git_cmd *cmd)
{
        git_cmd_words(cmd, "diff-tree", "-r", "-p", "-U0", NULL);
        add_range(arg, cmd);
        git_cmd_words(cmd, ":(exclude,top,glob)**/*.md", ":(exclude,top,glob)**/*.rst",
                      ":(exclude,top,glob)**/*.txt", NULL);
        cmd->capture_max = PATCH_MAX;
        return true;
}

static enum git_seq_next on_patch(void *arg, const struct git_result *res)
{
        struct test_changes_op *op = arg;
        if (res->outcome != GIT_OK)
                return GIT_SEQ_FAIL;
        if (res->truncated)
                argv_add(&op->signals, "the change is too large to look for skipped tests in it");
        else
                test_changes_skips(res->out->buf, res->out->len, &op->signals);
        return GIT_SEQ_NEXT;
}

static const struct git_step steps[] = {
        {"list the changed files", build_files, on_files},
        {"look for skipped tests", build_patch, on_patch},
};

/* So that a task file stays one that is read. */
static void shorten(struct argv *signals)
{
        size_t n = signals->n;
        if (n <= TEST_CHANGES_MAX)
                return;
        for (size_t i = TEST_CHANGES_MAX; i < n; i++)
                free(signals->words[i]);
        signals->n = TEST_CHANGES_MAX;
        signals->words[TEST_CHANGES_MAX] = NULL;
        argv_addf(signals, "and %zu more", n - TEST_CHANGES_MAX);
}

static void on_end(void *arg, const struct git_step *failed, const struct git_result *res)
{
        struct test_changes_op *op = arg;
        struct test_changes_result result = {.known = failed == NULL, .signals = &op->signals};
        op->seq = NULL;
        if (failed != NULL)
                err_set(&result.err, "", "could not %s: %s", failed->name, git_seq_why(res));
        shorten(&op->signals);
        op->fn(op->arg, &result);
        free_op(op);
}

struct test_changes_op *test_changes_find(struct git *git, const struct run_info *info, const char *mirror,
                                          const char *base, const char *head, test_changes_fn *fn, void *arg)
{
        struct test_changes_op *op = xcalloc(1, sizeof(*op));
        *op = (struct test_changes_op){
                .info = info,
                .mirror = xstrdup(mirror),
                .base = xstrdup(base),
                .head = xstrdup(head),
                .signals = ARGV_INIT,
                .fn = fn,
                .arg = arg,
        };
        op->seq = git_seq_start(git, steps, ARRAY_SIZE(steps), on_end, op);
        return op;
}

void test_changes_cancel(struct test_changes_op *op)
{
        if (op != NULL)
                free_op(op);
}
