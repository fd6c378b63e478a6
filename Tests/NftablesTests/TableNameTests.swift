import Nftables
import Testing

@Suite struct TableNameTests {
  @Test(arguments: ["cordon", "a", "filter", "nat", "my-table_1.x/y", String(repeating: "a", count: 255)])
  func takes(_ name: String) { #expect(TableName.problem(name) == nil) }

  @Test(arguments: [
    "", "1a", "-a", "a b", "a;b", "a\n", "ip", "table", "fwd", "destroy", "tåble", String(repeating: "a", count: 256),
  ])
  func refuses(_ name: String) { #expect(TableName.problem(name) != nil) }
}
