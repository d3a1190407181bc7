/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay_ask: questions by src/relay/workers, all at once.
 *
 * relay_ask SOCKET ID...       prints "ID done", "ID undone" or "ID later" for each
 */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/process.h"
#include "relay/workers.h"

static bool inside;
static int left;
static struct event_base *base;

static void answered(void *arg, enum settled how)
{
	static const char *const words[] = { [SETTLED_DONE] = "done", [SETTLED_UNDONE] = "undone", [SETTLED_LATER] = "later" };

	if (inside)
		abort();
	printf("%s %s\n", (const char *)arg, words[how]);
	if (--left == 0)
		event_base_loopbreak(base);
}

int main(int argc, char **argv)
{
	struct workers *w;
	struct position at;

	if (argc < 3)
		return 2;
	os_signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	w = workers_open(base, argv[1]);
	left = argc - 2;
	for (int i = 2; i < argc; i++) {
		if (position_parse(&at, argv[i], strlen(argv[i])) < 0)
			return 2;
		inside = true;
		workers_settle(w, &at, answered, argv[i]);
		inside = false;
	}
	event_base_dispatch(base);
	workers_close(&w);
	event_base_free(base);
	libevent_global_shutdown();
	return left ? 1 : 0;
}
