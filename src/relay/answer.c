/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer: the small answers to nginx.
 *
 * Owns nothing. Invariant: 429 is never among them: a client of containerd would repeat it at once.
 */
#include "relay/answer.h"

#include <string.h>

#define RETRY "30"              /* seconds */
/* The type is that of the workers' errors. nginx may have the headers of a blob already, which may be kept for a year (/_berth/missing/). */
#define TYPE "Content-Type: application/json; charset=utf-8\r\nCache-Control: no-store\r\n"

void answer_error(struct reply *r, int status, enum err_code code, const char *detail)
{
	cleanup_str struct str body = STR_INIT;

	str_addf(&body, "{\"errors\":[{\"code\":\"%s\",\"message\":\"%s\",\"detail\":\"", err_name(code), err_message(code));
	str_add_json(&body, detail, strlen(detail));
	str_puts(&body, "\"}]}\n");
	reply_whole(r, status, status == 503 ? TYPE "Retry-After: " RETRY "\r\n" : TYPE, body.buf, body.len);
}

void answer_fresh(struct reply *r)
{
	reply_whole(r, 200, "X-Accel-Redirect: /_berth/cached/fresh\r\n", "", 0);
}

void answer_stale(struct reply *r, enum upstream_kind why)
{
	cleanup_str struct str headers = STR_INIT;

	str_addf(&headers, "X-Accel-Redirect: /_berth/cached/stale?why=%s\r\n", upstream_word(why));
	reply_whole(r, 200, headers.buf, "", 0);
}

void answer_blob_headers(const struct digest *d, struct str *out)
{
	str_addf(out, "Content-Type: application/octet-stream\r\nDocker-Content-Digest: %s\r\nEtag: \"%s\"\r\nAccept-Ranges: bytes\r\n"
		 "Cache-Control: private, max-age=31536000, immutable\r\n", d->text, d->text);
}

void answer_blob_failed(struct reply *r, enum upstream_kind kind, const char *ours, int status)
{
	if (kind == UPSTREAM_MISSING || kind == UPSTREAM_DENIED)
		answer_error(r, 404, ERR_BLOB_UNKNOWN, "the upstream has no such blob, or does not give it");
	else if (ours)
		answer_error(r, status, ERR_UNAVAILABLE, ours);
	else
		answer_error(r, 503, ERR_UNAVAILABLE, "the upstream does not answer as it should; try again later");
}

/* "A-B", "A-" or "-N"; false if it is none of these. */
static bool parts(const char *s, uint64_t *a, uint64_t *b, bool *has_a, bool *has_b)
{
	const char *dash = strchr(s, '-');

	if (!dash)
		return false;
	*has_a = dash != s;
	*has_b = dash[1] != '\0';
	if (!*has_a && !*has_b)
		return false;
	return (!*has_a || str_parse_u64(s, (size_t)(dash - s), a) == 0) && (!*has_b || str_parse_u64(dash + 1, strlen(dash + 1), b) == 0);
}

int answer_range(const char *range, uint64_t size, uint64_t *first, uint64_t *end)
{
	static const char unit[] = "bytes=";
	uint64_t a = 0, b = 0;
	bool has_a, has_b;

	*first = 0;
	*end = size;
	if (strncmp(range, unit, sizeof(unit) - 1) != 0 || !parts(range + sizeof(unit) - 1, &a, &b, &has_a, &has_b) || (has_a && has_b && a > b))
		return 200;
	if (!has_a) {
		if (!b || !size)
			return 416;
		*first = b < size ? size - b : 0;
		return 206;
	}
	if (a >= size)
		return 416;
	*first = a;
	if (has_b && b < size - 1)
		*end = b + 1;
	return 206;
}
