/*
 * conninfo.c - see conninfo.h. The grammar is libpq's: a URI, or words KEYWORD=VALUE.
 *
 * A password with a blank or a quote that was not escaped looks like further words. So once a secret has been
 * met, only words that are known are shown; from any other on, nothing is.
 */
#include "common/conninfo.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "common/strbuf.h"

#define HIDDEN "***"

/* Shown although a secret came before. */
static const char *const known[] = {
        "application_name",
        "connect_timeout",
        "dbname",
        "host",
        "hostaddr",
        "options",
        "passfile",
        "port",
        "service",
        "sslcert",
        "sslkey",
        "sslmode",
        "sslrootcert",
        "target_session_attrs",
        "user",
        "gssencmode",
};

static bool is_known(const char *word, size_t len)
{
        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (strlen(known[i]) == len && memcmp(known[i], word, len) == 0)
                        return true;
        return false;
}

static bool has_part(const char *word, size_t len, const char *part)
{
        size_t n = strlen(part);
        for (size_t i = 0; i + n <= len; i++)
                if (strncasecmp(word + i, part, n) == 0)
                        return true;
        return false;
}

/* "password", "sslpassword", and what later libraries may add. In a URI a keyword may be written with '%'. */
static bool is_secret(const char *word, size_t len)
{
        return has_part(word, len, "password") || has_part(word, len, "secret") ||
               memchr(word, '%', len) != NULL;
}

static size_t blanks(const char *p)
{
        size_t n = 0;
        while (isspace((unsigned char)p[n]))
                n++;
        return n;
}

/* ---- words ---- */

/* The length of a value; 0 with *ret_broken set when its quote is not closed. */
static size_t value_len(const char *p, bool *ret_broken)
{
        bool quoted = *p == '\'';
        size_t n = quoted;
        while (p[n] != '\0' && !(quoted ? p[n] == '\'' : isspace((unsigned char)p[n])))
                n += p[n] == '\\' && p[n + 1] != '\0' ? 2 : 1;
        *ret_broken = quoted && p[n] == '\0';
        return n + (quoted && !*ret_broken);
}

static void show_words(const char *p, struct strbuf *sb)
{
        bool hidden = false;
        while (*p != '\0') {
                size_t gap = blanks(p);
                const char *word = p + gap;
                size_t name = strcspn(word, "= \t\n\v\f\r");
                size_t equals = name + blanks(word + name);
                bool broken = word[equals] != '=';
                const char *value = word + equals + !broken;
                value += broken ? 0 : blanks(value);
                size_t len = broken ? 0 : value_len(value, &broken);
                strbuf_add(sb, p, gap);
                if (*word == '\0')
                        return;
                if (broken || (hidden && !is_secret(word, name) && !is_known(word, name))) {
                        strbuf_addstr(sb, hidden || is_secret(word, strlen(word)) ? HIDDEN : word);
                        return;
                }
                strbuf_add(sb, word, (size_t)(value - word));
                if (is_secret(word, name)) {
                        strbuf_addstr(sb, HIDDEN);
                        hidden = true;
                } else {
                        strbuf_add(sb, value, len);
                }
                p = value + len;
        }
}

/* ---- URI ---- */

static void show_parameters(const char *p, struct strbuf *sb)
{
        while (*p != '\0') {
                size_t len = strcspn(p, "&");
                const char *equals = memchr(p, '=', len);
                if (equals != NULL && is_secret(p, (size_t)(equals - p)))
                        strbuf_addf(sb, "%.*s" HIDDEN, (int)(equals - p + 1), p);
                else
                        strbuf_add(sb, p, len);
                p += len;
                if (*p == '&')
                        strbuf_add(sb, p++, 1);
        }
}

/* Up to the last '@', wherever it stands: one in a password should have been written "%40". */
static void show_uri(const char *uri, const char *rest, struct strbuf *sb)
{
        const char *at = strrchr(rest, '@');
        const char *colon = at != NULL ? memchr(rest, ':', (size_t)(at - rest)) : NULL;
        const char *shown = colon != NULL ? at : uri;
        if (colon != NULL)
                strbuf_addf(sb, "%.*s" HIDDEN, (int)(colon - uri + 1), uri);
        size_t len = strcspn(shown, "?");
        len += shown[len] == '?';
        strbuf_add(sb, shown, len);
        show_parameters(shown + len, sb);
}

void conninfo_show(const char *conninfo, struct strbuf *sb)
{
        const char *scheme = strstr(conninfo, "://");
        size_t before = strcspn(conninfo, "= ");
        if (scheme != NULL && (size_t)(scheme - conninfo) < before)
                show_uri(conninfo, scheme + 3, sb);
        else
                show_words(conninfo, sb);
}

const char *conninfo_reason(const char *conninfo, const char *reason)
{
        _cleanup_(strbuf_deinit) struct strbuf shown = STRBUF_INIT;
        conninfo_show(conninfo, &shown);
        if (strcmp(shown.buf, conninfo) != 0)
                return "there is a password in it, so the reason is not shown; with passfile=FILE instead it "
                       "is";
        return reason != NULL ? reason : "out of memory";
}
