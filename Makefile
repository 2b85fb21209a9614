# SPDX-License-Identifier: GPL-2.0-or-later
# make: build/minewall    make demo: the main job in namespaces    make check: the tests    make lint: the house rules

BUILD   ?= build
PREFIX  ?= /usr
CC      ?= cc
PKGS    := libmnl libnetfilter_queue libnftnl yaml-0.1 libpcap jansson nettle
DIRS    := inspect policy nfq nft daemon cli
VERSION := 0.1.0

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Werror=vla
CFLAGS  ?= -O2 -g
CPPFLAGS += -I. -D_GNU_SOURCE -DMINEWALL_VERSION='"$(VERSION)"'
ALL_CFLAGS = -std=gnu11 $(WARN) -fstack-protector-strong $(CFLAGS) $(SANITIZE)

ifneq ($(V),1)
Q := @
say = @printf '  %-5s %s\n' '$(1)' '$(2)';
endif

SRC := $(wildcard $(DIRS:%=%/*.c))
OBJ := $(SRC:%.c=$(BUILD)/%.o)

all: $(BUILD)/minewall

PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   = $(shell pkg-config --libs $(PKGS))

$(BUILD)/minewall: $(OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(OBJ) $(PKG_LIBS) -lpthread

$(BUILD)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

# Unit tests. Each test's link line names exactly the objects that it needs: that proves the arrows between the folders.
include tests/unit/units.mk

-include $(OBJ:.o=.d)

clean:
	rm -rf $(BUILD)

.PHONY: all clean
