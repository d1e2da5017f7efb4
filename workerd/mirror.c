/*
 * mirror.c - lock, then fetch; or make it beside its place and rename it there.
 *
 * The lock is flock(2) on MIRROR.lock, tried again on a timer, since nothing here may block. The git commands
 * inherit its descriptor: should this workerd be killed, the lock lasts until its git has ended as well.
 */
#include "workerd/mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/git_seq.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "workerd/tree.h"

#define LOCK_RETRY_MS 50
#define LOCK_WAIT_MS  120000

struct mirror_op {
        struct git *git;
        char *branch;                           /* that the remote must have; or NULL */
        char *path, *making, *url, *token_file; /* `making` is where a new one is made */
        struct git_remote remote;               /* borrows */
        int lock_fd;
        int64_t give_up_ms;
        struct loop_timer *timer;
        struct tree_remove *remove;
        struct git_seq *seq;
        bool exists, suspect; /* the mirror stands under its name; it is to be examined */
        bool broken;          /* it cannot be used and is made anew */
        mirror_fn *fn;
        void *arg;
        struct mirror_result result;
};

static void free_op(struct mirror_op *op)
{
        loop_timer_free(op->timer);
        tree_remove_cancel(op->remove);
        git_seq_cancel(op->seq);
        closep(&op->lock_fd); /* and with it the lock */
        free(op->path);
        free(op->making);
        free(op->url);
        free(op->token_file);
        free(op->branch);
        free(op);
}

static void answer(struct mirror_op *op)
{
        mirror_fn *fn = op->fn;
        void *arg = op->arg;
        struct mirror_result result = op->result;
        free_op(op); /* the lock is free before the caller goes on */
        fn(arg, &result);
}

static void fail(struct mirror_op *op, enum mirror_outcome outcome, const char *what, const char *why)
{
        op->result.outcome = outcome;
        err_set(&op->result.err, "", "could not %s mirror \"%s\": %s", what, op->path, why);
}

/* ---- git ---- */

static bool uses_mirror(struct mirror_op *op, struct git_cmd *cmd, const char *git_dir)
{
        cmd->git_dir = git_dir;
        cmd->lock_fd = op->lock_fd;
        return true;
}

static enum git_seq_next away(struct mirror_op *op, const struct git_result *res)
{
        fail(op, MIRROR_UNAVAILABLE, "fetch", res->err.text);
        op->result.said = res->said;
        return GIT_SEQ_END;
}

/* Asked first whenever something may be wrong: a remote that is away is no fault of the mirror. */
static bool build_reach(void *arg, struct git_cmd *cmd)
{
        struct mirror_op *op = arg;
        if (op->exists && !op->broken)
                return false;
        cmd->remote = &op->remote;
        git_cmd_words(cmd, "ls-remote", "--heads", "--", op->url, NULL);
        return true;
}

static enum git_seq_next on_reach(void *arg, const struct git_result *res)
{
        struct mirror_op *op = arg;
        return res->outcome == GIT_OK ? GIT_SEQ_NEXT : away(op, res);
}

static bool build_examine(void *arg, struct git_cmd *cmd)
{
        struct mirror_op *op = arg;
        if (!op->exists || !op->suspect)
                return false;
        git_cmd_words(cmd, "fsck", "--connectivity-only", "--no-dangling", "--no-progress", NULL);
        return uses_mirror(op, cmd, op->path);
}

static enum git_seq_next on_examine(void *arg, const struct git_result *res)
{
        struct mirror_op *op = arg;
        op->broken = res->outcome == GIT_EXITED;
        return GIT_SEQ_NEXT;
}

static void fetch_words(struct mirror_op *op, struct git_cmd *cmd)
{
        cmd->remote = &op->remote;
        git_cmd_words(cmd, "fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head",
                      "--no-auto-maintenance", "--recurse-submodules=no", "--", op->url,
                      "+refs/heads/*:refs/heads/*", NULL);
        if (op->branch != NULL) /* or an empty answer would prune all that we have */
                argv_addf(&cmd->args, "+refs/heads/%s:refs/heads/%s", op->branch, op->branch);
}

static bool build_fetch(void *arg, struct git_cmd *cmd)
{
        struct mirror_op *op = arg;
        if (!op->exists || op->broken)
                return false;
        fetch_words(op, cmd);
        return uses_mirror(op, cmd, op->path);
}

static enum git_seq_next on_fetch(void *arg, const struct git_result *res)
{
        struct mirror_op *op = arg;
        if (res->outcome == GIT_OK)
                return GIT_SEQ_END;
        if (res->outcome != GIT_EXITED || res->said != PORT_OK)
                return away(op, res);
        op->broken = true; /* unless the remote turns out to be away */
        fail(op, MIRROR_FAILED, "fetch", res->err.text);
        return GIT_SEQ_NEXT;
}

static bool build_init(void *arg, struct git_cmd *cmd)
{
        struct mirror_op *op = arg;
        git_cmd_words(cmd, "init", "--quiet", "--bare", "--template=", "--", op->making, NULL);
        return true;
}

static bool build_first_fetch(void *arg, struct git_cmd *cmd)
{
        struct mirror_op *op = arg;
        fetch_words(op, cmd);
        return uses_mirror(op, cmd, op->making);
}

static enum git_seq_next on_first_fetch(void *arg, const struct git_result *res)
{
        if (res->outcome == GIT_OK)
                return GIT_SEQ_NEXT;
        return res->said != PORT_OK ? away(arg, res) : GIT_SEQ_FAIL;
}

static const struct git_step steps[] = {
        {"examine", build_examine, on_examine},      {"fetch", build_fetch, on_fetch},
        {"reach the remote", build_reach, on_reach}, {"make", build_init, NULL},
        {"fill", build_first_fetch, on_first_fetch},
};

