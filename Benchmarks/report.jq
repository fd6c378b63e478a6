# The results as a page in Markdown.

def round($digits): (. * pow(10; $digits) | round) / pow(10; $digits);
def row: "| " + (map(tostring) | join(" | ")) + " |";
def head($left): row, ("|" + ($left * "---|") + ((length - $left) * "---:|"));
def time: if . < 0.0995 then "\(. * 1e3 | round(1)) ms" elif . < 9.95 then "\(round(2)) s" else "\(round(0)) s" end;
def shapes: [.results[] | select(.what == "policy") | .shape];
def isSize: test("^([0-9]+|large|huge)$");

def target: [.what, (if .isLeast then "≥" else "≤" end) + " \(.limit) \(.unit)",
  (if .figure == null then "not measured" else "\(.figure | round(2)) \(.unit)" end),
  (if .holds == null then "" elif .holds then "yes" else "**no**" end)];

def objects: . as $r | shapes[] as $shape
  | [$r.results[] | select(.shape == $shape)] as $of
  | ($of[] | select(.what == "policy")) as $policy
  | ("ours", "plain") as $which
  | ($of[] | select(.what == "objects of \($which)") | .objects) as $o
  | [$shape, $policy.rules, $which, $o.chains, $o.rules, $o.sets, $o.elements];

# Time and memory of what was run for some of these shapes, a column for each.
def processes($shapes): . as $r
  | [.results[] | select(.seconds and (.shape | IN($shapes[]))) | .what] as $all
  | (reduce $all[] as $what ([]; if index([$what]) then . else . + [$what] end)) as $whats
  | (["process"] + $shapes | head(1)),
    ($whats[] as $what | [$what] + [$shapes[] as $shape
      | [$r.results[] | select(.shape == $shape and .what == $what and .seconds)] | first
      | if . then "\(.seconds | time), \(.kilobytes / 1024 | round) MB" else "" end] | row);

def ns($router; $flows): [.results[] | select(.router == $router and .flows == $flows) | .ns] | first;

# Nanoseconds; how many times connection tracking ours is; how many times cheaper than the plainest, above connection tracking.
def flows: . as $r | shapes[] as $shape | ("usual", "worst") as $choice | "\($shape).\($choice)" as $flows
  | [("none", "conntrack", "\($shape).bare", $shape, "\($shape).plain") as $router | $r | ns($router; $flows)]
    as [$none, $base, $bare, $ours, $plain]
  | select($ours)
  | [$shape, $choice, (($none, $base, $bare, $ours, $plain) | if . then round else "" end), ($ours / $base | round(2)), (($plain - $base) / ($ours - $base) | round(2))];

def spread: [.results[] | select(.router) | (.high - .low) / .ns * 100] | if length > 0 then max | round else 0 end;

def report:
  "\(.date), cordon \(.version), \(.nft), Linux \(.kernel), \(.cpus) × \(.cpu)",
  (if .load > .cpus / 2 then "**The machine was not idle (load \(.load)): what is said of processes is not to be relied upon.**" else empty end), "",
  (["target", "limit", "measured", "holds"] | head(1)), (.targets[] | target | row), "",
  (["shape", "rules of the policy", "ruleset", "chains", "rules", "sets", "elements"] | head(1)), (objects | row), "",
  (shapes | map(select(isSize))) as $sizes | (shapes - $sizes) as $others
  | processes($sizes), "", (if $others != [] then processes($others), "" else empty end),
  "Nanoseconds that a new flow costs. Of no series the quartiles lie more than \(spread) % of its median apart.", "",
  (["shape", "flows", "no ruleset", "conntrack", "bare", "ours", "plainest", "ours / conntrack",
    "plainest / ours, above conntrack"] | head(2)),
  (flows | row);
