/* SPDX-License-Identifier: Apache-2.0 */
/* conf/upstream: which repository is the mirror of what, and which name space a request is for. */

#include "conf/upstream.h"

#include <string.h>

#include "base/mem.h"
#include "conf/config.h"
#include "tap.h"

static char hub_name[] = "docker.io", quay_name[] = "quay.io", ours_name[] = "quay.io/ours", no_name[] = "";
static char hub_host[] = "hub-mirror.example", six_host[] = "[::1]", own_host[] = "registry.example", library[] = "library/**", one[] = "one";
static char *hub_hosts[] = { hub_host, six_host }, *hub_allow[] = { library, one }, *own_hosts[] = { own_host };

static struct config_upstream three[] = {
	{ .name = hub_name, .hosts = { hub_hosts, 2, 2 }, .allow = { hub_allow, 2, 2 } }, { .name = quay_name }, { .name = ours_name },
};
static const struct config three_of_them = { .upstreams = three, .nupstreams = 3, .own = { own_hosts, 1, 1 } };
static const struct config none = { .own = { own_hosts, 1, 1 } };

/* Whether the repository mirrors this upstream, by this name there. */
static bool mirrors(const struct config *c, const char *text, const struct config_upstream *u, const char *there)
{
	struct name n;
	const char *rest;

	if (name_parse(&n, text, strlen(text)) < 0)
		return false;
	return upstream_of(c, &n, &rest) == u && strcmp(rest, there) == 0 && upstream_of(c, &n, NULL) == u;
}

static void test_names(void)
{
	static struct config_upstream all[] = { { .name = no_name, .whole = true } };
	static const struct config whole = { .upstreams = all, .nupstreams = 1 };

	ok(mirrors(&three_of_them, "docker.io/library/alpine", &three[0], "library/alpine"), "a repository below an upstream's name is its mirror");
	ok(mirrors(&three_of_them, "quay.io/a", &three[1], "a") && mirrors(&three_of_them, "quay.io/ours/a", &three[2], "a"), "the longest name counts");
	ok(mirrors(&three_of_them, "quay.io/oursa", &three[1], "oursa"), "by whole components");
	ok(mirrors(&three_of_them, "docker.io", &three[0], ""), "the name alone is nobody's repository");
	ok(mirrors(&three_of_them, "docker.iox/a", NULL, "docker.iox/a") && mirrors(&three_of_them, "team/docker.io/a", NULL, "team/docker.io/a"),
	   "what only looks like it is one's own");
	ok(mirrors(&none, "docker.io/library/alpine", NULL, "docker.io/library/alpine"), "without upstreams all are");
	ok(mirrors(&whole, "library/alpine", &all[0], "library/alpine"), "of a registry that is a mirror as a whole none is");
}

static void test_allow(void)
{
	ok(upstream_allows(&three[0], "library/alpine") && upstream_allows(&three[0], "one"), "what a pattern matches is allowed");
	ok(!upstream_allows(&three[0], "library") && !upstream_allows(&three[0], "other/one"), "nothing else is");
	ok(upstream_allows(&three[1], "any/thing"), "without patterns everything is");
	ok(!upstream_allows(&three[1], ""), "but for the upstream's name alone");
}

static const struct config_upstream no_upstream;
static const struct config_upstream *const nowhere = &no_upstream;

static const struct config_upstream *space(const struct config *c, const char *host, const char *ns)
{
	const struct config_upstream *u;

	return upstream_space(c, host, ns, &u) < 0 ? (u ? NULL : nowhere) : u;
}

static void test_space(void)
{
	const struct config *c = &three_of_them;

	ok(!space(c, NULL, NULL) && !space(c, "registry.example:5000", NULL) && !space(c, "any.example", ""), "without a parameter, names are as they are in the path");
	ok(space(c, "any.example", "docker.io") == &three[0] && space(c, NULL, "Quay.io") == &three[1], "an upstream's name is that of its name space");
	ok(space(c, "hub-mirror.example", NULL) == &three[0] && space(c, "Hub-Mirror.Example:5000", NULL) == &three[0], "so is a host of its own, whatever its port");
	ok(space(c, "[::1]", NULL) == &three[0] && space(c, "[::1]:5000", NULL) == &three[0], "or an address");
	ok(space(c, "hub-mirror.example", "docker.io") == &three[0] && space(c, "hub-mirror.example:5000", "hub-mirror.example:5000") == &three[0], "and both together");
	ok(space(c, "hub-mirror.example", "quay.io") == nowhere && space(c, "hub-mirror.example", "registry.example") == nowhere, "unless they contradict each other");
	ok(!space(c, "any.example", "registry.example") && !space(c, "any.example", "registry.example:5000"), "a name of one's own is for one's own repositories");
	ok(!space(c, "any.example:5000", "any.example:5000") && !space(c, "any.example:5000", "any.example"), "as is the Host");
	ok(space(c, "any.example", "ghcr.io") == nowhere && space(c, NULL, "ghcr.io") == nowhere && space(c, "any.example", "docker.io/x") == nowhere, "any other does not exist");
	ok(!space(&none, "any.example", "ghcr.io"), "without upstreams the parameter is ignored");
}

int main(void)
{
	test_names();
	test_allow();
	test_space();
	return done_testing();
}
