/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_HANDLERS_H
#define BERTH_HTTP_HANDLERS_H

/*
 * handlers: the functions of the route table. Each resource has its own h_*.c, or, below /berth/v1/, api_*.c.
 *
 * A handler fills x->rs and returns 0, or sets *e and returns -1; headers that it has set stay on the answer. Those called
 * ..._check run before the body is read, and again just before the handler itself. doc/API.md has a section for each
 * resource; the sections of the distribution-spec are given here.
 */

#include "http/exchange.h"

handler_fn h_base_get;                  /* end-1, "Determining Support" */
handler_fn h_token_get;                 /* Docker's token authentication, "Requesting a Token" */
handler_fn h_token_post;                /* the same by OAuth2 (RFC 6749) */
handler_fn h_catalog_get;               /* Docker Registry HTTP API V2, "Catalog" */
handler_fn h_tags_get;                  /* end-8a, end-8b, "Listing Tags" */

handler_fn h_manifest_get;              /* end-3, "Pulling manifests"; HEAD too */
handler_fn h_manifest_put_check;
handler_fn h_manifest_put;              /* end-7, "Pushing Manifests" */
handler_fn h_manifest_delete;           /* end-9, "Deleting tags", "Deleting Manifests" */

handler_fn h_blob_get;                  /* end-2, "Pulling blobs"; HEAD too */
handler_fn h_blob_delete;               /* end-10, "Deleting Blobs" */

handler_fn h_referrers_get;             /* end-12a, end-12b, "Listing Referrers" */

handler_fn api_events_get;              /* doc/EVENTS.md, "From a program" */

handler_fn api_repos_get;               /* doc/PAGE.md, "The API" */
handler_fn api_search_get;
handler_fn api_tags_get;
handler_fn api_image_get;
handler_fn api_tags_delete;
handler_fn api_tags_restore;
handler_fn api_deleted_get;

handler_fn api_whoami_get;              /* doc/PAGE.md, "The API" */
handler_fn api_session_post;
handler_fn api_session_delete;

handler_fn api_status_get;              /* the same, for administrators */
handler_fn api_gc_get;
handler_fn api_gc_post;

handler_fn api_relay_settle;            /* doc/WEBHOOKS.md, "The relay" */

handler_fn api_relay_manifest;          /* doc/CACHE.md, "How it works" */
handler_fn api_relay_blob;
handler_fn api_relay_checked;

handler_fn h_uploads_post_check;
handler_fn h_uploads_post;              /* end-4a, end-4b, end-11: begin, whole blob, mount */
handler_fn h_upload_get;                /* end-13, status */
handler_fn h_upload_patch_check;
handler_fn h_upload_patch;              /* end-5, a chunk */
handler_fn h_upload_put_check;
handler_fn h_upload_put;                /* end-6, the last chunk and the digest */
handler_fn h_upload_delete;             /* cancel (1.2) */

#endif
