/* git.c - one git command: its environment and options, its time limit, its end. */
#include "common/git.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/loop.h"
#include "common/mem.h"
#include "common/proc.h"

#define LOCK_FD_IN_CHILD 9

struct git {
        struct loop *loop;
        char *path;
        char *protocols, *plain_hosts;
        int64_t timeout_ms;
};

struct git_op {
        git_fn *fn;
        void *arg;
        struct proc *proc;        /* NULL: not started, or ended */
        struct loop_timer *timer; /* the time limit; or, for what was not started, the answer that is due */
        bool timed_out;
        bool away;              /* it asks a server */
        enum port_outcome said; /* that it was not started for a reason of the remote's */
        struct errinfo err;     /* why it was not started */
};

struct git *git_new(struct loop *loop, const struct git_config *cfg)
{
        struct git *git = xcalloc(1, sizeof(*git));
        *git = (struct git){.loop = loop,
                            .path = xstrdup(cfg->path),
                            .protocols = xstrdup(cfg->protocols),
                            .plain_hosts = xstrdup(cfg->plain_hosts != NULL ? cfg->plain_hosts : ""),
                            .timeout_ms = cfg->timeout_ms};
        return git;
}

void git_free(struct git *git)
{
        if (git == NULL)
                return;
        free(git->path);
        free(git->protocols);
        free(git->plain_hosts);
        free(git);
}

void git_set_timeout(struct git *git, int64_t timeout_ms)
{
        git->timeout_ms = timeout_ms;
}

struct loop *git_loop(struct git *git)
{
        return git->loop;
}

void git_cmd_deinit(struct git_cmd *cmd)
{
        argv_deinit(&cmd->args);
        argv_deinit(&cmd->env);
        strbuf_deinit(&cmd->input);
}

void git_cmd_words(struct git_cmd *cmd, ...)
{
        va_list ap;
        va_start(ap, cmd);
        for (const char *word; (word = va_arg(ap, const char *)) != NULL;)
                argv_add(&cmd->args, word);
        va_end(ap);
}

/* Options given on the command line win over every configuration file, the repository's own included. */
static void add_options(struct argv *argv)
{
        static const char *const options[] = {
                "core.hooksPath=/dev/null",  "core.fsmonitor=false",       "core.untrackedCache=false",
                "core.quotePath=false",      "protocol.ext.allow=never",   "safe.directory=*",
                "submodule.recurse=false",   "fetch.recurseSubmodules=no", "gc.auto=0",
                "maintenance.auto=false",    "commit.gpgSign=false",       "push.gpgSign=false",
                "advice.detachedHead=false", "http.followRedirects=false", "credential.helper=",
                "http.lowSpeedLimit=100",    "http.lowSpeedTime=60",
        };
        argv_add(argv, "git");
        for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
                argv_add(argv, "-c");
                argv_add(argv, options[i]);
        }
}

static void add_environment(const struct git *git, const struct git_cmd *cmd, const char *protocols,
                            struct argv *env)
{
        argv_env(env, "PATH", git->path);
        argv_env(env, "LC_ALL", "C");
        argv_env(env, "HOME", "/nonexistent");
        argv_env(env, "GIT_CONFIG_NOSYSTEM", "1");
        argv_env(env, "GIT_CONFIG_GLOBAL", "/dev/null");
        argv_env(env, "GIT_ATTR_NOSYSTEM", "1");
        argv_env(env, "GIT_TERMINAL_PROMPT", "0");
        argv_env(env, "GIT_ASKPASS", "/bin/false");
        argv_env(env, "GIT_SSH_COMMAND", "/bin/false");
        argv_env(env, "GIT_ALLOW_PROTOCOL", protocols);
        argv_env(env, "GIT_NO_REPLACE_OBJECTS", "1");
        argv_env(env, "GIT_NO_LAZY_FETCH", "1");
        argv_env(env, "GIT_OPTIONAL_LOCKS", "0");
        argv_env(env, "GIT_PAGER", "cat");
        argv_env(env, "GIT_EDITOR", ":");
        if (cmd->git_dir != NULL)
                argv_env(env, "GIT_DIR", cmd->git_dir);
        if (cmd->work_tree != NULL)
                argv_env(env, "GIT_WORK_TREE", cmd->work_tree);
        if (cmd->index_file != NULL)
                argv_env(env, "GIT_INDEX_FILE", cmd->index_file);
        for (size_t i = 0; i < cmd->env.n; i++)
                argv_add(env, cmd->env.words[i]);
}

static void answer(struct git_op *op, const struct git_result *res)
{
        op->proc = NULL;
        loop_timer_free(take_ptr(op->timer));
        op->fn(op->arg, res);
        free(op);
}

/* What git said, its last lines first to be cut: it explains before it sums up. */
static void explain(struct git_result *res, const struct proc_exit *ex)
{
        const char *said = ex->err->len > 0 ? ex->err->buf : proc_exit_text(ex);
        if (res->outcome == GIT_TIMEOUT)
                err_set(&res->err, "", "git took too long and was killed");
        else
                err_set(&res->err, "", "%s", said);
        size_t len = strlen(res->err.text);
        while (len > 0 && res->err.text[len - 1] == ' ')
                res->err.text[--len] = '\0';
}

