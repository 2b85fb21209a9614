# SPDX-License-Identifier: GPL-2.0-or-later
# make fuzz: every fuzzer under ASan and UBSan for FUZZ_SECONDS each, with clang's libFuzzer, from seeds that seeds.py makes. What it
# finds on its way stays in BUILD/fuzz/TARGET; inputs that crash are BUILD/fuzz/TARGET-crash-*, and belong into a unit test.

FUZZ_SECONDS ?= 60
FUZZ_CC      ?= clang
FUZZ_FLAGS    = -std=gnu11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all $(PKG_CFLAGS)

# A target is tests/fuzz/fuzz_TARGET.c and a line here with the sources that it is linked with.
FUZZ_inspect   := $(wildcard inspect/*.c)
FUZZ_websocket := $(FUZZ_inspect)
FUZZ_http2     := $(FUZZ_inspect)
FUZZ_dns       := $(FUZZ_inspect)
FUZZ_packet    := nfq/packet.c
FUZZ_policy    := $(wildcard policy/*.c) inspect/dialects.c inspect/code.c inspect/code_build.c inspect/require.c inspect/json.c
FUZZ_pipeline  := $(addprefix daemon/,pipeline.c step.c segment.c start.c datagram.c lookup.c answers.c reach.c suspect.c watch.c score.c) \
		  nfq/flow.c nfq/stream.c nfq/prefault.c $(wildcard inspect/*.c policy/*.c)
FUZZ_quic      := $(FUZZ_pipeline)
FUZZ_signature := cli/signature.c cli/blake2b.c
FUZZ_hints     := $(addprefix daemon/,hints.c hint_table.c hint.c) policy/fleet.c
FUZZ_lists     := $(filter policy/list%,$(wildcard policy/*.c)) policy/name_entry.c policy/names.c policy/block.c policy/addresses.c
FUZZ_log       := cli/log_line.c cli/event_line.c daemon/escape.c
FUZZ_capture   := $(addprefix cli/,capture.c link.c defrag.c replay_flow.c replay_line.c) $(addprefix daemon/,event.c escape.c) $(FUZZ_pipeline) nfq/packet.c
FUZZ_control   := $(addprefix daemon/,answer.c clients.c control.c event.c escape.c learnt.c tenants.c blind.c) $(FUZZ_pipeline)
FUZZERS        := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

FUZZ_BINARIES := $(FUZZERS:%=$(BUILD)/fuzz/fuzz_%)
FUZZ_DIR       = $(BUILD)/fuzz

$(FUZZ_DIR)/obj/%.o: %.c
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

.SECONDEXPANSION:
$(FUZZ_BINARIES): $(FUZZ_DIR)/fuzz_%: $(FUZZ_DIR)/obj/tests/fuzz/fuzz_%.o $$(addprefix $(FUZZ_DIR)/obj/,$$(FUZZ_$$*:.c=.o))
	$(call say,FUZZ,$@)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS)

# One after the other; the last line counts them, as every part of `make check` does.
fuzz: $(FUZZ_BINARIES)
	$(Q)tests/fuzz/run $(FUZZ_DIR) $(FUZZ_SECONDS) $(FUZZERS)

# How much of the parsers the seeds, the kept corpus and what `make fuzz` has found reach, in per cent of lines and branches.
fuzz-coverage:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/coverage \
		FUZZ_FLAGS='-std=gnu11 -g -O1 -fprofile-instr-generate -fcoverage-mapping $(PKG_CFLAGS)' fuzz-binaries
	$(Q)tests/fuzz/coverage $(BUILD)/coverage/fuzz $(FUZZ_DIR) $(FUZZERS)

fuzz-binaries: $(FUZZ_BINARIES)

-include $(wildcard $(FUZZ_DIR)/obj/*/*.d $(FUZZ_DIR)/obj/*/*/*.d)

.PHONY: fuzz fuzz-coverage fuzz-binaries
