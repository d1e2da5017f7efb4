/* help.h - what is said about the commands: to a person, as a manual page, and the exit codes. From the
 * table. */
#pragma once

#include <stddef.h>

#include "ctl/term.h"

struct command;
struct strbuf;

struct help_exit_code {
        int code;
        const char *meaning;
};

extern const struct help_exit_code help_exit_codes[]; /* ended by a NULL meaning */

struct help_file {
        const char *path;
        const char *what;
};
extern const struct help_file help_environment[]; /* variables; ended by a NULL path */
extern const struct help_file help_files[];       /* ended by a NULL path */

/* All commands by group, and the exit codes. */
void help_overview(const struct term *term, struct strbuf *sb);
void help_command(const struct term *term, const struct command *cmd, struct strbuf *sb);
/* "orchctl item create PROJECT TITLE [OPTIONS]" */
void help_usage(const struct command *cmd, struct strbuf *sb);
/* The manual page orchctl(1) in mdoc. */
void help_man(struct strbuf *sb);
/* The manual page orchestrator.conf(5) in mdoc. */
void help_man_config(struct strbuf *sb);