static void on_ended(void *arg, const struct proc_exit *ex)
{
        struct git_op *op = arg;
        struct git_result res = {
                .code = ex->code, .out = ex->out, .truncated = ex->truncated, .err = ERRINFO_INIT};
        if (op->timed_out)
                res.outcome = GIT_TIMEOUT;
        else if (ex->signaled)
                res.outcome = GIT_KILLED;
        else
                res.outcome = ex->code == 0 ? GIT_OK : GIT_EXITED;
        if (res.outcome != GIT_OK)
                explain(&res, ex);
        if (op->away && res.outcome != GIT_OK)
                res.said = op->timed_out ? PORT_UNAVAILABLE : git_remote_said(ex->err->buf);
        answer(op, &res);
}

/* The whole group: git's helpers (upload-pack, index-pack) may hold its pipes and locks. */
static void on_timeout(void *arg)
{
        struct git_op *op = arg;
        op->timed_out = true;
        (void)proc_kill(op->proc, SIGKILL, true); /* its end is reported by on_ended() in any case */
}

static void on_not_started(void *arg)
{
        static const struct strbuf nothing = STRBUF_INIT;
        struct git_op *op = arg;
        const struct git_result res = {
                .outcome = GIT_NOT_STARTED, .code = -1, .out = &nothing, .said = op->said, .err = op->err};
        answer(op, &res);
}

static int spawn(struct git *git, const struct git_cmd *cmd, struct git_op *op)
{
        _cleanup_(argv_deinit) struct argv argv = ARGV_INIT;
        _cleanup_(argv_wipe) struct argv env = ARGV_INIT; /* a token may be in it */
        const char *protocol;
        add_options(&argv);
        for (size_t i = 0; i < cmd->args.n; i++)
                argv_add(&argv, cmd->args.words[i]);
        op->away = git_remote_is_away(cmd->remote);
        op->said = git_remote_prepare(cmd->remote, git->plain_hosts, &env, &protocol, &op->err);
        if (op->said != PORT_OK)
                return -EPERM;
        add_environment(git, cmd, protocol != NULL ? protocol : git->protocols, &env);

        const struct proc_fd lock = {.from = cmd->lock_fd, .to = LOCK_FD_IN_CHILD};
        const struct proc_spec spec = {
                .argv = (const char *const *)argv.words,
                .envp = (const char *const *)env.words,
                .cwd = cmd->work_tree != NULL ? cmd->work_tree
                       : cmd->git_dir != NULL ? cmd->git_dir
                                              : "/",
                .fds = &lock,
                .n_fds = cmd->lock_fd >= 0 ? 1 : 0,
                .new_group = true,
                .input = cmd->input.len > 0 ? cmd->input.buf : NULL,
                .input_len = cmd->input.len,
                .capture_max = cmd->capture_max > 0 ? cmd->capture_max : GIT_CAPTURE_DEFAULT,
        };
        return proc_spawn(git->loop, &spec, on_ended, op, &op->proc, &op->err);
}

/* The subcommand comes after options such as --literal-pathspecs. */
static bool is_push(const struct git_cmd *cmd)
{
        size_t i = 0;
        while (i + 1 < cmd->args.n && cmd->args.words[i][0] == '-')
                i++;
        return strcmp(cmd->args.words[i], "push") == 0;
}

struct git_op *git_start(struct git *git, const struct git_cmd *cmd, git_fn *fn, void *arg)
{
        assert(cmd->args.n > 0 && is_push(cmd) == cmd->may_push);
        struct git_op *op = xcalloc(1, sizeof(*op));
        *op = (struct git_op){.fn = fn, .arg = arg};
        if (spawn(git, cmd, op) == 0) {
                op->timer = loop_timer_new(git->loop, on_timeout, op);
                loop_timer_arm(op->timer, git->timeout_ms);
        } else {
                op->timer = loop_timer_new(git->loop, on_not_started, op);
                loop_timer_soon(op->timer);
        }
        return op;
}

void git_cancel(struct git_op *op)
{
        if (op == NULL)
                return;
        if (op->proc != NULL) {
                (void)proc_kill(op->proc, SIGKILL, true); /* gone already is fine */
                proc_forget(op->proc);
        }
        loop_timer_free(op->timer);
        free(op);
}

static bool lower_hex(char c)
{
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool git_oid_read(const char *s, char oid[static GIT_OID_SIZE])
{
        size_t len = 0;
        while (len < GIT_OID_SIZE && lower_hex(s[len]))
                len++;
        bool is_oid = len == 40 || len == 64;
        if (!is_oid)
                len = 0;
        memcpy(oid, s, len);
        oid[len] = '\0';
        return is_oid;
}

bool git_oid_valid(const char *s)
{
        char oid[GIT_OID_SIZE];
        return git_oid_read(s, oid) && s[strlen(oid)] == '\0';
}
