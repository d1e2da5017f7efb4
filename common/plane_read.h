/* plane_read.h - Plane's answers in our words. Pure: what is missing or of another type is left out. */
#pragma once

struct json;
struct json_out;
struct strbuf;

/* Writes the members of an item into the open object. */
void plane_read_item(struct json_out *out, const struct json *item);
/* Likewise of a project. */
void plane_read_project(struct json_out *out, const struct json *project);
/* One element of a list into the open array. */
void plane_read_state(struct json_out *out, const struct json *state);
void plane_read_label(struct json_out *out, const struct json *label);
void plane_read_comment(struct json_out *out, const struct json *comment);
/* The whole array: elements are UUIDs, or {"project_id","issue_id"}. */
void plane_read_blocked_by(struct json_out *out, const struct json *relations);
/* HTML as people would read it: tags gone, blocks on lines of their own, entities decoded. */
void plane_text(struct strbuf *sb, const char *html);
/* Text as HTML of paragraphs, with nothing in it that could be markup. */
void plane_html(struct strbuf *sb, const char *text);
