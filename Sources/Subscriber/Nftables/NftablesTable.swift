// Stage 3, enforcement: the table inet fail2ban_cluster with its four sets, as libnftnl tells it to the kernel.

import CNetfilter
import Glibc
import Wire

/// What stands in the kernel, in the nft tool's words:
///
///     table inet fail2ban_cluster {
///         counter refused4 { }
///         counter refused6 { }
///         set addresses4 { type ipv4_addr; flags timeout; }
///         set addresses6 { type ipv6_addr; flags timeout; }
///         set prefixes4 { type ipv4_addr; flags interval, timeout; }
///         set prefixes6 { type ipv6_addr; flags interval, timeout; }
///         chain refuse {
///             ip saddr @addresses4 counter name "refused4" drop
///             ip6 saddr @addresses6 counter name "refused6" drop
///             ip saddr @prefixes4 counter name "refused4" drop
///             ip6 saddr @prefixes6 counter name "refused6" drop
///         }
///         chain input { type filter hook input priority -10; policy accept; jump refuse }
///         chain forward { type filter hook forward priority -10; policy accept; jump refuse }
///     }
///
/// A packet that one table drops is dropped, whatever other tables say; what this one lets through they still decide about. As with
/// fail2ban's own actions, connections that are established already are refused too, so that a ban ends them.
enum NftablesTable {
    static let name = "fail2ban_cluster"

    /// Before the chains of the usual priority 0 (`filter`), and before fail2ban's own at -1: what is refused costs them nothing. Behind
    /// connection tracking (-200) and the change of destinations (-100).
    static let priority: Int32 = -10

    private static let refuse = "refuse"
    private static let hooks = [("input", NF_INET_LOCAL_IN), ("forward", NF_INET_FORWARD)]

    private static func counter(_ family: Address.Family) -> String { family == .ipv4 ? "refused4" : "refused6" }

    /// Writes what makes the table complete, whatever of it is there: what is there stays, with its elements and counts, and the rules are
    /// replaced by the same rules. Nothing is let through in between, since a transaction is carried out as a whole.
    ///
    /// - Parameter anew: Removes the table first. For one that is there in another form, which the kernel can't change.
    static func append(to messages: inout NetlinkMessages, anew: Bool) {
        appendTable(to: &messages)
        if anew {
            messages.append(NFT_MSG_DELTABLE, 0) { $0.put(NFTA_TABLE_NAME, name) }
            appendTable(to: &messages)
        }
        for family in [Address.Family.ipv4, .ipv6] { append(counter: counter(family), to: &messages) }
        for (index, set) in NftablesSet.allCases.enumerated() { append(set, id: UInt32(index + 1), to: &messages) }
        append(chain: refuse, to: &messages)
        for set in NftablesSet.allCases {
            append(ruleIn: refuse, to: &messages) { rule in
                matchSource(of: set, rule)
                count(in: counter(set.family), rule)
                decide(verdict: NF_DROP, rule)
            }
        }
        for (chain, hook) in hooks {
            append(chain: chain, at: hook, to: &messages)
            append(ruleIn: chain, to: &messages) { decide(verdict: Int32(NFT_JUMP.rawValue), chain: refuse, $0) }
        }
    }

    private static func appendTable(to messages: inout NetlinkMessages) {
        guard let table = nftnl_table_alloc() else { return }
        defer { nftnl_table_free(table) }
        nftnl_table_set_str(table, UInt16(NFTNL_TABLE_NAME.rawValue), name)
        // Without flags: one that someone made dormant is awake again.
        nftnl_table_set_u32(table, UInt16(NFTNL_TABLE_FLAGS.rawValue), 0)
        messages.append(NFT_MSG_NEWTABLE, NLM_F_CREATE) { nftnl_table_nlmsg_build_payload($0, table) }
    }

    private static func append(counter: String, to messages: inout NetlinkMessages) {
        guard let object = nftnl_obj_alloc() else { return }
        defer { nftnl_obj_free(object) }
        nftnl_obj_set_str(object, UInt16(NFTNL_OBJ_TABLE), name)
        nftnl_obj_set_str(object, UInt16(NFTNL_OBJ_NAME), counter)
        nftnl_obj_set_u32(object, UInt16(NFTNL_OBJ_TYPE), UInt32(NFT_OBJECT_COUNTER))
        messages.append(NFT_MSG_NEWOBJ, NLM_F_CREATE) { nftnl_obj_nlmsg_build_payload($0, object) }
    }

