/*
 * landing_verify.c - whether what landed is what was tested, and is still there.
 *
 * Nobody but the holder of the merge lease merges for us, but anybody may push to the default branch: a stale
 * branch that somebody squashes beside us takes back what it does not know of, without any conflict.
 */
#include <stdlib.h>
#include <string.h>

#include "common/git_seq.h"
#include "common/mem.h"
#include "workerd/landing.h"

#define PATHS_MAX (4u << 20)

struct landing_verify {
        struct git *git;
        char *mirror, *default_branch, *head, *deployed;
        char *tested_base; /* NULL: what it landed on */
        char *markers;
        char *marker;              /* in `markers`: the next line */
        const char *path, *needle; /* of the marker that is looked for */
        char tip[GIT_OID_SIZE];
        struct strbuf landed; /* the paths that the merge changed */
        struct git_seq *seq;
        struct landing_verify_result result;
        landing_verify_fn *fn;
        void *arg;
};

static void free_op(struct landing_verify *op)
{
        char *strings[] = {op->mirror,   op->default_branch, op->head,
                           op->deployed, op->tested_base,    op->markers};
        git_seq_cancel(op->seq);
        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                free(strings[i]);
        strbuf_deinit(&op->landed);
        free(op);
}

static void answer(struct landing_verify *op)
{
        op->fn(op->arg, &op->result);
        free_op(op);
}

