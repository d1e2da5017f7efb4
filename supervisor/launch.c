/* launch.c - starts one daemon process as launch.h says. */
#include "supervisor/launch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/argv.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/metrics.h"

/* Numbers of the inherited descriptors in the child; each is named in its environment. */
enum { CHILD_STATUS_FD = 3, CHILD_METRICS_FD, CHILD_LISTEN_FDS, CHILD_FDS_MAX = 2 + CONTRACT_LISTENER_COUNT };

static const char *const listen_env[CONTRACT_LISTENER_COUNT] = {
#define X(id, name, env) [CONTRACT_LISTENER_##id] = env,
        CONTRACT_LISTENERS(X)
#undef X
};

/* Not for the children: the service manager would take their messages for ours, and descriptors are given
 * anew. */
static const char *const not_inherited[] = {"NOTIFY_SOCKET",
                                            "WATCHDOG_USEC",
                                            "WATCHDOG_PID",
                                            "LISTEN_FDS",
                                            "LISTEN_PID",
                                            "LISTEN_FDNAMES",
                                            CONTRACT_ENV_STATUS_FD,
                                            CONTRACT_ENV_METRICS_FD,
                                            CONTRACT_ENV_METRICS_SLOT,
#define X(id, name, env) env,
                                            CONTRACT_LISTENERS(X)
#undef X
};

static bool is_inherited(const char *assignment)
{
        size_t len = strcspn(assignment, "=");

        for (size_t i = 0; i < ARRAY_SIZE(not_inherited); i++)
                if (strlen(not_inherited[i]) == len && memcmp(not_inherited[i], assignment, len) == 0)
                        return false;
        return true;
}

static void env_fd(struct argv *env, const char *name, int fd)
{
        argv_addf(env, "%s=%d", name, fd);
}

static bool gets(const struct launch_what *what, int listener)
{
        return (what->listeners & 1u << listener) != 0;
}

static void build_env(struct argv *env, const struct launch_what *what, int slot)
{
        for (char **e = environ; *e != NULL; e++)
                if (is_inherited(*e))
                        argv_add(env, *e);
        env_fd(env, CONTRACT_ENV_STATUS_FD, CHILD_STATUS_FD);
        env_fd(env, CONTRACT_ENV_METRICS_FD, CHILD_METRICS_FD);
        argv_addf(env, "%s=%d", CONTRACT_ENV_METRICS_SLOT, slot);
        for (int i = 0; i < CONTRACT_LISTENER_COUNT; i++)
                if (gets(what, i))
                        env_fd(env, listen_env[i], CHILD_LISTEN_FDS + i);
}

static void build_command(struct argv *command, const struct launch_plan *plan,
                          const struct launch_what *what)
{
        argv_addf(command, "%s/%s", plan->bin_dir, what->program);
        for (char *const *a = plan->args; *a != NULL; a++)
                argv_add(command, *a);
}

static int spawn(const struct launch_plan *plan, const struct launch_what *what, int status_fd, int slot,
                 proc_exit_fn *on_exit, void *arg, struct proc **ret_proc, struct errinfo *err)
{
        _cleanup_(argv_deinit) struct argv command = ARGV_INIT;
        _cleanup_(argv_deinit) struct argv env = ARGV_INIT;
        struct proc_fd fds[CHILD_FDS_MAX] = {
                {.from = status_fd, .to = CHILD_STATUS_FD},
                {.from = plan->metrics_fd, .to = CHILD_METRICS_FD},
        };
        size_t n_fds = 2;
        sigset_t blocked;

        contract_signals(&blocked);
        for (int i = 0; i < CONTRACT_LISTENER_COUNT; i++)
                if (gets(what, i))
                        fds[n_fds++] =
                                (struct proc_fd){.from = plan->listen_fds[i], .to = CHILD_LISTEN_FDS + i};
        build_command(&command, plan, what);
        build_env(&env, what, slot);
        return proc_spawn(plan->loop,
                          &(struct proc_spec){
                                  .argv = (const char *const *)command.words,
                                  .envp = (const char *const *)env.words,
                                  .fds = fds,
                                  .n_fds = n_fds,
                                  .new_session = true,
                                  .blocked = &blocked,
                          },
                          on_exit, arg, ret_proc, err);
}

/* Makes the status channel and takes a metrics slot, which spawn() needs both. */
static int prepare(const struct launch_plan *plan, const struct launch_what *what, int ends[2], int *ret_slot,
                   struct errinfo *err)
{
        int r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0 ? -errno : 0;

        if (r < 0) {
                err_set(err, "", "could not make a status channel: %s", strerror(-r));
                return r;
        }
        r = metrics_slot_take(plan->metrics, what->daemon, 0);
        if (r < 0) {
                err_set(err, "", "no free slot on the metrics page: %s", strerror(-r));
                (void)close(ends[0]); /* unused so far */
                (void)close(ends[1]);
                return r;
        }
        *ret_slot = r;
        return 0;
}

int launch(const struct launch_plan *plan, const struct launch_what *what, proc_exit_fn *on_exit, void *arg,
           struct launched *ret, struct errinfo *err)
{
        struct proc *proc = NULL;
        int ends[2], slot;
        int r = prepare(plan, what, ends, &slot, err);

        if (r < 0)
                return r;
        r = spawn(plan, what, ends[1], slot, on_exit, arg, &proc, err);
        (void)close(ends[1]); /* the child's; with our copy open its death would be no EOF */
        if (r < 0) {
                metrics_slot_fold(plan->metrics, slot);
                (void)close(ends[0]);
                return r;
        }
        *ret = (struct launched){.proc = proc, .status_fd = ends[0], .metrics_slot = slot};
        return 0;
}
