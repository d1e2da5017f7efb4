/* commit_text.c - see commit_text.h. */
#include "workerd/commit_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/git.h"
#include "common/mem.h"
#include "common/utf8.h"
#include "workerd/roles.h"

#define SUBJECT_MAX  100
#define MODE_GITLINK "160000"
#define MODE_NONE    "000000"

/* Foreign text in a line of ours: nothing in it may begin another line, let alone a trailer. */
static void add_clean(struct strbuf *sb, const char *text, size_t max)
{
        size_t len = utf8_cut(text, strlen(text), max);
        for (size_t i = 0; i < len; i++)
                strbuf_addch(sb, (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i]);
        if (text[len] != '\0')
                strbuf_addstr(sb, "...");
}

void commit_text_subject(struct strbuf *sb, const char *role, const char *work_item, const char *title)
{
        strbuf_addf(sb, "%s: %s ", role, work_item);
        add_clean(sb, title != NULL ? title : "", SUBJECT_MAX);
}

void commit_text_message(struct strbuf *sb, const char *subject, const char *role, int64_t job, int64_t epoch,
                         const struct argv *refused)
{
        strbuf_addf(sb, "%s\n\n", subject);
        if (refused->n > 0) {
                strbuf_addf(sb, "Left out, because these files are not the %s's:\n", role);
                for (size_t i = 0; i < refused->n; i++) {
                        strbuf_addstr(sb, "- ");
                        add_clean(sb, refused->words[i], 1000);
                        strbuf_addch(sb, '\n');
                }
                strbuf_addch(sb, '\n');
        }
        strbuf_addf(sb, "Orch-Job: %" PRId64 "\nOrch-Epoch: %" PRId64 "\nOrch-Role: %s\n", job, epoch, role);
}

/* ---- refusing ---- */

struct change {
        char old_mode[7], new_mode[7];
        char old_oid[GIT_OID_SIZE];
        const char *path;
};

/* Takes the word up to `end` out of the text; false when it is not there or too long. */
static bool word(const char **at, const char *limit, char end, char *buf, size_t size)
{
        const char *stop = memchr(*at, end, (size_t)(limit - *at));
        if (stop == NULL || (size_t)(stop - *at) >= size)
                return false;
        memcpy(buf, *at, (size_t)(stop - *at));
        buf[stop - *at] = '\0';
        *at = stop + 1;
        return true;
}

/* ":OLDMODE NEWMODE OLDOID NEWOID STATUS" NUL "PATH" NUL, without renames. */
static bool next_change(const char **at, const char *limit, struct change *c)
{
        char new_oid[GIT_OID_SIZE], status[8];
        if (**at != ':')
                return false;
        (*at)++;
        if (!word(at, limit, ' ', c->old_mode, sizeof(c->old_mode)) ||
            !word(at, limit, ' ', c->new_mode, sizeof(c->new_mode)) ||
            !word(at, limit, ' ', c->old_oid, sizeof(c->old_oid)) ||
            !word(at, limit, ' ', new_oid, sizeof(new_oid)) || !word(at, limit, '\0', status, sizeof(status)))
                return false;
        const char *nul = memchr(*at, '\0', (size_t)(limit - *at));
        if (nul == NULL || nul == *at)
                return false;
        c->path = *at;
        *at = nul + 1;
        return true;
}

/* Taking away a file that stands where the docs folder or a folder above it belongs makes room for it. */
static bool is_refused(const struct change *c, const char *role, const char *docs_dir)
{
        if (strcmp(c->new_mode, MODE_NONE) == 0 && role_owner(docs_dir, c->path) == NULL &&
            !role_judges(role))
                return false;
        return !role_may_change(role, docs_dir, c->path);
}

static bool is_new_repository(const struct change *c)
{
        return strcmp(c->new_mode, MODE_GITLINK) == 0 && strcmp(c->old_mode, MODE_GITLINK) != 0;
}

static void add_restore(struct strbuf *sb, const char *mode, const char *oid, const char *path)
{
        strbuf_addf(sb, "%s %s\t%s", mode, oid, path);
        strbuf_addch(sb, '\0');
}

int commit_text_refuse(const char *raw, size_t len, const char *role, const char *docs_dir,
                       struct argv *refused, struct argv *nested, struct strbuf *restore)
{
        _cleanup_(strbuf_deinit) struct strbuf back = STRBUF_INIT;
        const char *limit = raw + len;
        struct change c;
        for (const char *at = raw; at < limit;) {
                if (!next_change(&at, limit, &c))
                        return -EINVAL;
                bool repository = is_new_repository(&c);
                if (!repository && !is_refused(&c, role, docs_dir))
                        continue;
                argv_add(repository ? nested : refused, c.path);
                if (strcmp(c.old_mode, MODE_NONE) == 0)
                        add_restore(restore, "0", c.old_oid, c.path);
                else
                        add_restore(&back, c.old_mode, c.old_oid, c.path);
        }
        strbuf_add(restore, back.buf, back.len);
        return 0;
}
