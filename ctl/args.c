/*
 * args.c - parsing in two passes: the first finds the command, because only then is it known which options
 * take a value; the common options, which may stand before its name, are known to both.
 */
#include "ctl/args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/nearest.h"

/* One word of the command line as an option. */
struct option_word {
        const struct command_option *option; /* NULL: unknown */
        const char *attached;                /* behind "=" or right behind the letter; NULL: nothing */
};

static struct option_word read_option(const struct command *cmd, const char *word)
{
        struct option_word o = {.option = NULL};
        if (word[1] != '-') {
                o.option = command_option_letter(cmd, word[1]);
                o.attached = word[2] != '\0' ? word + 2 : NULL;
                return o;
        }
        size_t len = strcspn(word + 2, "=");
        o.option = command_option(cmd, word + 2, len);
        o.attached = word[2 + len] == '=' ? word + 2 + len + 1 : NULL;
        return o;
}

static bool looks_like_option(const char *word)
{
        return word[0] == '-' && word[1] != '\0';
}

/* Collects the words before the first "--" that are neither options nor the value of a common option. */
static size_t leading_words(int argc, char *const *argv, const char **words, size_t max)
{
        size_t n = 0;
        for (int i = 1; i < argc && n < max; i++) {
                if (strcmp(argv[i], "--") == 0)
                        break;
                if (!looks_like_option(argv[i])) {
                        words[n++] = argv[i];
                        continue;
                }
                struct option_word o = read_option(NULL, argv[i]);
                if (o.option != NULL && o.option->value != NULL && o.attached == NULL)
                        i++;
        }
        return n;
}

struct unknown_option {
        const char *word;
        struct nearest nearest;
};

static void on_candidate(void *arg, const struct command_option *option)
{
        struct unknown_option *u = arg;
        nearest_try(&u->nearest, u->word, option->name);
}

static int refuse_option(struct args *args, const char *word, struct errinfo *err)
{
        err_set(err, "", "%s does not know the option %.*s", args->cmd != NULL ? args->cmd->name : "orchctl",
                (int)strcspn(word, "="), word);
        _cleanup_(freep) char *name = xstrndup(word, strcspn(word, "="));
        struct unknown_option u = {.word = name + strspn(name, "-"), .nearest = NEAREST_INIT};
        command_each_option(args->cmd, on_candidate, &u);
        if (u.nearest.name != NULL && args->hint == NULL)
                args->hint = xasprintf("did you mean --%s?", u.nearest.name);
        return -EINVAL;
}

static int add_option(struct args *args, const struct option_word *o, const char *next, bool *ret_took_next,
                      struct errinfo *err)
{
        const char *value = o->attached;
        *ret_took_next = false;
        if (o->option->value == NULL && value != NULL) {
                err_set(err, "", "--%s takes no value", o->option->name);
                return -EINVAL;
        }
        if (o->option->value != NULL && value == NULL) {
                if (next == NULL) {
                        err_set(err, "", "--%s wants a value: %s", o->option->name, o->option->value);
                        return -EINVAL;
                }
                value = next;
                *ret_took_next = true;
        }
        args->values = xrealloc(args->values, (args->n_values + 1) * sizeof(*args->values));
        args->values[args->n_values++] = (struct arg_value){o->option, value};
        return 0;
}

static void add_word(struct args *args, const char *word)
{
        args->words = xrealloc(args->words, (args->n_words + 2) * sizeof(*args->words));
        args->words[args->n_words++] = word;
        args->words[args->n_words] = NULL;
}

int args_parse(struct args *args, int argc, char *const *argv, struct errinfo *err)
{
        const char *leading[2] = {NULL, NULL};
        size_t n_leading = leading_words(argc, argv, leading, ARRAY_SIZE(leading)), name_words = 0;
        args->cmd = command_find(leading, n_leading, &name_words);
        bool options_ended = false;
        int r = 0;
        for (int i = 1; i < argc; i++) {
                if (!options_ended && strcmp(argv[i], "--") == 0) {
                        options_ended = true;
                } else if (options_ended || !looks_like_option(argv[i])) {
                        if (name_words > 0)
                                name_words--;
                        else
                                add_word(args, argv[i]);
                } else {
                        struct option_word o = read_option(args->cmd, argv[i]);
                        bool took_next = false;
                        int step = o.option == NULL ? refuse_option(args, argv[i], err)
                                                    : add_option(args, &o, argv[i + 1], &took_next, err);
                        r = r < 0 ? r : step;
                        i += took_next;
                }
        }
        return r;
}

int args_check_count(const struct args *args, struct errinfo *err)
{
        const struct command *cmd = args->cmd;
        int n = (int)args->n_words;
        if (n < cmd->min_args) {
                err_set(err, "", "%s wants %s", cmd->name, cmd->args);
                return -EINVAL;
        }
        if (cmd->max_args != COMMAND_ANY_ARGS && n > cmd->max_args) {
                err_set(err, "", "%s does not take \"%s\"", cmd->name, args->words[cmd->max_args]);
                return -EINVAL;
        }
        return 0;
}

void args_deinit(struct args *args)
{
        free(args->values);
        free(args->words);
        free(args->hint);
        *args = (struct args)ARGS_INIT;
}

static const struct arg_value *last_given(const struct args *args, const char *option)
{
        for (size_t i = args->n_values; i > 0; i--)
                if (strcmp(args->values[i - 1].option->name, option) == 0)
                        return &args->values[i - 1];
        return NULL;
}

bool args_has(const struct args *args, const char *option)
{
        return last_given(args, option) != NULL;
}

const char *args_value(const struct args *args, const char *option)
{
        const struct arg_value *v = last_given(args, option);
        return v != NULL ? v->value : NULL;
}

const char *args_word(const struct args *args, size_t i)
{
        return i < args->n_words ? args->words[i] : NULL;
}
