// SPDX-License-Identifier: GPL-2.0-or-later
/* Flows that were found harmless but show signs of mining stay watched: their client's packets go on coming to the queue, and
 * what their lengths tell is added up. An ordinary flow never gets here twice. */
#include "daemon/suspect.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/step.h"
#include "daemon/watch.h"
#include "inspect/ja4.h"

/* Flows watched at a time; the one watched longest gives way. A watched flow has no SNI, which few have. */
#define WATCHED_MAX 512

struct suspects {
	struct score *score;
	uint16_t hand;
	struct suspect {
		struct flow_key key;	/* whose it is: a flow forgotten takes nothing along */
		bool used;
		unsigned marks;		/* told already */
		struct watch watch;
	} all[WATCHED_MAX];
};

struct suspects *suspects_new(struct score *score)
{
	struct suspects *all = calloc(1, sizeof(*all));

	if (all)
		all->score = score;
	return all;
}

void suspects_free(struct suspects *all)
{
	free(all);
}

static struct suspect *suspect_of(struct suspects *all, const struct flow *f)
{
	struct suspect *x = f->watch ? &all->all[f->watch - 1] : NULL;

	return x && x->used && !memcmp(&x->key, &f->key, sizeof(x->key)) ? x : NULL;
}

static struct suspect *take_place(struct suspects *all, struct flow *f)
{
	struct suspect *x = &all->all[all->hand];

	f->watch = ++all->hand;
	all->hand %= WATCHED_MAX;
	memset(x, 0, sizeof(*x));
	x->key = f->key;
	x->used = true;
	return x;
}

static void give_up(struct flow *f, struct suspect *x)
{
	x->used = false;
	f->watch = 0;
}

/* What XMRig's own builds send, by OpenSSL 3.0 without a server name (PROTOCOLS 3.2). Other programs do, too. */
static bool is_fingerprint(struct view hello)
{
	char text[JA4_TEXT];

	return ja4_text(text, hello, false) && !strcmp(text, "t13i310900_e8f1e7e78f70_1f22a2ca17c4");
}

/* A ClientHello that names nobody and offers no protocol, as miners' do. */
static struct suspect *begin_tls(struct step *s, unsigned *marks)
{
	struct suspect *x = take_place(s->p->suspects, s->flow);

	watch_tls(&x->watch, s->packet, s->side->stream.base + s->side->told, s->now_ms);
	*marks = 1u << MARK_NO_SNI | 1u << MARK_NO_ALPN;
	if (score_pool_port(s->out.subject.dport))
		*marks |= 1u << MARK_PORT;
	if (s->telling)
		*marks |= 1u << MARK_LEARNT_NAME;
	if (is_fingerprint(s->p->found.tls_hello))
		*marks |= 1u << MARK_FINGERPRINT;
	*marks |= score_attempt(s->p->suspects->score, &s->out.subject, s->now_ms);
	return x;
}

static struct suspect *begin_noise(struct step *s)
{
	struct watch w;
	struct suspect *x;

	if (!watch_noise(&w, s->packet, s->now_ms))
		return NULL;
	x = take_place(s->p->suspects, s->flow);
	x->watch = w;
	return x;
}

/* Is this flow worth watching from now on? */
static struct suspect *begin(struct step *s, unsigned *marks)
{
	const struct flow *f = s->flow;

	if (s->packet->tcp_flags & PACKET_SYN || s->packet->checksum == CHECKSUM_BAD)
		return NULL;
	if (f->state == FLOW_CLEARED && s->out.reason == REASON_NO_SNI && !s->p->found.tls_alpn)
		return begin_tls(s, marks);
	if (f->state == FLOW_INSPECTING && f->app == APP_UNKNOWN && !s->wanted && s->side->segments == 1)
		return begin_noise(s);
	return NULL;
}

/* New marks change the sum, and the sum may be a finding. */
static void weigh(struct step *s, struct suspect *x, unsigned marks)
{
	unsigned all = score_add(s->p->suspects->score, &s->out.subject, marks & ~x->marks, s->now_ms);
	struct decision d;

	if (all == x->marks)
		return;
	x->marks = all;
	d = policy_decide_score(s->p->policy, &s->out.subject, score_points(all));
	s->out.marks = all;
	step_act(s, &d);
}

/* A finding that was only reported is watched on where more signs would block it. */
static bool may_block(const struct step *s)
{
	const struct settings *settings = policy_settings(s->p->policy);

	return settings->score_block && settings->mode == MODE_ENFORCE;
}

void suspect_look(struct step *s)
{
	struct flow *f = s->flow;
	struct suspect *x = suspect_of(s->p->suspects, f);
	unsigned marks = 0;
	bool over = false;

	if (x)
		marks = watch_packet(&x->watch, s->packet, s->now_ms, &over);
	else if (!f->older && !f->reported && s->p->suspects->score && policy_scores(s->p->policy))
		x = begin(s, &marks);
	if (!x)
		return;
	if (marks & ~x->marks && f->state != FLOW_BLOCKED)
		weigh(s, x, marks | x->marks);
	/* A Noise handshake is nobody's protocol that is known. */
	over |= x->watch.kind == WATCH_NOISE && f->app != APP_UNKNOWN;
	if (over || f->state == FLOW_BLOCKED || f->state == FLOW_EXEMPT || (f->reported && !may_block(s)))
		give_up(f, x);
	else if (s->out.verdict == VERDICT_CLEAR || s->out.verdict == VERDICT_PASS)
		s->out.verdict = VERDICT_ACCEPT;
}
