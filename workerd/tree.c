/* tree.c - finds where to start, clones, checks out, and takes the role's old verdict away. */
#include "workerd/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/git_seq.h"
#include "common/log.h"
#include "common/mem.h"
#include "workerd/mirror.h"
#include "workerd/roles.h"

struct tree_op {
        struct git *git;
        char *mirror, *tree, *tree_git, *branch, *default_branch, *role;
        char *expected; /* where the branch should be; "": it should not be there */
        char *stale;    /* the role's verdict file, "" when it has none */
        bool detached;  /* for the project's own command: start_sha is given */
        struct git_seq *seq;
        tree_fn *fn;
        void *arg;
        struct tree_result result;
};

static void free_op(struct tree_op *op)
{
        git_seq_cancel(op->seq);
        free(op->mirror);
        free(op->tree);
        free(op->tree_git);
        free(op->branch);
        free(op->default_branch);
        free(op->role);
        free(op->expected);
        free(op->stale);
        free(op);
}

static enum git_seq_next stop(struct tree_op *op, enum tree_outcome outcome, const char *what,
                              const char *why)
{
        op->result.outcome = outcome;
        err_set(&op->result.err, "", "could not %s: %s", what, why);
        return GIT_SEQ_END;
}

static bool in_mirror(struct tree_op *op, struct git_cmd *cmd)
{
        cmd->git_dir = op->mirror;
        return true;
}

/* ---- where to start ---- */

