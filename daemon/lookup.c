// SPDX-License-Identifier: GPL-2.0-or-later
/* Three small tables of fixed size: questions seen, answers over TCP that have not all arrived, findings told. Losing a place
 * costs a lesson or tells something twice; it never changes the verdict on a query. */
#include "daemon/lookup.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/answers.h"
#include "daemon/mix.h"
#include "daemon/reach.h"
#include "daemon/step.h"
#include "inspect/cursor.h"
#include "inspect/dns.h"
#include "inspect/name.h"
#include "policy/reporting.h"

#define ASKED_SETS 512
#define TOLD_SETS 256
#define WAYS 4
/* A resolver gives up after a few seconds; what comes later is no answer to it. */
#define PATIENCE_S 30
/* XMRig asks again every few seconds, browsers several times a page. */
#define TELL_EVERY_S 60
/* Answers over TCP that are being received: they are rare, and mostly come in one segment. */
#define PARTS 16
#define PART_BYTES 4096
/* Header and the shortest question. */
#define MESSAGE_MIN 17
#define RESPONSE_BIT 0x80

/* 0 in `tag`: free. */
struct asked {
	uint64_t tag;
	uint32_t at_s;
	bool kept;		/* by a device in quarantine: it asked whom it may reach */
	bool mac_known;
	uint8_t mac[6];
	const char *interface;	/* it came in by, or NULL */
};

struct told {
	uint64_t tag;
	uint32_t at_s;
	uint32_t repeats;
};

struct part {
	uint64_t tag;
	uint32_t seq;		/* of the next byte */
	uint32_t len;
	uint32_t used;		/* a counter, for the oldest to give way */
	uint8_t bytes[PART_BYTES];
};

struct lookups {
	uint64_t key[2];
	uint32_t hand;
	struct asked asked[ASKED_SETS][WAYS];
	struct told told[TOLD_SETS][WAYS];
	struct part parts[PARTS];
	struct dns_answer harmless[FACTS_ANSWERS_MAX], opened[FACTS_ANSWERS_MAX];
};

struct lookups *lookups_new(const uint64_t key[2])
{
	struct lookups *l = calloc(1, sizeof(*l));

	if (l)
		memcpy(l->key, key, sizeof(l->key));
	return l;
}

void lookups_free(struct lookups *l)
{
	free(l);
}

/* ---- questions ---- */

/* The same for a question and its answer. Never 0. */
static uint64_t question_tag(const struct step *s, const struct facts *m)
{
	const struct lookups *l = s->p->lookups;
	const struct subject *who = &s->out.subject;
	uint64_t h = mix_address(mix_address(l->key[0], who->src) ^ l->key[1], who->dst);

	h = mix(h ^ ((uint64_t)m->dns.id << 32 | (uint64_t)who->sport << 8 | who->proto));
	return mix_name(h, m->names[0].text.p, m->names[0].text.len) | 1;
}

void lookup_asked(struct step *s, const struct facts *query)
{
	struct asked *set, *place;
	uint64_t tag;

	if (!query->n_names)
		return;
	tag = question_tag(s, query);
	place = set = s->p->lookups->asked[tag / 2 % ASKED_SETS];
	for (int i = 1; i < WAYS && place->tag != tag; i++)
		if (set[i].tag == tag || set[i].at_s < place->at_s)
			place = &set[i];
	place->tag = tag;
	place->at_s = (uint32_t)(s->now_ms / 1000) + 1;
	place->mac_known = s->packet->mac_known;
	memcpy(place->mac, s->packet->mac, sizeof(place->mac));
	place->interface = s->packet->interface;
	place->kept = reach_is_kept(s->p->reach, s->p->policy, s->out.subject.src, place->mac_known ? place->mac : NULL, s->now_ms);
}

/* The question that this answers, or NULL: what nobody asked for teaches nothing. */
static const struct asked *question_of(const struct step *s, const struct facts *answer)
{
	uint64_t tag = answer->n_names ? question_tag(s, answer) : 0;	/* its name may have found no room */
	const struct asked *set = s->p->lookups->asked[tag / 2 % ASKED_SETS];
	uint32_t now_s = (uint32_t)(s->now_ms / 1000) + 1;

	for (int i = 0; tag && i < WAYS; i++)
		if (set[i].tag == tag && now_s - set[i].at_s <= PATIENCE_S)
			return &set[i];
	return NULL;
}

/* Who asked, as far as the answer's own packet does not tell: its link address and interface are the server's. */
static void describe_client(struct step *s, const struct asked *question)
{
	struct subject *who = &s->out.subject;

	if (!question)
		return;
	who->interface = question->interface;
	if (!question->mac_known)
		return;
	who->mac_known = true;
	memcpy(who->mac, question->mac, sizeof(who->mac));
}

