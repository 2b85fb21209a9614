/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens captures with libpcap and hands out their TCP and UDP packets one by one. Holds one file open and
 * one packet at a time, so a capture of any size can be read. libpcap is loaded here and not before: with what it needs itself
 * (D-Bus, systemd, ciphers, three compressors) it would be a fifth of what the daemon holds in memory. */
#include "cli/capture.h"

#include <dlfcn.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/defrag.h"
#include "cli/link.h"

#define PCAP_FILE_HEADER 24
/* A mirror port is read by one thread: room for what comes while it judges. Frames may be larger than the MTU (GRO). */
#define LIVE_BUFFER (32 << 20)
#define LIVE_FRAME_MAX 262144
#define LIVE_WAIT_MS 500

struct capture {
	FILE *file;		/* kept for rewinding; libpcap reads a duplicate. NULL: live */
	pcap_t *pcap;
	int dlt;
	struct defrag *defrag;
	uint64_t now_ms;
	char error[256];
};

static struct {
	__typeof__(pcap_fopen_offline) *open;
	__typeof__(pcap_datalink) *datalink;
	__typeof__(pcap_datalink_val_to_name) *name;
	__typeof__(pcap_next_ex) *next;
	__typeof__(pcap_geterr) *error;
	__typeof__(pcap_close) *close;
	/* of a mirror port */
	__typeof__(pcap_create) *create;
	__typeof__(pcap_set_snaplen) *snaplen;
	__typeof__(pcap_set_promisc) *promisc;
	__typeof__(pcap_set_timeout) *timeout;
	__typeof__(pcap_set_buffer_size) *buffer;
	__typeof__(pcap_activate) *activate;
	__typeof__(pcap_statustostr) *status;
	__typeof__(pcap_setnonblock) *nonblock;
	__typeof__(pcap_get_selectable_fd) *fd;
	__typeof__(pcap_stats) *stats;
} api;

/* False: it is not there; `error` says so. */
static bool load(char error[256])
{
	/* POSIX lets a data pointer carry a function's address here, ISO C knows no cast for it. */
	static const struct {
		void **to;
		const char *name;
	} symbols[] = {
		{ (void **)&api.open, "pcap_fopen_offline" }, { (void **)&api.datalink, "pcap_datalink" },
		{ (void **)&api.name, "pcap_datalink_val_to_name" }, { (void **)&api.next, "pcap_next_ex" },
		{ (void **)&api.error, "pcap_geterr" }, { (void **)&api.close, "pcap_close" },
		{ (void **)&api.create, "pcap_create" }, { (void **)&api.snaplen, "pcap_set_snaplen" },
		{ (void **)&api.promisc, "pcap_set_promisc" }, { (void **)&api.timeout, "pcap_set_timeout" },
		{ (void **)&api.buffer, "pcap_set_buffer_size" }, { (void **)&api.activate, "pcap_activate" },
		{ (void **)&api.status, "pcap_statustostr" }, { (void **)&api.nonblock, "pcap_setnonblock" },
		{ (void **)&api.fd, "pcap_get_selectable_fd" }, { (void **)&api.stats, "pcap_stats" },
	};
	static bool loaded;
	void *lib;

	if (loaded)
		return true;
	lib = dlopen("libpcap.so.0.8", RTLD_NOW);	/* Debian's name for it */
	if (!lib)
		lib = dlopen("libpcap.so.1", RTLD_NOW);
	if (!lib) {
		snprintf(error, 256, "libpcap is not installed (neither libpcap.so.0.8 nor libpcap.so.1 can be loaded)");
		return false;
	}
	loaded = true;
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		*symbols[i].to = dlsym(lib, symbols[i].name);
		loaded &= *symbols[i].to != NULL;
	}
	if (!loaded) {
		snprintf(error, 256, "libpcap lacks functions");
		dlclose(lib);
	}
	return loaded;
}

/* A pipe cannot be read twice, so it goes to a file without a name first. Closes `from`. NULL: errno says why. */
static FILE *spool(FILE *from)
{
	FILE *f = tmpfile();
	char buf[65536];
	size_t n;

	while (f && (n = fread(buf, 1, sizeof(buf), from)) > 0) {
		if (fwrite(buf, 1, n, f) != n) {
			fclose(f);
			f = NULL;
		}
	}
	if (f && (fflush(f) || ferror(from))) {
		fclose(f);
		f = NULL;
	}
	fclose(from);
	return f;
}

