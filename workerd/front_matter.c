/* front_matter.c - finds the block, then walks libyaml's events; the limits are ours, not the library's. */
#include "workerd/front_matter.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/mem.h"
#include "common/utf8.h"

#define MAX_DEPTH 16
#define MAX_KEYS  64
#define MAX_WORDS 256

struct pair {
        char *key;
        char *value; /* NULL: it is there, but no scalar */
        bool is_list;
        struct argv list;
};

struct front_matter {
        struct pair pairs[MAX_KEYS];
        size_t n;
};

static int invalid(struct errinfo *err, const char *why)
{
        err_set(err, "", "front matter: %s", why);
        return FRONT_MATTER_INVALID;
}

/* ---- the block ---- */

/* Length of the line without its end (LF or CRLF); *ret_next is where the next line begins. */
static size_t line_at(const char *text, size_t len, size_t at, size_t *ret_next)
{
        const char *nl = memchr(text + at, '\n', len - at);
        size_t end = nl != NULL ? (size_t)(nl - text) : len;
        *ret_next = nl != NULL ? end + 1 : len;
        if (end > at && text[end - 1] == '\r')
                end--;
        return end - at;
}

static bool is_rule(const char *line, size_t len)
{
        while (len > 3 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
                len--;
        return len == 3 && memcmp(line, "---", 3) == 0;
}

static bool valid_text(const char *text, size_t len)
{
        for (size_t at = 0; at < len;) {
                uint32_t cp;
                size_t n = utf8_decode(text + at, len - at, &cp);
                if (n == 0 || cp == 0)
                        return false;
                at += n;
        }
        return true;
}

/* The lines between the rules. */
static int find_block(const char *text, size_t len, const char **ret_block, size_t *ret_len,
                      struct errinfo *err)
{
        size_t at = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
        size_t next, start;
        if (!is_rule(text + at, line_at(text, len, at, &next)))
                return FRONT_MATTER_NONE;
        for (start = at = next; at < len; at = next) {
                size_t line_len = line_at(text, len, at, &next);
                if (at - start > FRONT_MATTER_MAX)
                        break;
                if (is_rule(text + at, line_len)) {
                        *ret_block = text + start;
                        *ret_len = at - start;
                        return valid_text(text + start, at - start) ? 0 : invalid(err, "not valid UTF-8");
                }
        }
        return invalid(err, at < len ? "longer than 64 KiB" : "no closing line `---`");
}

size_t front_matter_end(const char *text, size_t len)
{
        struct errinfo err = ERRINFO_INIT;
        const char *block;
        size_t block_len, next;
        if (find_block(text, len, &block, &block_len, &err) != 0)
                return len;
        (void)line_at(text, len, (size_t)(block - text) + block_len, &next);
        return next;
}

/* ---- the mapping ---- */

struct reader {
        yaml_parser_t parser;
        yaml_event_t event; /* the present one; owned */
        struct errinfo *err;
};

/* 0, or what ends the reading. Whatever could name, share or type a value is refused here, at any depth. */
static int next_event(struct reader *rd)
{
        yaml_event_delete(&rd->event);
        if (!yaml_parser_parse(&rd->parser, &rd->event)) {
                err_set(rd->err, "", "front matter: line %zu: %s", rd->parser.problem_mark.line + 2,
                        rd->parser.problem != NULL ? rd->parser.problem : "cannot be read");
                return FRONT_MATTER_INVALID;
        }
        const void *anchor = NULL, *tag = NULL;
        switch (rd->event.type) {
        case YAML_ALIAS_EVENT:
                return invalid(rd->err, "an alias");
        case YAML_SCALAR_EVENT:
                anchor = rd->event.data.scalar.anchor;
                tag = rd->event.data.scalar.tag;
                break;
        case YAML_SEQUENCE_START_EVENT:
                anchor = rd->event.data.sequence_start.anchor;
                tag = rd->event.data.sequence_start.tag;
                break;
        case YAML_MAPPING_START_EVENT:
                anchor = rd->event.data.mapping_start.anchor;
                tag = rd->event.data.mapping_start.tag;
                break;
        default:
                break;
        }
        if (anchor != NULL)
                return invalid(rd->err, "an anchor");
        return tag != NULL ? invalid(rd->err, "a tag") : 0;
}

static int expect(struct reader *rd, yaml_event_type_t type, const char *what)
{
        int r = next_event(rd);
        if (r == 0 && rd->event.type != type)
                r = invalid(rd->err, what);
        return r;
}

static char *scalar_text(const yaml_event_t *event)
{
        const char *text = (const char *)event->data.scalar.value;
        size_t len = event->data.scalar.length;
        return memchr(text, '\0', len) != NULL ? NULL : xstrndup(text, len);
}

/* The rest of a nested value whose start is the present event. */
static int skip_nested(struct reader *rd)
{
        for (unsigned depth = 1; depth > 0;) {
                int r = next_event(rd);
                if (r != 0)
                        return r;
                switch (rd->event.type) {
                case YAML_SEQUENCE_START_EVENT:
                case YAML_MAPPING_START_EVENT:
                        if (++depth > MAX_DEPTH)
                                return invalid(rd->err, "nested too deeply");
                        break;
                case YAML_SEQUENCE_END_EVENT:
                case YAML_MAPPING_END_EVENT:
                        depth--;
                        break;
                default:
                        break;
                }
        }
        return 0;
}

/* The rest of a list whose start is the present event. One with anything but words in it is skipped whole. */
static int read_list(struct reader *rd, struct pair *p)
{
        p->is_list = true;
        for (;;) {
                int r = next_event(rd);
                if (r != 0 || rd->event.type == YAML_SEQUENCE_END_EVENT)
                        return r;
                if (rd->event.type != YAML_SCALAR_EVENT) {
                        p->is_list = false;
                        r = skip_nested(rd);
                        if (r != 0)
                                return r;
                        continue;
                }
                if (p->list.n == MAX_WORDS)
                        return invalid(rd->err, "too many words in a list");
                _cleanup_(freep) char *word = scalar_text(&rd->event);
                if (word == NULL)
                        return invalid(rd->err, "NUL in a value");
                argv_add(&p->list, word);
        }
}

/* The present event is the key. */
static int read_pair(struct reader *rd, struct front_matter *fm)
{
        if (rd->event.type != YAML_SCALAR_EVENT)
                return invalid(rd->err, "a key that is not a word");
        if (fm->n == MAX_KEYS)
                return invalid(rd->err, "too many keys");
        struct pair *p = &fm->pairs[fm->n];
        p->key = scalar_text(&rd->event);
        if (p->key == NULL)
                return invalid(rd->err, "NUL in a key");
        fm->n++;
        for (size_t i = 0; i + 1 < fm->n; i++)
                if (strcmp(fm->pairs[i].key, p->key) == 0)
                        return invalid(rd->err, "a key twice");

        int r = next_event(rd);
        if (r != 0)
                return r;
        if (rd->event.type == YAML_SEQUENCE_START_EVENT)
                return read_list(rd, p);
        if (rd->event.type != YAML_SCALAR_EVENT)
                return skip_nested(rd);
        p->value = scalar_text(&rd->event);
        return p->value != NULL ? 0 : invalid(rd->err, "NUL in a value");
}

static int read_mapping(struct reader *rd, struct front_matter *fm)
{
        int r = expect(rd, YAML_STREAM_START_EVENT, "no stream");
        if (r == 0)
                r = expect(rd, YAML_DOCUMENT_START_EVENT, "nothing in it");
        if (r == 0 && !rd->event.data.document_start.implicit)
                r = invalid(rd->err, "a directive or a document of its own");
        if (r == 0)
                r = expect(rd, YAML_MAPPING_START_EVENT, "not a mapping");
        while (r == 0 && (r = next_event(rd)) == 0 && rd->event.type != YAML_MAPPING_END_EVENT)
                r = read_pair(rd, fm);
        if (r == 0)
                r = expect(rd, YAML_DOCUMENT_END_EVENT, "something after the mapping");
        if (r == 0)
                r = expect(rd, YAML_STREAM_END_EVENT, "a second document");
        return r;
}

static void front_matter_freep(struct front_matter **fm)
{
        front_matter_free(*fm);
}

int front_matter_parse(const char *text, size_t len, struct front_matter **ret, struct errinfo *err)
{
        _cleanup_(front_matter_freep) struct front_matter *fm = NULL;
        struct reader rd = {.err = err};
        const char *block;
        size_t block_len;

        int r = find_block(text, len, &block, &block_len, err);
        if (r != 0)
                return r;
        if (!yaml_parser_initialize(&rd.parser))
                abort(); /* out of memory */
        yaml_parser_set_encoding(&rd.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&rd.parser, (const unsigned char *)block, block_len);
        fm = xcalloc(1, sizeof(*fm));
        r = read_mapping(&rd, fm);
        yaml_event_delete(&rd.event);
        yaml_parser_delete(&rd.parser);
        if (r == 0)
                *ret = take_ptr(fm);
        return r;
}

void front_matter_free(struct front_matter *fm)
{
        if (fm == NULL)
                return;
        for (size_t i = 0; i < fm->n; i++) {
                free(fm->pairs[i].key);
                free(fm->pairs[i].value);
                argv_deinit(&fm->pairs[i].list);
        }
        free(fm);
}

const char *front_matter_get(const struct front_matter *fm, const char *key)
{
        for (size_t i = 0; i < fm->n; i++)
                if (strcmp(fm->pairs[i].key, key) == 0)
                        return fm->pairs[i].value;
        return NULL;
}

static void add_words(const char *value, struct argv *ret)
{
        _cleanup_(freep) char *copy = xstrdup(value);
        char *rest = NULL;
        for (char *word = strtok_r(copy, " \t,", &rest); word != NULL; word = strtok_r(NULL, " \t,", &rest))
                argv_add(ret, word);
}

int front_matter_list(const struct front_matter *fm, const char *key, struct argv *ret)
{
        for (size_t i = 0; i < fm->n; i++) {
                const struct pair *p = &fm->pairs[i];
                if (strcmp(p->key, key) != 0)
                        continue;
                if (p->value == NULL && !p->is_list)
                        return FRONT_MATTER_INVALID;
                if (p->value != NULL)
                        add_words(p->value, ret);
                for (size_t k = 0; k < p->list.n; k++)
                        argv_add(ret, p->list.words[k]);
        }
        return FRONT_MATTER_OK;
}
