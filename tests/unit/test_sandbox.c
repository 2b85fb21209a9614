// SPDX-License-Identifier: GPL-2.0-or-later
/* What the confined process may not do: each try is made in a child that has taken the step, so the test itself stays free. The
 * user and the capabilities need root and are skipped without it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/power.h"
#include "daemon/sandbox.h"

static char folder[64];

/* Its answer: 0 for success, else the errno. */
typedef int try_fn(void);

static int refused(long result)
{
	return result < 0 ? errno : 0;
}

static int try_exec(void)
{
	char *const argv[] = { "/bin/true", NULL };

	return refused(execv(argv[0], argv));
}

static int try_ptrace(void) { return refused(ptrace(PTRACE_TRACEME, 0, 0, 0)); }
static int try_inet(void) { return refused(socket(AF_INET, SOCK_STREAM, 0)); }
static int try_raw(void) { return refused(socket(AF_INET, SOCK_RAW, 255)); }
static int try_unix(void) { return refused(socket(AF_UNIX, SOCK_DGRAM, 0)); }
static int try_namespace(void) { return refused(unshare(CLONE_NEWUSER)); }
static int try_hostname(void) { return refused(sethostname("x", 1)); }
static int try_chmod(void) { return refused(chmod(folder, 0777)); }
static int try_netlink(void) { return refused(socket(AF_NETLINK, SOCK_RAW, 0)); }
static int try_ioctl(void) { return refused(ioctl(0, SIOCSIFNAME, NULL)); }

static int try_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static void *nothing(void *arg) { return arg; }

static int try_thread(void)
{
	pthread_t t;
	int err = pthread_create(&t, NULL, nothing, NULL);

	return err ? err : pthread_join(t, NULL);
}

static int try_fork(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	return child < 0 ? errno : refused(waitpid(child, NULL, 0));
}

static int try_write_inside(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/new", folder);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	return fd < 0 ? errno : refused(write(fd, "x", 1) == 1 ? rename(path, path) : -1);
}

static int try_read_outside(void) { return refused(open("/etc/passwd", O_RDONLY)); }
static int try_write_outside(void) { return refused(open("/tmp/minewall-outside", O_WRONLY | O_CREAT, 0600)); }
static int try_tty(void) { return refused(open("/dev/null", O_RDWR)); }

static bool calls, files;

static int run(bool watchdog, try_fn *try)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct sandbox_files *f;

		if (sandbox_files_new(&f) == 0) {
			sandbox_files_write(f, folder);
			if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || sandbox_files_enter(f))
				_exit(200);
		}
		if ((calls && sandbox_calls(SANDBOX_READER)) || (calls && watchdog && sandbox_calls(SANDBOX_WATCHDOG)))
			_exit(201);
		_exit(try());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_calls(void **state)
{
	static try_fn *const forbidden[] = { try_exec, try_ptrace, try_inet, try_raw, try_unix, try_namespace, try_hostname, try_chmod, try_ioctl,
					     try_code };
	static try_fn *const allowed[] = { try_netlink, try_thread, try_fork, try_write_inside };

	(void)state;
	if (!calls)
		skip();
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		assert_int_equal(run(false, forbidden[i]), EPERM);
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		assert_int_equal(run(false, allowed[i]), 0);
}

static void test_watchdog(void **state)
{
	static try_fn *const forbidden[] = { try_exec, try_fork, try_netlink, try_write_inside, try_read_outside, try_code };

	(void)state;
	if (!calls)
		skip();
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		assert_int_equal(run(true, forbidden[i]), EPERM);
}

static void test_files(void **state)
{
	(void)state;
	if (!files)
		skip();
	assert_int_equal(run(false, try_read_outside), EACCES);
	assert_int_equal(run(false, try_write_outside), EACCES);
	assert_int_equal(run(false, try_tty), EACCES);
	assert_int_equal(run(false, try_write_inside), 0);
}

static bool net_admin_alone(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return false;
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0))
			return false;
	return data[0].effective == 1u << CAP_NET_ADMIN && data[0].permitted == 1u << CAP_NET_ADMIN && !data[0].inheritable &&
	       !data[1].permitted;
}

static void test_power(void **state)
{
	struct power_user u;
	const char *step;
	pid_t child;
	int status;

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(power_user(&u, "no-such-user-here"), -ENOENT);
	assert_int_equal(power_user(&u, "nobody"), 0);
	child = fork();
	if (child == 0) {
		bool good = power_become(&u, true, &step) == 0 && getuid() == u.uid && getgid() == u.gid && setuid(0) && net_admin_alone() &&
			    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;

		_exit(!good);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* Root's file under one name changes hands; a link, a second name and another's file do not. */
static void test_hand_over(void **state)
{
	struct power_user u;
	char file[128], two[128], link_[128], sub[128];
	struct stat st;

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(power_user(&u, "nobody"), 0);
	snprintf(file, sizeof(file), "%s/file", folder);
	snprintf(two, sizeof(two), "%s/two", folder);
	snprintf(link_, sizeof(link_), "%s/link", folder);
	snprintf(sub, sizeof(sub), "%s/minewall", folder);
	assert_int_equal(power_file(&u, file, false, 0600), 0);
	assert_int_not_equal(stat(file, &st), 0);
	assert_int_equal(power_file(&u, file, true, 0600), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_uid, u.uid);
	assert_int_equal(chown(file, 0, 0), 0);
	assert_int_equal(symlink(file, link_), 0);
	power_file(&u, link_, true, 0600);
	assert_int_equal(link(file, two), 0);
	assert_int_equal(power_file(&u, two, false, 0), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(power_folder(&u, folder, 0750, false), 0);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(mkdir(sub, 0700), 0);
	assert_int_equal(power_folder(&u, sub, 0750, false), 0);
	assert_int_equal(stat(sub, &st), 0);
	assert_int_equal(st.st_uid, u.uid);
}

static int setup(void **state)
{
	struct sandbox_files *f;
	pid_t child;
	int status;

	(void)state;
	for (int i = 0; i < 2; i++) {
		child = fork();
		if (child == 0)
			_exit((i ? sandbox_calls(SANDBOX_READER) : sandbox_files_new(&f)) == -ENOSYS);
		*(i ? &calls : &files) = waitpid(child, &status, 0) == child && status == 0;
	}
	strcpy(folder, "/tmp/minewall-sandbox-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "new", "two", "link", "file" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/minewall", folder);
	rmdir(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls), cmocka_unit_test(test_watchdog), cmocka_unit_test(test_files), cmocka_unit_test(test_power),
		cmocka_unit_test(test_hand_over),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
