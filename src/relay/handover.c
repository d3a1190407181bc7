/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handover: requests to the workers that store something.
 *
 * Owns the requests under way. Knows nothing of where the bytes come from.
 */
#include "relay/handover.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fcgi.h"
#include "base/mem.h"
#include "relay/workers.h"

#define PATIENCE 60             /* seconds without a byte */
#define PATIENCE_GIB 60         /* seconds more for each gibibyte: the worker reads and flushes it before it says anything */
#define SAID_MAX 200            /* bytes of the worker's words in `why` */
#define TRIES 2

struct handover {
	struct workers *w;
	struct question *question;
	struct str request;
	unsigned patience, tries;
	handover_done *done;
	void *arg;
};

static void handover_free(struct handover *h)
{
	if (h->question)
		workers_cancel(h->question);
	str_release(&h->request);
	free(h);
}

void handover_cancel(struct handover **h)
{
	if (*h)
		handover_free(STEAL(*h));
}

static void answered(void *arg, const struct workers_answer *a)
{
	cleanup_str struct str why = STR_INIT;
	struct handover *h = arg;
	handover_done *done = h->done;
	void *whose = h->arg;

	h->question = NULL;
	if (!a->status && ++h->tries < TRIES) {
		h->question = workers_ask(h->w, &h->request, h->patience, answered, h);
		return;
	}
	if (!a->status) {
		str_puts(&why, "no worker has answered");
	} else if (a->status / 100 != 2) {
		str_addf(&why, "a worker refused it with %d: ", a->status);
		str_add_shown(&why, a->body, a->len, SAID_MAX);
	}
	handover_free(h);
	done(whose, a->status, why.buf);
}

static struct handover *handover_new(struct workers *w, const struct handover_of *o)
{
	struct handover *h = xcalloc(1, sizeof(*h));

	*h = (struct handover){ .w = w, .request = STR_INIT, .patience = PATIENCE, .done = o->done, .arg = o->arg };
	return h;
}

/* A parameter of a query. */
static void add(struct str *uri, const char *name, const char *value)
{
	str_addf(uri, "%c%s=", strchr(uri->buf, '?') ? '&' : '?', name);
	str_add_urlenc(uri, value, strlen(value));
}

/* type: "": none; file: instead of a body; NULL: none */
static struct handover *begin(struct handover *h, const struct handover_of *o, const char *method, const char *uri, const char *type,
			      const char *file, uint64_t length, const char *body)
{
	char text[24];
	const char *const params[] = {
		"REQUEST_METHOD", method, "REQUEST_URI", uri, "SERVER_PROTOCOL", "HTTP/1.1", "REMOTE_ADDR", "", "BERTH_REQUEST_ID", o->id,
		"CONTENT_TYPE", type, "CONTENT_LENGTH", text, file ? "BERTH_BODY_FILE" : NULL, file, NULL,
	};

	snprintf(text, sizeof(text), "%" PRIu64, length);
	fcgi_ask_body(&h->request, params, body, file ? 0 : (size_t)length);
	h->question = workers_ask(h->w, &h->request, h->patience, answered, h);
	return h;
}

struct handover *handover_manifest(struct workers *w, const struct handover_of *o, const char *ref, const char *type, const char *body, size_t len)
{
	cleanup_str struct str uri = STR_INIT;

	str_puts(&uri, "/berth/v1/relay/manifest");
	add(&uri, "repo", o->repo);
	add(&uri, "ref", ref);
	return begin(handover_new(w, o), o, "PUT", uri.buf, type, NULL, len, body);
}

struct handover *handover_blob(struct workers *w, const struct handover_of *o, const char *digest, const char *file, uint64_t size)
{
	struct handover *h = handover_new(w, o);
	cleanup_str struct str uri = STR_INIT;

	h->patience += (unsigned)(size >> 30) * PATIENCE_GIB;
	str_puts(&uri, "/berth/v1/relay/blob");
	add(&uri, "repo", o->repo);
	add(&uri, "digest", digest);
	return begin(h, o, "PUT", uri.buf, "", file, size, "");
}

struct handover *handover_checked(struct workers *w, const struct handover_of *o, const char *tag, const char *digest)
{
	cleanup_str struct str uri = STR_INIT;

	str_puts(&uri, "/berth/v1/relay/checked");
	add(&uri, "repo", o->repo);
	add(&uri, "tag", tag);
	add(&uri, "digest", digest);
	return begin(handover_new(w, o), o, "POST", uri.buf, "", NULL, 0, "");
}

struct handover *handover_has(struct workers *w, const struct handover_of *o, const char *kind, const char *digest)
{
	cleanup_str struct str uri = STR_INIT;

	str_puts(&uri, "/berth/v1/relay/has");
	add(&uri, "repo", o->repo);
	add(&uri, "kind", kind);
	add(&uri, "digest", digest);
	return begin(handover_new(w, o), o, "POST", uri.buf, "", NULL, 0, "");
}
