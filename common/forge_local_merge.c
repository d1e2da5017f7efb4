/*
 * forge_local_merge.c - merges a branch into the default branch without a checkout.
 *
 * The merge is computed in the object store (merge-tree), made a commit (commit-tree), and landed by one
 * update-ref that names the base it was computed from: if the default branch has moved, nothing happens and
 * the caller tries again. What was landed is then read back. A head that is already in the default branch is
 * found first, so that an answer lost on the way is found by asking again.
 */
#include "common/forge_local.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define IDENTITY_NAME  "orchestrator"
#define IDENTITY_EMAIL "orchestrator@orchestrator.invalid"

static enum git_seq_next conclude(struct forge_call *call, enum forge_merge_outcome outcome, const char *why)
{
        call->merge.outcome = outcome;
        if (why != NULL)
                err_set(&call->merge.port.err, "", "%s", why);
        return GIT_SEQ_END;
}

/* The repository does not answer, or not in a way that makes sense. */
static enum git_seq_next unavailable(struct forge_call *call, const struct git_result *res)
{
        return conclude(call, FORGE_UNAVAILABLE, git_seq_why(res));
}

/* Names an object in our repository: git_result into `oid`; "" when there is no such object. */
static enum git_seq_next take_oid(struct forge_call *call, const struct git_result *res,
                                  char oid[static GIT_OID_SIZE])
{
        oid[0] = '\0';
        if (git_seq_yes(res) == 0)
                return GIT_SEQ_NEXT;
        return git_seq_oid(res, oid) == GIT_SEQ_NEXT ? GIT_SEQ_NEXT : unavailable(call, res);
}

/* ---- where things stand ---- */

static bool build_head(void *arg, struct git_cmd *cmd)
{
        struct forge_call *call = arg;
        forge_local_rev_parse(call, cmd, call->ref);
        return true;
}

static enum git_seq_next on_head(void *arg, const struct git_result *res)
{
        struct forge_call *call = arg;
        return take_oid(call, res, call->head); /* a branch already deleted may be merged all the same */
}

static bool build_base(void *arg, struct git_cmd *cmd)
{
        struct forge_call *call = arg;
        forge_local_rev_parse(call, cmd, call->default_ref);
        return true;
}

static enum git_seq_next on_base(void *arg, const struct git_result *res)
{
        struct forge_call *call = arg;
        enum git_seq_next next = take_oid(call, res, call->merge.base_sha);
        if (next == GIT_SEQ_NEXT && call->merge.base_sha[0] == '\0')
                return conclude(call, FORGE_NOT_FOUND, "the default branch does not exist");
        return next;
}

/* ---- merged already ---- */

/* Then the head must be where it was, and so must the base. */
static enum git_seq_next not_merged(struct forge_call *call)
{
        if (call->head[0] == '\0')
                return conclude(call, FORGE_NOT_FOUND, "the branch does not exist");
        if (strcmp(call->head, call->expected_head) != 0)
                return conclude(call, FORGE_MOVED, "the branch is not at the expected head");
        if (call->expected_base != NULL && strcmp(call->merge.base_sha, call->expected_base) != 0)
                return conclude(call, FORGE_BASE_MOVED,
                                "the default branch is not where the head was tested");
        return GIT_SEQ_NEXT;
}

static bool build_is_known(void *arg, struct git_cmd *cmd)
{
        struct forge_call *call = arg;
        cmd->git_dir = call->forge->location;
        git_seq_ask_object(cmd, call->expected_head);
        return true;
}

static enum git_seq_next on_is_known(void *arg, const struct git_result *res)
{
        struct forge_call *call = arg;
        int known = git_seq_yes(res);
        if (known < 0)
                return unavailable(call, res);
        return known > 0 ? GIT_SEQ_NEXT : not_merged(call);
}

static bool build_is_merged(void *arg, struct git_cmd *cmd)
{
        struct forge_call *call = arg;
        cmd->git_dir = call->forge->location;
        git_cmd_words(cmd, "merge-base", "--is-ancestor", call->expected_head, call->merge.base_sha, NULL);
        return true;
}

