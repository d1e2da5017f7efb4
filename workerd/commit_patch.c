/*
 * commit_patch.c - the name of the change that a branch makes, as git patch-id gives it (P-4).
 *
 * From where the branch began to the commit, without the task's docs folder. White space counts (--verbatim):
 * a change of indentation is another change. Everything that could make two hosts see one change as two is
 * fixed: the algorithm, the context, prefixes, no renames. A change that is too large to look at has no name;
 * then any other code voids what was said about it.
 */
#include <string.h>

#include "common/mem.h"
#include "workerd/commit_op.h"

#define DIFF_MAX (16u << 20)

bool commit_build_base(void *arg, struct git_cmd *cmd)
{
        struct commit_op *op = arg;
        if (op->result.sha[0] == '\0')
                return false;
        git_cmd_words(cmd, "merge-base", NULL);
        argv_addf(&cmd->args, "refs/heads/%s", op->default_branch);
        argv_add(&cmd->args, op->result.sha);
        return commit_op_index(op, cmd);
}

enum git_seq_next commit_on_base(void *arg, const struct git_result *res)
{
        struct commit_op *op = arg;
        if (res->outcome == GIT_OK && git_oid_read(res->out->buf, op->result.base_sha))
                return GIT_SEQ_NEXT;
        /* no common history, or no default branch any more: the change has no beginning, and no name */
        return res->outcome == GIT_EXITED ? GIT_SEQ_END : GIT_SEQ_FAIL;
}

bool commit_build_diff(void *arg, struct git_cmd *cmd)
{
        struct commit_op *op = arg;
        if (op->result.base_sha[0] == '\0')
                return false;
        git_cmd_words(cmd, "diff-tree", "-r", "-p", "-U3", "--full-index", "--no-renames", "--no-ext-diff",
                      "--no-textconv", "--no-color", "--no-indent-heuristic", "--diff-algorithm=myers",
                      "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short", "--ignore-submodules=none",
                      op->result.base_sha, op->result.sha, "--", ":/", NULL);
        argv_addf(&cmd->args, ":(exclude,literal,top)%s", op->docs_dir);
        cmd->capture_max = DIFF_MAX;
        return commit_op_index(op, cmd);
}

enum git_seq_next commit_on_diff(void *arg, const struct git_result *res)
{
        struct commit_op *op = arg;
        if (res->outcome != GIT_OK)
                return GIT_SEQ_FAIL;
        if (!res->truncated)
                strbuf_add(&op->diff, res->out->buf, res->out->len);
        return GIT_SEQ_NEXT;
}

bool commit_build_patch_id(void *arg, struct git_cmd *cmd)
{
        struct commit_op *op = arg;
        if (op->diff.len == 0)
                return false;
        git_cmd_words(cmd, "patch-id", "--verbatim", NULL);
        strbuf_add(&cmd->input, op->diff.buf, op->diff.len);
        strbuf_deinit(&op->diff);
        return commit_op_index(op, cmd);
}

enum git_seq_next commit_on_patch_id(void *arg, const struct git_result *res)
{
        struct commit_op *op = arg;
        return res->outcome == GIT_OK && git_oid_read(res->out->buf, op->result.patch_id) ? GIT_SEQ_NEXT
                                                                                          : GIT_SEQ_FAIL;
}
