/* effect_call.c - the operations of the outbox, by port and kind. */
#include "workerd/effect_call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/forge.h"
#include "common/gitea.h"
#include "common/json_read.h"
#include "common/mem.h"
#include "common/notifier.h"
#include "common/plane.h"
#include "common/secret_file.h"
#include "common/tracker.h"
#include "workerd/endpoint.h"

void effect_ports_init(struct effect_ports *ports, struct loop *loop, struct db *db, struct git *git,
                       struct http_client *http)
{
        *ports = (struct effect_ports){
                .git = git,
                .http = http,
                .tracker_local = tracker_local_new(db),
                .notifier_log = notifier_log_new(loop),
        };
}

void effect_ports_deinit(struct effect_ports *ports)
{
        tracker_free(ports->tracker_local);
        notifier_free(ports->notifier_log);
        free(ports->hook_secret_file);
        *ports = (struct effect_ports){.git = NULL};
}

static const char *arg_of(const struct effect_spec *spec, const char *name, struct errinfo *err)
{
        const char *value = json_str(json_get(spec->payload, name));
        if (value == NULL)
                err_set(err, "", "the payload has no \"%s\"", name);
        return value;
}

static void on_tracker(void *arg, const struct port_answer *answer)
{
        struct effect_call *call = arg;
        call->tracker_call = NULL;
        call->fn(call->arg, answer);
}

static int tracker_state(struct effect_call *call, const struct effect_ports *ports,
                         const struct effect_spec *spec, struct errinfo *err)
{
        const char *item = arg_of(spec, "work_item", err);
        const char *state = arg_of(spec, "state", err);
        if (item == NULL || state == NULL)
                return -EINVAL;
        call->tracker = ports->tracker_local;
        call->tracker_call = tracker_set_state(call->tracker, item, state, on_tracker, call);
        return 0;
}

static int tracker_say(struct effect_call *call, const struct effect_ports *ports,
                       const struct effect_spec *spec, struct errinfo *err)
{
        const char *item = arg_of(spec, "work_item", err);
        const char *marker = arg_of(spec, "marker", err);
        const char *text = arg_of(spec, "text", err);
        if (item == NULL || marker == NULL || text == NULL)
                return -EINVAL;
        call->tracker = ports->tracker_local;
        call->tracker_call = tracker_comment(call->tracker, item, marker, text, on_tracker, call);
        return 0;
}

static void on_plane(void *arg, const struct port_answer *answer, const char *json)
{
        struct effect_call *call = arg;
        call->plane_call = NULL;
        call->json = json != NULL ? xstrdup(json) : NULL;
        call->fn(call->arg, answer);
}

static int plane_of(struct effect_call *call, const struct effect_ports *ports,
                    const struct effect_spec *spec, struct errinfo *err)
{
        struct endpoint e;
        if (endpoint_read(&e, spec->endpoint, err) < 0)
                return -EINVAL;
        call->plane = endpoint_plane(&e, ports->http);
        return 0;
}

/* Item and state in the board's own words: orch.remote_payload(). */
static int plane_state(struct effect_call *call, const struct effect_ports *ports,
                       const struct effect_spec *spec, struct errinfo *err)
{
        const char *item = arg_of(spec, "item", err);
        const char *remote = arg_of(spec, "remote", err);
        const char *keep = arg_of(spec, "keep", err);
        if (item == NULL || remote == NULL || keep == NULL || plane_of(call, ports, spec, err) < 0)
                return -EINVAL;
        call->plane_call = plane_set_state(call->plane, item, remote, keep, on_plane, call);
        return 0;
}

static int plane_say(struct effect_call *call, const struct effect_ports *ports,
                     const struct effect_spec *spec, struct errinfo *err)
{
        const char *item = arg_of(spec, "item", err);
        const char *marker = arg_of(spec, "marker", err);
        const char *text = arg_of(spec, "text", err);
        if (item == NULL || marker == NULL || text == NULL || plane_of(call, ports, spec, err) < 0)
                return -EINVAL;
        call->plane_call = plane_comment(call->plane, item, marker, text, on_plane, call);
        return 0;
}

