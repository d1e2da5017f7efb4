/* options_cli.c - a daemon's command line, split into verbs and flags. Knows no option. */
#include "common/options_table.h"

#include <errno.h>
#include <string.h>

#include "common/argv.h"
#include "common/err.h"
#include "common/mem.h"

void options_cli_deinit(struct options_cli *c)
{
        argv_deinit(&c->flags);
}

static enum options_verb find_verb(const char *word)
{
        static const struct {
                const char *word;
                enum options_verb verb;
        } verbs[] = {
                {"--check-config", OPTIONS_VERB_CHECK}, {"--dump-config", OPTIONS_VERB_DUMP},
                {"--help", OPTIONS_VERB_HELP},          {"-h", OPTIONS_VERB_HELP},
                {"--version", OPTIONS_VERB_VERSION},
        };
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
                if (strcmp(word, verbs[i].word) == 0)
                        return verbs[i].verb;
        return OPTIONS_VERB_RUN;
}

/* Splits "--name=value", or "--name" and the word after it; a dash in a name is as good as an underscore.
 * Returns how many words that took, or -EINVAL. */
static int read_flag(char *const *words, char **ret_name, const char **ret_value, struct errinfo *err)
{
        if (strncmp(words[0], "--", 2) != 0 || words[0][2] == '\0') {
                err_set(err, NULL, "unexpected argument \"%s\"; see --help", words[0]);
                return -EINVAL;
        }
        const char *name = words[0] + 2;
        const char *equals = strchr(name, '=');
        const char *value = equals != NULL ? equals + 1 : words[1];
        if (value == NULL) {
                err_set(err, NULL, "%s needs a value", words[0]);
                return -EINVAL;
        }
        *ret_name = equals != NULL ? xstrndup(name, (size_t)(equals - name)) : xstrdup(name);
        for (char *p = *ret_name; *p != '\0'; p++)
                if (*p == '-')
                        *p = '_';
        *ret_value = value;
        return equals != NULL ? 1 : 2;
}

int options_cli_parse(int argc, char *const *argv, struct options_cli *c, struct errinfo *err)
{
        for (int i = 1; i < argc;) {
                _cleanup_(freep) char *name = NULL;
                const char *value;
                enum options_verb verb = find_verb(argv[i]);
                if (verb != OPTIONS_VERB_RUN) {
                        c->verb = verb > c->verb ? verb : c->verb;
                        i++;
                        continue;
                }
                int used = read_flag(argv + i, &name, &value, err);
                if (used < 0)
                        return used;
                i += used;
                if (strcmp(name, "config") == 0) {
                        c->path = value;
                        continue;
                }
                argv_add(&c->flags, name);
                argv_add(&c->flags, value);
        }
        return 0;
}
