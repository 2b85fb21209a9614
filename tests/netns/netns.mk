# SPDX-License-Identifier: GPL-2.0-or-later
# Everything that runs the real daemon in network namespaces.

# The packages come first: on a fresh machine there is not even a compiler yet.
demo:
	$(Q)contrib/install-deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)/usr/bin/python3 tests/netns/demo.py $(BUILD)/minewall

check-netns: $(BUILD)/minewall netns-tools
	$(Q)/usr/bin/python3 tests/netns/run.py $(BUILD)/minewall

# The same and more under Debian's own kernel, in an emulator: native `queue`, flowtables, a table that anybody may flush.
check-stock: $(BUILD)/minewall netns-tools
	$(Q)tests/netns/stockvm.sh $(BUILD) all

# What the cases need beside Python: nettle's ciphers.
$(BUILD)/tests/netns/quic_initial: $(BUILD)/tests/netns/quic_initial.o
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(shell pkg-config --libs nettle)

-include $(BUILD)/tests/netns/quic_initial.d

# The daemon between real clients, where every byte read beyond its block, every overflow and (the other) every race ends it and fails the
# case. Without seccomp, as the sanitizers ask the kernel for more than the daemon may; LIVE_ONLY='--only PATTERN' takes a part.
netns-asan:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/live-asan SECCOMP= CFLAGS='-O1 -g' \
		SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' LIVE=asan live-binary netns-tools
	$(Q)MINEWALL_SLOW=3 /usr/bin/python3 tests/netns/run.py --jobs 4 $(LIVE_ONLY) $(BUILD)/live-asan/minewall

netns-tsan:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/live-tsan SECCOMP= CFLAGS='-O1 -g' SANITIZE=-fsanitize=thread LIVE=tsan live-binary netns-tools
	$(Q)MINEWALL_SLOW=5 setarch -R /usr/bin/python3 tests/netns/run.py --jobs 2 $(or $(LIVE_ONLY),--only 'reload*' --only '*restart*' --only 'pause*' \
		--only 'tls*block*' --only 'dns*') $(BUILD)/live-tsan/minewall

live-binary: $(OBJ) $(BUILD)/tests/netns/sanitized.o
	$(call say,LD,$(BUILD)/minewall)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $(BUILD)/minewall $^ $(PKG_LIBS) -lpthread -ldl

# Start, traffic, reloads and stop under valgrind: no error and no leak.
grind:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/grind SECCOMP= CFLAGS='-O1 -g' all
	$(Q)/usr/bin/python3 tests/netns/grind.py $(BUILD)/grind/minewall

.PHONY: netns-asan netns-tsan live-binary grind

netns-tools: $(BUILD)/tests/netns/quic_initial

.PHONY: demo check-netns check-stock netns-tools
