/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint: a journal, a receiver and workers of the test's own. Every event that took place arrives, in its order, whatever the receiver answers and
 * whenever the relay ends; nothing that did not take place does; and the state on disk is never ahead.
 */

#include "endpoint_world.h"

static int at_random(const char *body, size_t n)
{
	static const int said[] = { 200, 200, 0, 500, 503, 404, 429 };
	unsigned char byte;

	(void)body;
	(void)n;
	os_random(&byte, 1);
	return said[byte % (sizeof(said) / sizeof(*said))];
}

static void test_new(void)
{
	struct position two[2];
	struct hook_state st;

	clear();
	begin_segment(false);
	put('+', "before", "");
	put('+', "before", "");
	start();
	two[0] = put('+', "a", "");
	put('-', "undone", "");
	two[1] = put('+', "b", "");
	ok(arrive(2) && is_accepted(0, &two[0]) && is_accepted(1, &two[1]), "a new endpoint gets what comes from now on, and what was undone is passed by");
	st = state();
	ok(st.delivered == 2 && st.failed == 0 && strcmp(st.next, accepted[1]) == 0 && st.delivered_at && st.status == 200, "its state says so");
	stop();
	two[0] = put('+', "c", "");
	start();
	ok(arrive(3) && is_accepted(2, &two[0]), "what comes while no relay runs is delivered by the next one");
	stop();
	start();
	two[0] = put('+', "d", "");
	ok(arrive(4) && is_accepted(3, &two[0]), "and not twice");
	ok(!ahead, "the state on disk has never been ahead");
}

static void test_empty(void)
{
	struct position at;

	clear();
	start();
	begin_segment(false);
	at = put('+', "a", "");
	ok(arrive(1) && is_accepted(0, &at), "the first line of a journal is not missed");
}

static void test_random(void)
{
	enum { COUNT = 1500 };
	static struct position at[COUNT];
	size_t next = 0, wrong = 0;
	char text[600];

	clear();
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	decide = at_random;
	begin_segment(false);
	start();
	for (size_t i = 0; i < COUNT; i++) {
		cleanup_str struct str more = STR_INIT;

		str_addf(&more, ",\"agent\":\"%s\"", text);
		at[i] = put('+', "a", more.buf);
		if (i % 100 == 0) {
			endpoint_wake(ep);
			turn();
		}
		if (i % 250 == 249) {
			stop();
			start();
		}
	}
	for (int i = 0; i < TURNS && (!naccepted || !is_accepted(naccepted - 1, &at[COUNT - 1])); i++)
		turn();
	/* What is accepted again is older than what was accepted last; a new one is the next in order. */
	for (size_t i = 0; i < naccepted; i++) {
		char id[POSITION_LEN + 1];

		id_of(&at[next < COUNT ? next : COUNT - 1], id);
		if (next < COUNT && strcmp(accepted[i], id) == 0)
			next++;
		else
			wrong += strcmp(accepted[i], id) > 0;
	}
	ok(next == COUNT && wrong == 0, "of a receiver that fails at random, with relays that end meanwhile, %zu of %d events were accepted in their order", next, COUNT);
	ok(most == 100, "up to %zu in a request", most);
	ok(!ahead, "and the state on disk has never been ahead");
	decide = always;
}

static int patience;

static enum settled later_then_done(const struct position *at)
{
	(void)at;
	return patience-- > 0 ? SETTLED_LATER : SETTLED_DONE;
}

static enum settled undone(const struct position *at)
{
	(void)at;
	return SETTLED_UNDONE;
}

