// SPDX-License-Identifier: GPL-2.0-or-later
/* daemon/clients: who gets a place where all are taken. The clients of another user need root to become one. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/clients.h"

#define STRANGER 65533

/* More than a socket holds. */
static json_t *answer_much(void *arg, struct client *from, const json_t *request)
{
	char *text = malloc(1 << 22);
	json_t *j;

	(void)request;
	++*(unsigned *)arg;
	if (client_uid(from) == 0) {
		free(text);
		return json_pack("{s:b}", "ok", true);
	}
	memset(text, 'x', (1 << 22) - 1);
	text[(1 << 22) - 1] = '\0';
	j = json_pack("{s:s}", "much", text);
	free(text);
	return j;
}

static int ask(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) || send(fd, "{}", 2, 0) != 2 || shutdown(fd, SHUT_WR))
		_exit(1);
	return fd;
}

static void serve(struct clients *c, unsigned *answered, int turns)
{
	struct pollfd fds[CLIENTS_FDS];

	while (turns--) {
		clients_poll(c, fds, 1);
		if (poll(fds, CLIENTS_FDS, 100) > 0)
			clients_serve(c, fds, 1, answer_much, answered);
	}
}

/* Strangers who ask for much and read nothing hold every place; root is heard all the same. */
static void test_root_is_heard(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), fd, ready[2];
	struct clients *c = clients_new(listening);
	unsigned answered = 0;
	char reply[64] = "";
	pid_t child;

	(void)state;
	if (geteuid())
		skip();
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "test_clients.%d", (int)getpid());
	assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listening, 64), 0);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		if (setresuid(STRANGER, STRANGER, STRANGER) || prctl(PR_SET_PDEATHSIG, SIGKILL))
			_exit(1);
		for (int i = 0; i < CLIENTS_MAX; i++)
			ask(&address);
		if (write(ready[1], "", 1) != 1 || pause())
			_exit(1);
	}
	assert_int_equal(read(ready[0], reply, 1), 1);
	serve(c, &answered, 3 * CLIENTS_MAX);
	assert_int_equal(answered, CLIENTS_MAX);
	fd = ask(&address);
	serve(c, &answered, 8);
	assert_int_equal(answered, CLIENTS_MAX + 1);
	assert_true(recv(fd, reply, sizeof(reply) - 1, MSG_DONTWAIT) > 0);
	assert_string_equal(reply, "{\"ok\":true}");
	close(fd);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	clients_free(c);
	close(listening);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root_is_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
