// SPDX-License-Identifier: GPL-2.0-or-later
/* Linked into the daemon of `make netns-asan` and `netns-tsan` alone: what its sanitizer is told, as the tests start it with an empty
 * environment. Leaks are left to `make grind`: the daemon is not dumpable, which keeps LeakSanitizer from looking at it. */

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__tsan_default_options(void);
const char *__tsan_default_suppressions(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0:handle_segv=0:exitcode=99:detect_stack_use_after_return=1";
}

const char *__ubsan_default_options(void)
{
	return "print_stacktrace=1";
}

const char *__tsan_default_options(void)
{
	return "exitcode=99:second_deadlock_stack=1";
}

/* The broker's library takes its own locks in two orders. */
const char *__tsan_default_suppressions(void)
{
	return "deadlock:libmosquitto";
}
