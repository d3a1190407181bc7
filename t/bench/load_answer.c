/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_answer: a parser of answers that looks at no more than a load needs. Trusts the servers that are measured, but not
 * so far that it would write beyond its buffers.
 */
#include "load_answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void answer_begin(struct answer *a, bool no_body)
{
	a->at = ANSWER_HEAD;
	a->no_body = no_body;
	a->close = false;
	a->status = 0;
	a->left = a->bytes = 0;
	a->location[0] = '\0';
	a->line_len = 0;
}

/* The value of a header line, or NULL where it is another's. */
static const char *value_of(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncasecmp(line, name, len) != 0 || line[len] != ':')
		return NULL;
	line += len + 1;
	return line + strspn(line, " \t");
}

static void take_location(struct answer *a, const char *value)
{
	const char *path = value;
	size_t len;

	if (*path != '/') {
		path = strstr(value, "://");
		path = path ? strchr(path + 3, '/') : NULL;
	}
	len = path ? strlen(path) : 0;
	if (len == 0 || len >= sizeof(a->location))
		return;
	memcpy(a->location, path, len + 1);
}

static void end_of_head(struct answer *a, bool chunked)
{
	if (a->status >= 100 && a->status < 200) {
		a->status = 0;
		return;
	}
	if (a->no_body || a->status == 204 || a->status == 304)
		a->at = ANSWER_WHOLE;
	else if (chunked)
		a->at = ANSWER_CHUNK_SIZE;
	else
		a->at = a->left ? ANSWER_LENGTH : ANSWER_WHOLE;
}

static void head_line(struct answer *a)
{
	const char *v;

	if (a->status == 0) {
		a->left = 0;
		a->status = strncmp(a->line, "HTTP/1.1 ", 9) == 0 ? (int)strtol(a->line + 9, NULL, 10) : 0;
		if (a->status < 100 || a->status > 599)
			a->at = ANSWER_BAD;
	} else if (a->line[0] == '\0') {
		end_of_head(a, a->left == UINT64_MAX);
	} else if ((v = value_of(a->line, "Content-Length"))) {
		a->left = strtoull(v, NULL, 10);
	} else if ((v = value_of(a->line, "Transfer-Encoding"))) {
		a->left = UINT64_MAX;
	} else if ((v = value_of(a->line, "Connection"))) {
		a->close = strcasecmp(v, "close") == 0;
	} else if ((v = value_of(a->line, "Location"))) {
		take_location(a, v);
	}
}

static void whole_line(struct answer *a)
{
	if (a->at == ANSWER_HEAD) {
		head_line(a);
	} else if (a->at == ANSWER_TRAILER) {
		if (a->line[0] == '\0')
			a->at = ANSWER_WHOLE;
	} else {
		a->left = strtoull(a->line, NULL, 16);
		/* the end of line that follows a chunk belongs to it */
		a->at = a->left ? ANSWER_CHUNK : ANSWER_TRAILER;
		a->left += a->left ? 2 : 0;
	}
}

static size_t take_line(struct answer *a, const char *data, size_t len)
{
	const char *end = memchr(data, '\n', len);
	size_t n = end ? (size_t)(end - data) + 1 : len;

	if (a->line_len + n >= sizeof(a->line)) {
		a->at = ANSWER_BAD;
		return n;
	}
	memcpy(a->line + a->line_len, data, n);
	a->line_len += n;
	if (end) {
		a->line_len--;
		if (a->line_len && a->line[a->line_len - 1] == '\r')
			a->line_len--;
		a->line[a->line_len] = '\0';
		a->line_len = 0;
		whole_line(a);
	}
	return n;
}

uint64_t answer_skippable(const struct answer *a)
{
	return a->at == ANSWER_LENGTH || a->at == ANSWER_CHUNK ? a->left : 0;
}

void answer_skip(struct answer *a, uint64_t n)
{
	a->left -= n;
	a->bytes += n;
	if (a->left == 0)
		a->at = a->at == ANSWER_LENGTH ? ANSWER_WHOLE : ANSWER_CHUNK_SIZE;
}

size_t answer_take(struct answer *a, const char *data, size_t len)
{
	size_t used = 0, n;

	while (used < len && a->at != ANSWER_WHOLE && a->at != ANSWER_BAD) {
		if (answer_skippable(a)) {
			n = a->left < len - used ? (size_t)a->left : len - used;
			answer_skip(a, n);
		} else {
			n = take_line(a, data + used, len - used);
			a->bytes += n;
		}
		used += n;
	}
	return used;
}
