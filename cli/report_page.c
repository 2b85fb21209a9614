/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report as one page: no script, nothing loaded, and a policy in it that forbids both. Whatever came from the log is
 * text to it, never markup. */
#include <nettle/base64.h>
#include <nettle/sha2.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/event_line.h"
#include "cli/report.h"
#include "daemon/escape.h"

static const char style[] =
	":root{color-scheme:light dark;--back:#fff;--card:#f5f7f9;--ink:#1b1f24;--soft:#56606b;--line:#d5dbe1;--stopped:#2463a8;"
	"--through:#c4620a;--bad:#b3261e}"
	"@media (prefers-color-scheme:dark){:root{--back:#13171c;--card:#1c2229;--ink:#e8ebee;--soft:#a3aeb9;--line:#333c46;"
	"--stopped:#6fb0f2;--through:#f2a65a;--bad:#ff8a80}}"
	"*{box-sizing:border-box}"
	"body{margin:0 auto;padding:1rem;max-width:60rem;background:var(--back);color:var(--ink);font:1rem/1.5 system-ui,sans-serif;"
	"overflow-wrap:anywhere}"
	"h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.15rem;margin:2rem 0 .6rem}h3{font-size:1rem;margin:0}"
	"p{margin:.4rem 0}.soft{color:var(--soft)}.bad{color:var(--bad);font-weight:600}"
	".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.3rem,1fr));gap:.6rem;margin:1rem 0}"
	".tile,.device{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.7rem .9rem}"
	".tile b{display:block;font-size:1.5rem;line-height:1.2}.device{margin:.6rem 0}"
	"svg{display:block;width:100%;max-width:46rem;height:auto}svg text{font:8px system-ui,sans-serif;fill:var(--soft)}"
	".grid{stroke:var(--line);stroke-width:.5}.stopped{fill:var(--stopped)}.through{fill:var(--through)}.touch{fill:transparent}"
	".cell{fill:var(--card);stroke:var(--line);stroke-width:.4}.cell.out{stroke:var(--bad);stroke-width:.7;stroke-dasharray:1.5 1}"
	".q1,.q2,.q3,.q4,.q5{fill:var(--stopped)}.night{fill:var(--bad)}"
	".q1{fill-opacity:.2}.q2{fill-opacity:.4}.q3{fill-opacity:.6}.q4{fill-opacity:.8}"
	".key{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin:0 .3em 0 .8em}"
	".key.stopped{background:var(--stopped)}.key.through{background:var(--through)}.key.night{background:var(--bad)}"
	".wide{overflow-x:auto}table{border-collapse:collapse;width:100%}"
	"th,td{text-align:left;vertical-align:top;padding:.35rem .8rem .35rem 0;border-bottom:1px solid var(--line)}"
	"th{color:var(--soft);font-weight:600;font-size:.9rem}.n{text-align:right;white-space:nowrap}td.t{white-space:nowrap}"
	"ul,ol{margin:.4rem 0;padding-left:1.3rem}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .9rem;margin:.4rem 0}"
	"dt{color:var(--soft)}dd{margin:0}"
	"@media print{:root{color-scheme:light;--back:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#aaa;--stopped:#2463a8;--through:#c4620a;"
	"--bad:#b3261e}body{max-width:none;font-size:10pt}h2{break-after:avoid}.device,tr,svg,.tile{break-inside:avoid}"
	"*{print-color-adjust:exact;-webkit-print-color-adjust:exact}.wide{overflow:visible}}";

void report_text(FILE *out, const char *text)
{
	escape_puts(out, ESCAPE_HTML, text);
}

const char *report_number(char to[REPORT_NUMBER_MAX], uint64_t n)
{
	char plain[24];
	int len = snprintf(plain, sizeof(plain), "%llu", (unsigned long long)n);
	char *p = to;

	for (int i = 0; i < len; i++) {
		*p++ = plain[i];
		if ((len - i) % 3 == 1 && i + 1 < len)
			*p++ = ' ';
	}
	*p = '\0';
	return to;
}

static void put_number(FILE *out, uint64_t n)
{
	char text[REPORT_NUMBER_MAX];

	fputs(report_number(text, n), out);
}

static void put_when(FILE *out, int64_t us)
{
	char text[32];
	struct tm tm;
	time_t t = (time_t)(us / 1000000);

	if (!us || !localtime_r(&t, &tm)) {
		fputs("not known", out);
		return;
	}
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm);
	fputs(text, out);
}

