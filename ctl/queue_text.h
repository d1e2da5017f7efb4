/* queue_text.h - the queue snapshot for people. */
#pragma once

#include "ctl/show.h"

show_render_fn queue_text;
