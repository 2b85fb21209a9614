# SPDX-License-Identifier: GPL-2.0-or-later
# One line a unit test: its objects (folder/file without .o), then its libraries.

# $(1) test name, $(2) objects, $(3) pkg-config packages
define unit
UNITS += $(BUILD)/tests/unit/test_$(1)
$(BUILD)/tests/unit/test_$(1): $(BUILD)/tests/unit/test_$(1).o $(2:%=$(BUILD)/%.o)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(ALL_CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(shell pkg-config --libs cmocka $(3)) -lpthread
-include $(BUILD)/tests/unit/test_$(1).d
endef

$(eval $(call unit,packet,nfq/packet,))
$(eval $(call unit,defrag,cli/defrag,))
$(eval $(call unit,link,cli/link,))
$(eval $(call unit,replay_flow,cli/replay_flow,))
INSPECT := inspect/cursor inspect/name inspect/tls inspect/socks inspect/http inspect/json inspect/require inspect/dialects inspect/stratum inspect/inspect
$(eval $(call unit,cursor,inspect/cursor,))
$(eval $(call unit,tls,$(INSPECT),))
$(eval $(call unit,http,$(INSPECT),))
$(eval $(call unit,socks,$(INSPECT),))
$(eval $(call unit,stratum,$(INSPECT),))
$(eval $(call unit,inspect,$(INSPECT),))
LISTS := policy/lists policy/list_text policy/list_detect policy/list_simple policy/list_adblock policy/list_config policy/list_rpz \
	policy/name_entry policy/names policy/addresses
POLICY_UNITS := policy/policy policy/allowing policy/schema policy/doc policy/file $(LISTS) policy/decide
$(eval $(call unit,names,policy/name_entry policy/names,$(IDN)))
$(eval $(call unit,addresses,policy/addresses,))
$(eval $(call unit,lists,$(LISTS) policy/file,$(IDN)))
$(eval $(call unit,policy,$(POLICY_UNITS),yaml-0.1 $(IDN)))
$(eval $(call unit,decide,$(POLICY_UNITS),yaml-0.1 $(IDN)))
CORE := daemon/pipeline daemon/step daemon/segment daemon/datagram daemon/suspect daemon/watch daemon/score nfq/flow nfq/stream $(INSPECT) $(POLICY_UNITS)
$(eval $(call unit,replay_line,cli/replay_line daemon/event daemon/log $(CORE),jansson nettle yaml-0.1 $(IDN)))
$(eval $(call unit,pipeline,$(CORE),yaml-0.1 $(IDN)))
$(eval $(call unit,table,nft/table nft/rules nft/writer nft/sets nft/expr nft/netlink nft/marks nft/markuse nft/connmark,libnftnl libmnl))
$(eval $(call unit,check,cli/check $(POLICY_UNITS),yaml-0.1 $(IDN) jansson))
$(eval $(call unit,stream,nfq/stream,))
$(eval $(call unit,flow,nfq/flow nfq/stream,))
$(eval $(call unit,learnt,daemon/learnt daemon/tenants,))
$(eval $(call unit,event,daemon/event daemon/log $(CORE),jansson nettle yaml-0.1 $(IDN)))
$(eval $(call unit,watch,$(CORE),yaml-0.1 $(IDN)))
$(eval $(call unit,blind,daemon/blind,))
