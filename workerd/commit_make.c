/*
 * commit_make.c - from the agent's files to a commit in the mirror.
 *
 * The index is filled from the parent commit, then all files are added, but for folders with a repository in
 * them; then what the role may not change is put back to the parent's state; then the tree is written.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"
#include "workerd/commit_op.h"
#include "workerd/commit_text.h"

#define CHANGES_MAX (16u << 20) /* bytes of the list of changed files */

static bool build_read_parent(void *arg, struct git_cmd *cmd)
{
        struct commit_op *op = arg;
        git_cmd_words(cmd, "read-tree", op->result.parent, NULL);
        return commit_op_index(op, cmd);
}

/* Everything but the nested repositories, by path specifications that are read from a list, so that no name
 * in it can become an option. */
static bool build_add(void *arg, struct git_cmd *cmd)
{
        struct commit_op *op = arg;
        git_cmd_words(cmd, "add", "--all", "--pathspec-from-file=-", "--pathspec-file-nul", NULL);
        strbuf_add(&cmd->input, ":/", sizeof(":/"));
        for (size_t i = 0; i < op->nested.n; i++) {
                strbuf_addf(&cmd->input, ":(exclude,literal,top)%s", op->nested.words[i]);
                strbuf_addch(&cmd->input, '\0');
        }
        return commit_op_tree(op, cmd);
}

static bool build_changes(void *arg, struct git_cmd *cmd)
{
        struct commit_op *op = arg;
        git_cmd_words(cmd, "diff-index", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev",
                      "--ignore-submodules=none", op->result.parent, NULL);
        cmd->capture_max = CHANGES_MAX;
        return commit_op_index(op, cmd);
}

static enum git_seq_next on_changes(void *arg, const struct git_result *res)
{
        struct commit_op *op = arg;
        if (res->outcome != GIT_OK || res->truncated)
                return GIT_SEQ_FAIL;
        int r = commit_text_refuse(res->out->buf, res->out->len, op->role, op->docs_dir, &op->refused,
                                   &op->nested, &op->restore);
        return r == 0 ? GIT_SEQ_NEXT : GIT_SEQ_FAIL;
}

static bool build_restore(void *arg, struct git_cmd *cmd)
{
        struct commit_op *op = arg;
        if (op->restore.len == 0)
                return false;
        git_cmd_words(cmd, "update-index", "--replace", "-z", "--index-info", NULL);
        strbuf_add(&cmd->input, op->restore.buf, op->restore.len);
        return commit_op_index(op, cmd);
}

static bool build_write_tree(void *arg, struct git_cmd *cmd)
{
        git_cmd_words(cmd, "write-tree", NULL);
        return commit_op_index(arg, cmd);
}

static enum git_seq_next on_write_tree(void *arg, const struct git_result *res)
{
        struct commit_op *op = arg;
        return res->outcome == GIT_OK && git_oid_read(res->out->buf, op->result.tree) ? GIT_SEQ_NEXT
                                                                                      : GIT_SEQ_FAIL;
}

static void add_identity(struct commit_op *op, struct git_cmd *cmd)
{
        _cleanup_(freep) char *email = xasprintf("%s@orchestrator.invalid", op->role);
        argv_env(&cmd->env, "GIT_AUTHOR_NAME", op->role);
        argv_env(&cmd->env, "GIT_AUTHOR_EMAIL", email);
        argv_env(&cmd->env, "GIT_COMMITTER_NAME", "orchestrator");
        argv_env(&cmd->env, "GIT_COMMITTER_EMAIL", "orchestrator@orchestrator.invalid");
}

static bool build_commit(void *arg, struct git_cmd *cmd)
{
        struct commit_op *op = arg;
        add_identity(op, cmd);
        git_cmd_words(cmd, "commit-tree", op->result.tree, "-p", op->result.parent, "-F", "-", NULL);
        commit_text_message(&cmd->input, op->message_head, op->role, op->job, op->epoch, &op->refused);
        return commit_op_index(op, cmd);
}

static enum git_seq_next on_commit(void *arg, const struct git_result *res)
{
        struct commit_op *op = arg;
        return res->outcome == GIT_OK && git_oid_read(res->out->buf, op->result.sha) ? GIT_SEQ_NEXT
                                                                                     : GIT_SEQ_FAIL;
}

static bool build_keep(void *arg, struct git_cmd *cmd)
{
        struct commit_op *op = arg;
        git_cmd_words(cmd, "update-ref", NULL);
        argv_addf(&cmd->args, "refs/orch/runs/%" PRId64 "-%" PRId64, op->job, op->epoch);
        argv_add(&cmd->args, op->result.sha);
        return commit_op_index(op, cmd);
}

static const struct git_step steps[] = {
        {"read the parent commit", build_read_parent, NULL},
        {"take in the files", build_add, NULL},
        {"list the changes", build_changes, on_changes},
        {"take refused changes out", build_restore, NULL},
        {"write the tree", build_write_tree, on_write_tree},
        {"make the commit", build_commit, on_commit},
        {"keep the commit", build_keep, NULL},
        COMMIT_DESCRIBE_STEPS,
};

static void on_looked(void *arg, int r, const struct argv *found, const struct errinfo *err)
{
        struct commit_op *op = arg;
        op->looking = NULL;
        if (r < 0) {
                commit_op_fail(op, "commit", err->text);
                return;
        }
        for (size_t i = 0; i < found->n; i++)
                argv_add(&op->nested, found->words[i]);
        commit_op_run(op, steps, ARRAY_SIZE(steps));
}

struct commit_op *commit_make(struct git *git, const struct run_info *info, const struct run_dir *rd,
                              const char *mirror, commit_fn *fn, void *arg)
{
        struct commit_op *op = commit_op_new(git, info, rd, mirror, fn, arg);
        _cleanup_(freep) char *index_lock = xasprintf("%s.lock", rd->index);
        (void)unlink(
                rd->index); /* an earlier try of the same run may have left them; usually there are none */
        (void)unlink(index_lock);
        if (!git_oid_read(info->start_sha, op->result.parent))
                op->result.parent[0] = '\0'; /* git then says what is wrong with it */
        op->looking = nested_find(git_loop(git), rd->tree, on_looked, op);
        return op;
}
