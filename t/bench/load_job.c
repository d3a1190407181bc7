/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_job: the requests of a load. Those of a file are made once, before the clock runs.
 *
 * An image is pushed in the order in which docker asks: for each layer and then for the config HEAD (is it there?), POST,
 * PATCH in chunks, PUT, HEAD (did it come?), and in the end the manifest under its tag. docker does some layers at once,
 * on other connections; here a client has one, and there are several clients.
 */
#include "load_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

#define MANIFEST_TYPE "application/vnd.docker.distribution.manifest.v2+json"
#define CONFIG_TYPE "application/vnd.docker.container.image.v1+json"
#define LAYER_TYPE "application/vnd.docker.image.rootfs.diff.tar.gzip"

void job_client_init(struct client *c, unsigned number)
{
	unsigned i;

	memset(c, 0, sizeof(*c));
	c->number = number;
	c->out = (struct str)STR_INIT;
	for (i = 0; i < JOB_BLOBS; i++)
		c->blobs[i] = (struct str)STR_INIT;
}

void job_client_release(struct client *c)
{
	unsigned i;

	str_release(&c->out);
	for (i = 0; i < JOB_BLOBS; i++)
		str_release(&c->blobs[i]);
}

/* One line: a method, a path, and what may follow: a header. */
static bool add_line(struct job *j, char *line)
{
	char *path = strchr(line, ' '), *header, *end = strchr(line, '\n');

	if (end)
		*end = '\0';
	if (!path)
		return false;
	*path++ = '\0';
	header = strchr(path, ' ');
	if (header)
		*header++ = '\0';
	j->paths = xreallocarray(j->paths, j->count + 1, sizeof(*j->paths));
	j->is_head = xreallocarray(j->is_head, j->count + 1, sizeof(*j->is_head));
	j->paths[j->count] = (struct str)STR_INIT;
	j->is_head[j->count] = strcmp(line, "HEAD") == 0;
	str_addf(&j->paths[j->count++], "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", line, path, j->host, header ? header : "",
		header ? "\r\n" : "", j->extra);
	return true;
}

int job_paths(struct job *j, const char *file)
{
	FILE *in = fopen(file, "re");
	char line[4096];

	if (!in) {
		perror(file);
		return -1;
	}
	while (fgets(line, sizeof(line), in)) {
		if (!add_line(j, line)) {
			fprintf(stderr, "%s: not \"METHOD PATH\": %s\n", file, line);
			fclose(in);
			return -1;
		}
	}
	fclose(in);
	if (j->count == 0)
		fprintf(stderr, "%s: no requests\n", file);
	return j->count ? 0 : -1;
}

/* xorshift64*: bytes that no two clients, and no two images, have in common */
static void random_bytes(uint64_t *state, struct str *out, size_t len)
{
	while (len > 0) {
		uint64_t x = *state;
		size_t n = len < sizeof(x) ? len : sizeof(x);

		x ^= x >> 12;
		x ^= x << 25;
		x ^= x >> 27;
		*state = x;
		x *= 0x2545F4914F6CDD1DULL;
		str_add(out, &x, n);
		len -= n;
	}
}

static void make_image(struct job *j, struct client *c)
{
	unsigned i, n = j->file >= 0 ? 1 : j->layers;

	if (c->random == 0)
		c->random = ((uint64_t)j->seed << 20) + c->number * 2654435761u + 1;
	for (i = 0; i <= n; i++) {
		str_reset(&c->blobs[i]);
		if (i == n)
			str_addf(&c->blobs[i], "{\"architecture\":\"amd64\",\"os\":\"linux\",\"n\":\"%u %u %u\"}", j->seed, c->number, c->image);
		else if (j->file < 0)
			random_bytes(&c->random, &c->blobs[i], j->layer_size);
		c->sizes[i] = c->blobs[i].len;
		digest_of(&c->digests[i], DIGEST_SHA256, c->blobs[i].buf, c->blobs[i].len);
	}
	if (j->file >= 0) {
		c->digests[0] = j->file_digest;
		c->sizes[0] = (size_t)j->file_size;
	}
	c->blob = 0;
}

static void add_manifest(struct job *j, struct client *c, struct str *m)
{
	unsigned i, n = j->file >= 0 ? 1 : j->layers;

	str_addf(m, "{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST_TYPE "\",\"config\":{\"mediaType\":\"" CONFIG_TYPE
		"\",\"size\":%zu,\"digest\":\"%s\"},\"layers\":[", c->sizes[n], c->digests[n].text);
	for (i = 0; i < n; i++)
		str_addf(m, "%s{\"mediaType\":\"" LAYER_TYPE "\",\"size\":%zu,\"digest\":\"%s\"}", i ? "," : "", c->sizes[i],
			c->digests[i].text);
	str_puts(m, "]}");
}

