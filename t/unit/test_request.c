/* SPDX-License-Identifier: Apache-2.0 */
/* request: parameters of the web server to a validated request. */

#include "http/request.h"

#include <string.h>

#include "base/mem.h"
#include "tap.h"

/* A request from its URI alone. */
static int from_uri(struct request *rq, const char *uri, struct err *e)
{
	static char param[1024];
	static char *params[] = { param, NULL };

	snprintf(param, sizeof(param), "REQUEST_URI=%s", uri);
	return request_init(rq, params, e);
}

static void test_params(void)
{
	char *params[] = {
		(char[]){ "REQUEST_METHOD=PATCH" },     (char[]){ "REQUEST_URI=/v2/a?x=1&y=2" },
		(char[]){ "CONTENT_LENGTH=12" },        (char[]){ "REMOTE_ADDR=::1" },
		(char[]){ "BERTH_REQUEST_ID=abc" },     (char[]){ "BERTH_BODY_FILE=/s/berth/body/0001" },
		(char[]){ "HTTP_ACCEPT=a" },            (char[]){ "HTTP_ACCEPT_ENCODING=no" },
		(char[]){ "HTTP_ACCEPT=b, c" },         (char[]){ "HTTP_BERTH_PRECHECK=1" },
		NULL,
	};
	struct request rq;
	struct str s = STR_INIT;
	struct err e = ERR_INIT;

	is_int(request_init(&rq, params, &e), 0, "a request is read");
	is_int(rq.method, METHOD_PATCH, "its method is known");
	is_str(rq.path.buf, "/v2/a", "its path ends at the question mark");
	is_str(rq.query, "x=1&y=2", "its query begins behind it");
	ok(rq.length_known && rq.length == 12, "its length is a number");
	is_str(rq.remote, "::1", "the client's address is there");
	is_str(rq.id, "abc", "so is the request's id");
	is_str(rq.body_file, "/s/berth/body/0001", "and the spooled body");
	ok(!rq.precheck, "a header that looks like a parameter is none");
	ok(request_header(&rq, "HTTP_ACCEPT", &s), "a header that came twice is found");
	is_str(s.buf, "a, b, c", "and joined in order");
	ok(!request_header(&rq, "HTTP_ACCEP", &s) && s.len == 0, "a header that did not come is not found");
	request_release(&rq);
	str_release(&s);
}

/* Many headers, so that the last parameters lie behind those whose names were measured. */
static void test_many(void)
{
	static char filler[REQUEST_MEASURED][32], last[][32] = { "HTTP_X=one", "CONTENT_TYPE=text/plain", "HTTP_X=two", "HTTP_XY=no" };
	char *params[REQUEST_MEASURED + 6], first[] = "HTTP_X=zero", bare[] = "HTTP_Y";
	struct request rq;
	struct str s = STR_INIT;
	struct err e = ERR_INIT;
	size_t i;

	params[0] = first;
	params[1] = bare;
	for (i = 2; i < REQUEST_MEASURED; i++) {
		snprintf(filler[i], sizeof(filler[i]), "HTTP_FILLER_%zu=", i);
		params[i] = filler[i];
	}
	for (; i < REQUEST_MEASURED + ARRAY_LEN(last); i++)
		params[i] = last[i - REQUEST_MEASURED];
	params[i] = NULL;
	is_int(request_init(&rq, params, &e), 0, "a request with very many headers is read");
	ok(request_header(&rq, "HTTP_X", &s) && strcmp(s.buf, "zero, one, two") == 0, "a header is found wherever it stands");
	is_str(request_param(&rq, "CONTENT_TYPE"), "text/plain", "so is a parameter behind all of them");
	snprintf(filler[0], sizeof(filler[0]), "HTTP_FILLER_%d", REQUEST_MEASURED - 1);
	ok(request_param(&rq, filler[0]) && !*request_param(&rq, filler[0]), "and an empty one");
	ok(!request_param(&rq, "HTTP_Y"), "what has no value is no parameter");
	request_wipe(&rq, "HTTP_X");
	ok(!strchr(first, 'z') && !strchr(last[0], 'o') && !strchr(last[2], 'w'), "each of a name is wiped");
	ok(strcmp(first, "HTTP_X=") == 0 && strcmp(last[3], "HTTP_XY=no") == 0, "and nothing else");
	request_release(&rq);
	str_release(&s);
}

/* What is told where more than one thing is wrong. */
static void test_faults(void)
{
	static const struct { const char *uri, *detail; } t[] = {
		{ "/v2/a%2Fb/%0a", "the path holds a control byte" }, { "/v2/../%0a", "the path holds a dot segment" },
		{ "/v2/%0a/..", "the path holds a control byte" }, { "/v2/a%2f..", "the path holds a dot segment" },
		{ "/v2/../%zz", "the path is not percent-encoded" }, { "/v2/\x7f", "the path holds a control byte" },
	};
	struct err e = ERR_INIT;
	struct request rq;
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++) {
		from_uri(&rq, t[i].uri, &e);
		is_str(e.detail, t[i].detail, "the path number %zu is refused for its first fault", i);
		request_release(&rq);
	}
}

