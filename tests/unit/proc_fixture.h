/* proc_fixture.h - a loop per test, and children that run a script on it, for the tests of proc.c. */
#pragma once

#include "common/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"
#include "tests/unit/loop_wait.h"

__attribute__((unused)) static const char *const plain_env[] = {"PATH=/usr/bin:/bin", NULL};

/* The end of a child, kept beyond the callback. */
struct ended {
        bool done;
        struct proc_exit exit;
        struct strbuf out, err;
        char text[64];
};

static void on_ended(void *arg, const struct proc_exit *ex)
{
        struct ended *e = arg;
        assert_false(e->done);
        e->done = true;
        e->exit = *ex;
        e->out = e->err = (struct strbuf)STRBUF_INIT;
        if (ex->out != NULL) {
                strbuf_add(&e->out, ex->out->buf, ex->out->len);
                strbuf_add(&e->err, ex->err->buf, ex->err->len);
        }
        (void)snprintf(e->text, sizeof(e->text), "%s", proc_exit_text(ex));
}

static void ended_deinit(struct ended *e)
{
        if (e->done) {
                strbuf_deinit(&e->out);
                strbuf_deinit(&e->err);
        }
}

__attribute__((unused)) static long number(const struct strbuf *text)
{
        char *end;
        long n = strtol(text->buf, &end, 10);
        assert_true(end > text->buf);
        return n;
}

static int setup(void **state)
{
        struct loop *loop;
        if (loop_new(&loop) != 0)
                return -1;
        *state = loop;
        return 0;
}

static int teardown(void **state)
{
        loop_free(*state);
        return 0;
}

/* Runs `script` with sh and waits for its end. */
static void run_spec(struct loop *loop, struct proc_spec spec, const char *script, struct ended *ret)
{
        const char *const argv[] = {"sh", "-c", script, NULL};
        struct errinfo err = ERRINFO_INIT;
        struct proc *p;
        spec.argv = argv;
        if (spec.envp == NULL)
                spec.envp = plain_env;
        *ret = (struct ended){.done = false};
        int r = proc_spawn(loop, &spec, on_ended, ret, &p, &err);
        if (r != 0)
                fail_msg("spawn: %d %s", r, err.text);
        assert_false(ret->done);
        assert_true(loop_wait(loop, &ret->done));
}
