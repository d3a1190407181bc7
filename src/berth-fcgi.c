/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth-fcgi: the registry's workers and their master.
 *
 * Reads the command line, makes ready the store and the sockets, and hands over to the supervisor.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/config.h"
#include "http/route.h"
#include "master/openmark.h"
#include "master/supervisor.h"
#include "os/options.h"
#include "os/process.h"
#include "os/sock.h"
#include "store/layout.h"
#include "store/probe.h"
#include "store/store.h"

#define EXIT_DONE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2

static const char help_text[] =
	"usage: berth-fcgi [OPTIONS]\n"
	"\n"
	"  --listen WHERE          where nginx reaches the workers: the path of a Unix socket, or HOST:PORT;\n"
	"                          without it descriptor 0 must be a listening socket (spawn-fcgi), or systemd hands\n"
	"                          over up to four: the second as for --listen-uploads, the third for --listen-writes,\n"
	"                          the fourth for --listen-relay\n"
	"  --listen-writes WHERE   a socket with workers of its own, for requests that may wait for locks and\n"
	"                          flushes\n"
	"  --listen-uploads WHERE  a socket with workers of its own, for requests that carry blobs\n"
	"  --listen-relay PATH     a Unix socket with workers of its own, for berth-relay alone (default: relay.sock beside\n"
	"                          the socket of --listen, if the configuration has endpoints)\n"
	"  --no-relay              never start berth-relay: it has a unit or container of its own\n"
	"  --config FILE           the configuration (default: " CONFIG_DEFAULT_FILE " where it exists)\n"
	"  --root DIR              the store, whatever the configuration says\n"
	"  --workers N             how many workers, whatever the configuration says\n"
	"  --routes                print every path and method, the right that it needs, and its pool of workers\n"
	"  --help                  this text\n"
	"  --version               the version\n"
	"\n"
	"SIGTERM: finish what is under way, then end. SIGHUP: read the configuration again. SIGUSR1: collect garbage.\n"
	"Exit status: 0 stopped, 1 failed, 2 used wrongly or configured wrongly.\n";

struct args {
	struct supervisor_options o;
	const char *listen, *listen_writes, *listen_uploads, *listen_relay;
};

static void list_routes(void)
{
	cleanup_str struct str out = STR_INIT;

	route_list(&out);
	fputs(out.buf, stdout);
}

static int parse_workers(const char *text, unsigned *out)
{
	uint64_t n;

	if (str_parse_u64(text, strlen(text), &n) < 0 || n < 1 || n > 1024) {
		fprintf(stderr, "berth-fcgi: --workers takes a number from 1 to 1024, not \"%s\"\n", text);
		return -1;
	}
	*out = (unsigned)n;
	return 0;
}

/* -1 to go on, else the exit status. */
static int parse_args(struct args *a, int argc, char **argv)
{
	const char *workers = NULL;
	bool routes = false;
	const struct options_row rows[] = {
		{ "listen", &a->listen, NULL }, { "listen-writes", &a->listen_writes, NULL }, { "listen-uploads", &a->listen_uploads, NULL },
		{ "listen-relay", &a->listen_relay, NULL }, { "no-relay", NULL, &a->o.no_relay }, { "config", &a->o.config_file, NULL },
		{ "root", &a->o.root, NULL }, { "workers", &workers, NULL }, { "routes", NULL, &routes },
	};
	int rc = options_parse("berth-fcgi", help_text, rows, ARRAY_LEN(rows), argc, argv);

	if (rc >= 0)
		return rc;
	if (workers && parse_workers(workers, &a->o.workers) < 0)
		return EXIT_USAGE;
	if (!routes)
		return -1;
	list_routes();
	return EXIT_DONE;
}

/* An optional socket: the one that the command line names, or else the inherited one, if there is one. */
static int open_other(const char *where, int inherited, struct sock *s, struct err *e)
{
	if (where)
		return sock_listen(where, s, e);
	return inherited < 0 ? 0 : sock_inherited(inherited, s, e);
}

/* Whoever can connect is the relay: so never TCP. And berth-relay is told the path. */
static int open_relay(struct args *a, int inherited, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	if (open_other(a->listen_relay, inherited, &a->o.relay_on, e) < 0)
		return -1;
	if (a->o.relay_on.fd < 0 || sock_path(a->o.relay_on.fd, &path))
		return 0;
	return err_set(e, ERR_UNKNOWN, "--listen-relay takes the absolute path of a Unix socket%s%s", a->listen_relay ? ", not " : "",
		       a->listen_relay ? a->listen_relay : "");
}

/* What a killed master left. As early as can be: the configuration may be another one now. */
static int clear_mark(int fd, struct err *e)
{
	struct openmark mark = OPENMARK_INIT;
	int rc = openmark_begin(&mark, fd, e);

	openmark_release(&mark);
	return rc;
}

static int open_sockets(struct args *a, struct err *e)
{
	unsigned activated = sock_activated();
	int first = activated ? SOCK_ACTIVATED : STDIN_FILENO;

	if (a->listen ? sock_listen(a->listen, &a->o.listen_on, e) : sock_inherited(first, &a->o.listen_on, e))
		return -1;
	if (clear_mark(a->o.listen_on.fd, e) < 0)
		return -1;
	if (open_other(a->listen_uploads, !a->listen && activated > 1 ? SOCK_ACTIVATED + 1 : -1, &a->o.uploads_on, e) < 0)
		return -1;
	if (open_other(a->listen_writes, !a->listen && activated > 2 ? SOCK_ACTIVATED + 2 : -1, &a->o.writes_on, e) < 0)
		return -1;
	return open_relay(a, !a->listen && activated > 3 ? SOCK_ACTIVATED + 3 : -1, e);
}

/* The parent may have closed these; the next open() must not return one of them. */
static void fill_descriptors(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);
}

static int serve(struct args *a, struct config *cfg)
{
	struct store_options so = { .root = cfg->root, .flush = cfg->fsync, .readonly = cfg->readonly };
	struct err e = ERR_INIT;
	cleanup_str struct str root = STR_INIT, line = STR_INIT;
	bool of_store = true;   /* the failure concerns the store, and has a remedy there */
	int rc = layout_prepare(&so, &e);

	str_puts(&root, cfg->root);
	if (rc == 0 && open_sockets(a, &e) < 0) {
		of_store = false;
		rc = -1;
	}
	if (rc == 0)
		rc = supervisor_run(&a->o, cfg, &e);
	else
		config_close(&cfg);
	if (rc < 0) {
		err_text(&e, &line);
		if (of_store)
			probe_remedy(root.buf, e.sys, &line);
		fprintf(stderr, "berth-fcgi: %s\n", line.buf);
	}
	sock_close(&a->o.listen_on);
	sock_close(&a->o.writes_on);
	sock_close(&a->o.uploads_on);
	sock_close(&a->o.relay_on);
	err_release(&e);
	return rc < 0 ? EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct args a = { .o = { .listen_on = SOCK_INIT, .writes_on = SOCK_INIT, .uploads_on = SOCK_INIT, .relay_on = SOCK_INIT } };
	struct config *cfg;
	int rc;

	supervisor_hold_signals(&a.o);
	fill_descriptors();
	os_write_alone();
	rc = parse_args(&a, argc, argv);
	if (rc >= 0)
		return rc;
	cfg = supervisor_config(&a.o, true);
	if (!cfg)
		return EXIT_USAGE;
	return serve(&a, cfg);
}
