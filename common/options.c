/*
 * options.c - reads the sources in their order into one immutable struct, and reads them again at a reload.
 *
 * The struct that others see is the first member of ours; behind it we keep who owns the strings, where each
 * value came from, and the sources themselves.
 */
#include "common/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/argv.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/options_table.h"
#include "common/strbuf.h"

#define FILE_MAX_BYTES (1u << 20)

struct cell {
        char *text;    /* owns the value of a string */
        char *origin;  /* NULL: default */
        char *ignored; /* what a reload found and may not take; NULL: nothing */
};

struct loaded {
        struct options pub;
        struct cell *cells; /* one per row of the table */
        char *path;         /* of the file; NULL: none */
        struct argv flags;  /* name, value, name, value, ... */
};

static const struct loaded *loaded_of(const struct options *o)
{
        return (const struct loaded *)o;
}

void options_free(struct options *o)
{
        struct loaded *l = (struct loaded *)o;
        if (l == NULL)
                return;
        for (size_t i = 0; i < option_row_count; i++) {
                free(l->cells[i].text);
                free(l->cells[i].origin);
                free(l->cells[i].ignored);
        }
        free(l->cells);
        free(l->path);
        argv_deinit(&l->flags);
        free(l);
}

static void loaded_freep(struct loaded **l)
{
        options_free((struct options *)*l); /* which may be NULL */
}

static struct loaded *loaded_new(void)
{
        struct loaded *l = xcalloc(1, sizeof(*l));
        l->cells = xcalloc(option_row_count, sizeof(*l->cells));
        return l;
}

/* Takes `origin`. */
static void set_value(struct loaded *l, const struct option_row *row, const struct option_value *v,
                      char *origin)
{
        struct cell *cell = &l->cells[row - option_rows];
        struct option_value own = *v;
        if (row->type == OPTION_STRING) {
                char *text = xstrdup(v->text);
                free(cell->text);
                own.text = cell->text = text;
        }
        free(cell->origin);
        cell->origin = origin;
        option_value_put(&l->pub, row, &own);
}

static void set_defaults(struct loaded *l)
{
        for (size_t i = 0; i < option_row_count; i++) {
                const struct option_row *row = &option_rows[i];
                struct option_value v;
                struct errinfo err = ERRINFO_INIT;
                if (row->type == OPTION_HEADING)
                        continue;
                if (option_value_parse(row, row->def, &v, &err) < 0)
                        abort(); /* options.def is wrong; the unit test of options names the row */
                set_value(l, row, &v, NULL);
        }
}

static int find_row(const char *name, const struct option_row **ret, struct errinfo *err)
{
        const char *near = options_nearest(name);
        *ret = option_find(name);
        if (*ret != NULL)
                return 0;
        if (near != NULL)
                err_set(err, NULL, "unknown option \"%s\"; did you mean \"%s\"?", name, near);
        else
                err_set(err, NULL, "unknown option \"%s\"", name);
        return -EINVAL;
}

/* ---- the sources ---- */

static int on_file_setting(void *arg, unsigned line, const char *name, const char *value, struct errinfo *err)
{
        struct loaded *l = arg;
        const struct option_row *row;
        struct option_value v;
        int r = find_row(name, &row, err);
        if (r < 0) {
                err_set(err, NULL, "line %u: %s", line, err->text);
                return r;
        }
        const char *before = l->cells[row - option_rows].origin;
        if (before != NULL) {
                err_set(err, NULL, "line %u: option \"%s\" is set a second time, after %s", line, name,
                        before);
                return -EINVAL;
        }
        r = option_value_parse(row, value, &v, err);
        if (r < 0) {
                err_set(err, NULL, "line %u: option \"%s\": %s", line, name, err->text);
                return r;
        }
        set_value(l, row, &v, xasprintf("file:%u", line));
        return 0;
}

static int read_config(struct loaded *l, struct errinfo *err)
{
        _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
        if (l->path == NULL)
                return 0;
        int r = strbuf_read_file(&text, l->path, FILE_MAX_BYTES);
        if (r < 0) {
                err_set(err, NULL, "cannot read the configuration file %s: %s", l->path, log_errno_text(r));
                return OPTIONS_INVALID;
        }
        if (options_file_parse(text.buf, text.len, on_file_setting, l, err) < 0) {
                err_set(err, NULL, "%s: %s", l->path, err->text);
                return OPTIONS_INVALID;
        }
        return OPTIONS_OK;
}

static int read_environment(struct loaded *l, struct errinfo *err)
{
        for (size_t i = 0; i < option_row_count; i++) {
                const struct option_row *row = &option_rows[i];
                struct option_value v;
                if (row->type == OPTION_HEADING)
                        continue;
                _cleanup_(freep) char *name = xasprintf("ORCH_%s", row->name);
                for (char *p = name; *p != '\0'; p++)
                        *p = (char)toupper((unsigned char)*p);
                const char *text = getenv(name);
                if (text == NULL)
                        continue;
                if (option_value_parse(row, text, &v, err) < 0) {
                        err_set(err, NULL, "environment variable %s: %s", name, err->text);
                        return OPTIONS_INVALID;
                }
                set_value(l, row, &v, xstrdup("environment"));
        }
        return OPTIONS_OK;
}

