/* ctl.c - the context of a command, and how it talks to the person who typed it. */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/conninfo.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/strbuf.h"
#include "ctl/pg.h"
#include "ctl/text.h"

#define OPERATOR_ROLE "orch_operator"

void ctl_deinit(struct ctl *c)
{
        pg_close(c->pg);
        options_free(c->opt);
        free(c->config_path);
        args_deinit(&c->args);
        c->pg = NULL;
        c->opt = NULL;
        c->config_path = NULL;
}

/* The file to read, or NULL: one that was named need not exist here, reading it then says so. */
static const char *find_config(const struct ctl *c)
{
        static const char *const places[] = {"./orchestrator.conf", "/etc/orchestrator/orchestrator.conf"};
        const char *named = args_value(&c->args, "config");
        if (named == NULL)
                named = getenv("ORCH_CONFIG");
        if (named != NULL && *named != '\0')
                return named;
        for (size_t i = 0; i < ARRAY_SIZE(places); i++)
                if (access(places[i], F_OK) == 0)
                        return places[i];
        return NULL;
}

int ctl_options(struct ctl *c)
{
        struct errinfo err = ERRINFO_INIT;
        if (c->opt != NULL)
                return EXIT_OK;
        const char *path = find_config(c);
        int r = options_load_file(path, &c->opt, &err);
        if (r != OPTIONS_OK) {
                (void)ctl_fail(EXIT_CONFIG, "%s", r < 0 && err.text[0] == '\0' ? strerror(-r) : err.text);
                ctl_hint("--config FILE or ORCH_CONFIG names the file; the manual page orchestrator.conf(5) "
                         "has "
                         "its options");
                return EXIT_CONFIG;
        }
        c->config_path = path != NULL ? xstrdup(path) : NULL;
        return EXIT_OK;
}

int ctl_pg_as(struct ctl *c, const char *user)
{
        if (c->pg != NULL)
                return EXIT_OK;
        int code = ctl_options(c);
        if (code != EXIT_OK)
                return code;
        struct errinfo err = ERRINFO_INIT;
        if (pg_open(c->opt->database, user, &c->pg, &err) == 0)
                return EXIT_OK;
        _cleanup_(strbuf_deinit) struct strbuf shown = STRBUF_INIT;
        conninfo_show(c->opt->database, &shown);
        (void)ctl_fail(EXIT_TEMPORARY, "cannot connect to the database: %s", err.text);
        ctl_hint("\"database\" is \"%s\" (%s%s); is PostgreSQL running there? `orchctl config dump` shows "
                 "the settings",
                 shown.buf, c->config_path != NULL ? "configuration " : "no configuration file found",
                 c->config_path != NULL ? c->config_path : "");
        return EXIT_TEMPORARY;
}

int ctl_pg(struct ctl *c)
{
        return ctl_pg_as(c, OPERATOR_ROLE);
}

int ctl_pg_quiet(struct ctl *c, struct errinfo *err)
{
        return pg_open(c->opt->database, OPERATOR_ROLE, &c->pg, err);
}

/* One line: what comes from a server or a file must not break it up or reach the terminal raw. */
static void __attribute__((format(printf, 2, 0))) say(const char *prefix, const char *fmt, va_list ap)
{
        _cleanup_(strbuf_deinit) struct strbuf raw = STRBUF_INIT, line = STRBUF_INIT;
        strbuf_vaddf(&raw, fmt, ap);
        strbuf_addstr(&line, prefix);
        text_clean(&line, raw.buf);
        strbuf_addch(&line, '\n');
        (void)fputs(line.buf, stderr); /* nowhere left to complain */
}

int ctl_fail(int code, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        say("orchctl: ", fmt, ap);
        va_end(ap);
        return code;
}

void ctl_hint(const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        say("hint: ", fmt, ap);
        va_end(ap);
}

void ctl_note(const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        say("", fmt, ap);
        va_end(ap);
}

/* "item" alone is the beginning of some commands: name them. */
static bool hint_group(const char *word)
{
        _cleanup_(strbuf_deinit) struct strbuf names = STRBUF_INIT;
        for (size_t i = 0; commands[i] != NULL; i++) {
                const char *name = commands[i]->name;
                size_t len = strlen(word);
                if (strncmp(name, word, len) == 0 && name[len] == ' ')
                        strbuf_addf(&names, "%s%s", names.len > 0 ? ", " : "", name);
        }
        if (names.len > 0)
                ctl_hint("there is: %s", names.buf);
        return names.len > 0;
}

int ctl_unknown_command(const char *const *words, size_t n_words)
{
        const char *nearest = command_nearest(words, n_words);
        (void)ctl_fail(EXIT_USAGE, "there is no command \"%s%s%s\"", words[0], n_words > 1 ? " " : "",
                       n_words > 1 ? words[1] : "");
        if (nearest != NULL)
                ctl_hint("did you mean `orchctl %s`?", nearest);
        else if (!hint_group(words[0]))
                ctl_hint("`orchctl help` lists the commands");
        return EXIT_USAGE;
}

int ctl_print(const struct strbuf *sb)
{
        for (size_t done = 0; done < sb->len;) {
                ssize_t n = write(STDOUT_FILENO, sb->buf + done, sb->len - done);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return ctl_fail(EXIT_FAILED, "cannot write to standard output: %s", strerror(errno));
                done += (size_t)n;
        }
        return EXIT_OK;
}

int ctl_duration_option(const struct ctl *c, const char *option, int64_t if_absent_ms, int64_t *ret_ms)
{
        const char *value = args_value(&c->args, option);
        if (value == NULL) {
                *ret_ms = if_absent_ms;
                return EXIT_OK;
        }
        if (options_parse_duration(value, ret_ms) == 0 && *ret_ms >= 0)
                return EXIT_OK;
        return ctl_fail(EXIT_USAGE, "--%s is \"%s\", and wants a time with its unit, such as 90s or 5m",
                        option, value);
}

int ctl_int_option(const struct ctl *c, const char *option, int64_t min, int64_t max, int64_t if_absent,
                   int64_t *ret)
{
        const char *value = args_value(&c->args, option);
        if (value == NULL) {
                *ret = if_absent;
                return EXIT_OK;
        }
        char *end = NULL;
        errno = 0;
        long long n = strtoll(value, &end, 10);
        if (errno == 0 && end != value && *end == '\0' && n >= min && n <= max) {
                *ret = n;
                return EXIT_OK;
        }
        return ctl_fail(EXIT_USAGE, "--%s is \"%s\", and wants a whole number from %lld to %lld", option,
                        value, (long long)min, (long long)max);
}

int64_t ctl_now_ms(void)
{
        struct timespec ts;
        (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
        return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void ctl_sleep_ms(int64_t ms)
{
        struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
        (void)nanosleep(&ts, NULL); /* a signal that does not end the process only makes it shorter */
}
