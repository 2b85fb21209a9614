# SPDX-License-Identifier: GPL-2.0-or-later
# make: build/minewall    make demo: the main job in namespaces    make check: the tests    make lint: the house rules

BUILD   ?= build
PREFIX  ?= /usr
CC      ?= cc
PKGS    := libmnl libnetfilter_queue libnftnl yaml-0.1 libpcap jansson nettle hogweed zlib
DIRS    := inspect policy nfq nft daemon cli
VERSION := 0.1.0

# Unicode names in lists and policies, if the library is there; without it such entries are skipped and say so.
IDN     := $(shell pkg-config --exists libidn2 && echo libidn2)
PKGS    += $(IDN)

# The allow-list of system calls, if the library is there (Debian's packages need it); without it `status` says so.
SECCOMP := $(shell pkg-config --exists libseccomp && echo libseccomp)
PKGS    += $(SECCOMP)

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Werror=vla -Wno-missing-field-initializers
CFLAGS  ?= -O2 -g
CPPFLAGS += -I. -D_GNU_SOURCE -DMINEWALL_VERSION='"$(VERSION)"' $(IDN:%=-DMINEWALL_IDN) $(SECCOMP:%=-DHAVE_SECCOMP)
# What Debian builds with (dpkg-buildflags, hardening=+all), everywhere; `make lint` looks for it in the binary. A fortified libc
# needs an optimiser, and hides errors from sanitizers.
HARDEN  := -fPIE -fstack-protector-strong -Wformat -Werror=format-security \
	   $(shell for f in -fstack-clash-protection -fcf-protection -mbranch-protection=standard; do \
		$(CC) -Werror $$f -x c -c -o /dev/null /dev/null 2> /dev/null && echo "$$f"; done)
FORTIFY  = $(if $(SANITIZE)$(findstring _FORTIFY_SOURCE,$(CFLAGS) $(CPPFLAGS)),,$(if $(filter-out -O0,$(filter -O%,$(CFLAGS))),-D_FORTIFY_SOURCE=2))
# On x86 gcc clears and copies structures of a hundred bytes by "rep stos", which takes longer to begin than a few stores take at all:
# some 15 of them stood in the way of one packet.
comma   := ,
STRINGS := $(foreach s,memset memcpy,-m$s-strategy=vector_loop:256:noalign$(comma)libcall:-1:noalign)
STRINGS := $(shell $(CC) -O2 -Werror $(STRINGS) -x c -c -o /dev/null /dev/null 2> /dev/null && echo '$(STRINGS)')
ALL_CFLAGS = -std=gnu11 $(WARN) $(HARDEN) $(FORTIFY) $(STRINGS) $(CFLAGS) $(SANITIZE)
override LDFLAGS := -pie -Wl,-z,relro -Wl,-z,now $(LDFLAGS)

ifneq ($(V),1)
Q := @
say = @printf '  %-5s %s\n' '$(1)' '$(2)';
endif

# `minewall lists update` needs libcurl's headers here and its library only when it runs: it is loaded by that verb alone, so that
# the process that judges packets has nothing of it.
ifeq ($(shell pkg-config --exists libcurl && echo yes),yes)
CPPFLAGS += -DHAVE_CURL $(shell pkg-config --cflags libcurl)
endif

# The reporter alone loads a web server, and only for `metrics: {listen: ...}`.
ifeq ($(shell pkg-config --exists libmicrohttpd && echo yes),yes)
CPPFLAGS += -DHAVE_MICROHTTPD $(shell pkg-config --cflags libmicrohttpd)
endif

# So it is with net-snmp, for `cpu:`, in a process beside the reporter.
ifeq ($(shell pkg-config --exists netsnmp && echo yes),yes)
CPPFLAGS += -DHAVE_NETSNMP $(shell pkg-config --cflags netsnmp)
endif

# And with the fleet's broker and signatures, in a process beside the daemon.
ifeq ($(shell pkg-config --exists libmosquitto libsodium && echo yes),yes)
CPPFLAGS += -DHAVE_FLEET $(shell pkg-config --cflags libmosquitto libsodium)
endif

# And `minewall log` with zstd, for the first old file that logrotate has compressed by it.
ifeq ($(shell pkg-config --exists libzstd && echo yes),yes)
CPPFLAGS += -DHAVE_ZSTD $(shell pkg-config --cflags libzstd)
endif

