/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System calls by name, through libseccomp: it knows their numbers on each architecture. What is not on a list fails with
 * EPERM rather than killing the process, as a gateway that a strange libc stops is worse than one call that is refused. */
#include "daemon/sandbox.h"

#include <errno.h>

#ifdef HAVE_SECCOMP

#include <net/if.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#ifndef PR_SET_VMA	/* glibc names its heaps by it; musl does not know it */
#define PR_SET_VMA 0x53564d41
#endif

/* No exec, ptrace, connect, listen, mount, bpf, keys, modules, time setting; sockets, processes and memory only as below. */
static const char *const reader[] = {
	/* the queue, netlink, control and notify sockets */
	"poll", "ppoll", "ppoll_time64", "recvfrom", "recvmsg", "recvmmsg", "recvmmsg_time64", "sendto", "sendmsg", "sendmmsg",
	"accept", "accept4", "bind", "getsockname", "getpeername", "getsockopt", "setsockopt", "shutdown",
	/* policy, lists, log, state */
	"open", "openat", "close", "close_range", "read", "readv", "pread64", "write", "writev", "lseek", "_llseek", "fstat", "fstat64",
	"fstatat64", "newfstatat", "stat", "stat64", "lstat", "lstat64", "statx", "access", "faccessat", "getdents", "getdents64",
	"readlink", "readlinkat", "getcwd", "rename", "renameat", "renameat2", "unlink", "unlinkat", "ftruncate", "ftruncate64",
	"fsync", "fdatasync", "utimensat", "utimensat_time64", "fcntl", "fcntl64", "dup", "dup2", "dup3", "pipe2", "umask",
	/* threads, memory, time, signals */
	"brk", "munmap", "mremap", "madvise", "futex", "futex_time64", "set_robust_list", "get_robust_list", "rseq", "sched_yield",
	"sched_getaffinity", "setpriority", "membarrier", "nanosleep", "clock_nanosleep", "clock_nanosleep_time64", "clock_gettime",
	"clock_gettime64", "clock_getres", "gettimeofday", "time", "timerfd_create", "timerfd_settime", "timerfd_settime64",
	"signalfd4", "eventfd2", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "sigaltstack", "restart_syscall",
	"getrandom", "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getuid32", "geteuid32", "getgid32",
	"getegid32", "getrlimit", "ugetrlimit", "sysinfo", "uname", "set_tid_address", "arch_prctl", "exit", "exit_group",
	/* the watchdog: ended, waited for, put behind a list of its own; musl forks and kills a thread by calls of their own */
	"kill", "tgkill", "tkill", "fork", "wait4", "waitid", "seccomp",
	NULL
};

static const char *const watchdog[] = {
	"poll", "ppoll", "ppoll_time64", "pread64", "sendto", "nanosleep", "clock_nanosleep", "clock_nanosleep_time64",
	"clock_gettime", "clock_gettime64", "restart_syscall", "rt_sigreturn", "sigreturn", "brk", "exit_group", NULL
};

static int allow_each(scmp_filter_ctx ctx, const char *const *names)
{
	int err = 0;

	for (size_t i = 0; names[i] && !err; i++) {
		int call = seccomp_syscall_resolve_name(names[i]);

		/* not known here, or to this library: nobody can use it then */
		if (call != __NR_SCMP_ERROR)
			err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 0);
	}
	return err;
}

/* Where clone has its flags: there alone the stack comes first (CONFIG_CLONE_BACKWARDS2). */
#ifdef __s390__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/* Allowed if this argument is this value. */
static int allow_if(scmp_filter_ctx ctx, int call, unsigned argument, unsigned long value)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1, SCMP_CMP(argument, SCMP_CMP_EQ, value));
}

/* Allowed if this argument has none of these bits. */
static int allow_without(scmp_filter_ctx ctx, int call, unsigned argument, unsigned long bits)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1, SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, bits, 0));
}

static int allow_shaped(scmp_filter_ctx ctx)
{
	static const unsigned long prctls[] = { PR_SET_NAME, PR_GET_NAME, PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_VMA };
	int err = allow_if(ctx, SCMP_SYS(socket), 0, AF_NETLINK);

	if (!err)	/* the channel of a takeover */
		err = allow_if(ctx, SCMP_SYS(socketpair), 0, AF_UNIX);
	if (!err)
		err = allow_if(ctx, SCMP_SYS(ioctl), 1, SIOCGIFNAME);
	for (size_t i = 0; i < sizeof(prctls) / sizeof(prctls[0]) && !err; i++)
		err = allow_if(ctx, SCMP_SYS(prctl), 0, prctls[i]);
	/* no memory becomes code */
	if (!err)
		err = allow_without(ctx, SCMP_SYS(mmap), 2, PROT_EXEC);
	if (!err)
		err = allow_without(ctx, SCMP_SYS(mmap2), 2, PROT_EXEC);
	if (!err)
		err = allow_without(ctx, SCMP_SYS(mprotect), 2, PROT_EXEC);
	/* limits are read, not set */
	if (!err)
		err = allow_if(ctx, SCMP_SYS(prlimit64), 2, 0);
	/* threads and the watchdog, no namespaces; libc goes back to clone where it may not use clone3, whose flags nobody can see here */
	if (!err)
		err = allow_without(ctx, SCMP_SYS(clone), CLONE_FLAGS, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC |
				    CLONE_NEWUTS | CLONE_NEWCGROUP);
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(faccessat2), 0);
	return err;
}

int sandbox_calls(enum sandbox_profile profile)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err;

	if (!ctx)
		return -ENOMEM;
	err = allow_each(ctx, profile == SANDBOX_READER ? reader : watchdog);
	if (!err && profile == SANDBOX_READER)
		err = allow_shaped(ctx);
	if (!err)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	/* built without CONFIG_SECCOMP_FILTER the kernel says EINVAL, which our rules give no other reason for */
	return err == -EINVAL ? -ENOSYS : err;
}

#else

int sandbox_calls(enum sandbox_profile profile)
{
	(void)profile;
	return -ENOSYS;
}

#endif
