/* SPDX-License-Identifier: Apache-2.0 */
/* response: rendering answers and errors. */

#include "http/response.h"

#include <string.h>

#include "tap.h"

static struct str out = STR_INIT;

static const char *render(const struct response *rs, enum method method, bool precheck)
{
	struct request rq = { .method = method, .precheck = precheck };

	str_reset(&out);
	response_render(rs, &rq, &out);
	return out.buf;
}

static void test_plain(void)
{
	struct response rs = RESPONSE_INIT;

	response_json(&rs, 200);
	str_puts(&rs.body, "{}");
	is_str(render(&rs, METHOD_GET, false),
	       "Status: 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}", "a body has its length");
	is_str(render(&rs, METHOD_HEAD, false),
	       "Status: 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n",
	       "a HEAD has the same headers and no body");
	response_header(&rs, "Content-Type", "%s", "text/plain");
	response_length(&rs, 5000000000);
	is_str(render(&rs, METHOD_HEAD, false), "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5000000000\r\n\r\n",
	       "a header is replaced, a length set by hand counts");
	response_release(&rs);
	rs = (struct response)RESPONSE_INIT;
	rs.status = 204;
	response_header(&rs, "Range", "0-%d", 0);
	is_str(render(&rs, METHOD_GET, false), "Status: 204 No Content\r\nRange: 0-0\r\n\r\n", "204 has no length");
	rs.status = 202;
	is_str(render(&rs, METHOD_DELETE, false), "Status: 202 Accepted\r\nRange: 0-0\r\nContent-Length: 0\r\n\r\n",
	       "an empty answer says so");
	response_release(&rs);
}

static void test_headers(void)
{
	struct response rs = RESPONSE_INIT;
	const char *value;
	size_t len;

	rs.status = 201;
	ok(!response_find(&rs, "Etag", &len) && !len, "of no headers none is found");
	response_header(&rs, "Location", "/%s", "first");
	response_header(&rs, "Etag", "%s", "");
	response_header(&rs, "Range", "0-%u", 7);
	response_header_more(&rs, "OCI-Tag", "a");
	response_header_more(&rs, "OCI-Tag", "b");
	value = response_find(&rs, "Location", &len);
	ok(value && len == 6 && memcmp(value, "/first", 6) == 0, "a header that was set is found, with its length");
	ok(response_find(&rs, "Etag", &len) && len == 0, "so is an empty one");
	response_header(&rs, "Location", "/%s/%s", "the", "second");
	response_header(&rs, "Location", "/%s", "third");
	is_str(render(&rs, METHOD_PUT, false),
	       "Status: 201 Created\r\nEtag: \r\nRange: 0-7\r\nOCI-Tag: a\r\nOCI-Tag: b\r\nLocation: /third\r\nContent-Length: 0\r\n\r\n",
	       "one that is set again goes to the end, whatever lay behind it");
	value = response_find(&rs, "Range", &len);
	ok(value && len == 3 && memcmp(value, "0-7", 3) == 0, "those behind it are found where they are now");
	value = response_find(&rs, "Location", &len);
	ok(value && len == 6 && memcmp(value, "/third", 6) == 0, "and so is the last");
	response_header(&rs, "Location", "/%s", "fourth");
	value = response_find(&rs, "Location", &len);
	ok(value && len == 7 && memcmp(value, "/fourth", 7) == 0, "the last can be set again");
	response_release(&rs);
}

static void test_errors(void)
{
	struct response rs = RESPONSE_INIT;
	struct err e = ERR_INIT;

	err_set(&e, ERR_MANIFEST_BLOB_UNKNOWN, "%s", "one");
	err_more(&e, "t\"o");
	response_error(&rs, &e, "id");
	is_str(rs.body.buf,
	       "{\"errors\":[{\"code\":\"MANIFEST_BLOB_UNKNOWN\",\"message\":\"manifest references a manifest or blob unknown to "
	       "registry\",\"detail\":\"one\"},{\"code\":\"MANIFEST_BLOB_UNKNOWN\",\"message\":\"manifest references a manifest or "
	       "blob unknown to registry\",\"detail\":\"t\\\"o\"}]}\n", "each thing that is wrong is an entry");
	is_int(rs.status, 400, "the status is the code's");
	response_release(&rs);
	err_release(&e);
	e = (struct err)ERR_INIT;
	rs = (struct response)RESPONSE_INIT;
	err_set(&e, ERR_UNKNOWN, "%s", "a secret path");
	response_error(&rs, &e, "0f");
	ok(strstr(rs.body.buf, "\"detail\":\"0f\"") && !strstr(rs.body.buf, "secret"), "what went wrong inside is told by its id alone");
	err_set(&e, ERR_UNAVAILABLE, "%s", "");
	response_error(&rs, &e, "0f");
	ok(strstr(rs.body.buf, "\"detail\":null"), "an error without a detail has null");
	ok(strstr(render(&rs, METHOD_PUT, false), "Retry-After: 1\r\n"), "503 says when to try again");
	response_release(&rs);
	err_release(&e);
}

static void test_precheck(void)
{
	struct response rs = RESPONSE_INIT;
	struct err e = ERR_INIT;

	rs.status = 204;
	is_str(render(&rs, METHOD_PATCH, true), "Status: 204 No Content\r\n\r\n", "a body that may come in is let in");
	response_header(&rs, "Location", "/v2/a/blobs/uploads/x");
	response_header(&rs, "Range", "0-9");
	response_header(&rs, "Docker-Upload-UUID", "x");
	err_set(&e, ERR_RANGE_INVALID, "%s", "gap");
	response_error(&rs, &e, "");
	is_str(render(&rs, METHOD_PATCH, true),
	       "Status: 403 Forbidden\r\nX-Berth-Status: 416\r\nX-Berth-Error: {\"errors\":[{\"code\":\"RANGE_INVALID\",\"message\":\"invalid "
	       "content range\",\"detail\":\"gap\"}]}\r\nX-Berth-Location: /v2/a/blobs/uploads/x\r\nX-Berth-Range: 0-9\r\nX-Berth-Uuid: x\r\n\r\n",
	       "a refusal carries its status, body and headers for nginx");
	response_release(&rs);
	err_release(&e);
}

int main(void)
{
	test_plain();
	test_headers();
	test_errors();
	test_precheck();
	str_release(&out);
	return done_testing();
}
