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

/* Cheapest refusal first; no two of them can match the same bytes. Those of a body and of a WebSocket wait to be asked for. */
static const struct inspector inspectors[] = {
	{ "tls", APP_TLS, tls_inspect },
	{ "dns", APP_DNS, dns_inspect },
	{ "socks", APP_SOCKS, socks_inspect },
	{ "proxy", APP_PROXY, proxy_inspect },
	{ "http", APP_HTTP, http_inspect },
	{ "http-body", APP_HTTP_BODY, body_inspect },
	{ "http2", APP_HTTP2, http2_inspect },
	{ "websocket", APP_WEBSOCKET, websocket_inspect },
	{ "stratum", APP_STRATUM, stratum_inspect },
	{ "magic", APP_UNKNOWN, magic_inspect },	/* only at a stream's start */
};

/* The names' array is large and guarded by its count, so it is not cleared. */
void inspect_reset(struct facts *out)
{
	out->app = APP_UNKNOWN;
	out->n_names = 0;
	out->names_lost = false;
	out->tls_version = 0;
	out->tls_ech = out->tls_alpn = false;
	out->tls_hello = (struct view){ 0 };
	out->dns.n_answers = 0;
	out->dns.response = false;
	out->quic_version = 0;
	out->mining = false;
	out->stratum = (struct stratum_facts){ 0 };
	out->tunnelled = false;
	out->consumed = 0;
	out->again = AGAIN_NO;
	out->next = APP_UNKNOWN;
}

enum inspect_result inspect_stream(const struct inspect_input *in, struct facts *out)
{
	enum inspect_result best = INSPECT_NO, r;
	struct inspect_input all = *in;
	size_t used = in->scratch->used, i;

	inspect_reset(out);
	if (!all.len)
		return all.ended ? INSPECT_NO : INSPECT_MORE;
	if (all.len >= INSPECT_BYTES_MAX) {
		all.len = INSPECT_BYTES_MAX;
		all.ended = true;
	}
	for (i = 0; i < sizeof(inspectors) / sizeof(inspectors[0]); i++) {
		if (in->only != APP_UNKNOWN && in->only != inspectors[i].app)
			continue;
		r = inspectors[i].inspect(&all, out);
		if (r == INSPECT_MATCH)
			return r;
		inspect_reset(out);
		in->scratch->used = used;
		if (r == INSPECT_MORE || (r == INSPECT_BAD && best == INSPECT_NO))
			best = r;
	}
	return best;
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