/* ---- findings ---- */

bool lookup_news(struct step *s, const struct decision *d, bool query, uint32_t *repeats)
{
	const struct lookups *l = s->p->lookups;
	uint64_t tag = mix_address(l->key[1], s->out.subject.src) ^ l->key[0];
	uint32_t now_s = (uint32_t)(s->now_ms / 1000) + 1;
	struct told *set, *place;

	if (d->telltale && s->p->score)
		score_host(s->p->score, s->out.subject.src, 1u << MARK_TELLTALE, s->now_ms);
	tag = mix_name(tag, d->name->host.p, d->name->host.len) | 1;
	place = set = s->p->lookups->told[tag / 2 % TOLD_SETS];
	for (int i = 1; i < WAYS && place->tag != tag; i++)
		if (set[i].tag == tag || set[i].at_s < place->at_s)
			place = &set[i];
	if (place->tag == tag && now_s - place->at_s < TELL_EVERY_S) {
		place->repeats += query;
		return false;
	}
	*repeats = place->tag == tag ? place->repeats : 0;
	*place = (struct told){ .tag = tag, .at_s = now_s };
	return true;
}

static void report(struct step *s, const struct decision *d, const struct facts *m)
{
	uint32_t repeats = 0;

	if (!lookup_news(s, d, !m->dns.response, &repeats) || s->out.event)
		return;
	s->out.event = true;
	s->out.decision = *d;
	s->out.repeats = repeats;
}

/* ---- what names stand for ---- */

/* A client has addresses of both families, and may ask by one for what it then reaches by the other: its link address joins
 * them. No IP address looks like this. */
static void link_key(uint8_t key[16], const uint8_t mac[6])
{
	memset(key, 0, 16);
	memcpy(key, "\xfe\xff" "mac", 5);
	memcpy(key + 10, mac, 6);
}

static bool is_v4(const uint8_t address[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };

	return !memcmp(address, mapped, sizeof(mapped));
}

static void learn(struct step *s, const struct facts *m, const struct decision *d, const struct asked *question)
{
	bool against = d->action == ACTION_MONITOR || d->action == ACTION_BLOCK;
	struct view name = against ? d->name->host : m->names[0].host;
	const uint8_t *client = s->out.subject.src;
	uint8_t link[16];

	link_key(link, question->mac);
	for (unsigned i = 0; i < m->dns.n_answers; i++) {
		const struct dns_answer *a = &m->dns.answers[i];

		if (s->p->answers)
			answers_note(s->p->answers, client, a->addr, name, against, a->ttl_s, s->now_ms);
		if (s->p->answers && question->mac_known && is_v4(a->addr) != is_v4(client))
			answers_note(s->p->answers, link, a->addr, name, against, a->ttl_s, s->now_ms);
		if (!against && s->out.n_harmless < FACTS_ANSWERS_MAX)
			s->p->lookups->harmless[s->out.n_harmless++] = *a;
	}
	s->out.harmless = s->p->lookups->harmless;
}

/* A device in quarantine asked for a name that it may reach: by the question, as anybody can make an alias of that name. */
static void open_answers(struct step *s, const struct facts *m)
{
	if (!policy_quarantine_name(s->p->policy, m->names[0].host))
		return;
	for (unsigned i = 0; i < m->dns.n_answers && s->out.n_opened < FACTS_ANSWERS_MAX; i++)
		s->p->lookups->opened[s->out.n_opened++] = m->dns.answers[i];
	s->out.opened = s->p->lookups->opened;
}

bool lookup_name(struct step *s, struct facts *hello)
{
	struct inspect_scratch *scratch = &s->p->scratch;
	const struct subject *who = &s->out.subject;
	uint8_t *text = scratch->bytes + scratch->used, link[16];
	bool shared = false;
	size_t len;

	if (!s->p->answers || sizeof(scratch->bytes) - scratch->used < ANSWERS_NAME_MAX)
		return false;
	len = answers_get(s->p->answers, who->src, who->dst, s->now_ms, text, &shared);
	if (!len && s->packet->mac_known && !s->out.turned) {
		link_key(link, s->packet->mac);
		len = answers_get(s->p->answers, link, who->dst, s->now_ms, text, &shared);
	}
	if (!len || shared)
		return false;
	scratch->used += len;
	name_add_host(hello, NAME_DNS, (struct view){ text, len });
	return true;
}

/* ---- messages ---- */

