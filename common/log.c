/*
 * log.c - builds a line and hands it to the kernel in one write(2), so that lines of several processes on one
 * descriptor do not mix. What a value may not contain raw is decided here, for all of the suite.
 */
#include "common/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/metrics.h"
#include "common/strbuf.h"
#include "common/utf8.h"

static const char *const level_names[] = {
        [LOGL_ERROR] = "error",
        [LOGL_WARNING] = "warning",
        [LOGL_INFO] = "info",
        [LOGL_DEBUG] = "debug",
};

static struct {
        const char *daemon;
        enum log_level max_level;
} logger = {.daemon = "orch", .max_level = LOGL_INFO};

void log_init(const char *daemon_name, enum log_level max_level)
{
        logger.daemon = daemon_name;
        logger.max_level = max_level;
}

void log_set_level(enum log_level max_level)
{
        logger.max_level = max_level;
}

int log_level_parse(const char *name, enum log_level *ret_level)
{
        for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
                if (strcmp(name, level_names[i]) == 0) {
                        *ret_level = (enum log_level)i;
                        return 0;
                }
        }
        return -EINVAL;
}

const char *log_errno_text(int r)
{
        static char text[128];
        return strerror_r(r < 0 ? -r : r, text, sizeof(text));
}

/* Control characters, and what some readers take for the end of a line. */
static bool must_escape(uint32_t c)
{
        return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029;
}

static bool is_plain(const char *s, size_t len)
{
        for (size_t i = 0; i < len;) {
                uint32_t c;
                size_t n = utf8_decode(s + i, len - i, &c);
                if (n == 0 || must_escape(c) || c == ' ' || c == '"' || c == '=' || c == '\\')
                        return false;
                i += n;
        }
        return len > 0;
}

static void add_escaped(struct strbuf *sb, uint32_t c)
{
        static const char shorts[] = {['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['"'] = '"', ['\\'] = '\\'};

        if (c < sizeof(shorts) && shorts[c] != '\0')
                strbuf_addf(sb, "\\%c", shorts[c]);
        else
                strbuf_addf(sb, "\\u%04x", (unsigned)c);
}

/* A byte that is no UTF-8 becomes \xNN: a reader can tell it from a character that was sent. */
static void add_quoted(struct strbuf *sb, const char *s, size_t len)
{
        strbuf_addch(sb, '"');
        for (size_t i = 0; i < len;) {
                uint32_t c;
                size_t n = utf8_decode(s + i, len - i, &c);
                if (n == 0)
                        strbuf_addf(sb, "\\x%02x", (unsigned char)s[i]);
                else if (must_escape(c) || c == '"' || c == '\\')
                        add_escaped(sb, c);
                else
                        strbuf_add(sb, s + i, n);
                i += n > 0 ? n : 1;
        }
        strbuf_addch(sb, '"');
}

void log_format_field(struct strbuf *sb, const struct log_field *field)
{
        if (field->if_set && field->str[0] == '\0')
                return;
        strbuf_addf(sb, " %s=", field->key);
        if (field->str == NULL) {
                strbuf_addf(sb, "%lld", (long long)field->num);
                return;
        }
        size_t len = strlen(field->str);
        if (is_plain(field->str, len))
                strbuf_add(sb, field->str, len);
        else
                add_quoted(sb, field->str, len);
}

static void add_time(struct strbuf *sb)
{
        struct timespec now;
        struct tm tm;
        char text[32];

        (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
        (void)gmtime_r(&now.tv_sec, &tm);          /* fails beyond the year 2^31 only */
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
        strbuf_addf(sb, "ts=%s.%03ldZ", text, now.tv_nsec / 1000000);
}

static void write_line(const char *line, size_t len)
{
        while (len > 0) {
                ssize_t n = write(STDERR_FILENO, line, len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return; /* where would one log that the log is lost? */
                line += n;
                len -= (size_t)n;
        }
}

void log_write(enum log_level level, const struct log_field *fields, size_t n)
{
        if (level == LOGL_ERROR)
                metrics_count(METRIC_LOG_ERRORS, 1);
        if (level == LOGL_WARNING)
                metrics_count(METRIC_LOG_WARNINGS, 1);
        if (level > logger.max_level)
                return;

        int saved_errno = errno; /* callers log first and return -errno after */
        _cleanup_(strbuf_deinit) struct strbuf line = STRBUF_INIT;
        add_time(&line);
        strbuf_addf(&line, " level=%s daemon=%s pid=%d", level_names[level], logger.daemon, (int)getpid());
        for (size_t i = 0; i < n; i++)
                log_format_field(&line, &fields[i]);
        strbuf_addch(&line, '\n');
        write_line(line.buf, line.len);
        errno = saved_errno;
}
