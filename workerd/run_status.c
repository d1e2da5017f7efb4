/* run_status.c - a strict reader of `key=value` lines, and the last bytes of a log. */
#include "workerd/run_status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/utf8.h"

#define STATUS_MAX_BYTES 4096

enum { HAS_OUTCOME = 1, HAS_CODE = 2, HAS_SIGNAL = 4, HAS_STARTED = 8, HAS_ENDED = 16, HAS_ALL = 31 };

static int set_outcome(struct run_status *st, const char *value)
{
        static const char *const names[] = {
                [RUN_EXITED] = "exited",   [RUN_SIGNALED] = "signaled",         [RUN_TIMEOUT] = "timeout",
                [RUN_STOPPED] = "stopped", [RUN_START_FAILED] = "start-failed",
        };
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                if (strcmp(value, names[i]) == 0) {
                        st->end = (enum run_end)i;
                        return HAS_OUTCOME;
                }
        }
        return -EINVAL;
}

static bool number(const char *value, int64_t *ret)
{
        char *end;
        errno = 0;
        *ret = strtoll(value, &end, 10);
        return errno == 0 && end != value && *end == '\0';
}

static int set_int(int *field, const char *value, int has)
{
        int64_t n;
        if (!number(value, &n) || n < -1 || n > INT32_MAX)
                return -EINVAL;
        *field = (int)n;
        return has;
}

static int set_long(int64_t *field, const char *value, int has)
{
        return number(value, field) && *field >= 0 ? has : -EINVAL;
}

static int set_text(char *field, size_t size, const char *value)
{
        if (strlen(value) >= size)
                return -EINVAL;
        memcpy(field, value, strlen(value) + 1);
        return 0;
}

/* Which required line this was, 0 for another one, or -EINVAL. Lines of later releases are passed over. */
static int set_line(struct run_status *st, const char *key, const char *value)
{
        if (strcmp(key, "outcome") == 0)
                return set_outcome(st, value);
        if (strcmp(key, "code") == 0)
                return set_int(&st->code, value, HAS_CODE);
        if (strcmp(key, "signal") == 0)
                return set_int(&st->signo, value, HAS_SIGNAL);
        if (strcmp(key, "stop_reason") == 0)
                return set_text(st->stop_reason, sizeof(st->stop_reason), value);
        if (strcmp(key, "error") == 0)
                return set_text(st->error, sizeof(st->error), value);
        if (strcmp(key, "started_ms") == 0)
                return set_long(&st->started_ms, value, HAS_STARTED);
        if (strcmp(key, "ended_ms") == 0)
                return set_long(&st->ended_ms, value, HAS_ENDED);
        if (strcmp(key, "log_bytes") == 0)
                return set_long(&st->log_bytes, value, 0);
        if (strcmp(key, "survivors") == 0)
                return set_int(&st->survivors, value, 0);
        return 0;
}

int run_status_parse(const char *text, size_t len, struct run_status *ret)
{
        struct run_status st = {.code = -1};
        int seen = 0;
        if (len == 0 || len > STATUS_MAX_BYTES || text[len - 1] != '\n' || memchr(text, '\0', len) != NULL)
                return -EINVAL;
        _cleanup_(freep) char *copy = xstrndup(text, len);
        char *rest = NULL;
        for (char *line = strtok_r(copy, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
                char *eq = strchr(line, '=');
                if (eq == NULL)
                        return -EINVAL;
                *eq = '\0';
                int r = set_line(&st, line, eq + 1);
                if (r < 0 || (seen & r) != 0)
                        return -EINVAL;
                seen |= r;
        }
        if (seen != HAS_ALL)
                return -EINVAL;
        *ret = st;
        return 0;
}

int run_status_read(const char *status_path, struct run_status *ret, struct errinfo *err)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        int r = strbuf_read_own_file(&sb, status_path, STATUS_MAX_BYTES);
        if (r == 0)
                r = run_status_parse(sb.buf, sb.len, ret);
        if (r < 0)
                err_set(err, "", "could not read run status \"%s\": %s", status_path, log_errno_text(r));
        return r;
}

/* ---- the log ---- */

/* Appends the last `max` bytes of one file; what is not there adds nothing. */
static int add_tail(const char *path, size_t max, struct strbuf *sb)
{
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        struct stat st;
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        off_t at = st.st_size > (off_t)max ? st.st_size - (off_t)max : 0;
        strbuf_reserve(sb, max);
        char buf[4096];
        ssize_t n;
        while (max > 0 && (n = pread(fd, buf, max < sizeof(buf) ? max : sizeof(buf), at)) > 0) {
                strbuf_add(sb, buf, (size_t)n);
                at += n;
                max -= (size_t)n;
        }
        return 0;
}

static void add_valid(struct strbuf *sb, const char *text, size_t len)
{
        while (len > 0) {
                uint32_t cp;
                size_t n = utf8_decode(text, len, &cp);
                if (n == 0 || cp == 0) {
                        strbuf_addstr(sb, "\xef\xbf\xbd");
                        n = 1;
                } else {
                        strbuf_add(sb, text, n);
                }
                text += n;
                len -= n;
        }
}

int run_status_log_tail(const char *log_path, size_t max, struct strbuf *sb)
{
        _cleanup_(freep) char *previous = xasprintf("%s.tail.1", log_path);
        _cleanup_(freep) char *tail = xasprintf("%s.tail", log_path);
        _cleanup_(strbuf_deinit) struct strbuf all = STRBUF_INIT;
        const char *const paths[] = {log_path, previous, tail};
        for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
                int r = add_tail(paths[i], max, &all);
                if (r < 0)
                        return r;
        }
        const char *text = all.buf;
        size_t len = all.len;
        if (len > max) {
                text += len - max;
                len = max;
        }
        const char *nl = len == max ? memchr(text, '\n', len) : NULL;
        if (nl != NULL && nl + 1 < text + len) {
                len -= (size_t)(nl + 1 - text);
                text = nl + 1;
        }
        add_valid(sb, text, len);
        return 0;
}