static void on_notifier(void *arg, const struct port_answer *answer)
{
        struct effect_call *call = arg;
        call->notifier_call = NULL;
        call->fn(call->arg, answer);
}

static int notifier_say(struct effect_call *call, const struct effect_ports *ports,
                        const struct effect_spec *spec, struct errinfo *err)
{
        const char *text = arg_of(spec, "text", err);
        const char *item = json_str(json_get(spec->payload, "work_item"));
        struct endpoint e;
        if (text == NULL || (spec->endpoint != NULL && endpoint_read(&e, spec->endpoint, err) < 0))
                return -EINVAL;
        if (spec->endpoint != NULL)
                call->own_notifier = endpoint_notifier(&e, ports->http);
        call->notifier = call->own_notifier != NULL ? call->own_notifier : ports->notifier_log;
        call->notifier_call =
                notifier_alert(call->notifier, spec->key, item != NULL ? item : "", text, on_notifier, call);
        return 0;
}

static void on_forge(void *arg, const struct forge_answer *answer)
{
        struct effect_call *call = arg;
        call->forge_call = NULL;
        call->fn(call->arg, &answer->port);
}

static int make_forge(struct effect_call *call, const struct effect_ports *ports,
                      const struct effect_spec *spec, struct errinfo *err)
{
        struct endpoint e = {.kind = NULL};
        if (spec->endpoint != NULL && endpoint_read(&e, spec->endpoint, err) < 0)
                return -EINVAL;
        const struct forge_config cfg = {.adapter = spec->adapter,
                                         .default_branch = spec->default_branch,
                                         .git = ports->git,
                                         .location = spec->location,
                                         .http = ports->http,
                                         .url = e.url,
                                         .token_file = e.token_file,
                                         .repo = e.repo};
        call->forge = forge_new(&cfg, err);
        return call->forge != NULL ? 0 : -EINVAL;
}

static int forge_delete(struct effect_call *call, const struct effect_ports *ports,
                        const struct effect_spec *spec, struct errinfo *err)
{
        const char *branch = arg_of(spec, "branch", err);
        if (branch == NULL || make_forge(call, ports, spec, err) < 0)
                return -EINVAL;
        call->forge_call = forge_delete_branch(call->forge, branch, on_forge, call, err);
        return call->forge_call != NULL ? 0 : -EINVAL; /* the branch guard (C-4) */
}

static int forge_pull(struct effect_call *call, const struct effect_ports *ports,
                      const struct effect_spec *spec, struct errinfo *err)
{
        const struct forge_pull_spec pull = {.branch = arg_of(spec, "branch", err),
                                             .title = arg_of(spec, "title", err),
                                             .text = arg_of(spec, "text", err)};
        if (pull.branch == NULL || pull.title == NULL || pull.text == NULL ||
            make_forge(call, ports, spec, err) < 0)
                return -EINVAL;
        call->forge_call = forge_ensure_pull(call->forge, &pull, on_forge, call, err);
        return call->forge_call != NULL ? 0 : -EINVAL;
}

static void on_hook_made(void *arg, const struct port_answer *answer, const char *json)
{
        struct effect_call *call = arg;
        struct port_answer said = *answer;
        (void)json;
        call->gitea_call = NULL;
        /* a second try would make a second one; whether there is one the next look says */
        if (said.outcome == PORT_UNKNOWN)
                said.outcome = PORT_OK;
        call->fn(call->arg, &said);
}

static void on_hook_deleted(void *arg, const struct port_answer *answer, const char *json)
{
        struct effect_call *call = arg;
        struct port_answer said = *answer;
        (void)json;
        call->gitea_call = NULL;
        if (said.outcome == PORT_NOT_FOUND)
                said.outcome = PORT_OK;
        call->fn(call->arg, &said);
}

