/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Judging: a message's facts go to the policy, and what it says becomes the flow's state and the packet's
 * outcome. */
#include "daemon/step.h"

#include <netinet/in.h>
#include <string.h>

/* Messages read in one direction of a flow: HTTP heads on a kept-alive connection, proxies inside proxies. */
#define HEADS_MAX 16
/* Tunnels inside each other that are entered; each costs a whole look at what is inside, and nobody honest needs more. */
#define TUNNELS_MAX 4
/* Unknown bytes behind which Stratum may start in a segment of its own. */
#define PRELUDE_BYTES_MAX 256
/* Lines of text that a pool's parser may pass over as errors; a mail has more before its text. */
#define JUNK_LINES_MAX 2

/* Nothing was found that a rule about names or protocols could speak of: then it is the turn of one about addresses that had to wait
 * for it. True: the flow is blocked. */
static bool rest_blocks(struct step *s)
{
	struct decision rest;

	if (s->flow->state != FLOW_INSPECTING || s->flow->ruled)
		return false;
	rest = policy_decide_rest(s->p->policy, &s->out.subject);
	return step_act(s, &rest);
}

void step_clear(struct step *s, enum reason reason)
{
	if (s->packet->tcp_flags & PACKET_SYN) {
		s->side->next = 0;
		s->side->only = APP_UNKNOWN;
		s->side->heads = s->side->tunnels = s->side->seen = 0;
		return;
	}
	if (reason != REASON_EXEMPT && rest_blocks(s))
		return;
	if (s->flow->state == FLOW_INSPECTING)
		s->out.reason = reason;
	s->side->done = true;
	s->flow->state = FLOW_CLEARED;
	s->out.verdict = VERDICT_CLEAR;
}

void step_resume(struct step *s)
{
	if (s->flow->state != FLOW_CLEARED)
		return;
	s->flow->state = FLOW_INSPECTING;
	s->out.verdict = VERDICT_RESUME;
}

void step_block(struct step *s, enum reason reason)
{
	flow_clear_streams(s->p->flows, s->flow);
	if (s->packet->proto == IPPROTO_TCP && s->flow->side[s->flow->recent].end_seq == 0)
		s->flow->side[s->flow->recent].end_seq = s->packet->seq + (uint32_t)s->packet->payload_len;
	s->flow->state = FLOW_BLOCKED;
	s->out.reason = reason;
	s->out.verdict = VERDICT_BLOCK;
}

bool step_act(struct step *s, const struct decision *d)
{
	if (d->action != ACTION_BLOCK && d->action != ACTION_MONITOR)
		return false;
	if (s->flow->app == APP_DNS && d->name && d->name->kind == NAME_DNS ? lookup_news(s, d, true, &s->out.repeats) :
	    !s->flow->reported || d->action == ACTION_BLOCK) {
		s->flow->reported = true;
		s->out.event = true;
		s->out.decision = *d;
	}
	if (d->action == ACTION_MONITOR)
		return false;
	step_block(s, REASON_NONE);
	if (d->silent) {
		s->flow->silent = true;
		s->out.verdict = VERDICT_DROP;
	}
	return true;
}

bool step_judge_address(struct step *s)
{
	struct decision d = policy_decide_address(s->p->policy, &s->out.subject);

	if (d.action == ACTION_ALLOW) {
		s->flow->state = FLOW_EXEMPT;
		s->out.reason = REASON_EXEMPT;
		s->out.verdict = VERDICT_CLEAR;
		return true;
	}
	return step_act(s, &d);
}

