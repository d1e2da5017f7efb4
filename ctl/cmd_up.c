/* cmd_up.c - orchctl up and down: starting and stopping the suite on this host. */
#include "ctl/commands.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/argv.h"
#include "common/json_write.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/proc.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/launch.h"
#include "ctl/suite.h"

#define UP_TIMEOUT_MS  30000
#define DOWN_MARGIN_MS 15000 /* beyond drain_timeout: a drain that is over turns quick by itself */
#define READY_POLL_MS  100
#define LOG_TAIL_BYTES 2000
#define LOG_MAX_BYTES  (64u << 20)

static int print_state(const struct ctl *c, pid_t pid, bool ready)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        if (!c->json)
                return EXIT_OK;
        struct json_out *j = json_out_new(true);
        json_out_object(j);
        json_out_kbool(j, "running", pid > 0);
        json_out_kbool(j, "ready", ready);
        json_out_key(j, "pid");
        if (pid > 0)
                json_out_int(j, pid);
        else
                json_out_null(j);
        json_out_object_end(j);
        json_out_finish(j, &sb);
        json_out_free(j);
        strbuf_addch(&sb, '\n');
        return ctl_print(&sb);
}

/* --- up
 * ------------------------------------------------------------------------------------------------------ */

static int supervisor_command(const struct ctl *c, struct argv *command)
{
        _cleanup_(freep) char *program = proc_program_path(c->opt->bin_dir, "orch-supervisor");
        if (program == NULL || access(program, X_OK) != 0) {
                (void)ctl_fail(EXIT_CONFIG, "cannot run %s: %s",
                               program != NULL ? program : "orch-supervisor", strerror(errno));
                ctl_hint("set \"bin_dir\" to the folder of the suite's programs");
                return EXIT_CONFIG;
        }
        argv_add(command, program);
        if (c->config_path == NULL)
                return EXIT_OK;
        _cleanup_(freep) char *absolute = realpath(c->config_path, NULL);
        argv_add(command, "--config");
        argv_add(command, absolute != NULL ? absolute : c->config_path);
        return EXIT_OK;
}

/* Makes a folder and those above it. 0 or -errno. */
static int make_folders(const char *path)
{
        _cleanup_(freep) char *copy = xstrdup(path);
        for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(copy, 0755) < 0 && errno != EEXIST)
                        return -errno;
                *slash = '/';
        }
        return mkdir(copy, 0750) < 0 && errno != EEXIST ? -errno : 0;
}

/* The last lines of the log, where a supervisor that did not come up says why. */
static void show_log_tail(const char *path)
{
        _cleanup_(strbuf_deinit) struct strbuf log = STRBUF_INIT;
        if (strbuf_read_file(&log, path, LOG_MAX_BYTES) < 0)
                return;
        const char *tail = log.len > LOG_TAIL_BYTES ? log.buf + log.len - LOG_TAIL_BYTES : log.buf;
        const char *line = tail == log.buf ? tail : strchr(tail, '\n');
        while (line != NULL && *(line += *line == '\n') != '\0') {
                size_t len = strcspn(line, "\n");
                ctl_note("  %.*s", (int)len, line);
                line += len;
        }
}

static int not_ready(const struct ctl *c, const char *missing)
{
        (void)ctl_fail(EXIT_NOT_READY, "the suite runs, but is not ready: %s",
                       *missing != '\0' ? missing : "no answer");
        ctl_hint("it goes on trying; its log is %s/log/supervisor.log, `orchctl up` waits again",
                 c->opt->state_dir);
        return EXIT_NOT_READY;
}

/* Waits until the status port says ready. */
static int wait_ready(struct ctl *c, const struct suite *s, int64_t deadline_ms)
{
        _cleanup_(strbuf_deinit) struct strbuf why = STRBUF_INIT;
        while (!suite_is_ready(c->opt->listen_status, &why)) {
                if (suite_wait_end(s, ctl_now_ms()))
                        return ctl_fail(EXIT_FAILED, "the supervisor (pid %d) has ended", (int)s->pid);
                if (ctl_now_ms() >= deadline_ms)
                        return not_ready(c, why.buf);
                ctl_sleep_ms(READY_POLL_MS);
        }
        return EXIT_OK;
}

