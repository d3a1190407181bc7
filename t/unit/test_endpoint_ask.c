/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint, its files: what `berth hooks` asks for is done and answered; a state that is none, or a key that is missing, loses no event. */

#include "endpoint_world.h"

static void spoil(const char *text)
{
	unlinkat(root, READERS_DIR "/one", 0);
	if (os_write_file(root, READERS_DIR "/one", text, strlen(text), false) < 0)
		abort();
}

static void test_spoilt(void)
{
	static const char *const texts[] = { "", "{", "{\"next\":\"nonsense\"}", "[1]" };
	struct position at[2];

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		clear();
		begin_segment(false);
		at[0] = put('+', "a", "");
		at[1] = put('+', "b", "");
		spoil(texts[i]);
		start();
		ok(arrive(2) && is_accepted(0, &at[0]) && is_accepted(1, &at[1]), "a state that is none delivers all that the journal has: %s", texts[i]);
	}
}

static void ask(const char *text)
{
	unlinkat(root, READERS_DIR "/one.ask", 0);
	if (os_write_file(root, READERS_DIR "/one.ask", text, strlen(text), false) < 0)
		abort();
	endpoint_look(ep);
}

static struct hook_state asked(const char *id)
{
	struct hook_state st;

	for (int i = 0; i < TURNS; i++) {
		if (readers_load(root, cf.name, &st) == 1 && strcmp(st.asked, id) == 0)
			break;
		turn();
	}
	return st;
}

static void test_asks(void)
{
	cleanup_str struct str text = STR_INIT;
	struct position at[3];
	struct hook_state st;
	char id[POSITION_LEN + 1];
	struct stat sb;

	clear();
	begin_segment(false);
	start();
	for (int i = 0; i < 3; i++)
		at[i] = put('+', "a", "");
	ok(arrive(3), "three events");
	(void)state();
	id_of(&at[0], id);
	str_addf(&text, "{\"id\":\"r1\",\"what\":\"replay\",\"from\":\"%s\"}", id);
	ask(text.buf);
	ok(arrive(5) && is_accepted(3, &at[1]) && is_accepted(4, &at[2]), "a replay delivers again what follows");
	st = asked("r1");
	ok(strcmp(st.outcome, HOOK_DONE) == 0 && st.said[0] && fstatat(root, READERS_DIR "/one.ask", &sb, 0) < 0, "says so, and its request is gone: %s", st.said);
	str_reset(&text);
	str_addf(&text, "{\"id\":\"r2\",\"what\":\"replay\",\"from\":\"ffffffffffffff-00000000\"}");
	ask(text.buf);
	st = asked("r2");
	ok(strcmp(st.outcome, HOOK_FAILED) == 0 && strstr(st.said, "yet to be delivered"), "there is no replay of what is yet to come");
	decide = failing;
	put('+', "a", "");
	put('+', "a", "");
	endpoint_wake(ep);
	for (int i = 0; i < TURNS && requests < 3; i++)
		turn();
	ask("{\"id\":\"t1\",\"what\":\"test\"}");
	st = asked("t1");
	ok(strcmp(st.outcome, HOOK_FAILED) == 0 && strncmp(st.said, "HTTP 500 after ", 15) == 0, "a test says what the receiver answers");
	ask("{\"id\":\"d1\",\"what\":\"drop\"}");
	ok(strstr(asked("d1").said, "dropped"), "a drop says so");
	decide = always;
	at[0] = put('+', "b", "");
	ok(arrive(6) && is_accepted(5, &at[0]), "and what waited is not delivered any more");
	naccepted = 0;
	ask("{\"id\":\"t2\",\"what\":\"test\"}");
	st = asked("t2");
	ok(strcmp(st.outcome, HOOK_DONE) == 0 && strncmp(st.said, "HTTP 200 after ", 15) == 0 && strstr(last_body.buf, "\"id\":\"test-t2\"") && strstr(last_body.buf, "\"action\":\"test\""),
	   "a test has its own id");
	ask("{\"id\":\"o1\",\"what\":\"dance\"}");
	ok(strstr(asked("o1").said, "does not know"), "what is not known is said to be");
	ask("nonsense");
	ok(strcmp(asked("o1").asked, "o1") == 0, "what is no request is left alone");
}

static void test_fails(void)
{
	static char no_key[] = "/nonexistent/key";
	struct hook_state st;
	struct position at;

	clear();
	begin_segment(false);
	cf.secret_file = no_key;
	start();
	at = put('+', "a", "");
	do {
		endpoint_wake(ep);
		turn();
		memset(&st, 0, sizeof(st));
		readers_load(root, cf.name, &st);
	} while (!st.failed);
	ok(requests == 0 && strstr(st.why, "/nonexistent/key") && st.next_try && st.in_row, "without its key nothing is sent, and the state says why");
	cf.secret_file = NULL;
	ok(arrive(1) && is_accepted(0, &at), "it is tried again");
}

int main(void)
{
	char dir[] = "/tmp/berth-unit.XXXXXX";

	world_begin(dir);
	test_spoilt();
	test_asks();
	test_fails();
	return world_end(dir);
}