/* Adds the message's names and mining facts to those of the packet; the decision's name moves along. */
static void collect(struct step *s, uint32_t start, struct decision *d)
{
	struct facts *all = &s->p->found, *m = &s->p->message;
	unsigned first = all->n_names, n = start < s->side->told ? 0 : m->n_names;
	ptrdiff_t decided = d->name ? d->name - m->names : -1;

	d->name = NULL;
	for (unsigned i = 0; i < n && all->n_names < FACTS_NAMES_MAX; i++)
		all->names[all->n_names++] = m->names[i];
	all->names_lost |= m->names_lost || first + n > FACTS_NAMES_MAX;
	if (decided >= 0) {
		if (first + decided >= all->n_names || n == 0) {
			/* already told: it still is what decides */
			first = all->n_names < FACTS_NAMES_MAX ? all->n_names : FACTS_NAMES_MAX - 1;
			all->names[first] = m->names[decided];
			decided = 0;
		}
		d->name = &all->names[first + decided];
	}
	all->app = m->app;
	all->tls_version = m->tls_version ? m->tls_version : all->tls_version;
	all->tls_ech |= m->tls_ech;
	all->tls_alpn |= m->tls_alpn;
	all->tls_hello = m->tls_hello.len ? m->tls_hello : all->tls_hello;
	all->quic_version = m->quic_version ? m->quic_version : all->quic_version;
	/* the first of several stands, but not in front of a worse one */
	if (m->mining && (!all->mining || (all->stratum.kind != MINING_STRATUM && m->stratum.kind == MINING_STRATUM))) {
		all->mining = true;
		all->stratum = m->stratum;
	}
}

/* A policy that comes later will ask for the names of what was accepted. */
static void remember_names(struct step *s, uint32_t start)
{
	const struct facts *m = &s->p->message;

	/* What was asked of a resolver is over. */
	if (m->app == APP_DNS)
		return;
	for (unsigned i = 0; start >= s->side->told && i < m->n_names; i++)
		if (m->names[i].matchable)
			flow_note_name(s->p->flows, s->flow, (uint8_t)m->names[i].kind, m->names[i].host.p, m->names[i].host.len);
}

static enum reason reason_of(const struct step *s, const struct facts *m)
{
	if (s->flow->older)
		return REASON_OLDER;
	if ((m->app == APP_TLS || m->app == APP_QUIC) && m->n_names == 0)
		return m->tls_ech ? REASON_ECH : REASON_NO_SNI;
	return REASON_CLEAN;
}

/* An older flow's opener is what connection tracking guessed: a name, or a method that only one side says, tells better. */
static void orient(struct step *s, const struct facts *m)
{
	struct flow *f = s->flow;
	bool reply = s->packet->origin == ORIGIN_OLDER_REPLY;
	bool from_client = m->n_names || (m->mining && m->stratum.sides == DIALECT_FROM_CLIENT);
	bool from_server = m->mining && m->stratum.sides == DIALECT_FROM_SERVER;

	if (!f->older || (!from_client && !from_server) || f->turned == (from_client == reply))
		return;
	f->turned = !f->turned;
	/* The packet is the client's, or tells nothing of its link. */
	f->mac_known = from_client && s->packet->mac_known;
	memcpy(f->mac, s->packet->mac, sizeof(f->mac));
	f->interface = from_client ? s->packet->interface : NULL;
	pipeline_describe(&s->out, f, s->packet->when_s);
}

bool step_tunnelled(const struct flow *f)
{
	return f->side[0].tunnels || (f->two && f->side[1].tunnels);
}

/* Goes on inside, unless the tunnel's end is allowed or it is one too many. */
static bool enter_tunnel(struct step *s, const struct decision *d)
{
	if (d->action == ACTION_ALLOW)
		step_clear(s, REASON_EXEMPT);
	else if (s->side->tunnels == TUNNELS_MAX)
		step_clear(s, REASON_DEPTH);
	else
		return ++s->side->tunnels;
	return false;
}

/* A ClientHello that names nobody is judged by the name that its client asked DNS for, if that one speaks against it. */
static struct decision decide(struct step *s)
{
	struct facts *m = &s->p->message;
	bool learnt = m->app == APP_TLS && !m->n_names && !m->tunnelled && lookup_name(s, m);
	struct decision d = policy_decide(s->p->policy, &s->out.subject, m);

	if (!learnt || d.action == ACTION_BLOCK || d.action == ACTION_MONITOR)
		return d;
	s->telling = score_telling_name(m->names[0].host);
	/* A policy that comes later may think otherwise. */
	flow_note_name(s->p->flows, s->flow, NAME_DNS, m->names[0].host.p, m->names[0].host.len);
	m->n_names = 0;
	return (struct decision){ .action = d.name ? ACTION_NONE : d.action, .scope = SCOPE_FLOW };
}

/* May more of these come than HTTP has heads? A resolver's connection carries any number of queries. */
static bool is_lookup(const struct step *s)
{
	return s->p->message.app == APP_DNS && s->flow->key.dport == LOOKUP_PORT;
}

