/* errand_tree.c - a work tree for an errand: a folder of our own, the mirror, a clone. */
#include <string.h>

#include "common/err.h"
#include "common/json_write.h"
#include "common/log.h"
#include "common/mem.h"
#include "workerd/errand.h"
#include "workerd/job.h"
#include "workerd/mirror.h"
#include "workerd/tree.h"

static void cut(struct errand *e, const char *sha);

void errand_failed(struct errand *e, const char *what, const char *why)
{
        struct json_out *j = json_out_new(false);
        _cleanup_(freep) char *reason = xasprintf("%s: %s", what, why);
        log_warning(EV("watch.errand-failed"), LF_S("what", e->kind->what), LF_I("errand", e->id),
                    LF_S("work_item", e->work_item), LF_S("error", reason));
        json_out_object(j);
        json_out_kbool(j, "done", false);
        json_out_kstr(j, "status", "FAILED");
        json_out_kstr(j, "reason", reason);
        errand_done(e, j);
}

/* The branch is not where we left it: an earlier life of this errand has pushed, or somebody else has; or it
 * was deleted after the merge, and then it begins again where we left it. */
static void moved(struct errand *e, const struct tree_result *res)
{
        if (e->remote_sha[0] != '\0' || e->info.head_sha == NULL) {
                errand_failed(e, "the branch moves", res->err.text);
        } else if (res->head_sha[0] != '\0') {
                memcpy(e->remote_sha, res->head_sha, sizeof(e->remote_sha));
                e->info.head_sha = e->remote_sha;
                cut(e, NULL);
        } else {
                e->info.head_sha = NULL; /* so it is expected to be away */
                cut(e, e->head_sha);
        }
}

static void on_cut(void *arg, const struct tree_result *res)
{
        struct errand *e = arg;
        e->tree_op = NULL;
        switch (res->outcome) {
        case TREE_OK:
                memcpy(e->start_sha, res->start_sha, sizeof(e->start_sha));
                memcpy(e->base_sha, res->base_sha, sizeof(e->base_sha));
                e->info.start_sha = e->start_sha;
                e->info.base_sha = e->base_sha;
                e->on_tree(e);
                return;
        case TREE_MOVED:
                moved(e, res);
                return;
        case TREE_FAILED:
                errand_failed(e, "the work tree could not be made", res->err.text);
                return;
        }
}

static void cut(struct errand *e, const char *sha)
{
        if (sha != NULL)
                e->tree_op = tree_checkout(e->host->git, &e->info, &e->dir, e->mirror, sha, on_cut, e);
        else
                e->tree_op = tree_prepare(e->host->git, &e->info, &e->dir, e->mirror, on_cut, e);
}

void errand_forge_said(struct errand *e, bool answered, enum port_outcome said)
{
        e->forge_said = answered          ? port_outcome_name(PORT_OK)
                        : said != PORT_OK ? port_outcome_name(said)
                                          : NULL;
}

/* A commit that is wanted by its name may be in the mirror already: then nobody waits for the forge. */
static void on_mirrored(void *arg, const struct mirror_result *res)
{
        struct errand *e = arg;
        e->mirror_op = NULL;
        errand_forge_said(e, res->outcome == MIRROR_OK, res->said);
        if (res->outcome != MIRROR_OK && e->remote_sha[0] == '\0')
                errand_failed(e, "the repository could not be fetched", res->err.text);
        else
                cut(e, e->remote_sha[0] != '\0' ? e->remote_sha : NULL);
}

static void on_cleared(void *arg, int r, const struct errinfo *why)
{
        struct errand *e = arg;
        struct errinfo err = ERRINFO_INIT;
        e->tree_remove = NULL;
        if (r < 0)
                errand_failed(e, "an earlier folder could not be removed", why->text);
        else if (run_dir_create(&e->dir, &err) < 0)
                errand_failed(e, "the folder could not be made", err.text);
        else
                e->mirror_op = mirror_update(e->host->git, e->mirror, &e->info.remote, on_mirrored, e);
}

void errand_tree(struct errand *e, const char *what, const char *sha, void (*on_tree)(struct errand *e))
{
        e->on_tree = on_tree;
        e->mirror = run_dir_mirror(e->host->state_dir, e->repo);
        if (sha != NULL)
                (void)git_oid_read(sha, e->remote_sha);
        if (e->mirror == NULL) {
                errand_failed(e, "this cannot be the name of a repository", e->repo);
                return;
        }
        run_dir_names_report(&e->dir, e->host->state_dir, what, e->id);
        e->tree_remove = tree_remove(e->host->loop, e->dir.path, on_cleared, e);
}