    private static func append(_ set: NftablesSet, id: UInt32, to messages: inout NetlinkMessages) {
        guard let made = nftnl_set_alloc() else { return }
        defer { nftnl_set_free(made) }
        nftnl_set_set_str(made, UInt16(NFTNL_SET_TABLE.rawValue), name)
        nftnl_set_set_str(made, UInt16(NFTNL_SET_NAME.rawValue), set.rawValue)
        nftnl_set_set_u32(made, UInt16(NFTNL_SET_ID.rawValue), id)
        nftnl_set_set_u32(made, UInt16(NFTNL_SET_FLAGS.rawValue), set.flags)
        nftnl_set_set_u32(made, UInt16(NFTNL_SET_KEY_TYPE.rawValue), set.keyType)
        nftnl_set_set_u32(made, UInt16(NFTNL_SET_KEY_LEN.rawValue), UInt32(set.keyLength))
        messages.append(NFT_MSG_NEWSET, NLM_F_CREATE) { nftnl_set_nlmsg_build_payload($0, made) }
    }

    /// A chain without rules: those that it has are removed.
    private static func append(chain: String, at hook: nf_inet_hooks? = nil, to messages: inout NetlinkMessages) {
        guard let made = nftnl_chain_alloc() else { return }
        defer { nftnl_chain_free(made) }
        nftnl_chain_set_str(made, UInt16(NFTNL_CHAIN_TABLE.rawValue), name)
        nftnl_chain_set_str(made, UInt16(NFTNL_CHAIN_NAME.rawValue), chain)
        if let hook {
            nftnl_chain_set_str(made, UInt16(NFTNL_CHAIN_TYPE.rawValue), "filter")
            nftnl_chain_set_u32(made, UInt16(NFTNL_CHAIN_HOOKNUM.rawValue), hook.rawValue)
            nftnl_chain_set_s32(made, UInt16(NFTNL_CHAIN_PRIO.rawValue), priority)
            nftnl_chain_set_u32(made, UInt16(NFTNL_CHAIN_POLICY.rawValue), UInt32(NF_ACCEPT))
        }
        messages.append(NFT_MSG_NEWCHAIN, NLM_F_CREATE) { nftnl_chain_nlmsg_build_payload($0, made) }
        messages.append(NFT_MSG_DELRULE, 0) {
            $0.put(NFTA_RULE_TABLE, name)
            $0.put(NFTA_RULE_CHAIN, chain)
        }
    }

    private static func append(ruleIn chain: String, to messages: inout NetlinkMessages, _ steps: (OpaquePointer) -> Void) {
        guard let rule = nftnl_rule_alloc() else { return }
        defer { nftnl_rule_free(rule) }
        nftnl_rule_set_str(rule, UInt16(NFTNL_RULE_TABLE.rawValue), name)
        nftnl_rule_set_str(rule, UInt16(NFTNL_RULE_CHAIN.rawValue), chain)
        steps(rule)
        messages.append(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND) { nftnl_rule_nlmsg_build_payload($0, rule) }
    }

    // MARK: The steps of a rule

    /// One step of a rule. The rule takes it over, and frees it.
    private static func add(_ name: String, to rule: OpaquePointer, _ body: (OpaquePointer) -> Void) {
        guard let step = nftnl_expr_alloc(name) else { return }
        body(step)
        nftnl_rule_add_expr(rule, step)
    }

