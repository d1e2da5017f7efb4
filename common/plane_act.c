/* plane_act.c - shows a state, makes a comment; each is found when it was done already. */
#include <string.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/mem.h"
#include "common/plane_call.h"
#include "common/plane_read.h"
#include "common/strbuf.h"

static void end_with(struct plane_call *call, enum port_outcome outcome, const char *why, const char *state)
{
        struct port_answer port = {.outcome = outcome, .retry_after_s = -1, .err = ERRINFO_INIT};
        err_set(&port.err, "", "%s %s", why, state != NULL ? state : "nothing");
        rest_talk_end(&call->talk, &port);
}

static void put_state(struct plane_call *call, const struct json *item)
{
        json_out_kstr(call->talk.out, "state", call->state);
        json_out_kstr(call->talk.out, "updated_at", json_str(json_get(item, "updated_at")));
        rest_talk_done(&call->talk);
}

static void on_state_set(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        if (!rest_talk_took(&call->talk, answer))
                return;
        const char *state = json_str(json_get(answer->json, "state"));
        if (state != NULL && strcmp(state, call->state) == 0)
                put_state(call, answer->json);
        else
                end_with(call, PORT_CONFLICT, "Plane took the request and left the state at", state);
}

static bool has_word(const char *words, const char *word)
{
        size_t len = strlen(word);
        for (const char *at = words; len > 0 && (at = strstr(at, word)) != NULL; at += len)
                if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
                        return true;
        return false;
}

static void on_state_read(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        if (!rest_talk_took(&call->talk, answer))
                return;
        const char *state = json_str(json_get(answer->json, "state"));
        if (state != NULL && strcmp(state, call->state) == 0) {
                put_state(call, answer->json);
                return;
        }
        if (state != NULL && has_word(call->keep, state)) {
                end_with(call, PORT_CONFLICT, "somebody has meanwhile set the state", state);
                return;
        }
        struct json_out *body = json_out_new(false);
        json_out_object(body);
        json_out_kstr(body, "state", call->state);
        json_out_object_end(body);
        _cleanup_(freep) char *path = plane_item_path(call, "");
        rest_talk_ask(&call->talk, "PATCH", path, body, on_state_set);
}

struct plane_call *plane_set_state(struct plane *plane, const char *item, const char *state, const char *keep,
                                   port_json_fn *fn, void *arg)
{
        struct plane_call *call = plane_call_new(plane, fn, arg);
        call->item = xstrdup(item);
        call->state = xstrdup(state);
        call->keep = xstrdup(keep);
        _cleanup_(freep) char *path = plane_item_path(call, "?fields=state,updated_at");
        rest_talk_ask(&call->talk, "GET", path, NULL, on_state_read);
        return call;
}

static void on_commented(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        const char *found = json_str(json_get(answer->json, "id"));
        if (answer->status == 409 && found != NULL)
                rest_talk_heard(&call->talk); /* it is there already */
        else if (!rest_talk_took(&call->talk, answer))
                return;
        json_out_kstr(call->talk.out, "id", found);
        rest_talk_done(&call->talk);
}

struct plane_call *plane_comment(struct plane *plane, const char *item, const char *marker, const char *text,
                                 port_json_fn *fn, void *arg)
{
        struct plane_call *call = plane_call_new(plane, fn, arg);
        struct json_out *body = json_out_new(false);
        struct strbuf html = STRBUF_INIT;
        call->item = xstrdup(item);
        plane_html(&html, text);
        json_out_object(body);
        json_out_kstr(body, "comment_html", html.buf);
        json_out_kstr(body, "access", "INTERNAL");
        json_out_kstr(body, "external_source", PLANE_SOURCE);
        json_out_kstr(body, "external_id", marker);
        json_out_object_end(body);
        strbuf_deinit(&html);
        _cleanup_(freep) char *path = plane_item_path(call, "comments/");
        rest_talk_ask(&call->talk, "POST", path, body, on_commented);
        return call;
}
