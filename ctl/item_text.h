/* item_text.h - everything about a work item, for people. */
#pragma once

#include "ctl/show.h"

show_render_fn item_text;