static int forge_make_hook(struct effect_call *call, const struct effect_ports *ports,
                           const struct effect_spec *spec, struct errinfo *err)
{
        const char *url = arg_of(spec, "url", err);
        struct endpoint e;
        char *secret = NULL;
        if (url == NULL || endpoint_read(&e, spec->endpoint, err) < 0)
                return -EINVAL;
        if (ports->hook_secret_file == NULL) {
                err_set(err, "", "there is no secret for it on this host: gitea_secret_file");
                return -EINVAL;
        }
        if (secret_file_line(ports->hook_secret_file, "secret of the webhooks", &secret, err) < 0)
                return -EINVAL;
        call->gitea = endpoint_gitea(&e, ports->http);
        call->gitea_call = gitea_make_hook(call->gitea, url, secret, on_hook_made, call);
        explicit_bzero(secret, strlen(secret));
        free(secret);
        return 0;
}

static int forge_delete_hook(struct effect_call *call, const struct effect_ports *ports,
                             const struct effect_spec *spec, struct errinfo *err)
{
        int64_t hook;
        struct endpoint e;
        if (endpoint_read(&e, spec->endpoint, err) < 0)
                return -EINVAL;
        if (!json_int(json_get(spec->payload, "hook"), &hook)) {
                err_set(err, "", "the payload has no \"hook\"");
                return -EINVAL;
        }
        call->gitea = endpoint_gitea(&e, ports->http);
        call->gitea_call = gitea_delete_hook(call->gitea, hook, on_hook_deleted, call);
        return 0;
}

typedef int effect_op_fn(struct effect_call *call, const struct effect_ports *ports,
                         const struct effect_spec *spec, struct errinfo *err);

static const struct {
        const char *port, *adapter, *kind;
        effect_op_fn *fn;
} operations[] = {
        {"tracker", "local", "state", tracker_state},
        {"tracker", "local", "comment", tracker_say},
        {"tracker", "plane", "state", plane_state},
        {"tracker", "plane", "comment", plane_say},
        {"forge", "local", "delete_branch", forge_delete},
        {"forge", "gitea", "delete_branch", forge_delete},
        {"forge", "gitea", "make_hook", forge_make_hook},
        {"forge", "gitea", "delete_hook", forge_delete_hook},
        {"forge", "gitea", "ensure_pull", forge_pull},
        {"notifier", "log", "alert", notifier_say},
        {"notifier", "telegram", "alert", notifier_say},
};

int effect_call_start(struct effect_call *call, const struct effect_ports *ports,
                      const struct effect_spec *spec, port_answer_fn *fn, void *arg, struct errinfo *err)
{
        *call = (struct effect_call){.fn = fn, .arg = arg};
        for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
                if (strcmp(operations[i].port, spec->port) == 0 &&
                    strcmp(operations[i].kind, spec->kind) == 0 &&
                    strcmp(operations[i].adapter, spec->adapter) == 0)
                        return operations[i].fn(call, ports, spec, err);
        }
        err_set(err, "", "there is no operation %s.%s for adapter \"%s\"", spec->port, spec->kind,
                spec->adapter);
        return -EINVAL;
}

void effect_call_deinit(struct effect_call *call)
{
        tracker_cancel(call->tracker, take_ptr(call->tracker_call));
        notifier_cancel(call->notifier, take_ptr(call->notifier_call));
        notifier_free(take_ptr(call->own_notifier));
        plane_cancel(take_ptr(call->plane_call));
        plane_free(take_ptr(call->plane));
        free(take_ptr(call->json));
        gitea_cancel(take_ptr(call->gitea_call));
        gitea_free(take_ptr(call->gitea));
        forge_cancel(call->forge, take_ptr(call->forge_call));
        forge_free(take_ptr(call->forge));
}