static enum git_seq_next on_is_merged(void *arg, const struct git_result *res)
{
        struct forge_call *call = arg;
        int merged = git_seq_yes(res);
        if (merged < 0)
                return unavailable(call, res);
        if (merged == 0)
                return not_merged(call);
        call->merge.outcome = FORGE_ALREADY_MERGED;
        return GIT_SEQ_NEXT;
}

static bool build_find_merge(void *arg, struct git_cmd *cmd)
{
        struct forge_call *call = arg;
        if (call->merge.outcome != FORGE_ALREADY_MERGED)
                return false;
        cmd->git_dir = call->forge->location;
        git_seq_ask_merge_of(cmd, call->expected_head, call->merge.base_sha);
        return true;
}

static enum git_seq_next on_find_merge(void *arg, const struct git_result *res)
{
        struct forge_call *call = arg;
        char tip[GIT_OID_SIZE];
        if (res->outcome != GIT_OK)
                return unavailable(call, res);
        memcpy(tip, call->merge.base_sha, GIT_OID_SIZE);
        git_seq_merge_of(res, call->expected_head, tip, call->merge.merged_sha, call->merge.base_sha);
        return GIT_SEQ_NEXT;
}

/* ---- the merge ---- */

static bool build_merge_tree(void *arg, struct git_cmd *cmd)
{
        struct forge_call *call = arg;
        if (call->merge.outcome == FORGE_ALREADY_MERGED)
                return false;
        cmd->git_dir = call->forge->location;
        git_cmd_words(cmd, "merge-tree", "--write-tree", "--name-only", "--no-messages", call->merge.base_sha,
                      call->expected_head, NULL);
        return true;
}

/* Exit 1 is a conflict: the tree's name, then one line per file. */
static enum git_seq_next on_merge_tree(void *arg, const struct git_result *res)
{
        struct forge_call *call = arg;
        if (res->outcome == GIT_OK && git_oid_read(res->out->buf, call->merge.tree))
                return GIT_SEQ_NEXT;
        if (res->outcome != GIT_EXITED || res->code != 1)
                return unavailable(call, res);
        const char *files = res->out->buf + strcspn(res->out->buf, "\n");
        err_set(&call->merge.port.err, "", "does not merge with the default branch:%s", files);
        return conclude(call, FORGE_CONFLICT, NULL);
}

static bool build_commit(void *arg, struct git_cmd *cmd)
{
        struct forge_call *call = arg;
        if (call->merge.outcome == FORGE_ALREADY_MERGED)
                return false;
        cmd->git_dir = call->forge->location;
        argv_env(&cmd->env, "GIT_AUTHOR_NAME", IDENTITY_NAME);
        argv_env(&cmd->env, "GIT_AUTHOR_EMAIL", IDENTITY_EMAIL);
        argv_env(&cmd->env, "GIT_COMMITTER_NAME", IDENTITY_NAME);
        argv_env(&cmd->env, "GIT_COMMITTER_EMAIL", IDENTITY_EMAIL);
        git_cmd_words(cmd, "commit-tree", call->merge.tree, "-p", call->merge.base_sha, "-p",
                      call->expected_head, "-F", "-", NULL);
        strbuf_addf(&cmd->input, "%s\n", call->message);
        return true;
}

static enum git_seq_next on_commit(void *arg, const struct git_result *res)
{
        struct forge_call *call = arg;
        if (res->outcome == GIT_OK && git_oid_read(res->out->buf, call->merge.merged_sha))
                return GIT_SEQ_NEXT;
        return unavailable(call, res);
}

static bool build_land(void *arg, struct git_cmd *cmd)
{
        struct forge_call *call = arg;
        if (call->merge.outcome == FORGE_ALREADY_MERGED)
                return false;
        cmd->git_dir = call->forge->location;
        git_cmd_words(cmd, "update-ref", "-m", "merged by the orchestrator", call->default_ref,
                      call->merge.merged_sha, call->merge.base_sha, NULL);
        return true;
}

static enum git_seq_next on_land(void *arg, const struct git_result *res)
{
        struct forge_call *call = arg;
        if (res->outcome == GIT_OK)
                return GIT_SEQ_NEXT;
        if (res->outcome == GIT_EXITED || res->outcome == GIT_NOT_STARTED)
                return conclude(call, FORGE_UNAVAILABLE, res->err.text); /* most likely: the base has moved */
        return conclude(call, FORGE_UNKNOWN, res->err.text);
}

