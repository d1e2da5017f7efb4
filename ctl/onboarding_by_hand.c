/* onboarding_by_hand.c - what only a person can do: Plane has no API for webhooks, and neither server sends
 * them to a private address unless it is told that it may. */
#include "ctl/onboarding.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/options.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"

/* Pure. Whether this is an address that both servers refuse by themselves; of a name that may resolve to one
 * nothing is known. */
static bool is_private(const char *url)
{
        static const char *const begins[] = {"10.",   "127.", "192.168.", "169.254.", "localhost",
                                             "[::1]", "[fc",  "[fd",      "[fe80"};
        const char *host = strstr(url, "://");
        host = host != NULL ? host + 3 : url;
        for (size_t i = 0; i < ARRAY_SIZE(begins); i++)
                if (strncmp(host, begins[i], strlen(begins[i])) == 0)
                        return true;
        long second = strncmp(host, "172.", 4) == 0 ? strtol(host + 4, NULL, 10) : 0;
        return (second >= 16 && second <= 31) || strcspn(host, ".") >= strcspn(host, ":/");
}

static char *host_of(const char *url)
{
        const char *host = strstr(url, "://");
        host = host != NULL ? host + 3 : url;
        return xstrndup(host, strcspn(host, ":/"));
}

static void plane_by_hand(const struct ctl *c, const struct onboarding *o, unsigned *n, struct strbuf *sb)
{
        const char *file = c->opt->plane_secret_file;
        _cleanup_(freep) char *host = host_of(o->plane_hook);
        strbuf_addf(sb,
                    "%u. In Plane, workspace %s: Settings, Webhooks, Add webhook. URL %s, events Work items "
                    "(issues) and "
                    "Comments. It shows a secret once: put it into %s (mode 600) on every host that listens, "
                    "then `orchctl upgrade`.\n",
                    ++*n, o->fields[FIELD_WORKSPACE], o->plane_hook,
                    file[0] != '\0' ? file : "a file that the option plane_secret_file names");
        strbuf_addf(sb,
                    "%u. %s: Plane sends no webhook to a private address unless its environment has "
                    "WEBHOOK_ALLOWED_HOSTS=%s, or WEBHOOK_ALLOWED_IPS with its network; it refuses them "
                    "without a word. Never to localhost or 127.0.0.1, nor to its own host name.\n",
                    ++*n,
                    is_private(o->plane_hook) ? "Your address is private" : "If that address is private",
                    host);
}

static void gitea_by_hand(const struct ctl *c, const struct onboarding *o, unsigned *n, struct strbuf *sb)
{
        _cleanup_(freep) char *host = host_of(o->gitea_hook);
        if (o->hook == CHECKUP_HOOK_UNKNOWN)
                strbuf_addf(sb,
                            "%u. In Gitea, %s: Settings, Webhooks, Add webhook, Gitea. URL %s, POST, "
                            "application/json, the secret in the first line of %s, all events of branches, "
                            "pull requests, reviews, statuses and workflows; active.\n",
                            ++*n, o->fields[FIELD_FORGE_REPO], o->gitea_hook, c->opt->gitea_secret_file);
        strbuf_addf(sb,
                    "%u. %s: Gitea sends webhooks there only when its app.ini has, under [webhook], "
                    "ALLOWED_HOST_LIST with private, loopback, the network, or %s.\n",
                    ++*n,
                    is_private(o->gitea_hook) ? "Your address is private" : "If that address is private",
                    host);
}

void onboarding_by_hand(const struct ctl *c, const struct onboarding *o, struct strbuf *sb)
{
        unsigned n = 0;
        if (o->plane && o->plane_hook != NULL)
                plane_by_hand(c, o, &n, sb);
        if (o->gitea && o->gitea_hook != NULL)
                gitea_by_hand(c, o, &n, sb);
        if (o->gitea)
                strbuf_addf(
                        sb,
                        "%u. In Gitea, %s: Settings, Branches: protect %s, without a right to push; let the "
                        "account %s merge pull requests, and not be an administrator of the site.\n",
                        ++n, o->fields[FIELD_FORGE_REPO],
                        o->default_branch != NULL ? o->default_branch : "the default branch",
                        o->forge_account != NULL ? o->forge_account : "of the token");
}