/* Collects the message's names for those who list them; the decision's name moves along. */
static void collect(struct step *s, const struct facts *m, struct decision *d)
{
	struct facts *all = &s->p->found;
	ptrdiff_t decided = d->name ? d->name - m->names : -1;
	unsigned first = all->n_names;

	for (unsigned i = 0; i < m->n_names && all->n_names < FACTS_NAMES_MAX; i++)
		all->names[all->n_names++] = m->names[i];
	if (decided >= 0 && first + decided < all->n_names)
		d->name = &all->names[first + decided];
	all->names_lost |= m->names_lost || first + m->n_names > all->n_names;
	all->app = APP_DNS;
	memcpy(&all->dns, &m->dns, offsetof(struct dns_facts, answers) + m->dns.n_answers * sizeof(m->dns.answers[0]));
}

/* An answer passes if nothing speaks against its question and all its aliases. True: it is to be stopped. */
static bool judge_answer(struct step *s, const struct asked *question)
{
	struct facts *m = &s->p->message;
	struct decision d, found;

	found = d = policy_decide(s->p->policy, &s->out.subject, m);
	collect(s, m, &found);
	if (d.action == ACTION_BLOCK || d.action == ACTION_MONITOR)
		report(s, &found, m);
	if (d.action == ACTION_BLOCK) {
		s->out.refuse = !d.silent;
		return true;
	}
	if (question && m->dns.rcode == 0 && s->packet->checksum != CHECKSUM_BAD) {
		learn(s, m, &d, question);
		if (question->kept)
			open_answers(s, m);
	}
	return false;
}

static void judge_query(struct step *s)
{
	struct facts *m = &s->p->message;
	struct decision d = policy_decide(s->p->policy, &s->out.subject, m), found = d;

	collect(s, m, &found);
	if (d.action == ACTION_BLOCK || d.action == ACTION_MONITOR)
		report(s, &found, m);
	if (d.action == ACTION_BLOCK) {
		s->out.verdict = VERDICT_DROP;
		s->out.refuse = !d.silent;
	} else {
		lookup_asked(s, m);
	}
}

/* The flow as its client opened it. */
static void describe(struct step *s, bool answer)
{
	const struct packet *k = s->packet;
	struct subject *who = &s->out.subject;

	memcpy(who->src, answer ? k->dst : k->src, sizeof(who->src));
	memcpy(who->dst, answer ? k->src : k->dst, sizeof(who->dst));
	who->sport = answer ? k->dport : k->sport;
	who->dport = answer ? k->sport : k->dport;
	who->proto = k->proto;
	who->when_s = k->when_s;
	if (!answer) {
		who->mac_known = k->mac_known;
		memcpy(who->mac, k->mac, sizeof(who->mac));
		who->interface = k->interface;
	}
	s->out.family = k->family;
	s->out.older = k->origin == ORIGIN_OLDER_ORIGINAL || k->origin == ORIGIN_OLDER_REPLY;
	/* connection tracking may have picked the flow up with the answer */
	s->out.turned = answer ? k->origin == ORIGIN_OLDER_ORIGINAL : k->origin == ORIGIN_OLDER_REPLY;
}

/* Which way it goes is said by the message itself, as connection tracking may have an older flow the other way round. */
static bool take_datagram(struct step *s)
{
	const struct packet *k = s->packet;
	struct facts *m = &s->p->message;
	bool answer = k->payload_len > 2 && k->payload[2] & RESPONSE_BIT;
	const struct asked *question = NULL;
	enum action by_address;

	if (k->payload_len < MESSAGE_MIN || (answer ? k->sport : k->dport) != LOOKUP_PORT)
		return false;
	inspect_reset(m);
	s->p->scratch.used = 0;
	if (dns_message((struct view){ k->payload, k->payload_len }, &s->p->scratch, m) != INSPECT_MATCH)
		return false;
	describe(s, answer);
	if (answer)
		describe_client(s, question = question_of(s, m));
	by_address = policy_decide_address(s->p->policy, &s->out.subject).action;
	if (!answer && (by_address == ACTION_BLOCK || by_address == ACTION_MONITOR))
		return false;
	s->out.app = APP_DNS;
	/* what is exempt teaches nothing about others; but whose the answer is must be known then, too */
	if (by_address == ACTION_ALLOW && !answer)
		lookup_asked(s, m);
	else if (by_address == ACTION_BLOCK)
		s->out.verdict = VERDICT_DROP;
	else if (!answer)
		judge_query(s);
	else if (by_address != ACTION_ALLOW && judge_answer(s, question))
		s->out.verdict = VERDICT_DROP;
	s->out.refuse &= policy_settings(s->p->policy)->dns_refused;
	return true;
}

