/* status_page.h - the texts of /health and /readyz, from facts. Pure. */
#pragma once

#include <stdbool.h>

struct strbuf;

struct status_facts {
        bool draining;
        bool database_up;  /* for deliveries */
        bool schema_known; /* the database has said which schema it has */
        bool schema_fits;  /* and it is one that this program works with */
};

void status_page_health(const struct status_facts *facts, struct strbuf *body);
/* Returns whether new work should be sent here; `verbose` lists each check. */
bool status_page_readyz(const struct status_facts *facts, bool verbose, struct strbuf *body);