static void tile(FILE *out, uint64_t n, const char *what, bool bad)
{
	fprintf(out, "<div class=\"tile\"><b%s>", bad ? " class=\"bad\"" : "");
	put_number(out, n);
	fprintf(out, "</b>%s</div>\n", what);
}

/* Nothing but this page's own style may take effect, by its hash. */
static void head(FILE *out, const struct report *r)
{
	struct sha256_ctx ctx;
	uint8_t digest[SHA256_DIGEST_SIZE];
	char hash[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE) + 1] = "";

	sha256_init(&ctx);
	sha256_update(&ctx, sizeof(style) - 1, (const uint8_t *)style);
	sha256_digest(&ctx, sizeof(digest), digest);
	base64_encode_raw(hash, sizeof(digest), digest);
	fprintf(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-%s'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n"
		"<title>minewall report", hash);
	if (*r->host) {
		fputs(" of ", out);
		report_text(out, r->host);
	}
	fprintf(out, "</title>\n<style>%s</style>\n</head>\n<body>\n", style);
}

static void summary(FILE *out, const struct report *r)
{
	const struct tally *t = r->tally;

	fputs("<h1>Who tried to mine", out);
	if (*r->host) {
		fputs(" behind ", out);
		report_text(out, r->host);
	}
	fputs("</h1>\n<p class=\"soft\">", out);
	put_when(out, r->since_us);
	fputs(" to ", out);
	put_when(out, r->until_us);
	fprintf(out, " &middot; minewall %s &middot; mode %s</p>\n<div class=\"tiles\">\n", MINEWALL_VERSION,
		policy_settings(r->policy)->mode == MODE_ENFORCE ? "enforce" : "monitor: nothing is stopped");
	tile(out, t->n_devices, t->n_devices == 1 ? "device" : "devices", t->n_devices > 0);
	tile(out, t->all.blocked, "attempts stopped", false);
	tile(out, t->all.allowed, "let through", t->all.allowed > 0);
	tile(out, t->kernel, "of all by the kernel alone", false);
	if (t->hours)
		tile(out, t->outside, "outside the hours", t->outside > 0);
	tile(out, r->unprotected_s, "seconds unprotected", r->unprotected_s > 0);
	fputs("</div>\n", out);
	if (!t->findings)
		fputs("<p>Nothing was found in this time.</p>\n", out);
	if (t->undated) {
		fputs("<p>", out);
		put_number(out, t->undated);
		fputs(" attempts were seen before the clock was set: they are counted, and on no chart.</p>\n", out);
	}
}

static void charts(FILE *out, const struct report *r)
{
	if (!r->tally->findings)
		return;
	fputs("<h2>Attempts over time</h2>\n<p class=\"soft\"><span class=\"key stopped\"></span>stopped<span class=\"key through\"></span>let "
	      "through</p>\n", out);
	report_chart(out, r);
	fputs("<h2>By hour and weekday</h2>\n<p class=\"soft\">The darker, the more attempts.", out);
	fputs(r->tally->hours ? "<span class=\"key night\"></span>outside the hours of the house</p>\n" :
	      " <code>hours:</code> in the policy marks what lies outside the hours of the house.</p>\n", out);
	report_week(out, r);
}

static void entry(FILE *out, const char *what, const char *text)
{
	if (!*text)
		return;
	fprintf(out, "<dt>%s</dt><dd>", what);
	report_text(out, text);
	fputs("</dd>", out);
}

/* "#3 open, serious, since ..."; what the processor says of it; who shares its payee. */
static void device_incident(FILE *out, const json_t *i)
{
	const json_t *others = json_object_get(i, "same_payee");
	char load[INCIDENTS_LOAD_MAX];
	json_t *one;
	size_t k;

	fprintf(out, "<dt>incident</dt><dd>#%lld <span%s>", (long long)json_integer_value(json_object_get(i, "id")),
		strcmp(event_text(i, NULL, "state"), "cleaned") ? " class=\"bad\"" : "");
	report_text(out, event_text(i, NULL, "state"));
	fputs("</span>, ", out);
	report_text(out, event_text(i, NULL, "level"));
	fputs(", from ", out);
	put_when(out, json_integer_value(json_object_get(i, "first_s")) * 1000000);
	fputs(" to ", out);
	put_when(out, json_integer_value(json_object_get(i, "last_s")) * 1000000);
	if (json_integer_value(json_object_get(i, "reopened")) > 0) {
		fputs(", times it came back: ", out);
		put_number(out, (uint64_t)json_integer_value(json_object_get(i, "reopened")));
	}
	fputs(json_array_size(others) ? ", same payee as" : "", out);
	json_array_foreach(others, k, one)
		fprintf(out, " #%lld", (long long)json_integer_value(one));
	fputs("</dd>", out);
	entry(out, "load", incidents_load(load, i));
	entry(out, "note", event_text(i, NULL, "note"));
}

