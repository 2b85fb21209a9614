/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net-snmp's library, loaded when a policy asks for it: v2c with a community, or v3 with a user (AES and HMAC-SHA). It reads no
 * configuration of the machine and writes none. */
#include "daemon/load.h"

#include <errno.h>

#ifdef HAVE_NETSNMP

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_US 1500000
#define RETRIES 1
/* Processors of the largest machine that is asked. */
#define ROWS_MAX 256

static struct {
	__typeof__(init_snmp) *init;
	__typeof__(snmp_disable_log) *quiet;
	__typeof__(snmp_sess_init) *sess_init;
	__typeof__(snmp_sess_open) *open;
	__typeof__(snmp_sess_close) *close;
	__typeof__(snmp_sess_synch_response) *ask;
	__typeof__(snmp_pdu_create) *pdu;
	__typeof__(snmp_add_null_var) *add;
	__typeof__(snmp_free_pdu) *free_pdu;
	__typeof__(generate_Ku) *key;
} api;

/* hrProcessorLoad */
static const oid load_oid[] = { 1, 3, 6, 1, 2, 1, 25, 3, 3, 1, 2 };
static const oid sha1_oid[] = { 1, 3, 6, 1, 6, 3, 10, 1, 1, 3 }, sha256_oid[] = { 1, 3, 6, 1, 6, 3, 10, 1, 1, 5 };
static const oid aes_oid[] = { 1, 3, 6, 1, 6, 3, 10, 1, 2, 4 };

int load_snmp_open(void)
{
	static const struct {
		void *to;
		const char *name;
	} wanted[] = {
		{ &api.init, "init_snmp" }, { &api.quiet, "snmp_disable_log" }, { &api.sess_init, "snmp_sess_init" },
		{ &api.open, "snmp_sess_open" }, { &api.close, "snmp_sess_close" }, { &api.ask, "snmp_sess_synch_response" },
		{ &api.pdu, "snmp_pdu_create" }, { &api.add, "snmp_add_null_var" }, { &api.free_pdu, "snmp_free_pdu" },
		{ &api.key, "generate_Ku" },
	};
	void *lib = dlopen("libnetsnmp.so.40", RTLD_NOW);

	if (!lib)
		return -ELIBACC;
	/* POSIX lets a data pointer carry a function's address here, ISO C knows no cast for it. */
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		*(void **)wanted[i].to = dlsym(lib, wanted[i].name);
		if (!*(void **)wanted[i].to)
			return -ELIBBAD;
	}
	setenv("MIBS", "", 1);
	setenv("SNMPCONFPATH", "/nonexistent", 1);
	setenv("SNMP_PERSISTENT_DIR", "/nonexistent", 1);
	api.quiet();
	api.init("minewall");
	api.quiet();
	return 0;
}

static bool make_key(const netsnmp_session *s, const char *password, u_char *key, size_t *len)
{
	return api.key(s->securityAuthProto, (u_int)s->securityAuthProtoLen, (const u_char *)password, strlen(password), key, len) == 0;
}

static bool secure(netsnmp_session *s, const struct reporting *r)
{
	s->version = SNMP_VERSION_3;
	s->securityName = (char *)r->cpu_user;
	s->securityNameLen = strlen(r->cpu_user);
	s->securityModel = SNMP_SEC_MODEL_USM;
	s->securityLevel = *r->cpu_privacy ? SNMP_SEC_LEVEL_AUTHPRIV : SNMP_SEC_LEVEL_AUTHNOPRIV;
	s->securityAuthProto = (oid *)(r->cpu_auth == CPU_SHA ? sha1_oid : sha256_oid);
	s->securityAuthProtoLen = sizeof(sha1_oid) / sizeof(sha1_oid[0]);
	s->securityAuthKeyLen = USM_AUTH_KU_LEN;
	if (!make_key(s, r->cpu_password, s->securityAuthKey, &s->securityAuthKeyLen))
		return false;
	if (!*r->cpu_privacy)
		return true;
	s->securityPrivProto = (oid *)aes_oid;
	s->securityPrivProtoLen = sizeof(aes_oid) / sizeof(aes_oid[0]);
	s->securityPrivKeyLen = USM_PRIV_KU_LEN;
	return make_key(s, r->cpu_privacy, s->securityPrivKey, &s->securityPrivKeyLen);
}

/* The next row behind `name`, which it becomes. 1: a row; 0: no more; -errno. */
static int next_row(void *session, oid *name, size_t *len, long *value)
{
	netsnmp_pdu *answer = NULL, *pdu = api.pdu(SNMP_MSG_GETNEXT);
	const size_t base = sizeof(load_oid) / sizeof(load_oid[0]);
	const netsnmp_variable_list *v;
	int status, is = 0;

	if (!pdu)
		return -ENOMEM;
	api.add(pdu, name, *len);
	status = api.ask(session, pdu, &answer);
	v = answer ? answer->variables : NULL;
	if (status != STAT_SUCCESS || !answer)
		is = status == STAT_TIMEOUT ? -ETIMEDOUT : -EACCES;
	else if (answer->errstat != SNMP_ERR_NOERROR)
		is = answer->errstat == SNMP_ERR_NOSUCHNAME ? 0 : -EACCES;
	else if (v && v->type == ASN_INTEGER && v->name_length > base && v->name_length <= MAX_OID_LEN &&
		 !memcmp(v->name, load_oid, sizeof(load_oid))) {
		memcpy(name, v->name, v->name_length * sizeof(oid));
		*len = v->name_length;
		*value = *v->val.integer;
		is = 1;
	}
	if (answer)
		api.free_pdu(answer);
	return is;
}

int load_snmp_ask(const struct reporting *r, const char *address)
{
	char peer[64];
	netsnmp_session s;
	void *session;
	oid name[MAX_OID_LEN];
	size_t len = sizeof(load_oid) / sizeof(load_oid[0]);
	long sum = 0, value = 0, n = 0;
	int is;

	api.sess_init(&s);
	snprintf(peer, sizeof(peer), strchr(address, ':') ? "udp6:[%s]:161" : "udp:%s:161", address);
	s.peername = peer;
	s.timeout = TIMEOUT_US;
	s.retries = RETRIES;
	s.version = SNMP_VERSION_2c;
	s.community = (u_char *)r->cpu_community;
	s.community_len = strlen(r->cpu_community);
	if (*r->cpu_user && !secure(&s, r))
		return -EINVAL;
	session = api.open(&s);
	if (!session)
		return -EHOSTUNREACH;
	memcpy(name, load_oid, sizeof(load_oid));
	while (n < ROWS_MAX && (is = next_row(session, name, &len, &value)) > 0) {
		sum += value < 0 ? 0 : value > 100 ? 100 : value;
		n++;
	}
	api.close(session);
	return n ? (int)(sum / n) : is < 0 ? is : -ENOENT;
}

#else

int load_snmp_open(void)
{
	return -ENOSYS;
}

int load_snmp_ask(const struct reporting *r, const char *address)
{
	(void)r;
	(void)address;
	return -ENOSYS;
}

#endif
