/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall init`: looks at this machine and writes a policy for it that only watches. Each choice stands there with what was seen;
 * a file that is there is never overwritten by chance. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/interfaces.h"
#include "nfq/queue.h"
#include "nft/marks.h"

#define SHARE "/usr/share/minewall/lists/"
/* As many as a daemon takes at most (daemon/run.c). */
#define QUEUES 8

static const char usage[] =
	"minewall init [-o FILE|-] [--force]\n\n"
	"Looks at the interfaces (those with a default route lead outside), at mark bits\n"
	"and queues that others use, at flowtables and shipped lists, and writes a\n"
	"commented policy in mode monitor: it judges and logs, and drops nothing.\n\n"
	"  -o FILE  where to, instead of " CLI_POLICY "; - prints it\n"
	"  --force  overwrites a file that is there\n\n"
	"Exit: 0 done; 1 the file is there already; 5 it cannot be written; 2 usage.\n\n"
	"Example: minewall init -o -\n";

static void write_seen(FILE *f, const struct interface *all, size_t n)
{
	fprintf(f, "# Interfaces when this was written:\n");
	for (size_t i = 0; i < n; i++) {
		const struct interface *a = &all[i];

		if (a->loopback)
			continue;
		fprintf(f, "#   %-15s %s%s%s%s%s%s\n", a->name, a->up ? "up" : "down", a->default4 ? ", IPv4's default route" : "",
			a->default6 ? ", IPv6's default route" : "", a->bridge ? ", a bridge" : a->port ? ", a bridge's port" : "",
			a->tunnel ? ", a tunnel" : "", a->container ? ", of containers or virtual machines" : "");
	}
}

static void write_interfaces(FILE *f)
{
	struct interface *all = calloc(INTERFACES_MAX, sizeof(*all));
	size_t n = all ? interfaces_read(all) : 0, out = 0;

	fprintf(f, "# What leads outside. Without it every connection is judged, also those from outside to your servers.\n");
	write_seen(f, all, n);
	for (size_t i = 0; i < n; i++)
		if ((all[i].default4 || all[i].default6) && out < POLICY_INTERFACES_MAX)
			fprintf(f, "%s\"%s\"", out++ ? ", " : "interfaces: {out: [", all[i].name);
	fprintf(f, out ? "]}\n\n" : "# No default route was there: name it yourself.\n#interfaces: {out: [eth0]}\n\n");
	free(all);
}

/* A free three bits for our marks; 0 if the kernel cannot be asked. */
static uint32_t free_mask(char *text, size_t size)
{
	uint32_t mask = 0x0e000000;
	int found = geteuid() == 0 ? marks_conflict(mask, text, size) : -EPERM;

	if (found <= 0)
		return found ? 0 : mask;
	for (unsigned shift = 29; shift < 32; shift--) {
		char other[512];

		mask = 7u << shift;
		if (marks_conflict(mask, other, sizeof(other)) == 0)
			return mask;
	}
	return 0;
}

static void write_marks(FILE *f)
{
	char text[512] = "";
	uint32_t mask = free_mask(text, sizeof(text));

	fprintf(f, "# Three adjacent bits of the connmark that nobody else uses.\n");
	if (*text)
		fprintf(f, "# The usual ones, 0x0e000000, are taken: %s\n", text);
	if (!mask)
		fprintf(f, "# %s\n", *text ? "No free ones were found: change that rule, or these." : "Not looked at: it takes root to see the rules of others.");
	fprintf(f, "mark: {mask: 0x%08x}\n\n", mask ? mask : 0x0e000000);
}

static void write_queues(FILE *f)
{
	struct queue_losses l;
	int fd = queue_losses_open();
	unsigned first = 0, taken = 0;

	for (unsigned i = 0; fd >= 0 && i < 1024; i++)
		if (queue_losses_read(fd, (uint16_t)i, &l) == 0) {
			taken++;
			first = i + 1;	/* behind the last one that is in use */
		}
	if (fd >= 0)
		close(fd);
	if (first > UINT16_MAX - QUEUES)
		first = 0;
	fprintf(f, "# NFQUEUE numbers, one for two processors.%s\nqueues: {first: %u, count: auto, length: 4096}\n\n",
		taken ? " Those before are in use by another program." : "", first);
}

static void write_offload(FILE *f)
{
	char text[512];
	bool there = geteuid() == 0 && marks_flowtable(text, sizeof(text)) > 0;

	fprintf(f, "# True keeps new outbound flows out of flowtables, which hide them from every firewall rule.\n");
	if (there)
		fprintf(f, "# One is here: %s\n", text);
	fprintf(f, "guard_offload: %s\n\n", there ? "true" : "false");
}

static void write_lists(FILE *f)
{
	bool starter = access(SHARE "starter.txt", R_OK) == 0, shared = access(SHARE "shared.txt", R_OK) == 0;

	fprintf(f, "# Lists of names and addresses; their format is seen from the content. One with a url: is fetched by `minewall lists update`.\n"
		"%slists:\n", starter ? "" : "#");
	if (starter)
		fprintf(f, "  - {name: starter, file: " SHARE "starter.txt, category: pool}\n");
	fprintf(f, "#  - {name: maintained, url: \"https://lists.example/miners.txt\", refresh: 1d, category: pool}\n\n");
	if (shared)
		fprintf(f, "# Ranges where many names share an address: a name blocked there never teaches the kernel.\nshared: [" SHARE "shared.txt]\n\n");
}

static void write_policy(FILE *f)
{
	time_t now = time(NULL);
	struct tm tm;
	char day[32] = "";

	if (localtime_r(&now, &tm))
		strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	fprintf(f, "# minewall's policy for this machine, written by `minewall init` on %s. minewall.yaml(5) explains every key; `minewall check`\n"
		"# says what is wrong, `minewall doctor` what is in the way.\nversion: 1\n\n", day);
	fprintf(f, "# monitor judges and logs, and drops nothing. After a day, when `minewall log` shows only what you want stopped: enforce, and\n"
		"# `minewall reload` (on a router far away: `minewall reload --confirm 5m`).\nmode: monitor\n\n");
	fprintf(f, "# Traffic that others send through this machine (forward), its own (output), or both.\nhook: both\n\n");
	write_interfaces(f);
	fprintf(f, "# When the daemon is gone or too slow: let new connections pass (open) or stop them (closed).\nfail: open\n\n");
	write_lists(f);
	fprintf(f, "# What you never want stopped.\nallow:\n  names: []       # pool.mycompany.example: it and all below it\n"
		"  hosts: []       # inside devices that may mine: 192.168.1.50\n  addresses: []   # outside ones: \"198.51.100.20:3333\"\n\n");
	write_offload(f);
	write_marks(f);
	write_queues(f);
	fprintf(f, "log: {file: /var/log/minewall/eve.json}\n");
}

/* Through a new file beside it, so that half a policy is never there. 0 or errno. */
static int write_file(const char *path, bool force)
{
	char folder[PATH_MAX], fresh[PATH_MAX];
	FILE *f;
	int fd, err = 0;

	snprintf(folder, sizeof(folder), "%s", path);
	mkdir(dirname(folder), 0755);
	if (snprintf(fresh, sizeof(fresh), "%s.new-XXXXXX", path) >= (int)sizeof(fresh))
		return ENAMETOOLONG;
	fd = mkstemp(fresh);
	f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!f)
		return errno;
	write_policy(f);
	if (fchmod(fd, 0644) || fflush(f) || fsync(fd))
		err = errno;
	if (fclose(f) && !err)
		err = errno;
	if (!err && (force ? rename(fresh, path) : link(fresh, path)))
		err = errno;
	unlink(fresh);
	return err;
}

static int parse(int argc, char **argv, const char **path, bool *force)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' }, { "force", no_argument, NULL, 'f' }, { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
		switch (c) {
		case 'o':
			*path = optarg;
			break;
		case 'f':
			*force = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE;
		case ':':
			fprintf(stderr, "minewall init: a value is missing after '%s'; see minewall init --help\n", argv[optind - 1]);
			return EXIT_USAGE;
		default:
			return cli_bad_option(argv);
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "minewall init: '%s' is one argument too many; see minewall init --help\n", argv[optind]);
	return EXIT_USAGE;
}

int init_main(int argc, char **argv)
{
	const char *path = CLI_POLICY;
	bool force = false;
	int code = parse(argc, argv, &path, &force), err;

	if (code >= 0)
		return code;
	if (!strcmp(path, "-")) {
		write_policy(stdout);
		return EXIT_DONE;
	}
	err = write_file(path, force);
	if (err == EEXIST) {
		fprintf(stderr, "minewall init: %s is there already; --force overwrites it, -o - prints the new one\n", path);
		return EXIT_NO;
	}
	if (err) {
		fprintf(stderr, "minewall init: %s: %s%s\n", path, strerror(err), err == EACCES ? "; try as root" : "");
		return EXIT_SYSTEM;
	}
	printf("%s is written: it watches and logs, and drops nothing. Next: minewall check%s%s; minewall run\n", path,
	       strcmp(path, CLI_POLICY) ? " -c " : "", strcmp(path, CLI_POLICY) ? path : "");
	return EXIT_DONE;
}