static int find(struct ctl *c, struct suite *s)
{
        struct errinfo err = ERRINFO_INIT;
        int code = ctl_options(c);
        if (code == EXIT_OK && suite_find(c->opt->state_dir, s, &err) < 0)
                code = ctl_fail(EXIT_FAILED, "%s", err.text);
        return code;
}

/* Our supervisor has ended. When somebody else's has come first, that is as good. */
static int ended(struct ctl *c, const char *how, const char *log_path)
{
        struct suite s = SUITE_INIT;
        int code = find(c, &s);
        bool other = s.pid > 0;
        suite_deinit(&s);
        if (code != EXIT_OK || other)
                return code;
        (void)ctl_fail(EXIT_FAILED, "the supervisor %s; the end of %s:", how, log_path);
        show_log_tail(log_path);
        return EXIT_FAILED;
}

static int wait_launched(struct ctl *c, struct launch *l, const char *log_path, int64_t deadline_ms)
{
        _cleanup_(strbuf_deinit) struct strbuf status = STRBUF_INIT;
        for (;;) {
                enum launch_event event = launch_wait(l, READY_POLL_MS, &status);
                if (event == LAUNCH_READY)
                        return EXIT_OK;
                if (event == LAUNCH_ENDED)
                        return ended(c, status.buf, log_path);
                if (ctl_now_ms() >= deadline_ms)
                        return not_ready(c, status.buf);
        }
}

static int start(struct ctl *c, char *const *argv, int64_t deadline_ms)
{
        _cleanup_(freep) char *log_dir = xasprintf("%s/log", c->opt->state_dir);
        _cleanup_(freep) char *log_path = xasprintf("%s/supervisor.log", log_dir);
        struct launch l = LAUNCH_INIT;
        struct errinfo err = ERRINFO_INIT;
        int r = make_folders(log_dir);
        if (r < 0)
                err_set(&err, "", "cannot make the folder %s: %s", log_dir, strerror(-r));
        if (r < 0 || launch_start(argv, log_path, &l, &err) < 0) {
                (void)ctl_fail(EXIT_FAILED, "%s", err.text);
                ctl_hint("orchctl up is for the user of the suite, who owns %s", c->opt->state_dir);
                return EXIT_FAILED;
        }
        int code = wait_launched(c, &l, log_path, deadline_ms);
        launch_deinit(&l);
        return code;
}

/* After a start, and when it ran before: ready, and said so. */
static int confirm_ready(struct ctl *c, int64_t deadline_ms, const char *was)
{
        struct suite s = SUITE_INIT;
        int code = find(c, &s);
        if (code == EXIT_OK && s.pid == 0)
                code = ctl_fail(EXIT_FAILED,
                                "the supervisor has ended again; its log is %s/log/supervisor.log",
                                c->opt->state_dir);
        if (code == EXIT_OK)
                code = wait_ready(c, &s, deadline_ms);
        if (code == EXIT_OK) {
                ctl_note("the suite %s: supervisor pid %d, status on http://%s/status", was, (int)s.pid,
                         c->opt->listen_status);
                code = print_state(c, s.pid, true);
        }
        suite_deinit(&s);
        return code;
}

static int run_up(struct ctl *c)
{
        struct suite s = SUITE_INIT;
        _cleanup_(argv_deinit) struct argv command = ARGV_INIT;
        int64_t timeout_ms;
        int code = ctl_duration_option(c, "timeout", UP_TIMEOUT_MS, &timeout_ms);
        if (code == EXIT_OK)
                code = find(c, &s);
        bool runs = s.pid > 0;
        suite_deinit(&s);
        int64_t deadline_ms = ctl_now_ms() + timeout_ms;
        if (code == EXIT_OK && runs)
                return confirm_ready(c, deadline_ms, "runs already");
        if (code == EXIT_OK)
                code = supervisor_command(c, &command);
        if (code == EXIT_OK && args_has(&c->args, "foreground")) {
                (void)execv(command.words[0], command.words);
                return ctl_fail(EXIT_FAILED, "cannot run %s: %s", command.words[0], strerror(errno));
        }
        if (code == EXIT_OK)
                code = start(c, command.words, deadline_ms);
        return code == EXIT_OK ? confirm_ready(c, deadline_ms, "is up") : code;
}

