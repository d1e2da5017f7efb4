/* port.c - names of the outcomes that all ports share. */
#include "common/port.h"

#include <assert.h>

#include "common/mem.h"

const char *port_outcome_name(enum port_outcome outcome)
{
        static const char *const names[] = {
                [PORT_OK] = "ok",
                [PORT_NOT_FOUND] = "not-found",
                [PORT_CONFLICT] = "conflict",
                [PORT_REFUSED] = "refused",
                [PORT_DENIED] = "denied",
                [PORT_FORBIDDEN] = "forbidden",
                [PORT_LIMITED] = "limited",
                [PORT_UNAVAILABLE] = "unavailable",
                [PORT_UNKNOWN] = "unknown",
        };
        assert(outcome >= 0 && outcome < (int)ARRAY_SIZE(names));
        return names[outcome];
}

bool port_waits(enum port_outcome outcome)
{
        return outcome == PORT_DENIED || outcome == PORT_FORBIDDEN || outcome == PORT_LIMITED ||
               outcome == PORT_UNAVAILABLE;
}
