# Counts what a ruleset of `nft -f` makes: chains, rules, sets and maps, those among them that have no name, and elements. What
# stands two braces deep in a chain is a rule, however many braces it opens; what stands in one of a set's is its elements.

function close_braces(text) { return gsub(/}/, "", text) }
function open_braces(text) { return gsub(/{/, "", text) }

{ sub(/^[ \t]*#.*/, "") ; sub(/[ \t]#[^"]*$/, "") }
NF == 0 { next }
depth == 1 && $1 == "chain" { chains++; inside = "chain" }
depth == 1 && ($1 == "set" || $1 == "map") { sets++; inside = "set" }
inside == "set" && match($0, /elements = \{/) { elements += 1; $0 = substr($0, 1, RSTART - 1) "{" substr($0, RSTART + RLENGTH) }
inside == "set" { elements += gsub(/,/, ",") }
depth == 2 && inside == "chain" && $1 != "}" && $1 != "type" { rules++; anonymous += open_braces($0) }
{ depth += open_braces($0) - close_braces($0) }
depth == 1 { inside = "" }
END {
  printf "{\"chains\":%d,\"rules\":%d,\"sets\":%d,\"anonymous sets\":%d,\"elements\":%d}\n", chains, rules, sets + anonymous, anonymous, elements
}
