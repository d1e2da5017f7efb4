/* shim_link.c - connects, reads lines of a strict grammar, and keeps what could not be said yet. */
#include "workerd/shim_link.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/mem.h"
#include "common/proc.h"

#define LINE_MAX_BYTES 64
#define RETRY_MS       500 /* while the shim's queue of connections is full */

/* In the order of their strength. */
enum wish { WISH_NONE, WISH_SHUTDOWN, WISH_CANCEL, WISH_KILL };

struct shim_link {
        struct loop *loop;
        char *run_dir; /* NULL: the descriptor was taken */
        int fd;        /* -1: not connected (yet, any more) */
        struct loop_io *io;
        struct loop_timer *timer; /* the next try to connect; the next of several lines */
        bool linked;
        enum shim_state state;
        pid_t agent;
        pid_t peer; /* who listens; 0: not known */
        unsigned long long peer_start;
        int64_t renewal; /* to be said; -1: none */
        enum wish wish;  /* to be said */
        char line[LINE_MAX_BYTES];
        size_t len;
        shim_link_fn *fn;
        void *arg;
};

static void hang_up(struct shim_link *l)
{
        loop_io_free(take_ptr(l->io));
        closep(&l->fd);
        l->fd = -1;
        l->peer = 0;
}

/* The link may be gone after it. */
static void tell(struct shim_link *l, enum shim_event event, int error)
{
        const struct shim_news news = {.event = event, .state = l->state, .agent = l->agent, .error = error};
        l->fn(l->arg, &news);
}

/* The last news. */
static void end(struct shim_link *l, enum shim_event event, int error)
{
        hang_up(l);
        loop_timer_disarm(l->timer);
        tell(l, event, error);
}

/* ---- what is said ---- */

/* False when there is no room for now. A peer that is gone is found out by reading. */
static bool send_line(struct shim_link *l, const char *line)
{
        ssize_t n = send(l->fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
        return n >= 0 || (errno != EAGAIN && errno != EINTR && errno != ENOBUFS);
}

static void flush(struct shim_link *l)
{
        static const char *const wishes[] = {
                [WISH_SHUTDOWN] = "shutdown\n", [WISH_CANCEL] = "cancel\n", [WISH_KILL] = "kill\n"};
        char renewal[40];
        if (l->io == NULL)
                return;
        if (l->wish != WISH_NONE && send_line(l, wishes[l->wish]))
                l->wish = WISH_NONE;
        (void)snprintf(renewal, sizeof(renewal), "renew %" PRId64 "\n", l->renewal); /* always fits */
        if (l->renewal >= 0 && send_line(l, renewal))
                l->renewal = -1;
        bool waits = l->wish != WISH_NONE || l->renewal >= 0;
        loop_io_set(l->io, LOOP_READ | (waits ? LOOP_WRITE : 0u));
}

static void ask(struct shim_link *l, enum wish wish)
{
        if (wish > l->wish)
                l->wish = wish;
        flush(l);
}

void shim_link_renew(struct shim_link *l, int64_t sent_ms)
{
        l->renewal = sent_ms;
        flush(l);
}

void shim_link_shutdown(struct shim_link *l)
{
        ask(l, WISH_SHUTDOWN);
}

void shim_link_cancel(struct shim_link *l)
{
        ask(l, WISH_CANCEL);
}

void shim_link_kill(struct shim_link *l)
{
        ask(l, WISH_KILL);
}

/* ---- what is heard ---- */

static bool parse_pid(const char *text, pid_t *ret)
{
        char *rest = NULL;
        if (*text < '0' || *text > '9')
                return false;
        errno = 0;
        long n = strtol(text, &rest, 10);
        if (errno != 0 || *rest != '\0' || n > INT32_MAX)
                return false;
        *ret = (pid_t)n;
        return true;
}

/* "STATE AGENT_PID" */
static bool parse_hello(struct shim_link *l, const char *text)
{
        static const char *const names[] = {[SHIM_RUNNING] = "running ",
                                            [SHIM_FROZEN] = "frozen ",
                                            [SHIM_STOPPING] = "stopping ",
                                            [SHIM_ENDED] = "ended "};
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                size_t len = strlen(names[i]);
                if (strncmp(text, names[i], len) != 0)
                        continue;
                l->state = (enum shim_state)i;
                return parse_pid(text + len, &l->agent);
        }
        return false;
}

/* What the line means; SHIM_GARBAGE: nothing, here and now. */
static enum shim_event understand(struct shim_link *l, const char *line)
{
        static const struct {
                const char *line;
                enum shim_state state;
        } changes[] = {{"frozen", SHIM_FROZEN}, {"thawed", SHIM_RUNNING}, {"ended", SHIM_ENDED}};
        static const char hello[] = "hello ", started[] = "started ";
        pid_t agent;
        if (!l->linked) {
                if (l->run_dir == NULL && strcmp(line, "locked-out") == 0)
                        return SHIM_LOCKED_OUT;
                l->linked = strncmp(line, hello, strlen(hello)) == 0 && parse_hello(l, line + strlen(hello));
                return l->linked ? SHIM_LINKED : SHIM_GARBAGE;
        }
        for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
                if (strcmp(line, changes[i].line) != 0)
                        continue;
                l->state = changes[i].state;
                return SHIM_CHANGED;
        }
        if (strncmp(line, started, strlen(started)) == 0 && parse_pid(line + strlen(started), &agent) &&
            agent == l->agent)
                return SHIM_STARTED;
        return SHIM_GARBAGE;
}

