/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event: writing and reading a line of the journal.
 *
 * Owns no state. Invariant: whatever text a client sent, a line is one line, and its object is JSON.
 */
#include "base/event.h"

#include <string.h>
#include <time.h>

#include "base/json_check.h"
#include "base/mem.h"
#include "base/time.h"

static const char *const actions[EVENT_ACTIONS] = {
	[EVENT_PUSH] = "push", [EVENT_MOVE] = "move", [EVENT_UNTAG] = "untag", [EVENT_DELETE] = "delete",
	[EVENT_BLOB_PUSH] = "blob_push", [EVENT_MOUNT] = "mount", [EVENT_BLOB_DELETE] = "blob_delete",
	[EVENT_REMOVE] = "remove", [EVENT_RENAME] = "rename", [EVENT_QUOTA] = "quota", [EVENT_PULL] = "pull", [EVENT_LOST] = "lost",
};

const char *event_action_name(enum event_action a)
{
	return actions[a];
}

int event_action_parse(enum event_action *a, const char *s, size_t len)
{
	for (int i = 0; i < EVENT_ACTIONS; i++)
		if (strlen(actions[i]) == len && memcmp(actions[i], s, len) == 0) {
			*a = (enum event_action)i;
			return 0;
		}
	return -1;
}

static void add_text(struct str *out, const char *key, const char *text)
{
	if (!text || !text[0])
		return;
	str_addf(out, ",\"%s\":\"", key);
	str_add_shown(out, text, strlen(text), EVENT_TEXT_MAX);
	str_addc(out, '"');
}

static void add_by(struct str *out, const struct event_by *by)
{
	add_text(out, "user", by->user);
	add_text(out, "login", by->login);
	add_text(out, "remote", by->remote);
	add_text(out, "agent", by->agent);
	add_text(out, "request_id", by->request_id);
	add_text(out, "method", by->method);
	add_text(out, "base", by->base);
}

void event_add_line(struct str *out, char mark, const struct event *ev)
{
	char when[TIME_RFC3339_MAX];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	time_rfc3339(when, &now, 1);
	str_addc(out, mark);
	str_addf(out, "{\"time\":\"%s\",\"action\":\"%s\"", when, actions[ev->action]);
	add_text(out, "repository", ev->repository ? ev->repository->s : NULL);
	add_text(out, "from", ev->from ? ev->from->s : NULL);
	add_text(out, "tag", ev->tag ? ev->tag->s : NULL);
	add_text(out, "digest", ev->digest ? ev->digest->text : NULL);
	add_text(out, "before", ev->before ? ev->before->text : NULL);
	add_text(out, "media_type", ev->media_type);
	add_text(out, "artifact_type", ev->artifact_type);
	if (ev->has_size) {
		str_puts(out, ",\"size\":");
		str_add_u64(out, ev->size);
	}
	if (ev->action == EVENT_QUOTA) {
		str_puts(out, ",\"quota\":");
		str_add_u64(out, ev->quota);
		add_text(out, "group", *ev->group ? ev->group : "**");
	}
	add_text(out, "subject", ev->subject ? ev->subject->text : NULL);
	if (ev->by)
		add_by(out, ev->by);
	str_puts(out, "}\n");
}

/* The text of a member in `text`: whether it has one. */
static bool member(struct json_view o, const char *key, struct str *text)
{
	struct json_view v = json_view_get(o, key);

	str_reset(text);
	if (v.kind != JSON_STRING)
		return false;
	json_view_text(v, text);
	return true;
}

int event_parse(struct event_line *out, const char *line, size_t len)
{
	cleanup_str struct str text = STR_INIT;
	struct json_fault f;

	memset(out, 0, sizeof(*out));
	if (len < 2 || len > EVENT_LINE_MAX || (line[0] != EVENT_BEGUN && line[0] != EVENT_DONE && line[0] != EVENT_UNDONE) ||
	    line[1] != '{' || json_check(line + 1, len - 1, &f) < 0)
		return -1;
	out->mark = line[0];
	out->json = json_view_of(line + 1, len - 1);
	if (!member(out->json, "action", &text) || event_action_parse(&out->action, text.buf, text.len) < 0)
		return -1;
	if (member(out->json, "repository", &text) ? name_parse(&out->repository, text.buf, text.len) < 0 : out->action != EVENT_LOST)
		return -1;
	if (member(out->json, "from", &text) && name_parse(&out->from, text.buf, text.len) < 0)
		return -1;
	if (member(out->json, "tag", &text) && tag_parse(&out->tag, text.buf, text.len) < 0)
		return -1;
	if (member(out->json, "digest", &text)) {
		if (digest_parse(&out->digest, text.buf, text.len) < 0)
			return -1;
		out->has_digest = true;
	}
	return 0;
}

int64_t event_time(const struct event_line *ev)
{
	struct json_view v = json_view_get(ev->json, "time");
	cleanup_str struct str text = STR_INIT;
	int64_t when;

	if (v.kind != JSON_STRING)
		return 0;
	json_view_text(v, &text);
	return time_parse_rfc3339(text.buf, &when) == 0 ? when : 0;
}
