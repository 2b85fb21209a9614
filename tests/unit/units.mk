# SPDX-License-Identifier: GPL-2.0-or-later
# One line a unit test: its objects (folder/file without .o), then its libraries.

# $(1) test name, $(2) objects, $(3) pkg-config packages
define unit
UNITS += $(BUILD)/tests/unit/test_$(1)
$(BUILD)/tests/unit/test_$(1): $(BUILD)/tests/unit/test_$(1).o $(2:%=$(BUILD)/%.o)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(ALL_CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(shell pkg-config --libs cmocka $(3) $(if $(filter inspect/websocket,$(2)),zlib)) -lpthread
-include $(BUILD)/tests/unit/test_$(1).d
endef

$(eval $(call unit,packet,nfq/packet,))
$(eval $(call unit,defrag,cli/defrag,))
$(eval $(call unit,link,cli/link,))
$(eval $(call unit,replay_flow,cli/replay_flow,))
INSPECT := inspect/cursor inspect/name inspect/tls inspect/dns inspect/socks inspect/proxy inspect/http inspect/json inspect/require inspect/dialects inspect/code inspect/code_build inspect/stratum \
	inspect/payee inspect/magic inspect/body inspect/hpack inspect/http2 inspect/websocket inspect/inspect
$(eval $(call unit,cursor,inspect/cursor,))
$(eval $(call unit,tls,$(INSPECT),))
$(eval $(call unit,http,$(INSPECT),))
$(eval $(call unit,dns,$(INSPECT),))
$(eval $(call unit,socks,$(INSPECT),))
$(eval $(call unit,stratum,$(INSPECT),))
$(eval $(call unit,magic,$(INSPECT),))
$(eval $(call unit,inspect,$(INSPECT),))
LISTS := policy/lists policy/list_text policy/list_detect policy/list_simple policy/list_adblock policy/list_config policy/list_rpz \
	policy/name_entry policy/names policy/block policy/addresses
POLICY_UNITS := policy/policy policy/allowing policy/schema policy/schema_items policy/schema_lists policy/schema_rules policy/schema_reporting policy/schema_fleet policy/fleet \
	policy/rule policy/schedule policy/doc policy/file policy/block \
	$(LISTS) policy/sources policy/telltale policy/decide policy/explain policy/export \
	policy/dialects inspect/dialects inspect/code inspect/code_build inspect/require inspect/json
QUIC := inspect/quic inspect/gquic
$(eval $(call unit,quic,$(QUIC) $(INSPECT),nettle))
$(eval $(call unit,ja4,inspect/ja4 inspect/cursor,nettle))
$(eval $(call unit,block,policy/block,))
$(eval $(call unit,names,policy/name_entry policy/names policy/block,$(IDN)))
$(eval $(call unit,addresses,policy/addresses,))
$(eval $(call unit,lists,$(LISTS) policy/file policy/block,$(IDN)))
$(eval $(call unit,policy,$(POLICY_UNITS),yaml-0.1 $(IDN)))
$(eval $(call unit,decide,$(POLICY_UNITS),yaml-0.1 $(IDN)))
CORE := daemon/pipeline daemon/step daemon/segment daemon/start daemon/datagram daemon/lookup daemon/answers daemon/reach daemon/suspect daemon/watch daemon/score nfq/flow nfq/stream nfq/prefault inspect/ja4 $(QUIC) $(INSPECT) $(POLICY_UNITS)
$(eval $(call unit,replay_line,cli/replay_line daemon/event daemon/escape daemon/log $(CORE),jansson nettle yaml-0.1 $(IDN)))
$(eval $(call unit,pipeline,$(CORE),yaml-0.1 $(IDN) nettle))
$(eval $(call unit,datagram,$(CORE),yaml-0.1 $(IDN) nettle))
$(eval $(call unit,table,nft/table nft/rules nft/judge nft/guard nft/offload nft/starts nft/quarantine nft/writer nft/sets nft/expr nft/netlink nft/marks nft/markuse nft/connmark,libnftnl libmnl))
LOGS := cli/log_read cli/log_files cli/unzstd cli/log_line
$(eval $(call unit,check,cli/check cli/safe cli/check_diff cli/event_line daemon/escape $(LOGS) daemon/score $(POLICY_UNITS),yaml-0.1 $(IDN) jansson zlib))
$(eval $(call unit,log,$(LOGS) cli/log_fold cli/when cli/event_line daemon/escape cli/safe cli/common daemon/control $(POLICY_UNITS),yaml-0.1 $(IDN) jansson zlib))
$(eval $(call unit,stream,nfq/stream nfq/prefault,))
$(eval $(call unit,prefault,nfq/flow nfq/stream nfq/prefault,))
$(eval $(call unit,flow,nfq/flow nfq/stream nfq/prefault,))
$(eval $(call unit,interfaces,nfq/interfaces,))
$(eval $(call unit,learnt,daemon/learnt daemon/tenants,))
$(eval $(call unit,event_log,daemon/event_log daemon/rotate daemon/event daemon/escape daemon/log $(LOGS) $(CORE),jansson nettle yaml-0.1 $(IDN) zlib))
$(eval $(call unit,event,daemon/event daemon/escape daemon/log $(CORE),jansson nettle yaml-0.1 $(IDN)))
$(eval $(call unit,watch,$(CORE),yaml-0.1 $(IDN) nettle))
$(eval $(call unit,blind,daemon/blind,))
$(eval $(call unit,rules,$(POLICY_UNITS),yaml-0.1 $(IDN)))
$(eval $(call unit,body,$(INSPECT),))
$(eval $(call unit,websocket,$(INSPECT),))
$(eval $(call unit,hpack,inspect/hpack inspect/cursor,))
$(eval $(call unit,http2,$(INSPECT),))
$(eval $(call unit,answers,daemon/answers daemon/refuse,))
$(eval $(call unit,lookup,$(CORE),yaml-0.1 $(IDN) nettle))
$(eval $(call unit,signature,cli/signature cli/blake2b,nettle hogweed))
$(eval $(call unit,sources,$(POLICY_UNITS),yaml-0.1 $(IDN)))
$(eval $(call unit,near,cli/near,))
$(eval $(call unit,judge,cli/judge cli/child daemon/process daemon/account cli/signature cli/blake2b $(POLICY_UNITS),yaml-0.1 $(IDN) nettle hogweed))
$(eval $(call unit,list_meta,cli/list_meta cli/folder policy/file policy/block,jansson))
$(eval $(call unit,incident,daemon/incident daemon/incident_json daemon/incident_file daemon/sighting daemon/leases daemon/event daemon/escape daemon/log $(CORE),jansson nettle yaml-0.1 $(IDN)))
$(eval $(call unit,clients,daemon/clients,jansson))
$(eval $(call unit,account,daemon/account,))
$(eval $(call unit,load,daemon/load daemon/process daemon/account daemon/incident daemon/log daemon/escape,jansson))
$(eval $(call unit,quarantine,daemon/quarantine daemon/reach,jansson))
$(eval $(call unit,escape,daemon/escape,jansson))
$(eval $(call unit,sandbox,daemon/power daemon/account daemon/sandbox daemon/landlock,$(SECCOMP)))
$(eval $(call unit,hints,daemon/hints daemon/hint_table daemon/hint daemon/fleet_own policy/fleet,jansson nettle))
