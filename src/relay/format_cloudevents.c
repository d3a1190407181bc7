/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format_cloudevents: events as CloudEvents 1.0 in JSON, one alone in the structured mode, several in the batched mode of its HTTP binding.
 *
 * Owns no state. Invariant: source and id together are unique, and the same for each try.
 */
#include "relay/format.h"

/* The URL by which the client has reached the registry. A command has none: then it is the machine, as a reference without a scheme. */
static void put_source(struct str *out, const struct format_source *src, const struct event_line *ev)
{
	struct json_view base = json_view_get(ev->json, "base");

	str_puts(out, ",\"source\":");
	if (base.kind == JSON_STRING && base.len > 2)
		str_add(out, base.s, base.len);
	else
		str_addf(out, "\"//%s\"", src->host);
}

static void add(struct str *out, const struct format_source *src, const struct format_event *fe)
{
	const struct event_line *ev = fe->ev;
	struct json_view when = json_view_get(ev->json, "time");

	str_addf(out, "{\"specversion\":\"1.0\",\"id\":\"%s\"", fe->id);
	put_source(out, src, ev);
	str_addf(out, ",\"type\":\"registry.berth.%s\"", fe->action ? fe->action : event_action_name(ev->action));
	if (ev->repository.len)
		str_addf(out, ",\"subject\":\"%s%s%s\"", ev->repository.s, ev->tag.len ? ":" : "", ev->tag.s);
	if (when.kind == JSON_STRING) {
		str_puts(out, ",\"time\":");
		str_add(out, when.s, when.len);
	}
	str_puts(out, ",\"datacontenttype\":\"application/json\",\"data\":");
	format_data(out, fe);
	str_addc(out, '}');
}

const struct format format_cloudevents = {
	.type_one = "application/cloudevents+json", .type_many = "application/cloudevents-batch+json",
	.before_one = "", .after_one = "", .before_many = "[", .after_many = "]",
	.add = add,
};