static FILE *open_file(const char *path)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "rb") : fdopen(dup(STDIN_FILENO), "rb");

	if (f && lseek(fileno(f), 0, SEEK_CUR) < 0 && errno == ESPIPE)
		return spool(f);
	return f;
}

/* The first bytes of a pcap (either byte order, micro- or nanoseconds, or the old "modified" kind) or of a pcapng. */
static bool is_capture(const uint8_t magic[4])
{
	static const uint8_t known[][4] = {
		{ 0xd4, 0xc3, 0xb2, 0xa1 }, { 0xa1, 0xb2, 0xc3, 0xd4 },
		{ 0x4d, 0x3c, 0xb2, 0xa1 }, { 0xa1, 0xb2, 0x3c, 0x4d },
		{ 0x34, 0xcd, 0xb2, 0xa1 }, { 0xa1, 0xb2, 0xcd, 0x34 },
		{ 0x0a, 0x0d, 0x0d, 0x0a },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!memcmp(magic, known[i], 4))
			return true;
	}
	return false;
}

/* Before libpcap sees the file: is it one at all, and is its header whole? */
static enum capture_result look_at_header(FILE *f, char error[256])
{
	uint8_t head[PCAP_FILE_HEADER];
	size_t n = fread(head, 1, sizeof(head), f);

	if (ferror(f)) {
		snprintf(error, 256, "%s", strerror(errno));
		return CAPTURE_NOTHING;
	}
	if (n >= 4 && !is_capture(head)) {
		snprintf(error, 256, "not a capture file (pcap or pcapng)");
		return CAPTURE_NOTHING;
	}
	if (n < sizeof(head)) {
		snprintf(error, 256, "truncated: only %zu bytes of the file's header", n);
		return CAPTURE_BROKEN;
	}
	return CAPTURE_PACKET;
}

/* libpcap closes the stream that it is given, so it gets a descriptor of its own at offset 0. */
static enum capture_result open_pcap(struct capture *c)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	int fd = dup(fileno(c->file));
	FILE *f;

	if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0 || !(f = fdopen(fd, "rb"))) {
		snprintf(c->error, sizeof(c->error), "%s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return CAPTURE_NOTHING;
	}
	c->pcap = api.open(f, text);
	if (!c->pcap) {
		fclose(f);
		snprintf(c->error, sizeof(c->error), "%.250s", text);
		return CAPTURE_BROKEN;
	}
	c->dlt = api.datalink(c->pcap);
	return CAPTURE_PACKET;
}

static enum capture_result check_link(struct capture *c)
{
	const char *name = api.name(c->dlt);

	if (link_known(c->dlt))
		return CAPTURE_PACKET;
	snprintf(c->error, sizeof(c->error), "link type %d (%.60s) is not one that carries IP in a way that is known",
		 c->dlt, name ? name : "unknown");
	return CAPTURE_NOTHING;
}

enum capture_result capture_open(const char *path, struct capture **out, char error[256])
{
	struct capture *c = calloc(1, sizeof(*c));
	enum capture_result r = CAPTURE_NO_MEMORY;

	if (!c)
		goto out;
	c->file = open_file(path);
	if (!c->file) {
		snprintf(c->error, sizeof(c->error), "%s", strerror(errno));
		r = CAPTURE_NOTHING;
		goto out;
	}
	rewind(c->file);
	r = look_at_header(c->file, c->error);
	if (r == CAPTURE_PACKET && !load(c->error))
		r = CAPTURE_NOTHING;
	if (r == CAPTURE_PACKET)
		r = open_pcap(c);
	if (r == CAPTURE_PACKET)
		r = check_link(c);
	if (r != CAPTURE_PACKET)
		goto out;
	c->defrag = defrag_new();
	if (!c->defrag)
		r = CAPTURE_NO_MEMORY;
out:
	if (r == CAPTURE_PACKET) {
		*out = c;
		return r;
	}
	snprintf(error, 256, "%s", c && c->error[0] ? c->error : strerror(ENOMEM));
	capture_close(c);
	return r;
}

enum capture_result capture_live(const char *interface, struct capture **out, char error[256])
{
	struct capture *c = calloc(1, sizeof(*c));
	char text[PCAP_ERRBUF_SIZE] = "";
	int rc = -1;