    /// `ip saddr @addresses4`: of that family, and the source address is in the set.
    private static func matchSource(of set: NftablesSet, _ rule: OpaquePointer) {
        let isIPv4 = set.family == .ipv4
        add("meta", to: rule) { step in
            nftnl_expr_set_u32(step, UInt16(NFTNL_EXPR_META_KEY), NFT_META_NFPROTO.rawValue)
            nftnl_expr_set_u32(step, UInt16(NFTNL_EXPR_META_DREG), NFT_REG_1.rawValue)
        }
        add("cmp", to: rule) { step in
            nftnl_expr_set_u32(step, UInt16(NFTNL_EXPR_CMP_SREG), NFT_REG_1.rawValue)
            nftnl_expr_set_u32(step, UInt16(NFTNL_EXPR_CMP_OP), NFT_CMP_EQ.rawValue)
            nftnl_expr_set_u8(step, UInt16(NFTNL_EXPR_CMP_DATA), UInt8(isIPv4 ? NFPROTO_IPV4 : NFPROTO_IPV6))
        }
        add("payload", to: rule) { step in
            nftnl_expr_set_u32(step, UInt16(NFTNL_EXPR_PAYLOAD_DREG), NFT_REG_1.rawValue)
            nftnl_expr_set_u32(step, UInt16(NFTNL_EXPR_PAYLOAD_BASE), NFT_PAYLOAD_NETWORK_HEADER.rawValue)
            // Where the source stands in the header: RFC 791 and RFC 8200, section 3.
            nftnl_expr_set_u32(step, UInt16(NFTNL_EXPR_PAYLOAD_OFFSET), isIPv4 ? 12 : 8)
            nftnl_expr_set_u32(step, UInt16(NFTNL_EXPR_PAYLOAD_LEN), UInt32(set.keyLength))
        }
        add("lookup", to: rule) { step in
            nftnl_expr_set_u32(step, UInt16(NFTNL_EXPR_LOOKUP_SREG), NFT_REG_1.rawValue)
            nftnl_expr_set_str(step, UInt16(NFTNL_EXPR_LOOKUP_SET), set.rawValue)
        }
    }

    /// `counter name "refused4"`
    private static func count(in counter: String, _ rule: OpaquePointer) {
        add("objref", to: rule) { step in
            nftnl_expr_set_u32(step, UInt16(NFTNL_EXPR_OBJREF_IMM_TYPE), UInt32(NFT_OBJECT_COUNTER))
            nftnl_expr_set_str(step, UInt16(NFTNL_EXPR_OBJREF_IMM_NAME), counter)
        }
    }

    /// `drop`, or `jump refuse`
    private static func decide(verdict: Int32, chain: String? = nil, _ rule: OpaquePointer) {
        add("immediate", to: rule) { step in
            nftnl_expr_set_u32(step, UInt16(NFTNL_EXPR_IMM_DREG), NFT_REG_VERDICT.rawValue)
            nftnl_expr_set_u32(step, UInt16(NFTNL_EXPR_IMM_VERDICT), UInt32(bitPattern: verdict))
            if let chain { nftnl_expr_set_str(step, UInt16(NFTNL_EXPR_IMM_CHAIN), chain) }
        }
    }
}

/// A set of the table: single addresses in hash sets, where one is found and changed at once however many there are; prefixes, which are
/// few, in interval sets, as ranges without overlaps.
enum NftablesSet: String, CaseIterable, Sendable {
    case addresses4, addresses6, prefixes4, prefixes6

    static func addresses(_ family: Address.Family) -> NftablesSet { family == .ipv4 ? .addresses4 : .addresses6 }
    static func prefixes(_ family: Address.Family) -> NftablesSet { family == .ipv4 ? .prefixes4 : .prefixes6 }

    var family: Address.Family {
        switch self {
        case .addresses4, .prefixes4: .ipv4
        case .addresses6, .prefixes6: .ipv6
        }
    }

    var hasIntervals: Bool {
        switch self {
        case .addresses4, .addresses6: false
        case .prefixes4, .prefixes6: true
        }
    }

    /// NFT_SET_…: each element has its own end.
    var flags: UInt32 { UInt32(NFT_SET_TIMEOUT.rawValue) | (hasIntervals ? UInt32(NFT_SET_INTERVAL.rawValue) : 0) }

    /// How the nft tool shows its elements: ipv4_addr or ipv6_addr (nftables, include/datatype.h). The kernel only keeps it.
    var keyType: UInt32 { family == .ipv4 ? 7 : 8 }

    /// Bytes of one element's key.
    var keyLength: Int { family.width / 8 }
}

extension Address {
    /// The network as a number, as wide as the family.
    var number: UInt128 { UInt128(high) << 64 | UInt128(low) }

    /// The last address of the prefix as a number.
    var lastNumber: UInt128 {
        let hostBits = family.width - prefixLength
        return hostBits == 128 ? .max : number | (UInt128(1) << UInt128(hostBits) - 1)
    }

    /// A single address; `nil` when it is beyond the family, or an IPv4 address in the form of an IPv6 one.
    init?(_ number: UInt128, _ family: Family) {
        switch family {
        case .ipv4:
            guard let bits = UInt32(exactly: number) else { return nil }
            self.init(ipv4: bits)
        case .ipv6:
            self.init(ipv6High: UInt64(truncatingIfNeeded: number >> 64), low: UInt64(truncatingIfNeeded: number))
            guard self.family == .ipv6 else { return nil }
        }
    }
}
