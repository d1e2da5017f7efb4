/* agent_judge.c - see agent_judge.h. */
#include "workerd/agent_judge.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "workerd/report.h"
#include "workerd/run_status.h"

#define LAST_LINES 8 /* of the text, in which a pattern counts */

static bool was_stopped_after_result(const struct run_status *st)
{
        return st->end == RUN_STOPPED && strcmp(st->stop_reason, "after-result") == 0;
}

bool agent_was_late(const struct agent_end *end)
{
        return end->facts != NULL && end->facts->result_good && was_stopped_after_result(end->status);
}

/* ---- the last resort: words ---- */

static const char *last_lines(const char *text)
{
        const char *from = text + strlen(text);
        for (int lines = 0; from > text; from--)
                if (from[-1] == '\n' && from[0] != '\0' && ++lines == LAST_LINES)
                        break;
        return from;
}

/* The first of the patterns that is in the text, in *ret; false: none is. */
static bool find_pattern(const char *patterns, const char *text, struct strbuf *ret)
{
        const char *lines = last_lines(text);
        while (*patterns != '\0') {
                size_t len = strcspn(patterns, ",");
                size_t skip = strspn(patterns, " \t");
                strbuf_reset(ret);
                if (skip < len)
                        strbuf_add(ret, patterns + skip, len - skip);
                while (ret->len > 0 && (ret->buf[ret->len - 1] == ' ' || ret->buf[ret->len - 1] == '\t'))
                        strbuf_remove(ret, ret->len - 1, 1);
                if (ret->len > 0 && strcasestr(lines, ret->buf) != NULL)
                        return true;
                patterns += len + (patterns[len] == ',');
        }
        return false;
}

static bool judge_words(struct report *r, const struct agent_end *end)
{
        _cleanup_(strbuf_deinit) struct strbuf word = STRBUF_INIT;
        bool failed =
                end->status->end == RUN_EXITED; /* what was killed or stopped did not give up by itself */
        const char *said = end->facts != NULL && !end->facts->result_good ? end->facts->result_text : "";
        if (!failed ||
            (!find_pattern(end->patterns, end->text, &word) && !find_pattern(end->patterns, said, &word)))
                return false;
        report_provider(r, word.buf, 0, false);
        report_outcome(r, REPORT_TRANSIENT, "the agent exited with %d; its last lines say \"%s\"",
                       end->status->code, word.buf);
        return true;
}

/* ---- events ---- */

static void say_trouble(const struct agent_facts *f, struct strbuf *sb)
{
        static const char *const what[] = {
                [AGENT_NO_TROUBLE] = "",
                [AGENT_BUSY] = "the provider could not serve it",
                [AGENT_LIMITED] = "the account has used up what it may",
                [AGENT_DENIED] = "the provider does not serve this account",
                [AGENT_FULL] = "its session has no room left",
                [AGENT_NO_SESSION] = "it does not know the session that it was to go on with",
        };
        strbuf_addstr(sb, what[f->trouble]);
        if (f->trouble_word[0] != '\0')
                strbuf_addf(sb, ": %s", f->trouble_word);
        if (f->trouble_status > 0)
                strbuf_addf(sb, " (%d)", f->trouble_status);
        if (f->result_text[0] != '\0')
                strbuf_addf(sb, "; it says: %s", f->result_text);
}

/* What kept it from working is the reason, however it ended then. */
static bool judge_trouble(struct report *r, const struct agent_end *end)
{
        const struct agent_facts *f = end->facts;
        _cleanup_(strbuf_deinit) struct strbuf why = STRBUF_INIT;
        say_trouble(f, &why);
        switch (f->trouble) {
        case AGENT_NO_TROUBLE:
                return false;
        case AGENT_BUSY:
        case AGENT_LIMITED:
                report_provider(r, why.buf, f->trouble == AGENT_LIMITED ? f->reset_s : 0, false);
                report_outcome(r, REPORT_TRANSIENT, "%s", why.buf);
                return true;
        case AGENT_DENIED:
                report_provider(r, why.buf, 0, true);
                report_outcome(r, REPORT_FAILED, "%s", why.buf);
                return true;
        case AGENT_FULL:
                report_session_retired(r, "no room left");
                report_outcome(r, REPORT_FAILED, "%s", why.buf);
                return true;
        case AGENT_NO_SESSION:
                report_session_retired(r, "refused");
                report_outcome(r, end->resumed ? REPORT_TRANSIENT : REPORT_FAILED, "%s", why.buf);
                return true;
        }
        return false;
}

static void judge_result(struct report *r, const struct agent_end *end)
{
        const struct agent_facts *f = end->facts;
        if (f->has_result && !f->result_good)
                report_outcome(r, REPORT_FAILED, "the agent says that it has failed (%s): %s", f->result_kind,
                               f->result_text[0] != '\0' ? f->result_text : "it does not say why");
        else if (f->result_cut)
                report_outcome(r, REPORT_FAILED, "the result of the agent is too long to be read");
        else if (f->result_good && end->status->end == RUN_EXITED && end->status->code != 0)
                report_outcome(r, REPORT_FAILED,
                               "the agent said that it has succeeded, and then exited with %d",
                               end->status->code);
        else if (end->status->end == RUN_EXITED && end->status->code == 0)
                report_outcome(r, REPORT_FAILED, "the agent exited with 0 and said no result");
        else if (was_stopped_after_result(end->status))
                report_outcome(r, REPORT_FAILED,
                               "the agent said a result that cannot be read, and did not end");
}

static bool is_good(const struct agent_end *end)
{
        const struct run_status *st = end->status;
        return end->facts->result_good && (agent_was_late(end) || (st->end == RUN_EXITED && st->code == 0));
}

static void judge_events(struct report *r, const struct agent_end *end)
{
        const struct run_status *st = end->status;
        bool ended_itself = st->end == RUN_EXITED || was_stopped_after_result(st);
        if (judge_trouble(r, end) || judge_words(r, end))
                return;
        if (end->resumed && !end->facts->worked && ended_itself)
                report_session_retired(r, "it did not go on"); /* whatever it was: the next run begins anew */
        if (ended_itself)
                judge_result(r, end);
}

static bool ours_to_judge(const struct run_status *st)
{
        return st->end != RUN_START_FAILED && (st->end != RUN_STOPPED || was_stopped_after_result(st));
}

bool agent_judge(struct report *r, const struct agent_end *end)
{
        if (end->facts != NULL) {
                report_facts(r, end->facts);
                if (!is_good(end) && ours_to_judge(end->status))
                        judge_events(r, end);
        } else if (end->status->end == RUN_EXITED && end->status->code != 0) {
                (void)judge_words(r, end);
        }
        if (end->facts != NULL && agent_was_late(end)) {
                r->signo = end->status->signo;
                return true;
        }
        return report_run_end(r, end->status, end->command) && r->outcome == REPORT_NONE;
}