static void test_doubt(void)
{
	struct position at[4];

	clear();
	begin_segment(false);
	start();
	at[0] = put('+', "a", "");
	at[1] = put('?', "b", "");
	at[2] = put('+', "b", "");
	settle = later_then_done;
	patience = 2;
	ok(arrive(3) && is_accepted(0, &at[0]) && is_accepted(1, &at[1]) && is_accepted(2, &at[2]), "what follows a line without a mark waits for it");
	is_int(questions, 3, "of which the workers are asked until they know");
	settle = undone;
	at[0] = put('?', "b", "");
	at[1] = put('+', "b", "");
	ok(arrive(4) && is_accepted(3, &at[1]), "what did not take place is not delivered");
	questions = 0;
	settle = never_asked;
	at[0] = put('?', "b", "");
	endpoint_wake(ep);
	segments_mark(&writer, &at[0], '+');
	ok(arrive(5) && is_accepted(4, &at[0]) && !questions, "a mark that comes soon is seen, and nobody is asked");
	names_add(&cf.repos, "mine", 4);
	at[0] = put('?', "theirs", "");
	at[1] = put('+', "mine", "");
	ok(arrive(6) && is_accepted(5, &at[1]) && !questions, "a line that is of no concern holds up nothing");
	at[0] = put('?', "mine", "");
	settle = later_then_done;
	patience = 1000;
	for (int i = 0; i < TURNS && !questions; i++) {
		endpoint_wake(ep);
		turn();
	}
	stop();
	turn();
	ok(questions >= 1, "an endpoint may end while a question is under way");
	names_release(&cf.repos);
}

static int refuse_bad(const char *body, size_t n)
{
	(void)n;
	return strstr(body, "\"repository\":\"bad\"") ? 422 : 200;
}

static void test_refused(void)
{
	cleanup_str struct str dead = STR_INIT;
	cleanup_fd int fd = -1;
	struct position at[8];
	struct hook_state st;
	size_t good = 0;

	clear();
	begin_segment(false);
	start();
	decide = refuse_bad;
	for (int i = 0; i < 8; i++)
		at[i] = put('+', i == 3 || i == 4 ? "bad" : "good", "");
	ok(arrive(6), "an event that is refused does not keep others");
	for (int i = 0; i < 8; i++)
		good += i != 3 && i != 4 && is_accepted(good, &at[i]);
	is_int(good, 6, "which arrive in their order");
	st = state();
	ok(st.dead == 2 && st.delivered == 6 && st.in_row == 0, "and is counted");
	fd = os_open(root, READERS_DIR "/one.dead", O_RDONLY, 0);
	ok(fd >= 0 && os_read_str(fd, 100000, &dead) == 0 && strstr(dead.buf, "\"status\":422") && strstr(dead.buf, "the receiver's words") &&
		   strstr(dead.buf, "\"event\":{\"id\":\""), "it is kept, with the answer");
	decide = always;
}

static void test_give_up(void)
{
	struct hook_state st;

	clear();
	cf.give_up = 60;
	begin_segment(false);
	start();
	decide = failing;
	for (int i = 0; i < 3; i++)
		put('+', "old", "");
	do {
		endpoint_wake(ep);
		turn();
		memset(&st, 0, sizeof(st));
		readers_load(root, cf.name, &st);
	} while (st.dead < 3);
	ok(st.dead == 3 && st.failed == 1, "what is older than give_up is given up after a try that failed");
	decide = always;
}

static void test_lost(void)
{
	struct position first, last;
	cleanup_str struct str want = STR_INIT;

	clear();
	begin_segment(false);
	start();
	first = put('+', "a", "");
	ok(arrive(1), "an event is delivered");
	(void)state();
	stop();
	put('+', "gone", "");
	begin_segment(false);
	last = put('+', "b", "");
	ok(segments_cut(root, READERS_JOURNAL, 0, 0, 1) >= 1, "then events are cut off");
	start();
	ok(arrive(3) && is_accepted(2, &last), "the next ones arrive");
	str_puts(&want, "lost-");
	str_room(&want, POSITION_LEN + 1);
	id_of(&first, want.buf + 5);
	is_str(accepted[1], want.buf, "and before them, that some are lost");
}

static void test_quiet(void)
{
	struct position at;

	clear();
	begin_segment(false);
	start();
	put('+', "a", "");
	ok(arrive(1), "an event is delivered");
	begin_segment(false);
	endpoint_wake(ep);
	(void)state();
	for (int i = 0; i < 10; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	stop();
	ok(segments_cut(root, READERS_JOURNAL, 0, 0, 1) >= 1, "its segment is cut off, and nothing of it was missed");
	at = put('+', "b", "");
	start();
	ok(arrive(2) && is_accepted(1, &at), "then nothing is said to be lost");
}

int main(void)
{
	char dir[] = "/tmp/berth-unit.XXXXXX";

	world_begin(dir);
	test_new();
	test_empty();
	test_random();
	test_doubt();
	test_refused();
	test_give_up();
	test_lost();
	test_quiet();
	return world_end(dir);
}
