/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the fleet's process does by its settings: whom it believes, by which name and key it speaks, where the broker is. After each
 * reload what has not changed goes on undisturbed. */
#include "daemon/fleet_work.h"

#ifdef HAVE_FLEET

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/fleet_sign.h"
#include "daemon/log.h"

/* Beside what it began with: some messages on their way and a report; and a few times what a hint takes. */
#define MEMORY_FIRST (48u << 20)
#define MEMORY_HINT 512u

/* Bytes of its own data, as RLIMIT_DATA counts them. */
static rlim_t data_now(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%*u %*u %*u %*u %*u %lu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* A broker's message may be 256 MB long, and the library makes room for what it is told: more than there is any use for it does not get,
 * and then that connection ends. */
static void limit_memory(struct fleet_work *w)
{
	struct rlimit r;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return;		/* whose own data has no bound, and who end where there is no memory */
#endif
	if (getrlimit(RLIMIT_DATA, &r))
		return;
	if (!w->began_with)
		w->began_with = data_now();
	r.rlim_cur = (rlim_t)w->began_with + MEMORY_FIRST + (rlim_t)w->settings.policy.hints * MEMORY_HINT;
	if (r.rlim_cur < r.rlim_max)
		setrlimit(RLIMIT_DATA, &r);
}

static void read_gateway(struct fleet_work *w, const struct fleet_policy *p)
{
	if (*p->gateway)
		snprintf(w->gateway, sizeof(w->gateway), "%s", p->gateway);
	else if (gethostname(w->gateway, sizeof(w->gateway)) || !memchr(w->gateway, '\0', sizeof(w->gateway)) || !fleet_name_good(w->gateway)) {
		snprintf(w->gateway, sizeof(w->gateway), "unnamed");
		log_info("fleet: this host's name is none for a gateway: give one by `fleet: {gateway: ...}`");
	}
}

/* A file that cannot be read leaves those keys that hold. */
static void read_keys(struct fleet_work *w)
{
	const char *path = w->settings.policy.keys;
	size_t len = 0;
	char *text = fleet_files_text(&w->files, FLEET_KEYS, &len);
	int wrong;

	if (!*path) {
		hints_keys(w->hints, "", 0);
	} else if (!text) {
		log_warn(w->files.error[FLEET_KEYS], "fleet: the gateways' keys, %s; those that were read before hold%s", path,
			 w->files.error[FLEET_KEYS] == EACCES ? " (let the user minewall read it)" : "");
	} else {
		wrong = hints_keys(w->hints, text, len);
		if (wrong > 0)
			log_info("fleet: %s:%d: is no key, expected 'GATEWAY BASE64' or 'GATEWAY BASE64 revoked'; the keys that were read before hold",
				 path, wrong);
		else if (wrong < 0)
			log_warn(wrong, "fleet: the gateways' keys");
	}
	free(text);
}

static void read_seed(struct fleet_work *w)
{
	uint8_t key[HINT_KEY_BYTES];
	size_t len = 0;
	char *seed = fleet_files_text(&w->files, FLEET_SEED_FILE, &len);

	w->has_seed = seed && len == 32 && w->secret;
	if (w->has_seed)
		fleet_sign_keys((const uint8_t *)seed, key, w->secret);
	else if (w->settings.policy.role != FLEET_LEARN)
		log_info("fleet: there is no key of our own at %s (`minewall fleet keys --new` makes it, then restart): nothing is taught to others",
			 w->settings.seed);
	if (seed)
		explicit_bzero(seed, len);
	free(seed);
}

bool fleet_teaches(const struct fleet_work *w)
{
	return *w->settings.policy.host && w->has_seed && w->settings.policy.role != FLEET_LEARN;
}

static void connect_anew(struct fleet_work *w, bool clean)
{
	const struct fleet_policy *p = &w->settings.policy;
	struct fleet_client_target t = { .port = p->port, .clean = clean };

	snprintf(t.host, sizeof(t.host), "%s", p->host);
	snprintf(t.id, sizeof(t.id), "minewall-%s", w->gateway);
	snprintf(t.topic, sizeof(t.topic), "minewall/%s/%s/status", p->site, w->gateway);
	snprintf(t.will, sizeof(t.will), "{\"v\":1,\"online\":false}");
	for (int i = FLEET_CA; p->tls && i <= FLEET_KEY; i++) {
		char *const to[] = { t.ca, t.certificate, t.key };

		if (w->files.now[i] < 0)
			log_warn(w->files.error[i], "fleet: %s", fleet_files_path(&w->settings, (enum fleet_file)i));
		fleet_files_name(&w->files, (enum fleet_file)i, to[i], FLEET_PATH_MAX);
		if (!*to[i])
			snprintf(to[i], FLEET_PATH_MAX, "%s", fleet_files_path(&w->settings, (enum fleet_file)i));
	}
	fleet_client_start(w->client, &t);
}

void fleet_settings_take(struct fleet_work *w, const char *bytes, size_t len)
{
	struct fleet_settings before = w->settings;
	const struct fleet_policy *p = &w->settings.policy, *old = &before.policy;
	char gateway[FLEET_NAME_MAX];
	struct hints_config config;
	bool other, elsewhere;

	if (len != sizeof(w->settings))
		return;
	memcpy(&w->settings, bytes, len);
	memcpy(gateway, w->gateway, sizeof(gateway));
	limit_memory(w);
	read_gateway(w, p);
	fleet_files_read(&w->files, &w->settings);
	read_seed(w);
	config = (struct hints_config) { .confirm = p->confirm, .rate = p->rate, .max = p->hints };
	memcpy(config.site, p->site, sizeof(config.site));
	memcpy(config.gateway, w->gateway, sizeof(config.gateway));
	hints_configure(w->hints, &config);
	read_keys(w);
	hints_again(w->hints);
	other = strcmp(old->site, p->site) || strcmp(gateway, w->gateway) || old->role != p->role;
	elsewhere = strcmp(old->host, p->host) || old->port != p->port || old->tls != p->tls || w->files.changed;
	if (!*p->host) {
		fleet_client_stop(w->client);
		w->synced = w->reading = false;
	} else if (!w->has_settings || other || elsewhere) {
		w->fresh = true;
		connect_anew(w, other && w->has_settings);
	} else if (fleet_client_connected(w->client)) {
		fleet_read_store(w);		/* somebody may be believed who was not */
	}
	w->has_settings = w->changed = true;
}

#endif
