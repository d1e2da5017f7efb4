/*
 * cmd_project_add.c - orchctl project add: a project, with its tracker and its forge.
 *
 * Everything is looked at first. Then one transaction registers it all; the webhook is made inside of it, so
 * that a failure of either leaves neither a half registered project nor a webhook to nowhere.
 */
#include "ctl/commands.h"

#include <string.h>
#include <unistd.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/onboarding.h"
#include "ctl/pg.h"
#include "ctl/services.h"
#include "ctl/show.h"
#include "queries.h"

#define SERVICE_TIMEOUT_MS 10000

static void render_added(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        (void)term;
        show_form(sb, "project {project} is registered; its work items are called {prefix}-N\n", doc);
}

/* ---- a project of our own tracker and a bare repository ---- */

/* What hosts see there is theirs to say; a path that was mistyped is nowhere. */
static void look_for(const char *location)
{
        _cleanup_(freep) char *objects = xasprintf("%s/objects", location);
        if (access(objects, F_OK) < 0)
                ctl_hint("%s is no bare repository that this host sees: hosts that run workers want it there",
                         location);
}

static int add_local(struct ctl *c, const struct onboarding *o)
{
        const char *repo = args_value(&c->args, "repo"), *branch = args_value(&c->args, "default-branch");
        const char *params[] = {o->name,
                                repo != NULL ? repo : o->name,
                                "local",
                                o->fields[FIELD_LOCATION],
                                branch != NULL ? branch : "main",
                                o->fields[FIELD_PREFIX],
                                o->fields[FIELD_TEST]};
        if (args_has(&c->args, "check"))
                return ctl_fail(EXIT_USAGE, "--check looks at services outside, and there are none");
        int code = show_document(c, &Q_CTL_PROJECT_ADD, params, render_added);
        if (code == EXIT_OK)
                look_for(o->fields[FIELD_LOCATION]);
        return code;
}

/* ---- one with services outside ---- */

static char *service_json(const struct place *p, const char *place, const char *account)
{
        struct strbuf sb = STRBUF_INIT;
        struct json_out *j = json_out_new(false);
        json_out_object(j);
        json_out_kstr(j, "name", p->name);
        json_out_kstr(j, "url", p->url);
        json_out_kstr(j, "token_file", p->token_file);
        json_out_kstr(j, "workspace", p->workspace);
        json_out_kstr(j, "hook_url", p->hook_url);
        json_out_kstr(j, "account", account);
        json_out_kstr(j, "place", place);
        json_out_object_end(j);
        json_out_finish(j, &sb);
        json_out_free(j);
        return strbuf_take(&sb);
}

/* Where its code is: of a forge outside, the address that git is given. */
static char *location_of(const struct onboarding *o)
{
        if (!o->gitea)
                return xstrdup(o->fields[FIELD_LOCATION]);
        const char *url = o->fields[FIELD_FORGE_URL];
        size_t len = strlen(url);
        while (len > 0 && url[len - 1] == '/')
                len--;
        return xasprintf("%.*s/%s.git", (int)len, url, o->fields[FIELD_FORGE_REPO]);
}

static int store(struct ctl *c, const struct onboarding *o, struct strbuf *json)
{
        struct place tracker = onboarding_tracker(o), forge = onboarding_forge(o);
        _cleanup_(freep) char *location = location_of(o);
        _cleanup_(freep) char *tracker_json =
                o->plane ? service_json(&tracker, o->tracker_project, o->tracker_account) : NULL;
        _cleanup_(freep) char *forge_json =
                o->gitea ? service_json(&forge, forge.repo, o->forge_account) : NULL;
        const char *repo = args_value(&c->args, "repo"), *branch = args_value(&c->args, "default-branch");
        const char *params[] = {o->name,
                                repo != NULL ? repo : o->name,
                                location,
                                o->default_branch != NULL ? o->default_branch
                                : branch != NULL          ? branch
                                                          : "main",
                                o->fields[FIELD_PREFIX] != NULL ? o->fields[FIELD_PREFIX] : o->identifier,
                                o->fields[FIELD_TEST],
                                tracker_json,
                                forge_json};
        return pg_json(c->pg, &Q_CTL_PROJECT_ONBOARD, params, json);
}

/* What ends without a commit is rolled back when the connection ends. */
static int register_all(struct ctl *c, struct services *services, const struct onboarding *o,
                        struct strbuf *json)
{
        if (pg_exec(c->pg, "begin") < 0)
                return pg_report(c->pg);
        int code = store(c, o, json);
        if (code == EXIT_OK)
                code = onboarding_hook(c, services, o);
        if (code == EXIT_OK && pg_exec(c->pg, "commit") < 0)
                code = pg_report(c->pg);
        return code;
}

static int print_json(const struct ctl *c, const struct findings *f, const struct onboarding *o,
                      const struct strbuf *project)
{
        static const char *const keys[] = {"project",  "repo",           "tracker", "forge",
                                           "location", "default_branch", "prefix",  "test_command"};
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT, by_hand = STRBUF_INIT;
        struct json_doc *doc = NULL;
        if (project->len > 0 && show_parse(project, &doc) != EXIT_OK)
                return EXIT_FAILED;
        struct json_out *j = json_out_new(true);
        json_out_object(j);
        json_out_kbool(j, "registered", doc != NULL);
        for (size_t i = 0; doc != NULL && i < ARRAY_SIZE(keys); i++)
                json_out_kstr(j, keys[i], json_str(json_get(json_root(doc), keys[i])));
        findings_json(f, j);
        onboarding_by_hand(c, o, &by_hand);
        json_out_kstr(j, "by_hand", by_hand.buf);
        json_out_object_end(j);
        json_out_finish(j, &sb);
        json_out_free(j);
        json_doc_free(doc);
        return ctl_print(&sb);
}

