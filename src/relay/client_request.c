/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_request: one request, as libcurl is told to make it, and what it hands over meanwhile. A part of `client`.
 *
 * Owns the options of libcurl's handles. Invariant: no byte of an answer is kept beyond its bounds, and no socket is made for an address that
 * the call may not reach.
 */
#include "relay/client_own.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/time.h"
#include "relay/address.h"
#include "relay/proxy.h"

#define HEAD_MAX 65536          /* bytes of all headers of an answer */

/* --- what libcurl calls */

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct call *call = arg;

	if (size * count > call->answer_max - call->answer.len) {
		if (!call->fault.len)
			str_addf(&call->fault, "the answer has more than %zu bytes", call->answer_max);
		return 0;
	}
	str_add(&call->answer, data, size * count);
	return size * count;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
	struct call *call = arg;

	(void)data;
	call->head += size * count;
	if (call->head <= HEAD_MAX)
		return size * count;
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
		curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
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
