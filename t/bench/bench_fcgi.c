/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_fcgi SOCKET WORKERS - the least that a FastCGI responder can do, as the limit of what berth may reach.
 *
 * Where nginx gives it BARE_FILE it answers X-Accel-Redirect to that, else 1 KiB with the headers of a manifest. Workers
 * are processes that accept on one socket, like berth's. SIGTERM to the first ends all.
 */

#include <fcgiapp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DIGEST "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void answer(FCGX_Request *r, const char *body)
{
	const char *file = FCGX_GetParam("BARE_FILE", r->envp);

	FCGX_PutS("Status: 200\r\nDocker-Content-Digest: " DIGEST "\r\nEtag: \"" DIGEST "\"\r\n", r->out);
	if (file) {
		FCGX_PutS("Content-Type: application/octet-stream\r\nX-Accel-Redirect: ", r->out);
		FCGX_PutS(file, r->out);
		FCGX_PutS("\r\n\r\n", r->out);
		return;
	}
	FCGX_PutS("Content-Type: application/vnd.docker.distribution.manifest.v2+json\r\nContent-Length: 1024\r\n\r\n", r->out);
	FCGX_PutStr(body, 1024, r->out);
}

static void serve(int fd)
{
	char body[1024];
	FCGX_Request r;

	memset(body, 'x', sizeof(body));
	FCGX_Init();
	FCGX_InitRequest(&r, fd, 0);
	while (FCGX_Accept_r(&r) == 0) {
		answer(&r, body);
		r.keepConnection = 0;
		FCGX_Finish_r(&r);
	}
	_exit(0);
}

static int listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || strlen(path) >= sizeof(a.sun_path))
		return -1;
	memcpy(a.sun_path, path, strlen(path) + 1);
	unlink(path);
	return bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 1024) == 0 ? fd : -1;
}

int main(int argc, char **argv)
{
	int fd = argc == 3 ? listen_at(argv[1]) : -1;
	unsigned long i, n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

	if (fd < 0 || n < 1 || n > 1024) {
		fprintf(stderr, "usage: bench_fcgi SOCKET WORKERS\n");
		return 2;
	}
	for (i = 0; i < n; i++) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(fd);
		}
	}
	pause();
	return 0;
}