/* Where the next message starts, and what it may be. */
static void read_on(struct step *s, uint32_t start)
{
	const struct facts *m = &s->p->message;
	struct flow_side *side = s->side;

	side->only = m->again == AGAIN_SAME ? m->app : m->again == AGAIN_AS || m->again == AGAIN_WHOLE ? m->next : APP_UNKNOWN;
	if (m->again == AGAIN_WHOLE) {
		side->next = start;
		side->seen++;
	} else {
		side->next = start + (uint32_t)m->consumed;
		side->seen = 0;
	}
}

bool step_judge_message(struct step *s, uint32_t start)
{
	struct facts *m = &s->p->message;
	struct decision d;
	bool exempt;

	orient(s, m);
	m->tunnelled = step_tunnelled(s->flow);
	d = decide(s);
	s->flow->ruled |= m->mining || m->n_names;
	collect(s, start, &d);
	remember_names(s, start);
	s->flow->app = m->app;
	if (m->again != AGAIN_WHOLE && start + m->consumed > s->side->told)
		s->side->told = start + (uint32_t)m->consumed;
	if (step_act(s, &d))
		return false;
	/* what an allowed name's request brings is allowed, too */
	exempt = d.action == ACTION_ALLOW && (m->again == AGAIN_AS || m->again == AGAIN_WHOLE);
	if (exempt)
		m->again = AGAIN_NO;
	s->body = s->side->only == APP_HTTP_BODY;
	read_on(s, start);
	if (exempt) {
		step_clear(s, REASON_EXEMPT);
		return false;
	}
	if (m->again == AGAIN_FRESH && !enter_tunnel(s, &d))
		return false;
	/* An older flow's client may be heard later: only what a client says ends the search. */
	if (m->app == APP_DNS)
		lookup_asked(s, m);
	if (m->again == AGAIN_NO || (!is_lookup(s) && ++s->side->heads >= HEADS_MAX)) {
		if (s->flow->older && m->app == APP_HTTP && m->n_names == 0)
			s->side->done = true;
		else
			step_clear(s, reason_of(s, m));
		return false;
	}
	return m->consumed > 0;
}

/* Does this protocol stand only where another said so? Then bytes that are not its are to be shown to all. */
static bool follows(enum app app)
{
	return app == APP_HTTP || app == APP_HTTP_BODY || app == APP_WEBSOCKET || app == APP_HTTP2;
}

/* Where JSON begins behind a few lines of text, which some pools pass over; 0: nowhere. */
static size_t json_line(const uint8_t *p, size_t len)
{
	size_t at = 0;

	for (unsigned lines = 0; lines < JUNK_LINES_MAX; lines++) {
		const uint8_t *end = memchr(p + at, '\n', len - at);

		for (size_t i = at; end && i < (size_t)(end - p); i++)
			if (p[i] >= 0x7f || (p[i] < 0x20 && p[i] != '\t' && p[i] != '\r'))
				return 0;
		if (!end)
			return 0;
		at = (size_t)(end + 1 - p);
		if (at < len && (p[at] == '{' || p[at] == '['))
			return at;
	}
	return 0;
}

bool step_judge_unknown(struct step *s, uint32_t start, size_t len)
{
	struct flow_side *side = s->side;
	size_t json;

	if (s->flow->older) {
		side->next = start + (uint32_t)len;
		side->only = APP_UNKNOWN;
		side->seen = 0;
	}
	if (s->flow->older || start != side->next)
		return false;
	side->seen = 0;
	if (follows(side->only)) {	/* a request has ended, or its Upgrade was refused: anything may follow */
		side->only = APP_UNKNOWN;
		return true;
	}
	json = side->only == APP_UNKNOWN ? json_line(stream_run(&side->stream, start, &len), len) : 0;
	if (json) {
		side->only = APP_STRATUM;
		side->next = start + (uint32_t)json;
		return true;
	}
	if (side->only == APP_UNKNOWN && (!s->news || s->at <= start)) {
		rest_blocks(s);
		return false;
	}
	if (side->only == APP_UNKNOWN && s->at - start <= PRELUDE_BYTES_MAX) {
		side->only = APP_STRATUM;
		side->next = s->at;
		return true;
	}
	step_clear(s, REASON_UNKNOWN);
	return false;
}