static void device_facts(FILE *out, const struct report *r, const struct tally_device *d, const json_t *incident)
{
	fputs("<dl><dt>attempts</dt><dd>", out);
	put_number(out, d->count.blocked);
	fputs(" stopped", out);
	if (d->count.allowed) {
		fputs(", <span class=\"bad\">", out);
		put_number(out, d->count.allowed);
		fputs(" let through</span>", out);
	}
	if (d->outside) {
		fputs(", <span class=\"bad\">", out);
		put_number(out, d->outside);
		fputs(" outside the hours</span>", out);
	}
	fputs("</dd><dt>seen</dt><dd>", out);
	put_when(out, d->count.first_us);
	fputs(" to ", out);
	put_when(out, d->count.last_us);
	fputs("</dd>", out);
	if (d->n_addresses && (d->has_mac || d->n_addresses > 1)) {
		fputs("<dt>address</dt><dd>", out);
		for (unsigned i = 0; i < d->n_addresses; i++) {
			fputs(i ? ", " : "", out);
			report_text(out, d->addresses[i]);
		}
		fputs("</dd>", out);
	}
	if (incident)
		device_incident(out, incident);
	entry(out, "speaks", d->dialect);
	entry(out, "program", d->agent);
	if (d->pools[0].pool)
		fputs("<dt>pools</dt><dd>", out);
	for (int i = 0; i < TALLY_DEVICE_POOLS && d->pools[i].pool; i++) {
		fputs(i ? ", " : "", out);
		report_text(out, r->tally->pools[d->pools[i].pool - 1].key);
	}
	fputs(d->pools[0].pool ? "</dd></dl>\n" : "</dl>\n", out);
}

static void device(FILE *out, const struct report *r, const struct tally_device *d)
{
	const char *advice[REPORT_ADVICE_MAX];
	const json_t *incident = report_incident(r, d);
	const char *name = *d->name ? d->name : event_text(incident, NULL, "name");
	size_t n = report_advice(r, d, advice);

	fputs("<section class=\"device\"><h3>", out);
	if (*name) {
		report_text(out, name);
		fputs(" <span class=\"soft\">", out);
	}
	report_text(out, d->key);
	fputs(*name ? "</span>" : "", out);
	if (*d->gateway) {
		fputs(" <span class=\"soft\">behind ", out);
		report_text(out, d->gateway);
		fputs("</span>", out);
	}
	fputs("</h3>\n", out);
	device_facts(out, r, d, incident);
	if (n)
		fputs("<p><b>What to do</b></p><ol>", out);
	for (size_t i = 0; i < n; i++) {
		fputs("<li>", out);
		report_text(out, advice[i]);
		fputs("</li>", out);
	}
	fputs(n ? "</ol></section>\n" : "</section>\n", out);
}

static void more(FILE *out, size_t n, const char *what, uint64_t beyond)
{
	if (n > REPORT_ROWS)
		fprintf(out, "<p class=\"soft\">And %zu %s more: <code>minewall report --json</code> has them all.</p>\n", n - REPORT_ROWS, what);
	if (beyond)
		fprintf(out, "<p class=\"soft\">%llu attempts are of %s that there was no room for.</p>\n", (unsigned long long)beyond, what);
}

/* Without the incidents the page must not look as if there were none. */
static void incidents_said(FILE *out, const struct report *r)
{
	size_t others = report_others_waiting(r);

	if (!r->incidents.list) {
		fputs("<p class=\"soft\">Their incidents are not shown: ", out);
		report_text(out, r->incidents.why);
		fputs(".</p>\n", out);
		return;
	}
	if (r->incidents.from_file)
		fputs("<p class=\"soft\">The reporter does not answer: the incidents are as it wrote them last.</p>\n", out);
	if (others)
		fprintf(out, "<p>%zu incident%s of other devices, which tried nothing in this time, wait%s for somebody: <code>minewall "
			"incidents</code>.</p>\n", others, others == 1 ? "" : "s", others == 1 ? "s" : "");
}

static void devices(FILE *out, const struct report *r)
{
	const struct tally *t = r->tally;
	uint32_t *order = TALLY_WORST(t, devices);

	if (t->n_devices)
		fputs("<h2>Devices</h2>\n", out);
	for (size_t i = 0; order && i < t->n_devices && i < REPORT_ROWS; i++)
		device(out, r, &t->devices[order[i]]);
	more(out, t->n_devices, "devices", t->other_devices);
	incidents_said(out, r);
	free(order);
}

