/* shell_command.c - see shell_command.h. */
#include "workerd/shell_command.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/argv.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/proc.h"
#include "common/strbuf.h"
#include "workerd/agent_env.h"

#define OUTPUT_MAX 4096

struct shell_command {
        struct loop *loop;
        struct proc *proc; /* NULL: it was never started */
        struct loop_timer *timer;
        bool timed_out;
        struct shell_command_result result;
        shell_command_fn *fn;
        void *arg;
};

static void free_command(struct shell_command *c)
{
        loop_timer_free(c->timer);
        free(c);
}

static void end(struct shell_command *c, enum shell_command_end how, const struct strbuf *out,
                const struct strbuf *err_out)
{
        static const struct strbuf nothing = STRBUF_INIT;
        c->result.end = how;
        c->result.out = out != NULL ? out : &nothing;
        c->result.err_out = err_out != NULL ? err_out : &nothing;
        c->fn(c->arg, &c->result);
        free_command(c);
}

static void on_ended(void *arg, const struct proc_exit *ex)
{
        struct shell_command *c = arg;
        c->proc = NULL;
        c->result.code = ex->signaled ? -1 : ex->code;
        if (c->timed_out)
                err_set(&c->result.err, "", "it did not end in time");
        else
                err_set(&c->result.err, "", "it %s", proc_exit_text(ex));
        end(c,
            c->timed_out   ? SHELL_COMMAND_TIMEOUT
            : ex->signaled ? SHELL_COMMAND_KILLED
                           : SHELL_COMMAND_EXITED,
            ex->out, ex->err);
}

/* Too late; or, when it was never started, the turn of the loop at which that is said. */
static void on_timer(void *arg)
{
        struct shell_command *c = arg;
        if (c->proc == NULL) {
                end(c, SHELL_COMMAND_NOT_STARTED, NULL, NULL);
                return;
        }
        c->timed_out = true;
        (void)proc_kill(c->proc, SIGKILL, true); /* gone already is as good */
}

struct shell_command *shell_command_start(struct loop *loop, const struct shell_command_spec *spec,
                                          shell_command_fn *fn, void *arg)
{
        struct shell_command *c = xcalloc(1, sizeof(*c));
        struct argv env = ARGV_INIT;
        const char *const argv[] = {"/bin/sh", "-c", spec->command, NULL};
        agent_env_basic(&env, spec->path, spec->env);
        argv_env(&env, "HOME", "/nonexistent");
        argv_env(&env, "ORCH_WORK_ITEM", spec->work_item);
        argv_env(&env, "ORCH_HEAD_SHA", spec->sha);
        *c = (struct shell_command){
                .loop = loop, .result = {.code = -1, .err = ERRINFO_INIT}, .fn = fn, .arg = arg};
        c->timer = loop_timer_new(loop, on_timer, c);
        const struct proc_spec proc = {
                .argv = argv,
                .envp = (const char *const *)env.words,
                .cwd = spec->cwd != NULL ? spec->cwd : "/",
                .new_group = true,
                .dies_with_us = true,
                .capture_max = OUTPUT_MAX,
        };
        if (proc_spawn(loop, &proc, on_ended, c, &c->proc, &c->result.err) < 0) {
                c->proc = NULL;
                loop_timer_soon(c->timer);
        } else {
                loop_timer_arm(c->timer, spec->timeout_ms);
        }
        argv_deinit(&env);
        return c;
}

void shell_command_cancel(struct shell_command *c)
{
        if (c == NULL)
                return;
        if (c->proc != NULL) {
                (void)proc_kill(c->proc, SIGKILL, true);
                proc_forget(c->proc);
        }
        free_command(c);
}

void shell_command_first_line(struct strbuf *sb, const char *text, size_t len, size_t max)
{
        size_t n = 0;
        while (n < len && n < max && text[n] != '\n' && text[n] != '\0')
                n++;
        for (size_t i = 0; i < n; i++)
                strbuf_addch(sb, text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?');
}
