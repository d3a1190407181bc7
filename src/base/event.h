/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_EVENT_H
#define BERTH_BASE_EVENT_H

/*
 * event: a change of a repository as a line of the journal (doc/EVENTS.md, "An event").
 *
 * A line is a mark and a JSON object. It has no id: that is the position of the line.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/json_view.h"
#include "base/ref.h"
#include "base/str.h"

enum event_action {
	EVENT_PUSH,             /* a manifest, and the tag, if there is one */
	EVENT_MOVE,             /* the same with a tag that pointed to another manifest */
	EVENT_UNTAG, EVENT_DELETE, EVENT_BLOB_PUSH, EVENT_MOUNT, EVENT_BLOB_DELETE,
	EVENT_REMOVE, EVENT_RENAME,     /* a whole repository */
	EVENT_QUOTA,            /* a push brought a group of repositories to 90 % of its quota */
	EVENT_PULL,             /* a manifest or a blob was read; no change, and written down only if somebody asks for it */
	EVENT_LOST,             /* the reader has missed events */
	EVENT_ACTIONS
};

const char *event_action_name(enum event_action a);                     /* "push"; static text */
int event_action_parse(enum event_action *a, const char *s, size_t len);       /* 0, or -1 if it is none */

/* The marks. */
#define EVENT_BEGUN '?'         /* the change is being made, or its maker has died */
#define EVENT_DONE '+'
#define EVENT_UNDONE '-'        /* the change was not made */

/* Who makes a change, and how. Borrowed text, which may be a client's; NULL or "": unknown. */
struct event_by {
	const char *user;
	const char *login;              /* "password", "token", "robot", "proxy", "anonymous", "command", "collector" */
	const char *remote, *agent, *request_id, *method;
	const char *base;               /* the URL by which the client reached the registry: "http://host:5000" */
};

/* A change to write down. Everything is borrowed; NULL: it has none. */
struct event {
	enum event_action action;
	const struct name *repository, *from;
	const struct tag *tag;
	const struct digest *digest, *before, *subject;
	const char *media_type, *artifact_type;
	bool has_size;
	uint64_t size;                  /* bytes */
	const char *group;              /* of EVENT_QUOTA: the leading part of names, "": all; `size` is what it has used */
	uint64_t quota;                 /* bytes that it may use */
	const struct event_by *by;
};

#define EVENT_TEXT_MAX 256      /* bytes in the line of each text of a client; the rest is cut off */
#define EVENT_LINE_MAX 4096     /* no line is longer */

/* event_add_line - add the line of an event that happens now, with this mark and a newline at its end */
void event_add_line(struct str *out, char mark, const struct event *ev);

/* A line that was read. */
struct event_line {
	char mark;
	enum event_action action;
	struct name repository;         /* of length 0: EVENT_LOST */
	struct name from;               /* of length 0: none */
	struct tag tag;                 /* the same */
	bool has_digest;
	struct digest digest;
	struct json_view json;          /* the object, borrowed from the line */
};

/* event_parse - read a line, without its newline: 0, or -1 if it is no line of a journal */
int event_parse(struct event_line *out, const char *line, size_t len);

/* event_time - its time, seconds since the epoch; 0: it has none */
int64_t event_time(const struct event_line *ev);

#endif
