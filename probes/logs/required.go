package logs

import (
	"regexp"
	"regexp/syntax"
)

// maxRequired bounds the texts that stand for one regular expression.
const maxRequired = 16

// requiredTexts gives texts of which at least one stands, up to the case, in
// everything that a regular expression matches; none when there are no such texts.
func requiredTexts(re *regexp.Regexp) []string {
	if re == nil {
		return nil
	}
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return nil
	}
	return required(tree.Simplify())
}

func required(re *syntax.Regexp) (best []string) {
	switch re.Op {
	case syntax.OpLiteral:
		if s := longestSimple(string(re.Rune)); s != "" {
			return []string{s}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if texts := required(sub); shortest(texts) > shortest(best) {
				best = texts
			}
		}
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			texts := required(sub)
			if len(texts) == 0 || len(best)+len(texts) > maxRequired {
				return nil
			}
			best = append(best, texts...)
		}
	}
	return best
}

// shortest is the length of the shortest text, which says how well they select.
func shortest(texts []string) int {
	if len(texts) == 0 {
		return 0
	}
	n := len(texts[0])
	for _, s := range texts[1:] {
		n = min(n, len(s))
	}
	return n
}
