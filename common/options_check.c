/* options_check.c - rules that one option's type and limits cannot say. What depends on the host (does a file
 * exist, is a port free) is not decided here: it may change between this moment and its use. */
#include "common/options_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/argv.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/prune_command.h"
#include "common/strbuf.h"

void options_roles(const struct options *o, struct options_role ret[OPTIONS_ROLES])
{
        const struct options_role roles[OPTIONS_ROLES] = {
                {"analyst", o->agent_command_analyst, o->agent_adapter_analyst},
                {"architect", o->agent_command_architect, o->agent_adapter_architect},
                {"developer", o->agent_command_developer, o->agent_adapter_developer},
                {"reviewer", o->agent_command_reviewer, o->agent_adapter_reviewer},
                {"tester", o->agent_command_tester, o->agent_adapter_tester},
                {"deployer", o->agent_command_deployer, o->agent_adapter_deployer},
        };
        memcpy(ret, roles, sizeof(roles));
}

/* `role`: "", or what follows in the name of the option. */
static int check_command(const char *name, const char *role, const char *line, struct errinfo *err)
{
        _cleanup_(argv_deinit) struct argv words = ARGV_INIT;
        struct errinfo why = ERRINFO_INIT;
        if (line[0] == '\0' || argv_split(&words, line, &why) == 0)
                return 0;
        err_set(err, NULL, "option \"%s%s\": %s", name, role, why.text);
        return -EINVAL;
}

static int check_commands(const struct options *o, struct errinfo *err)
{
        struct options_role roles[OPTIONS_ROLES];
        options_roles(o, roles);
        int r = check_command("agent_command", "", o->agent_command, err);
        for (size_t i = 0; r == 0 && i < OPTIONS_ROLES; i++)
                r = check_command("agent_command_", roles[i].role, roles[i].command, err);
        return r == 0 ? check_command("agent_wrapper", "", o->agent_wrapper, err) : r;
}

static int check_log_level(const struct options *o, struct errinfo *err)
{
        enum log_level level;
        if (log_level_parse(o->log_level, &level) == 0)
                return 0;
        err_set(err, NULL, "option \"log_level\": \"%s\" is not error, warning, info or debug", o->log_level);
        return -EINVAL;
}

/* One body must fit, or reading would wait for ever. */
static int check_bodies(const struct options *o, struct errinfo *err)
{
        if (o->http_max_buffered_bytes >= o->http_max_body_bytes)
                return 0;
        err_set(err, NULL, "option \"http_max_buffered\" must not be smaller than \"http_max_body\"");
        return -EINVAL;
}

/* "option "NAME" (VALUE) WHY "OTHER" (VALUE)": both with their values, because one may be a default. */
static int refuse_pair(const char *name, int64_t ms, const char *why, const char *other, int64_t other_ms,
                       struct errinfo *err)
{
        _cleanup_(strbuf_deinit) struct strbuf value = STRBUF_INIT, other_value = STRBUF_INIT;
        option_value_format(OPTION_DURATION, &(struct option_value){.number = ms}, &value);
        option_value_format(OPTION_DURATION, &(struct option_value){.number = other_ms}, &other_value);
        err_set(err, NULL, "option \"%s\" (%s) %s \"%s\" (%s)", name, value.buf, why, other, other_value.buf);
        return -EINVAL;
}

/* What keeps a job from running twice: an agent is frozen before anybody else may take its job over, also
 * when the clocks of the two hosts do not go equally fast; and it is not frozen for a beat or two that came
 * late. */
static int check_liveness(const struct options *o, struct errinfo *err)
{
        if (o->beat_interval_ms * 3 >= o->freeze_after_ms)
                return refuse_pair("freeze_after", o->freeze_after_ms, "must be more than 3 times",
                                   "beat_interval", o->beat_interval_ms, err);
        if (o->freeze_after_ms * 16 > o->takeover_after_ms * 10)
                return refuse_pair("takeover_after", o->takeover_after_ms, "must be at least 1.6 times",
                                   "freeze_after", o->freeze_after_ms, err);
        if (o->reaper_interval_ms * 5 >
            o->takeover_after_ms) /* a reaper that looks seldom hears no silence */
                return refuse_pair("reaper_interval", o->reaper_interval_ms, "must be at most a fifth of",
                                   "takeover_after", o->takeover_after_ms, err);
        return 0;
}

/* With check_liveness() more than a quarter of takeover_after is left then. */
int64_t options_freeze_doubt_ms(const struct options *o)
{
        return (o->takeover_after_ms - o->freeze_after_ms) / 4;
}

/* Limits per peer, and orchctl up, want to know addresses: only operators may come through a file. */
static int check_listeners(const struct options *o, struct errinfo *err)
{
        if (o->listen_public[0] == '/' || o->listen_status[0] == '/') {
                err_set(err, NULL,
                        "option \"%s\" is the path of a Unix socket, which only listen_operator may be",
                        o->listen_public[0] == '/' ? "listen_public" : "listen_status");
                return -EINVAL;
        }
        if (o->listen_operator[0] == '\0' || o->operator_tokens_file[0] != '\0')
                return 0;
        err_set(err, NULL, "option \"listen_operator\" is of no use without \"operator_tokens_file\"");
        return -EINVAL;
}

static int check_disk(const struct options *o, struct errinfo *err)
{
        _cleanup_(argv_deinit) struct argv paths = ARGV_INIT, command = ARGV_INIT;
        struct errinfo why = ERRINFO_INIT;
        if (o->watch_paths[0] != '\0' && argv_split(&paths, o->watch_paths, &why) < 0) {
                err_set(err, NULL, "option \"watch_paths\": %s", why.text);
                return -EINVAL;
        }
        return o->cache_prune_command[0] == '\0'
                       ? 0
                       : prune_command(&command, o->cache_prune_command, o->cache_prune_min_age_ms, err);
}

int options_check(const struct options *o, struct errinfo *err)
{
        int r = check_log_level(o, err);
        if (r == 0)
                r = check_commands(o, err);
        if (r == 0)
                r = check_bodies(o, err);
        if (r == 0)
                r = check_listeners(o, err);
        if (r == 0)
                r = check_liveness(o, err);
        if (r == 0)
                r = check_disk(o, err);
        return r;
}
