/*
 * claude.h - reads the event stream of `claude --output-format stream-json`, as it comes, in pieces of any
 * size.
 *
 * One event per line. Nothing that it says can break the reading: lines are bounded (a longer one is passed
 * over), kinds of events that are not known, or not of interest, are passed over, bytes that are no
 * characters are replaced. Its error output is in the same log; a line that is no event is text, which
 * decides nothing by itself. Events of another session than the run's own are somebody's quotation. Pure: no
 * file, no clock.
 */
#pragma once

#include <stddef.h>

#include "workerd/agent_facts.h"

#define CLAUDE_LINE_MAX      (1u << 20)
#define CLAUDE_RESULT_PREFIX "{\"type\":\"result\"" /* how the line of a result begins */
#define CLAUDE_TEXT_MAX      2048                   /* of the newest text that is kept */

struct claude;

/* `session`: the id that it was told to use; NULL: any. */
struct claude *claude_new(const char *session);
void claude_free(struct claude *c);
void claude_feed(struct claude *c, const char *data, size_t len);
/* Something is missing between what came and what comes. */
void claude_gap(struct claude *c);
/* Nothing comes any more: a last line without its end counts if it is whole. */
void claude_end(struct claude *c);
const struct agent_facts *claude_facts(const struct claude *c);
/* The newest lines that were no events. */
const char *claude_text(const struct claude *c);
