# SPDX-License-Identifier: GPL-2.0-or-later
# make fuzz: every fuzzer under ASan and UBSan for FUZZ_SECONDS each, with clang's libFuzzer. Inputs that crash stay in BUILD/fuzz.

FUZZ_SECONDS ?= 30
FUZZ_CC      ?= clang
FUZZ_FLAGS    = -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all

FUZZ_inspect  := $(wildcard inspect/*.c)
FUZZ_dns      := $(FUZZ_inspect)
FUZZ_websocket := $(FUZZ_inspect)
FUZZ_http2    := $(FUZZ_inspect)
FUZZ_packet   := nfq/packet.c
FUZZ_policy   := $(wildcard policy/*.c) inspect/dialects.c inspect/require.c inspect/json.c
FUZZ_pipeline := daemon/pipeline.c daemon/step.c daemon/segment.c daemon/start.c daemon/datagram.c daemon/lookup.c daemon/answers.c daemon/suspect.c daemon/watch.c daemon/score.c nfq/flow.c nfq/stream.c $(wildcard inspect/*.c) $(wildcard policy/*.c)
FUZZ_signature := cli/signature.c cli/blake2b.c
FUZZ_quic     := $(FUZZ_pipeline)
FUZZ_lists    := $(filter policy/list%,$(wildcard policy/*.c)) policy/name_entry.c policy/names.c policy/addresses.c
FUZZERS       := inspect dns websocket http2 packet policy lists pipeline quic signature

$(FUZZERS:%=$(BUILD)/fuzz/fuzz_%): $(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(wildcard tests/fuzz/*.h inspect/* policy/* nfq/* daemon/* cli/*)
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)/$*
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_FLAGS) -o $@ $< $(FUZZ_$*) -lyaml -lz -lhogweed -lnettle $(IDN:lib%=-l%)

fuzz: $(FUZZERS:%=$(BUILD)/fuzz/fuzz_%)
	$(Q)for f in $(FUZZERS); do echo "== $$f"; $(BUILD)/fuzz/fuzz_$$f -max_total_time=$(FUZZ_SECONDS) -max_len=20000 -verbosity=0 \
		-print_final_stats=1 -artifact_prefix=$(BUILD)/fuzz/ $(BUILD)/fuzz/$$f || exit 1; done

.PHONY: fuzz
