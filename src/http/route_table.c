/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_table: every path that berth answers, one row each.
 *
 * A pattern with a literal where another has a parameter precedes it: /v2/<name>/blobs/uploads is no blob.
 */
#include "base/mem.h"
#include "base/metrics.h"
#include "http/handlers.h"
#include "http/route.h"

const struct route route_table[] = {
	{
		"manifest", PATH("/v2/", "<name>", "/manifests/", "<reference>"),
		{
			{ METHOD_GET, OP_READ, NEED_PULL, IN_REQUESTS, NULL, h_manifest_get },
			{ METHOD_PUT, OP_WRITE, NEED_PUSH, IN_WRITES, h_manifest_put_check, h_manifest_put },
			{ METHOD_DELETE, OP_DELETE, NEED_DELETE, IN_WRITES, NULL, h_manifest_delete },
		},
	},
	{
		"uploads", PATH("/v2/", "<name>", "/blobs/uploads/", ""),
		{ { METHOD_POST, OP_WRITE, NEED_PUSH, IN_WRITES_OR_UPLOADS, h_uploads_post_check, h_uploads_post } },
	},
	/* A push asks HEAD before its manifest names the blob. The answer keeps the blob from the collector, under a lock. */
	{
		"blob", PATH("/v2/", "<name>", "/blobs/", "<digest>"),
		{
			{ METHOD_HEAD, OP_READ, NEED_PULL, IN_WRITES, NULL, h_blob_get },
			{ METHOD_GET, OP_READ, NEED_PULL, IN_REQUESTS, NULL, h_blob_get },
			{ METHOD_DELETE, OP_DELETE, NEED_DELETE, IN_WRITES, NULL, h_blob_delete },
		},
	},
	/*
	 * The state of an upload, too, is only for clients that may push there. Canceling is no OP_DELETE: it deletes
	 * nothing that could have been pulled. GET waits while another request has the upload.
	 */
	{
		"upload", PATH("/v2/", "<name>", "/blobs/uploads/", "<uuid>"),
		{
			{ METHOD_GET, OP_READ, NEED_PUSH, IN_WRITES, NULL, h_upload_get },
			{ METHOD_PATCH, OP_WRITE, NEED_PUSH, IN_UPLOADS, h_upload_patch_check, h_upload_patch },
			{ METHOD_PUT, OP_WRITE, NEED_PUSH, IN_UPLOADS, h_upload_put_check, h_upload_put },
			{ METHOD_DELETE, OP_WRITE, NEED_PUSH, IN_WRITES, NULL, h_upload_delete },
		},
	},
	{
		"referrers", PATH("/v2/", "<name>", "/referrers/", "<digest>"),
		{ { METHOD_GET, OP_READ, NEED_PULL, IN_REQUESTS, NULL, h_referrers_get } },
	},
	{
		"tags", PATH("/v2/", "<name>", "/tags/list", ""),
		{ { METHOD_GET, OP_READ, NEED_PULL, IN_REQUESTS, NULL, h_tags_get } },
	},
	{ "base", PATH("", "", "/v2/", ""), { { METHOD_GET, OP_READ, NEED_LOGIN, IN_REQUESTS, NULL, h_base_get } } },
	{
		"catalog", PATH("", "", "/v2/_catalog", ""),
		{ { METHOD_GET, OP_READ, NEED_CATALOG, IN_REQUESTS, NULL, h_catalog_get } },
	},
	/* A token changes nothing in the store: a read-only registry issues them, too. */
	{
		"token", PATH("", "", "/v2/token", ""),
		{
			{ METHOD_GET, OP_READ, NEED_TOKEN, IN_REQUESTS, NULL, h_token_get },
			{ METHOD_POST, OP_READ, NEED_TOKEN, IN_REQUESTS, NULL, h_token_post },
		},
	},
	{
		"events", PATH("", "", "/berth/v1/events", ""),
		{ { METHOD_GET, OP_READ, NEED_CATALOG, IN_REQUESTS, NULL, api_events_get } },
	},
	{
		"api_repos", PATH("", "", "/berth/v1/repos", ""),
		{ { METHOD_GET, OP_READ, NEED_CATALOG, IN_REQUESTS, NULL, api_repos_get } },
	},
	{
		"api_search", PATH("", "", "/berth/v1/search", ""),
		{ { METHOD_GET, OP_READ, NEED_CATALOG, IN_REQUESTS, NULL, api_search_get } },
	},
	{
		"api_tags", PATH("/berth/v1/repos/", "<name>", "/tags", ""),
		{ { METHOD_GET, OP_READ, NEED_PULL, IN_REQUESTS, NULL, api_tags_get } },
	},
	/* Before images, as tags: an image that is tagged tags or deleted is manifests/tag:tags (api_image.c). */
	{
		"api_deleted", PATH("/berth/v1/repos/", "<name>", "/deleted", ""),
		{ { METHOD_GET, OP_READ, NEED_PULL, IN_REQUESTS, NULL, api_deleted_get } },
	},
	{
		"api_image", PATH("/berth/v1/repos/", "<name>", "/manifests/", "<reference>"),
		{ { METHOD_GET, OP_READ, NEED_PULL, IN_REQUESTS, NULL, api_image_get } },
	},
	{
		"api_delete", PATH("/berth/v1/repos/", "<name>", "/tags:delete", ""),
		{ { METHOD_POST, OP_DELETE, NEED_PULL_DELETE, IN_WRITES, NULL, api_tags_delete } },
	},
	{
		"api_restore", PATH("/berth/v1/repos/", "<name>", "/tags:restore", ""),
		{ { METHOD_POST, OP_WRITE, NEED_PUSH, IN_WRITES, NULL, api_tags_restore } },
	},
	{
		"whoami", PATH("", "", "/berth/v1/whoami", ""),
		{ { METHOD_GET, OP_READ, NEED_ANYBODY, IN_REQUESTS, NULL, api_whoami_get } },
	},
	/* A session changes nothing in the repositories: a read-only registry has them, too. */
	{
		"session", PATH("", "", "/berth/v1/session", ""),
		{
			{ METHOD_POST, OP_READ, NEED_ANYBODY, IN_REQUESTS, NULL, api_session_post },
			{ METHOD_DELETE, OP_READ, NEED_ANYBODY, IN_WRITES, NULL, api_session_delete },
		},
	},
	{
		"status", PATH("", "", "/berth/v1/status", ""),
		{ { METHOD_GET, OP_READ, NEED_ADMIN, IN_REQUESTS, NULL, api_status_get } },
	},
	{
		"gc", PATH("", "", "/berth/v1/gc", ""),
		{
			{ METHOD_GET, OP_READ, NEED_ADMIN, IN_REQUESTS, NULL, api_gc_get },
			{ METHOD_POST, OP_WRITE, NEED_ADMIN, IN_WRITES, NULL, api_gc_post },
		},
	},
	{
		"settle", PATH("", "", "/berth/v1/relay/settle", ""),
		{ { METHOD_GET, OP_READ, NEED_RELAY, IN_RELAY, NULL, api_relay_settle } },
	},
	{
		"relay_manifest", PATH("", "", "/berth/v1/relay/manifest", ""),
		{ { METHOD_PUT, OP_WRITE, NEED_RELAY, IN_RELAY, NULL, api_relay_manifest } },
	},
	{
		"relay_blob", PATH("", "", "/berth/v1/relay/blob", ""),
		{ { METHOD_PUT, OP_WRITE, NEED_RELAY, IN_RELAY, NULL, api_relay_blob } },
	},
	{
		"relay_checked", PATH("", "", "/berth/v1/relay/checked", ""),
		{ { METHOD_POST, OP_WRITE, NEED_RELAY, IN_RELAY, NULL, api_relay_checked } },
	},
	{
		"relay_has", PATH("", "", "/berth/v1/relay/has", ""),
		{ { METHOD_POST, OP_WRITE, NEED_RELAY, IN_RELAY, NULL, api_relay_has } },
	},
	{ 0 },
};

_Static_assert(ARRAY_LEN(route_table) <= METRICS_ROUTES, "more routes than are counted");
