package celery

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// matcher recognises the tasks of one copy. A uuid anywhere in the arguments
// counts, also inside a list: better one task too many than one overlooked.
type matcher struct {
	id      string
	needles [][]byte // the uuid with and without dashes; none when it is no uuid
}

func newMatcher(copyID string) matcher {
	m := matcher{id: NormalCopyID(copyID)}
	if uuidLike().MatchString(m.id) {
		m.needles = [][]byte{[]byte(m.id), []byte(strings.ReplaceAll(m.id, "-", ""))}
	}
	return m
}

func (m matcher) raw(raw []byte) bool {
	if len(m.needles) == 0 {
		return DecodeTask(raw).CopyID == m.id
	}
	if m.within(raw) {
		return true
	}
	if body, ok := plainBody(raw); ok {
		return m.within(body)
	}
	e, err := open(raw)
	if err != nil {
		return false
	}
	body, err := e.body()
	return err == nil && m.within(body)
}

func (m matcher) within(text []byte) bool {
	text = bytes.ToLower(text)
	for _, n := range m.needles {
		if bytes.Contains(text, n) {
			return true
		}
	}
	return false
}

func (m matcher) held(r Running) bool {
	return r.CopyID == m.id || len(m.needles) > 0 && m.within([]byte(r.Args))
}

// plainBody finds the body of an ordinary message without reading the JSON
// around it, which takes ten times as long: a search goes through a hundred
// thousand. Anything unusual is left to the decoder.
func plainBody(raw []byte) (body []byte, ok bool) {
	key := []byte(`"body"`)
	if bytes.Count(raw, key) != 1 || bytes.Contains(raw, []byte(`"compression"`)) {
		return nil, false
	}
	_, rest, _ := bytes.Cut(raw, key)
	rest, hasColon := bytes.CutPrefix(bytes.TrimLeft(rest, " "), []byte(":"))
	rest, hasQuote := bytes.CutPrefix(bytes.TrimLeft(rest, " "), []byte(`"`))
	packed, _, closed := bytes.Cut(rest, []byte(`"`))
	if !hasColon || !hasQuote || !closed {
		return nil, false
	}
	body, err := base64.StdEncoding.AppendDecode(nil, packed)
	return body, err == nil
}
