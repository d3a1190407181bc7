/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_ENDPOINT_H
#define BERTH_CONF_ENDPOINT_H

/* endpoint: the receivers of events, "notifications" of the configuration (doc/berth.conf.example has each member in words). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/event.h"
#include "base/str.h"
#include "os/dir.h"

#define ENDPOINTS_MAX 64                /* in a configuration */
#define ENDPOINT_NAME_MAX 64            /* bytes */
#define ENDPOINT_URL_MAX 2048
#define ENDPOINT_HEADERS_MAX 32         /* of an endpoint */
#define ENDPOINT_VALUE_MAX 4096         /* bytes of the value of a header, in the configuration or in its file */

enum endpoint_format { ENDPOINT_REGISTRY, ENDPOINT_CLOUDEVENTS, ENDPOINT_FORMATS };

struct endpoint_header {        /* one of "headers" */
	char *name;
	char *value;            /* NULL: it is in `file` */
	char *file;             /* an absolute path; read for each request, without the newline at its end; NULL: the value is here */
};

struct config_endpoint {        /* one of "notifications" */
	char *name;             /* endpoint_name_ok(); unique: it is also the name of a file */
	char *url;              /* http or https */
	struct endpoint_header *headers;
	size_t nheaders;
	enum endpoint_format format;
	unsigned actions;       /* bits 1 << enum event_action; never that of EVENT_LOST, which concerns every endpoint */
	struct names repos;     /* valid patterns; none: all */
	struct names media_types;       /* only events of these, and those that have none; none: all */
	struct names ignored_media_types;       /* not events of these: registry:2's "ignore" */
	char *secret_file;      /* the key of the signature, an absolute path; "": none */
	char *ca;               /* certificates that sign the receiver's, an absolute path; "": the system's */
	struct names hosts;     /* beside its own, where redirects may lead */
	uint64_t timeout;       /* seconds for one delivery; "5s" */
	uint64_t backoff;       /* seconds before the second try; doubled for each further one; "1s" */
	uint64_t backoff_max;   /* at least backoff; "10m" */
	uint64_t give_up;       /* seconds after which an event goes to the dead letters; "7d" */
	char *where;            /* "FILE:LINE", or the variable */
};

/* endpoint_init - the defaults, and no name and URL; endpoint_release - of its members */
void endpoint_init(struct config_endpoint *ep, const char *where);
void endpoint_release(struct config_endpoint *ep);

/*
 * endpoint_concerns - whether an event is for this endpoint, whatever the mark of its line
 * A blob has the media type application/octet-stream, as for registry:2; what is removed has none.
 */
bool endpoint_concerns(const struct config_endpoint *ep, const struct event_line *ev);

/* endpoint_show_url - add its URL with *** in place of a password; one that hides in the path or the query is shown */
void endpoint_show_url(const struct config_endpoint *ep, struct str *out);

/* The words of "format". */
extern const char *const endpoint_formats[ENDPOINT_FORMATS];

/*
 * The words of "actions". "push" includes moves of tags, "delete" the removal of tags and of whole repositories, "all" is every
 * action.
 * endpoint_action_add   - add what a word means: 0, or -1 if it is none
 * endpoint_actions_list - add the words that mean these actions, each between quotes, separated by ", "
 */
int endpoint_action_add(const char *word, unsigned *actions);
void endpoint_actions_list(unsigned actions, struct str *out);

/*
 * endpoint_name_ok   - letters, digits, '.', '_' and '-', a letter or digit first; not the name of another file beside it
 * endpoint_url_ok    - http or https, of ASCII without blanks and quotes, without fragment
 * endpoint_header_ok - a name that a header may have (RFC 9110, 5.6.2)
 * endpoint_header_own - and that berth, or the HTTP library, sets itself
 * endpoint_value_ok  - a value that a header may have, in UTF-8 or any other encoding
 */
bool endpoint_name_ok(const char *s);
bool endpoint_url_ok(const char *s);
bool endpoint_header_ok(const char *s);
bool endpoint_header_own(const char *s);
bool endpoint_value_ok(const char *s);

#endif
