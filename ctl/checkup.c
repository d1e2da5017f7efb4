/* checkup.c - tokens, chats, and what the checks of trackers and forges share. */
#include "ctl/checkup_internal.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/gitea.h"
#include "common/json_read.h"
#include "common/json_write.h"
#include "common/mem.h"
#include "common/notifier_telegram.h"
#include "common/plane.h"
#include "common/rest.h"
#include "common/secret_file.h"
#include "ctl/services.h"
#include "ctl/show.h"

void place_read(struct place *ret, const char *name, const struct json *config)
{
        *ret = (struct place){.name = name,
                              .kind = show_str(config, "kind"),
                              .url = show_str(config, "url"),
                              .token_file = show_str(config, "token_file"),
                              .workspace = json_str(json_get(config, "workspace")),
                              .segment = json_str(json_get(config, "segment")),
                              .project = json_str(json_get(config, "project")),
                              .repo = json_str(json_get(config, "repo"))};
        (void)json_int(json_get(config, "chat"), &ret->chat); /* 0: it is no chat */
}

bool checkup_failed(const struct checkup *c, const struct place *p, const char *what)
{
        enum port_outcome outcome = services_outcome(c->services);
        if (outcome == PORT_OK)
                return false;
        findings_say(c->findings, outcome == PORT_LIMITED ? FINDING_WARNING : FINDING_WRONG, p->name,
                     services_mend(outcome), "%s, asked for %s, answers \"%s\": %s", p->url, what,
                     port_outcome_name(outcome), services_why(c->services));
        return true;
}

struct plane *checkup_plane(const struct checkup *c, const struct place *p)
{
        const struct plane_config cfg = {.http = services_http(c->services),
                                         .url = p->url,
                                         .token_file = p->token_file,
                                         .workspace = p->workspace != NULL ? p->workspace : "",
                                         .project = p->project,
                                         .segment = p->segment};
        return plane_new(&cfg);
}

struct gitea *checkup_gitea(const struct checkup *c, const struct place *p)
{
        const struct gitea_config cfg = {.http = services_http(c->services),
                                         .url = p->url,
                                         .token_file = p->token_file,
                                         .repo = p->repo != NULL ? p->repo : ""};
        return gitea_new(&cfg);
}

/* ---- tokens ---- */

static bool check_address(const struct checkup *c, const struct place *p)
{
        struct errinfo err = ERRINFO_INIT;
        if (services_check_url(c->services, p->url, &err) == 0)
                return true;
        findings_say(c->findings, FINDING_WRONG, p->name,
                     "give it as in https://host.example.org; http only to a host that the option "
                     "http_plain_hosts names",
                     "its address %s is not asked: %s", p->url, err.text);
        return false;
}

static bool check_file(const struct checkup *c, const struct place *p)
{
        struct errinfo err = ERRINFO_INIT;
        char *token = NULL;
        if (p->token_file[0] != '/') {
                findings_say(c->findings, FINDING_WRONG, p->name,
                             "give its whole path: hosts have other folders",
                             "the path of its token file, \"%s\", does not begin with /", p->token_file);
                return false;
        }
        if (secret_file_line(p->token_file, "token", &token, &err) < 0) {
                findings_say(c->findings, FINDING_WRONG, p->name,
                             "put the token into the first line of that file, readable by the user of the "
                             "suite only (mode 600), on every host",
                             "%s", err.text);
                return false;
        }
        OPENSSL_cleanse(token, strlen(token));
        free(token);
        return true;
}

static const char *ask_plane(const struct checkup *c, const struct place *p)
{
        struct plane *plane = checkup_plane(c, p);
        (void)plane_me(plane, services_answer, c->services);
        bool ok = services_wait(c->services) == PORT_OK;
        plane_free(plane);
        return ok ? json_str(json_get(services_json(c->services), "id")) : NULL;
}

static const char *ask_gitea(const struct checkup *c, const struct place *p)
{
        struct gitea *gitea = checkup_gitea(c, p);
        (void)gitea_user(gitea, services_answer, c->services);
        bool ok = services_wait(c->services) == PORT_OK;
        gitea_free(gitea);
        return ok ? json_str(json_get(services_json(c->services), "login")) : NULL;
}

static void ask_telegram(const struct checkup *c, const struct place *p, const char *method,
                         struct json_out *body)
{
        const struct rest_config cfg = {.http = services_http(c->services),
                                        .url = p->url,
                                        .token_file = p->token_file,
                                        .prefix = "/bot"};
        struct rest *rest = rest_new(&cfg);
        (void)rest_start(rest, "POST", method, body, services_rest_answer, c->services);
        (void)services_wait(c->services); /* the outcome is kept there */
        rest_free(rest);
}

bool checkup_token(const struct checkup *c, const struct place *p, char **ret_account)
{
        const char *account = NULL;
        if (!check_address(c, p) || !check_file(c, p))
                return false;
        if (strcmp(p->kind, "plane") == 0)
                account = ask_plane(c, p);
        else if (strcmp(p->kind, "gitea") == 0)
                account = ask_gitea(c, p);
        else
                ask_telegram(c, p, "/getMe", NULL);
        if (checkup_failed(c, p, "whose token that is"))
                return false;
        findings_say(c->findings, FINDING_FINE, p->name, NULL, "%s takes the token%s%s", p->url,
                     account != NULL ? ": it is of " : "", account != NULL ? account : "");
        if (ret_account != NULL)
                *ret_account = account != NULL ? xstrdup(account) : NULL;
        return true;
}

bool checkup_chat(const struct checkup *c, const struct place *p)
{
        struct json_out *body = json_out_new(false);
        json_out_object(body);
        json_out_kint(body, "chat_id", p->chat);
        json_out_object_end(body);
        ask_telegram(c, p, "/getChat", body);
        return !checkup_failed(c, p, "the chat");
}
