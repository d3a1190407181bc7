/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml: from libyaml's events to a tree.
 *
 * Owns libyaml. Invariant: a tree that it returns keeps the bounds of node.h, no map in it has a name twice, and no text in it
 * has a NUL byte. Knows no setting.
 */
#include "conf/yaml.h"

#include <string.h>
#include <yaml.h>

#include "base/mem.h"

#define BAD_TAG "a tag (!name) is not supported; remove it"

struct reader {
	yaml_parser_t parser;
	const struct str *text;
	const char *source;
	bool lines;
	unsigned count, line;
	const char *why;
};

static int refuse(struct reader *r, size_t line, const char *why)
{
	r->line = (unsigned)line + 1;
	r->why = why;
	return -1;
}

/* The line of a fault, from 0: of bytes that are no characters libyaml knows the place alone. */
static size_t fault_line(const struct reader *r)
{
	size_t line = 0;

	if (r->parser.error != YAML_READER_ERROR)
		return r->parser.problem_mark.line;
	for (size_t i = 0; i < r->parser.problem_offset && i < r->text->len; i++)
		line += r->text->buf[i] == '\n';
	return line;
}

static int next(struct reader *r, yaml_event_t *ev)
{
	if (yaml_parser_parse(&r->parser, ev))
		return 0;
	memset(ev, 0, sizeof(*ev));
	return refuse(r, fault_line(r), r->parser.problem ? r->parser.problem : "cannot be read");
}

/* Other tags change what a text means: !!binary is base64. */
static bool is_plain_tag(const char *tag)
{
	static const char *const types[] = { "str", "int", "bool", "float", "null", "map", "seq" };
	size_t len = strlen("tag:yaml.org,2002:");

	if (!tag || strcmp(tag, "!") == 0)
		return true;
	if (strncmp(tag, "tag:yaml.org,2002:", len) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(tag + len, types[i]) == 0)
			return true;
	return false;
}

static bool is_null(const yaml_event_t *ev)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	if (ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || !ev->data.scalar.plain_implicit)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp((const char *)ev->data.scalar.value, words[i]) == 0)
			return true;
	return false;
}

static int new_node(struct reader *r, const yaml_event_t *ev, struct node **out)
{
	size_t line = ev->start_mark.line;
	const char *tag = NULL, *text = NULL;
	enum node_kind kind = NODE_NULL;

	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		tag = (const char *)ev->data.scalar.tag;
		text = is_null(ev) ? NULL : (const char *)ev->data.scalar.value;
		kind = text ? NODE_TEXT : NODE_NULL;
		if (memchr(ev->data.scalar.value, '\0', ev->data.scalar.length))
			return refuse(r, line, "a NUL byte");
		break;
	case YAML_SEQUENCE_START_EVENT:
		tag = (const char *)ev->data.sequence_start.tag;
		kind = NODE_LIST;
		break;
	case YAML_MAPPING_START_EVENT:
		tag = (const char *)ev->data.mapping_start.tag;
		kind = NODE_MAP;
		break;
	case YAML_ALIAS_EVENT:
		return refuse(r, line, "an alias (*name) is not supported; write the value out");
	default:
		return refuse(r, line, "a value is missing");
	}
	if (!is_plain_tag(tag))
		return refuse(r, line, BAD_TAG);
	if (++r->count > NODE_COUNT_MAX)
		return refuse(r, line, "too many values");
	*out = node_new(kind, NULL, text);
	(*out)->source = r->source;
	(*out)->line = r->lines ? (unsigned)line + 1 : 0;
	return 0;
}

static int read_children(struct reader *r, struct node *parent, unsigned depth);

/* read_node - the value that begins with this event, and all below it */
static int read_node(struct reader *r, const yaml_event_t *ev, unsigned depth, struct node **out)
{
	cleanup_node struct node *n = NULL;

	if (new_node(r, ev, &n) < 0)
		return -1;
	if (n->kind == NODE_MAP || n->kind == NODE_LIST) {
		if (depth >= NODE_DEPTH_MAX)
			return refuse(r, ev->start_mark.line, "too many levels");
		if (read_children(r, n, depth + 1) < 0)
			return -1;
	}
	*out = STEAL(n);
	return 0;
}