static void head_of(struct job *j, struct client *c, const char *method, const char *what, const char *ref)
{
	str_addf(&c->out, "%s /v2/%s/c%u/%s%s HTTP/1.1\r\nHost: %s\r\n%s", method, j->prefix, c->number, what, ref, j->host, j->extra);
}

static void push_next(struct job *j, struct client *c, struct request *r)
{
	const struct str *blob = &c->blobs[c->blob];
	cleanup_str struct str m = STR_INIT;
	char tag[32];

	str_reset(&c->out);
	switch (c->step) {
	case PUSH_HEAD:
	case PUSH_STAT:
		if (c->step == PUSH_HEAD && c->blob == 0)
			make_image(j, c);
		head_of(j, c, "HEAD", "blobs/", c->digests[c->blob].text);
		str_puts(&c->out, "\r\n");
		r->no_body = true;
		break;
	case PUSH_POST:
		head_of(j, c, "POST", "blobs/uploads/", "");
		str_puts(&c->out, "Content-Length: 0\r\n\r\n");
		break;
	case PUSH_PATCH:
		str_addf(&c->out, "PATCH %s HTTP/1.1\r\nHost: %s\r\n%sTransfer-Encoding: chunked\r\n\r\n", c->location, j->host, j->extra);
		if (j->file >= 0 && c->blob == 0) {
			r->body_fd = j->file;
			r->body_size = j->file_size;
			break;
		}
		str_addf(&c->out, "%zx\r\n", blob->len);
		str_add(&c->out, blob->buf, blob->len);
		str_puts(&c->out, "\r\n0\r\n\r\n");
		break;
	case PUSH_PUT:
		str_addf(&c->out, "PUT %s%cdigest=%s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: 0\r\n\r\n", c->location,
			strchr(c->location, '?') ? '&' : '?', c->digests[c->blob].text, j->host, j->extra);
		break;
	case PUSH_MANIFEST:
		snprintf(tag, sizeof(tag), "t%u", c->image);
		add_manifest(j, c, &m);
		head_of(j, c, "PUT", "manifests/", tag);
		str_addf(&c->out, "Content-Type: " MANIFEST_TYPE "\r\nContent-Length: %zu\r\n\r\n", m.len);
		str_add(&c->out, m.buf, m.len);
		break;
	}
	r->head = c->out.buf;
	r->head_len = c->out.len;
}

void job_next(struct job *j, struct client *c, struct request *r)
{
	size_t n;

	*r = (struct request){ .body_fd = -1 };
	if (j->kind == JOB_IMAGES) {
		push_next(j, c, r);
		return;
	}
	n = j->kind == JOB_PULLS ? c->blob : j->next;
	r->head = j->paths[n].buf;
	r->head_len = j->paths[n].len;
	r->no_body = j->is_head[n];
	j->next = (j->next + 1) % j->count;
}

/* On to the step after this one. A blob that is there already is not pushed. */
static void advance(struct job *j, struct client *c, int status)
{
	unsigned n = j->file >= 0 ? 1 : j->layers;

	if (c->step == PUSH_MANIFEST) {
		c->step = PUSH_HEAD;
		c->image++;
		c->blob = 0;
	} else if (c->step == PUSH_STAT || (c->step == PUSH_HEAD && status == 200)) {
		c->step = c->blob == n ? PUSH_MANIFEST : PUSH_HEAD;
		c->blob += c->blob == n ? 0 : 1;
	} else {
		c->step++;
	}
}

bool job_answered(struct job *j, struct client *c, const struct answer *a, bool *done)
{
	static const int wanted[] = { [PUSH_HEAD] = 404, [PUSH_POST] = 202, [PUSH_PATCH] = 202, [PUSH_PUT] = 201, [PUSH_STAT] = 200,
		[PUSH_MANIFEST] = 201 };

	if (j->kind != JOB_IMAGES) {
		if (j->kind == JOB_PULLS)
			c->blob = (c->blob + 1) % (unsigned)j->count;
		*done = j->kind == JOB_PATHS || c->blob == 0;
		return a->status >= 200 && a->status < 300;
	}
	*done = c->step == PUSH_MANIFEST;
	if (a->status != wanted[c->step] && !(c->step == PUSH_HEAD && a->status == 200))
		return false;
	if (c->step == PUSH_POST || c->step == PUSH_PATCH)
		memcpy(c->location, a->location, sizeof(c->location));
	advance(j, c, a->status);
	return true;
}

bool job_between(const struct job *j, const struct client *c)
{
	return j->kind == JOB_PATHS || (c->step == PUSH_HEAD && c->blob == 0);
}
