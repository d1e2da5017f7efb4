/*
 * git.h - git as a child process, under our own configuration only.
 *
 * Every git command of the suite starts here. It sees no system, user or global configuration, no hooks, no
 * file-system monitor, no prompts and no lazily fetched objects; only the protocols that are allowed; no
 * redirects; and no environment but ours. A command that pushes or deletes goes through git_push(), which
 * asks the branch guard (branch_guard.h) first: git_start() takes a "push" from nobody else.
 *
 * What git is pointed at is given by path (git_dir, work_tree, index_file), never discovered: a repository
 * that an agent made inside its tree is never opened.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/argv.h"
#include "common/err.h"
#include "common/git_remote.h"
#include "common/port.h"
#include "common/strbuf.h"

struct loop;
struct git;
struct git_op;

#define GIT_OID_SIZE 65 /* hex of a SHA-256 object name, terminated; SHA-1 fits too */

struct git_config {
        const char *path;        /* PATH in which git is found; copied */
        const char *protocols;   /* GIT_ALLOW_PROTOCOL, "file:https"; copied */
        const char *plain_hosts; /* servers that may be asked by http://, as for http_client.h; NULL: none.
                                    Copied */
        int64_t timeout_ms;      /* longest single command */
};

struct git *git_new(struct loop *loop, const struct git_config *cfg);
void git_free(struct git *git); /* every op must be gone */
void git_set_timeout(struct git *git, int64_t timeout_ms);
struct loop *git_loop(struct git *git);

/* One command. Paths are absolute: git runs in the work tree, in the git directory, or in "/". Strings are
 * borrowed until git_start() returns; args, env and input are freed by git_cmd_deinit(). */
struct git_cmd {
        const char *git_dir;
        const char *work_tree;
        const char *index_file;
        struct argv args; /* "read-tree", "-m", ...: what follows `git` and our own options */
        struct argv env;  /* "GIT_AUTHOR_NAME=..." added to our environment */
        struct strbuf input;
        size_t capture_max;              /* of standard output; 0: GIT_CAPTURE_DEFAULT */
        const struct git_remote *remote; /* that it asks; NULL: no other repository than git_dir */
        int lock_fd;   /* -1, or a descriptor that git inherits: the lock lasts as long as git runs */
        bool may_push; /* set by git_push.c and nowhere else */
};
#define GIT_CAPTURE_DEFAULT (64u << 10)
#define GIT_CMD_INIT                                                                                         \
        {                                                                                                    \
                .args = ARGV_INIT, .env = ARGV_INIT, .input = STRBUF_INIT, .lock_fd = -1                     \
        }

void git_cmd_deinit(struct git_cmd *cmd);
void git_cmd_words(struct git_cmd *cmd, ...) __attribute__((sentinel)); /* several args, ends with NULL */

enum git_outcome {
        GIT_OK = 0,      /* exit 0 */
        GIT_EXITED,      /* another exit code: `code` */
        GIT_TIMEOUT,     /* killed by us after timeout_ms */
        GIT_KILLED,      /* died by a signal */
        GIT_NOT_STARTED, /* no process was made */
};

struct git_result {
        enum git_outcome outcome;
        int code;
        const struct strbuf *out; /* never NULL; bounded by capture_max */
        bool truncated;           /* there was more */
        enum port_outcome said;   /* about a server that it asked, when it failed; PORT_OK: nothing */
        struct errinfo err;       /* what git said, for outcomes other than GIT_OK */
};

/* The result is borrowed for the duration of the call, which comes once, from the loop. */
typedef void git_fn(void *arg, const struct git_result *res);

/* Never NULL: a failure to start is an answer too. The op is gone once its callback has been called. */
struct git_op *git_start(struct git *git, const struct git_cmd *cmd, git_fn *fn, void *arg);
/* Kills the command; the callback does not come. NULL is fine. */
void git_cancel(struct git_op *op);

/* A push or deletion of one branch, as a compare-and-swap on the remote. */
struct git_push_spec {
        const char *git_dir;
        struct git_remote remote;
        const char *branch;         /* without refs/heads/ */
        const char *default_branch; /* refused as a target; see branch_guard.h */
        const char *sha;            /* NULL deletes the branch */
        const char *expected;       /* where the remote's branch must be; NULL: it must not exist */
};

enum git_push_outcome {
        GIT_PUSH_OK = 0,      /* the remote's branch is at `sha` (or gone, for a deletion), whoever did it */
        GIT_PUSH_MOVED,       /* it is elsewhere than expected; nothing was changed */
        GIT_PUSH_REFUSED,     /* by the branch guard, before anything was sent, or by a rule of the remote */
        GIT_PUSH_UNAVAILABLE, /* nothing was changed; try again later */
        GIT_PUSH_UNKNOWN,     /* perhaps done; repeating is safe */
};

struct git_push_result {
        enum git_push_outcome outcome;
        enum port_outcome
                said; /* about the server, as in struct git_result: of GIT_PUSH_UNAVAILABLE, _UNKNOWN */
        char remote_sha[GIT_OID_SIZE]; /* of GIT_PUSH_MOVED: where it is; "" when it does not exist */
        struct errinfo err;
};

struct git_push_op;
typedef void git_push_fn(void *arg, const struct git_push_result *res);
/* An answer that was lost is looked up on the remote before it is called unknown. */
struct git_push_op *git_push(struct git *git, const struct git_push_spec *spec, git_push_fn *fn, void *arg);
void git_push_cancel(struct git_push_op *op);
const char *git_push_outcome_name(enum git_push_outcome outcome);

/* Pure. Whether `s` is a full object name (40 or 64 lower-case hex digits). */
bool git_oid_valid(const char *s);
/* Pure. Copies the object name that `s` starts with; false, and "" in `oid`, when there is none. */
bool git_oid_read(const char *s, char oid[static GIT_OID_SIZE]);
