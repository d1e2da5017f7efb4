/* listeners.c - opening the sockets of listeners.h, with patience. */
#include "supervisor/listeners.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/err.h"
#include "common/listen.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"

struct listener {
        const char *address; /* "": not in use */
        int fd;              /* -1 until open */
};

static const char *const names[CONTRACT_LISTENER_COUNT] = {
#define X(id, name, env) [CONTRACT_LISTENER_##id] = #name,
        CONTRACT_LISTENERS(X)
#undef X
};

struct listeners {
        struct loop *loop;
        struct listener all[CONTRACT_LISTENER_COUNT];
        struct loop_timer *timer; /* the next try */
        int64_t give_up_ms;
        bool said_waiting;
        listeners_fn *fn;
        void *arg;
};

static int open_one(struct listener *l, const char *name, struct errinfo *err)
{
        int r;

        if (l->fd >= 0 || l->address[0] == '\0')
                return 0;
        r = listen_open(l->address, &l->fd, err);
        if (r < 0)
                return r;
        log_info(EV("listener.open"), LF_S("listener", name), LF_S("address", l->address),
                 LF_I("port", listen_port(l->fd)));
        return 0;
}

static int open_all(struct listeners *ls, struct errinfo *err)
{
        int r = 0;

        for (size_t i = 0; i < CONTRACT_LISTENER_COUNT && r == 0; i++)
                r = open_one(&ls->all[i], names[i], err);
        return r;
}

static void on_try(void *arg)
{
        struct listeners *ls = arg;
        struct errinfo err = ERRINFO_INIT;
        int r = open_all(ls, &err);

        if (r == 0) {
                ls->fn(ls->arg, NULL);
                return;
        }
        if (r != -EADDRINUSE || loop_now_ms(ls->loop) >= ls->give_up_ms) {
                ls->fn(ls->arg, &err);
                return;
        }
        if (!ls->said_waiting)
                log_warning(EV("listener.busy"), LF_ERR(&err), LF_I("wait_ms", LISTENERS_PATIENCE_MS));
        ls->said_waiting = true;
        loop_timer_arm(ls->timer, LISTENERS_RETRY_MS);
}

static struct listeners *make(struct loop *loop)
{
        struct listeners *ls = xcalloc(1, sizeof(*ls));

        ls->loop = loop;
        for (size_t i = 0; i < CONTRACT_LISTENER_COUNT; i++)
                ls->all[i] = (struct listener){.address = "", .fd = -1};
        ls->timer = loop_timer_new(loop, on_try, ls);
        return ls;
}

struct listeners *listeners_new(struct loop *loop, const char *const addresses[CONTRACT_LISTENER_COUNT],
                                listeners_fn *fn, void *arg)
{
        struct listeners *ls = make(loop);

        for (size_t i = 0; i < CONTRACT_LISTENER_COUNT; i++)
                ls->all[i].address = addresses[i];
        ls->fn = fn;
        ls->arg = arg;
        ls->give_up_ms = loop_now_ms(loop) + LISTENERS_PATIENCE_MS;
        loop_timer_soon(ls->timer);
        return ls;
}

struct listeners *listeners_take_over(struct loop *loop, const int fds[CONTRACT_LISTENER_COUNT])
{
        struct listeners *ls = make(loop);

        for (size_t i = 0; i < CONTRACT_LISTENER_COUNT; i++)
                ls->all[i].fd = fds[i];
        return ls;
}

void listeners_free(struct listeners *ls)
{
        if (ls == NULL)
                return;
        loop_timer_free(ls->timer);
        for (size_t i = 0; i < CONTRACT_LISTENER_COUNT; i++)
                listen_close(ls->all[i].fd);
        free(ls);
}

int listeners_fd(const struct listeners *ls, enum contract_listener which)
{
        return ls->all[which].fd;
}
