/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the policy says of the machines that keep trying: how their incidents are kept, told and looked into. One plain value of
 * fixed size, so that it can be handed to the process that does so; nothing in it decides about a packet. */
#ifndef MINEWALL_REPORTING_H
#define MINEWALL_REPORTING_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/schedule.h"

struct policy;
struct view;

enum quarantine { QUARANTINE_OFF, QUARANTINE_MANUAL, QUARANTINE_AUTO };

/* Update servers of a house; each is a rule or two that only a device in quarantine passes. */
#define REPORTING_ALLOWED_MAX 64

/* Devices whose load is watched, incident or not. */
#define REPORTING_CPU_HOSTS_MAX 32
#define REPORTING_SECRET_MAX 64

enum cpu_auth { CPU_SHA256, CPU_SHA };

struct reporting_network {
	uint8_t addr[16];	/* IPv4 v4-mapped, prefix + 96 */
	uint8_t prefix;
	uint16_t port;		/* 0: any */
};

#define REPORTING_PATH_MAX 256
/* Lease files of one gateway: a server for each family, and a second of each. */
#define REPORTING_LEASES_MAX 8
/* The hook and its arguments. */
#define REPORTING_ARGS_MAX 16
#define REPORTING_ARG_MAX 256

struct reporting {
	struct schedule hours;			/* when the house is awake; attempts at other times weigh more. Not set: always */
	unsigned n_leases;
	char leases[REPORTING_LEASES_MAX][REPORTING_PATH_MAX];
	uint32_t incidents_max;			/* remembered at a time */
	uint32_t alert_attempts;		/* 0: no alerts */
	uint32_t alert_within_s;
	uint32_t alert_timeout_s;		/* longest that the hook may take */
	unsigned n_hook;			/* 0: no hook */
	char hook[REPORTING_ARGS_MAX][REPORTING_ARG_MAX];
	enum quarantine quarantine;
	uint32_t quarantine_time_s;
	unsigned n_allowed;			/* what a device in quarantine may reach */
	struct reporting_network allowed[REPORTING_ALLOWED_MAX];
	char cpu_community[REPORTING_SECRET_MAX];	/* SNMP v2c; both "": no device is asked */
	char cpu_user[REPORTING_SECRET_MAX];		/* v3 */
	enum cpu_auth cpu_auth;
	char cpu_password[REPORTING_SECRET_MAX], cpu_privacy[REPORTING_SECRET_MAX];	/* privacy "": none */
	uint8_t cpu_threshold;			/* percent: busy from here on */
	uint32_t cpu_polls;			/* so often in a row */
	uint32_t cpu_every_s;
	struct schedule cpu_hours;		/* not set: always */
	unsigned n_cpu_hosts;
	char cpu_hosts[REPORTING_CPU_HOSTS_MAX][46];
	uint16_t metrics_port;			/* 0: figures are not served */
	uint8_t metrics_address[16];		/* IPv4 v4-mapped */
	char metrics_file[REPORTING_PATH_MAX];	/* "": none */
};

void reporting_defaults(struct reporting *r);

const struct reporting *policy_reporting(const struct policy *p);

/* `quarantine.names`: are there any, and is this one of them? */
bool policy_quarantine_names(const struct policy *p);
bool policy_quarantine_name(const struct policy *p, struct view name);

#endif
