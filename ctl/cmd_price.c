/* cmd_price.c - orchctl price list, set and remove: what tokens cost. */
#include "ctl/commands.h"

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "queries.h"

#define PRICES_JSON                                                                                          \
        "\"prices\": [{\"model\", \"since\", \"input\", \"output\", \"cache_read\", \"cache_write\"}]"

static void render_prices(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column columns[] = {
                {"model", {.title = "MODEL"}},
                {"since", {.title = "FROM"}},
                {"input", {.title = "IN", .right = true}},
                {"output", {.title = "OUT", .right = true}},
                {"cache_read", {.title = "REMEMBERED", .right = true}},
                {"cache_write", {.title = "TO REMEMBER", .right = true}},
        };
        const struct json *prices = json_get(doc, "prices");
        if (json_len(prices) == 0)
                strbuf_addstr(sb, "No price is known: only what agents say themselves counts.\n");
        else
                show_rows(prices, columns, ARRAY_SIZE(columns), term, sb);
}

static int run_price_list(struct ctl *c)
{
        return show_document(c, &Q_CTL_PRICE_LIST, NULL, render_prices);
}

static int run_price_set(struct ctl *c)
{
        const char *params[] = {args_word(&c->args, 0),
                                args_word(&c->args, 1),
                                args_word(&c->args, 2),
                                args_value(&c->args, "cache-read"),
                                args_value(&c->args, "cache-write"),
                                args_value(&c->args, "since")};
        return show_document(c, &Q_CTL_PRICE_SET, params, show_message);
}

static int run_price_remove(struct ctl *c)
{
        return show_document(c, &Q_CTL_PRICE_REMOVE, c->args.words, show_message);
}

const struct command command_price_list = {
        .name = "price list",
        .group = GROUP_LOOK,
        .args = "",
        .summary = "list what tokens cost, in dollars per million",
        .text = "They count for runs whose agent did not say itself what it cost. Of several that fit a "
                "model the longest name counts, then the newest day.",
        .json = "{" PRICES_JSON "}",
        .examples = (const struct command_example[]){{"orchctl price list", "What is known"}, {.line = NULL}},
        .run = run_price_list,
};

const struct command command_price_set = {
        .name = "price set",
        .group = GROUP_ACT,
        .args = "MODEL IN OUT",
        .min_args = 3,
        .max_args = 3,
        .summary = "say what tokens of a model cost, in dollars per million",
        .text = "MODEL is how its names begin. Runs that were started before the day are not counted anew.",
        .json = "{" PRICES_JSON ", \"message\"}",
        .options =
                (const struct command_option[]){
                        {"cache-read", 0, "USD", "of tokens that the provider remembered; a tenth of IN"},
                        {"cache-write", 0, "USD", "of tokens that it is told to remember; 1.25 times IN"},
                        {"since", 0, "DAY", "from this day on (UTC); today"},
                        {.name = NULL},
                },
        .examples =
                (const struct command_example[]){
                        {"orchctl price set claude-opus-5 5 25", "From today on"},
                        {"orchctl price set claude-opus-5 4 20 --since 2027-02-01", "It will get cheaper"},
                        {.line = NULL},
                },
        .run = run_price_set,
};

const struct command command_price_remove = {
        .name = "price remove",
        .group = GROUP_ACT,
        .args = "MODEL DAY",
        .min_args = 2,
        .max_args = 2,
        .summary = "take a price away",
        .text = "The one before it counts on; a model without any costs as much as the dearest.",
        .json = "{" PRICES_JSON ", \"message\"}",
        .examples = (const struct command_example[]){{"orchctl price remove claude-opus-5 2027-02-01",
                                                      "It was a mistake"},
                                                     {.line = NULL}},
        .run = run_price_remove,
};
