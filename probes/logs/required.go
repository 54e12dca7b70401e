package logs

import (
	"regexp"
	"regexp/syntax"
)

// requiredText gives the longest text that stands in everything that a regular
// expression matches, or "".
func requiredText(re *regexp.Regexp) string {
	if re == nil {
		return ""
	}
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return ""
	}
	return required(tree.Simplify())
}

func required(re *syntax.Regexp) (best string) {
	switch re.Op {
	case syntax.OpLiteral:
		return string(re.Rune)
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if s := required(sub); len(s) > len(best) {
				best = s
			}
		}
	}
	return best
}