/* ---- what has landed ---- */

static bool build_landed(void *arg, struct git_cmd *cmd)
{
        struct forge_call *call = arg;
        cmd->git_dir = call->forge->location;
        git_cmd_words(cmd, "merge-base", "--is-ancestor", call->merge.merged_sha, call->default_ref, NULL);
        return true;
}

static enum git_seq_next on_landed(void *arg, const struct git_result *res)
{
        return res->outcome == GIT_OK
                       ? GIT_SEQ_NEXT
                       : conclude(arg, FORGE_UNKNOWN, "the merge is not in the default branch any more");
}

static bool build_landed_tree(void *arg, struct git_cmd *cmd)
{
        struct forge_call *call = arg;
        cmd->git_dir = call->forge->location;
        git_cmd_words(cmd, "rev-parse", "--verify", "--quiet", NULL);
        argv_addf(&cmd->args, "%s^{tree}", call->merge.merged_sha);
        return true;
}

static enum git_seq_next on_landed_tree(void *arg, const struct git_result *res)
{
        struct forge_call *call = arg;
        char tree[GIT_OID_SIZE];
        if (res->outcome != GIT_OK || !git_oid_read(res->out->buf, tree))
                return conclude(call, FORGE_UNKNOWN, "the merged tree cannot be read");
        if (call->merge.outcome == FORGE_MERGED && strcmp(tree, call->merge.tree) != 0)
                return conclude(call, FORGE_REFUSED,
                                "the tree that landed is not the merge of base and head");
        memcpy(call->merge.tree, tree, sizeof(tree));
        return GIT_SEQ_END;
}

static const struct git_step merge_steps[] = {
        {"find the branch", build_head, on_head},
        {"find the default branch", build_base, on_base},
        {"find the expected head", build_is_known, on_is_known},
        {"ask whether it is merged", build_is_merged, on_is_merged},
        {"find its merge", build_find_merge, on_find_merge},
        {"merge", build_merge_tree, on_merge_tree},
        {"commit the merge", build_commit, on_commit},
        {"land the merge", build_land, on_land},
        {"look at what landed", build_landed, on_landed},
        {"look at its tree", build_landed_tree, on_landed_tree},
};

/* The same outcome in the words that all ports share. */
static enum port_outcome port_of(enum forge_merge_outcome outcome)
{
        static const enum port_outcome map[] = {
                [FORGE_MERGED] = PORT_OK,           [FORGE_ALREADY_MERGED] = PORT_OK,
                [FORGE_CONFLICT] = PORT_CONFLICT,   [FORGE_MOVED] = PORT_CONFLICT,
                [FORGE_BASE_MOVED] = PORT_CONFLICT, [FORGE_REFUSED] = PORT_REFUSED,
                [FORGE_NOT_FOUND] = PORT_NOT_FOUND, [FORGE_UNAVAILABLE] = PORT_UNAVAILABLE,
                [FORGE_UNKNOWN] = PORT_UNKNOWN,
        };
        return map[outcome];
}

static void on_end(void *arg, const struct git_step *failed, const struct git_result *res)
{
        struct forge_call *call = arg;
        (void)failed; /* each step names the outcome itself */
        (void)res;
        call->seq = NULL;
        call->merge.port.outcome = port_of(call->merge.outcome);
        call->merge_fn(call->arg, &call->merge);
        forge_local_call_free(call);
}

struct forge_call *forge_local_merge(struct forge *f, const struct forge_merge_spec *spec, forge_merge_fn *fn,
                                     void *arg)
{
        struct forge_call *call = forge_local_call_new(f, spec->branch);
        call->default_ref = xasprintf("refs/heads/%s", f->default_branch);
        call->expected_head = xstrdup(spec->expected_head);
        call->expected_base = spec->expected_base != NULL ? xstrdup(spec->expected_base) : NULL;
        call->message = xstrdup(spec->message);
        call->merge_fn = fn;
        call->arg = arg;
        call->seq = git_seq_start(call->forge->git, merge_steps, ARRAY_SIZE(merge_steps), on_end, call);
        return call;
}
