/* handover.c - writes, reads and checks what handover.h describes. */
#include "supervisor/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/strbuf.h"

#define TITLE "orch-handover"
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

struct field {
        const char *name;
        size_t offset;
        int64_t min, max;
};

static const struct {
        const char *name;
        size_t offset;
} text_fields[] = {
#define HANDOVER_TEXT(field) {#field, offsetof(struct handover, field)},
#include "supervisor/handover.def"
};

static const struct field suite_fields[] = {
#define HANDOVER_SUITE(field, min, max) {#field, offsetof(struct handover, field), (min), (max)},
#include "supervisor/handover.def"
};

static const struct field child_fields[] = {
#define HANDOVER_CHILD(field, min, max) {#field, offsetof(struct handover_child, field), (min), (max)},
#include "supervisor/handover.def"
};

static char **text_of(const struct handover *h, size_t i)
{
        return (char **)((char *)h + text_fields[i].offset);
}

void handover_deinit(struct handover *h)
{
        for (size_t i = 0; i < ARRAY_SIZE(text_fields); i++)
                free(*text_of(h, i));
        free(h->children);
        *h = (struct handover)HANDOVER_INIT;
}

struct handover_child *handover_add_child(struct handover *h, const char *service)
{
        struct handover_child *c;

        h->children = xrealloc(h->children, (h->n_children + 1) * sizeof(*h->children));
        c = &h->children[h->n_children++];
        memset(c, 0, sizeof(*c));
        (void)snprintf(c->service, sizeof(c->service), "%s", service); /* those of services.def fit */
        return c;
}

/* --- writing --- */

static void add_fields(struct strbuf *sb, const struct field *fields, size_t n, const void *base)
{
        for (size_t i = 0; i < n; i++) {
                int64_t value;

                memcpy(&value, (const char *)base + fields[i].offset, sizeof(value));
                strbuf_addf(sb, "%s %" PRId64 "\n", fields[i].name, value);
        }
}

static void format(const struct handover *h, struct strbuf *sb)
{
        strbuf_addf(sb, TITLE " %d\n", HANDOVER_VERSION);
        for (size_t i = 0; i < ARRAY_SIZE(text_fields); i++)
                strbuf_addf(sb, "%s %s\n", text_fields[i].name, *text_of(h, i));
        add_fields(sb, suite_fields, ARRAY_SIZE(suite_fields), h);
        strbuf_addf(sb, "children %zu\n", h->n_children);
        for (size_t i = 0; i < h->n_children; i++) {
                strbuf_addf(sb, "child %s\n", h->children[i].service);
                add_fields(sb, child_fields, ARRAY_SIZE(child_fields), &h->children[i]);
        }
        strbuf_addstr(sb, "end\n");
}

static int fill_and_seal(int fd, const struct strbuf *sb)
{
        ssize_t n = pwrite(fd, sb->buf, sb->len, 0);

        if (n != (ssize_t)sb->len)
                return n < 0 ? -errno : -EIO;
        return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

int handover_write(const struct handover *h, int *ret_fd, struct errinfo *err)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        int fd = memfd_create(TITLE, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r;

        format(h, &sb);
        r = fd < 0 ? -errno : fill_and_seal(fd, &sb);
        if (r < 0) {
                err_set(err, NULL, "the state cannot be written down: %s", log_errno_text(r));
                closep(&fd);
                return r;
        }
        *ret_fd = fd;
        return 0;
}

/* --- reading --- */

struct reader {
        char *at; /* the rest: lines, each ended by NUL once it was read */
        unsigned line;
        struct errinfo *err;
};

static int refuse(const struct reader *r, const char *wanted)
{
        err_set(r->err, NULL, "what was handed over is not understood: line %u is not %s", r->line, wanted);
        return -EPROTO;
}

/* The next line must be `name value`, or with no `ret_value` the name alone. */
static int read_line(struct reader *r, const char *name, const char **ret_value)
{
        size_t len = strlen(name);
        char *end = strchr(r->at, '\n'), *line = r->at;

        r->line++;
        if (end == NULL || strncmp(line, name, len) != 0 || line[len] != (ret_value != NULL ? ' ' : '\n'))
                return refuse(r, name);
        *end = '\0';
        r->at = end + 1;
        if (ret_value != NULL)
                *ret_value = line + len + 1;
        return 0;
}

/* strtoll() would also take blanks, a plus sign and leading zeros. */
static int read_number(struct reader *r, const struct field *field, int64_t *ret)
{
        _cleanup_(strbuf_deinit) struct strbuf again = STRBUF_INIT;
        const char *text;
        int rc = read_line(r, field->name, &text);
        long long value;

        if (rc < 0)
                return rc;
        errno = 0;
        value = strtoll(text, NULL, 10);
        strbuf_addf(&again, "%lld", value);
        if (errno != 0 || strcmp(again.buf, text) != 0 || value < field->min || value > field->max)
                return refuse(r, field->name);
        *ret = value;
        return 0;
}

static int read_fields(struct reader *r, const struct field *fields, size_t n, void *base)
{
        for (size_t i = 0; i < n; i++) {
                int64_t value = 0;
                int rc = read_number(r, &fields[i], &value);

                if (rc < 0)
                        return rc;
                memcpy((char *)base + fields[i].offset, &value, sizeof(value));
        }
        return 0;
}

static int read_texts(struct reader *r, struct handover *h)
{
        for (size_t i = 0; i < ARRAY_SIZE(text_fields); i++) {
                const char *text = NULL;
                int rc = read_line(r, text_fields[i].name, &text);

                if (rc < 0)
                        return rc;
                *text_of(h, i) = xstrdup(text);
        }
        return 0;
}

/* A child has a process in exactly those states in which it has one, and then all that belongs to it. */
static bool is_whole(const struct handover_child *c)
{
        bool lives = c->state != CHILD_STOPPED && c->state != CHILD_WAITING;

        if (lives)
                return c->pid > 1 && c->pidfd > STDERR_FILENO && c->status_fd > STDERR_FILENO;
        return c->pid == 0 && c->pidfd == -1 && c->status_fd == -1 && c->metrics_slot == -1;
}

static int read_child(struct reader *r, struct handover *h)
{
        const char *service = NULL;
        struct handover_child *c;
        int rc = read_line(r, "child", &service);

        if (rc < 0)
                return rc;
        if (strlen(service) >= HANDOVER_NAME_LEN)
                return refuse(r, "a service");
        c = handover_add_child(h, service);
        rc = read_fields(r, child_fields, ARRAY_SIZE(child_fields), c);
        return rc == 0 && !is_whole(c) ? refuse(r, "the end of a child that fits together") : rc;
}

static int read_children(struct reader *r, struct handover *h)
{
        static const struct field count = {.name = "children", .min = 0, .max = HANDOVER_CHILDREN_MAX};
        int64_t n = 0;
        int rc = read_number(r, &count, &n);

        for (int64_t i = 0; i < n && rc == 0; i++)
                rc = read_child(r, h);
        return rc;
}

static int read_all(struct reader *r, struct handover *h)
{
        static const struct field version = {TITLE, 0, HANDOVER_VERSION, HANDOVER_VERSION};
        int64_t number;
        int rc = read_number(r, &version, &number);

        if (rc == 0)
                rc = read_texts(r, h);
        if (rc == 0)
                rc = read_fields(r, suite_fields, ARRAY_SIZE(suite_fields), h);
        if (rc == 0)
                rc = read_children(r, h);
        if (rc == 0)
                rc = read_line(r, "end", NULL);
        return rc == 0 && *r->at != '\0' ? refuse(r, "the last one") : rc;
}

/* The whole text, ended by NUL. What could still be changed by somebody is not read. */
static int load(int fd, char **ret_text, struct errinfo *err)
{
        struct stat st;
        int seals = fcntl(fd, F_GET_SEALS);
        char *text;

        if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0 || st.st_size > HANDOVER_BYTES_MAX) {
                err_set(err, NULL, "descriptor %d holds no state that was handed over", fd);
                return -EPROTO;
        }
        text = xcalloc((size_t)st.st_size + 1, 1);
        if (pread(fd, text, (size_t)st.st_size, 0) != st.st_size) {
                err_set(err, NULL, "what was handed over cannot be read");
                free(text);
                return -EIO;
        }
        *ret_text = text;
        return 0;
}