	if (!load(error)) {
		free(c);
		return CAPTURE_NOTHING;
	}
	if (!c || !(c->defrag = defrag_new())) {
		free(c);
		snprintf(error, 256, "%s", strerror(ENOMEM));
		return CAPTURE_NO_MEMORY;
	}
	c->pcap = api.create(interface, text);
	if (c->pcap) {
		api.snaplen(c->pcap, LIVE_FRAME_MAX);
		api.promisc(c->pcap, 1);
		api.timeout(c->pcap, 100);
		api.buffer(c->pcap, LIVE_BUFFER);
		rc = api.activate(c->pcap);
		snprintf(text, sizeof(text), "%s", rc < 0 ? api.error(c->pcap) : "");
		if (rc < 0 && !*text)
			snprintf(text, sizeof(text), "%s", api.status(rc));
	}
	if (rc >= 0 && api.nonblock(c->pcap, 1, text) < 0)
		rc = -1;
	c->dlt = rc >= 0 ? api.datalink(c->pcap) : 0;
	snprintf(c->error, sizeof(c->error), "%.250s", text);
	if (rc >= 0 && check_link(c) == CAPTURE_PACKET) {
		*out = c;
		return CAPTURE_PACKET;
	}
	snprintf(error, 256, "%s", c->error);
	capture_close(c);
	return CAPTURE_NOTHING;
}

uint64_t capture_lost(struct capture *c)
{
	struct pcap_stat s;

	return api.stats(c->pcap, &s) ? 0 : s.ps_drop;
}

/* Nothing is there now: waits a moment, so that the caller can look at the clock and at signals. */
static enum capture_result wait_live(struct capture *c)
{
	struct pollfd p = { .fd = api.fd(c->pcap), .events = POLLIN };

	poll(&p, 1, LIVE_WAIT_MS);
	return CAPTURE_IDLE;
}

enum capture_result capture_rewind(struct capture *c)
{
	api.close(c->pcap);
	c->pcap = NULL;
	defrag_free(c->defrag);
	c->defrag = defrag_new();
	c->now_ms = 0;
	return c->defrag ? open_pcap(c) : CAPTURE_NO_MEMORY;
}

/* False: nothing of TCP or UDP, or a fragment that completes nothing. */
static bool read_frame(struct capture *c, const struct pcap_pkthdr *h, const uint8_t *frame, struct capture_packet *cp)
{
	struct packet *out = &cp->packet;
	struct link_ip ip;
	enum packet_result r;
	size_t len;

	if (!link_ip(c->dlt, frame, h->caplen, &ip))
		return false;
	r = packet_parse(ip.ip, ip.len, true, out);
	if (r == PACKET_FRAGMENT) {
		len = defrag_add(c->defrag, ip.ip, ip.len, c->now_ms, &ip.ip);
		if (len)
			r = packet_parse(ip.ip, len, true, out);
	}
	out->mac_known = ip.mac_known;
	memcpy(out->mac, ip.mac, sizeof(out->mac));
	cp->ends_only = r != PACKET_OK;
	return r != PACKET_OTHER && out->proto;
}

enum capture_result capture_next(struct capture *c, struct capture_packet *out)
{
	struct pcap_pkthdr *h;
	const uint8_t *frame;
	uint64_t ms;
	int r;

	while ((r = api.next(c->pcap, &h, &frame)) == 1) {
		ms = (uint64_t)h->ts.tv_sec * 1000 + (uint64_t)h->ts.tv_usec / 1000;
		if (ms > c->now_ms)
			c->now_ms = ms;
		if (!read_frame(c, h, frame, out))
			continue;
		out->when = h->ts;
		out->packet.when_s = h->ts.tv_sec;
		out->packet.interface = NULL;
		out->now_ms = c->now_ms;
		return CAPTURE_PACKET;
	}
	if (r == 0)
		return wait_live(c);
	if (r == PCAP_ERROR_BREAK)
		return CAPTURE_END;
	snprintf(c->error, sizeof(c->error), "%.250s", api.error(c->pcap));
	return CAPTURE_BROKEN;
}

const char *capture_error(const struct capture *c)
{
	return c->error;
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	if (c->pcap)
		api.close(c->pcap);
	if (c->file)
		fclose(c->file);
	defrag_free(c->defrag);
	free(c);
}