static enum git_seq_next mismatch(struct landing_verify *op, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

static enum git_seq_next mismatch(struct landing_verify *op, const char *fmt, ...)
{
        struct strbuf text = STRBUF_INIT;
        va_list ap;
        va_start(ap, fmt);
        strbuf_vaddf(&text, fmt, ap);
        va_end(ap);
        op->result.verdict = LANDING_MISMATCH;
        err_set(&op->result.err, "", "%s", text.buf);
        strbuf_deinit(&text);
        return GIT_SEQ_END;
}

static bool in_mirror(const struct landing_verify *op, struct git_cmd *cmd)
{
        cmd->git_dir = op->mirror;
        return true;
}

/* ---- in the default branch ---- */

static bool build_tip(void *arg, struct git_cmd *cmd)
{
        struct landing_verify *op = arg;
        git_cmd_words(cmd, "rev-parse", "--verify", NULL);
        argv_addf(&cmd->args, "refs/heads/%s^{commit}", op->default_branch);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_tip(void *arg, const struct git_result *res)
{
        struct landing_verify *op = arg;
        return git_seq_oid(res, op->tip);
}

/* A commit that the mirror does not even know is asked for first: `merge-base` would fail, as it does when
 * the mirror cannot be read, and that is no mismatch. */
static bool build_knows(const struct landing_verify *op, struct git_cmd *cmd, const char *sha)
{
        git_seq_ask_object(cmd, sha);
        return in_mirror(op, cmd);
}

static bool build_contains(const struct landing_verify *op, struct git_cmd *cmd, const char *sha)
{
        git_cmd_words(cmd, "merge-base", "--is-ancestor", sha, op->tip, NULL);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_contains(struct landing_verify *op, const struct git_result *res,
                                     const char *what, const char *sha)
{
        int yes = git_seq_yes(res);
        if (yes == 0)
                return mismatch(op, "the %s commit %s is not in %s, which is at %s", what, sha,
                                op->default_branch, op->tip);
        return yes > 0 ? GIT_SEQ_NEXT : GIT_SEQ_FAIL;
}

static bool build_knows_head(void *arg, struct git_cmd *cmd)
{
        const struct landing_verify *op = arg;
        return build_knows(op, cmd, op->head);
}

static bool build_has_head(void *arg, struct git_cmd *cmd)
{
        const struct landing_verify *op = arg;
        return build_contains(op, cmd, op->head);
}

static enum git_seq_next on_has_head(void *arg, const struct git_result *res)
{
        struct landing_verify *op = arg;
        return on_contains(op, res, "merged", op->head);
}

static bool build_knows_deployed(void *arg, struct git_cmd *cmd)
{
        const struct landing_verify *op = arg;
        return op->deployed != NULL && build_knows(op, cmd, op->deployed);
}

static bool build_has_deployed(void *arg, struct git_cmd *cmd)
{
        const struct landing_verify *op = arg;
        return op->deployed != NULL && build_contains(op, cmd, op->deployed);
}

static enum git_seq_next on_has_deployed(void *arg, const struct git_result *res)
{
        struct landing_verify *op = arg;
        return on_contains(op, res, "deployed", op->deployed);
}

/* ---- how it came in, when the forge has not told ---- */

static bool is_told(const struct landing_verify *op)
{
        const struct landing_verify_result *r = &op->result;
        return r->merged_sha[0] != '\0' && r->landed_base[0] != '\0' && r->landed_tree[0] != '\0';
}

static bool build_merges(void *arg, struct git_cmd *cmd)
{
        struct landing_verify *op = arg;
        if (is_told(op))
                return false;
        git_seq_ask_merge_of(cmd, op->head, op->tip);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_merges(void *arg, const struct git_result *res)
{
        struct landing_verify *op = arg;
        if (res->outcome != GIT_OK)
                return GIT_SEQ_FAIL;
        git_seq_merge_of(res, op->head, op->tip, op->result.merged_sha, op->result.landed_base);
        op->result.landed_tree[0] = '\0';
        return GIT_SEQ_NEXT;
}

static bool build_tree(void *arg, struct git_cmd *cmd)
{
        struct landing_verify *op = arg;
        if (is_told(op))
                return false;
        git_cmd_words(cmd, "rev-parse", "--verify", NULL);
        argv_addf(&cmd->args, "%s^{tree}", op->result.merged_sha);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_tree(void *arg, const struct git_result *res)
{
        struct landing_verify *op = arg;
        return git_seq_oid(res, op->result.landed_tree);
}

/* ---- what was tested ---- */

static const char *tested_base(const struct landing_verify *op)
{
        return op->tested_base != NULL ? op->tested_base : op->result.landed_base;
}

static bool build_expected(void *arg, struct git_cmd *cmd)
{
        struct landing_verify *op = arg;
        git_cmd_words(cmd, "merge-tree", "--write-tree", "--name-only", "--no-messages", tested_base(op),
                      op->head, NULL);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_expected(void *arg, const struct git_result *res)
{
        struct landing_verify *op = arg;
        char tree[GIT_OID_SIZE];
        int merges = git_seq_yes(res); /* no: a conflict */
        if (merges < 0 || (merges > 0 && git_seq_oid(res, tree) != GIT_SEQ_NEXT))
                return GIT_SEQ_FAIL;
        if (merges > 0 && strcmp(tree, op->result.landed_tree) == 0)
                return GIT_SEQ_NEXT;
        return mismatch(op,
                        "what landed as %s is not the merge of %s with the base it was tested on, %s; it "
                        "landed on %s",
                        op->result.merged_sha, op->head, tested_base(op), op->result.landed_base);
}

/* ---- still there ---- */

static bool build_paths(const struct landing_verify *op, struct git_cmd *cmd, const char *to)
{
        if (strcmp(op->tip, op->result.merged_sha) == 0)
                return false; /* nothing has landed since */
        git_cmd_words(cmd, "diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-commit-id",
                      tested_base(op), to, NULL);
        cmd->capture_max = PATHS_MAX;
        return in_mirror(op, cmd);
}

static bool build_landed(void *arg, struct git_cmd *cmd)
{
        struct landing_verify *op = arg;
        return build_paths(op, cmd, op->result.landed_tree);
}

static enum git_seq_next on_landed(void *arg, const struct git_result *res)
{
        struct landing_verify *op = arg;
        if (res->outcome != GIT_OK)
                return GIT_SEQ_FAIL;
        strbuf_add(&op->landed, res->out->buf, res->out->len);
        return GIT_SEQ_NEXT;
}

static bool build_now(void *arg, struct git_cmd *cmd)
{
        struct landing_verify *op = arg;
        return build_paths(op, cmd, op->tip);
}

/* Both lists are sorted. A path that is in the first only is again as it was before the merge. */
static const char *taken_back(const struct strbuf *landed, const struct git_result *now)
{
        const char *other = now->out->buf, *limit = other + now->out->len;
        for (const char *path = landed->buf; path < landed->buf + landed->len; path += strlen(path) + 1) {
                while (other < limit && strcmp(other, path) < 0)
                        other += strlen(other) + 1;
                if (other >= limit || strcmp(other, path) != 0)
                        return path;
        }
        return NULL;
}

static enum git_seq_next on_now(void *arg, const struct git_result *res)
{
        struct landing_verify *op = arg;
        if (res->outcome != GIT_OK)
                return GIT_SEQ_FAIL;
        const char *path = res->truncated ? NULL : taken_back(&op->landed, res);
        if (path != NULL)
                return mismatch(op, "%s is at %s, which takes back what was merged to %s", op->default_branch,
                                op->tip, path);
        return GIT_SEQ_NEXT;
}

static const struct git_step steps[] = {
        {"find the default branch", build_tip, on_tip},
        {"look for the head", build_knows_head, on_has_head},
        {"look for the head in the default branch", build_has_head, on_has_head},
        {"look for what was deployed", build_knows_deployed, on_has_deployed},
        {"look for what was deployed in the default branch", build_has_deployed, on_has_deployed},
        {"find its merge", build_merges, on_merges},
        {"look at the tree of its merge", build_tree, on_tree},
        {"merge again", build_expected, on_expected},
        {"list what landed", build_landed, on_landed},
        {"list what is there now", build_now, on_now},
};

/* ---- markers ---- */

/* git grep runs nothing that attributes name, unless it is asked to. */
static bool build_marker(void *arg, struct git_cmd *cmd)
{
        struct landing_verify *op = arg;
        git_cmd_words(cmd, "--literal-pathspecs", "grep", "--no-textconv", "--quiet", "-F", "-e", op->needle,
                      op->tip, "--", op->path, NULL);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_marker(void *arg, const struct git_result *res)
{
        struct landing_verify *op = arg;
        int found = git_seq_yes(res);
        if (found == 0)
                return mismatch(op, "%s of %s, which is at %s, has no \"%s\" any more", op->path,
                                op->default_branch, op->tip, op->needle);
        return found > 0 ? GIT_SEQ_NEXT : GIT_SEQ_FAIL;
}

static const struct git_step marker_steps[] = {{"look for a marker", build_marker, on_marker}};

static void on_end(void *arg, const struct git_step *failed, const struct git_result *res);

/* "PATH:NEEDLE"; false when there is none left. A line without a colon is a file that must be there: its
 * needle is empty, and every line matches that. */
static bool next_marker(struct landing_verify *op)
{
        while (op->marker != NULL && *op->marker != '\0') {
                char *line = op->marker, *end = strchr(line, '\n'), *colon;
                op->marker = end != NULL ? end + 1 : NULL;
                if (end != NULL)
                        *end = '\0';
                colon = strchr(line, ':');
                if (colon != NULL)
                        *colon = '\0';
                op->path = line;
                op->needle = colon != NULL ? colon + 1 : "";
                if (*line != '\0' || colon != NULL)
                        return true;
        }
        return false;
}

static void go_on(struct landing_verify *op)
{
        if (next_marker(op) && op->path[0] != '\0') {
                op->seq = git_seq_start(op->git, marker_steps, ARRAY_SIZE(marker_steps), on_end, op);
                return;
        }
        if (op->path != NULL && op->path[0] == '\0')
                (void)mismatch(op, "a marker names no file: \":%s\"", op->needle);
        answer(op);
}

static void on_end(void *arg, const struct git_step *failed, const struct git_result *res)
{
        struct landing_verify *op = arg;
        op->seq = NULL;
        if (failed != NULL) {
                op->result.verdict = LANDING_UNKNOWN;
                err_set(&op->result.err, "", "could not %s: %s", failed->name, git_seq_why(res));
        }
        if (op->result.verdict != LANDING_VERIFIED)
                answer(op);
        else
                go_on(op);
}

static char *copy(const char *s)
{
        return s != NULL ? xstrdup(s) : NULL;
}

static void take(const char *told, char oid[static GIT_OID_SIZE])
{
        (void)git_oid_read(told != NULL ? told : "", oid); /* "" when there is none */
}

struct landing_verify *landing_verify(struct git *git, const struct landing_spec *spec, landing_verify_fn *fn,
                                      void *arg)
{
        struct landing_verify *op = xcalloc(1, sizeof(*op));
        *op = (struct landing_verify){
                .git = git,
                .mirror = copy(spec->mirror),
                .default_branch = copy(spec->default_branch),
                .head = copy(spec->head),
                .deployed = copy(spec->deployed),
                .tested_base = copy(spec->tested_base),
                .markers = copy(spec->markers),
                .landed = STRBUF_INIT,
                .fn = fn,
                .arg = arg,
        };
        op->marker = op->markers;
        take(spec->merged_sha, op->result.merged_sha);
        take(spec->landed_base, op->result.landed_base);
        take(spec->landed_tree, op->result.landed_tree);
        op->seq = git_seq_start(git, steps, ARRAY_SIZE(steps), on_end, op);
        return op;
}

void landing_verify_cancel(struct landing_verify *op)
{
        if (op != NULL)
                free_op(op);
}
