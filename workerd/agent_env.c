/* agent_env.c - see agent_env.h. */
#include "workerd/agent_env.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

/* Ours to give or to keep: a configured name that begins like one of these is not passed on. */
static bool is_ours(const char *name)
{
        static const char *const prefixes[] = {"PG",      "ORCH_",        "LD_",       "LISTEN_",
                                               "NOTIFY_", "CREDENTIALS_", "WATCHDOG_", "GIT_"};
        static const char *const names[] = {"PATH", "LANG", "HOME", "TMPDIR"};
        for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
                if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
                        return true;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (strcmp(name, names[i]) == 0)
                        return true;
        return false;
}

static void pass_on(struct argv *env, const char *names)
{
        _cleanup_(freep) char *copy = xstrdup(names);
        char *rest = NULL;
        for (char *name = strtok_r(copy, " \t,", &rest); name != NULL; name = strtok_r(NULL, " \t,", &rest)) {
                const char *value = getenv(name);
                if (value != NULL && !is_ours(name))
                        argv_env(env, name, value);
        }
}

static void add(struct argv *env, const char *name, const char *value)
{
        argv_env(env, name, value != NULL ? value : "");
}

static void add_task(struct argv *env, const struct run_info *info, const struct run_dir *rd)
{
        char attempt[16];
        (void)snprintf(attempt, sizeof(attempt), "%d", info->attempt); /* an int always fits */
        add(env, "ORCH_ROLE", info->role);
        add(env, "ORCH_STAGE", info->stage);
        add(env, "ORCH_WORK_ITEM", info->work_item);
        add(env, "ORCH_TITLE", info->title);
        add(env, "ORCH_TASK_FILE", rd->task_file);
        add(env, "ORCH_DOCS_DIR", info->docs_dir);
        add(env, "ORCH_BRANCH", info->branch);
        add(env, "ORCH_DEFAULT_BRANCH", info->default_branch);
        add(env, "ORCH_BASE_SHA", info->base_sha);
        add(env, "ORCH_HEAD_SHA", info->start_sha);
        add(env, "ORCH_ATTEMPT", attempt);
        add(env, "ORCH_TEST_COMMAND", info->test_command);
}

void agent_env_basic(struct argv *env, const char *path, const char *names)
{
        argv_env(env, "PATH", path);
        argv_env(env, "LANG", "C.UTF-8");
        argv_env(env, "GIT_CONFIG_NOSYSTEM", "1");
        argv_env(env, "GIT_CONFIG_GLOBAL", "/dev/null");
        pass_on(env, names);
}

void agent_env_build(struct argv *env, const struct run_info *info, const struct run_dir *rd,
                     const char *path, const char *names)
{
        agent_env_basic(env, path, names);
        argv_env(env, "HOME", rd->home);
        argv_env(env, "TMPDIR", rd->tmp);
        add_task(env, info, rd);
}
