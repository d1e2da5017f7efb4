/* status_page.h - the texts of /health and /readyz, from facts. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct strbuf;

struct status_facts {
        bool draining;
        bool database_up;       /* for deliveries */
        int64_t schema_version; /* -1: the database did not say */
};

void status_page_health(const struct status_facts *facts, struct strbuf *body);
/* Returns whether new work should be sent here; `verbose` lists each check. */
bool status_page_readyz(const struct status_facts *facts, bool verbose, struct strbuf *body);