static int read_flags(struct loaded *l, struct errinfo *err)
{
        for (size_t i = 0; i + 1 < l->flags.n; i += 2) {
                const struct option_row *row;
                struct option_value v;
                if (find_row(l->flags.words[i], &row, err) < 0)
                        return OPTIONS_INVALID;
                if (option_value_parse(row, l->flags.words[i + 1], &v, err) < 0) {
                        err_set(err, NULL, "--%s: %s", row->name, err->text);
                        return OPTIONS_INVALID;
                }
                set_value(l, row, &v, xstrdup("flag"));
        }
        return OPTIONS_OK;
}

/* `path` may be NULL; `flags` are copied. */
static int load(const char *path, const struct argv *flags, struct loaded **ret, struct errinfo *err)
{
        _cleanup_(loaded_freep) struct loaded *l = loaded_new();
        l->path = path != NULL ? xstrdup(path) : NULL;
        for (size_t i = 0; i < flags->n; i++)
                argv_add(&l->flags, flags->words[i]);

        set_defaults(l);
        int r = read_config(l, err);
        if (r == OPTIONS_OK)
                r = read_environment(l, err);
        if (r == OPTIONS_OK)
                r = read_flags(l, err);
        if (r == OPTIONS_OK && options_check(&l->pub, err) < 0)
                r = OPTIONS_INVALID;
        if (r == OPTIONS_OK)
                *ret = take_ptr(l);
        return r;
}

static const char *path_from_environment(void)
{
        const char *path = getenv("ORCH_CONFIG");
        return path != NULL && path[0] != '\0' ? path : NULL;
}

/* ---- for others ---- */

/* What a verb prints instead of a run. */
static int obey(const struct options_cli *c, const struct loaded *l)
{
        int r = 0;
        if (c->verb == OPTIONS_VERB_DUMP)
                r = options_print_config(&l->pub);
        else if (printf("%s: the configuration is valid\n", l->path != NULL ? l->path : "no file") < 0)
                r = -EIO;
        return r < 0 ? r : OPTIONS_DONE;
}

int options_load(int argc, char *const *argv, const char *program, const char *summary, struct options **ret,
                 struct errinfo *err)
{
        struct errinfo unheard = ERRINFO_INIT;
        _cleanup_(options_cli_deinit) struct options_cli c = {.path = path_from_environment()};
        err = err != NULL ? err : &unheard; /* texts are built on one another */
        if (options_cli_parse(argc, argv, &c, err) < 0)
                return OPTIONS_INVALID;
        int r;
        if (c.verb == OPTIONS_VERB_HELP || c.verb == OPTIONS_VERB_VERSION) {
                r = c.verb == OPTIONS_VERB_HELP ? options_print_help(program, summary)
                                                : options_print_version(program);
                return r < 0 ? r : OPTIONS_DONE;
        }

        _cleanup_(loaded_freep) struct loaded *l = NULL;
        r = load(c.path, &c.flags, &l, err);
        if (r == OPTIONS_OK && c.verb != OPTIONS_VERB_RUN)
                return obey(&c, l);
        if (r == OPTIONS_OK)
                *ret = &take_ptr(l)->pub;
        return r;
}

int options_load_file(const char *path, struct options **ret, struct errinfo *err)
{
        struct errinfo unheard = ERRINFO_INIT;
        const struct argv none = ARGV_INIT;
        struct loaded *l;
        int r = load(path != NULL ? path : path_from_environment(), &none, &l, err != NULL ? err : &unheard);
        if (r == OPTIONS_OK)
                *ret = &l->pub;
        return r;
}

/* ---- reload ---- */

/* Puts back what may not change, and keeps what was asked for as text. */
static void keep_running_values(struct loaded *next, const struct loaded *old)
{
        for (size_t i = 0; i < option_row_count; i++) {
                const struct option_row *row = &option_rows[i];
                if (row->type == OPTION_HEADING || row->reloadable)
                        continue;
                struct option_value was = option_value_get(&old->pub, row);
                struct option_value asked = option_value_get(&next->pub, row);
                if (option_value_equal(row->type, &was, &asked))
                        continue;
                struct strbuf text = STRBUF_INIT;
                option_value_show(row, &asked, &text);
                next->cells[i].ignored = strbuf_take(&text);
                set_value(next, row, &was,
                          old->cells[i].origin != NULL ? xstrdup(old->cells[i].origin) : NULL);
        }
}

int options_reload(const struct options *old, struct options **ret, struct errinfo *err)
{
        struct errinfo unheard = ERRINFO_INIT;
        const struct loaded *running = loaded_of(old);
        struct loaded *next;
        int r = load(running->path, &running->flags, &next, err != NULL ? err : &unheard);
        if (r != OPTIONS_OK)
                return r;
        keep_running_values(next, running);
        *ret = &next->pub;
        return OPTIONS_OK;
}

int options_log_ignored_changes(const struct options *running, const struct options *next)
{
        int n = 0;
        for (size_t i = 0; i < option_row_count; i++) {
                const char *ignored = loaded_of(next)->cells[i].ignored;
                if (ignored == NULL)
                        continue;
                _cleanup_(strbuf_deinit) struct strbuf kept = STRBUF_INIT;
                struct option_value v = option_value_get(running, &option_rows[i]);
                option_value_show(&option_rows[i], &v, &kept);
                log_warning(EV("config.needs-restart"), LF_S("option", option_rows[i].name),
                            LF_S("kept", kept.buf), LF_S("ignored", ignored));
                n++;
        }
        return n;
}

const char *options_origin(const struct options *o, const struct option_row *row)
{
        const char *origin = loaded_of(o)->cells[row - option_rows].origin;
        return origin != NULL ? origin : "default";
}

struct options *options_defaults(void)
{
        struct loaded *l = loaded_new();
        set_defaults(l);
        return &l->pub;
}
