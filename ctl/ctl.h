/*
 * ctl.h - what a command is given: its arguments, the terminal, the configuration and the database, the last
 * two opened when first asked for. Functions that can fail for the user's reasons have already said why on
 * standard error when they return an exit code (contract.h) other than EXIT_OK; the command just returns it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/contract.h"
#include "ctl/args.h"
#include "ctl/term.h"

struct options;
struct pg;
struct strbuf;

struct ctl {
        struct args args;
        struct term term;
        bool json;
        char *config_path;   /* the file that was read; NULL: none exists, defaults and environment only */
        struct options *opt; /* ctl_options() */
        struct pg *pg;       /* ctl_pg() */
};

void ctl_deinit(struct ctl *c);

/* Reads the configuration: --config, ORCH_CONFIG, ./orchestrator.conf, /etc/orchestrator/orchestrator.conf.
 */
int ctl_options(struct ctl *c);
/* Connects; `user` is for a connection string that names none. */
int ctl_pg_as(struct ctl *c, const char *user);
/* Connects as the operator. */
int ctl_pg(struct ctl *c);
/* The same once the options are there, without a word: 0, or negative with the reason in `err`. */
int ctl_pg_quiet(struct ctl *c, struct errinfo *err);

/* "orchctl: …" and "hint: …" on standard error, one line each. ctl_fail() returns `code`. */
int ctl_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void ctl_hint(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Progress and remarks on standard error. */
void ctl_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Says that there is no such command, and which may have been meant; returns EXIT_USAGE. */
int ctl_unknown_command(const char *const *words, size_t n_words);
/* Writes to standard output now, whole: EXIT_OK, or EXIT_FAILED when it cannot be written. */
int ctl_print(const struct strbuf *sb);

/* An option that is a duration: EXIT_OK, or EXIT_USAGE. Absent: `if_absent_ms`. */
int ctl_duration_option(const struct ctl *c, const char *option, int64_t if_absent_ms, int64_t *ret_ms);
/* An option that is a whole number between the limits. */
int ctl_int_option(const struct ctl *c, const char *option, int64_t min, int64_t max, int64_t if_absent,
                   int64_t *ret);
/* CLOCK_MONOTONIC, for deadlines. */
int64_t ctl_now_ms(void);
void ctl_sleep_ms(int64_t ms);