static void put_in_place(struct mirror_op *op)
{
        _cleanup_(freep) char *old = xasprintf("%s.broken", op->path);
        /* The clones of runs that are under way share its objects by name: they find the same ones in the
         * new. */
        if (op->exists && rename(op->path, old) < 0)
                fail(op, MIRROR_FAILED, "replace", log_errno_text(errno));
        else if (rename(op->making, op->path) < 0)
                fail(op, MIRROR_FAILED, "make", log_errno_text(errno));
        else
                op->result = (struct mirror_result){.outcome = MIRROR_OK, .made_anew = true};
}

static void on_git_end(void *arg, const struct git_step *failed, const struct git_result *res);

static void work(struct mirror_op *op)
{
        op->seq = git_seq_start(op->git, steps, ARRAY_SIZE(steps), on_git_end, op);
}

static void on_git_end(void *arg, const struct git_step *failed, const struct git_result *res)
{
        struct mirror_op *op = arg;
        op->seq = NULL;
        if (failed != NULL)
                fail(op, MIRROR_FAILED, failed->name, res->err.text);
        else if (!op->exists || op->broken)
                if (op->result.outcome != MIRROR_UNAVAILABLE)
                        put_in_place(op);
        if (op->result.outcome == MIRROR_OK) {
                _cleanup_(freep) char *mark = xasprintf("%s/orch-suspect", op->path);
                (void)unlink(mark); /* usually there is none; a mark that stays costs one examination */
        }
        answer(op);
}

/* ---- before git ---- */

static void on_cleared(void *arg, int r, const struct errinfo *err)
{
        struct mirror_op *op = arg;
        op->remove = NULL;
        if (r < 0) {
                fail(op, MIRROR_FAILED, "clear the place of", err->text);
                answer(op);
                return;
        }
        work(op);
}

/* What a killed workerd had begun to make. Nobody else is at it: we have the lock. */
static void clear_leftovers(struct mirror_op *op)
{
        op->remove = tree_remove(git_loop(op->git), op->making, on_cleared, op);
}

static void on_broken_cleared(void *arg, int r, const struct errinfo *err)
{
        struct mirror_op *op = arg;
        (void)r;
        (void)err; /* it only takes room; the next update tries again */
        op->remove = NULL;
        clear_leftovers(op);
}

static void look(struct mirror_op *op)
{
        _cleanup_(freep) char *head = xasprintf("%s/HEAD", op->path);
        _cleanup_(freep) char *mark = xasprintf("%s/orch-suspect", op->path);
        _cleanup_(freep) char *old = xasprintf("%s.broken", op->path);
        struct stat st;
        op->exists = lstat(op->path, &st) == 0;
        op->broken = op->exists && stat(head, &st) < 0;
        op->suspect = stat(mark, &st) == 0;
        op->remove = tree_remove(git_loop(op->git), old, on_broken_cleared, op);
}

static void on_lock_timer(void *arg)
{
        struct mirror_op *op = arg;
        if (flock(op->lock_fd, LOCK_EX | LOCK_NB) == 0) {
                look(op);
                return;
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
                fail(op, MIRROR_FAILED, "lock", log_errno_text(errno));
                answer(op);
        } else if (loop_now_ms(git_loop(op->git)) >= op->give_up_ms) {
                fail(op, MIRROR_UNAVAILABLE, "lock", "another process works on it for too long");
                answer(op);
        } else {
                loop_timer_arm(op->timer, LOCK_RETRY_MS);
        }
}

static void on_no_lock(void *arg)
{
        answer(arg);
}

static int open_lock(const char *path)
{
        _cleanup_(freep) char *lock = xasprintf("%s.lock", path);
        _cleanup_(freep) char *parent = xstrdup(path);
        *strrchr(parent, '/') = '\0';
        if (mkdir(parent, 0700) < 0 && errno != EEXIST)
                return -errno;
        int fd = open(lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        return fd < 0 ? -errno : fd;
}

struct mirror_op *mirror_update(struct git *git, const char *path, const struct git_remote *remote,
                                mirror_fn *fn, void *arg)
{
        struct mirror_op *op = xcalloc(1, sizeof(*op));
        *op = (struct mirror_op){
                .git = git,
                .path = xstrdup(path),
                .making = xasprintf("%s.making", path),
                .url = xstrdup(remote->url),
                .token_file = remote->token_file != NULL ? xstrdup(remote->token_file) : NULL,
                .branch =
                        git_remote_is_away(remote) && remote->branch != NULL ? xstrdup(remote->branch) : NULL,
                .lock_fd = open_lock(path),
                .give_up_ms = loop_now_ms(git_loop(git)) + LOCK_WAIT_MS,
                .fn = fn,
                .arg = arg,
        };
        op->remote = (struct git_remote){.url = op->url, .token_file = op->token_file};
        if (op->lock_fd < 0)
                fail(op, MIRROR_FAILED, "lock", log_errno_text(op->lock_fd));
        op->timer = loop_timer_new(git_loop(git), op->lock_fd >= 0 ? on_lock_timer : on_no_lock, op);
        loop_timer_soon(op->timer);
        return op;
}

void mirror_cancel(struct mirror_op *op)
{
        if (op != NULL)
                free_op(op);
}

void mirror_suspect(const char *path)
{
        _cleanup_(freep) char *mark = xasprintf("%s/orch-suspect", path);
        _cleanup_(closep) int fd = open(mark, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                log_warning(EV("mirror.mark-failed"), LF_S("path", mark), LF_ERRNO(errno),
                            LF_S("then", "it is not examined at its next update"));
}
