/* http_peer.c - see http_peer.h. For tests: what fails here ends the process. */
#include "tests/unit/http_peer.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/listen.h"
#include "common/loop.h"
#include "common/mem.h"

struct http_peer_conn {
        struct http_peer_conn *next;
        struct http_peer *peer;
        int fd;
        struct loop_io *io;
        struct strbuf in;
};

static void conn_close(struct http_peer_conn *c)
{
        struct http_peer_conn **link = &c->peer->conns;
        while (*link != NULL && *link != c)
                link = &(*link)->next;
        if (*link == c)
                *link = c->next;
        c->peer->n_open--;
        loop_io_free(c->io);
        close(c->fd);
        strbuf_deinit(&c->in);
        free(c);
}

/* Length of the first whole request in `in`; 0 when there is none yet. */
static size_t request_len(const struct strbuf *in)
{
        const char *end = memmem(in->buf, in->len, "\r\n\r\n", 4);
        if (end == NULL)
                return 0;
        size_t head = (size_t)(end - in->buf) + 4;
        const char *field = strcasestr(in->buf, "\r\nContent-Length:");
        size_t body = field != NULL && field < end ? strtoul(strchr(field, ':') + 1, NULL, 10) : 0;
        return in->len >= head + body ? head + body : 0;
}

/* False: the connection is gone. */
static bool answer(struct http_peer_conn *c)
{
        struct http_peer *p = c->peer;
        if (p->then == PEER_SILENT)
                return true;
        ssize_t n = send(c->fd, p->answer, strlen(p->answer), MSG_NOSIGNAL);
        if (p->then == PEER_CLOSE || (n < 0 && p->then != PEER_ENDLESS)) {
                conn_close(c);
                return false;
        }
        if (p->then == PEER_ENDLESS)
                loop_io_set(c->io, LOOP_READ | LOOP_WRITE);
        return true;
}

static void on_conn(void *arg, int fd, unsigned events)
{
        struct http_peer_conn *c = arg;
        char chunk[65536];
        size_t len;
        if ((events & LOOP_READ) != 0) {
                ssize_t n = read(fd, chunk, sizeof(chunk));
                if (n <= 0) {
                        conn_close(c);
                        return;
                }
                strbuf_add(&c->in, chunk, (size_t)n);
        }
        if ((events & LOOP_WRITE) != 0 && !answer(c))
                return;
        while ((len = request_len(&c->in)) > 0) {
                c->peer->n_requests++;
                strbuf_reset(&c->peer->request);
                strbuf_add(&c->peer->request, c->in.buf, len);
                strbuf_remove(&c->in, 0, len);
                if (!answer(c))
                        return;
        }
}

static void on_listener(void *arg, int listener, unsigned events)
{
        struct http_peer *p = arg;
        int fd = accept(listener, NULL, NULL);
        (void)events;
        int r = fcntl(fd, F_SETFL, O_NONBLOCK);
        assert(fd >= 0 && r == 0);
        p->n_accepted++;
        if (p->then == PEER_SLAM) {
                close(fd);
                return;
        }
        struct http_peer_conn *c = xcalloc(1, sizeof(*c));
        *c = (struct http_peer_conn){.next = p->conns, .peer = p, .fd = fd, .in = STRBUF_INIT};
        c->io = loop_io_new(p->loop, fd, LOOP_READ, on_conn, c);
        p->conns = c;
        p->n_open++;
        p->n_open_max = p->n_open > p->n_open_max ? p->n_open : p->n_open_max;
}

void http_peer_init(struct http_peer *p, struct loop *loop)
{
        *p = (struct http_peer){.loop = loop, .fd = -1, .answer = "", .request = STRBUF_INIT};
        int r = listen_open("127.0.0.1:0", &p->fd, NULL);
        assert(r == 0);
        (void)snprintf(p->url, sizeof(p->url), "http://127.0.0.1:%d", listen_port(p->fd));
        p->host_port = p->url + strlen("http://");
        p->io = loop_io_new(loop, p->fd, LOOP_READ, on_listener, p);
}

void http_peer_stop_listening(struct http_peer *p)
{
        if (p->fd < 0)
                return;
        loop_io_free(p->io);
        close(p->fd);
        p->fd = -1;
}

void http_peer_deinit(struct http_peer *p)
{
        http_peer_stop_listening(p);
        struct http_peer_conn *c;
        while ((c = p->conns) != NULL) {
                p->conns = c->next;
                conn_close(c);
        }
        strbuf_deinit(&p->request);
}
