/*
 * claim_name.h - a claim of a job or an effect as the database names it: ID-EPOCH-TOKEN. Pure.
 *
 * The id and the epoch alone would not do: an adoption keeps the epoch, and epochs can repeat after a
 * failover of the database.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct claim_name {
        int64_t id, epoch;
        char token[37];
};

struct claim_names {
        struct claim_name *names;
        size_t n;
};

/* "ID-EPOCH-TOKEN,ID-EPOCH-TOKEN": what makes no sense is left out. NULL and "" are none. Never fails. */
void claim_names_parse(struct claim_names *ret, const char *text);
void claim_names_deinit(struct claim_names *list);
bool claim_names_have(const struct claim_names *list, int64_t id, int64_t epoch, const char *token);

struct strbuf;
/* Appends it as an element of an array literal, with a comma before all but the first. */
void claim_name_add(struct strbuf *sb, const struct claim_name *name);
