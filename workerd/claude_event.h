/* claude_event.h - what one event of the stream means; for claude.c. Pure. */
#pragma once

#include "workerd/agent_facts.h"
#include "workerd/agent_usage.h"

struct json;

/* `expected`: "" any session. */
void claude_event(struct agent_facts *facts, struct agent_answers *answers, const char *expected,
                  const struct json *event);
/* A line that is no event. */
void claude_remark(struct agent_facts *facts, const char *line);
