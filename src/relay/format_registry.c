/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format_registry: events as docker-registry 2.8 sends them (its documentation, "Work with notifications").
 *
 * Owns no state. Invariant: a member that docker-registry leaves out of an event of this kind is left out, and one that it always has is there.
 * What is berth's own has an action of its own, which a receiver passes over: "quota", "lost" and "test".
 */
#include "relay/format.h"

#include <string.h>

#define BLOB_TYPE "application/octet-stream"

static const char *const words[EVENT_ACTIONS] = {
	[EVENT_PUSH] = "push", [EVENT_MOVE] = "push", [EVENT_BLOB_PUSH] = "push", [EVENT_MOUNT] = "mount", [EVENT_PULL] = "pull",
	[EVENT_UNTAG] = "delete", [EVENT_DELETE] = "delete", [EVENT_BLOB_DELETE] = "delete", [EVENT_REMOVE] = "delete",
	[EVENT_RENAME] = "delete",      /* of the old name: docker-registry renames nothing */
	[EVENT_QUOTA] = "quota", [EVENT_LOST] = "lost",
};

static void key(struct str *out, const char *name)
{
	if (out->buf[out->len - 1] != '{')
		str_addc(out, ',');
	str_addf(out, "\"%s\":", name);
}

static void put(struct str *out, const char *name, const char *text)
{
	key(out, name);
	str_addf(out, "\"%s\"", text);
}

/* A member of the line under another name; nothing if the line has none. */
static void copy(struct str *out, const char *name, const struct event_line *ev, const char *from)
{
	struct json_view v = json_view_get(ev->json, from);

	if (v.kind == JSON_ABSENT)
		return;
	key(out, name);
	str_add(out, v.s, v.len);
}

/* The same, and "" if the line has none. */
static void copy_always(struct str *out, const char *name, const struct event_line *ev, const char *from)
{
	struct json_view v = json_view_get(ev->json, from);

	key(out, name);
	str_add(out, v.kind == JSON_STRING ? v.s : "\"\"", v.kind == JSON_STRING ? v.len : 2);
}

/* What follows "://" in the base, without the quotes; of length 0: the line has none. */
struct base {
	const char *all, *host;
	size_t all_len, host_len;
	bool tls;
};

static struct base base_of(const struct event_line *ev)
{
	struct json_view v = json_view_get(ev->json, "base");
	const char *end, *host;

	if (v.kind != JSON_STRING || !(host = memmem(v.s, v.len, "://", 3)))
		return (struct base){ 0 };
	host += 3;
	end = memchr(host, '/', (size_t)(v.s + v.len - 1 - host));
	return (struct base){
		.all = v.s + 1, .all_len = v.len - 2, .host = host, .host_len = (size_t)((end ? end : v.s + v.len - 1) - host),
		.tls = v.len > 6 && memcmp(v.s + 1, "https", 5) == 0,
	};
}

static void put_url(struct str *out, const struct event_line *ev, const char *what)
{
	struct base b = base_of(ev);

	if (!b.host_len || !ev->has_digest)
		return;
	key(out, "url");
	str_addf(out, "\"%.*s/v2/%s/%s/%s\"", (int)b.all_len, b.all, ev->repository.s, what, ev->digest.text);
}

static void put_content(struct str *out, const struct event_line *ev)
{
	uint64_t size;
	bool typed = json_view_get(ev->json, "media_type").kind == JSON_STRING;
	bool blob = ev->action == EVENT_BLOB_PUSH || ev->action == EVENT_MOUNT || (ev->action == EVENT_PULL && !typed);
	bool sized = json_view_u64(json_view_get(ev->json, "size"), &size) == 0 && size;

	if (blob)
		put(out, "mediaType", BLOB_TYPE);
	else
		copy(out, "mediaType", ev, "media_type");
	if (sized)
		copy(out, "size", ev, "size");
	copy(out, "digest", ev, "digest");
	if (sized)
		copy(out, "length", ev, "size");
	put(out, "repository", ev->repository.s);
	if (ev->action == EVENT_MOUNT)
		copy(out, "fromRepository", ev, "from");
	put_url(out, ev, blob ? "blobs" : "manifests");
	if (!blob)
		copy(out, "tag", ev, "tag");
}

static void put_target(struct str *out, const struct event_line *ev)
{
	key(out, "target");
	str_addc(out, '{');
	switch (ev->action) {
	case EVENT_PUSH:
	case EVENT_MOVE:
	case EVENT_BLOB_PUSH:
	case EVENT_MOUNT:
	case EVENT_PULL:
		put_content(out, ev);
		break;
	case EVENT_UNTAG:
		put(out, "repository", ev->repository.s);
		copy(out, "tag", ev, "tag");
		break;
	case EVENT_DELETE:
	case EVENT_BLOB_DELETE:
		copy(out, "digest", ev, "digest");
		put(out, "repository", ev->repository.s);
		break;
	case EVENT_REMOVE:
	case EVENT_QUOTA:
		put(out, "repository", ev->repository.s);
		break;
	case EVENT_RENAME:
		put(out, "repository", ev->from.s);
		break;
	case EVENT_LOST:
	case EVENT_ACTIONS:
		break;
	}
	str_addc(out, '}');
}

static void put_request(struct str *out, const struct event_line *ev, const struct base *b)
{
	key(out, "request");
	str_addc(out, '{');
	copy_always(out, "id", ev, "request_id");
	copy(out, "addr", ev, "remote");
	if (b->host_len) {
		key(out, "host");
		str_addf(out, "\"%.*s\"", (int)b->host_len, b->host);
	}
	copy_always(out, "method", ev, "method");
	copy_always(out, "useragent", ev, "agent");
	str_addc(out, '}');
}

/* The node has this machine's name, and the port by which clients reach it. */
static void put_source(struct str *out, const struct format_source *src, const struct base *b)
{
	const char *bracket = b->host_len ? memrchr(b->host, ']', b->host_len) : NULL;
	const char *from = bracket ? bracket : b->host;
	const char *port = b->host_len ? memrchr(from, ':', (size_t)(b->host + b->host_len - from)) : NULL;

	key(out, "source");
	str_addf(out, "{\"addr\":\"%s", src->host);
	if (port)
		str_add(out, port, (size_t)(b->host + b->host_len - port));
	else if (b->host_len)
		str_puts(out, b->tls ? ":443" : ":80");
	str_addf(out, "\",\"instanceID\":\"%s\"}", src->instance);
}

static void add(struct str *out, const struct format_source *src, const struct format_event *fe)
{
	struct base b = base_of(fe->ev);

	str_addc(out, '{');
	put(out, "id", fe->id);
	copy(out, "timestamp", fe->ev, "time");
	put(out, "action", fe->action ? fe->action : words[fe->ev->action]);
	put_target(out, fe->ev);
	put_request(out, fe->ev, &b);
	key(out, "actor");
	str_addc(out, '{');
	copy(out, "name", fe->ev, "user");
	str_addc(out, '}');
	put_source(out, src, &b);
	str_addc(out, '}');
}

const struct format format_registry = {
	.type_one = "application/vnd.docker.distribution.events.v1+json", .type_many = "application/vnd.docker.distribution.events.v1+json",
	.before_one = "{\"events\":[", .after_one = "]}", .before_many = "{\"events\":[", .after_many = "]}",
	.add = add,
};
