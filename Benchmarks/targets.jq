# The targets, each with the figure that these results give, null where they have no such size; by which it holds or not.

def seconds($shape; $what): .results[] | select(.shape == $shape and .what == $what) | .seconds;
def megabytes($shape; $what): .results[] | select(.shape == $shape and .what == $what) | .kilobytes / 1024;
def bytes($shape): .results[] | select(.shape == $shape and .what == "policy") | .bytes;
def ns($router; $flows): .results[] | select(.router == $router and .flows == $flows) | .ns;

# A figure may need several results: it is null where one is missing.
def target($what; $limit; $unit; $isLeast; figure): ([figure] | first) as $figure
  | {$what, $limit, $unit, $isLeast, $figure,
    holds: (if $figure == null then null elif $isLeast then $figure >= $limit else $figure <= $limit end)};
def at_most($what; $limit; $unit; figure): target($what; $limit; $unit; false; figure);
def at_least($what; $limit; $unit; figure): target($what; $limit; $unit; true; figure);

def targets: [
  at_most("new flow, 10 groups, against conntrack alone"; 1.2; "×"; ns("10"; "10.usual") / ns("conntrack"; "10.usual")),
  at_most("new flow, large, against 10 groups"; 1.1; "×"; ns("large"; "large.usual") / ns("10"; "10.usual")),
  at_most("new flow, huge, against large"; 1.1; "×"; ns("huge"; "huge.usual") / ns("large"; "large.usual")),
  at_least("new flow into a group of 1,000 rules, plainest against ours, above conntrack"; 5; "×";
    ns("conntrack"; "long.usual") as $base
    | (ns("long.plain"; "long.usual") - $base) / (ns("long"; "long.usual") - $base)),
  at_most("compile, large, against nft -c of the plainest"; 0.35; "×";
    seconds("large"; "cordon compile") / seconds("large"; "nft -c -f plain")),
  at_most("compile, large, memory"; 300; "MB"; megabytes("large"; "cordon compile")),
  at_most("compile, huge, against nft -c of the plainest"; 0.15; "×";
    seconds("huge"; "cordon compile") / seconds("huge"; "nft -c -f plain")),
  at_most("compile, huge, memory"; 1000; "MB"; megabytes("huge"; "cordon compile")),
  (("large", "huge") as $shape | at_least("parse and resolve, \($shape)"; 100; "MB/s";
    bytes($shape) / 1e6 / (seconds($shape; "cordon test") - seconds($shape; "cordon --version")))),
  (("large", "huge") as $shape | at_most("nft -f, \($shape), against the plainest"; 0.6; "×";
    seconds($shape; "nft -f ours") / seconds($shape; "nft -f plain"))),
  at_most("nft -j list table, huge, against the plainest"; 0.3; "×";
    seconds("huge"; "nft -j list table ours") / seconds("huge"; "nft -j list table plain")),
  at_most("compile of one group, with the start of the process"; 15; "ms"; seconds("1"; "cordon compile") * 1e3),
  (("nothing", "one member") as $change | at_most("apply of \($change), large, above a compile"; 100; "ms";
    (seconds("large"; "cordon compile --apply, \($change)") - seconds("large"; "cordon compile")) * 1e3)),
  (("nothing", "one rule") as $change | at_most("diff, large, \($change), against nft -j list table of the plainest"; 1.5; "×";
    seconds("large"; "cordon diff, \($change)") / seconds("large"; "nft -j list table plain")))
];
