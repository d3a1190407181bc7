/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_request: one request, as libcurl is told to make it, and what it hands over meanwhile. A part of `client`.
 *
 * Owns the options of libcurl's handles. Invariant: no byte of an answer is kept beyond its bounds, and no socket is made for an address that
 * the call may not reach.
 */
#include "relay/client_own.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/time.h"
#include "relay/address.h"
#include "relay/proxy.h"

#define HEAD_MAX 65536          /* bytes of all headers of an answer */

/* --- headers of an answer */

static const char *header_of(const char *lines, size_t all, const char *name, size_t which)
{
	size_t len = strlen(name);
	const char *p, *end = lines + all;

	for (p = lines; p < end; p += strlen(p) + 1)
		if (strncasecmp(p, name, len) == 0 && p[len] == ':' && which-- == 0)
			return p + len + 1 + strspn(p + len + 1, " \t");
	return NULL;
}

const char *client_header(const struct client_answer *a, const char *name, size_t which)
{
	return header_of(a->headers.buf, a->headers.len, name, which);
}

/* --- what libcurl calls */

/* Of a call whose body may be taken in pieces: before the first one. */
static void tell_head(struct call *call)
{
	struct client_answer a;
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!call->on_head || call->told || (call_follows(call, status) && header_of(call->got.buf, call->got.len, "Location", 0)))
		return;
	call->told = true;
	call_answer(call, &a);
	a.status = (int)status;
	a.why = "";
	a.fault = CLIENT_FAULT_NONE;
	call->streams = call->on_head(call->arg, &a);
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct call *call = arg;
	curl_off_t whole = -1;

	tell_head(call);
	if (call->streams) {
		if (call->on_piece(call->arg, data, size * count))
			return size * count;
		if (!call->fault.len)
			str_puts(&call->fault, "what it was for is given up");
		return 0;
	}
	curl_easy_getinfo(call->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &whole);
	if (size * count > call->answer_max - call->answer.len || (whole > 0 && (uint64_t)whole > call->answer_max)) {
		if (!call->fault.len)
			str_addf(&call->fault, "the answer has more than %zu bytes", call->answer_max);
		return 0;
	}
	str_add(&call->answer, data, size * count);
	return size * count;
}

/* Keeps one line; a new status line means that the ones before were of an answer that is not the last one, such as a proxy's. */
static void keep_header(struct call *call, const char *line, size_t len)
{
	while (len && (line[len - 1] == '\r' || line[len - 1] == '\n'))
		len--;
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		str_reset(&call->got);
	} else if (len && !memchr(line, '\0', len)) {
		str_add(&call->got, line, len);
		str_addc(&call->got, '\0');
	}
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
	struct call *call = arg;

	call->head += size * count;
	if (call->head <= HEAD_MAX) {
		keep_header(call, data, size * count);
		return size * count;
	}
	if (!call->fault.len)
		str_addf(&call->fault, "the head of the answer has more than %d bytes", HEAD_MAX);
	return 0;
}

/* With a proxy the address is the proxy's, which the operator named. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *sa)
{
	struct call *call = arg;

	(void)purpose;
	if (call->any || address_public(&sa->addr))
		return socket(sa->family, sa->socktype | SOCK_CLOEXEC, sa->protocol);
	str_reset(&call->refused);
	str_addf(&call->refused, "a redirect leads to %s, which has no public address; `hosts` may list it", call->at.host);
	return CURL_SOCKET_BAD;
}

/* --- what it is told */

static void add_header(struct call *call, const char *header)
{
	struct curl_slist *list = curl_slist_append(call->list, header);

	if (!list)
		abort();
	call->list = list;
}

static void set_headers(struct call *call)
{
	bool trusted = target_trusted(&call->first, &call->at);

	/* libcurl still knows the last ones. */
	curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(STEAL(call->list));
	add_header(call, "Expect:");            /* no pause of a second before a long body */
	for (size_t i = 0; i < call->headers.count; i++)
		if (trusted || target_public_header(call->headers.v[i]))
			add_header(call, call->headers.v[i]);
	curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->list);
}

static void set_method(struct call *call)
{
	CURL *easy = call->easy;

	if (call->has_body) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.buf);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
	} else if (strcmp(call->method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
}

void request_set_up(struct call *call)
{
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);         /* else it waits for a resolver that does not answer */
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "berth-relay/" PACKAGE_VERSION);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)call->connect_ms);
	if (call->stall_s) {
		curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)call->stall_bytes);
		curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)call->stall_s);
	}
	if (call->ca) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, call->ca);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);   /* Debian's libcurl would accept the system's, too */
		curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);   /* a new file counts for the next connection */
	}
	set_method(call);
}

int request_start(struct call *call)
{
	const char *proxy = proxy_for(call->at.tls, call->at.host);
	uint64_t now = time_now_usec();

	if (now >= call->deadline) {
		call_fail(call, "it took too long");
		return -1;
	}
	str_reset(&call->answer);
	str_reset(&call->got);
	str_reset(&call->refused);
	call->head = 0;
	call->error[0] = '\0';
	call->any = call->any || proxy;
	curl_easy_setopt(call->easy, CURLOPT_URL, call->url.buf);
	curl_easy_setopt(call->easy, CURLOPT_PROXY, proxy ? proxy : "");
	curl_easy_setopt(call->easy, CURLOPT_NOPROXY, "");
	curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, (long)((call->deadline - now + 999) / 1000));
	/* A connection that another request has made was not checked. */
	curl_easy_setopt(call->easy, CURLOPT_FRESH_CONNECT, call->any ? 0L : 1L);
	curl_easy_setopt(call->easy, CURLOPT_FORBID_REUSE, call->any ? 0L : 1L);
	set_headers(call);
	if (curl_multi_add_handle(call->client->multi, call->easy) != CURLM_OK) {
		call_fail(call, "libcurl takes no request");
		return -1;
	}
	call->added = true;
	return 0;
}
