/*
 * fuzz_claude.c - any bytes as an agent's event stream. They say the same however they are cut into pieces,
 * and what is taken from them keeps its bounds. The first byte is the size of the pieces.
 */
#include "workerd/claude.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/strbuf.h"
#include "common/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
        if (!holds)
                abort();
}

static void must_be_text(const char *s, size_t size)
{
        uint32_t code_point;
        size_t n = 0, len = strnlen(s, size);
        must(len < size);
        for (; len > 0; s += n, len -= n) {
                n = utf8_decode(s, len, &code_point);
                must(n > 0);
        }
}

static void check(const struct agent_facts *f)
{
        must_be_text(f->session, sizeof(f->session));
        must_be_text(f->model, sizeof(f->model));
        must_be_text(f->version, sizeof(f->version));
        must_be_text(f->result_kind, sizeof(f->result_kind));
        must_be_text(f->result_text, sizeof(f->result_text));
        must_be_text(f->trouble_word, sizeof(f->trouble_word));
        must(!f->result_good || (f->has_result && f->trouble == AGENT_NO_TROUBLE));
        must(f->usage.n_models <= AGENT_MODELS_MAX && f->usage.turns >= 0);
        must(f->usage.cost_micro_usd >= -1 && f->usage.cost_micro_usd <= 1000000000000);
        for (size_t i = 0; i < f->usage.n_models; i++) {
                const struct agent_model *m = &f->usage.models[i];
                must_be_text(m->name, sizeof(m->name));
                must(m->tokens.input >= 0 && m->tokens.output >= 0 && m->tokens.cache_read >= 0 &&
                     m->tokens.cache_write >= 0);
        }
}

static char *read_all(const char *data, size_t size, size_t piece)
{
        struct strbuf sb = STRBUF_INIT;
        struct claude *c = claude_new("11111111-2222-4333-8444-555555555555");
        for (size_t at = 0; at < size; at += piece)
                claude_feed(c, data + at, size - at < piece ? size - at : piece);
        claude_end(c);
        const struct agent_facts *f = claude_facts(c);
        check(f);
        must(strlen(claude_text(c)) <= CLAUDE_TEXT_MAX);
        strbuf_addf(&sb, "%s|%s|%s|%d%d%d%d|%s|%s|%d|%d|%s|%" PRId64 "|%" PRId64 "|%" PRId64 "|%s",
                    f->session, f->model, f->version, f->worked, f->has_result, f->result_good, f->result_cut,
                    f->result_kind, f->result_text, (int)f->trouble, f->trouble_status, f->trouble_word,
                    f->reset_s, f->usage.turns, f->usage.cost_micro_usd, claude_text(c));
        for (size_t i = 0; i < f->usage.n_models; i++)
                strbuf_addf(&sb, "|%s %" PRId64 " %" PRId64, f->usage.models[i].name,
                            f->usage.models[i].tokens.input, f->usage.models[i].tokens.output);
        claude_free(c);
        return strbuf_take(&sb);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size == 0)
                return 0;
        char *cut = read_all((const char *)data + 1, size - 1, (size_t)data[0] + 1);
        char *whole = read_all((const char *)data + 1, size - 1, size);
        must(strcmp(cut, whole) == 0);
        free(cut);
        free(whole);
        return 0;
}
