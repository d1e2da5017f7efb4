/* status_page.c - see status_page.h. */
#include "web/status_page.h"

#include "common/json_write.h"
#include "common/mem.h"
#include "common/version.h"

void status_page_health(const struct status_facts *facts, struct strbuf *body)
{
        struct json_out *j = json_out_new(false);
        json_out_object(j);
        json_out_kstr(j, "status", facts->draining ? "draining" : facts->database_up ? "ok" : "degraded");
        json_out_kstr(j, "version", ORCH_VERSION);
        json_out_kstr(j, "commit", ORCH_COMMIT);
        json_out_kstr(j, "database", facts->database_up ? "up" : "down");
        json_out_kbool(j, "draining", facts->draining);
        json_out_object_end(j);
        json_out_finish(j, body);
        json_out_free(j);
}

bool status_page_readyz(const struct status_facts *facts, bool verbose, struct strbuf *body)
{
        const struct {
                const char *name;
                bool ok;
        } checks[] = {
                {"serving", !facts->draining},
                {"database", facts->database_up && facts->schema_known},
                {"schema", facts->schema_fits},
        };
        bool ready = true;
        for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
                ready = ready && checks[i].ok;
        struct json_out *j = json_out_new(false);
        json_out_object(j);
        json_out_kbool(j, "ready", ready);
        if (verbose) {
                json_out_key(j, "checks");
                json_out_object(j);
                for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
                        json_out_kbool(j, checks[i].name, checks[i].ok);
                json_out_object_end(j);
        }
        json_out_object_end(j);
        json_out_finish(j, body);
        json_out_free(j);
        return ready;
}