static const char *line_end(const struct shim_link *l)
{
        return memchr(l->line, '\n', l->len);
}

/* The first line of the buffer, if it is whole: one at a time, because the link may be gone after its news.
 */
static void hear(struct shim_link *l)
{
        const char *newline = line_end(l);
        char line[LINE_MAX_BYTES];
        if (newline == NULL) {
                if (l->len == sizeof(l->line))
                        end(l, SHIM_GARBAGE, EPROTO); /* longer than any line of a shim */
                return;
        }
        size_t len = (size_t)(newline - l->line);
        memcpy(line, l->line, len);
        line[len] = '\0';
        l->len -= len + 1;
        memmove(l->line, newline + 1, l->len);
        if (line_end(l) != NULL)
                loop_timer_soon(l->timer);
        enum shim_event event = strlen(line) == len ? understand(l, line) : SHIM_GARBAGE; /* a NUL in it */
        if (event == SHIM_GARBAGE)
                end(l, event, EPROTO);
        else
                tell(l, event, 0);
}

static void receive(struct shim_link *l)
{
        ssize_t n = recv(l->fd, l->line + l->len, sizeof(l->line) - l->len, MSG_DONTWAIT);
        if (n > 0) {
                l->len += (size_t)n;
                hear(l);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
                end(l, l->linked || l->run_dir == NULL ? SHIM_GONE : SHIM_NOBODY, 0);
        }
}

/* More is read only when all that has come was heard: so there is room, and the end comes last. */
static void on_io(void *arg, int fd, unsigned events)
{
        struct shim_link *l = arg;
        (void)fd;
        if ((events & LOOP_WRITE) != 0)
                flush(l);
        if ((events & LOOP_READ) == 0)
                return;
        if (line_end(l) != NULL)
                hear(l);
        else
                receive(l);
}

/* ---- the connection ---- */

/* The socket itself, opened as a place: a symbolic link would lead to the shim of another run. -errno. */
static int open_socket(const char *run_dir)
{
        _cleanup_(freep) char *path = xasprintf("%s/%s", run_dir, SHIM_LINK_SOCKET);
        struct stat st;
        int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode)) {
                (void)close(fd);
                return -ENOTSOCK;
        }
        return fd;
}

/* By way of the descriptor, because a socket's path has 107 bytes. 0 or -errno. */
static int connect_at(int fd, int place)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        (void)snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d", place); /* always fits */
        return connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
}

static int check_peer(struct shim_link *l)
{
        struct ucred who;
        socklen_t len = sizeof(who);
        if (getsockopt(l->fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
                return -errno;
        if (who.uid != geteuid())
                return -EACCES;
        l->peer = proc_start_time(who.pid, &l->peer_start) == 0 ? who.pid : 0;
        return 0;
}

static int try_to_connect(struct shim_link *l)
{
        _cleanup_(closep) int place = open_socket(l->run_dir);
        if (place < 0)
                return place;
        l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (l->fd < 0)
                return -errno;
        int r = connect_at(l->fd, place);
        return r < 0 ? r : check_peer(l);
}

static void watch(struct shim_link *l)
{
        l->io = loop_io_new(l->loop, l->fd, LOOP_READ, on_io, l);
        flush(l);
}

static void connect_now(struct shim_link *l)
{
        int r = try_to_connect(l);
        switch (r) {
        case 0:
                watch(l);
                return;
        case -EAGAIN:
                hang_up(l);
                loop_timer_arm(l->timer, RETRY_MS);
                return;
        case -ENOENT:
        case -ENOTDIR:
        case -ECONNREFUSED:
                end(l, SHIM_NOBODY, 0);
                return;
        default:
                end(l, SHIM_GARBAGE, -r);
        }
}

static void on_timer(void *arg)
{
        struct shim_link *l = arg;
        if (l->io != NULL)
                hear(l);
        else
                connect_now(l);
}

static struct shim_link *link_new(struct loop *loop, shim_link_fn *fn, void *arg)
{
        struct shim_link *l = xcalloc(1, sizeof(*l));
        *l = (struct shim_link){.loop = loop, .fd = -1, .renewal = -1, .fn = fn, .arg = arg};
        l->timer = loop_timer_new(loop, on_timer, l);
        return l;
}

struct shim_link *shim_link_connect(struct loop *loop, const char *run_dir, shim_link_fn *fn, void *arg)
{
        struct shim_link *l = link_new(loop, fn, arg);
        l->run_dir = xstrdup(run_dir);
        loop_timer_soon(l->timer);
        return l;
}

struct shim_link *shim_link_take(struct loop *loop, int fd, shim_link_fn *fn, void *arg)
{
        struct shim_link *l = link_new(loop, fn, arg);
        l->fd = fd;
        watch(l);
        return l;
}

void shim_link_free(struct shim_link *l)
{
        if (l == NULL)
                return;
        hang_up(l);
        loop_timer_free(l->timer);
        free(l->run_dir);
        free(l);
}

pid_t shim_link_peer(const struct shim_link *l, unsigned long long *ret_start)
{
        *ret_start = l->peer_start;
        return l->peer;
}
