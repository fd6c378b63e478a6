/// What the linter can advise. The raw value is the diagnostic's code, the name of its fixture and the word that waives it.
public enum LintCode: String, CaseIterable, Sendable {
  // rules that do nothing, or not what they say
  case shadowedRule = "shadowed-rule"
  case redundantRule = "redundant-rule"
  case overriddenDeny = "overridden-deny"
  case ipv4OnlyDeny = "ipv4-only-deny"
  case egressDenyHitsMembers = "egress-deny-hits-members"
  // what is open that shouldn't be
  case openAll = "open-all"
  case openAdmin = "open-admin"
  case openDatabase = "open-database"
  case environmentCrossing = "environment-crossing"
  case needlessPublicAddress = "needless-public-address"
  case unneededIntraGroup = "unneeded-intra-group"
  // what makes a policy hard to keep
  case addressForGroup = "address-for-group"
  case manyPurposes = "many-purposes"
  case missingDescription = "missing-description"
  case unusedGroup = "unused-group"
  case unusedPrefixList = "unused-prefix-list"
  case unusedService = "unused-service"
  case unusedNetwork = "unused-network"
  // what a cloud would refuse
  case advancedGroupPeer = "advanced-group-peer"
  case tooManyGroupPeers = "too-many-group-peers"
  case tooManyRules = "too-many-rules"
  case tooManyGroups = "too-many-groups"
  // the linter itself
  case tooComplex = "too-complex"
  case unusedWaiver = "unused-waiver"
  case unknownWaiver = "unknown-waiver"
}