static bool build_head(void *arg, struct git_cmd *cmd)
{
        struct tree_op *op = arg;
        git_cmd_words(cmd, "rev-parse", "--verify", "--quiet", NULL);
        argv_addf(&cmd->args, "refs/heads/%s^{commit}", op->branch);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_head(void *arg, const struct git_result *res)
{
        struct tree_op *op = arg;
        bool found = res->outcome == GIT_OK && git_oid_read(res->out->buf, op->result.head_sha);
        if (!found && !(res->outcome == GIT_EXITED && res->code == 1))
                return GIT_SEQ_FAIL;
        if (op->detached)
                return GIT_SEQ_NEXT;
        if (strcmp(op->result.head_sha, op->expected) != 0)
                return stop(op, TREE_MOVED, "start from the branch",
                            op->expected[0] != '\0' ? "somebody else has moved it"
                                                    : "there is one already, not ours");
        memcpy(op->result.start_sha, op->result.head_sha, GIT_OID_SIZE);
        return GIT_SEQ_NEXT;
}

static bool build_default(void *arg, struct git_cmd *cmd)
{
        struct tree_op *op = arg;
        git_cmd_words(cmd, "rev-parse", "--verify", NULL);
        argv_addf(&cmd->args, "refs/heads/%s^{commit}", op->default_branch);
        return in_mirror(op, cmd);
}

/* The deferred cut: a branch that does not exist yet begins at the default branch as it is now. */
static enum git_seq_next on_default(void *arg, const struct git_result *res)
{
        struct tree_op *op = arg;
        if (res->outcome != GIT_OK || !git_oid_read(res->out->buf, op->result.base_sha))
                return GIT_SEQ_FAIL;
        if (op->result.start_sha[0] == '\0')
                memcpy(op->result.start_sha, op->result.base_sha, GIT_OID_SIZE);
        return GIT_SEQ_NEXT;
}

static bool build_merge_base(void *arg, struct git_cmd *cmd)
{
        struct tree_op *op = arg;
        git_cmd_words(cmd, "merge-base", op->result.start_sha, op->result.base_sha, NULL);
        return in_mirror(op, cmd);
}

static enum git_seq_next on_merge_base(void *arg, const struct git_result *res)
{
        struct tree_op *op = arg;
        return res->outcome == GIT_OK && git_oid_read(res->out->buf, op->result.base_sha) ? GIT_SEQ_NEXT
                                                                                          : GIT_SEQ_FAIL;
}

/* ---- the clone ---- */

/* The agent may commit in its clone as it likes (we take the files), but its `origin` cannot be pushed to. */
static bool build_clone(void *arg, struct git_cmd *cmd)
{
        struct tree_op *op = arg;
        git_cmd_words(cmd, "clone", "--quiet", "--shared", "--no-checkout", "--no-tags", "--template=", NULL);
        git_cmd_words(cmd, "-c", "remote.origin.pushurl=/dev/null", "-c", NULL);
        argv_addf(&cmd->args, "user.name=%s", op->role);
        argv_add(&cmd->args, "-c");
        argv_addf(&cmd->args, "user.email=%s@orchestrator.invalid", op->role);
        git_cmd_words(cmd, "--", op->mirror, op->tree, NULL);
        return true;
}

static bool build_checkout(void *arg, struct git_cmd *cmd)
{
        struct tree_op *op = arg;
        cmd->git_dir = op->tree_git;
        cmd->work_tree = op->tree;
        git_cmd_words(cmd, "checkout", "--quiet", "--no-recurse-submodules", NULL);
        if (op->detached)
                git_cmd_words(cmd, "--detach", NULL);
        else
                git_cmd_words(cmd, "-B", op->branch, NULL);
        git_cmd_words(cmd, op->result.start_sha, "--", NULL);
        return true;
}

static const struct git_step steps[] = {
        {"find the branch", build_head, on_head},
        {"find the default branch", build_default, on_default},
        {"find where the branch began", build_merge_base, on_merge_base},
        {"clone", build_clone, NULL},
        {"check out", build_checkout, NULL},
};

/* Opens the folder of `path` below `tree` without following a symbolic link; fd or -errno. */
static int open_parent(const char *tree, const char *path, const char **ret_name)
{
        int fd = open(tree, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        const char *slash;
        while (fd >= 0 && (slash = strchr(path, '/')) != NULL) {
                _cleanup_(freep) char *part = xstrndup(path, (size_t)(slash - path));
                int next = openat(fd, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                int error = errno;
                (void)close(fd);
                errno = error;
                fd = next;
                path = slash + 1;
        }
        *ret_name = path;
        return fd < 0 ? -errno : fd;
}

/* A verdict is given anew by each run: what is there afterwards was written by it. */
static void take_out_stale(struct tree_op *op)
{
        const char *name;
        if (op->stale[0] == '\0')
                return;
        _cleanup_(closep) int fd = open_parent(op->tree, op->stale, &name);
        int r = fd < 0 ? fd : unlinkat(fd, name, 0) < 0 ? -errno : 0;
        if (r < 0 && r != -ENOENT && r != -ENOTDIR && r != -ELOOP)
                (void)stop(op, TREE_FAILED, "take out the former verdict", log_errno_text(r));
}

static void on_end(void *arg, const struct git_step *failed, const struct git_result *res)
{
        struct tree_op *op = arg;
        op->seq = NULL;
        if (failed != NULL) {
                (void)stop(op, TREE_FAILED, failed->name, res->err.text);
                mirror_suspect(op->mirror);
        } else if (op->result.outcome == TREE_OK) {
                take_out_stale(op);
        }
        op->fn(op->arg, &op->result);
        free_op(op);
}

static struct tree_op *start(struct git *git, const struct run_info *info, const struct run_dir *rd,
                             const char *mirror, tree_fn *fn, void *arg)
{
        struct tree_op *op = xcalloc(1, sizeof(*op));
        *op = (struct tree_op){
                .git = git,
                .mirror = xstrdup(mirror),
                .tree = xstrdup(rd->tree),
                .tree_git = xasprintf("%s/.git", rd->tree),
                .branch = xstrdup(info->branch),
                .default_branch = xstrdup(info->default_branch),
                .role = xstrdup(info->role),
                .expected = xstrdup(info->head_sha != NULL ? info->head_sha : ""),
                .fn = fn,
                .arg = arg,
        };
        op->seq = git_seq_start(git, steps, ARRAY_SIZE(steps), on_end, op);
        return op;
}

struct tree_op *tree_prepare(struct git *git, const struct run_info *info, const struct run_dir *rd,
                             const char *mirror, tree_fn *fn, void *arg)
{
        const struct role_step *step = role_step(info->role, info->stage);
        struct tree_op *op = start(git, info, rd, mirror, fn, arg);
        op->stale = step != NULL && step->file != NULL ? xasprintf("%s/%s", info->docs_dir, step->file)
                                                       : xstrdup("");
        return op;
}

struct tree_op *tree_checkout(struct git *git, const struct run_info *info, const struct run_dir *rd,
                              const char *mirror, const char *sha, tree_fn *fn, void *arg)
{
        struct tree_op *op = start(git, info, rd, mirror, fn, arg);
        op->stale = xstrdup("");
        op->detached = true;
        if (!git_oid_read(sha, op->result.start_sha))
                op->result.start_sha[0] =
                        '\0'; /* then the default branch is checked out, and start_sha says so */
        return op;
}

void tree_cancel(struct tree_op *op)
{
        if (op != NULL)
                free_op(op);
}
