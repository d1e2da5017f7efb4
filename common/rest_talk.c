/* rest_talk.c - see rest_talk.h. */
#include "common/rest_talk.h"

#include "common/json_write.h"
#include "common/strbuf.h"

void rest_talk_init(struct rest_talk *talk, struct rest *rest, void (*free)(void *call), port_json_fn *fn,
                    void *arg)
{
        *talk = (struct rest_talk){
                .rest = rest, .out = json_out_new(false), .free = free, .fn = fn, .arg = arg};
        json_out_object(talk->out);
}

void rest_talk_cancel(struct rest_talk *talk)
{
        if (talk == NULL)
                return;
        rest_cancel(talk->call);
        json_out_free(talk->out);
        talk->free(talk);
}

void rest_talk_ask(struct rest_talk *talk, const char *method, const char *path, struct json_out *body,
                   rest_answer_fn *step)
{
        talk->call = rest_start(talk->rest, method, path, body, step, talk);
}

void rest_talk_heard(struct rest_talk *talk)
{
        talk->call = NULL;
}

bool rest_talk_took(struct rest_talk *talk, const struct rest_answer *answer)
{
        rest_talk_heard(talk);
        if (answer->port.outcome == PORT_OK)
                return true;
        rest_talk_end(talk, &answer->port);
        return false;
}

void rest_talk_end(struct rest_talk *talk, const struct port_answer *port)
{
        struct strbuf json = STRBUF_INIT;
        port_json_fn *fn = talk->fn;
        void *arg = talk->arg;
        if (port->outcome == PORT_OK) {
                json_out_object_end(talk->out);
                json_out_finish(talk->out, &json);
        }
        rest_talk_cancel(talk);
        fn(arg, port, port->outcome == PORT_OK ? json.buf : NULL);
        strbuf_deinit(&json);
}

void rest_talk_done(struct rest_talk *talk)
{
        const struct port_answer ok = {.outcome = PORT_OK, .retry_after_s = -1, .err = ERRINFO_INIT};
        rest_talk_end(talk, &ok);
}

void rest_talk_fail(struct rest_talk *talk, enum port_outcome outcome, const char *why)
{
        struct port_answer port = {.outcome = outcome, .retry_after_s = -1, .err = ERRINFO_INIT};
        err_set(&port.err, "", "%s", why);
        rest_talk_end(talk, &port);
}
