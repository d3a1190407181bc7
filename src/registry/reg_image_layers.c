/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_image_layers: the layers of an image, and what its configuration says. A part of reg_image.
 *
 * Owns nothing.
 */
#include <string.h>

#include "base/json_put.h"
#include "registry/reg_facts.h"
#include "registry/reg_image_own.h"
#include "store/blob.h"

#define MADE_BY 4096            /* bytes of a line of the history */

static void put_list(struct image *im, const char *key, struct json_view list)
{
	struct json_walk w = json_walk(list);
	struct json_view entry;
	size_t count = 0;

	if (list.kind != JSON_LIST)
		return;
	json_put_key(im->out, key);
	str_addc(im->out, '[');
	while (json_walk_next(&w, NULL, &entry)) {
		if (count++ == IMAGE_ENTRIES) {
			image_more(im, key);
			break;
		}
		json_put_view(im->out, NULL, entry, IMAGE_TEXT);
	}
	str_addc(im->out, ']');
}

/* Variables have secrets in them at times: only the names are told. */
static void put_env(struct image *im, struct json_view list)
{
	struct json_walk w = json_walk(list);
	struct json_view entry;
	size_t count = 0;

	if (list.kind != JSON_LIST)
		return;
	json_put_key(im->out, "env");
	str_addc(im->out, '[');
	while (json_walk_next(&w, NULL, &entry)) {
		cleanup_str struct str text = STR_INIT;

		if (entry.kind != JSON_STRING)
			continue;
		if (count++ == IMAGE_ENTRIES) {
			image_more(im, "env");
			break;
		}
		json_view_text(entry, &text);
		json_put_text(im->out, NULL, text.buf, strcspn(text.buf, "="), IMAGE_TEXT);
	}
	str_addc(im->out, ']');
}

/* The ports are the keys of an object. */
static void put_ports(struct image *im, struct json_view object)
{
	struct json_walk w = json_walk(object);
	struct json_view key, val;
	size_t count = 0;

	if (!w.object)
		return;
	json_put_key(im->out, "ports");
	str_addc(im->out, '[');
	while (json_walk_next(&w, &key, &val)) {
		if (count++ == IMAGE_ENTRIES) {
			image_more(im, "ports");
			break;
		}
		json_put_view(im->out, NULL, key, IMAGE_TEXT);
	}
	str_addc(im->out, ']');
}

static void put_config(struct image *im, struct json_view config)
{
	cleanup_str struct str platform = STR_INIT;
	struct json_view c = json_view_get(config, "config");

	if (facts_platform(config, &platform))
		json_put_word(im->out, "platform", platform.buf);
	json_put_key(im->out, "config");
	str_addc(im->out, '{');
	put_list(im, "entrypoint", json_view_get(c, "Entrypoint"));
	put_list(im, "cmd", json_view_get(c, "Cmd"));
	put_env(im, json_view_get(c, "Env"));
	json_put_view(im->out, "user", json_view_get(c, "User"), IMAGE_TEXT);
	put_ports(im, json_view_get(c, "ExposedPorts"));
	image_texts(im, "labels", json_view_get(c, "Labels"));
	json_put_view(im->out, "workdir", json_view_get(c, "WorkingDir"), IMAGE_TEXT);
	str_addc(im->out, '}');
}

static size_t count_layers(struct json_view layers)
{
	struct json_walk w = json_walk(layers);
	struct json_view layer;
	size_t n = 0;

	while (!w.object && json_walk_next(&w, NULL, &layer))
		n++;
	return n;
}

/* Lines of the history that made no layer are left out: the next line that made one; false: there is none. */
static bool next_made(struct json_walk *w, struct json_view *line)
{
	while (json_walk_next(w, NULL, line)) {
		struct json_view empty = json_view_get(*line, "empty_layer");

		if (empty.kind != JSON_BOOL || *empty.s != 't')
			return true;
	}
	return false;
}

/* A history says which line made which layer only if it has one for each. */
static struct json_walk history_of(struct json_view config, size_t layers)
{
	struct json_view history = json_view_get(config, "history"), line;
	struct json_walk w = json_walk(history);
	size_t n = 0;

	if (w.object)
		return json_walk((struct json_view){ .kind = JSON_ABSENT });
	while (next_made(&w, &line))
		n++;
	return json_walk(n == layers ? history : (struct json_view){ .kind = JSON_ABSENT });
}

static int put_layer(struct image *im, struct json_view layer, const struct json_view *line, struct err *e)
{
	struct digest d, content;
	uint64_t size;
	int here;

	if (!facts_digest(layer, &d))
		return 0;
	here = blob_find(im->r->st, im->n, &d, false, &content, &size, e);
	if (here < 0)
		return -1;
	json_put_key(im->out, NULL);
	str_addc(im->out, '{');
	json_put_word(im->out, "digest", d.text);
	json_put_view(im->out, "media_type", json_view_get(layer, "mediaType"), FACTS_TYPE_MAX);
	if (json_view_u64(json_view_get(layer, "size"), &size) == 0)
		json_put_u64(im->out, "bytes", size);
	if (line)
		json_put_view(im->out, "made_by", json_view_get(*line, "created_by"), MADE_BY);
	image_texts(im, "annotations", json_view_get(layer, "annotations"));
	json_put_bool(im->out, "here", here);
	str_addc(im->out, '}');
	return 0;
}

static int put_layers(struct image *im, struct json_view layers, struct json_view config, struct err *e)
{
	struct json_walk w = json_walk(layers), history = history_of(config, count_layers(layers));
	struct json_view layer, line;
	size_t count = 0;

	json_put_key(im->out, "layers");
	str_addc(im->out, '[');
	while (json_walk_next(&w, NULL, &layer)) {
		bool made = next_made(&history, &line);

		if (count++ == IMAGE_LAYERS) {
			image_more(im, "layers");
			break;
		}
		if (put_layer(im, layer, made ? &line : NULL, e) < 0)
			return -1;
	}
	str_addc(im->out, ']');
	return 0;
}

int image_layers(struct image *im, struct json_view manifest, struct err *e)
{
	struct json_view layers = json_view_get(manifest, "layers"), named = json_view_get(manifest, "config"), config = { .kind = JSON_ABSENT };
	cleanup_str struct str bytes = STR_INIT;
	struct digest d;
	int found = 0;

	if (facts_is_config(json_view_get(named, "mediaType")) && facts_digest(named, &d))
		found = facts_json(im->r, im->n, &d, FACTS_CONFIG_MAX, &bytes, e);
	if (found < 0)
		return -1;
	if (found) {
		config = json_view_of(bytes.buf, bytes.len);
		put_config(im, config);
	}
	return layers.kind == JSON_LIST ? put_layers(im, layers, config, e) : 0;
}
