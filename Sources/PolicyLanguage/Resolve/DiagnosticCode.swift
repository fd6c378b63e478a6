import Diagnostics

/// What the resolver can find fault with. The raw value is the diagnostic's code, and the name of its fixture.
enum DiagnosticCode: String, CaseIterable {
  // files
  case cannotRead = "cannot-read"
  case noPolicyFiles = "no-policy-files"
  case emptyPolicy = "empty-policy"
  case duplicateOptions = "duplicate-options"
  // shape
  case wrongShape = "wrong-shape"
  case unknownKey = "unknown-key"
  case neededKey = "needed-key"
  case emptyValue = "empty-value"
  case invalidValue = "invalid-value"
  case cloudSpelling = "cloud-spelling"
  // names
  case invalidName = "invalid-name"
  case duplicateName = "duplicate-name"
  case unknownGroup = "unknown-group"
  case unknownPeer = "unknown-peer"
  case unknownNetwork = "unknown-network"
  case unknownService = "unknown-service"
  case wrongKindOfName = "wrong-kind-of-name"
  case circularService = "circular-service"
  case tooManyServices = "too-many-services"
  // addresses
  case invalidAddress = "invalid-address"
  case hostBits = "host-bits"
  case tooManyAddresses = "too-many-addresses"
  case addressInTwoInstances = "address-in-two-instances"
  case overlappingNetworks = "overlapping-networks"
  case outsideNetwork = "outside-network"
  case crossingNetworks = "crossing-networks"
  // services
  case invalidService = "invalid-service"
  case invalidPort = "invalid-port"
  case portsOnProtocol = "ports-on-protocol"
  case invalidIcmpType = "invalid-icmp-type"
  case icmpReply = "icmp-reply"
  // groups and rules
  case mixedGroupTypes = "mixed-group-types"
  case intraGroupOnAdvanced = "intra-group-on-advanced"
  case externalWithRules = "external-with-rules"
  case groupWithoutMembers = "group-without-members"
  case noAction = "no-action"
  case allowAndDeny = "allow-and-deny"
  case invalidPriority = "invalid-priority"
  case sourcePortsWithoutPorts = "source-ports-without-ports"
  case familyMismatch = "family-mismatch"
  case selfReference = "self-reference"
  case ownEndOutsideGroup = "own-end-outside-group"
  // instances, expectations
  case invalidInterface = "invalid-interface"
  case expectationOfNothing = "expectation-of-nothing"
}
