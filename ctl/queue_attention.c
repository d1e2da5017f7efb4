/* queue_attention.c - see queue_attention.h. */
#include "ctl/queue_attention.h"

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/show.h"
#include "ctl/text.h"

/* Where lines come from: a block, a list in it (NULL: the block is the list), and the members that make a
 * line. */
static const struct source {
        const char *block, *list;
        const char *what;     /* the line begins with this */
        const char *name;     /* member: which one */
        const char *about[3]; /* members: what is to be said of it */
} sources[] = {
        {"axis_faults", NULL, "axis cannot be evaluated", "axis", {"error", NULL, NULL}},
        {"reconcile", "findings", "found", "work_item", {"kind", "about", "cut"}},
        {"reaper", "silent", "no sign of life from", "daemon", {"host", NULL, NULL}},
        {"resilience", "circuits", "circuit not closed", "provider", {"state", "reason", NULL}},
        {"stop", NULL, "is being cancelled", "work_item", {"stage", "requested_by", NULL}},
        {"post_deploy", "deploys", "deploy under way", "work_item", {"kind", "host", "initiated_at"}},
        {"post_deploy", "watches", "production watched", "work_item", {"state", "reason", NULL}},
};

static void add_line(struct strbuf *sb, const struct source *source, const struct json *row)
{
        strbuf_addf(sb, "%s: ", source->what);
        text_clean(sb, show_str(row, source->name));
        for (size_t i = 0; i < ARRAY_SIZE(source->about) && source->about[i] != NULL; i++) {
                const char *text = json_str(json_get(row, source->about[i]));
                if (text == NULL)
                        continue;
                strbuf_addstr(sb, i == 0 ? " (" : ", ");
                text_clean(sb, text);
        }
        strbuf_addstr(sb, source->about[0] != NULL ? ")\n" : "\n");
}

static void add_source(const struct source *source, const struct json *doc, struct strbuf *sb)
{
        const struct json *block = json_get(doc, source->block);
        const char *error = json_str(json_get(block, "error"));
        const struct json *rows = source->list == NULL ? block : json_get(block, source->list);
        if (error != NULL) {
                strbuf_addf(sb, "%s cannot be shown: ", source->block);
                text_clean(sb, error);
                strbuf_addch(sb, '\n');
        }
        for (size_t i = 0; error == NULL && i < json_len(rows); i++)
                add_line(sb, source, json_at(rows, i));
}

void queue_attention(const struct json *doc, struct strbuf *sb)
{
        for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
                add_source(&sources[i], doc, sb);
}
