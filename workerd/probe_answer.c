/* probe_answer.c - see probe_answer.h. */
#include "workerd/probe_answer.h"

#include <stdlib.h>
#include <string.h>

#include "common/http_client.h"
#include "common/mem.h"

#define EX_TEMPFAIL    75
#define CANNOT_EXECUTE 126
#define NOT_FOUND      127

const char *probe_answer_word(enum probe_answer answer)
{
        static const char *const words[] = {
                [PROBE_HEALTHY] = "healthy", [PROBE_FAILED] = "failed", [PROBE_NO_DATA] = "no-data"};
        return words[answer];
}

enum probe_answer probe_of_command(enum shell_command_end end, int code)
{
        switch (end) {
        case SHELL_COMMAND_EXITED:
                if (code == 0)
                        return PROBE_HEALTHY;
                return code == EX_TEMPFAIL || code == CANNOT_EXECUTE || code == NOT_FOUND ? PROBE_NO_DATA
                                                                                          : PROBE_FAILED;
        case SHELL_COMMAND_TIMEOUT:
                return PROBE_FAILED;
        case SHELL_COMMAND_KILLED:
        case SHELL_COMMAND_NOT_STARTED:
                return PROBE_NO_DATA;
        }
        abort();
}

/* What libcurl has met, when it says nothing of production: no such name (6), a URL it cannot take (3), or an
 * answer that is longer than it may be. */
static bool says_nothing(const char *code)
{
        static const char *const codes[] = {"curl 3", "curl 6", HTTP_TOO_LONG};
        for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
                if (strcmp(codes[i], code) == 0)
                        return true;
        return false;
}

enum probe_answer probe_of_url(const struct http_answer *answer)
{
        if (answer->outcome != HTTP_ANSWERED)
                return says_nothing(answer->err.code) ? PROBE_NO_DATA : PROBE_FAILED;
        if (answer->status >= 200 && answer->status < 300)
                return PROBE_HEALTHY;
        return answer->status >= 300 && answer->status < 400 ? PROBE_NO_DATA : PROBE_FAILED;
}

char *probe_plain_host(const char *url)
{
        static const char scheme[] = "http://";
        if (strncasecmp(url, scheme, strlen(scheme)) != 0)
                return NULL;
        const char *host = url + strlen(scheme);
        size_t len = strcspn(host, "/?#,");
        _cleanup_(freep) char *name = xstrndup(host, len);
        const char *bracket = strrchr(name, ']');
        bool has_port = strchr(bracket != NULL ? bracket : name, ':') != NULL;
        return xasprintf("%s%s", name, has_port ? "" : ":80");
}
