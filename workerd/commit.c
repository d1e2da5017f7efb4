/* commit.c - the life of a commit operation, and its push; the steps are in commit_make.c and
 * commit_describe.c. */
#include "workerd/commit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/mem.h"
#include "workerd/commit_op.h"
#include "workerd/commit_text.h"

struct commit_op *commit_op_new(struct git *git, const struct run_info *info, const struct run_dir *rd,
                                const char *mirror, commit_fn *fn, void *arg)
{
        struct strbuf subject = STRBUF_INIT;
        commit_text_subject(&subject, info->role, info->work_item, info->title);
        struct commit_op *op = xcalloc(1, sizeof(*op));
        *op = (struct commit_op){
                .git = git,
                .mirror = xstrdup(mirror),
                .tree = xstrdup(rd->tree),
                .index = xstrdup(rd->index),
                .role = xstrdup(info->role),
                .docs_dir = xstrdup(info->docs_dir),
                .branch = xstrdup(info->branch),
                .default_branch = xstrdup(info->default_branch),
                .message_head = strbuf_take(&subject),
                .job = info->job,
                .epoch = info->epoch,
                .restore = STRBUF_INIT,
                .diff = STRBUF_INIT,
                .fn = fn,
                .arg = arg,
        };
        op->result.epoch = info->epoch;
        return op;
}

void commit_op_index_in_mirror(struct commit_op *op)
{
        free(op->index);
        op->index = xasprintf("%s/orch-index-%" PRId64 "-%" PRId64, op->mirror, op->job, op->epoch);
        op->own_index = true;
}

static void free_op(struct commit_op *op)
{
        if (op->own_index)
                (void)unlink(op->index); /* it may never have come to be */
        nested_cancel(op->looking);
        git_seq_cancel(op->seq);
        argv_deinit(&op->nested);
        argv_deinit(&op->refused);
        strbuf_deinit(&op->restore);
        strbuf_deinit(&op->diff);
        free(op->mirror);
        free(op->tree);
        free(op->index);
        free(op->role);
        free(op->docs_dir);
        free(op->branch);
        free(op->default_branch);
        free(op->message_head);
        free(op);
}

static void answer(struct commit_op *op)
{
        op->result.refused = &op->refused;
        op->result.nested = &op->nested;
        op->fn(op->arg, &op->result);
        free_op(op);
}

void commit_op_fail(struct commit_op *op, const char *what, const char *why)
{
        op->result.outcome = COMMIT_FAILED;
        err_set(&op->result.err, "", "could not %s: %s", what, why);
        answer(op);
}

static void on_end(void *arg, const struct git_step *failed, const struct git_result *res)
{
        struct commit_op *op = arg;
        op->seq = NULL;
        if (failed != NULL)
                commit_op_fail(op, failed->name, git_seq_why(res));
        else
                answer(op);
}

void commit_op_run(struct commit_op *op, const struct git_step *steps, size_t n_steps)
{
        op->seq = git_seq_start(op->git, steps, n_steps, on_end, op);
}

bool commit_op_index(struct commit_op *op, struct git_cmd *cmd)
{
        cmd->git_dir = op->mirror;
        cmd->index_file = op->index;
        return true;
}

bool commit_op_tree(struct commit_op *op, struct git_cmd *cmd)
{
        cmd->work_tree = op->tree;
        return commit_op_index(op, cmd);
}

void commit_cancel(struct commit_op *op)
{
        if (op != NULL)
                free_op(op);
}

struct git_push_op *commit_push(struct git *git, const struct run_info *info, const char *mirror,
                                const char *sha, git_push_fn *fn, void *arg)
{
        const struct git_push_spec spec = {
                .git_dir = mirror,
                .remote = info->remote,
                .branch = info->branch,
                .default_branch = info->default_branch,
                .sha = sha,
                .expected = info->head_sha,
        };
        return git_push(git, &spec, fn, arg);
}
