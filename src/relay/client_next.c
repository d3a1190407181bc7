/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_next: where a call goes, and what follows when one of its requests has ended. A part of `client`.
 *
 * Owns nothing. Redirects are followed here, not by libcurl: which of them, and with which headers, is ours to decide (target.h).
 */
#include "relay/client_own.h"

#include <string.h>
#include <strings.h>

#include "base/b64.h"

#define REDIRECTS_MAX 5
#define URL_MAX 8192

/* The scheme, host and port of a URL; false if it is none, or of another scheme. */
static bool target_of(CURLU *u, struct target *t)
{
	char *scheme = NULL, *host = NULL, *port = NULL;
	uint64_t n = 0;
	bool ok;

	ok = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	     curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK && str_parse_u64(port, strlen(port), &n) == 0 &&
	     target_set(t, scheme, host, (unsigned)n);
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	return ok;
}

/* Adds a part of a URL, decoded, and removes it there; false if it has none. */
static bool move_part(CURLU *u, CURLUPart part, struct str *out)
{
	char *text = NULL;

	if (curl_url_get(u, part, &text, CURLU_URLDECODE) != CURLUE_OK)
		return false;
	str_puts(out, text);
	explicit_bzero(text, strlen(text));
	curl_free(text);
	curl_url_set(u, part, NULL, 0);
	return true;
}

static bool has_header(const struct names *headers, const char *name)
{
	for (size_t i = 0; i < headers->count; i++)
		if (strncasecmp(headers->v[i], name, strlen(name)) == 0)
			return true;
	return false;
}

/* Whether the URL may be asked: it is the operator's, or its host has been named by that of the operator's. */
static bool allowed(struct call *call)
{
	CURLU *u;
	bool ok;

	call->at = call->first;
	if (!call->named_by.len)
		return true;
	u = curl_url();
	ok = u && curl_url_set(u, CURLUPART_URL, call->named_by.buf, 0) == CURLUE_OK && target_of(u, &call->first) &&
	     target_follows(&call->first, &call->first, &call->at, &call->hosts, &call->any, &call->fault);
	curl_url_cleanup(u);
	return ok;
}

/* libcurl would add a login in the URL to a redirect that has no host of its own, and then the redirect seems to have brought it. */
static bool take_login(struct call *call, CURLU *u)
{
	static const char name[] = "Authorization:";
	cleanup_str struct str login = STR_SECRET, header = STR_SECRET;
	bool user = move_part(u, CURLUPART_USER, &login), password;
	char *url = NULL;

	str_addc(&login, ':');
	password = move_part(u, CURLUPART_PASSWORD, &login);
	if (!user && !password)
		return true;
	if (curl_url_get(u, CURLUPART_URL, &url, 0) != CURLUE_OK)
		return false;
	str_reset(&call->url);
	str_puts(&call->url, url);
	curl_free(url);
	str_addf(&header, "%s Basic ", name);
	b64_encode(B64_PADDED, login.buf, login.len, &header);
	if (!has_header(&call->headers, name))
		names_add(&call->headers, header.buf, header.len);
	return true;
}

bool next_first(struct call *call)
{
	CURLU *u = curl_url();
	bool ok = u && call->url.len <= URL_MAX && curl_url_set(u, CURLUPART_URL, call->url.buf, 0) == CURLUE_OK && target_of(u, &call->first) &&
		  take_login(call, u) && allowed(call);

	curl_url_cleanup(u);
	return ok;
}

bool client_target(const char *url, struct target *t)
{
	CURLU *u = curl_url();
	bool ok = u && strlen(url) <= URL_MAX && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK && target_of(u, t);

	curl_url_cleanup(u);
	return ok;
}

/* A redirect to http://user:password@host/ would send what somebody else has chosen. */
static bool target_of_redirect(const char *url, struct target *t)
{
	CURLU *u = curl_url();
	bool ok = u && strlen(url) <= URL_MAX && curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK && target_of(u, t);

	curl_url_cleanup(u);
	return ok;
}

static void redirect(struct call *call, const char *to)
{
	struct target next;
	bool named;

	if (++call->redirects > REDIRECTS_MAX) {
		call_fail(call, "there are more than 5 redirects");
	} else if (!target_of_redirect(to, &next)) {
		call_fail(call, "a redirect leads to something else than a URL of http or https without a login");
	} else if (!target_follows(&call->first, &call->at, &next, &call->hosts, &named, &call->fault)) {
		call_over(call);
	} else {
		str_reset(&call->url);
		str_puts(&call->url, to);
		call->at = next;
		call->any = named;
		request_start(call);
	}
}

static enum client_fault kind_of(CURLcode result)
{
	switch (result) {
	case CURLE_OPERATION_TIMEDOUT:
		return CLIENT_FAULT_TIME;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return CLIENT_FAULT_TLS;
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return CLIENT_FAULT_REACH;
	default:                        /* something that libcurl does not put up with */
		return CLIENT_FAULT_RULE;
	}
}

/* One line about why libcurl has given up. */
static void explain(struct call *call, CURLcode result)
{
	const char *why = call->error[0] ? call->error : curl_easy_strerror(result);

	call->kind = call->fault.len || call->refused.len ? CLIENT_FAULT_RULE : kind_of(result);
	if (result == CURLE_COULDNT_CONNECT && call->refused.len)
		why = call->refused.buf;
	if (result == CURLE_OUT_OF_MEMORY)
		why = "a header of the answer is too long";     /* libcurl's limit, and its word for it */
	call_fail(call, why);
	for (char *p = call->fault.buf; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
}

void next_after(struct call *call, CURLcode result)
{
	cleanup_str struct str to = STR_INIT;
	curl_off_t retry_after = 0;
	char *location = NULL;
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &retry_after);
	curl_easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &location);
	if (location)
		str_puts(&to, location);        /* it is libcurl's, and gone with the next request */
	call_stop(call);
	if (result != CURLE_OK || status < 100) {
		explain(call, result);
	} else if (to.len && call_follows(call, status)) {
		redirect(call, to.buf);
	} else {
		call->status = (int)status;
		call->retry_after = retry_after > 0 ? (uint64_t)retry_after : 0;
		call_over(call);
	}
}
