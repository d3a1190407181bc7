/* SPDX-License-Identifier: Apache-2.0 */
#include "tap.h"

#include "base/mem.h"
#include "base/network.h"

int main(void)
{
	static const char *const good[] = { "", "10.0.0.0/8", "127.0.0.1", "::1", "2001:db8::/32,10.1.2.3,0.0.0.0/0", "::/128" };
	static const char *const bad[] = { ",", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "a", "10.0.0.1,", ",10.0.0.1", "10.0.0.1 ",
					   "10.0.0.0/8/8", "10.0.0.0/-1", "10.0.0.0/18446744073709551616",
					   "10.0.0.1xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" };
	static const struct {
		const char *list, *address;
		bool has;
	} cases[] = {
		{ "", "127.0.0.1", false },
		{ "127.0.0.1", "127.0.0.1", true },
		{ "127.0.0.1", "127.0.0.2", false },
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "10.8.0.0/13", "10.15.255.255", true },
		{ "10.8.0.0/13", "10.16.0.0", false },
		{ "0.0.0.0/0", "192.0.2.1", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "127.0.0.1", false },
		{ "10.0.0.1,2001:db8::/33", "2001:db8:7fff::1", true },
		{ "10.0.0.1,2001:db8::/33", "2001:db8:8000::1", false },
		{ "0.0.0.0/0", "", false },
		{ "0.0.0.0/0", "unix:", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ok(network_list_ok(good[i]), "\"%s\" is a list of networks", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ok(!network_list_ok(bad[i]), "\"%.40s\" is none", bad[i]);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ok(network_list_has(cases[i].list, cases[i].address) == cases[i].has, "\"%s\" %s \"%s\"", cases[i].list,
		   cases[i].has ? "has" : "has not", cases[i].address);
	return done_testing();
}
