/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_JSON_H
#define BERTH_BASE_JSON_H

/*
 * json: json-c as this project uses it. It is for small texts, such as
 * keys and tokens: json_view reads manifests. Input passes json_check_few first. Output is written with struct str.
 */

#include <json-c/json_object.h>
#include <json-c/linkhash.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

void json_cleanup(struct json_object **o);
#define cleanup_json __attribute__((cleanup(json_cleanup)))

/* json_read - parse [s, s+len) after json_check_few; an owned tree, or NULL with *f */
struct json_fault;
struct json_object *json_read(const char *s, size_t len, struct json_fault *f);

/*
 * Typed members of an object. Each returns 1 found, 0 absent (null counts as absent), -1 of another type. The results are
 * borrowed from the tree.
 */
int json_get_string(struct json_object *o, const char *key, const char **val, size_t *len);
int json_get_u64(struct json_object *o, const char *key, uint64_t *val);        /* an integer >= 0, written without '.' or 'e', below UINT64_MAX */
int json_get_object(struct json_object *o, const char *key, struct json_object **val);
int json_get_array(struct json_object *o, const char *key, struct json_object **val);

#endif
