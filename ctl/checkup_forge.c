/* checkup_forge.c - a repository of Gitea, and its webhook. */
#include "ctl/checkup_internal.h"

#include <string.h>

#include "common/gitea.h"
#include "common/json_read.h"
#include "common/mem.h"
#include "ctl/services.h"
#include "ctl/show.h"

/* Without these nothing is heard of a branch, a pull request or CI. */
static const char *const heard[] = {"push", "delete", "pull_request", "status"};

static bool is_true(const struct json *object, const char *key)
{
        bool value = false;
        return json_bool(json_get(object, key), &value) && value;
}

static void check_branch(const struct checkup *c, const struct place *p, struct gitea *gitea,
                         const char *branch)
{
        (void)gitea_branch(gitea, branch, services_answer, c->services);
        if (services_wait(c->services) == PORT_NOT_FOUND)
                findings_say(c->findings, FINDING_WRONG, p->name, "push a first commit to it",
                             "%s has no branch %s", p->repo, branch);
        else if (!checkup_failed(c, p, "the branch") && !is_true(services_json(c->services), "protected"))
                findings_say(
                        c->findings, FINDING_WARNING, p->name,
                        "protect it in Gitea: settings of the repository, Branches; agents never have the "
                        "token, but people do",
                        "branch %s of %s is not protected: whoever may write can push to it", branch,
                        p->repo);
}

static bool check_rights(const struct checkup *c, const struct place *p, const struct json *repo)
{
        if (is_true(repo, "archived")) {
                findings_say(c->findings, FINDING_WRONG, p->name, "unarchive it in Gitea",
                             "%s is archived: nothing can be pushed", p->repo);
                return false;
        }
        if (!is_true(repo, "push")) {
                findings_say(c->findings, FINDING_WRONG, p->name,
                             "make the account of the token a collaborator who may write",
                             "the token may not push to %s", p->repo);
                return false;
        }
        return true;
}

bool checkup_repo(const struct checkup *c, const struct place *p, const char *expected_branch,
                  char **ret_branch)
{
        struct gitea *gitea = checkup_gitea(c, p);
        (void)gitea_repo(gitea, services_answer, c->services);
        (void)services_wait(c->services);
        bool ok = !checkup_failed(c, p, "the repository") && check_rights(c, p, services_json(c->services));
        if (ok) {
                _cleanup_(freep) char *branch =
                        xstrdup(show_str(services_json(c->services), "default_branch"));
                if (expected_branch != NULL && strcmp(branch, expected_branch) != 0)
                        findings_say(c->findings, FINDING_WRONG, p->name,
                                     "make them one: the forge protects its own default branch only",
                                     "the default branch of %s is %s, and the project's is %s", p->repo,
                                     branch, expected_branch);
                else
                        findings_say(c->findings, FINDING_FINE, p->name, NULL,
                                     "%s can be pushed to; its default branch is %s", p->repo, branch);
                check_branch(c, p, gitea, branch);
                if (ret_branch != NULL)
                        *ret_branch = take_ptr(branch);
        }
        gitea_free(gitea);
        return ok;
}

/* ---- its webhook ---- */

static bool hears(const struct json *hook, const char *event)
{
        const struct json *events = json_get(hook, "events");
        for (size_t i = 0; i < json_len(events); i++) {
                const char *name = json_str(json_at(events, i));
                if (name != NULL && strcmp(name, event) == 0)
                        return true;
        }
        return false;
}

/* What is wrong with it, or NULL. */
static const char *fault_of(const struct json *hook)
{
        if (!is_true(hook, "active"))
                return "it is not active";
        if (strcmp(show_str(hook, "content_type"), "json") != 0)
                return "it sends forms and no JSON";
        for (size_t i = 0; i < ARRAY_SIZE(heard); i++)
                if (!hears(hook, heard[i]))
                        return "it is not told of everything (push, delete, pull requests, statuses)";
        return NULL;
}

static const struct json *find(const struct json *hooks, const char *url)
{
        const struct json *found = NULL;
        for (size_t i = 0; i < json_len(hooks); i++) {
                const struct json *hook = json_at(hooks, i);
                if (strcmp(show_str(hook, "url"), url) == 0 && (found == NULL || fault_of(found) != NULL))
                        found = hook; /* of two, the one that works */
        }
        return found;
}

enum checkup_hook checkup_hook(const struct checkup *c, const struct place *p, enum finding_level missing_is,
                               int64_t *ret_id)
{
        struct gitea *gitea = checkup_gitea(c, p);
        (void)gitea_hooks(gitea, services_answer, c->services);
        enum port_outcome outcome = services_wait(c->services);
        gitea_free(gitea);
        if (outcome == PORT_REFUSED || outcome == PORT_NOT_FOUND) {
                findings_say(c->findings, FINDING_WARNING, p->name,
                             "fine if you make and watch it by hand; else make its account an administrator "
                             "of the repository",
                             "the token may not look at the webhooks of %s", p->repo);
                return CHECKUP_HOOK_UNKNOWN;
        }
        if (checkup_failed(c, p, "the webhooks"))
                return CHECKUP_HOOK_UNKNOWN;
        const struct json *hook = find(json_get(services_json(c->services), "hooks"), p->hook_url);
        const char *fault = fault_of(hook);
        (void)json_int(json_get(hook, "id"), ret_id); /* there is one when there is a hook */
        if (hook == NULL)
                findings_say(c->findings, missing_is, p->name, "orchctl project add makes it, also later",
                             "%s has no webhook to %s", p->repo, p->hook_url);
        else if (fault != NULL)
                findings_say(c->findings, missing_is, p->name,
                             "delete it in Gitea (settings of the repository, Webhooks); orchctl project add "
                             "makes another",
                             "the webhook of %s to %s: %s", p->repo, p->hook_url, fault);
        else
                findings_say(c->findings, FINDING_FINE, p->name, NULL, "%s has its webhook to %s", p->repo,
                             p->hook_url);
        return hook == NULL ? CHECKUP_HOOK_MISSING : fault != NULL ? CHECKUP_HOOK_WRONG : CHECKUP_HOOK_GOOD;
}