SRC := $(wildcard $(DIRS:%=%/*.c))

# `make TINY=1`, for routers with little flash: no fetching of lists, no metrics' server, no SNMP, no report, no fleet, no Unicode names, and one
# library less for each. A folder of its own, since the objects differ.
ifeq ($(TINY),1)
override BUILD := $(BUILD)/tiny
SRC := $(filter-out cli/report%.c cli/fleet.c,$(SRC))
PKGS := $(filter-out libidn2,$(PKGS))
CPPFLAGS := $(filter-out -DHAVE_CURL -DHAVE_MICROHTTPD -DHAVE_SNMP -DHAVE_NETSNMP -DHAVE_FLEET -DHAVE_ZSTD -DMINEWALL_IDN,$(CPPFLAGS)) -DMINEWALL_TINY
CFLAGS := $(filter-out -O%,$(CFLAGS)) -Os
STRIP ?= strip
OBJDUMP ?= objdump
all: tiny-size
tiny-size: $(BUILD)/minewall
	$(Q)$(STRIP) -o $(BUILD)/minewall.stripped $(BUILD)/minewall
	$(Q)echo "TINY: $$(stat -c %s $(BUILD)/minewall.stripped) bytes, stripped, $$(gzip -9c $(BUILD)/minewall.stripped | wc -c) compressed; needs $$($(OBJDUMP) -p $< | awk '/NEEDED/ { printf "%s ", $$2 }')"
.PHONY: tiny-size
endif
OBJ := $(SRC:%.c=$(BUILD)/%.o)

all: $(BUILD)/minewall

PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
# libpcap is loaded by the verb that reads captures, as libcurl is.
PKG_LIBS   = $(shell pkg-config --libs $(filter-out libpcap,$(PKGS)))

$(BUILD)/minewall: $(OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(OBJ) $(PKG_LIBS) -lpthread -ldl

$(BUILD)/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

# Unit tests. Each test's link line names exactly the objects that it needs: that proves the arrows between the folders.
include tests/unit/units.mk
include tests/netns/netns.mk
include tests/faults/faults.mk
include tests/fleet/fleet.mk
include tests/fuzz/fuzz.mk
include tests/bench/bench.mk
include tests/bench/names.mk
include tests/static.mk

unit-programs: $(UNITS)
units: unit-programs
	$(Q)tests/unit/run $(UNITS)

# The same units once more, where every byte read beyond its block and every overflow ends the run.
units-asan:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/asan CFLAGS='-O1 -g' \
		SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' units

lint: static-cppcheck
	$(Q)/usr/bin/python3 tests/lint.py
	$(Q)[ ! -e $(BUILD)/minewall ] || /usr/bin/python3 tests/package/help.py $(BUILD)/minewall

# Everything; at most 10 minutes. What the machine lacks is installed first: on a fresh one there is not even a compiler.
check:
	$(Q)contrib/install-deps
	$(Q)[ -z "$(CI)" ] || contrib/install-deps --large || echo "some tests will be skipped"
	$(Q)tests/check $(MAKE) $(BUILD)

# All of that, and what takes longer; "make check-all ONLY=static" runs the parts with that word in their title.
check-all:
	$(Q)contrib/install-deps
	$(Q)contrib/install-deps --large || echo "some tests will be skipped"
	$(Q)tests/check-all $(MAKE) $(BUILD) $(ONLY)

install: $(BUILD)/minewall install-papers
	install -D -m 0755 $(BUILD)/minewall $(DESTDIR)$(PREFIX)/sbin/minewall
	install -d $(DESTDIR)/etc/minewall $(DESTDIR)$(PREFIX)/share/minewall/lists
	install -m 0644 contrib/lists/starter.txt contrib/lists/shared.txt $(DESTDIR)$(PREFIX)/share/minewall/lists/
	[ -e $(DESTDIR)/etc/minewall/policy.yaml ] || sed 's|\.\./lists/|$(PREFIX)/share/minewall/lists/|' \
		contrib/policies/minewall.yaml > $(DESTDIR)/etc/minewall/policy.yaml

# Man pages, made of the program's own help and the sample policy. A program for another machine cannot be asked: PAPERS= leaves them out.
RELEASED := November 25, 2026
PAPERS := $(BUILD)/man/made
papers: $(PAPERS)
$(BUILD)/man/made: $(BUILD)/minewall contrib/policies/minewall.yaml $(wildcard contrib/man/*)
	$(call say,MAN,$(BUILD)/man)
	$(Q)rm -rf $(BUILD)/man && mkdir -p $(BUILD)/man
	$(Q)contrib/man/main-page contrib/man/minewall.8 '$(RELEASED)' $(BUILD)/minewall > $(BUILD)/man/minewall.8
	$(Q)contrib/man/main-page contrib/man/minewall.yaml.5 '$(RELEASED)' contrib/policies/minewall.yaml > $(BUILD)/man/minewall.yaml.5
	$(Q)for verb in $$($(BUILD)/minewall --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p'); do \
		contrib/man/verb-page $(BUILD)/minewall $$verb '$(RELEASED)' > $(BUILD)/man/minewall-$$verb.1 || exit 1; done
	$(Q)touch $@

install-papers: $(PAPERS)
	for n in $(if $(PAPERS),1 5 8); do install -d $(DESTDIR)$(PREFIX)/share/man/man$$n && \
		install -m 0644 $(BUILD)/man/*.$$n $(DESTDIR)$(PREFIX)/share/man/man$$n/ || exit 1; done
	install -D -m 0644 contrib/completions/minewall.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/minewall
	install -D -m 0644 contrib/completions/_minewall $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_minewall
	install -D -m 0644 contrib/completions/minewall.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/minewall.fish

# What a system with systemd has besides: units, the daemon's user, folders, rotation of the log. Enables and starts nothing.
UNITDIR ?= /lib/systemd/system
install-system:
	install -d $(DESTDIR)$(UNITDIR)
	install -m 0644 contrib/systemd/*.service contrib/systemd/*.timer $(DESTDIR)$(UNITDIR)/
	install -D -m 0644 contrib/sysusers.d/minewall.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/minewall.conf
	install -D -m 0644 contrib/tmpfiles.d/minewall.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/minewall.conf
	install -D -m 0644 contrib/logrotate/minewall $(DESTDIR)/etc/logrotate.d/minewall

include tests/package/package.mk

clean:
	rm -rf $(BUILD)

-include $(OBJ:.o=.d)

.PHONY: all unit-programs units units-asan lint check check-all install install-papers install-system papers clean
