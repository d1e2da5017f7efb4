/* queue_attention.h - what of the queue snapshot somebody should look at: one line each, none when all is
 * well. */
#pragma once

struct json;
struct strbuf;

void queue_attention(const struct json *doc, struct strbuf *sb);
