/*
 * args.h - the command line against the table of commands. Options may stand anywhere, as --name=value,
 * --name value, -x value or -xvalue; "--" ends them. The last value of a repeated option counts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "ctl/command.h"

struct arg_value {
        const struct command_option *option;
        const char *value; /* borrowed from argv; NULL: a switch */
};

struct args {
        const struct command *cmd; /* NULL: no command was named */
        struct arg_value *values;
        size_t n_values;
        const char **words; /* what is not an option, without the name of the command; ended by NULL */
        size_t n_words;
        char *hint; /* beside a refusal: what may have been meant; NULL: none */
};

#define ARGS_INIT                                                                                            \
        {                                                                                                    \
                .cmd = NULL                                                                                  \
        }

/* 0; -EINVAL with the reason in `err`. Also then `args` holds what was understood (so that --help is
 * honoured), and wants args_deinit(). */
int args_parse(struct args *args, int argc, char *const *argv, struct errinfo *err);
/* Whether the number of words is what the command takes: 0 or -EINVAL. Apart from args_parse(), so that
 * --help needs no arguments. */
int args_check_count(const struct args *args, struct errinfo *err);
void args_deinit(struct args *args);

bool args_has(const struct args *args, const char *option);
/* The value, or NULL when the option was not given. */
const char *args_value(const struct args *args, const char *option);
/* The i-th word, or NULL. */
const char *args_word(const struct args *args, size_t i);
