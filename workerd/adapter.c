/* adapter.c - see adapter.h. */
#include "workerd/adapter.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/strbuf.h"
#include "workerd/claude.h"

static const struct {
        const char *name, *result_prefix;
} adapters[] = {
#define ADAPTER(id, name, result_prefix) [ADAPTER_##id] = {name, result_prefix},
#include "workerd/adapters.def"
#undef ADAPTER
};

/* ---- which one ---- */

static struct options_role options_of(const struct options *o, const char *role)
{
        struct options_role roles[OPTIONS_ROLES], found = {role, o->agent_command, o->agent_adapter};
        options_roles(o, roles);
        for (size_t i = 0; i < OPTIONS_ROLES; i++) {
                if (strcmp(roles[i].role, role) != 0)
                        continue;
                if (roles[i].command[0] != '\0')
                        found.command = roles[i].command;
                if (roles[i].adapter[0] != '\0')
                        found.adapter = roles[i].adapter;
        }
        return found;
}

const char *adapter_command(const struct options *opt, const char *role)
{
        return options_of(opt, role).command;
}

static int by_name(const char *name)
{
        for (size_t i = 0; i < ARRAY_SIZE(adapters); i++)
                if (strcmp(adapters[i].name, name) == 0)
                        return (int)i;
        return -EINVAL;
}

static const char *base_name(const char *path)
{
        const char *slash = strrchr(path, '/');
        return slash != NULL ? slash + 1 : path;
}

/* What is ours to say: a command that says it too would be started in two ways at once. */
static int check_claude(const struct argv *words, struct errinfo *err)
{
        static const char *const ours[] = {
                "--output-format", "--input-format", "--session-id", "--resume", "-r", "--continue", "-c",
                "--fork-session"};
        for (size_t i = 1; i < words->n; i++) {
                size_t len = strcspn(words->words[i], "=");
                for (size_t k = 0; k < ARRAY_SIZE(ours); k++) {
                        if (strlen(ours[k]) != len || strncmp(words->words[i], ours[k], len) != 0)
                                continue;
                        err_set(err, "", "the command says %s, which the adapter claude adds itself",
                                ours[k]);
                        return -EINVAL;
                }
        }
        return 0;
}

int adapter_find(const struct options *opt, const char *role, enum adapter *ret, struct errinfo *err)
{
        _cleanup_(argv_deinit) struct argv words = ARGV_INIT;
        struct options_role of = options_of(opt, role);
        int r = argv_split(&words, of.command, err);
        if (r < 0)
                return r;
        int found = by_name(of.adapter);
        if (strcmp(of.adapter, "auto") == 0) {
                found = by_name(base_name(words.words[0]));
                if (found < 0)
                        found = ADAPTER_COMMAND;
        }
        if (found < 0) {
                err_set(err, "", "there is no adapter \"%s\"", of.adapter);
                return found;
        }
        r = found == ADAPTER_CLAUDE ? check_claude(&words, err) : 0;
        if (r == 0)
                *ret = (enum adapter)found;
        return r;
}

const char *adapter_name(enum adapter a)
{
        return adapters[a].name;
}

const char *adapter_result_prefix(enum adapter a)
{
        return adapters[a].result_prefix;
}

/* ---- its words ---- */

static const char *place(char letter, const struct run_dir *rd)
{
        switch (letter) {
        case 't':
                return rd->tree;
        case 'h':
                return rd->home;
        case 'T':
                return rd->tmp;
        case 'f':
                return rd->task_file;
        case '%':
                return "%";
        default:
                return NULL;
        }
}

static int add_wrapper_word(struct argv *words, const char *word, const struct run_dir *rd,
                            struct errinfo *err)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        for (const char *c = word; *c != '\0'; c++) {
                const char *value = *c == '%' ? place(c[1], rd) : NULL;
                if (*c == '%' && value == NULL) {
                        err_set(err, "",
                                "agent_wrapper: %%%c stands for nothing; there are %%t %%h %%T %%f %%%%",
                                c[1] != '\0' ? c[1] : ' ');
                        return -EINVAL;
                }
                if (value != NULL) {
                        strbuf_addstr(&sb, value);
                        c++;
                } else {
                        strbuf_addch(&sb, *c);
                }
        }
        argv_add(words, sb.buf);
        return 0;
}

static int add_wrapper(struct argv *words, const char *line, const struct run_dir *rd, struct errinfo *err)
{
        _cleanup_(argv_deinit) struct argv wrapper = ARGV_INIT;
        int r = line[0] != '\0' ? argv_split(&wrapper, line, err) : 0;
        for (size_t i = 0; r == 0 && i < wrapper.n; i++)
                r = add_wrapper_word(words, wrapper.words[i], rd, err);
        return r;
}

static bool has_word(const struct argv *words, size_t from, const char *word)
{
        for (size_t i = from; i < words->n; i++)
                if (strcmp(words->words[i], word) == 0)
                        return true;
        return false;
}

/* A session that is gone on with is forked: the transcript of each run is its own. Servers of tools come from
 * the command alone, not from the branch that the agent works on. */
static void add_claude(struct argv *words, size_t from, const struct adapter_session *session)
{
        if (!has_word(words, from, "-p") && !has_word(words, from, "--print"))
                argv_add(words, "-p");
        argv_add(words, "--output-format");
        argv_add(words, "stream-json");
        if (!has_word(words, from, "--verbose"))
                argv_add(words, "--verbose");
        if (!has_word(words, from, "--strict-mcp-config"))
                argv_add(words, "--strict-mcp-config");
        if (session->resumes != NULL) {
                argv_add(words, "--resume");
                argv_add(words, session->resumes);
                argv_add(words, "--fork-session");
        }
        if (session->id != NULL) {
                argv_add(words, "--session-id");
                argv_add(words, session->id);
        }
}

int adapter_words(enum adapter a, const struct options *opt, const char *role, const struct run_dir *rd,
                  const struct adapter_session *session, struct argv *words, struct errinfo *err)
{
        int r = add_wrapper(words, opt->agent_wrapper, rd, err);
        size_t from = words->n;
        if (r == 0)
                r = argv_split(words, adapter_command(opt, role), err);
        if (r == 0 && a == ADAPTER_CLAUDE)
                add_claude(words, from, session);
        return r;
}

/* ---- its environment ---- */

static bool has_name(const struct argv *env, const char *name)
{
        size_t len = strlen(name);
        for (size_t i = 0; i < env->n; i++)
                if (strncmp(env->words[i], name, len) == 0 && env->words[i][len] == '=')
                        return true;
        return false;
}

void adapter_env(enum adapter a, struct argv *env)
{
        static const char *const claude[] = {
                "DISABLE_AUTOUPDATER",                  /* a run has the version that it began with */
                "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", /* whose end nobody would wait for */
                "CLAUDE_CODE_SUBPROCESS_ENV_SCRUB", /* its credential is for itself, not for what it starts */
        };
        for (size_t i = 0; a == ADAPTER_CLAUDE && i < ARRAY_SIZE(claude); i++)
                if (!has_name(env, claude[i]))
                        argv_env(env, claude[i], "1");
}