static int print_text(struct ctl *c, const struct onboarding *o, const struct strbuf *project)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        struct json_doc *doc = NULL;
        if (project->len > 0) {
                if (show_parse(project, &doc) != EXIT_OK)
                        return EXIT_FAILED;
                render_added(json_root(doc), &c->term, &sb);
                json_doc_free(doc);
        }
        strbuf_addstr(&sb, "What only you can do:\n");
        onboarding_by_hand(c, o, &sb);
        return ctl_print(&sb);
}

static int print_found(struct ctl *c, const struct findings *f)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        findings_print(f, 0, &c->term, &sb);
        return c->json ? EXIT_OK : ctl_print(&sb);
}

static int add_outside(struct ctl *c, struct services *services, struct findings *f, struct onboarding *o)
{
        _cleanup_(strbuf_deinit) struct strbuf project = STRBUF_INIT;
        const struct checkup checkup = {.services = services, .findings = f};
        onboarding_check(c, &checkup, o);
        size_t wrong = findings_count(f, FINDING_WRONG);
        int code = print_found(c, f);
        if (code == EXIT_OK && wrong == 0 && !args_has(&c->args, "check"))
                code = register_all(c, services, o, &project);
        if (code != EXIT_OK)
                return code;
        if (c->json)
                code = print_json(c, f, o, &project);
        else if (wrong == 0)
                code = print_text(c, o, &project);
        if (wrong > 0)
                return ctl_fail(EXIT_FAILED, "nothing was registered: %zu %s wrong", wrong,
                                wrong == 1 ? "thing is" : "things are");
        return code;
}

static int run_project_add(struct ctl *c)
{
        struct onboarding o = {.name = NULL};
        struct findings f = FINDINGS_INIT;
        struct services *services = NULL;
        struct errinfo err = ERRINFO_INIT;
        int code = onboarding_collect(c, &o);
        if (code == EXIT_OK && !o.plane && !o.gitea) {
                code = add_local(c, &o);
        } else if (code == EXIT_OK) {
                services = services_new(c->opt, SERVICE_TIMEOUT_MS, &err);
                code = services != NULL ? add_outside(c, services, &f, &o)
                                        : ctl_fail(EXIT_FAILED, "%s", err.text);
        }
        services_free(services);
        findings_deinit(&f);
        onboarding_deinit(&o);
        return code;
}

const struct command command_project_add = {
        .name = "project add",
        .group = GROUP_ACT,
        .args = "NAME [LOCATION] --test COMMAND",
        .min_args = 1,
        .max_args = 2,
        .summary = "register a project: where its work items and its code are, and its tests",
        .text = "By itself it has the local tracker, and its code is in LOCATION, the path of a bare git "
                "repository, "
                "the same on every host; it then wants --prefix.\n\n--tracker plane has its work items in "
                "Plane, "
                "--forge gitea its code in Gitea. What is needed for that is taken from the options, or from "
                "an "
                "endpoint that is registered already, and on a terminal you are asked for the rest. Tokens "
                "are "
                "given by file, readable by the user of the suite only, the same path on every host. Then it "
                "is "
                "looked at: the tokens and what they may do, the project and its states, the repository, the "
                "webhook. When something is wrong nothing is changed; otherwise all is registered at once, "
                "the webhook is "
                "made in Gitea, and you are told what is left to click in Plane.\n\nThe default branch is "
                "only "
                "ever changed by a merge that was tested. Registering the same project again with the same "
                "settings "
                "changes nothing, but makes a webhook that is missing.",
        .json = "the project, as in `orchctl project list --json`; with services outside also "
                "{\"registered\", \"wrong\", \"warnings\", \"findings\" (as of orchctl doctor), \"by_hand\"}",
        .options =
                (const struct command_option[]){
                        {"test", 0, "COMMAND",
                         "shell command that tests a checkout, exit 0 is green; required"},
                        {"prefix", 0, "PREFIX",
                         "prefix of its work items, such as DEMO; plane: its identifier"},
                        {"repo", 0, "NAME",
                         "name of the repository in settings and lists (NAME of the project)"},
                        {"default-branch", 0, "BRANCH", "branch that is cut from and merged into (main)"},
                        {"tracker", 0, "KIND", "plane or local (local)"},
                        {"tracker-endpoint", 0, "NAME", "how the Plane server is called here (plane)"},
                        {"tracker-url", 0, "URL", "its address"},
                        {"tracker-token-file", 0, "FILE", "file whose first line is its API token"},
                        {"workspace", 0, "SLUG", "its workspace"},
                        {"tracker-project", 0, "PROJECT", "its project: identifier or UUID"},
                        {"forge", 0, "KIND", "gitea or local (local)"},
                        {"forge-endpoint", 0, "NAME", "how the Gitea server is called here (gitea)"},
                        {"forge-url", 0, "URL", "its address"},
                        {"forge-token-file", 0, "FILE", "file whose first line is its token"},
                        {"forge-repo", 0, "OWNER/NAME", "its repository"},
                        {"public-url", 0, "URL", "where both reach this suite, for their webhooks"},
                        {"check", 0, NULL, "only look, and register nothing"},
                        {.name = NULL},
                },
        .examples =
                (const struct command_example[]){
                        {"orchctl project add demo /srv/git/demo.git --prefix DEMO --test 'make check'",
                         "A repository on this machine"},
                        {"orchctl project add shop --tracker plane --forge gitea", "Ask me for the rest"},
                        {"orchctl project add two --tracker plane --tracker-project TWO /srv/git/two.git "
                         "--check "
                         "--test make",
                         "On the Plane that is known already; only look"},
                        {.line = NULL},
                },
        .run = run_project_add,
};
