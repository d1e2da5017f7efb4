/*
 * shell_command.h - one short command of a project: a question to production (probe, deploy_check), or to
 * what was merged (integrity), by a shell, bounded in time and output. It is no run: nothing of it is kept,
 * and it dies with us.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct loop;
struct options;
struct shell_command;
struct strbuf;

struct shell_command_spec {
        const char *command;
        const char *cwd;        /* NULL: / */
        const char *path, *env; /* PATH, and the names of variables of ours that are passed on */
        const char *work_item, *sha;
        int64_t timeout_ms;
};

enum shell_command_end {
        SHELL_COMMAND_EXITED,      /* code */
        SHELL_COMMAND_KILLED,      /* by a signal that was not ours */
        SHELL_COMMAND_TIMEOUT,     /* it was killed */
        SHELL_COMMAND_NOT_STARTED, /* err says why */
};

struct shell_command_result {
        enum shell_command_end end;
        int code;
        const struct strbuf *out, *err_out; /* their first 4 KiB; never NULL */
        struct errinfo err;                 /* in words, whatever the end */
};

typedef void shell_command_fn(void *arg, const struct shell_command_result *res);

/* The callback comes once, from the loop. */
struct shell_command *shell_command_start(struct loop *loop, const struct shell_command_spec *spec,
                                          shell_command_fn *fn, void *arg);
/* Kills it; no callback. NULL is fine. */
void shell_command_cancel(struct shell_command *c);
/* Appends the first line of what a command or a peer said, without what is no text, and at most `max` bytes.
 */
void shell_command_first_line(struct strbuf *sb, const char *text, size_t len, size_t max);