/* Only where several machines wrote the log. */
static void gateways(FILE *out, const struct report *r)
{
	const struct tally *t = r->tally;
	uint32_t *order = TALLY_WORST(t, gateways);

	if (t->n_gateways)
		fputs("<h2>Gateways</h2>\n<div class=\"wide\"><table><tr><th>name</th><th class=\"n\">stopped</th><th class=\"n\">let through</th>"
		      "<th class=\"n\">devices</th><th class=\"n\">seconds unprotected</th><th>last attempt</th></tr>\n", out);
	for (size_t i = 0; order && i < t->n_gateways && i < REPORT_ROWS; i++) {
		const struct tally_gateway *g = &t->gateways[order[i]];
		const uint64_t numbers[] = { g->count.blocked, g->count.allowed, g->devices, g->seconds };

		fputs("<tr><td>", out);
		report_text(out, g->key);
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++) {
			fputs("</td><td class=\"n\">", out);
			put_number(out, numbers[k]);
		}
		fputs("</td><td class=\"t\">", out);
		put_when(out, g->count.last_us);
		fputs("</td></tr>\n", out);
	}
	if (t->n_gateways)
		fputs("</table></div>\n", out);
	more(out, t->n_gateways, "gateways", 0);
	free(order);
}

static void pools(FILE *out, const struct report *r)
{
	const struct tally *t = r->tally;
	uint32_t *order = TALLY_WORST(t, pools);

	if (t->n_pools)
		fputs("<h2>Pools</h2>\n<div class=\"wide\"><table><tr><th>name or address</th><th class=\"n\">attempts</th><th class=\"n\">devices</th>"
		      "<th>last</th></tr>\n", out);
	for (size_t i = 0; order && i < t->n_pools && i < REPORT_ROWS; i++) {
		const struct tally_pool *p = &t->pools[order[i]];

		fputs("<tr><td>", out);
		report_text(out, p->key);
		fputs("</td><td class=\"n\">", out);
		put_number(out, tally_attempts(&p->count));
		fputs("</td><td class=\"n\">", out);
		put_number(out, p->devices);
		fputs("</td><td class=\"t\">", out);
		put_when(out, p->count.last_us);
		fputs("</td></tr>\n", out);
	}
	if (t->n_pools)
		fputs("</table></div>\n", out);
	more(out, t->n_pools, "pools", t->other_pools);
	free(order);
}

/* The devices of one wallet, as they are called above. */
static void wallet_devices(FILE *out, const struct tally *t, const struct tally_wallet *w)
{
	unsigned shown = 0;

	for (size_t i = 0; i < t->n_devices; i++) {
		const struct tally_device *d = &t->devices[i];

		if (!(w->seen[i / 64] >> i % 64 & 1))
			continue;
		if (shown == 20) {
			fprintf(out, " and %u more", w->devices - shown);
			return;
		}
		fputs(shown++ ? ", " : "", out);
		report_text(out, *d->name ? d->name : d->n_addresses ? d->addresses[0] : d->key);
		fputs(*d->gateway ? " behind " : "", out);
		report_text(out, d->gateway);
	}
}

static void campaigns(FILE *out, const struct report *r)
{
	const struct tally *t = r->tally;
	uint32_t *order = TALLY_WORST(t, wallets);
	size_t n = 0;

	for (size_t i = 0; order && i < t->n_wallets && n < REPORT_ROWS; i++) {
		const struct tally_wallet *w = &t->wallets[order[i]];

		if (!report_is_campaign(w))
			continue;
		if (!n++)
			fputs("<h2>Campaigns</h2>\n<p>Several devices mine for one wallet: whoever got into one got into all of them.</p>\n"
			      "<div class=\"wide\"><table><tr><th>wallet, as keyed hash</th><th class=\"n\">attempts</th><th>devices</th></tr>\n", out);
		fputs("<tr><td>#", out);
		report_text(out, w->key);
		fputs("</td><td class=\"n\">", out);
		put_number(out, tally_attempts(&w->count));
		fputs("</td><td>", out);
		wallet_devices(out, t, w);
		fputs("</td></tr>\n", out);
	}
	if (n)
		fputs("</table></div>\n", out);
	free(order);
}

