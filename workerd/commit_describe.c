/* commit_describe.c - what a commit is made of, and the search for the commit of an earlier life of a job. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "workerd/commit_op.h"

#define SEARCH_MAX "500" /* commits of the branch that are looked at */

/* ---- facts ---- */

bool commit_build_facts(void *arg, struct git_cmd *cmd)
{
        struct commit_op *op = arg;
        if (op->result.sha[0] == '\0')
                return false;
        git_cmd_words(cmd, "rev-parse", NULL);
        argv_addf(&cmd->args, "%s^{tree}", op->result.sha);
        argv_addf(&cmd->args, "%s^1", op->result.sha);
        argv_addf(&cmd->args, "%s^1^{tree}", op->result.sha);
        return commit_op_index(op, cmd);
}

enum git_seq_next commit_on_facts(void *arg, const struct git_result *res)
{
        struct commit_op *op = arg;
        const char *text = res->out->buf;
        size_t line = strcspn(text, "\n") + 1; /* all three have the same length */
        if (res->outcome != GIT_OK || res->out->len != 3 * line || !git_oid_read(text, op->result.tree) ||
            !git_oid_read(text + line, op->result.parent) || !git_oid_read(text + 2 * line, op->parent_tree))
                return GIT_SEQ_FAIL;
        op->result.changed = strcmp(op->result.tree, op->parent_tree) != 0;
        return GIT_SEQ_NEXT;
}

bool commit_build_load(void *arg, struct git_cmd *cmd)
{
        struct commit_op *op = arg;
        if (op->result.sha[0] == '\0')
                return false;
        git_cmd_words(cmd, "read-tree", op->result.tree, NULL);
        return commit_op_index(op, cmd);
}

bool commit_build_strip(void *arg, struct git_cmd *cmd)
{
        struct commit_op *op = arg;
        if (op->result.sha[0] == '\0')
                return false;
        git_cmd_words(cmd, "--literal-pathspecs", "rm", "-r", "-f", "--cached", "--quiet", "--ignore-unmatch",
                      "--", op->docs_dir, NULL);
        return commit_op_index(op, cmd);
}

bool commit_build_code_tree(void *arg, struct git_cmd *cmd)
{
        struct commit_op *op = arg;
        if (op->result.sha[0] == '\0')
                return false;
        git_cmd_words(cmd, "write-tree", NULL);
        return commit_op_index(op, cmd);
}

enum git_seq_next commit_on_code_tree(void *arg, const struct git_result *res)
{
        struct commit_op *op = arg;
        return res->outcome == GIT_OK && git_oid_read(res->out->buf, op->result.code_tree) ? GIT_SEQ_NEXT
                                                                                           : GIT_SEQ_FAIL;
}

static const struct git_step describe_steps[] = {COMMIT_DESCRIBE_STEPS};

struct commit_op *commit_describe(struct git *git, const struct run_info *info, const struct run_dir *rd,
                                  const char *mirror, const char *sha, commit_fn *fn, void *arg)
{
        struct commit_op *op = commit_op_new(git, info, rd, mirror, fn, arg);
        if (!git_oid_read(sha, op->result.sha))
                op->result.outcome = COMMIT_NOTHING;
        commit_op_index_in_mirror(op);
        commit_op_run(op, describe_steps, ARRAY_SIZE(describe_steps));
        return op;
}

/* ---- the search ---- */

static bool build_exists(void *arg, struct git_cmd *cmd)
{
        struct commit_op *op = arg;
        git_cmd_words(cmd, "rev-parse", "--verify", "--quiet", NULL);
        argv_addf(&cmd->args, "refs/heads/%s^{commit}", op->branch);
        return commit_op_index(op, cmd);
}

static enum git_seq_next on_exists(void *arg, const struct git_result *res)
{
        (void)arg;
        if (res->outcome == GIT_EXITED && res->code == 1)
                return GIT_SEQ_END; /* nothing was ever pushed */
        return res->outcome == GIT_OK ? GIT_SEQ_NEXT : GIT_SEQ_FAIL;
}

static bool build_search(void *arg, struct git_cmd *cmd)
{
        struct commit_op *op = arg;
        git_cmd_words(cmd, "log", "--first-parent", "--no-show-signature", "-n", SEARCH_MAX,
                      "--format=%H %(trailers:key=Orch-Job,valueonly,separator=%x2C) "
                      "%(trailers:key=Orch-Epoch,valueonly,separator=%x2C) "
                      "%(trailers:key=Orch-Role,valueonly,separator=%x2C)",
                      NULL);
        argv_addf(&cmd->args, "refs/heads/%s", op->branch);
        argv_addf(&cmd->args, "^refs/heads/%s", op->default_branch);
        git_cmd_words(cmd, "--", NULL);
        cmd->capture_max = 1u << 20;
        return commit_op_index(op, cmd);
}

/* A line is "OID JOB EPOCH ROLE"; commits that are not ours have other things, or nothing, in these places.
 */
static bool is_ours(const struct commit_op *op, const char *line, size_t len, int64_t *ret_epoch)
{
        _cleanup_(freep) char *copy = xstrndup(line, len);
        _cleanup_(freep) char *want = xasprintf(" %" PRId64 " ", op->job);
        const char *job = strchr(copy, ' ');
        if (job == NULL || strncmp(job, want, strlen(want)) != 0)
                return false;
        char *end;
        *ret_epoch = strtoll(job + strlen(want), &end, 10);
        return *ret_epoch > 0 && *end == ' ' && strcmp(end + 1, op->role) == 0;
}

static enum git_seq_next on_search(void *arg, const struct git_result *res)
{
        struct commit_op *op = arg;
        if (res->outcome != GIT_OK)
                return GIT_SEQ_FAIL;
        for (const char *line = res->out->buf; *line != '\0';) {
                size_t len = strcspn(line, "\n");
                int64_t epoch;
                if (is_ours(op, line, len, &epoch) && git_oid_read(line, op->result.sha)) {
                        op->result.outcome = COMMIT_OK;
                        op->result.epoch = epoch;
                        return GIT_SEQ_NEXT;
                }
                line += len + (line[len] == '\n');
        }
        return GIT_SEQ_END;
}

static const struct git_step find_steps[] = {
        {"find the branch", build_exists, on_exists},
        {"look for the job's commit", build_search, on_search},
        COMMIT_DESCRIBE_STEPS,
};

struct commit_op *commit_find(struct git *git, const struct run_info *info, const struct run_dir *rd,
                              const char *mirror, commit_fn *fn, void *arg)
{
        struct commit_op *op = commit_op_new(git, info, rd, mirror, fn, arg);
        op->result.outcome = COMMIT_NOTHING; /* until it is found */
        commit_op_index_in_mirror(op);
        commit_op_run(op, find_steps, ARRAY_SIZE(find_steps));
        return op;
}
