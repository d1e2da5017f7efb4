/* cmd_upgrade.c - orchctl upgrade: asks the running suite to become the programs that are installed now. */
#include "ctl/commands.h"

#include <signal.h>
#include <string.h>

#include "common/json_write.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/strbuf.h"
#include "common/supervisor_state.h"
#include "ctl/ctl.h"
#include "ctl/suite.h"

/* Beyond upgrade_timeout and drain_timeout, which bound the new generation's start and the old one's end: for
 * the check before, and for a drain that turns quick. */
#define MARGIN_MS 25000
#define POLL_MS   50

static int print_outcome(const struct ctl *c, const struct supervisor_state *state)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        if (!c->json)
                return EXIT_OK;
        struct json_out *j = json_out_new(true);
        json_out_object(j);
        json_out_kstr(j, "outcome", upgrade_outcome_text(state->outcome));
        json_out_kstr(j, "reason", state->reason);
        json_out_key(j, "generation");
        json_out_int(j, state->generation);
        json_out_key(j, "pid");
        json_out_int(j, state->pid);
        json_out_object_end(j);
        json_out_finish(j, &sb);
        json_out_free(j);
        strbuf_addch(&sb, '\n');
        return ctl_print(&sb);
}

static int conclude(const struct ctl *c, const struct supervisor_state *state)
{
        int printed = print_outcome(c, state);
        switch (state->outcome) {
        case UPGRADE_DONE:
                ctl_note("the suite is upgraded: generation %lld serves, supervisor pid %lld",
                         (long long)state->generation, (long long)state->pid);
                return printed;
        case UPGRADE_ROLLED_BACK:
                return ctl_fail(EXIT_FAILED, "the upgrade was rolled back, generation %lld still serves: %s",
                                (long long)state->generation, state->reason);
        default:
                return ctl_fail(EXIT_FAILED, "the upgrade was refused, nothing has changed: %s",
                                state->reason);
        }
}

/* The state of this very supervisor. One that does not write it would be ended by the signal. */
static int read_state(const struct ctl *c, const struct suite *s, struct supervisor_state *ret)
{
        struct errinfo err = ERRINFO_INIT;
        int r = supervisor_state_read(c->opt->state_dir, ret, &err);
        if (r == 0 && ret->pid == s->pid)
                return EXIT_OK;
        (void)ctl_fail(EXIT_FAILED, "the supervisor (pid %d) cannot be asked for an upgrade: %s", (int)s->pid,
                       r < 0 ? err.text : "supervisor.state is another's");
        ctl_hint("when it has only just been started, try again; else restart it: orchctl down, orchctl up");
        return EXIT_FAILED;
}

static int still_under_way(void)
{
        (void)ctl_fail(EXIT_NOT_READY, "the upgrade is still under way");
        ctl_hint("its outcome will be in state_dir/supervisor.state, and in the supervisor's log");
        return EXIT_NOT_READY;
}

/* Waits for the outcome of the upgrade after number `before`. */
static int wait_outcome(const struct ctl *c, const struct suite *s, int64_t before, int64_t deadline_ms)
{
        struct supervisor_state state;
        for (;;) {
                bool gone = suite_wait_end(s, ctl_now_ms() + POLL_MS);
                int code = read_state(c, s, &state);
                if (code != EXIT_OK)
                        return code;
                if (state.upgrades > before && state.outcome != UPGRADE_RUNNING)
                        return conclude(c, &state);
                if (gone)
                        return ctl_fail(EXIT_FAILED, "the supervisor (pid %d) has ended", (int)s->pid);
                if (ctl_now_ms() >= deadline_ms)
                        return still_under_way();
        }
}

static int upgrade(const struct ctl *c, const struct suite *s, int64_t deadline_ms)
{
        struct supervisor_state state;
        int code = read_state(c, s, &state);
        if (code != EXIT_OK)
                return code;
        if (state.outcome == UPGRADE_RUNNING)
                return ctl_fail(EXIT_FAILED, "the upgrade was refused, another one is still under way");
        int r = suite_signal(s, SIGUSR2);
        if (r < 0)
                return ctl_fail(EXIT_FAILED, "cannot ask the supervisor (pid %d): %s", (int)s->pid,
                                strerror(-r));
        return wait_outcome(c, s, state.upgrades, deadline_ms);
}

static int run_upgrade(struct ctl *c)
{
        struct suite s = SUITE_INIT;
        struct errinfo err = ERRINFO_INIT;
        int64_t timeout_ms = 0;
        int code = ctl_options(c);
        if (code == EXIT_OK && suite_find(c->opt->state_dir, &s, &err) < 0)
                code = ctl_fail(EXIT_FAILED, "%s", err.text);
        if (code == EXIT_OK)
                code = ctl_duration_option(c, "timeout",
                                           c->opt->upgrade_timeout_ms + c->opt->drain_timeout_ms + MARGIN_MS,
                                           &timeout_ms);
        if (code == EXIT_OK && s.pid == 0) {
                code = ctl_fail(EXIT_TEMPORARY, "the suite does not run");
                ctl_hint("start it: orchctl up");
        } else if (code == EXIT_OK) {
                code = upgrade(c, &s, ctl_now_ms() + timeout_ms);
        }
        suite_deinit(&s);
        return code;
}

const struct command command_upgrade = {
        .name = "upgrade",
        .group = GROUP_SUITE,
        .args = "",
        .summary = "have the running suite become the programs that are installed now",
        .text = "First the new orch-supervisor is asked whether it could take over; if not, nothing is "
                "changed. "
                "Then the supervisor becomes it, as the same process, and starts a new generation of all "
                "daemons "
                "on the same sockets. When all of them are ready the old ones drain and leave; no connection "
                "is "
                "refused meanwhile and no agent is stopped. When they are not ready within upgrade_timeout, "
                "or "
                "one of them ends, the new ones leave, and the old ones never stopped serving."
                "\n\n"
                "Options that otherwise need a restart take effect, too, except state_dir, listen_public and "
                "listen_status: when one of these has changed, the upgrade is refused. Exit status: 0 done, "
                "1 "
                "refused or rolled back (the reason is said), 3 still under way, 75 the suite does not run.",
        .json = "{\"outcome\" (done, refused, rolled-back), \"reason\", \"generation\" (that serves), "
                "\"pid\" (of the "
                "supervisor)}",
        .options =
                (const struct command_option[]){
                        {"timeout", 0, "TIME",
                         "how long to wait for the outcome (upgrade_timeout, drain_timeout and 25s)"},
                        {.name = NULL},
                },
        .examples =
                (const struct command_example[]){
                        {"orchctl upgrade",
                         "After new programs were installed, or the configuration was changed"},
                        {.line = NULL},
                },
        .run = run_upgrade,
};
