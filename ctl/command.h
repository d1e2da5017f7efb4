/*
 * command.h - what a command of orchctl is: one constant struct that holds its name, arguments, options, help
 * and function together, in the file of that command. The table in command.c lists them all; parsing, help,
 * the manual page and completion are derived from it and from nothing else.
 */
#pragma once

#include <stddef.h>

struct ctl;

struct command_option {
        const char *name;  /* without the dashes */
        char letter;       /* 0: none */
        const char *value; /* what stands for its value in help; NULL: a switch */
        const char *help;
};

struct command_example {
        const char *line; /* what to type */
        const char *what; /* what it is for */
};

/* The order in which `orchctl help` shows them. */
enum command_group { GROUP_SUITE, GROUP_LOOK, GROUP_ACT, GROUP_SETUP, GROUP_HELP, GROUP_COUNT };

#define COMMAND_ANY_ARGS (-1)

struct command {
        const char *name; /* one word, or two: "item create" */
        enum command_group group;
        const char *args; /* as the synopsis shows them; "" for none */
        int min_args;
        int max_args;        /* or COMMAND_ANY_ARGS */
        const char *summary; /* one line, imperative, no full stop */
        const char *text;    /* what one must know to use it: paragraphs apart by an empty line */
        const char *json;    /* what --json prints; NULL: the command has no --json */
        const struct command_option *options;   /* ended by a NULL name; NULL: none */
        const struct command_example *examples; /* ended by a NULL line */
        int (*run)(struct ctl *ctl);            /* the exit code; says on stderr what went wrong */
};

/* All commands, in the order of help; ended by NULL. */
extern const struct command *const commands[];
/* Options that every command takes. */
extern const struct command_option command_common_options[];
/* The one of them that only commands with `json` take. */
extern const struct command_option command_json_option;

const char *command_group_title(enum command_group group);

/* The command whose name the first words spell, and how many words that took; NULL when there is none. */
const struct command *command_find(const char *const *words, size_t n_words, size_t *ret_used);
/* The name nearest to what was typed, within a small edit distance, or NULL. */
const char *command_nearest(const char *const *words, size_t n_words);
/* An option of `cmd` (which may be NULL) or a common one, by name or by letter; NULL when there is none. */
const struct command_option *command_option(const struct command *cmd, const char *name, size_t len);
const struct command_option *command_option_letter(const struct command *cmd, char letter);
/* Calls fn for each option that `cmd` takes, its own first. */
typedef void command_option_fn(void *arg, const struct command_option *option);
void command_each_option(const struct command *cmd, command_option_fn *fn, void *arg);
