/* deploy_shim.c - see deploy_shim.h. */
#include "workerd/deploy_shim.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/argv.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/options.h"
#include "workerd/agent_env.h"
#include "workerd/job.h"
#include "workerd/shim_link.h"

#define SHIM_CONTROL_FD 3

/* That the folder is there must survive the host: it is what keeps others from starting again. */
static int keep_parent(const char *path)
{
        _cleanup_(freep) char *parent = xstrdup(path);
        *strrchr(parent, '/') = '\0';
        _cleanup_(closep) int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

void deploy_shim_give_back(const struct run_dir *dir)
{
        static unsigned n;
        _cleanup_(freep) char *aside = xasprintf("%s.not-started-%ld-%u", dir->path, (long)getpid(), ++n);
        if (rename(dir->path, aside) < 0)
                log_error(EV("deploy.folder-stays"), LF_S("path", dir->path),
                          LF_S("error", log_errno_text(errno)),
                          LF_S("then", "the command is taken for one that may have been started"));
}

int deploy_shim_folder(const struct run_dir *dir, const char *tree, struct errinfo *err)
{
        int r = run_dir_create(dir, err);
        if (r == -EEXIST)
                return r;
        if (r == 0 && (rename(tree, dir->tree) < 0 || (r = keep_parent(dir->path)) < 0)) {
                r = r < 0 ? r : -errno;
                err_set(err, "", "the folder %s cannot be made ready: %s", dir->path, log_errno_text(r));
        }
        if (r < 0)
                deploy_shim_give_back(dir);
        return r;
}

static void add_args(struct argv *args, const struct job_host *host, const struct run_dir *dir,
                     const char *command)
{
        const struct options *opt = host->opt;
        const char *const texts[] = {host->shim, "--run-dir", dir->path,        "--lock",
                                     dir->lock,  "--stdin",   "/dev/null",      "--cwd",
                                     dir->tree,  "--control", SHIM_LINK_SOCKET, "--spare-rest"};
        const struct {
                const char *name;
                int64_t value;
        } numbers[] = {
                {"--lock-wait-ms", 0},
                {"--grace-ms", opt->agent_kill_grace_seconds * 1000},
                {"--wall-ms", opt->deploy_timeout_ms},
                {"--log-max", opt->agent_log_max_bytes},
        };
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                argv_add(args, texts[i]);
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
                argv_add(args, numbers[i].name);
                argv_addf(args, "%" PRId64, numbers[i].value);
        }
        argv_add(args, "--");
        argv_add(args, "/bin/sh");
        argv_add(args, "-c");
        argv_add(args, command);
}

int deploy_shim_start(const struct job_host *host, const struct run_dir *dir, const char *command,
                      const struct run_info *info, proc_exit_fn *fn, void *arg, struct proc **ret_shim,
                      int *ret_fd, struct errinfo *err)
{
        int ends[2];
        struct argv args = ARGV_INIT, env = ARGV_INIT;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
                err_set(err, "", "no socket pair for the shim: %s", log_errno_text(errno));
                return -errno;
        }
        add_args(&args, host, dir, command);
        agent_env_build(&env, info, dir, host->opt->agent_path, host->opt->deploy_env);
        const struct proc_fd fds[] = {{.from = ends[1], .to = SHIM_CONTROL_FD}};
        const struct proc_spec spec = {
                .argv = (const char *const *)args.words,
                .envp = (const char *const *)env.words,
                .fds = fds,
                .n_fds = ARRAY_SIZE(fds),
                .new_session = true,
        };
        int r = proc_spawn(host->loop, &spec, fn, arg, ret_shim, err);
        argv_deinit(&args);
        argv_deinit(&env);
        (void)close(ends[1]);
        if (r < 0)
                (void)close(ends[0]);
        else
                *ret_fd = ends[0];
        return r;
}

/* The status is written before the lock is free: it is looked for again after the lock. */
enum deploy_shim_state deploy_shim_look(const struct run_dir *dir)
{
        if (access(dir->status, F_OK) == 0)
                return DEPLOY_SHIM_ENDED;
        int locked = run_dir_is_locked(dir);
        if (locked != 0)
                return locked > 0 ? DEPLOY_SHIM_RUNS : DEPLOY_SHIM_UNKNOWN;
        if (access(dir->status, F_OK) == 0)
                return DEPLOY_SHIM_ENDED;
        return errno == ENOENT ? DEPLOY_SHIM_KILLED : DEPLOY_SHIM_UNKNOWN;
}
