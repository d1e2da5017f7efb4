/* claim_name.c - see claim_name.h. */
#include "common/claim_name.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"

/* A number and the dash after it; NULL: neither. */
static const char *parse_number(const char *text, int64_t *ret)
{
        char *end = NULL;
        if (*text < '0' || *text > '9')
                return NULL;
        *ret = strtoll(text, &end, 10);
        return *end == '-' ? end + 1 : NULL;
}

static bool parse(struct claim_name *ret, const char *text)
{
        const char *rest = parse_number(text, &ret->id);
        const char *token = rest != NULL ? parse_number(rest, &ret->epoch) : NULL;
        size_t len = token != NULL ? strcspn(token, ",") : 0;
        if (len == 0 || len >= sizeof(ret->token))
                return false;
        memcpy(ret->token, token, len);
        ret->token[len] = '\0';
        return true;
}

void claim_names_parse(struct claim_names *ret, const char *text)
{
        size_t most = 1;
        *ret = (struct claim_names){.n = 0};
        if (text == NULL || *text == '\0')
                return;
        for (const char *p = text; (p = strchr(p, ',')) != NULL; p++)
                most++;
        ret->names = xcalloc(most, sizeof(*ret->names));
        for (const char *p = text; p != NULL; p = strchr(p, ',')) {
                p += *p == ',';
                ret->n += parse(&ret->names[ret->n], p);
        }
}

void claim_names_deinit(struct claim_names *list)
{
        free(list->names);
        *list = (struct claim_names){.n = 0};
}

bool claim_names_have(const struct claim_names *list, int64_t id, int64_t epoch, const char *token)
{
        for (size_t i = 0; token != NULL && i < list->n; i++)
                if (list->names[i].id == id && list->names[i].epoch == epoch &&
                    strcmp(list->names[i].token, token) == 0)
                        return true;
        return false;
}

void claim_name_add(struct strbuf *sb, const struct claim_name *name)
{
        bool first = sb->len == 0 || sb->buf[sb->len - 1] == '{';
        strbuf_addf(sb, "%s%" PRId64 "-%" PRId64 "-%s", first ? "" : ",", name->id, name->epoch, name->token);
}
