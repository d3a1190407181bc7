/* SPDX-License-Identifier: Apache-2.0 */
/* relay/link: queries of lists, and links to their next pages. */

#include "relay/link.h"

#include <string.h>

#include "tap.h"

#define PATH "/v2/up/app/tags/list"

/* Whether of this client's query so much goes upstream. */
static bool goes(const char *query, const char *up)
{
	struct link_own own = LINK_OWN_INIT;
	bool same;

	link_own_set(&own, PATH, query);
	same = strcmp(own.query.buf, up) == 0;
	link_own_release(&own);
	return same;
}

/* Whether upstream's link becomes this header; "": none. */
static bool leads(const char *path, const char *query, const char *theirs, const char *header)
{
	struct link_own own = LINK_OWN_INIT;
	struct str out = STR_INIT;
	bool same;

	link_own_set(&own, path, query);
	link_add(&own, theirs, &out);
	same = strcmp(out.buf, header) == 0;
	str_release(&out);
	link_own_release(&own);
	return same;
}

#define TO(query) "Link: <" PATH "?" query ">; rel=\"next\"\r\n"

static void test_queries(void)
{
	ok(goes("", "") && goes("&&", "") && goes("a", "") && goes("=x", ""), "what is no parameter is left out");
	ok(goes("n=3&last=a", "n=3&last=a") && goes("last=a%2fb", "last=a%2Fb") && goes("x=%41+", "x=A%2B"), "others are encoded anew");
	ok(goes("n=x", "") && goes("n=-1", "") && goes("n=99999999999999999999", "") && goes("nn=x", "nn=x"), "n has to be a number");
	ok(goes("ns=docker.io&n=1", "n=1") && goes("n=1&ns=", "n=1"), "ns is ours");
	ok(goes("last=%0a", "") && goes("last=%00", "") && goes("last=%7f", "") && goes("last=%zz", "") && goes("last=%", ""), "control bytes, and what is malformed, do not go");
	ok(goes("a b=1", "") && goes("a%20=1", "") && goes("\xc3\xa4=1", "") && goes("abcdefghijklmnopqrstuvwxyzabcdefg=1", ""), "nor do strange names");
}

static void test_links(void)
{
	char longest[5000];

	ok(leads(PATH, "n=2", "<http://evil.example/v2/app/tags/list?n=2&last=b>; rel=\"next\"", TO("n=2&last=b")), "no host of upstream's");
	ok(leads(PATH, "n=2", "<?last=b>;rel=next", TO("last=b")) && leads(PATH, "", "<x?last=b#y?z=1>; rel=\"next\"", TO("last=b")), "whatever its form");
	ok(leads(PATH, "ns=docker.io&n=1", "</x?n=1&last=b>; rel=\"next\"", TO("ns=docker.io&n=1&last=b")), "with the client's ns");
	ok(leads(PATH, "ns=a%22%3e", "</x?ns=evil&last=b>; rel=\"next\"", TO("ns=a%22%3E&last=b")), "and no other");
	ok(leads(PATH, "n=1", "</x?n=1>; rel=\"next\"", "") && leads(PATH, "", "</x>; rel=\"next\"", "") && leads(PATH, "", "</x?>; rel=\"next\"", ""), "none leads to the same page");
	ok(leads(PATH, "", NULL, "") && leads(PATH, "", "", "") && leads(PATH, "", "<x?last=a", "") && leads(PATH, "", "</x?last=a>; rel=\"prev\"", ""), "what is no link to a next page is none");
	ok(leads("/v2/a\r\nX: y", "", "</x?last=a>; rel=\"next\"", "") && leads("/v2/a>", "", "</x?last=a>; rel=\"next\"", ""), "a path that cannot be in a header leads nowhere");
	ok(leads(PATH, "", "</x?last=a%0d%0aX:y>; rel=\"next\"", ""), "nor does a line break");
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "<?a=1&last=", 11);
	strcpy(longest + sizeof(longest) - 14, ">; rel=\"next\"");
	ok(leads(PATH, "", longest, TO("a=1")), "what is too long is left out");
}

int main(void)
{
	test_queries();
	test_links();
	return done_testing();
}