/* read_name - the key of a map, which this event is */
static int read_name(struct reader *r, const yaml_event_t *ev, const struct node *map, char **name)
{
	const char *text = (const char *)ev->data.scalar.value;

	if (ev->type != YAML_SCALAR_EVENT || memchr(text, '\0', ev->data.scalar.length))
		return refuse(r, ev->start_mark.line, "the name of a setting must be a text");
	if (!is_plain_tag((const char *)ev->data.scalar.tag))
		return refuse(r, ev->start_mark.line, BAD_TAG);
	if (strcmp(text, "<<") == 0)
		return refuse(r, ev->start_mark.line, "a merge key (<<) is not supported; write the values out");
	for (const struct node *child = map->child; child; child = child->next)
		if (strcmp(child->name, text) == 0)
			return refuse(r, ev->start_mark.line, "a setting that is given twice");
	*name = xstrdup(text);
	return 0;
}

static int read_member(struct reader *r, const yaml_event_t *first, struct node *map, unsigned depth)
{
	cleanup_free char *name = NULL;
	struct node *child = NULL;
	yaml_event_t ev;
	int rc;

	if (read_name(r, first, map, &name) < 0 || next(r, &ev) < 0)
		return -1;
	rc = read_node(r, &ev, depth, &child);
	if (rc == 0) {
		child->name = STEAL(name);
		if (r->lines)           /* of the name: a value may begin in a later line */
			child->line = (unsigned)first->start_mark.line + 1;
		node_add(map, child);
	}
	yaml_event_delete(&ev);
	return rc;
}

static int read_children(struct reader *r, struct node *parent, unsigned depth)
{
	for (;;) {
		struct node *child = NULL;
		yaml_event_t ev;
		bool end;
		int rc = next(r, &ev);

		end = rc == 0 && (ev.type == YAML_MAPPING_END_EVENT || ev.type == YAML_SEQUENCE_END_EVENT);
		if (rc == 0 && !end && parent->kind == NODE_MAP)
			rc = read_member(r, &ev, parent, depth);
		else if (rc == 0 && !end && (rc = read_node(r, &ev, depth, &child)) == 0)
			node_add(parent, child);
		yaml_event_delete(&ev);
		if (rc < 0 || end)
			return rc;
	}
}

/* read_document - the events of a stream with at most one document */
static int read_document(struct reader *r, struct node **out)
{
	bool had = false;

	for (;;) {
		yaml_event_t ev;
		bool end;
		int rc = next(r, &ev);

		end = rc == 0 && ev.type == YAML_STREAM_END_EVENT;
		if (rc == 0 && ev.type == YAML_DOCUMENT_START_EVENT && had)
			rc = refuse(r, ev.start_mark.line, "a second document (---) would be ignored; remove it");
		else if (rc == 0 && ev.type == YAML_DOCUMENT_START_EVENT)
			had = true;
		else if (rc == 0 && ev.type != YAML_STREAM_START_EVENT && ev.type != YAML_DOCUMENT_END_EVENT && !end)
			rc = read_node(r, &ev, 0, out);
		yaml_event_delete(&ev);
		if (rc < 0 || end)
			return rc;
	}
}

int yaml_read(const struct str *text, const char *source, bool lines, struct node **out, unsigned *line, const char **why)
{
	struct reader r = { .text = text, .source = source, .lines = lines };
	int rc;

	*out = NULL;
	*line = 0;
	*why = NULL;
	if (!yaml_parser_initialize(&r.parser))
		abort();        /* out of memory, as everywhere */
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text->buf, text->len);
	rc = read_document(&r, out);
	yaml_parser_delete(&r.parser);
	if (rc < 0) {
		node_release(out);
		*line = r.line;
		*why = r.why;
	}
	return rc;
}
