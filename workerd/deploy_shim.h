/*
 * deploy_shim.h - starts a command that deploys, or takes a deploy back, under an orch-shim that outlives us
 * and everything else: it is not frozen, it has its own clock (deploy_timeout), and what the command leaves
 * running when it has ended is left alone, because that may be production.
 *
 * Whoever makes the folder of the record starts the command, and nobody else ever does
 * (deploy_shim_folder()).
 */
#pragma once

#include "common/proc.h"
#include "common/run_dir.h"
#include "workerd/run_info.h"

struct errinfo;
struct job_host;
struct shim_link;

/* Makes the folder and puts the work tree `tree` into it. 0: it is ours, and the command may be started;
 * -EEXIST: it is another's, whose start must not be repeated; or -errno, and there is no folder. */
int deploy_shim_folder(const struct run_dir *dir, const char *tree, struct errinfo *err);
/* Gives the folder back after a start that did not come about: the command may be started after all. */
void deploy_shim_give_back(const struct run_dir *dir);

/* Starts the shim. 0, with the shim, and our end of its descriptor 3, which is hung up on only once it has
 * said that the command runs (a shim whose starter is gone before does not start it); or -errno, and nothing
 * was started. */
int deploy_shim_start(const struct job_host *host, const struct run_dir *dir, const char *command,
                      const struct run_info *info, proc_exit_fn *fn, void *arg, struct proc **ret_shim,
                      int *ret_fd, struct errinfo *err);

/* What the folder says of the command. */
enum deploy_shim_state {
        DEPLOY_SHIM_RUNS,
        DEPLOY_SHIM_ENDED,   /* its status can be read */
        DEPLOY_SHIM_KILLED,  /* no status, and no shim */
        DEPLOY_SHIM_UNKNOWN, /* the folder cannot be looked at */
};
enum deploy_shim_state deploy_shim_look(const struct run_dir *dir);