static void list_row(FILE *out, const struct report_list *l)
{
	char age[CLI_AGE_MAX];

	fputs("<tr><td>", out);
	report_text(out, l->name);
	fputs("</td><td class=\"n\">", out);
	fputs(l->age_s < 0 ? "no file" : cli_age(age, l->age_s), out);
	fputs("</td><td class=\"n\">", out);
	if (l->hits >= 0)
		put_number(out, (uint64_t)l->hits);
	else
		fputs("not known", out);
	fputs(!l->old ? "</td><td>good</td></tr>\n" : l->age_s < 0 ? "</td><td class=\"bad\">missing</td></tr>\n" :
	      "</td><td class=\"bad\">too old: <code>minewall lists update</code></td></tr>\n", out);
}

static void lists(FILE *out, const struct report *r)
{
	const struct list_source *sources;
	size_t n = policy_sources(r->policy, &sources);

	fputs("<h2>Lists</h2>\n", out);
	if (!n)
		fputs("<p>The policy names no list: pools are known by the protocol alone, and by the policy's own names.</p>\n", out);
	else
		fputs("<div class=\"wide\"><table><tr><th>list</th><th class=\"n\">age</th><th class=\"n\">caught since the start</th><th></th></tr>\n", out);
	for (size_t i = 0; i < n; i++) {
		struct report_list l = report_list_of(r, &sources[i]);

		list_row(out, &l);
	}
	if (n)
		fputs("</table></div>\n", out);
}

static void blind_hosts(FILE *out, const json_t *hosts)
{
	const char *reason;
	json_t *host, *value;
	size_t i;

	json_array_foreach(hosts, i, host) {
		if (i == 10)
			break;
		fputs("<li>not seen into: ", out);
		report_text(out, json_string_value(json_object_get(host, "host")) ? json_string_value(json_object_get(host, "host")) : "?");
		json_object_foreach(host, reason, value)
			if (json_is_integer(value)) {
				fputs(", ", out);
				report_text(out, reason);
				fprintf(out, " %lld", (long long)json_integer_value(value));
			}
		fputs("</li>\n", out);
	}
}

static void not_seen(FILE *out, const struct report *r)
{
	const char *blind = json_string_value(json_object_get(r->status, "blind")), *reason;
	json_t *value;

	fputs("<h2>What was not seen</h2>\n", out);
	if (!r->status) {
		fputs("<p class=\"bad\">The daemon does not run now: nothing is judged, and what it could not see is not known.</p>\n", out);
		return;
	}
	fputs("<ul>\n", out);
	if (blind) {
		fputs("<li class=\"bad\">flows that are hidden from every rule: ", out);
		report_text(out, blind);
		fputs("</li>\n", out);
	}
	json_object_foreach(json_object_get(r->status, "reasons"), reason, value)
		if (json_integer_value(value)) {
			fputs("<li>", out);
			put_number(out, (uint64_t)json_integer_value(value));
			fputs(" flows let go: ", out);
			report_text(out, reason);
			fputs("</li>\n", out);
		}
	blind_hosts(out, json_object_get(r->status, "blind_hosts"));
	fputs("<li>what is inside of VPNs and encrypted proxies, and mining inside of TLS to a name that no list has</li>\n</ul>\n", out);
}

static void protection(FILE *out, const struct report *r)
{
	const struct tally *t = r->tally;

	if (!t->n_notes)
		return;
	fputs("<h2>The protection itself</h2>\n<div class=\"wide\"><table><tr><th>what</th><th class=\"n\">times</th><th class=\"n\">seconds unprotected</th>"
	      "<th>last</th></tr>\n", out);
	for (size_t i = 0; i < t->n_notes; i++) {
		fputs("<tr><td>", out);
		report_text(out, t->notes[i].event);
		fputs("<br><span class=\"soft\">", out);
		report_text(out, t->notes[i].detail);
		fputs("</span></td><td class=\"n\">", out);
		put_number(out, tally_attempts(&t->notes[i].count));
		fputs("</td><td class=\"n\">", out);
		put_number(out, t->notes[i].seconds);
		fputs("</td><td class=\"t\">", out);
		put_when(out, t->notes[i].count.last_us);
		fputs("</td></tr>\n", out);
	}
	fputs("</table></div>\n", out);
}

void report_page(FILE *out, const struct report *r)
{
	head(out, r);
	summary(out, r);
	charts(out, r);
	gateways(out, r);
	devices(out, r);
	campaigns(out, r);
	pools(out, r);
	protection(out, r);
	not_seen(out, r);
	lists(out, r);
	fputs("<p class=\"soft\">Wallets stand here as keyed hashes. An attempt that the kernel stopped by itself is a packet.</p>\n</body>\n</html>\n",
	      out);
}
