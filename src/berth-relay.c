/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth-relay: delivers events to other hosts, and fetches from other registries.
 *
 * Reads the command line and the configuration, and hands over to the loop.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/config.h"
#include "os/options.h"
#include "os/process.h"
#include "relay/relay.h"

#define EXIT_DONE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2

#define WORKERS_DEFAULT "/run/berth/relay.sock"
#define LISTEN_DEFAULT "/run/berth/mirror.sock"

static const char help_text[] =
	"usage: berth-relay [OPTIONS]\n"
	"\n"
	"  --workers SOCKET  where the workers answer the relay, berth-fcgi's --listen-relay (default: " WORKERS_DEFAULT ")\n"
	"  --listen SOCKET   where nginx asks for what upstreams have (default: " LISTEN_DEFAULT ")\n"
	"  --config FILE     the configuration (default: " CONFIG_DEFAULT_FILE " where it exists)\n"
	"  --root DIR        the store, whatever the configuration says\n"
	"  --check           only say what is wrong with the configuration, and which file of an endpoint cannot be read\n"
	"  --help            this text\n"
	"  --version         the version\n"
	"\n"
	"SIGTERM: end at once. What is under way is delivered again. SIGHUP: read the configuration again.\n"
	"Exit status: 0 stopped, or nothing is wrong, 1 failed, 2 used wrongly or configured wrongly.\n";

static int check(struct config *cfg)
{
	cleanup_str struct str faults = STR_INIT;
	int rc = config_check_files(cfg, &faults);

	config_close(&cfg);
	if (rc == 0)
		return EXIT_DONE;
	puts(faults.buf);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct relay_options o = { .workers = WORKERS_DEFAULT, .listen = LISTEN_DEFAULT };
	bool only_check = false;
	const struct options_row rows[] = {
		{ "workers", &o.workers, NULL }, { "listen", &o.listen, NULL },     { "config", &o.config_file, NULL },
		{ "root", &o.root, NULL },       { "check", NULL, &only_check },
	};
	cleanup_str struct str why = STR_INIT;
	struct config *cfg;
	int rc;

	relay_hold_signals();
	os_write_alone();
	os_keep_secrets();
	rc = options_parse("berth-relay", help_text, rows, ARRAY_LEN(rows), argc, argv);
	if (rc >= 0)
		return rc;
	cfg = relay_config(&o, &why);
	if (!cfg) {
		fprintf(only_check ? stdout : stderr, "%s\n", why.buf);
		return EXIT_USAGE;
	}
	if (only_check)
		return check(cfg);
	if (relay_run(&o, cfg, &why) == 0)
		return EXIT_DONE;
	log_say(LOG_ERROR, "relay", "%s", why.buf);
	return EXIT_FAILED;
}