static void test_missing(void)
{
	char *none[] = { NULL };
	char *bad[] = { (char[]){ "CONTENT_LENGTH=-1" }, (char[]){ "REQUEST_URI=/v2/" }, NULL };
	char *empty[] = { (char[]){ "CONTENT_LENGTH=" }, (char[]){ "BERTH_BODY_FILE=" }, (char[]){ "BERTH_PRECHECK=1" },
			  (char[]){ "REQUEST_METHOD=get" }, NULL };
	struct err e = ERR_INIT;
	struct request rq;

	is_int(request_init(&rq, none, &e), 0, "no parameters at all make a request");
	ok(rq.method == METHOD_OTHER && !*rq.id && !*rq.remote && !*rq.query && !rq.body_file && !rq.length_known,
	   "with nothing in it");
	request_release(&rq);
	is_int(request_init(&rq, empty, &e), 0, "empty ones too");
	ok(!rq.length_known && !rq.body_file && rq.precheck, "an empty length is unknown, an empty file none");
	is_int(rq.method, METHOD_OTHER, "methods are told by case");
	request_release(&rq);
	ok(request_init(&rq, bad, &e) < 0 && e.code == ERR_SIZE_INVALID && e.status == 400, "a length that is no number is refused");
	request_release(&rq);
}

static void test_paths(void)
{
	static const struct { const char *uri, *path; } good[] = {
		{ "/v2/a%3Ab", "/v2/a:b" }, { "/v2/a%2Fb%2fc", "/v2/a/b/c" }, { "/v2/%61", "/v2/a" }, { "/v2/a+b", "/v2/a+b" }, { "/v2//a", "/v2//a" },
		{ "/v2/%252e", "/v2/%2e" }, { "/v2/...", "/v2/..." }, { "/v2/.a", "/v2/.a" }, { "/v2/a.", "/v2/a." },
		{ "/v2/%c3%a4", "/v2/\xc3\xa4" }, { "", "" }, { "/?/../", "/" },
	};
	static const char *const bad[] = {
		"/v2/a%2F..", "/v2/a%2f%2e%2Fb", "/v2/%00", "/v2/a%00/tags/list", "/v2/%0a", "/v2/%1F", "/v2/%7f", "/v2/%", "/v2/%2",
		"/v2/%zz", "/v2/..", "/v2/../x", "/v2/./x", "/v2/%2e%2e/x", "/v2/%2E/x", "/v2/.%2e", ".", "..", "/v2/a/..",
	};
	struct err e = ERR_INIT;
	struct request rq;
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++) {
		is_int(from_uri(&rq, good[i].uri, &e), 0, "the path of %s is taken", good[i].uri);
		is_str(rq.path.buf, good[i].path, "and decoded once");
		request_release(&rq);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		ok(from_uri(&rq, bad[i], &e) < 0 && e.code == ERR_NAME_INVALID, "%s is refused", bad[i]);
		request_release(&rq);
	}
}

/* Where slashes were encoded. */
static void test_slashes(void)
{
	static const struct { const char *uri; size_t count, first, last; } t[] = {
		{ "/v2/a/b", 0, 0, 0 }, { "/v2/a%3ab", 0, 0, 0 }, { "/v2/a%2Fb", 1, 5, 5 }, { "/v2/%61%2fb/%2Fc", 2, 5, 8 },
		{ "%2F", 1, 0, 0 }, { "/v2/a%252Fb", 0, 0, 0 }, { "/v2/a?b=%2F", 0, 0, 0 },
	};
	struct err e = ERR_INIT;
	struct request rq;
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++) {
		from_uri(&rq, t[i].uri, &e);
		ok(rq.slashes == t[i].count && rq.first_slash == t[i].first && rq.last_slash == t[i].last,
		   "the encoded slashes of %s are found", t[i].uri);
		request_release(&rq);
	}
}

static void test_query(void)
{
	struct str s = STR_INIT;
	struct err e = ERR_INIT;
	struct request rq;

	from_uri(&rq, "/v2/?a=1&b=x%2Fy&a=2&c&d=&e=1+2&%66=f&g=%zz&h=a%00b&=none&ab=3", &e);
	ok(request_query(&rq, "a", &s) == 1 && strcmp(s.buf, "1") == 0, "the first of a repeated parameter counts");
	ok(request_query(&rq, "b", &s) == 1 && strcmp(s.buf, "x/y") == 0, "an encoded slash is normal in a value");
	ok(request_query(&rq, "c", &s) == 1 && s.len == 0, "a parameter without a value is there, and empty");
	ok(request_query(&rq, "d", &s) == 1 && s.len == 0, "so is one with an empty value");
	ok(request_query(&rq, "e", &s) == 1 && strcmp(s.buf, "1 2") == 0, "plus is a space");
	ok(request_query(&rq, "f", &s) == 1 && strcmp(s.buf, "f") == 0, "an encoded name is decoded");
	is_int(request_query(&rq, "g", &s), -1, "what is not percent-encoded is an error");
	is_int(request_query(&rq, "h", &s), -1, "so is a NUL");
	is_int(request_query(&rq, "i", &s), 0, "what is not there is absent");
	ok(request_query(&rq, "ab", &s) == 1 && strcmp(s.buf, "3") == 0, "a name is compared whole");
	request_release(&rq);
	str_release(&s);
}

int main(void)
{
	test_params();
	test_many();
	test_missing();
	test_paths();
	test_faults();
	test_slashes();
	test_query();
	return done_testing();
}
