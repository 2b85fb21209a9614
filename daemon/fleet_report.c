/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the fleet stands, as JSON for `minewall fleet`, `status` and the figures. */
#ifdef HAVE_FLEET

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/beside.h"
#include "daemon/fleet_work.h"

/* Gateways in one report: more are counted, those that are believed come first. */
#define LISTED_MAX 1024

static json_t *refused_json(const uint64_t *refused, bool zeros)
{
	json_t *j = json_object();

	for (int r = HINT_REFUSED; r < HINT_RESULTS; r++)
		if (zeros || refused[r])
			json_object_set_new(j, hint_result_text((enum hint_result)r), json_integer((json_int_t)refused[r]));
	return j;
}

static json_t *gateway_json(const struct hint_gateway *g)
{
	json_t *j = json_pack("{s:s, s:s, s:b, s:i, s:i, s:I, s:o}", "name", g->name, "key", g->revoked ? "revoked" : g->trusted ? "good" : "gone",
			      "online", g->online, "hints", (int)g->live, "remembered", (int)g->hints, "accepted", (json_int_t)g->accepted,
			      "refused", refused_json(g->refused, false));

	if (g->lag_s >= 0)
		json_object_set_new(j, "lag_s", json_integer((json_int_t)g->lag_s));
	if (g->last_s)
		json_object_set_new(j, "last_s", json_integer((json_int_t)g->last_s));
	if (g->online)
		json_object_set_new(j, "since_s", json_integer((json_int_t)g->since_s));
	return j;
}

static json_t *gateways_json(const struct hints *h, size_t most)
{
	json_t *all = json_array();

	for (int trusted = 1; trusted >= 0; trusted--)
		for (size_t i = 0; i < hints_gateways(h) && json_array_size(all) < most; i++)
			if (hints_gateway(h, i)->trusted == (trusted == 1))
				json_array_append_new(all, gateway_json(hints_gateway(h, i)));
	return all;
}

static json_t *log_json(const struct fleet_work *w)
{
	size_t n = w->n_log < FLEET_LOG_MAX ? w->n_log : FLEET_LOG_MAX;
	char text[HINT_ENDPOINT_TEXT];
	json_t *all = json_array();

	for (size_t i = w->n_log - n; i < w->n_log; i++) {
		const struct fleet_log *l = &w->log[i % FLEET_LOG_MAX];
		json_t *j = json_pack("{s:I, s:s, s:s}", "when_s", (json_int_t)l->when_s, "gateway", l->seen.gateway, "result",
				      hint_result_text(l->result));

		if (l->seen.has_endpoint)
			json_object_set_new(j, "endpoint", json_string(hint_endpoint_text(text, &l->seen.at)));
		json_array_append_new(all, j);
	}
	return all;
}

static json_t *report_json(const struct fleet_work *w, int64_t now_s, size_t most)
{
	static const char *const roles[] = { [FLEET_BOTH] = "both", [FLEET_TEACH] = "teach", [FLEET_LEARN] = "learn" };
	const struct fleet_policy *p = &w->settings.policy;
	struct hints_figures f;
	size_t stored, own = fleet_own_count(w->own, &stored);
	json_t *j;

	hints_figures(w->hints, now_s, &f);
	j = json_pack("{s:s, s:i, s:b, s:b, s:s, s:s, s:s, s:b}", "broker", p->host, "port", p->port, "connected",
		      fleet_client_connected(w->client), "synced", w->synced, "site", p->site, "gateway", w->gateway, "role",
		      roles[p->role], "own_key", w->has_seed);
	if (!j)
		return NULL;
	json_object_set_new(j, "losses", json_integer((json_int_t)w->losses));
	if (fleet_client_connected(w->client))
		json_object_set_new(j, "since_s", json_integer((json_int_t)w->connected_s));
	else if (*w->error)
		json_object_set_new(j, "error", json_string(w->error));
	json_object_set_new(j, "own", json_pack("{s:I, s:I, s:I}", "endpoints", (json_int_t)own, "published", (json_int_t)stored, "refused",
						(json_int_t)w->refused));
	json_object_set_new(j, "hints", json_integer((json_int_t)f.hints));
	json_object_set_new(j, "endpoints", json_integer((json_int_t)f.endpoints));
	json_object_set_new(j, "confirmed", json_integer((json_int_t)f.confirmed));
	json_object_set_new(j, "watched", json_integer((json_int_t)f.watched));
	json_object_set_new(j, "accepted", json_integer((json_int_t)f.accepted));
	json_object_set_new(j, "refused", refused_json(f.refused, true));
	if (f.lag_s >= 0)
		json_object_set_new(j, "lag_s", json_integer((json_int_t)f.lag_s));
	json_object_set_new(j, "known", json_integer((json_int_t)f.gateways));
	json_object_set_new(j, "online", json_integer((json_int_t)f.online));
	json_object_set_new(j, "gateways", gateways_json(w->hints, most));
	json_object_set_new(j, "log", log_json(w));
	return j;
}

char *fleet_report(const struct fleet_work *w, int64_t now_s, size_t *len)
{
	char *text = NULL;

	for (size_t most = LISTED_MAX; most; most /= 2) {
		json_t *j = report_json(w, now_s, most);

		free(text);
		text = j ? json_dumps(j, JSON_COMPACT) : NULL;
		json_decref(j);
		*len = text ? strlen(text) : 0;
		if (*len < BESIDE_BYTES_MAX)
			break;
	}
	return text;
}

#endif
