/* claude.c - cuts the stream into lines, and keeps of what is no event the newest text. */
#include "workerd/claude.h"

#include <stdlib.h>
#include <string.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "common/utf8.h"
#include "workerd/claude_event.h"

#define SEAM "[orch-shim: " /* shim/log.h: what is left out of a log that is too long */

struct claude {
        struct strbuf line; /* what has come of the next one */
        bool skipping;      /* that one is too long, or has no beginning */
        bool after_gap;     /* the next line may be the end of one */
        char expected[40];
        struct agent_facts facts;
        struct agent_answers answers;
        struct strbuf text;
};

struct claude *claude_new(const char *session)
{
        struct claude *c = xcalloc(1, sizeof(*c));
        c->line = c->text = (struct strbuf)STRBUF_INIT;
        c->facts.usage = (struct agent_usage)AGENT_USAGE_INIT;
        if (session != NULL && strlen(session) < sizeof(c->expected))
                memcpy(c->expected, session, strlen(session) + 1);
        return c;
}

void claude_free(struct claude *c)
{
        if (c == NULL)
                return;
        strbuf_deinit(&c->line);
        strbuf_deinit(&c->text);
        free(c);
}

const struct agent_facts *claude_facts(const struct claude *c)
{
        return &c->facts;
}

const char *claude_text(const struct claude *c)
{
        return c->text.buf;
}

/* What tools have answered, and parts of messages that come whole later on: most of the stream. */
static bool is_of_no_interest(const char *line)
{
        static const char *const beginnings[] = {"{\"type\":\"user\"", "{\"type\":\"stream_event\""};
        for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
                if (strncmp(line, beginnings[i], strlen(beginnings[i])) == 0)
                        return true;
        return false;
}

static bool is_result(const char *line)
{
        return strncmp(line, CLAUDE_RESULT_PREFIX, strlen(CLAUDE_RESULT_PREFIX)) == 0;
}

static void keep_text(struct claude *c, const char *line, size_t len)
{
        if (len > CLAUDE_TEXT_MAX / 2) { /* its end says what is wrong, more often than its beginning */
                line += len - CLAUDE_TEXT_MAX / 2;
                len = CLAUDE_TEXT_MAX / 2;
        }
        if (c->text.len + len + 1 > CLAUDE_TEXT_MAX)
                strbuf_remove(&c->text, 0, c->text.len + len + 1 - CLAUDE_TEXT_MAX);
        strbuf_add(&c->text, line, len);
        strbuf_addch(&c->text, '\n');
}

/* Error output may stand before an event, when it did not end its line. */
static const char *event_in(const char *line)
{
        return line[0] == '{' ? line : strstr(line, "{\"type\":\"");
}

static bool read_event(struct claude *c, const char *text, size_t len)
{
        struct json_doc *doc = NULL;
        struct errinfo err = ERRINFO_INIT;
        if (json_parse(text, len, NULL, &doc, &err) != 0)
                return false;
        bool is_event = json_str(json_get(json_root(doc), "type")) != NULL;
        if (is_event)
                claude_event(&c->facts, &c->answers, c->expected, json_root(doc));
        json_doc_free(doc);
        return is_event;
}

static void read_line(struct claude *c)
{
        char *line = c->line.buf;
        size_t len = c->line.len;
        bool may_be_an_end = c->after_gap;
        if (len == 0 || is_of_no_interest(line))
                return;
        json_repair(line, len); /* after it there is no NUL */
        const char *event = event_in(line);
        c->after_gap = strncmp(line, SEAM, strlen(SEAM)) == 0;
        if (c->after_gap || (event != NULL && read_event(c, event, len - (size_t)(event - line))) ||
            may_be_an_end)
                return;
        claude_remark(&c->facts, line);
        keep_text(c, line, len);
}

static void end_line(struct claude *c)
{
        if (!c->skipping)
                read_line(c);
        c->skipping = false;
        strbuf_reset(&c->line);
}

static void add_to_line(struct claude *c, const char *data, size_t len)
{
        if (c->skipping)
                return;
        if (c->line.len + len <= CLAUDE_LINE_MAX) {
                strbuf_add(&c->line, data, len);
                return;
        }
        if (c->line.len < sizeof(CLAUDE_RESULT_PREFIX)) /* the beginning may be in this very piece */
                strbuf_add(&c->line, data, sizeof(CLAUDE_RESULT_PREFIX));
        c->facts.result_cut |= is_result(c->line.buf);
        c->skipping = true;
        strbuf_deinit(&c->line);
}

void claude_feed(struct claude *c, const char *data, size_t len)
{
        while (len > 0) {
                const char *nl = memchr(data, '\n', len);
                size_t n = nl != NULL ? (size_t)(nl - data) : len;
                add_to_line(c, data, n);
                if (nl == NULL)
                        return;
                end_line(c);
                data += n + 1;
                len -= n + 1;
        }
}

void claude_gap(struct claude *c)
{
        strbuf_reset(&c->line);
        c->skipping = true;
}

void claude_end(struct claude *c)
{
        end_line(c);
}
