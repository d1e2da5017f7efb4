/* migrate_plan.c - deciding what to apply. */
#include "ctl/migrate_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "migrations.h"

int migrate_version(const struct sql_file *file)
{
        return (int)strtol(file->name, NULL, 10);
}

static int refuse_changed(const struct sql_file *file, const struct migrate_applied *row, struct errinfo *err)
{
        err_set(err, "",
                "migration %s is not what was applied: its checksum is %.12s, the database has %.12s (%s)",
                file->name, file->sha256, row->sha256, row->name);
        return MIGRATE_PLAN_CHANGED;
}

int migrate_plan(const struct sql_file *files, size_t n_files, const struct migrate_applied *applied,
                 size_t n_applied, size_t *ret_done, struct errinfo *err)
{
        int newest = n_files > 0 ? migrate_version(&files[n_files - 1]) : 0;
        if (n_applied > 0 && applied[n_applied - 1].version > newest) {
                const struct migrate_applied *last = &applied[n_applied - 1];
                err_set(err, "",
                        "the database is newer than this program: it has migration %d (%s), the newest known "
                        "here is %d",
                        last->version, last->name, newest);
                return MIGRATE_PLAN_NEWER;
        }
        for (size_t i = 0; i < n_applied; i++) {
                if (i >= n_files || migrate_version(&files[i]) != applied[i].version) {
                        err_set(err, "",
                                "the database has migration %d (%s), but not the one before it that this "
                                "program has",
                                applied[i].version, applied[i].name);
                        return MIGRATE_PLAN_GAP;
                }
                if (strcmp(files[i].sha256, applied[i].sha256) != 0)
                        return refuse_changed(&files[i], &applied[i], err);
        }
        *ret_done = n_applied;
        return MIGRATE_PLAN_OK;
}

void migrate_code_sha256(const struct sql_file *files, size_t n_files, char ret[MIGRATE_SHA256_SIZE])
{
        _cleanup_(strbuf_deinit) struct strbuf all = STRBUF_INIT;
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned int len = 0;
        for (size_t i = 0; i < n_files; i++)
                strbuf_addf(&all, "%s %s\n", files[i].name, files[i].sha256);
        if (EVP_Digest(all.buf, all.len, digest, &len, EVP_sha256(), NULL) != 1)
                abort(); /* out of memory: nothing else can go wrong with a fixed algorithm */
        for (unsigned int i = 0; i < len; i++)
                (void)snprintf(ret + 2 * (size_t)i, 3, "%02x", digest[i]);
}