/* ---- answers over TCP ---- */

/* The part that this segment goes on with, or NULL. */
static struct part *part_of(struct lookups *l, uint64_t tag)
{
	for (int i = 0; i < PARTS; i++)
		if (l->parts[i].tag == tag)
			return &l->parts[i];
	return NULL;
}

static struct part *new_part(struct lookups *l, uint64_t tag)
{
	struct part *oldest = &l->parts[0];

	for (int i = 1; i < PARTS; i++)
		if (l->hand - l->parts[i].used > l->hand - oldest->used)
			oldest = &l->parts[i];
	oldest->tag = tag;
	oldest->len = 0;
	return oldest;
}

/* Judges the whole messages in there. How many bytes they have; `*stop`: one of them must not arrive. */
static size_t judge_frames(struct step *s, struct view bytes, bool *stop)
{
	struct cursor c = cursor_make(bytes.p, bytes.len, bytes.len);
	const struct asked *question;
	size_t done = 0;

	s->p->scratch.used = 0;
	while (!*stop) {
		struct view message = cursor_take(&c, cursor_u16(&c));
		unsigned before = s->p->found.n_names;
		size_t used = s->p->scratch.used;

		if (c.error)
			break;
		done = c.pos;
		inspect_reset(&s->p->message);
		if (dns_message(message, &s->p->scratch, &s->p->message) == INSPECT_MATCH && s->p->message.dns.response) {
			question = question_of(s, &s->p->message);
			describe_client(s, question);
			*stop = judge_answer(s, question);
		}
		/* nobody holds its names: room for the next one */
		if (s->p->found.n_names == before && !s->out.event)
			s->p->scratch.used = used;
	}
	return done;
}

/* A server's segment: alone, or behind what is there of a message. What comes out of order is let pass unread. */
static bool take_answer_bytes(struct step *s)
{
	const struct packet *k = s->packet;
	struct lookups *l = s->p->lookups;
	const struct subject *who = &s->out.subject;
	uint64_t tag = mix_address(mix_address(l->key[0], who->src) ^ l->key[1], who->dst);
	struct view bytes = { k->payload, k->payload_len };
	struct part *part;
	size_t done;
	bool stop = false;

	tag = mix(tag ^ who->sport) | 1;
	part = part_of(l, tag);
	if (part && part->seq != k->seq)
		return false;
	if (part && k->payload_len > PART_BYTES - part->len) {
		part->tag = 0;
		return false;
	}
	if (part) {
		memcpy(part->bytes + part->len, k->payload, k->payload_len);
		bytes = (struct view){ part->bytes, part->len + k->payload_len };
	}
	done = judge_frames(s, bytes, &stop);
	if (part && (stop || done == bytes.len || bytes.len - done > PART_BYTES))
		part->tag = 0;
	if (stop || done == bytes.len || bytes.len - done > PART_BYTES)
		return stop;
	if (!part)
		part = new_part(l, tag);
	part->used = ++l->hand;
	part->len = (uint32_t)(bytes.len - done);
	part->seq = k->seq + (uint32_t)k->payload_len;
	memmove(part->bytes, bytes.p + done, part->len);
	return false;
}

static void take_answer_segment(struct step *s)
{
	const struct packet *k = s->packet;
	struct flow_key key = { .family = k->family, .proto = k->proto, .sport = k->dport, .dport = k->sport };

	memcpy(key.src, k->dst, sizeof(key.src));
	memcpy(key.dst, k->src, sizeof(key.dst));
	describe(s, true);
	s->flow = flow_find(s->p->flows, &key);
	if (s->flow && s->flow->state == FLOW_BLOCKED)
		s->out.verdict = s->flow->silent ? VERDICT_DROP : VERDICT_BLOCK;
	if (!s->flow || s->flow->app != APP_DNS)
		return;
	s->out.app = APP_DNS;
	s->side = &s->flow->side[0];
	if (s->flow->state == FLOW_INSPECTING && take_answer_bytes(s)) {
		step_block(s, REASON_NONE);
		s->flow->silent = !s->out.refuse;
		s->out.verdict = s->flow->silent ? VERDICT_DROP : VERDICT_BLOCK;
	}
	s->out.refuse = false;	/* a reset says it */
}

bool lookup_take(struct step *s)
{
	const struct packet *k = s->packet;

	if (k->proto == IPPROTO_UDP && (k->sport == LOOKUP_PORT || k->dport == LOOKUP_PORT) && take_datagram(s))
		return true;
	if (k->origin != ORIGIN_REPLY)
		return false;
	if (k->proto == IPPROTO_TCP)
		take_answer_segment(s);
	return true;
}
