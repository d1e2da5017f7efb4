/* landing_look.c - what a merge would be made of: the base that was tested, or another one, and then what. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/git_seq.h"
#include "common/mem.h"
#include "workerd/landing.h"

struct landing_look {
        struct git *git;
        char *mirror, *default_branch, *head, *tested_base;
        int64_t job, epoch;
        char tree[GIT_OID_SIZE];
        struct git_seq *seq;
        landing_look_fn *fn;
        void *arg;
        struct landing_look_result result;
};

static void free_op(struct landing_look *op)
{
        git_seq_cancel(op->seq);
        free(op->mirror);
        free(op->default_branch);
        free(op->head);
        free(op->tested_base);
        free(op);
}

static enum git_seq_next stop(struct landing_look *op, enum landing_outcome outcome, const char *why)
{
        op->result.outcome = outcome;
        err_set(&op->result.err, "", "%s", why);
        return GIT_SEQ_END;
}

static bool in_mirror(const struct landing_look *op, struct git_cmd *cmd)
{
        cmd->git_dir = op->mirror;
        return true;
}

static bool build_head(void *arg, struct git_cmd *cmd)
{
        struct landing_look *op = arg;
        git_seq_ask_object(cmd, op->head);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_head(void *arg, const struct git_result *res)
{
        int known = git_seq_yes(res);
        if (known == 0)
                return stop(arg, LANDING_GONE, "the head of the branch is not in the repository any more");
        return known > 0 ? GIT_SEQ_NEXT : GIT_SEQ_FAIL;
}

static bool build_base(void *arg, struct git_cmd *cmd)
{
        struct landing_look *op = arg;
        git_cmd_words(cmd, "rev-parse", "--verify", NULL);
        argv_addf(&cmd->args, "refs/heads/%s^{commit}", op->default_branch);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_base(void *arg, const struct git_result *res)
{
        struct landing_look *op = arg;
        return git_seq_oid(res, op->result.base_sha);
}

static bool build_is_merged(void *arg, struct git_cmd *cmd)
{
        struct landing_look *op = arg;
        git_cmd_words(cmd, "merge-base", "--is-ancestor", op->head, op->result.base_sha, NULL);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_is_merged(void *arg, const struct git_result *res)
{
        struct landing_look *op = arg;
        int merged = git_seq_yes(res);
        if (merged > 0)
                return stop(op, LANDING_MERGED, "");
        if (merged < 0)
                return GIT_SEQ_FAIL;
        if (op->tested_base != NULL && strcmp(op->result.base_sha, op->tested_base) == 0)
                return stop(op, LANDING_READY, "");
        return GIT_SEQ_NEXT;
}

static bool build_merge(void *arg, struct git_cmd *cmd)
{
        struct landing_look *op = arg;
        git_cmd_words(cmd, "merge-tree", "--write-tree", "--name-only", "--no-messages", op->result.base_sha,
                      op->head, NULL);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_merge(void *arg, const struct git_result *res)
{
        struct landing_look *op = arg;
        if (res->outcome == GIT_EXITED && res->code == 1) {
                struct strbuf files = STRBUF_INIT;
                git_seq_conflicts(res, &files);
                op->result.outcome = LANDING_CONFLICT;
                err_set(&op->result.err, "", "it does not merge with %s any more; conflicts in: %s",
                        op->default_branch, files.buf);
                strbuf_deinit(&files);
                return GIT_SEQ_END;
        }
        return git_seq_oid(res, op->tree);
}

/* Only for the test: the same for the same base and head, whoever makes it. */
static bool build_candidate(void *arg, struct git_cmd *cmd)
{
        struct landing_look *op = arg;
        static const char *const who[] = {"AUTHOR", "COMMITTER"};
        for (size_t i = 0; i < ARRAY_SIZE(who); i++) {
                argv_addf(&cmd->env, "GIT_%s_NAME=orchestrator", who[i]);
                argv_addf(&cmd->env, "GIT_%s_EMAIL=orchestrator@orchestrator.invalid", who[i]);
                argv_addf(&cmd->env, "GIT_%s_DATE=@1000000000 +0000", who[i]);
        }
        git_cmd_words(cmd, "commit-tree", op->tree, "-p", op->result.base_sha, "-p", op->head, "-m",
                      "What would land", NULL);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_candidate(void *arg, const struct git_result *res)
{
        struct landing_look *op = arg;
        return git_seq_oid(res, op->result.candidate);
}

static bool build_keep(void *arg, struct git_cmd *cmd)
{
        struct landing_look *op = arg;
        git_cmd_words(cmd, "update-ref", NULL);
        argv_addf(&cmd->args, "refs/orch/runs/%" PRId64 "-%" PRId64, op->job, op->epoch);
        argv_add(&cmd->args, op->result.candidate);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_kept(void *arg, const struct git_result *res)
{
        if (res->outcome != GIT_OK)
                return GIT_SEQ_FAIL;
        return stop(arg, LANDING_UNTESTED, "the default branch has moved since the head was tested");
}

static const struct git_step steps[] = {
        {"find the head", build_head, on_head},
        {"find the default branch", build_base, on_base},
        {"ask whether it is merged", build_is_merged, on_is_merged},
        {"merge", build_merge, on_merge},
        {"make the commit to be tested", build_candidate, on_candidate},
        {"keep it", build_keep, on_kept},
};

static void on_end(void *arg, const struct git_step *failed, const struct git_result *res)
{
        struct landing_look *op = arg;
        op->seq = NULL;
        if (failed != NULL) {
                op->result.outcome = LANDING_FAILED;
                err_set(&op->result.err, "", "could not %s: %s", failed->name, git_seq_why(res));
        }
        op->fn(op->arg, &op->result);
        free_op(op);
}

struct landing_look *landing_look(struct git *git, const struct run_info *info, const char *mirror,
                                  const char *tested_base, landing_look_fn *fn, void *arg)
{
        struct landing_look *op = xcalloc(1, sizeof(*op));
        *op = (struct landing_look){
                .git = git,
                .mirror = xstrdup(mirror),
                .default_branch = xstrdup(info->default_branch),
                .head = xstrdup(info->head_sha),
                .tested_base = tested_base != NULL ? xstrdup(tested_base) : NULL,
                .job = info->job,
                .epoch = info->epoch,
                .fn = fn,
                .arg = arg,
        };
        op->seq = git_seq_start(git, steps, ARRAY_SIZE(steps), on_end, op);
        return op;
}

void landing_look_cancel(struct landing_look *op)
{
        if (op != NULL)
                free_op(op);
}