int handover_read(int fd, struct handover *ret, struct errinfo *err)
{
        _cleanup_(freep) char *text = NULL;
        struct handover h = HANDOVER_INIT;
        int r = load(fd, &text, err);

        if (r == 0)
                r = read_all(&(struct reader){.at = text, .err = err}, &h);
        if (r < 0) {
                handover_deinit(&h);
                return r;
        }
        *ret = h;
        return 0;
}

/* --- descriptors --- */

static int set_at_exec(int64_t fd, bool keep_open)
{
        return fcntl((int)fd, F_SETFD, keep_open ? 0 : FD_CLOEXEC) < 0 ? -errno : 0;
}

int handover_keep_open(const struct handover *h, bool across_exec)
{
        const int64_t suite[] = {h->pid_fd, h->metrics_fd, h->listen_public_fd, h->listen_status_fd,
                                 h->listen_operator_fd};
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(suite) && r == 0; i++)
                r = suite[i] >= 0 ? set_at_exec(suite[i], across_exec) : 0;
        for (size_t i = 0; i < h->n_children && r == 0; i++) {
                const struct handover_child *c = &h->children[i];

                if (c->pid > 0)
                        r = set_at_exec(c->pidfd, across_exec);
                if (c->pid > 0 && r == 0)
                        r = set_at_exec(c->status_fd, across_exec);
        }
        return r;
}

static bool is_socket(int64_t fd, int option, int wanted)
{
        int value;
        socklen_t len = sizeof(value);

        return getsockopt((int)fd, SOL_SOCKET, option, &value, &len) == 0 && value == wanted;
}

/* Also true for a child that has ended and was not waited for: its end is still to be told. */
static bool is_our_child(int64_t pidfd)
{
        siginfo_t si = {0};

        return waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static const char *find_wrong_child_fd(const struct handover_child *c)
{
        if (c->pid > 0 && !is_our_child(c->pidfd))
                return "a child of ours";
        if (c->pid > 0 && !is_socket(c->status_fd, SO_TYPE, SOCK_SEQPACKET))
                return "a status channel";
        return NULL;
}

/* NULL: all are right. */
static const char *find_wrong_fd(const struct handover *h)
{
        const char *wrong = NULL;

        if (handover_keep_open(h, false) < 0)
                return "open";
        if (!is_socket(h->listen_public_fd, SO_ACCEPTCONN, 1) ||
            !is_socket(h->listen_status_fd, SO_ACCEPTCONN, 1) ||
            (h->listen_operator_fd >= 0 && !is_socket(h->listen_operator_fd, SO_ACCEPTCONN, 1)))
                return "a listening socket";
        for (size_t i = 0; i < h->n_children && wrong == NULL; i++)
                wrong = find_wrong_child_fd(&h->children[i]);
        return wrong;
}

int handover_take_fds(const struct handover *h, struct errinfo *err)
{
        const char *wrong = find_wrong_fd(h);

        if (wrong == NULL)
                return 0;
        err_set(err, NULL, "a descriptor that was handed over is not %s", wrong);
        return -EPROTO;
}
