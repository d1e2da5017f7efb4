/* onboarding_check.c - what is looked at before a project is registered, and its webhook in Gitea. */
#include "ctl/onboarding.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/gitea.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/secret_file.h"
#include "ctl/ctl.h"
#include "ctl/services.h"

static void check_tracker(struct ctl *c, const struct checkup *k, struct onboarding *o)
{
        struct place p = onboarding_tracker(o);
        k->findings->check = "tracker";
        if (!checkup_token(k, &p, &o->tracker_account) ||
            !checkup_find_project(k, &p, o->fields[FIELD_TRACKER_PROJECT], &o->tracker_project,
                                  &o->identifier))
                return;
        p.project = o->tracker_project;
        k->findings->check = "states";
        (void)checkup_states(k, &p, c->pg); /* it has said so */
}

#define PATH_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/"

/* Pure: OWNER/NAME, as Gitea lets them be named. */
static bool is_repo(const char *s)
{
        const char *slash = strchr(s, '/');
        return slash != NULL && slash != s && slash[1] != '\0' && strchr(slash + 1, '/') == NULL &&
               s[strspn(s, PATH_CHARS)] == '\0' && strstr(s, "..") == NULL;
}

/* Pure: an address of ours, as the database takes it (orch.endpoint.hook_url). */
static bool is_address(const char *s)
{
        size_t scheme = strncmp(s, "https://", 8) == 0 ? 8 : strncmp(s, "http://", 7) == 0 ? 7 : 0;
        const char *host = s + scheme, *path = host + strcspn(host, "/");
        return scheme > 0 && path != host && host[strspn(host, PATH_CHARS ":~")] == '\0' &&
               host + strcspn(host, "_~") >= path && strchr(path, ':') == NULL;
}

static void check_forge(const struct checkup *k, struct onboarding *o, const char *branch)
{
        struct place p = onboarding_forge(o);
        k->findings->check = "forge";
        if (!is_repo(p.repo)) {
                findings_say(k->findings, FINDING_WRONG, p.name, "give it as in acme/shop",
                             "\"%s\" is no OWNER/NAME", p.repo);
                return;
        }
        if (!checkup_token(k, &p, &o->forge_account) || !checkup_repo(k, &p, branch, &o->default_branch))
                return;
        k->findings->check = "webhook";
        if (p.hook_url == NULL)
                findings_say(k->findings, FINDING_WARNING, p.name,
                             "say where it reaches us: --public-url URL",
                             "no webhook: what happens there is found by looking, and later");
        else
                o->hook = checkup_hook(k, &p, FINDING_WARNING, &o->hook_id);
}

/* The secret that Gitea signs with: the first line. */
static void check_secret(const struct ctl *c, const struct checkup *k)
{
        const char *path = c->opt->gitea_secret_file;
        struct errinfo err = ERRINFO_INIT;
        char *secret = NULL;
        k->findings->check = "webhook";
        if (path[0] == '\0') {
                findings_say(k->findings, FINDING_WRONG, "gitea_secret_file",
                             "umask 077; openssl rand -hex 32 > FILE; name it in the configuration of every "
                             "host that listens; then orchctl upgrade",
                             "is not set: webhooks of Gitea would be turned away");
        } else if (secret_file_line(path, "secrets", &secret, &err) < 0) {
                findings_say(k->findings, FINDING_WRONG, "gitea_secret_file", "mend the file", "%s",
                             err.text);
        } else {
                OPENSSL_cleanse(secret, strlen(secret));
                free(secret);
        }
}

void onboarding_check(struct ctl *c, const struct checkup *k, struct onboarding *o)
{
        const char *public_url = o->fields[FIELD_PUBLIC_URL];
        o->hook = CHECKUP_HOOK_UNKNOWN;
        if (o->plane)
                check_tracker(c, k, o);
        if (o->gitea)
                check_forge(k, o, args_value(&c->args, "default-branch"));
        k->findings->check = "webhook";
        if (public_url != NULL && !is_address(public_url))
                findings_say(k->findings, FINDING_WRONG, "--public-url",
                             "give it as in https://orchestrator.example.org", "\"%s\" is no address",
                             public_url);
        if (o->gitea && o->gitea_hook != NULL)
                check_secret(c, k);
}

/* ---- the webhook ---- */

static int failed(const struct services *s, const char *what)
{
        (void)ctl_fail(EXIT_TEMPORARY, "cannot %s the webhook, so nothing was registered: %s", what,
                       services_why(s));
        ctl_hint("%s", services_mend(services_outcome(s)));
        return EXIT_TEMPORARY;
}

static int replace_hook(struct services *s, struct gitea *gitea, const struct onboarding *o)
{
        if (o->hook != CHECKUP_HOOK_WRONG)
                return EXIT_OK;
        (void)gitea_delete_hook(gitea, o->hook_id, services_answer, s);
        return services_wait(s) == PORT_OK ? EXIT_OK : failed(s, "replace");
}

int onboarding_hook(struct ctl *c, struct services *s, const struct onboarding *o)
{
        struct errinfo err = ERRINFO_INIT;
        struct place p = onboarding_forge(o);
        char *secret = NULL;
        bool wanted = o->gitea && (o->hook == CHECKUP_HOOK_MISSING || o->hook == CHECKUP_HOOK_WRONG);
        if (!wanted)
                return EXIT_OK;
        if (secret_file_line(c->opt->gitea_secret_file, "secrets", &secret, &err) < 0)
                return ctl_fail(EXIT_FAILED, "%s", err.text);
        const struct gitea_config cfg = {
                .http = services_http(s), .url = p.url, .token_file = p.token_file, .repo = p.repo};
        struct gitea *gitea = gitea_new(&cfg);
        int code = replace_hook(s, gitea, o);
        if (code == EXIT_OK) {
                (void)gitea_make_hook(gitea, o->gitea_hook, secret, services_answer, s);
                code = services_wait(s) == PORT_OK ? EXIT_OK : failed(s, "make");
        }
        gitea_free(gitea);
        OPENSSL_cleanse(secret, strlen(secret));
        free(secret);
        return code;
}
