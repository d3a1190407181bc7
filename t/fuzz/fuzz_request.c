/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests: the first line is the raw path and query, each further one a parameter, "NAME=value". Path, query, route,
 * page, and the answer that says what is wrong.
 */

#include "fuzz.h"

#include "base/json_check.h"
#include "base/mem.h"
#include "base/ref.h"
#include "http/exchange.h"
#include "http/page.h"
#include "http/route.h"

#define LINES_MAX 32

static const char *const keys[] = { "n", "last", "tag", "from", "mount", "digest", "digest-algorithm", "artifactType", "" };

static size_t count(const char *s, size_t len, char c)
{
	size_t n = 0;

	while (len--)
		n += *s++ == c;
	return n;
}

/* An encoded slash is one, too: it may stand in the name of a repository. */
static size_t slashes(const char *s, size_t len)
{
	size_t n = count(s, len, '/'), i;

	for (i = 0; i + 2 < len; i++)
		n += s[i] == '%' && s[i + 1] == '2' && (s[i + 2] == 'F' || s[i + 2] == 'f');
	return n;
}

/* What decoding must leave: text that no other reader takes for another path. */
static void check_path(const struct request *rq, const char *uri)
{
	const char *p = rq->path.buf, *slash;
	size_t n;

	CHECK(strlen(p) == rq->path.len && !fuzz_has_control(p, rq->path.len));
	CHECK(count(p, rq->path.len, '/') == slashes(uri, strcspn(uri, "?")));
	for (; ; p = slash + 1) {
		slash = strchrnul(p, '/');
		n = (size_t)(slash - p);
		CHECK(!(n == 1 && p[0] == '.') && !(n == 2 && memcmp(p, "..", 2) == 0));
		if (!*slash)
			break;
	}
}

/* A route gives the path back when it is put together again. */
static void check_route(const struct request *rq)
{
	static const struct config cfgs[] = { { 0 }, { .delete_enabled = true }, { .readonly = true, .delete_enabled = true } };
	cleanup_str struct str again = STR_INIT, allow = STR_INIT;
	const struct route_path *p;
	struct route_match m;
	size_t i;

	if (!route_find(rq->path.buf, rq->path.len, &m))
		return;
	p = &m.route->path;
	str_add(&again, p->text, p->left);
	str_add(&again, m.name, m.name_len);
	str_add(&again, p->text + p->left + p->name, p->fixed);
	str_add(&again, m.tail, m.tail_len);
	if (p->end == PATH_BEFORE_SLASH && rq->path.buf[rq->path.len - 1] == '/')
		str_addc(&again, '/');
	CHECK((p->name != 0) == (m.name_len > 0) && (p->end == PATH_BEFORE_TAIL) == (m.tail_len > 0));
	CHECK(strcmp(again.buf, rq->path.buf) == 0);
	CHECK(!m.tail || (m.tail_len && !memchr(m.tail, '/', m.tail_len)));
	for (i = 0; i < ARRAY_LEN(cfgs); i++) {
		const struct op *op = route_op(m.route, rq->method, &cfgs[i], NULL);

		CHECK(!op || (op->handle && (op->kind == OP_READ || !cfgs[i].readonly)));
		CHECK(!op || op->kind != OP_DELETE || cfgs[i].delete_enabled);
		route_allow(m.route, &cfgs[i], NULL, &allow);
		CHECK(!fuzz_has_control(allow.buf, allow.len) && strstr(allow.buf, "OPTIONS"));
		CHECK(!op || rq->method == METHOD_HEAD || strstr(allow.buf, rq->method_text));
	}
}

struct seen {
	size_t n;
	struct str first;
};

static int see(void *arg, const struct str *value)
{
	struct seen *s = arg;

	CHECK(strlen(value->buf) == value->len);
	if (s->n++ == 0)
		str_add(&s->first, value->buf, value->len);
	return 0;
}

/* Decoding a parameter, and its first value encoded and decoded again. */
static void check_query(const struct request *rq, const char *key)
{
	cleanup_str struct str value = STR_INIT, query = STR_INIT, again = STR_INIT;
	struct request other = REQUEST_INIT;
	struct seen all = { .first = STR_INIT };
	int found = request_query(rq, key, &value);
	int rc = request_query_each(rq, key, see, &all);

	CHECK(found >= -1 && found <= 1 && (rc == 0 || rc == -1));
	CHECK(found != 0 || (rc == 0 && all.n == 0));
	CHECK(found != 1 || (all.n > 0 && value.len == all.first.len && memcmp(value.buf, all.first.buf, value.len) == 0));
	CHECK(found != -1 || (rc == -1 && all.n == 0));
	if (found == 1) {
		CHECK(strlen(value.buf) == value.len);
		str_puts(&query, "zz=1&");
		str_add_urlenc(&query, key, strlen(key));
		str_addc(&query, '=');
		str_add_urlenc(&query, value.buf, value.len);
		str_puts(&query, "&n=%zz&");
		other.query = query.buf;
		CHECK(request_query(&other, key, &again) == 1);
		CHECK(again.len == value.len && memcmp(again.buf, value.buf, value.len) == 0);
	}
	str_release(&all.first);
}

