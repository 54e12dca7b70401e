package celery

import (
	"bytes"
	"compress/bzip2"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Larger messages are left unread: a queue may hold anything, and a small
// compressed body may hold gigabytes.
const (
	maxMessage = 4 << 20
	maxBody    = 2 << 20
)

// envelope is the outer form of a message with nothing assumed of its parts.
type envelope struct {
	Body        json.RawMessage            `json:"body"`
	ContentType json.RawMessage            `json:"content-type"`
	Headers     map[string]json.RawMessage `json:"headers"`
	Properties  map[string]json.RawMessage `json:"properties"`
}

func open(raw []byte) (envelope, error) {
	var e envelope
	switch {
	case len(raw) == 0:
		return e, &lethal{"the message is empty"}
	case len(raw) > maxMessage:
		return e, fmt.Errorf("the message is larger than %d bytes and was left unread", maxMessage)
	case !isObject(raw):
		return e, &lethal{"the message is not a JSON object"}
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return e, &lethal{"the message is not a JSON envelope"}
	}
	return e, nil
}

func isObject(raw []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{"))
}

// text gives a JSON string, or "" for anything else.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// whole gives a JSON integer, or 0 for anything else.
func whole(raw json.RawMessage) int {
	var n int
	if json.Unmarshal(raw, &n) != nil {
		return 0
	}
	return n
}

// body gives the inner JSON. Without the word base64 a body is taken as it
// stands, as kombu does.
func (e envelope) body() ([]byte, error) {
	s := text(e.Body)
	plain := []byte(s)
	switch {
	case len(e.Body) == 0:
		return nil, errors.New("the message has no body")
	case e.Body[0] != '"':
		plain = e.Body
	case text(e.Properties["body_encoding"]) == "base64":
		decoded, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return nil, &lethal{"the body is not valid base64"}
		}
		plain = decoded
	}
	return unpack(plain, text(e.Headers["compression"]))
}

func unpack(packed []byte, method string) ([]byte, error) {
	var r io.Reader
	switch method {
	case "":
		r = bytes.NewReader(packed)
	case "application/x-gzip", "gzip", "zlib": // zlib streams under another name
		z, err := zlib.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, errors.New("the body is not the zlib stream that its header says")
		}
		r = z
	case "application/x-bz2", "bzip2", "bzip":
		r = bzip2.NewReader(bytes.NewReader(packed))
	default:
		return nil, fmt.Errorf("the body is compressed as %.40q, which is not read here", method)
	}
	body, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	switch {
	case len(body) > maxBody:
		return nil, fmt.Errorf("the body is larger than %d bytes and was left unread", maxBody)
	case err != nil:
		return nil, errors.New("the body's compressed stream is damaged")
	}
	return body, nil
}

// values decodes a JSON array, numbers as they stand.
func values(raw []byte) ([]any, error) {
	var list []any
	err := decodeInto(raw, &list)
	return list, err
}

func decodeInto(raw []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(to); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("text follows the JSON value")
	}
	return nil
}
