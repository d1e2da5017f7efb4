/*
 * fake_daemon.c - a daemon without work, for tests of the supervisor: the real skeleton (common/daemon.h)
 * with a behaviour that the test chooses.
 *
 * It is called by the name of the daemon it stands for (a link orch-workerd to it), and reads one line from
 * the file of that name in the folder FAKE_DAEMON_DIR: a word, and for some a number. A start reads it
 * afresh, so a test changes the file and lets the process die. No file: "ready".
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/contract.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/strbuf.h"

#define LOOK_MS 20 /* how often a drain looks for its release */

struct fake {
        const char *name; /* "workerd" */
        const char *folder;
        struct daemon *daemon;
        struct loop_timer *begin; /* what it does once its loop turns */
        struct loop_timer *look;
        const struct behaviour *behaviour;
        int number;
};

/* What a behaviour does when the loop turns for the first time, and at on_drain(). */
struct behaviour {
        const char *word;
        void (*begin)(struct fake *f);
        void (*drain)(struct fake *f, bool quick);
};

/* --- first turn of the loop --- */

static void say_ready(struct fake *f)
{
        daemon_ready(f->daemon);
}

static void say_nothing(struct fake *f)
{
        (void)f;
}

static void ready_then_exit(struct fake *f)
{
        daemon_ready(f->daemon);
        _exit(f->number);
}

static void busy_and_ready(struct fake *f)
{
        daemon_busy(f->daemon, (uint32_t)f->number);
        daemon_ready(f->daemon);
}

/* A loop that turns no more: nothing is said, nothing is heard, but signals still end the process. */
static void ready_then_hang(struct fake *f)
{
        daemon_ready(f->daemon);
        for (;;)
                (void)pause();
}

static void leave_by_itself(struct fake *f)
{
        daemon_ready(f->daemon);
        (void)raise(SIGTERM);
}

/* --- draining --- */

static void drain_at_once(struct fake *f, bool quick)
{
        (void)quick;
        daemon_drained(f->daemon);
}

static void drain_when_quick(struct fake *f, bool quick)
{
        if (quick)
                daemon_drained(f->daemon);
}

static void drain_never(struct fake *f, bool quick)
{
        (void)f;
        (void)quick;
}

static void drain_when_released(struct fake *f, bool quick)
{
        if (quick)
                daemon_drained(f->daemon);
        else
                loop_timer_soon(f->look);
}

static void on_look(void *arg)
{
        struct fake *f = arg;
        _cleanup_(freep) char *path = xasprintf("%s/%s.release", f->folder, f->name);

        if (access(path, F_OK) == 0)
                daemon_drained(f->daemon);
        else
                loop_timer_arm(f->look, LOOK_MS);
}

static const struct behaviour behaviours[] = {
        {"ready", say_ready, drain_at_once},
        {"never-ready", say_nothing, drain_at_once},
        {"ready-exit", ready_then_exit, drain_at_once}, /* with code N */
        {"busy", busy_and_ready, drain_at_once},        /* with N units in hand */
        {"silent", ready_then_hang, drain_at_once},
        {"leave", leave_by_itself, drain_at_once},
        {"drain-when-quick", say_ready, drain_when_quick},
        {"drain-never", say_ready, drain_never},
        {"drain-when-released", say_ready, drain_when_released}, /* by a file NAME.release */
};

/* --- the skeleton's callbacks --- */

static void on_begin(void *arg)
{
        struct fake *f = arg;

        log_info(EV("fake.begin"), LF_S("behaviour", f->behaviour->word));
        f->behaviour->begin(f);
}

static void on_drain(void *arg, bool quick)
{
        struct fake *f = arg;

        log_info(EV("fake.drain"), LF_S("quick", quick ? "yes" : "no"));
        f->behaviour->drain(f, quick);
}

static void on_reload(void *arg, const struct options *opt)
{
        (void)arg;
        (void)opt;
        log_info(EV("fake.reload"));
}

/* --- what it is told to be --- */

static const struct behaviour *find(const char *word)
{
        for (size_t i = 0; i < ARRAY_SIZE(behaviours); i++)
                if (strcmp(behaviours[i].word, word) == 0)
                        return &behaviours[i];
        (void)fprintf(stderr, "fake_daemon: no behaviour \"%s\"\n", word);
        exit(EXIT_USAGE);
}

/* "exit N" needs no skeleton: the process is gone before it could say a word. */
static void read_behaviour(struct fake *f)
{
        _cleanup_(freep) char *path = xasprintf("%s/%s", f->folder, f->name);
        _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
        char *number;

        if (strbuf_read_file(&text, path, 1024) < 0)
                strbuf_addstr(&text, "ready");
        number = strchr(text.buf, ' ');
        if (number != NULL) {
                *number++ = '\0';
                f->number = (int)strtol(number, NULL, 10);
        }
        if (strcmp(text.buf, "exit") == 0)
                exit(f->number);
        f->behaviour = find(text.buf);
}

int main(int argc, char *argv[])
{
        const char *slash = strrchr(argv[0], '/');
        const char *program = slash != NULL ? slash + 1 : argv[0];
        struct fake f = {.name = strchr(program, '-') != NULL ? strchr(program, '-') + 1 : program,
                         .folder = getenv("FAKE_DAEMON_DIR")};
        const struct daemon_def def = {.name = f.name,
                                       .summary = "A daemon without work, for tests.",
                                       .on_drain = on_drain,
                                       .on_reload = on_reload,
                                       .arg = &f};
        int r;

        if (f.folder == NULL)
                return EXIT_USAGE;
        read_behaviour(&f);
        r = daemon_new(argc, argv, &def, &f.daemon);
        if (r == 0) {
                f.begin = loop_timer_new(daemon_loop(f.daemon), on_begin, &f);
                f.look = loop_timer_new(daemon_loop(f.daemon), on_look, &f);
                loop_timer_soon(f.begin);
                r = daemon_run(f.daemon);
                loop_timer_free(f.begin);
                loop_timer_free(f.look);
        }
        int code = daemon_exit_code(f.daemon, r);
        daemon_free(f.daemon);
        return code;
}
