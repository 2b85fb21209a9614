// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of inspectors and the one loop over them. No protocol is known here beyond its row. */
#include "inspect/inspect.h"

#include "inspect/body.h"
#include "inspect/dns.h"
#include "inspect/http.h"
#include "inspect/http2.h"
#include "inspect/magic.h"
#include "inspect/proxy.h"
#include "inspect/socks.h"
#include "inspect/stratum.h"
#include "inspect/tls.h"
#include "inspect/websocket.h"

/* No two of them can match the same bytes. Those of a body and of a WebSocket wait to be asked for. */
enum row { TLS, DNS, SOCKS, PROXY, HTTP, HTTP_BODY, HTTP2, WEBSOCKET, STRATUM, MAGIC };

static const struct inspector inspectors[] = {
	[TLS] = { "tls", APP_TLS, tls_inspect },
	[DNS] = { "dns", APP_DNS, dns_inspect },
	[SOCKS] = { "socks", APP_SOCKS, socks_inspect },
	[PROXY] = { "proxy", APP_PROXY, proxy_inspect },
	[HTTP] = { "http", APP_HTTP, http_inspect },
	[HTTP_BODY] = { "http-body", APP_HTTP_BODY, body_inspect },
	[HTTP2] = { "http2", APP_HTTP2, http2_inspect },
	[WEBSOCKET] = { "websocket", APP_WEBSOCKET, websocket_inspect },
	[STRATUM] = { "stratum", APP_STRATUM, stratum_inspect },
	[MAGIC] = { "magic", APP_UNKNOWN, magic_inspect },	/* only at a stream's start */
};

/* The rows that a stream which begins with this byte may be of. */
#define BEGINS(b) (TLS_BEGINS(b) << TLS | DNS_BEGINS(b) << DNS | SOCKS_BEGINS(b) << SOCKS | PROXY_BEGINS(b) << PROXY | \
		   HTTP_BEGINS(b) << HTTP | HTTP2_BEGINS(b) << HTTP2 | WEBSOCKET_BEGINS(b) << WEBSOCKET | \
		   STRATUM_BEGINS(b) << STRATUM | MAGIC_BEGINS(b) << MAGIC)
#define BEGINS_4(b) BEGINS(b), BEGINS(b + 1), BEGINS(b + 2), BEGINS(b + 3)
#define BEGINS_16(b) BEGINS_4(b), BEGINS_4(b + 4), BEGINS_4(b + 8), BEGINS_4(b + 12)
#define BEGINS_64(b) BEGINS_16(b), BEGINS_16(b + 16), BEGINS_16(b + 32), BEGINS_16(b + 48)

static const uint16_t rows_of_byte[256] = { BEGINS_64(0), BEGINS_64(64), BEGINS_64(128), BEGINS_64(192) };

/* The row of a protocol that is known. */
static const uint16_t rows_of_app[] = {
	[APP_TLS] = 1u << TLS, [APP_DNS] = 1u << DNS, [APP_SOCKS] = 1u << SOCKS, [APP_PROXY] = 1u << PROXY, [APP_HTTP] = 1u << HTTP,
	[APP_HTTP_BODY] = 1u << HTTP_BODY, [APP_HTTP2] = 1u << HTTP2, [APP_WEBSOCKET] = 1u << WEBSOCKET, [APP_STRATUM] = 1u << STRATUM,
};

/* The arrays are large and guarded by their counts, so they are not cleared. */
void inspect_reset(struct facts *out)
{
	if (out->mining)
		out->stratum = (struct stratum_facts){ 0 };
	out->app = APP_UNKNOWN;
	out->n_names = out->dns.n_answers = 0;
	out->dns.response = false;
	out->names_lost = out->tls_ech = out->tls_alpn = out->mining = out->tunnelled = false;
	out->tls_version = 0;
	out->quic_version = 0;
	out->again = AGAIN_NO;
	out->next = APP_UNKNOWN;
	out->consumed = 0;
	out->tls_hello = (struct view){ 0 };
}

/* The rows to be asked, cheapest refusal first. */
static unsigned rows_for(const struct inspect_input *in)
{
	if (in->only != APP_UNKNOWN)
		return rows_of_app[in->only];
	return rows_of_byte[*in->p] & (in->port == DNS_PORT ? ~0u : ~(1u << DNS));
}

static enum inspect_result ask(const struct inspect_input *in, struct facts *out)
{
	enum inspect_result best = INSPECT_NO, r;
	size_t used = in->scratch->used;
	unsigned rows;

	for (rows = rows_for(in); rows; rows &= rows - 1) {
		r = inspectors[__builtin_ctz(rows)].inspect(in, out);
		if (r == INSPECT_MATCH)
			return r;
		inspect_reset(out);
		in->scratch->used = used;
		if (r == INSPECT_MORE || (r == INSPECT_BAD && best == INSPECT_NO))
			best = r;
	}
	return best;
}

enum inspect_result inspect_stream(const struct inspect_input *in, struct facts *out)
{
	struct inspect_input begin;

	inspect_reset(out);
	if (!in->len)
		return in->ended ? INSPECT_NO : INSPECT_MORE;
	if (in->len >= INSPECT_BYTES_MAX) {
		begin = *in;
		begin.len = INSPECT_BYTES_MAX;
		begin.ended = true;
		in = &begin;
	}
	return ask(in, out);
}

const char *app_text(enum app app)
{
	switch (app) {
	case APP_TLS:
		return "tls";
	case APP_QUIC:
		return "quic";
	case APP_HTTP:
	case APP_HTTP_BODY:
	case APP_WEBSOCKET:
	case APP_HTTP2:
		return "http";
	case APP_DNS:
		return "dns";
	case APP_STRATUM:
		return "stratum";
	case APP_SOCKS:		/* EVE's words have none for these */
	case APP_PROXY:
	case APP_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *name_kind_text(enum name_kind kind)
{
	switch (kind) {
	case NAME_TLS_SNI:
		return "tls_sni";
	case NAME_QUIC_SNI:
		return "quic_sni";
	case NAME_HTTP_HOST:
		return "http_host";
	case NAME_CONNECT:
		return "connect";
	case NAME_SOCKS:
		return "socks";
	case NAME_DNS:
		break;
	}
	return "dns";
}
