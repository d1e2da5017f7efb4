/* errand.h - one errand of a watch, and its steps: for watch.c, errand_*.c only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/backoff.h"
#include "common/git.h"
#include "common/port.h"
#include "common/run_dir.h"
#include "workerd/run_info.h"

struct commit_op;
struct db_request;
struct db_result;
struct errand;
struct http_client;
struct http_request;
struct job_host;
struct json_out;
struct loop_timer;
struct mirror_op;
struct proc;
struct shell_command;
struct shim_link;
struct tree_op;
struct tree_remove;
struct watch;

struct errand_kind {
        const char *what; /* in the words of watch_claim() */
        void (*start)(struct errand *e);
        void (*on_timer)(struct errand *e); /* NULL: it has none */
        bool may_be_left;                   /* by a worker that drains: another goes on with it at once */
};
extern const struct errand_kind errand_probe, errand_report, errand_rollback;

struct errand {
        struct watch *watch;
        const struct job_host *host;
        const struct errand_kind *kind; /* NULL: the slot is free */
        int64_t id;
        char *token;
        char *method, *target, *sha, *body, *work_item, *title, *repo, *location, *token_file,
                *default_branch, *branch, *head_sha, *docs_dir, *deploy_path, *check_command;
        char *answer; /* what is to be recorded; NULL: it is still under way */
        struct db_request *request;
        struct loop_timer *timer;
        struct backoff backoff;

        /* what is under way; NULL when idle */
        struct shell_command *command;
        struct http_client *client;
        struct http_request *asked;
        struct mirror_op *mirror_op;
        struct tree_op *tree_op;
        struct tree_remove *tree_remove;
        struct commit_op *commit_op;
        struct git_push_op *push_op;
        struct proc *proc;
        struct shim_link *link;

        /* of a report, and of a rollback's work tree */
        struct run_info info; /* borrows */
        struct run_dir dir, deploy;
        char *mirror;
        char start_sha[GIT_OID_SIZE], base_sha[GIT_OID_SIZE], made_sha[GIT_OID_SIZE];
        const char *forge_said;        /* how the forge has answered last, in the words of the ports; NULL: it
                                          was not asked, or what went wrong was not its fault */
        char remote_sha[GIT_OID_SIZE]; /* where the branch was found, when not where we left it */
        bool begun;                    /* the rollback's command has been started */
        void (*on_tree)(struct errand *e);
};

/* watch.c: the errand has come to this; it is recorded, and the errand is over. Takes the writer, whose
 * object is open. */
void errand_done(struct errand *e, struct json_out *j);

/* errand_tree.c: mirror, folder and work tree; then `on_tree`. `sha`: on a detached head; NULL: the branch as
 * we left it, or as it is now, or as it was before it was deleted. What fails ends in `failed`. */
void errand_tree(struct errand *e, const char *what, const char *sha, void (*on_tree)(struct errand *e));
/* What git has said of the forge: `answered`, or as in struct git_result. It is told with the errand's end.
 */
void errand_forge_said(struct errand *e, bool answered, enum port_outcome said);
/* How each kind says that it could not be done now. */
void errand_failed(struct errand *e, const char *what, const char *why);
