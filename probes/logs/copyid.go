package logs

import "strings"

const uuidLen = 36

// firstCopy finds the first uuid that the words around it call a copy's, as in
// "for copy <uuid>", "/copies/<uuid>/" or "'copy_id': '<uuid>'". Lines are full
// of other uuids: requests, tasks, exams, annotations.
func firstCopy(texts ...string) string {
	for _, s := range texts {
		for from := 0; ; {
			i := nextUUID(s, from)
			if i < 0 {
				break
			}
			if namesCopy(s[max(0, i-16):i]) {
				return strings.ToLower(s[i : i+uuidLen])
			}
			from = i + uuidLen
		}
	}
	return ""
}

// nextUUID finds a uuid at or after from, or gives -1.
func nextUUID(s string, from int) int {
	for i := from; i+uuidLen <= len(s); i++ {
		dash := strings.IndexByte(s[i+8:], '-')
		if dash < 0 {
			return -1
		}
		i += dash // the only place where one can start before the next dash
		if i+uuidLen <= len(s) && isUUID(s[i:i+uuidLen]) {
			return i
		}
	}
	return -1
}

func isUUID(s string) bool {
	for i := range uuidLen {
		c := s[i] | 0x20 // lower case
		switch dash := i == 8 || i == 13 || i == 18 || i == 23; {
		case dash && s[i] != '-':
			return false
		case !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}

// namesCopy says whether a text ends in a word for a copy. "finalize_copy[" is
// a task with its id.
func namesCopy(before string) bool {
	if strings.HasSuffix(before, "[") {
		return false
	}
	word := strings.ToLower(strings.TrimRight(before, " :='\"/(<"))
	return strings.HasSuffix(word, "copy") || strings.HasSuffix(word, "copies") || strings.HasSuffix(word, "copy_id")
}
