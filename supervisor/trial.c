/* trial.c - both sides of trial.h. */
#include "supervisor/trial.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/argv.h"
#include "common/err.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/proc.h"
#include "common/strbuf.h"
#include "supervisor/generation.h"
#include "supervisor/handover.h"
#include "supervisor/launch.h"
#include "supervisor/reexec.h"

#define TRIAL_ANSWER "orch-supervisor: would take over\n"
#define OUTPUT_MAX   4096

enum { CHILD_HANDOVER_FD = 3 };

struct trial {
        const char *program;
        struct proc *proc; /* NULL: it has answered */
        struct loop_timer *overdue;
        bool is_overdue;
        trial_fn *fn;
        void *arg;
};

/* --- asking --- */

static bool is_text(const struct strbuf *sb, const char *text)
{
        return sb->len == strlen(text) && memcmp(sb->buf, text, sb->len) == 0;
}

/* False: it would take over. */
static bool says_no(const struct trial *t, const struct proc_exit *ex, struct errinfo *why)
{
        int line = (int)strcspn(ex->err->buf, "\n");

        if (t->is_overdue)
                err_set(why, NULL, "%s did not say within %d ms whether it would take over", t->program,
                        TRIAL_TIMEOUT_MS);
        else if (!ex->signaled && ex->code == 0 && is_text(ex->out, TRIAL_ANSWER))
                return false;
        else if (line > 0)
                err_set(why, NULL, "%.*s", line, ex->err->buf);
        else
                err_set(why, NULL, "%s does not say that it would take over: it %s", t->program,
                        proc_exit_text(ex));
        return true;
}

static void on_end(void *arg, const struct proc_exit *ex)
{
        struct trial *t = arg;
        struct errinfo why = ERRINFO_INIT;
        bool no = says_no(t, ex, &why);

        t->proc = NULL; /* frees itself */
        t->fn(t->arg, no ? why.text : NULL);
}

static void on_overdue(void *arg)
{
        struct trial *t = arg;

        t->is_overdue = true;
        (void)proc_kill(t->proc, SIGKILL, true); /* it is ours, and so is its group: cannot fail */
}

static int spawn(struct trial *t, struct loop *loop, char *const *args, int fd, struct errinfo *err)
{
        _cleanup_(argv_deinit) struct argv command = ARGV_INIT;
        _cleanup_(argv_deinit) struct argv env = ARGV_INIT;
        const struct proc_fd fds[] = {{.from = fd, .to = CHILD_HANDOVER_FD}};

        reexec_command(&command, t->program, args);
        for (char **e = environ; *e != NULL; e++)
                argv_add(&env, *e);
        argv_addf(&env, REEXEC_ENV_FD "=%d", CHILD_HANDOVER_FD);
        argv_add(&env, REEXEC_ENV_TRIAL "=1");
        return proc_spawn(loop,
                          &(struct proc_spec){.argv = (const char *const *)command.words,
                                              .envp = (const char *const *)env.words,
                                              .fds = fds,
                                              .n_fds = ARRAY_SIZE(fds),
                                              .new_group = true,
                                              .dies_with_us = true,
                                              .capture_max = OUTPUT_MAX},
                          on_end, t, &t->proc, err);
}

int trial_new(struct loop *loop, const char *program, char *const *args, const struct handover *h,
              trial_fn *fn, void *arg, struct trial **ret, struct errinfo *err)
{
        _cleanup_(closep) int fd = -1;
        int r = handover_write(h, &fd, err);
        struct trial *t;

        if (r < 0)
                return r;
        t = xcalloc(1, sizeof(*t));
        *t = (struct trial){.program = program, .fn = fn, .arg = arg};
        t->overdue = loop_timer_new(loop, on_overdue, t);
        r = spawn(t, loop, args, fd, err);
        if (r < 0) {
                trial_free(t);
                return r;
        }
        loop_timer_arm(t->overdue, TRIAL_TIMEOUT_MS);
        *ret = t;
        return 0;
}

void trial_free(struct trial *t)
{
        if (t == NULL)
                return;
        if (t->proc != NULL) {
                (void)proc_kill(t->proc, SIGKILL, true); /* as above */
                proc_forget(t->proc);
        }
        loop_timer_free(t->overdue);
        free(t);
}

/* --- answering --- */

/* Options that the running processes depend on, and that no exec can change. */
static int check_kept_options(const struct options *opt, const struct handover *h, struct errinfo *err)
{
#define HANDOVER_TEXT(field)                                                                                 \
        if (strcmp(h->field, opt->field) != 0) {                                                             \
                err_set(err, NULL,                                                                           \
                        "option \"%s\" is \"%s\" now and was \"%s\" at the start: that needs a restart",     \
                        #field, opt->field, h->field);                                                       \
                return -EINVAL;                                                                              \
        }
#include "supervisor/handover.def"
        return 0;
}

int trial_answer(const struct options *opt, const struct handover *h, struct errinfo *err)
{
        _cleanup_(freep) char *bin_dir = proc_bin_dir(opt->bin_dir);
        int r = bin_dir != NULL ? 0 : -errno;

        if (r < 0) {
                err_set(err, NULL, "the folder of the programs cannot be found: %s", strerror(-r));
                return r;
        }
        r = check_kept_options(opt, h, err);
        if (r < 0)
                return r;
        r = generation_check(h, opt, bin_dir, err);
        if (r == 0 && (fputs(TRIAL_ANSWER, stdout) < 0 || fflush(stdout) != 0))
                r = -EIO;
        return r;
}
