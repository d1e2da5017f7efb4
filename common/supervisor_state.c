/* supervisor_state.c - writing and reading the file of supervisor_state.h. */
#include "common/supervisor_state.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/strbuf.h"

#define FILE_BYTES_MAX 4096

static const char *const outcome_texts[UPGRADE_OUTCOMES] = {
        [UPGRADE_NONE] = "none",       [UPGRADE_RUNNING] = "running",         [UPGRADE_DONE] = "done",
        [UPGRADE_REFUSED] = "refused", [UPGRADE_ROLLED_BACK] = "rolled-back",
};

const char *upgrade_outcome_text(enum upgrade_outcome outcome)
{
        return outcome_texts[outcome];
}

/* ---- writing ---- */

static int write_file(const char *path, const struct strbuf *text)
{
        _cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        ssize_t n = fd < 0 ? -1 : write(fd, text->buf, text->len);
        if (n < 0)
                return -errno;
        return n == (ssize_t)text->len ? 0 : -ENOSPC;
}

int supervisor_state_write(const char *state_dir, const struct supervisor_state *state, struct errinfo *err)
{
        _cleanup_(freep) char *path = xasprintf("%s/supervisor.state", state_dir);
        _cleanup_(freep) char *next = xasprintf("%s.new", path);
        _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
        assert(strchr(state->reason, '\n') == NULL);
        strbuf_addf(&text,
                    "pid=%" PRId64 "\ngeneration=%" PRId64 "\nupgrades=%" PRId64 "\noutcome=%s\nreason=%s\n",
                    state->pid, state->generation, state->upgrades, outcome_texts[state->outcome],
                    state->reason);
        int r = write_file(next, &text);
        if (r == 0 && rename(next, path) < 0)
                r = -errno;
        if (r < 0)
                err_set(err, NULL, "cannot write %s: %s", path, log_errno_text(r));
        return r;
}

/* ---- reading ---- */

/* Cuts the next line off, which must be `name=value`; NULL when it is not. */
static const char *take_value(char **rest, const char *name)
{
        size_t len = strlen(name);
        char *line = *rest, *end = strchr(line, '\n');
        if (end == NULL || strncmp(line, name, len) != 0 || line[len] != '=')
                return NULL;
        *end = '\0';
        *rest = end + 1;
        return line + len + 1;
}

static bool take_number(char **rest, const char *name, int64_t *ret)
{
        const char *text = take_value(rest, name);
        size_t len = text != NULL ? strlen(text) : 0;
        if (len == 0 || len > 10 || strspn(text, "0123456789") != len)
                return false;
        *ret = strtoll(text, NULL, 10);
        return true;
}

static bool take_outcome(char **rest, enum upgrade_outcome *ret)
{
        const char *text = take_value(rest, "outcome");
        for (int i = 0; text != NULL && i < UPGRADE_OUTCOMES; i++)
                if (strcmp(outcome_texts[i], text) == 0) {
                        *ret = (enum upgrade_outcome)i;
                        return true;
                }
        return false;
}

static bool parse(char *text, struct supervisor_state *ret)
{
        if (!take_number(&text, "pid", &ret->pid) || !take_number(&text, "generation", &ret->generation) ||
            !take_number(&text, "upgrades", &ret->upgrades) || !take_outcome(&text, &ret->outcome))
                return false;
        const char *reason = take_value(&text, "reason");
        if (reason == NULL || *text != '\0' || strlen(reason) >= sizeof(ret->reason))
                return false;
        (void)snprintf(ret->reason, sizeof(ret->reason), "%s", reason);
        return true;
}

int supervisor_state_read(const char *state_dir, struct supervisor_state *ret, struct errinfo *err)
{
        _cleanup_(freep) char *path = xasprintf("%s/supervisor.state", state_dir);
        _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
        struct supervisor_state state = {.pid = 0};
        int r = strbuf_read_file(&text, path, FILE_BYTES_MAX);
        if (r < 0) {
                err_set(err, NULL, "cannot read %s: %s", path, log_errno_text(r));
                return r;
        }
        if (!parse(text.buf, &state)) {
                err_set(err, NULL, "%s is not what a supervisor writes", path);
                return -EPROTO;
        }
        *ret = state;
        return 0;
}