/* --- down
 * ---------------------------------------------------------------------------------------------------- */

/* Two signals of different kinds: two of one kind, sent at once, arrive as one. */
static int ask_to_stop(const struct suite *s, bool quick)
{
        int r = suite_signal(s, SIGTERM);
        return r == 0 && quick ? suite_signal(s, SIGINT) : r;
}

static int stop(struct ctl *c, const struct suite *s, int64_t timeout_ms)
{
        int r = ask_to_stop(s, args_has(&c->args, "quick"));
        if (r < 0)
                return ctl_fail(EXIT_FAILED, "cannot stop the supervisor (pid %d): %s", (int)s->pid,
                                strerror(-r));
        if (suite_wait_end(s, ctl_now_ms() + timeout_ms)) {
                ctl_note("the suite is down");
                return print_state(c, 0, false);
        }
        (void)ctl_fail(EXIT_NOT_READY, "the suite (supervisor pid %d) is still finishing its work",
                       (int)s->pid);
        ctl_hint("wait with `orchctl down` again, or end it with `orchctl down --quick`");
        return EXIT_NOT_READY;
}

static int run_down(struct ctl *c)
{
        struct suite s = SUITE_INIT;
        int64_t timeout_ms = 0;
        int code = find(c, &s);
        if (code == EXIT_OK)
                code = ctl_duration_option(c, "timeout", c->opt->drain_timeout_ms + DOWN_MARGIN_MS,
                                           &timeout_ms);
        if (code == EXIT_OK && s.pid == 0) {
                ctl_note("the suite does not run");
                code = print_state(c, 0, false);
        } else if (code == EXIT_OK) {
                code = stop(c, &s, timeout_ms);
        }
        suite_deinit(&s);
        return code;
}

const struct command command_up = {
        .name = "up",
        .group = GROUP_SUITE,
        .args = "",
        .summary = "start the suite on this host and wait until it is ready",
        .text = "Starts orch-supervisor with the present configuration, in a session of its own, with its "
                "log in "
                "state_dir/log/supervisor.log, and waits until every daemon is ready. A suite that runs "
                "already is left "
                "alone, and only waited for. When it does not get ready in time it goes on trying, and what "
                "is missing is "
                "said (exit 3); when it ends, the end of its log is shown (exit 1).",
        .json = "{\"running\", \"ready\", \"pid\" (of the supervisor, or null)}",
        .options =
                (const struct command_option[]){
                        {"foreground", 0, NULL,
                         "become the supervisor instead, with the log on standard error"},
                        {"timeout", 0, "TIME", "how long to wait until it is ready (30s)"},
                        {.name = NULL},
                },
        .examples =
                (const struct command_example[]){
                        {"orchctl up", "Start the suite; do nothing when it runs"},
                        {"orchctl --config ./orchestrator.conf up --foreground",
                         "Watch it in a terminal, end it with Ctrl-C"},
                        {.line = NULL},
                },
        .run = run_up,
};

const struct command command_down = {
        .name = "down",
        .group = GROUP_SUITE,
        .args = "",
        .summary = "stop the suite on this host",
        .text = "Asks the supervisor to drain: no new work is taken, and steps under way are ended for up to "
                "drain_timeout. Agents are not stopped: they work on by themselves, stand still when nobody "
                "comes back within freeze_after, and are gone on with at the next start. Waits for the end. "
                "A suite that does not run is fine. Interrupting this command does not interrupt the drain.",
        .json = "{\"running\", \"ready\", \"pid\" (of the supervisor, or null)}",
        .options =
                (const struct command_option[]){
                        {"quick", 0, NULL, "do not end steps under way: leave now"},
                        {"timeout", 0, "TIME", "how long to wait for the end (drain_timeout and 15s)"},
                        {.name = NULL},
                },
        .examples =
                (const struct command_example[]){
                        {"orchctl down", "Finish what is being done, then stop"},
                        {"orchctl down --quick",
                         "Stop now; running agents are ended and their jobs given back"},
                        {.line = NULL},
                },
        .run = run_down,
};
