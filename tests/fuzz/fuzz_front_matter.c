/* The front matter reader: no bytes of an agent's file may break it, and what it accepts keeps its promises.
 */
#include "workerd/front_matter.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char *const keys[] = {"verdict",       "result", "staging_status",
                                           "deploy_status", "head",   ""};
        struct front_matter *fm = NULL;
        struct errinfo err = ERRINFO_INIT;
        int r = front_matter_parse((const char *)data, size, &fm, &err);
        if ((fm != NULL) != (r == FRONT_MATTER_OK))
                abort();
        if (r == FRONT_MATTER_INVALID && err.text[0] == '\0')
                abort();
        for (size_t i = 0; fm != NULL && i < sizeof(keys) / sizeof(keys[0]); i++) {
                const char *value = front_matter_get(fm, keys[i]);
                if (value != NULL && strlen(value) > FRONT_MATTER_MAX)
                        abort();
        }
        size_t end = front_matter_end((const char *)data, size);
        if (end > size || (r == FRONT_MATTER_NONE && end != size))
                abort();
        front_matter_free(fm);
        return 0;
}