static void check_page(struct exchange *x)
{
	cleanup_page struct page p = PAGE_INIT;
	cleanup_err struct err e = ERR_INIT;

	if (page_read(&p, x, 100, 1000, &e) < 0) {
		CHECK(fuzz_is_error(&e, ERR_PAGINATION_NUMBER_INVALID, 400) || fuzz_is_error(&e, ERR_NAME_INVALID, 400));
		return;
	}
	CHECK(p.n <= 1000 && strlen(p.last.buf) == p.last.len && !fuzz_has_control(p.last.buf, p.last.len));
	CHECK(p.has_last == (p.last.len > 0));
	page_link(&p, x, "/v2/_catalog", p.last.buf, p.last.len);       /* asserts that nothing in it ends the header's line */
}

/* The error's answer: its body is JSON, and in its head there are as many lines as headers. */
static void check_answer(struct exchange *x, const struct err *e)
{
	cleanup_str struct str out = STR_INIT;
	struct json_fault f;
	const char *body;
	size_t lines = 0;

	response_error(&x->rs, e, x->rq.id);
	CHECK(x->rs.status == e->status && x->rs.body.len > 1 && x->rs.body.buf[x->rs.body.len - 1] == '\n');
	CHECK(json_check(x->rs.body.buf, x->rs.body.len, &f) == 0);
	response_render(&x->rs, &x->rq, &out);
	body = strstr(out.buf, "\r\n\r\n");
	CHECK(body && strncmp(out.buf, "Status: ", strlen("Status: ")) == 0);
	for (const char *p = out.buf; p < body; p++) {
		lines += *p == '\n';
		CHECK(!fuzz_has_control(p, 1) || (*p == '\r' && p[1] == '\n') || (*p == '\n' && p[-1] == '\r'));
	}
	CHECK(lines <= 1 + x->rs.nheaders + 2);
	if (x->rq.precheck || x->rq.method == METHOD_HEAD)
		CHECK(!body[4]);
	else
		CHECK(strcmp(body + 4, x->rs.body.buf) == 0);
}

static void check_params(const struct request *rq)
{
	cleanup_str struct str joined = STR_INIT;
	const char *first = request_param(rq, "HTTP_ACCEPT"), *length = request_param(rq, "CONTENT_LENGTH");
	bool found = request_header(rq, "HTTP_ACCEPT", &joined);

	CHECK(found == (first != NULL));
	CHECK(!found || strncmp(joined.buf, first, strlen(first)) == 0);
	CHECK(rq->length_known == (length && *length));
	CHECK(!rq->body_file || *rq->body_file);
	CHECK(rq->query && rq->id && rq->remote && rq->method_text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *lines[LINES_MAX + 1], *uri;
	char prefix[] = "/below";
	struct config cfg = { .prefix = prefix };
	struct registry reg = { .cfg = &cfg };
	struct exchange x = { .reg = &reg, .rq = REQUEST_INIT, .rs = RESPONSE_INIT };
	cleanup_err struct err e = ERR_INIT;
	size_t i;

	if (size > 65536 || !fuzz_lines(data, size, lines, LINES_MAX))
		return 0;
	uri = lines[0];
	lines[0] = malloc(strlen(uri) + sizeof("REQUEST_URI="));
	CHECK(lines[0]);
	memcpy(lines[0], "REQUEST_URI=", strlen("REQUEST_URI="));
	memcpy(lines[0] + strlen("REQUEST_URI="), uri, strlen(uri) + 1);
	if (request_init(&x.rq, lines, &e) == 0) {
		check_path(&x.rq, uri);
		check_route(&x.rq);
		check_page(&x);
		err_set(&e, ERR_NAME_INVALID, "%s", x.rq.path.buf);
	} else {
		CHECK(fuzz_is_error(&e, ERR_NAME_INVALID, 400) || fuzz_is_error(&e, ERR_SIZE_INVALID, 400));
	}
	check_params(&x.rq);
	for (i = 0; i < ARRAY_LEN(keys); i++)
		check_query(&x.rq, keys[i]);
	err_more(&e, "%s", x.rq.query);
	check_answer(&x, &e);
	response_release(&x.rs);
	request_release(&x.rq);
	free(uri);
	fuzz_lines_release(lines);
	return 0;
}
